#include "spread.h"
#include "problem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TANH RNNC_RNN_TANH
#define RELU RNNC_RNN_RELU
#define ALL "avx512,avx2,portable"

/* config: cell, I, H, L, bias, batch_first, bidirectional */
const spec spread[] = {
    {.name = "tiny", .config = {TANH, 1, 1, 1, 0, 0, 0, 0}, .target = ALL, .weights_as = "c"},
    {.name = "tutorial", .config = {TANH, 20, 50, 2, 1, 0, 0, 0}, .target = ALL, .weights_as = "c"},
    {.name = "fixed",
     .config = {TANH, 20, 50, 2, 1, 0, 0, 0},
     .seq_len = 100,
     .batch = 32,
     .target = ALL,
     .weights_as = "none"},
    {.name = "single",
     .config = {TANH, 64, 64, 1, 1, 0, 0, 0},
     .batch = 1,
     .target = "avx512",
     .weights_as = "c"},
    {.name = "both_ways",
     .config = {RELU, 7, 13, 3, 1, 1, 1, 0},
     .batch = 5,
     .target = "avx2",
     .weights_as = "c"},
    {.name = "no_bias",
     .config = {RELU, 33, 31, 2, 0, 1, 1, 0},
     .seq_len = 9,
     .target = "portable",
     .weights_as = "blob"},
    {.name = "late",
     .config = {TANH, 5, 17, 1, 1, 1, 0, 0},
     .target = "portable",
     .weights_as = "none"},
    {.name = "mono",
     .config = {TANH, 3, 47, 4, 1, 0, 1, 0},
     .batch = 1,
     .seq_len = 1,
     .target = ALL,
     .weights_as = "none",
     .dropout = 0.25},
    {.name = "wide",
     .config = {RELU, 129, 128, 1, 1, 0, 0, 0},
     .batch = 17,
     .target = "avx2,portable",
     .weights_as = "blob"},
    {.name = "pair",
     .config = {TANH, 16, 24, 2, 1, 0, 1, 0},
     .batch = 2,
     .target = "avx512,portable",
     .weights_as = "none"},
    {.name = "turns",
     .config = {RNNC_LSTM, 24, 60, 3, 1, 0, 0, 0},
     .target = ALL,
     .weights_as = "none",
     .threads = 2},
    {.name = "sides",
     .config = {RNNC_GRU, 24, 60, 3, 1, 0, 1, 0},
     .batch = 1,
     .target = "avx512,portable",
     .weights_as = "blob",
     .lengths = true,
     .threads = 3},
    {.name = "slices",
     .config = {TANH, 20, 50, 2, 1, 0, 0, 0},
     .batch = 32,
     .target = ALL,
     .weights_as = "none",
     .threads = 2},
    {.name = "alone", /* nothing to gain */
     .config = {RNNC_LSTM, 1, 20, 1, 1, 0, 0, 0},
     .batch = 1,
     .target = "avx512",
     .weights_as = "c",
     .threads = 2},
};

const size_t spread_count = sizeof spread / sizeof *spread;

bool spread_generate(const spec *s, const char *dir, const char *rnnc_dir, const char *const env[],
                     rnnc_error *err) {
    char source[PATH_SIZE], weights[PATH_SIZE], file[64], as[64];
    spec with_weights = *s;
    const bool has_weights = strcmp(s->weights_as, "none") != 0;
    if (has_weights) {
        rng r = {.state = 99};
        problem p = problem_make(&s->config, 1, 1, false, &r);
        path_join(weights, dir, "w.safetensors");
        const bool wrote = problem_write_weights(&p, weights, NULL, err);
        problem_free(&p);
        if (!wrote)
            return false;
        with_weights.weights = "w.safetensors"; /* relative to the spec's own place */
    }
    snprintf(file, sizeof file, "%s.lua", s->name);
    snprintf(as, sizeof as, "--weights-as=%s", s->weights_as);
    path_join(source, dir, file);
    char *const text = spec_text(&with_weights);
    const bool wrote = file_write(source, text, strlen(text));
    free(text);
    const char *const argv[] = {
        rnnc_path(), "compile", rnnc_dir ? source : file, "-o", rnnc_dir ? dir : ".", as, NULL};
    outcome o = process_run(argv, rnnc_dir ? rnnc_dir : dir, env, 60);
    const bool ok = wrote && o.code == 0 && o.err[0] == '\0';
    if (!ok)
        snprintf(err->message, sizeof err->message, "%s: exit code %d\n%.1900s", file, o.code,
                 o.err);
    outcome_free(&o);
    return ok;
}
