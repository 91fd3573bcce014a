/* BLAS: every backend against plain loops in double, for awkward sizes, strides and flags; the
 * choice of a backend. */
#include "../runtime/kernels.h"
#include "guard.h"
#include "rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A matrix of rows x ld floats in a guard that ends with its last element: the rest of a row, its
 * last one excepted, is NaN and must not be used. */
static guard matrix(rng *r, size_t rows, size_t cols, size_t ld) {
    const size_t count = rows == 0 ? 0 : (rows - 1) * ld + cols;
    guard f = guard_floats(NULL, count);
    for (size_t i = 0; i < rows; i++)
        rng_fill(r, (float *)f.data + i * ld, cols, 1);
    return f;
}

/* k products of values up to 1 in float: k rounding errors of at most k * 2^-24 each are far more
 * than what random signs make. */
static double tolerance(size_t k) { return 1e-7 * (double)(k + 4); }

static void check_gemm(const rnnc_blas *blas, rng *r, int ta, int tb, size_t m, size_t n, size_t k,
                       float alpha, float beta) {
    const size_t a_rows = ta ? k : m, a_cols = ta ? m : k, b_rows = tb ? n : k, b_cols = tb ? k : n;
    const size_t lda = a_cols + rng_below(r, 3), ldb = b_cols + rng_below(r, 3);
    const size_t ldc = n + rng_below(r, 3);
    guard fa = matrix(r, a_rows, a_cols, lda), fb = matrix(r, b_rows, b_cols, ldb);
    guard fc = matrix(r, m, n, ldc);
    const float *const a = fa.data, *const b = fb.data;
    float *const c = fc.data;
    double *const want = malloc((m * n + 1) * sizeof *want);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = 0;
            for (size_t p = 0; p < k; p++)
                sum += (double)a[ta ? p * lda + i : i * lda + p] *
                       (double)b[tb ? j * ldb + p : p * ldb + j];
            want[i * n + j] =
                (double)alpha * sum + (beta != 0 ? (double)(beta * c[i * ldc + j]) : 0);
            if (beta == 0)
                c[i * ldc + j] = NAN; /* must not be read */
        }
    guard_protect(&fa);
    guard_protect(&fb);
    blas->sgemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++) {
            const double error = fabs((double)c[i * ldc + j] - want[i * n + j]);
            cr_assert(error <= tolerance(k),
                      "%s sgemm %d %d %zu %zu %zu %g %g: (%zu, %zu) is off %g", blas->name, ta, tb,
                      m, n, k, (double)alpha, (double)beta, i, j, error);
        }
        for (size_t j = n; j < ldc && i + 1 < m; j++)
            cr_assert(isnan(c[i * ldc + j]), "%s wrote between rows", blas->name);
    }
    cr_assert(guard_intact(&fc));
    free(want);
    guard_free(&fa);
    guard_free(&fb);
    guard_free(&fc);
}

static void check_gemv(const rnnc_blas *blas, rng *r, int trans, size_t m, size_t n, float alpha,
                       float beta) {
    const size_t lda = n + rng_below(r, 3), in = trans ? m : n, out = trans ? n : m;
    guard fa = matrix(r, m, n, lda), fx = matrix(r, 1, in, in), fy = matrix(r, 1, out, out);
    const float *const a = fa.data, *const x = fx.data;
    float *const y = fy.data;
    double *const want = malloc(out * sizeof *want);
    for (size_t i = 0; i < out; i++) {
        double sum = 0;
        for (size_t j = 0; j < in; j++)
            sum += (double)a[trans ? j * lda + i : i * lda + j] * (double)x[j];
        want[i] = (double)alpha * sum + (beta != 0 ? (double)(beta * y[i]) : 0);
        if (beta == 0)
            y[i] = NAN;
    }
    guard_protect(&fa);
    guard_protect(&fx);
    blas->sgemv(trans, m, n, alpha, a, lda, x, beta, y);
    for (size_t i = 0; i < out; i++) {
        const double error = fabs((double)y[i] - want[i]);
        cr_assert(error <= tolerance(in), "%s sgemv %d %zu %zu %g %g: %zu is off %g", blas->name,
                  trans, m, n, (double)alpha, (double)beta, i, error);
    }
    cr_assert(guard_intact(&fy));
    free(want);
    guard_free(&fa);
    guard_free(&fx);
    guard_free(&fy);
}

