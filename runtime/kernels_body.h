/* kernels_body.h: the inner loops, in terms of the vectors of the file that includes it:
 * vf, VL, TARGET, INLINE, KERNELS, the functions on vf defined there, and TILE_HEIGHTS, the numbers
 * of rows of register tiles (from TILE_ROWS down to 1), and WIDE_COLUMNS, the vectors whose double
 * sums fit in the registers. */
#include "kernels_elementwise.h"

/* ---- products ---- */

#define NOINLINE __attribute__((noinline))

/* Arrays of vectors become registers only in loops that are unrolled, which has to be asked for.
 * clang warns of loops that were gone before it came to unroll them. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed"
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* C (m rows, at most 2*VL columns) = alpha * A B + beta * C. A's element (i, p) lies at
 * a[i*row_a + p*col_a]; B has k rows; tail is the number of columns in the last vector. */
typedef struct strip {
    size_t m, k, row_a, col_a, ld_b, ld_c, tail;
    const float *a, *b;
    float *c;
    float alpha, beta;
} strip;

/* The first rows of a strip, in registers. rows, vectors and is_full (tail is VL) are constants
 * where this is inlined. */
INLINE void tile(const strip *s, const size_t rows, const size_t vectors, const int is_full) {
    vf sums[TILE_ROWS][2];
    const size_t last = vectors - 1;
    const float *a = s->a, *b = s->b;
    const size_t row_a = s->row_a, col_a = s->col_a, ld_b = s->ld_b, tail = s->tail;
    UNROLL for (size_t i = 0; i < rows; i++) sums[i][0] = sums[i][1] = set1(0);
    for (size_t p = s->k; p > 0; p--, a += col_a, b += ld_b) {
        vf b_p[2];
        if (vectors == 2)
            b_p[0] = load(b);
        b_p[last] = is_full ? load(b + last * VL) : load_some(b + last * VL, tail);
        UNROLL for (size_t i = 0; i < rows; i++) {
            const vf a_ip = set1(a[i * row_a]);
            sums[i][0] = muladd(a_ip, b_p[0], sums[i][0]);
            if (vectors == 2)
                sums[i][1] = muladd(a_ip, b_p[1], sums[i][1]);
        }
    }
    const vf alpha = set1(s->alpha), beta = set1(s->beta);
    const int adds = s->beta != 0;
    float *c = s->c;
    UNROLL for (size_t i = 0; i < rows; i++, c += s->ld_c) {
        vf low = sums[i][0] * alpha, high = sums[i][last] * alpha;
        if (adds) {
            if (vectors == 2)
                low = muladd(beta, load(c), low);
            high =
                muladd(beta, is_full ? load(c + last * VL) : load_some(c + last * VL, tail), high);
        }
        if (vectors == 2)
            store(c, low);
        if (is_full)
            store(c + last * VL, high);
        else
            store_some(c + last * VL, high, tail);
    }
}

/* Functions of their own, so that nothing from around them takes a register in their loops. */
#define TILE(rows)                                                                                 \
    TARGET static NOINLINE void tile_full_##rows(const strip *s) { tile(s, rows, 2, 1); }          \
    TARGET static NOINLINE void tile_wide_##rows(const strip *s) { tile(s, rows, 2, 0); }          \
    TARGET static NOINLINE void tile_thin_##rows(const strip *s) { tile(s, rows, 1, 0); }
TILE_HEIGHTS(TILE)

/* All rows of a strip of n columns. */
TARGET static void run_strip(strip s, size_t n) {
    s.tail = n > VL ? n - VL : n;
#define ROWS(rows)                                                                                 \
    for (; s.m >= (rows); s.m -= (rows), s.a += (rows)*s.row_a, s.c += (rows)*s.ld_c) {            \
        if (n == 2 * VL)                                                                           \
            tile_full_##rows(&s);                                                                  \
        else if (n > VL)                                                                           \
            tile_wide_##rows(&s);                                                                  \
        else                                                                                       \
            tile_thin_##rows(&s);                                                                  \
    }
    TILE_HEIGHTS(ROWS)
#undef ROWS
}

enum {
    BLOCK_K = 256, /* of the panels: 2*VL columns of them stay in the first-level cache */
    BLOCK_M = 240, /* rows of A that are used again for every panel: in the second-level cache */
    /* From so many floats on, sgemv reads a matrix in the order of memory; measured. */
    STREAM = VL >= 16 ? 300000 : 100000,
    PACK_ROWS = 48, /* as many rows of A pay for copying a panel of B into one piece */
};

