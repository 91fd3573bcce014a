/* tanh and sigmoid in ulp over floats of every size, for each set of kernels: a strided sweep, over
 * every float once in a while: RNNC_TEST_STRIDE=1. And softmax over rows of every length. */
#include "../runtime/kernels.h"
#include "guard.h"
#include "support/rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 61 }; /* no multiple of any vector, so that ends of rows are tried too */

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* How far got is from want, in units of the last place of a float of want's size. */
static double ulps(float got, double want) {
    int exponent;
    frexp(want, &exponent);
    const double ulp = ldexp(1, exponent - 24 < -149 ? -149 : exponent - 24);
    return fabs((double)got - want) / ulp;
}

static double tanh_of(double x) { return tanh(x); }
static double sigmoid_of(double x) { return 1 / (1 + exp(-x)); }

/* The floats with bits 0, stride, 2*stride ..., of both signs and all exponents. */
static void sweep(void (*function)(size_t, const float *, float *), double (*exact)(double)) {
    const char *const asked = getenv("RNNC_TEST_STRIDE");
    const uint64_t stride = asked ? strtoull(asked, NULL, 10) : 1009;
    guard in = guard_floats(NULL, BLOCK), out = guard_floats(NULL, BLOCK);
    float *const x = in.data, *const y = out.data;
    uint64_t bits = 0;
    while (bits <= UINT32_MAX) {
        for (size_t i = 0; i < BLOCK; i++, bits += stride)
            x[i] = float_of((uint32_t)(bits <= UINT32_MAX ? bits : UINT32_MAX));
        memset(y, 0xFF, out.size);
        function(BLOCK, x, y);
        for (size_t i = 0; i < BLOCK; i++) {
            if (isnan(x[i])) {
                cr_assert(isnan(y[i]));
                continue;
            }
            const double error = ulps(y[i], exact((double)x[i]));
            cr_assert(error <= 4, "%a gives %a, off by %g ulp", (double)x[i], (double)y[i], error);
        }
    }
    cr_assert(guard_intact(&in) && guard_intact(&out));
    guard_free(&in);
    guard_free(&out);
}

static void check_kernels(const rnnc_kernels *kernels) {
    sweep(kernels->tanh, tanh_of);
    sweep(kernels->sigmoid, sigmoid_of);
    const float x[] = {0, -0.0f, INFINITY, -INFINITY, NAN, -NAN, 1e-45f, -1e-45f, 9.02f, 200};
    float t[10], s[10];
    kernels->tanh(10, x, t);
    kernels->sigmoid(10, x, s);
    cr_expect(t[0] == 0 && !signbit(t[0]) && t[1] == 0 && signbit(t[1]));
    cr_expect(t[2] == 1 && t[3] == -1 && isnan(t[4]) && isnan(t[5]));
    cr_expect(t[6] == 1e-45f && t[7] == -1e-45f && t[8] == 1 && t[9] == 1);
    cr_expect(s[0] == 0.5f && s[1] == 0.5f && s[2] == 1 && s[3] == 0);
    cr_expect(isnan(s[4]) && isnan(s[5]) && s[9] == 1);
}

/* The same value gives the same result at every place of a row of any length. */
static void check_places(const rnnc_kernels *kernels) {
    for (size_t n = 1; n < 50; n++) {
        guard row = guard_floats(NULL, n);
        float *const x = row.data;
        float one_tanh = 0.7f, one_sigmoid = 0.7f;
        kernels->tanh(1, &one_tanh, &one_tanh);
        kernels->sigmoid(1, &one_sigmoid, &one_sigmoid);
        for (int which = 0; which < 2; which++) {
            for (size_t i = 0; i < n; i++)
                x[i] = 0.7f;
            (which ? kernels->sigmoid : kernels->tanh)(n, x, x);
            for (size_t i = 0; i < n; i++)
                cr_assert(x[i] == (which ? one_sigmoid : one_tanh), "%zu of %zu", i, n);
        }
        cr_assert(guard_intact(&row));
        guard_free(&row);
    }
}

/* Softmax and log_softmax in double: the largest value, and the logarithm of the sum of all
 * exponentials behind it. */
static double log_sum(size_t n, const float *x, double *most) {
    double sum = 0;
    *most = (double)x[0];
    for (size_t i = 1; i < n; i++)
        *most = (double)x[i] > *most ? (double)x[i] : *most;
    for (size_t i = 0; i < n; i++)
        sum += exp((double)x[i] - *most);
    return log(sum);
}

