/* tanh and sigmoid in ulp over floats of every size, for each set of kernels. A strided sweep, over
 * every float once in a while: RNNC_TEST_STRIDE=1. */
#include "../runtime/kernels.h"
#include "guard.h"

#include <criterion/criterion.h>
#include <math.h>
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

Test(runtime_activations, portable) {
    check_kernels(&rnnc_kernels_portable);
    check_places(&rnnc_kernels_portable);
}

Test(runtime_activations, avx2) {
#ifdef RNNC_X86_KERNELS
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        check_kernels(&rnnc_kernels_avx2);
        check_places(&rnnc_kernels_avx2);
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