/* k rows and n <= 2*VL columns of op(B) into rows of 2*VL floats, padded by 0. */
TARGET static void pack_panel(int trans_b, size_t k, size_t n, const float *b, size_t ld_b,
                              float *to) {
    if (trans_b) {
        for (size_t j = 0; j < 2 * VL; j++)
            for (size_t p = 0; p < k; p++)
                to[p * 2 * VL + j] = j < n ? b[j * ld_b + p] : 0;
        return;
    }
    const size_t first = n < VL ? n : VL, second = n - first;
    if (second == VL)
        for (size_t p = 0; p < k; p++, b += ld_b, to += 2 * VL) {
            store(to, load(b));
            store(to + VL, load(b + VL));
        }
    else
        for (size_t p = 0; p < k; p++, b += ld_b, to += 2 * VL) {
            store(to, load_some(b, first));
            store(to + VL, load_some(b + first, second));
        }
}

TARGET static void sgemv(int trans, size_t m, size_t n, float alpha, const float *a, size_t lda,
                         const float *x, float beta, float *y);

TARGET static void sgemm(int trans_a, int trans_b, size_t m, size_t n, size_t k, float alpha,
                         const float *a, size_t lda, const float *b, size_t ldb, float beta,
                         float *c, size_t ldc) {
    if (m == 1 && !trans_a) {
        if (trans_b)
            sgemv(0, n, k, alpha, b, ldb, a, beta, c);
        else
            sgemv(1, k, n, alpha, b, ldb, a, beta, c);
        return;
    }
    strip s = {.row_a = trans_a ? 1 : lda, .col_a = trans_a ? lda : 1, .ld_c = ldc, .alpha = alpha};
    float packed[BLOCK_K * 2 * VL];
    for (size_t i = 0; i < m; i += BLOCK_M) {
        s.m = m - i < BLOCK_M ? m - i : BLOCK_M;
        size_t p = 0;
        do { /* once even if k is 0: C = beta * C */
            s.k = k - p < BLOCK_K ? k - p : BLOCK_K;
            s.beta = p == 0 ? beta : 1;
            s.a = a + i * s.row_a + p * s.col_a;
            for (size_t j = 0; j < n; j += 2 * VL) {
                const size_t columns = n - j < 2 * VL ? n - j : 2 * VL;
                s.b = trans_b ? b + j * ldb + p : b + p * ldb + j;
                s.ld_b = ldb;
                if (trans_b || s.m >= PACK_ROWS) {
                    pack_panel(trans_b, s.k, columns, s.b, ldb, packed);
                    s.b = packed;
                    s.ld_b = 2 * VL;
                }
                s.c = c + i * ldc + j;
                run_strip(s, columns);
            }
            p += s.k;
        } while (p < k);
    }
}

/* y (up to vectors*VL) = alpha * A^T x + beta * y: two sums for each vector of y, because the
 * additions to one have to wait for each other. */
INLINE void columns_of(const size_t vectors, size_t m, float alpha, const float *a, size_t lda,
                       const float *x, float beta, float *y, size_t tail) {
    vf even[8], odd[8];
    UNROLL for (size_t v = 0; v < vectors; v++) even[v] = odd[v] = set1(0);
    size_t i = 0;
    for (; i + 2 <= m; i += 2) {
        const vf x0 = set1(x[i]), x1 = set1(x[i + 1]);
        const float *const row0 = a + i * lda, *const row1 = row0 + lda;
        UNROLL for (size_t v = 0; v < vectors; v++) {
            const size_t n = v == vectors - 1 ? tail : VL;
            even[v] = muladd(x0, get(row0 + v * VL, n), even[v]);
            odd[v] = muladd(x1, get(row1 + v * VL, n), odd[v]);
        }
    }
    UNROLL for (size_t v = 0; v < vectors; v++) {
        const size_t n = v == vectors - 1 ? tail : VL;
        if (i < m)
            even[v] = muladd(set1(x[i]), get(a + i * lda + v * VL, n), even[v]);
        vf total = (even[v] + odd[v]) * set1(alpha);
        if (beta != 0)
            total = muladd(set1(beta), get(y + v * VL, n), total);
        put(y + v * VL, total, n);
    }
}