/* The values of a row around `around`, up to `spread` from it, as softmax and log_softmax. */
static void check_row(const rnnc_kernels *kernels, size_t n, float around, float spread,
                      rng *random) {
    guard in = guard_floats(NULL, n), out = guard_floats(NULL, n);
    float *const x = in.data, *const y = out.data;
    for (size_t i = 0; i < n; i++)
        x[i] = around + rng_float(random, spread);
    double most;
    const double below = log_sum(n, x, &most);
    memcpy(y, x, n * sizeof *y);
    kernels->softmax(n, y);
    for (size_t i = 0; i < n; i++) {
        /* What is rounded off is the distance from the maximum, of the sum and of the share. */
        const double want = exp((double)x[i] - most - below);
        const double most_off = 12 + fabs((double)x[i] - most);
        cr_assert(ulps(y[i], want) <= most_off, "softmax of %zu, %zu: %a, not %a", n, i,
                  (double)y[i], want);
    }
    memcpy(y, x, n * sizeof *y);
    kernels->log_softmax(n, y);
    for (size_t i = 0; i < n; i++) {
        const double want = (double)x[i] - most - below;
        cr_assert(fabs((double)y[i] - want) <= 1e-6 * (1 + fabs(want)),
                  "log_softmax of %zu, %zu: %a, not %a", n, i, (double)y[i], want);
    }
    cr_assert(guard_intact(&in) && guard_intact(&out));
    guard_free(&in);
    guard_free(&out);
}

/* A row of n values, 1 but for one of another value, which goes to every place. Of what is not
 * there, -inf, both are the limits; NaN and inf make a row of NaN. */
static void check_odd_values(const rnnc_kernels *kernels, size_t n) {
    static const float values[] = {-INFINITY, -3e38f, -1000, NAN, INFINITY, 3e38f};
    float row[BLOCK];
    for (size_t at = 0; at < n; at++)
        for (size_t k = 0; k < sizeof values / sizeof *values; k++)
            for (int is_log = 0; is_log < 2; is_log++) {
                const float odd = values[k];
                for (size_t i = 0; i < n; i++)
                    row[i] = i == at ? odd : 1;
                (is_log ? kernels->log_softmax : kernels->softmax)(n, row);
                const bool spoilt = isnan(odd) || (isinf(odd) && (odd > 0 || n == 1));
                for (size_t i = 0; i < n; i++) {
                    const bool is_most = n == 1 || (i == at) == (odd > 1);
                    const double peers = n == 1 || odd > 1 ? 1 : (double)n - 1;
                    const double want = !is_log   ? is_most ? 1 / peers : 0
                                        : is_most ? -log(peers)
                                        : odd > 1 ? 1 - (double)odd
                                                  : (double)odd - 1 - log(peers);
                    if (spoilt)
                        cr_assert(isnan(row[i]));
                    else
                        cr_assert((double)row[i] == want ||
                                      fabs((double)row[i] - want) <= 1e-6 * (1 + fabs(want)),
                                  "%zu of %zu beside %g at %zu: %g, not %g", i, n, (double)odd, at,
                                  (double)row[i], want);
                }
            }
    for (size_t i = 0; i < n; i++)
        row[i] = -INFINITY;
    kernels->softmax(n, row);
    for (size_t i = 0; i < n; i++)
        cr_assert(isnan(row[i]));
}

static void check_rows(const rnnc_kernels *kernels) {
    rng random = {.state = 8};
    for (size_t n = 1; n < BLOCK; n++) {
        check_row(kernels, n, 0, 3, &random);
        check_row(kernels, n, -60000, 4, &random);
        check_row(kernels, n, 3, 120, &random);
        check_odd_values(kernels, n);
    }
    /* Beyond what is added up in one go. */
    check_row(kernels, 511, -3, 9, &random);
    check_row(kernels, 10007, 3, 9, &random);
    check_row(kernels, 10007, 3, 0, &random);
}

Test(runtime_activations, portable) {
    check_kernels(&rnnc_kernels_portable);
    check_places(&rnnc_kernels_portable);
    check_rows(&rnnc_kernels_portable);
}

Test(runtime_activations, avx2) {
#ifdef RNNC_X86_KERNELS
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        check_kernels(&rnnc_kernels_avx2);
        check_places(&rnnc_kernels_avx2);
        check_rows(&rnnc_kernels_avx2);
        return;
    }
#endif
    cr_skip_test("no AVX2 here");
}

Test(runtime_activations, avx512) {
#ifdef RNNC_X86_KERNELS
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) {
        check_kernels(&rnnc_kernels_avx512);
        check_places(&rnnc_kernels_avx512);
        check_rows(&rnnc_kernels_avx512);
        return;
    }
#endif
    cr_skip_test("no AVX-512 here");
}

Test(runtime_activations, public_functions) {
    float x[3] = {-1, 0.5f, 3}, y[3] = {NAN, NAN, NAN};
    rnnc_tanh(3, x, y);
    for (size_t i = 0; i < 3; i++)
        cr_expect(ulps(y[i], tanh((double)x[i])) <= 4);
    rnnc_sigmoid(3, x, x);
    cr_expect(ulps(x[2], 1 / (1 + exp(-3))) <= 4);
    rnnc_tanh(0, NULL, NULL);
}
