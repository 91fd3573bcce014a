#include "random_spec.h"
#include "activation.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Units around the widths of vectors (4, 8, 16), of register tiles (multiples of those) and primes.
 */
static size_t random_units(rng *r) {
    static const size_t awkward[] = {1,  2,  3,  4,  5,  7,  8,  9,  11, 13, 15,  16,  17,  19, 23,
                                     24, 25, 29, 31, 32, 33, 37, 40, 41, 47, 48,  49,  50,  55, 59,
                                     63, 64, 65, 71, 79, 80, 81, 95, 96, 97, 112, 127, 128, 129};
    enum { COUNT = sizeof awkward / sizeof *awkward };
    return rng_below(r, 4) ? awkward[rng_below(r, COUNT)] : 1 + rng_below(r, 70);
}

static size_t random_seq_len(rng *r) {
    switch (rng_below(r, 8)) {
    case 0:
        return 1;
    case 1:
        return 2;
    case 2:
        return 60 + rng_below(r, 200); /* more than a chunk of time */
    default:
        return 3 + rng_below(r, 30);
    }
}

static size_t random_batch(rng *r) {
    switch (rng_below(r, 8)) {
    case 0:
    case 1:
        return 1;
    case 2:
    case 3:
        return 33 + rng_below(r, 40); /* more than a block of sequences */
    default:
        return 1 + rng_below(r, 33);
    }
}

void random_spec_run(const rnnc_config *c, rng *r, size_t *seq_len, size_t *batch) {
    const size_t k = c->hidden_size * (c->bidirectional ? 4 : 1) + c->input_size;
    const size_t step = c->hidden_size * k * c->num_layers * problem_gates(c->cell);
    *seq_len = random_seq_len(r);
    *batch = random_batch(r);
    while (*seq_len * *batch * step > 20000000 && *seq_len > 3)
        *seq_len = (*seq_len + 3) / 2;
    while (*seq_len * *batch * step > 20000000 && *batch > 2)
        *batch = (*batch + 2) / 2;
}

static void random_target(rng *r, char target[32]) {
    static const char *const all[] = {"scalar", "portable",      "avx2",
                                      "avx512", "avx2,portable", "avx512,avx2,portable"};
    do
        strcpy(target, all[rng_below(r, sizeof all / sizeof *all)]);
    while (!strchr(target, ',') && !target_runs(target));
}

random_spec random_spec_make(uint64_t number) {
    random_spec one;
    rng r = {.state = number};
    static const rnnc_cell cells[] = {RNNC_RNN_TANH, RNNC_RNN_TANH, RNNC_RNN_RELU, RNNC_LSTM,
                                      RNNC_LSTM,     RNNC_GRU,      RNNC_GRU};
    rnnc_config c = {.cell = cells[rng_below(&r, sizeof cells / sizeof *cells)],
                     .input_size = random_units(&r),
                     .hidden_size = random_units(&r),
                     .num_layers = rng_below(&r, 2) ? 1 : 1 + rng_below(&r, 4),
                     .bias = rng_below(&r, 4) != 0,
                     .batch_first = (int)rng_below(&r, 2),
                     .bidirectional = rng_below(&r, 3) == 0};
    if (rng_below(&r, 3) == 0)
        activation_choose_functions(&c, &r);
    size_t seq_len, batch;
    random_spec_run(&c, &r, &seq_len, &batch);
    one.p = problem_make(&c, seq_len, batch, rng_below(&r, 4) != 0, &r);
    size_t floats = 0;
    for (size_t i = 0; i < one.p.weight_count; i++) {
        const rnnc_weight w = problem_weight(&c, i);
        floats += w.rows * (w.cols ? w.cols : 1);
    }
    snprintf(one.name, sizeof one.name, "n%" PRIu64, number);
    random_target(&r, one.target);
    one.s = (spec){.config = c,
                   .seq_len = rng_below(&r, 2) ? seq_len : 0,
                   .batch = rng_below(&r, 2) ? batch : 0,
                   /* built-in weights cost compile time */
                   .weights_as = floats < 30000 && rng_below(&r, 2) ? "c" : "none",
                   .dropout = c.num_layers > 1 && rng_below(&r, 2) ? 0.5 : 0.0,
                   .lengths = rng_below(&r, 3) == 0,
                   .deterministic = rng_below(&r, 6) == 0,
                   .fast = rng_below(&r, 3) == 0,
                   .threads = rng_below(&r, 2) ? 2 + rng_below(&r, 3) : 0};
    one.r = r;
    return one;
}
