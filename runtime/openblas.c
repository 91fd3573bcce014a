/* openblas.c: OpenBLAS, without linking it. */
#define _GNU_SOURCE /* RTLD_DEFAULT */
#include "blas.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* The part of CBLAS that is used, declared here because its header need not be installed. */
enum { ROW_MAJOR = 101, NO_TRANS = 111, TRANS = 112 };
typedef void cblas_sgemm_fn(int order, int trans_a, int trans_b, int m, int n, int k, float alpha,
                            const float *a, int lda, const float *b, int ldb, float beta, float *c,
                            int ldc);
typedef void cblas_sgemv_fn(int order, int trans, int m, int n, float alpha, const float *a,
                            int lda, const float *x, int incx, float beta, float *y, int incy);

/* Found once, by whichever thread comes first; others that look at the same time find the same. */
static _Atomic(cblas_sgemm_fn *) found_sgemm;
static _Atomic(cblas_sgemv_fn *) found_sgemv;

static int too_long(size_t a, size_t b, size_t c) {
    return a > INT_MAX || b > INT_MAX || c > INT_MAX;
}

static void sgemm(int trans_a, int trans_b, size_t m, size_t n, size_t k, float alpha,
                  const float *a, size_t lda, const float *b, size_t ldb, float beta, float *c,
                  size_t ldc) {
    if (too_long(m, n, k) || too_long(lda, ldb, ldc)) {
        rnnc_blas_builtin()->sgemm(trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
        return;
    }
    cblas_sgemm_fn *const call = atomic_load_explicit(&found_sgemm, memory_order_relaxed);
    call(ROW_MAJOR, trans_a ? TRANS : NO_TRANS, trans_b ? TRANS : NO_TRANS, (int)m, (int)n, (int)k,
         alpha, a, (int)lda, b, (int)ldb, beta, c, (int)ldc);
}

static void sgemv(int trans, size_t m, size_t n, float alpha, const float *a, size_t lda,
                  const float *x, float beta, float *y) {
    if (too_long(m, n, lda)) {
        rnnc_blas_builtin()->sgemv(trans, m, n, alpha, a, lda, x, beta, y);
        return;
    }
    cblas_sgemv_fn *const call = atomic_load_explicit(&found_sgemv, memory_order_relaxed);
    call(ROW_MAJOR, trans ? TRANS : NO_TRANS, (int)m, (int)n, alpha, a, (int)lda, x, 1, beta, y, 1);
}

static const rnnc_blas table = {"openblas", sgemm, sgemv};

/* A function by its name; POSIX promises that the pointers convert, ISO C only that bytes copy. */
static int look_up(void *library, const char *name, void *function, size_t size) {
    void *const address = dlsym(library, name);
    memcpy(function, &address, size);
    return address != NULL;
}

/* Takes the two functions out of a library if it is an OpenBLAS with ints of 32 bits. */
static int take(void *library) {
    char *(*config)(void);
    cblas_sgemm_fn *gemm;
    cblas_sgemv_fn *gemv;
    if (!look_up(library, "openblas_get_config", &config, sizeof config) ||
        strstr(config(), "USE64BITINT") || !look_up(library, "cblas_sgemm", &gemm, sizeof gemm) ||
        !look_up(library, "cblas_sgemv", &gemv, sizeof gemv))
        return 0;
    atomic_store(&found_sgemv, gemv);
    atomic_store(&found_sgemm, gemm); /* last: whoever sees it sees the other too */
    return 1;
}

static void use_one_thread(void *library) {
    void (*set_threads)(int);
    if (!getenv("OPENBLAS_NUM_THREADS") && !getenv("OMP_NUM_THREADS") &&
        look_up(library, "openblas_set_num_threads", &set_threads, sizeof set_threads))
        set_threads(1);
}

int rnnc_openblas_found(void) { return atomic_load(&found_sgemm) != NULL; }

const rnnc_blas *rnnc_blas_openblas(rnnc_error *error) {
    static const char name[] = "libopenblas.so.0";
    if (rnnc_openblas_found() || take(RTLD_DEFAULT))
        return &table;
    /* The library stays loaded for good: its threads would not survive an unload. */
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
    const int is_ours = library == NULL;
    if (is_ours)
        library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!library || !take(library)) {
        rnnc_explain(error, RNNC_ERR_MISSING,
                     "OpenBLAS: %s cannot be used: %s; install libopenblas0, link the program with "
                     "OpenBLAS, or use the built-in kernels (RNNC_BLAS=builtin)",
                     name, library ? "it is not an OpenBLAS with 32-bit integers" : "not found");
        if (library)
            dlclose(library);
        return NULL;
    }
    if (is_ours)
        use_one_thread(library);
    return &table;
}
