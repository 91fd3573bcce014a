/* blas.c: which backend a product goes to. */
#include "blas.h"
#include "kernels.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* NULL until somebody asks or chooses. */
static _Atomic(const rnnc_blas *) current;

/* Has auto looked for OpenBLAS? It does so once, since a search that fails takes long. */
static atomic_int searched;

static const rnnc_blas *large(void) {
    if (!atomic_load_explicit(&searched, memory_order_relaxed)) {
        rnnc_blas_openblas(NULL);
        atomic_store(&searched, 1);
    }
    return rnnc_openblas_found() ? rnnc_blas_openblas(NULL) : rnnc_blas_builtin();
}

/* Measured on one core of a Xeon with AMX (Sapphire Rapids) at the sizes of recurrent networks,
 * OpenBLAS 0.3.21 against each set of built-in kernels (OPENBLAS_CORETYPE=Haswell against AVX2,
 * Nehalem against the portable ones), best of 12 alternating runs. The built-in ones take 0.5 to 1
 * of OpenBLAS's time up to m*n*k of 2e8 (640 x 1024 x 256) and 1.07 to 1.15 beyond (1500^3). A
 * transposed sgemv takes 0.5 to 1 up to some size, and up to 1.2 beyond until memory binds both;
 * one that is not transposed is never slower. OpenBLAS may have threads for the large ones besides.
 */
static void auto_sgemm(int trans_a, int trans_b, size_t m, size_t n, size_t k, float alpha,
                       const float *a, size_t lda, const float *b, size_t ldb, float beta, float *c,
                       size_t ldc) {
    const rnnc_kernels *const kernels = rnnc_kernels_best();
    const rnnc_blas *const blas =
        (double)m * (double)n * (double)k <= kernels->small_gemm ? &kernels->blas : large();
    blas->sgemm(trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

static void auto_sgemv(int trans, size_t m, size_t n, float alpha, const float *a, size_t lda,
                       const float *x, float beta, float *y) {
    const rnnc_kernels *const kernels = rnnc_kernels_best();
    const rnnc_blas *const blas =
        !trans || (double)m * (double)n <= kernels->small_gemv ? &kernels->blas : large();
    blas->sgemv(trans, m, n, alpha, a, lda, x, beta, y);
}

const rnnc_blas *rnnc_blas_auto(void) {
    static const rnnc_blas table = {"auto", auto_sgemm, auto_sgemv};
    return &table;
}

/* The backend of that name; the status says why there is none. */
static rnnc_status by_name(const char *name, const char *where, const rnnc_blas **blas,
                           rnnc_error *error) {
    if (strcmp(name, "builtin") == 0)
        *blas = rnnc_blas_builtin();
    else if (strcmp(name, "openblas") == 0)
        *blas = rnnc_blas_openblas(error);
    else if (strcmp(name, "auto") == 0)
        *blas = rnnc_blas_auto();
    else
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "%s: there is no BLAS backend \"%s\"; give builtin, openblas or auto",
                         where, rnnc_show(name).text);
    return *blas ? RNNC_OK : RNNC_ERR_MISSING;
}

static rnnc_status from_environment(const rnnc_blas **blas, rnnc_error *error) {
    const char *const name = getenv("RNNC_BLAS");
    return by_name(name && *name ? name : "auto", "RNNC_BLAS", blas, error);
}

const rnnc_blas *rnnc_blas_current(void) {
    const rnnc_blas *blas = atomic_load_explicit(&current, memory_order_acquire), *fresh = NULL;
    if (blas)
        return blas;
    from_environment(&fresh, NULL);
    if (!fresh)
        fresh = rnnc_blas_auto();
    /* Somebody may have chosen meanwhile: then that holds. */
    return atomic_compare_exchange_strong(&current, &blas, fresh) ? fresh : blas;
}

rnnc_status rnnc_blas_select(const char *name, rnnc_error *error) {
    const rnnc_blas *blas = NULL;
    const rnnc_status status =
        name ? by_name(name, "rnnc_blas_select", &blas, error) : from_environment(&blas, error);
    if (status == RNNC_OK)
        atomic_store(&current, blas);
    return status;
}

rnnc_status rnnc_blas_register(const rnnc_blas *table) {
    if (!table || !table->name || !table->sgemm || !table->sgemv)
        return RNNC_ERR_ARGUMENT;
    atomic_store(&current, table);
    return RNNC_OK;
}

void rnnc_gemm(int trans_a, int trans_b, size_t m, size_t n, size_t k, float alpha, const float *a,
               size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc) {
    rnnc_blas_current()->sgemm(trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void rnnc_gemv(int trans, size_t m, size_t n, float alpha, const float *a, size_t lda,
               const float *x, float beta, float *y) {
    rnnc_blas_current()->sgemv(trans, m, n, alpha, a, lda, x, beta, y);
}