/* y (n) += alpha * A^T x for a few rows of A, which are read in one go from end to end. */
INLINE void add_rows(const size_t rows, size_t n, float alpha, const float *a, size_t lda,
                     const float *x, float *y) {
    vf x_i[4];
    UNROLL for (size_t i = 0; i < rows; i++) x_i[i] = set1(alpha * x[i]);
    for (size_t j = 0; j < n; j += VL) {
        const size_t left = n - j < VL ? n - j : VL;
        vf y_j = get(y + j, left);
        UNROLL for (size_t i = 0; i < rows; i++) y_j =
            muladd(x_i[i], get(a + i * lda + j, left), y_j);
        put(y + j, y_j, left);
    }
}

/* y = alpha * A^T x + beta * y for a matrix that lies in the outer caches or in memory: columns_of
 * would jump from row to row there and lose to the prefetcher. */
TARGET static void sgemv_streamed(size_t m, size_t n, float alpha, const float *a, size_t lda,
                                  const float *x, float beta, float *y) {
    for (size_t j = 0; j < n; j++)
        y[j] = beta != 0 ? beta * y[j] : 0;
    size_t i = 0;
    for (; i + 4 <= m; i += 4)
        add_rows(4, n, alpha, a + i * lda, lda, x + i, y);
    for (; i < m; i++)
        add_rows(1, n, alpha, a + i * lda, lda, x + i, y);
}

/* y (rows) = alpha * A x + beta * y: dot products of rows, a sum for each. */
INLINE void rows_of(const size_t rows, size_t n, float alpha, const float *a, size_t lda,
                    const float *x, float beta, float *y) {
    vf sums[4];
    UNROLL for (size_t i = 0; i < rows; i++) sums[i] = set1(0);
    size_t j = 0;
    for (; j + VL <= n; j += VL) {
        const vf x_j = load(x + j);
        UNROLL for (size_t i = 0; i < rows; i++) sums[i] =
            muladd(load(a + i * lda + j), x_j, sums[i]);
    }
    if (j < n) {
        const vf x_j = load_some(x + j, n - j);
        UNROLL for (size_t i = 0; i < rows; i++) sums[i] =
            muladd(load_some(a + i * lda + j, n - j), x_j, sums[i]);
    }
    UNROLL for (size_t i = 0; i < rows; i++) {
        const float total = alpha * sum(sums[i]);
        y[i] = beta != 0 ? total + beta * y[i] : total;
    }
}

TARGET static void sgemv(int trans, size_t m, size_t n, float alpha, const float *a, size_t lda,
                         const float *x, float beta, float *y) {
    if (!trans) {
        size_t i = 0;
        for (; i + 4 <= m; i += 4)
            rows_of(4, n, alpha, a + i * lda, lda, x, beta, y + i);
        for (; i < m; i++)
            rows_of(1, n, alpha, a + i * lda, lda, x, beta, y + i);
        return;
    }
    if (m * n > STREAM) {
        sgemv_streamed(m, n, alpha, a, lda, x, beta, y);
        return;
    }
    size_t j = 0;
#if WIDE_COLUMNS > 4
    for (; n - j >= WIDE_COLUMNS * VL; j += WIDE_COLUMNS * VL)
        columns_of(WIDE_COLUMNS, m, alpha, a + j, lda, x, beta, y + j, VL);
#endif
    while (j < n) {
        const size_t left = n - j;
        const size_t tail = left % VL ? left % VL : VL;
        if (left > 4 * VL) {
            columns_of(4, m, alpha, a + j, lda, x, beta, y + j, VL);
            j += 4 * VL;
            continue;
        }
        if (left > 3 * VL)
            columns_of(4, m, alpha, a + j, lda, x, beta, y + j, tail);
        else if (left > 2 * VL)
            columns_of(3, m, alpha, a + j, lda, x, beta, y + j, tail);
        else if (left > VL)
            columns_of(2, m, alpha, a + j, lda, x, beta, y + j, tail);
        else
            columns_of(1, m, alpha, a + j, lda, x, beta, y + j, tail);
        break;
    }
}

const rnnc_kernels KERNELS = {
    .blas = {"builtin", sgemm, sgemv},
    .small_gemm = 200000000,
    .small_gemv = VL >= 16 ? 300000 : 60000,
    .tanh = tanh_n,
    .sigmoid = sigmoid_n,
    .softmax = softmax,
    .log_softmax = log_softmax,
    .step = {step_tanh, step_relu, step_lstm, step_gru},
};