static void check_backend(const rnnc_blas *blas) {
    static const size_t sizes[] = {1, 2, 3, 5, 8, 13, 16, 17, 31, 33, 50, 64, 67};
    enum { SIZES = sizeof sizes / sizeof sizes[0] };
    static const float alphas[] = {1, -0.5f}, betas[] = {0, 1, 0.25f};
    rng r = {.state = 7};
    for (size_t m = 0; m < SIZES; m++)
        for (size_t n = 0; n < SIZES; n++)
            for (int flags = 0; flags < 4; flags++) {
                const size_t k = sizes[rng_below(&r, SIZES)];
                check_gemm(blas, &r, flags & 1, flags >> 1, sizes[m], sizes[n], k,
                           alphas[rng_below(&r, 2)], betas[rng_below(&r, 3)]);
                check_gemv(blas, &r, flags & 1, sizes[m], sizes[n], alphas[rng_below(&r, 2)],
                           betas[rng_below(&r, 3)]);
            }
    /* Beyond the sizes of blocks. */
    for (int flags = 0; flags < 4; flags++) {
        check_gemm(blas, &r, flags & 1, flags >> 1, 253, 70, 300, 1, 1);
        check_gemm(blas, &r, flags & 1, flags >> 1, 49, 35, 515, 2, 0);
        check_gemm(blas, &r, flags & 1, flags >> 1, 1, 35, 600, 1, 0);
    }
    for (int trans = 0; trans < 2; trans++) {
        check_gemv(blas, &r, trans, 613, 511, 1, 1);
        check_gemv(blas, &r, trans, 614, 515, -1, 0);
        check_gemv(blas, &r, trans, 2, 60007, 1, 0.5f);
    }
    check_gemm(blas, &r, 0, 0, 5, 7, 0, 1, 0.25f);
    check_gemm(blas, &r, 0, 1, 5, 7, 0, 1, 0);
}

/* NaN and infinity in an operand come out, also next to the edges of tiles. */
static void check_nan(const rnnc_blas *blas) {
    static const size_t M = 13, N = 35, K = 9;
    for (size_t at = 0; at < M; at++) {
        float a[13 * 9], b[9 * 35], c[13 * 35];
        for (size_t i = 0; i < M * K; i++)
            a[i] = 1;
        for (size_t i = 0; i < K * N; i++)
            b[i] = 1;
        a[at * K + 4] = NAN;
        blas->sgemm(0, 0, M, N, K, 1, a, K, b, N, 0, c, N);
        for (size_t i = 0; i < M * N; i++)
            cr_assert(i / N == at ? isnan(c[i]) : c[i] == 9, "%s %zu %zu", blas->name, at, i);
        float y[35], x[9] = {1, 1, 1, INFINITY, 1, 1, 1, 1, 1};
        blas->sgemv(1, K, N, 1, b, N, x, 0, y);
        for (size_t i = 0; i < N; i++)
            cr_assert(isinf(y[i]));
    }
}

Test(runtime_blas, portable) {
    check_backend(&rnnc_kernels_portable.blas);
    check_nan(&rnnc_kernels_portable.blas);
}

Test(runtime_blas, avx2) {
#ifdef RNNC_X86_KERNELS
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        check_backend(&rnnc_kernels_avx2.blas);
        check_nan(&rnnc_kernels_avx2.blas);
        return;
    }
#endif
    cr_skip_test("no AVX2 here");
}

Test(runtime_blas, avx512) {
#ifdef RNNC_X86_KERNELS
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) {
        check_backend(&rnnc_kernels_avx512.blas);
        check_nan(&rnnc_kernels_avx512.blas);
        return;
    }
#endif
    cr_skip_test("no AVX-512 here");
}

Test(runtime_blas, openblas) {
    rnnc_error error = {.message = ""};
    const rnnc_blas *const blas = rnnc_blas_openblas(&error);
    if (!blas) {
        cr_expect(strstr(error.message, "libopenblas.so.0") && strstr(error.message, "install"));
        cr_skip_test("no OpenBLAS here");
    }
    cr_assert_str_eq(blas->name, "openblas");
    cr_assert_eq(rnnc_blas_openblas(NULL), blas);
    check_backend(blas);
    check_nan(blas);
}

Test(runtime_blas, auto_chooses) {
    check_backend(rnnc_blas_auto());
    check_nan(rnnc_blas_auto());
    rng r = {.state = 8};
    check_gemm(rnnc_blas_auto(), &r, 0, 0, 601, 601, 600, 1, 1); /* goes to OpenBLAS */
}

