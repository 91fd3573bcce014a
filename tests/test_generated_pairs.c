/* Batches that fill half a vector: lanes that carry pairs of units beside the sequences. */
#include "support/check.h"
#include "support/generate.h"
#include "support/network.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sizes that leave a unit, an input or a sequence over, whatever is paired or blocked. Batches are
 * those of 16 lanes. */
static const struct {
    rnnc_config config;
    size_t seq_len, batch, threads;
    bool deterministic;
} table[] = {
    {{RNNC_RNN_TANH, 20, 50, 2, 1, 0, 1, 0}, 9, 8, 0, false},
    {{RNNC_RNN_RELU, 7, 33, 2, 1, 1, 1, 0}, 5, 7, 0, false},
    {{RNNC_LSTM, 20, 50, 2, 1, 0, 0, 0}, 11, 16, 2, false}, /* a slice of 8 for each thread */
    {{RNNC_LSTM, 5, 21, 1, 0, 0, 1, 0}, 4, 7, 0, false},
    {{RNNC_LSTM, 9, 35, 2, 1, 0, 1, 13}, 6, 7, 0, false},
    {{RNNC_GRU, 3, 51, 1, 1, 1, 0, 0}, 7, 8, 0, false},
    {{RNNC_GRU, 1, 19, 3, 1, 0, 1, 0}, 3, 7, 0, true},
    {{RNNC_LSTM, 31, 33, 1, 1, 0, 0, 0}, 8, 8, 0, true},
};

/* Half the lanes of a target, so that a batch of that many is for pairs. */
static size_t half(const char *target) {
    return strcmp(target, "avx512") == 0 ? 8 : strcmp(target, "avx2") == 0 ? 4 : 2;
}

/* Does the generated code have pairs? The cost model decides it. */
static bool has_pairs(const spec *s) {
    char dir[PATH_SIZE], path[PATH_SIZE];
    rnnc_error err;
    workdir_make(dir);
    cr_assert(generate(s, dir, &err), "%s", err.message);
    path_join(path, dir, "pairs.c");
    char *const text = file_read(path, NULL);
    const bool has = text && strstr(text, "_splat_group(");
    free(text);
    workdir_remove(dir);
    return has;
}

static void try_pairs(size_t i, const char *target) {
    rng r = {.state = 11 + i};
    rnnc_error err;
    const size_t batch = (table[i].batch * half(target) + 7) / 8;
    problem p = problem_make(&table[i].config, table[i].seq_len, batch, i % 3 != 0, &r);
    problem_solve(&p);
    spec s = spec_for(&p, "pairs", target, i % 2, true, "none");
    s.deterministic = table[i].deterministic;
    s.threads = table[i].threads;
    char *const line = spec_line(&s);
    cr_expect(has_pairs(&s), "%s: another kernel is chosen", line);
    network n;
    cr_assert(network_open(&n, &s, &p, NULL, i % 2 ? "-O1" : "-O2", &err), "%s: %s", line,
              err.message);
    cr_expect(check_description(n.model, &p, &err) &&
                  check_network_all_ways(n.model, n.packed, &p, 2e-6, &err),
              "%s: %s", line, err.message);
    network_close(&n);
    free(line);
    problem_free(&p);
}

static void try_all(const char *target) {
    if (!target_runs(target))
        cr_skip_test("this CPU cannot run %s", target);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        try_pairs(i, target);
}

Test(generated_pairs, avx512, .timeout = 300) { try_all("avx512"); }
Test(generated_pairs, avx2, .timeout = 300) { try_all("avx2"); }
Test(generated_pairs, portable, .timeout = 300) { try_all("portable"); }
