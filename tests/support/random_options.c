#include "random_options.h"
#include "activation.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PICK(r, list) ((list)[rng_below(r, sizeof(list) / sizeof *(list))])

static const char *flag(rng *r) { return rng_below(r, 2) ? "true" : "false"; }

static const char *some_activation(bool rows, rng *r) {
    rnnc_layer layer;
    activation_choose(&layer, rows, r);
    return rnnc_activation_name(layer.activation);
}

void random_options(rng *r, const char *fields, char *text, size_t room) {
    static const char *const cells[] = {"lstm", "gru", "rnn"};
    static const char *const batches[] = {"1", "\"any\"", "5", "16", "40"};
    static const char *const steps[] = {"1", "\"any\"", "5", "70"};
    static const char *const targets[] = {"\"scalar\"",
                                          "\"portable\"",
                                          "\"avx2\"",
                                          "\"avx512\"",
                                          "{\"portable\", \"avx2\"}",
                                          "{\"portable\", \"avx2\", \"avx512\"}"};
    static const int units[] = {1, 4, 6, 16, 48, 64};
    const bool embeds = rng_below(r, 3) == 0;
    const bool both = rng_below(r, 2);
    /* A dense layer: none, on all steps, the last one, the last states. rnnc has a word to say on
     * the last step of both directions. */
    const size_t drawn = rng_below(r, 4), head = both && drawn == 2 ? 3 : drawn;
    const char *const cell = PICK(r, cells), *const batch = PICK(r, batches);
    const int width = PICK(r, units);
    char first[96] = "", projection[48] = "";
    if (embeds)
        snprintf(first, sizeof first,
                 "embedding { num_embeddings = 9, dim = 3, prefix = \"e.\" }, ");
    if (strcmp(cell, "lstm") == 0 && width > 1 && rng_below(r, 2))
        snprintf(projection, sizeof projection, ", proj_size = %zu",
                 1 + rng_below(r, (size_t)width - 1));
    /* Functions and a clip of the cell. */
    char *functions = NULL;
    size_t functions_size = 0;
    FILE *const out = open_memstream(&functions, &functions_size);
    rnnc_config config = {.cell = strcmp(cell, "lstm") == 0  ? RNNC_LSTM
                                  : strcmp(cell, "gru") == 0 ? RNNC_GRU
                                  : rng_below(r, 2)          ? RNNC_RNN_TANH
                                                             : RNNC_RNN_RELU};
    if (!out)
        abort();
    activation_choose_functions(&config, r);
    activation_put_functions(out, &config);
    fclose(out);
    int n = snprintf(text, room,
                     "return model { name = \"net\", %s batch = %s, "
                     "seq_len = %s, threads = %d, target = %s, activation = \"%s\", lengths = %s, "
                     "batch_first = %s, deterministic = %s, layers = { %s"
                     "rnn { cell = \"%s\"%s, hidden_size = %d, num_layers = %d%s%s, "
                     "bidirectional = %s, bias = %s, initial_state = %s, prefix = \"a.\" }",
                     fields, batch, PICK(r, steps), 1 + (int)rng_below(r, 4), PICK(r, targets),
                     rng_below(r, 2) ? "fast" : "exact", flag(r), flag(r), flag(r), first, cell,
                     embeds ? "" : ", input_size = 3", width, 1 + (int)rng_below(r, 3), projection,
                     functions, both ? "true" : "false", flag(r), flag(r));
    free(functions);
    const bool two = head > 0 && rng_below(r, 2);
    if (two) /* the first takes the states */
        n += snprintf(text + n, room - (size_t)n,
                      ", dense { units = 7, activation = \"%s\"%s, prefix = \"d.\" }",
                      some_activation(false, r), head == 3 ? ", last_state = true" : "");
    if (head > 0)
        n += snprintf(text + n, room - (size_t)n,
                      ", dense { units = 3, activation = \"%s\", bias = %s%s, prefix = \"b.\" }",
                      some_activation(true, r), flag(r),
                      head == 2           ? ", last_step = true"
                      : head == 3 && !two ? ", last_state = true"
                                          : "");
    const char *residual = "";
    if (head < 2 && !embeds && rng_below(r, 2))
        residual = head == 1 && rng_below(r, 2) ? ", residual = true" : ", residual = 1";
    snprintf(text + n, room - (size_t)n, " }%s }", residual);
}
