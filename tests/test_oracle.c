/* The judge is judged first: the tests' oracle against PyTorch's recorded answers and against the
 * runtime's reference, for all four cells. */
#define _XOPEN_SOURCE 700
#include "support/check.h"
#include "support/oracle.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is_case(const struct dirent *entry) {
    const size_t n = strlen(entry->d_name);
    return n > 12 && strcmp(entry->d_name + n - 12, ".safetensors") == 0;
}

/* Largest difference of two arrays of doubles; infinity where one is NaN. */
static double largest_difference(const double *a, const double *b, size_t n) {
    double worst = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double e = fabs(a[i] - b[i]);
        if (!(e <= worst))
            worst = isnan(e) ? (double)INFINITY : e;
    }
    return worst;
}

static double *doubles(size_t n) {
    double *const p = malloc((n ? n : 1) * sizeof *p);
    cr_assert(p != NULL);
    for (size_t i = 0; i < n; i++)
        p[i] = NAN;
    return p;
}

/* Recorded answers were rounded from float64 to float32: off by at most 2^-24 of the value. */
static void expect_recorded(const char *file, const double *computed, const double *recorded,
                            size_t n) {
    for (size_t i = 0; i < n; i++) {
        const double e = fabs(computed[i] - recorded[i]);
        if (!(e <= 6.0e-8 * fmax(1.0, fabs(recorded[i])))) {
            cr_expect(false, "%s: element %zu is %.12g, PyTorch has %.12g", file, i, computed[i],
                      recorded[i]);
            return;
        }
    }
}

Test(oracle, agrees_with_pytorch) {
    struct dirent **entries = NULL;
    const int count = scandir("tests/cases", &entries, is_case, alphasort);
    cr_assert(count >= 26, "%d cases in tests/cases", count);
    for (int i = 0; i < count; i++) {
        char path[512];
        rnnc_error err;
        problem p;
        snprintf(path, sizeof path, "tests/cases/%s", entries[i]->d_name);
        for (int flip = 0; flip < 2; flip++) {
            cr_assert(problem_read(path, flip, &p, &err), "%s", err.message);
            const size_t y_count = problem_y_count(&p), states = problem_state_count(&p);
            double *const y = doubles(y_count), *const hn = doubles(states),
                          *const cn = doubles(states);
            oracle_forward(&p.config, (const float *const *)p.weight, p.seq_len, p.batch, p.x, p.h0,
                           p.c0, y, hn, cn);
            expect_recorded(path, y, p.y, y_count);
            expect_recorded(path, hn, p.hn, states);
            if (p.cn)
                expect_recorded(path, cn, p.cn, states);
            free(y);
            free(hn);
            free(cn);
            problem_free(&p);
        }
        free(entries[i]);
    }
    free(entries);
}

/* Two programs that share nothing give the same to the rounding of double. */
Test(oracle, agrees_with_the_runtimes_reference) {
    rng r = {.state = 1};
    for (int i = 0; i < 400; i++) {
        const rnnc_config config = {.cell = (rnnc_cell)(i % 4),
                                    .input_size = 1 + rng_below(&r, 9),
                                    .hidden_size = 1 + rng_below(&r, 12),
                                    .num_layers = 1 + rng_below(&r, 3),
                                    .bias = (int)rng_below(&r, 2),
                                    .batch_first = (int)rng_below(&r, 2),
                                    .bidirectional = (int)rng_below(&r, 2)};
        const size_t seq_len = 1 + rng_below(&r, 9), batch = 1 + rng_below(&r, 5);
        problem p = problem_make(&config, seq_len, batch, rng_below(&r, 3) > 0, &r);
        const size_t y_count = problem_y_count(&p), states = problem_state_count(&p);
        problem_solve(&p);
        double *const y = doubles(y_count), *const hn = doubles(states),
                      *const cn = p.cn ? doubles(states) : NULL;
        rnnc_layer layer;
        const rnnc_network network = problem_network(&config, &layer);
        const rnnc_call call = {
            .seq_len = seq_len, .batch = batch, .x = p.x, .h0 = p.h0, .c0 = p.c0};
        cr_assert_eq(
            rnnc_reference_forward(&network, (const float *const *)p.weight, &call, y, hn, cn),
            RNNC_OK);
        cr_expect(largest_difference(y, p.y, y_count) <= 1e-12, "y of network %d", i);
        cr_expect(largest_difference(hn, p.hn, states) <= 1e-12, "hn of network %d", i);
        cr_expect(!cn || largest_difference(cn, p.cn, states) <= 1e-12, "cn of network %d", i);
        free(y);
        free(hn);
        free(cn);
        problem_free(&p);
    }
}

/* The names and shapes that the tests expect are the runtime's too. */
Test(oracle, agrees_on_names_and_shapes_of_weights) {
    for (int i = 0; i < 32; i++) {
        const rnnc_config config = {(rnnc_cell)(i % 4), 5,          7,          3,
                                    i >> 2 & 1,         i >> 3 & 1, i >> 4 & 1, 0};
        const size_t count = rnnc_config_weight_count(&config);
        cr_assert_eq(count, (size_t)(3 * (config.bidirectional ? 2 : 1) * (config.bias ? 4 : 2)));
        for (size_t k = 0; k < count; k++) {
            rnnc_weight got;
            const rnnc_weight want = problem_weight(&config, k);
            cr_assert_eq(rnnc_config_weight(&config, k, &got), RNNC_OK);
            cr_expect_str_eq(got.name, want.name);
            cr_expect(got.rows == want.rows && got.cols == want.cols, "%s", got.name);
        }
    }
}

/* A comparison that cannot fail proves nothing: NaN, a wrong last element and a wrong infinity are
 * all found, and named. */
Test(oracle, comparison_can_fail) {
    const comparison c = {.what = "y", .axes = "tbu", .dims = {2, 3, 4}, .tolerance = 1e-6};
    float got[24];
    double want[24];
    rnnc_error err;
    for (int i = 0; i < 24; i++) {
        want[i] = (double)i;
        got[i] = (float)i;
    }
    cr_expect(compare(&c, got, want, &err));
    got[1] = 1.000002f;
    cr_expect(!compare(&c, got, want, &err));
    got[1] = 1.0f;
    got[23] = NAN;
    cr_expect(!compare(&c, got, want, &err));
    cr_expect(strstr(err.message, "y[t=1,b=2,u=3]"), "%s", err.message);
    cr_expect(isinf(max_error(got, want, 24)));
    want[23] = NAN;
    cr_expect(compare(&c, got, want, &err), "%s", err.message);
    want[23] = INFINITY;
    cr_expect(!compare(&c, got, want, &err));
    got[23] = -INFINITY;
    cr_expect(!compare(&c, got, want, &err));
    got[23] = INFINITY;
    cr_expect(compare(&c, got, want, &err), "%s", err.message);
    got[0] = NAN;
    cr_expect(!compare(&c, got, want, &err));
}
