/* What a command line may ask of floating point does not reach generated code: the same bits as
 * plain -O2 in one call and in pieces, and NaN where it belongs. Of `scalar` on one processor: it
 * takes multiply-adds where the flags say that there are some. */
#include "support/check.h"
#include "support/network.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const flags[] = {
    "-O0",
    "-Os",
    "-O3 -march=native -std=gnu11",
    "-O2 -mfma -ffp-contract=fast",
    "-O2 -ffast-math",
    "-Ofast -march=native -mrecip",
    "-O2 -funsafe-math-optimizations",
    "-O2 -ffinite-math-only -fno-signed-zeros -freciprocal-math",
    "-O2 -fassociative-math -fno-signed-zeros -fno-trapping-math",
    "-O3 -Ofast -mno-sse3 -U__SSE2__ -DLANES",
};

enum { FLAGS = sizeof flags / sizeof *flags, STEPS = 9, UNITS = 13, INPUTS = 3, STATES = 2 };

typedef struct answer {
    float y[STEPS * UNITS], hn[STATES * UNITS], cn[STATES * UNITS];
} answer;

/* One call, or a call for each step. */
static void run(const network *n, const problem *p, bool in_pieces, answer *to) {
    float h[STATES * UNITS], c[STATES * UNITS];
    void *const workspace = malloc(n->model->workspace_size(STEPS, 1));
    cr_assert(workspace);
    memset(to, 0, sizeof *to);
    memcpy(h, p->h0, sizeof h);
    if (p->c0)
        memcpy(c, p->c0, sizeof c);
    const size_t piece = in_pieces ? 1 : STEPS;
    for (size_t t = 0; t < STEPS; t += piece) {
        const rnnc_call call = {.weights = n->packed,
                                .seq_len = piece,
                                .batch = 1,
                                .x = p->x + t * INPUTS,
                                .h0 = h,
                                .c0 = p->c0 ? c : NULL,
                                .y = to->y + t * UNITS,
                                .hn = h,
                                .cn = p->c0 ? c : NULL,
                                .workspace = workspace};
        cr_assert_eq(n->model->forward(&call), RNNC_OK);
    }
    memcpy(to->hn, h, sizeof h);
    if (p->c0)
        memcpy(to->cn, c, sizeof c);
    free(workspace);
}

static void any_flags(rnnc_cell cell, const char *target, bool fast) {
    if (!target_runs(target))
        return;
    static const char *const compilers[] = {"gcc", "clang"};
    const rnnc_config config = {cell, INPUTS, UNITS, STATES, 1, 0, 0, 0};
    const bool lanes = strcmp(target, "portable") == 0;
    const char *const machine =
        strcmp(target, "scalar") == 0 && target_runs("avx2") ? " -mfma" : "";
    char words[256];
    rng r = {.state = 3};
    rnnc_error err;
    problem p = problem_make(&config, STEPS, 1, true, &r);
    spec as = spec_for(&p, "flags", target, false, false, "none");
    as.fast = fast;
    network n;
    answer want, got;
    snprintf(words, sizeof words, "-std=c11 -O2%s", machine);
    cr_assert(network_open(&n, &as, &p, "gcc", words, &err), "%s", err.message);
    run(&n, &p, false, &want);
    network_close(&n);
    for (size_t i = 0; i < 2 * FLAGS; i++) {
        const char *const cc = compilers[i % 2];
        snprintf(words, sizeof words, "%s%s", flags[i / 2], machine);
        /* Lane by lane: gcc only, as clang refuses -ffast-math where it has no such vectors. */
        if (strstr(words, "LANES") && (!lanes || i % 2))
            continue;
        cr_assert(network_open(&n, &as, &p, cc, words, &err), "%s %s: %s", cc, words, err.message);
        for (int pieces = 0; pieces < 2; pieces++) {
            run(&n, &p, pieces, &got);
            cr_expect(memcmp(&got, &want, sizeof got) == 0, "%s, %s %s: other bits in %s",
                      spec_line(&as), cc, words, pieces ? "pieces" : "one call");
        }
        const float saved = p.x[2 * INPUTS];
        p.x[2 * INPUTS] = NAN;
        run(&n, &p, false, &got);
        size_t wrong = 0;
        for (size_t at = 0; at < STEPS * UNITS;
             at++) { /* by bits: this file may be built with them too */
            unsigned bits;
            memcpy(&bits, &got.y[at], sizeof bits);
            wrong += ((bits & 0x7fffffffu) > 0x7f800000u) != (at >= 2 * UNITS);
        }
        cr_expect_eq(wrong, 0, "%s, %s %s: NaN lost or made", spec_line(&as), cc, words);
        p.x[2 * INPUTS] = saved;
        network_close(&n);
    }
    problem_free(&p);
}

Test(generated_flags, portable_exact, .timeout = 300) { any_flags(RNNC_LSTM, "portable", false); }
Test(generated_flags, portable_fast, .timeout = 300) { any_flags(RNNC_GRU, "portable", true); }
Test(generated_flags, scalar_exact, .timeout = 300) { any_flags(RNNC_LSTM, "scalar", false); }
Test(generated_flags, scalar_fast, .timeout = 300) { any_flags(RNNC_GRU, "scalar", true); }
Test(generated_flags, avx2_exact, .timeout = 300) { any_flags(RNNC_GRU, "avx2", false); }
Test(generated_flags, avx512_fast, .timeout = 300) { any_flags(RNNC_LSTM, "avx512", true); }
