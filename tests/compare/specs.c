/* specs.c: specs that two trees are compared on, each in a file called net.lua.
 *
 *     specs options NUMBER     a random one: all options in small sizes, or (odd numbers) one
 *                              recurrent network of any size, as in the differential tests
 *     specs shape NUMBER       a random problem for measuring: sizes of real networks, log-uniform
 *
 * Prints the spec; of a shape first a comment with its sizes. */
#include "random_options.h"
#include "random_spec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_options(uint64_t number) {
    char text[1024];
    rng r = {.state = number};
    random_options(&r, "", text, sizeof text);
    puts(text);
}

static void put_spec(uint64_t number) {
    random_spec one = random_spec_make(number);
    one.s.name = "net";
    one.s.target = one.target;
    char *const text = spec_text(&one.s);
    fputs(text, stdout);
    free(text);
    problem_free(&one.p);
}

/* A number of 1 .. most, log-uniformly. */
static size_t up_to(rng *r, size_t most) {
    const double share = (double)rng_below(r, 1 << 20) / (1 << 20);
    return (size_t)exp(share * log((double)most + 1));
}

/* One that a person may wait for: at most 4 million weights, 100 million multiply-adds a call. */
static void put_shape(uint64_t number) {
    static const char *const cells[] = {"lstm", "gru", "rnn"};
    rng r = {.state = number};
    size_t input, hidden, layers, both, batch, steps, units, weights, kind;
    do {
        kind = rng_below(&r, 3);
        input = up_to(&r, 512);
        hidden = 3 + up_to(&r, 512);
        layers = 1 + rng_below(&r, 2) * rng_below(&r, 3);
        both = rng_below(&r, 5) == 0;
        batch = rng_below(&r, 2) ? 1 : up_to(&r, 128);
        steps = up_to(&r, 200);
        units = rng_below(&r, 3) == 0 ? up_to(&r, 4000) : 0;
        const size_t gates = kind == 0 ? 4 : kind == 1 ? 3 : 1, ways = 1 + both;
        weights = gates * hidden * ways * (input + hidden + (layers - 1) * (ways + 1) * hidden) +
                  units * hidden * ways;
    } while (weights > 4000000 || weights * batch * steps > 100000000);
    char projection[48] = "", head[128] = "";
    if (kind == 0 && rng_below(&r, 4) == 0)
        snprintf(projection, sizeof projection, ", proj_size = %zu", 1 + rng_below(&r, hidden - 1));
    if (units)
        snprintf(head, sizeof head, ", dense { units = %zu%s, prefix = \"d.\" }", units,
                 rng_below(&r, 2) ? ", activation = \"softmax\"" : "");
    printf("-- %s %zu %zu %zu %zu %zu %zu%s%s%s\n", cells[kind], input, hidden, layers, 1 + both,
           batch, steps, projection[0] ? " projected" : "", units ? " dense " : "",
           units ? strchr(head, '=') + 2 : "");
    printf("return model { name = \"net\", target = \"native\", batch = %zu, seq_len = %zu, layers "
           "= { rnn { cell = "
           "\"%s\", input_size = %zu, hidden_size = %zu, num_layers = %zu, bidirectional = %s%s, "
           "prefix = \"r.\" }%s } }\n",
           batch, steps, cells[kind], input, hidden, layers, both ? "true" : "false", projection,
           head);
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 2;
    const uint64_t number = strtoull(argv[2], NULL, 10);
    if (strcmp(argv[1], "shape") == 0)
        put_shape(number);
    else if (number % 2)
        put_spec(number);
    else
        put_options(number);
    return 0;
}