static int gemm_calls, gemv_calls;
static void count_gemm(int ta, int tb, size_t m, size_t n, size_t k, float alpha, const float *a,
                       size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc) {
    gemm_calls++;
    rnnc_blas_builtin()->sgemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
static void count_gemv(int trans, size_t m, size_t n, float alpha, const float *a, size_t lda,
                       const float *x, float beta, float *y) {
    gemv_calls++;
    rnnc_blas_builtin()->sgemv(trans, m, n, alpha, a, lda, x, beta, y);
}
static const rnnc_blas counting = {"counting", count_gemm, count_gemv};

Test(runtime_blas, registered_table) {
    unsetenv("RNNC_BLAS");
    cr_assert_eq(rnnc_blas_current(), rnnc_blas_auto());
    cr_assert_eq(rnnc_blas_register(&counting), RNNC_OK);
    cr_assert_eq(rnnc_blas_current(), &counting);
    const float a[] = {1, 2, 3, 4}, b[] = {5, 6};
    float c[2] = {NAN, NAN};
    rnnc_gemm(0, 0, 2, 1, 2, 1, a, 2, b, 1, 0, c, 1);
    cr_assert(c[0] == 17 && c[1] == 39 && gemm_calls == 1);
    rnnc_gemv(1, 2, 2, 1, a, 2, b, 0, c);
    cr_assert(c[0] == 23 && c[1] == 34 && gemv_calls == 1);
    rnnc_blas bad = counting;
    bad.sgemv = NULL;
    cr_assert_eq(rnnc_blas_register(&bad), RNNC_ERR_ARGUMENT);
    cr_assert_eq(rnnc_blas_register(NULL), RNNC_ERR_ARGUMENT);
    cr_assert_eq(rnnc_blas_current(), &counting);
    rnnc_error error;
    cr_assert_eq(rnnc_blas_select("openblass", &error), RNNC_ERR_ARGUMENT);
    cr_assert_str_eq(error.message,
                     "rnnc_blas_select: there is no BLAS backend \"openblass\"; give "
                     "builtin, openblas or auto");
    cr_assert_eq(rnnc_blas_current(), &counting);
    cr_assert_eq(rnnc_blas_select("builtin", NULL), RNNC_OK);
    cr_assert_eq(rnnc_blas_current(), rnnc_blas_builtin());
    cr_assert_eq(rnnc_blas_select("auto", NULL), RNNC_OK);
    cr_assert_eq(rnnc_blas_current(), rnnc_blas_auto());
}

Test(runtime_blas, environment) {
    rnnc_error error;
    setenv("RNNC_BLAS", "builtin", 1);
    cr_assert_eq(rnnc_blas_current(), rnnc_blas_builtin());
    setenv("RNNC_BLAS", "auto", 1);
    cr_assert_eq(rnnc_blas_current(), rnnc_blas_builtin(), "read once");
    cr_assert_eq(rnnc_blas_select(NULL, &error), RNNC_OK);
    cr_assert_eq(rnnc_blas_current(), rnnc_blas_auto());
    setenv("RNNC_BLAS", "builtin", 1);
    cr_assert_eq(rnnc_blas_select(NULL, &error), RNNC_OK);
    setenv("RNNC_BLAS", "", 1); /* as if it were not there */
    cr_assert_eq(rnnc_blas_select(NULL, &error), RNNC_OK, "%s", error.message);
    cr_assert_eq(rnnc_blas_current(), rnnc_blas_auto());
    setenv("RNNC_BLAS", "mkl", 1);
    cr_assert_eq(rnnc_blas_select(NULL, &error), RNNC_ERR_ARGUMENT);
    cr_assert(strstr(error.message, "RNNC_BLAS") && strstr(error.message, "\"mkl\""));
    cr_assert_eq(rnnc_blas_current(), rnnc_blas_auto());
    setenv("RNNC_BLAS", "openblas", 1);
    if (rnnc_blas_openblas(NULL)) {
        cr_assert_eq(rnnc_blas_select(NULL, &error), RNNC_OK);
        cr_assert_str_eq(rnnc_blas_current()->name, "openblas");
    }
}

/* A name that is not known in the environment: auto, without a word. */
Test(runtime_blas, bad_environment) {
    setenv("RNNC_BLAS", "mkl", 1);
    cr_assert_eq(rnnc_blas_current(), rnnc_blas_auto());
}

/* Threads that find, choose and use backends at the same time. */
static void *use_blas(void *argument) {
    static const char *const names[] = {"auto", "builtin", "openblas"};
    rng r = {.state = (uint64_t)(uintptr_t)argument};
    for (size_t i = 0; i < 60; i++) {
        rnnc_blas_select(names[rng_below(&r, 3)], NULL);
        check_gemm(rnnc_blas_current(), &r, 0, 0, 20, 30, 10, 1, 1);
        check_gemv(rnnc_blas_auto(), &r, 1, 33, 21, 1, 0);
    }
    return NULL;
}

Test(runtime_blas, threads) {
    pthread_t threads[2];
    for (uintptr_t i = 0; i < 2; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, use_blas, (void *)(i + 1)), 0);
    for (size_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}
