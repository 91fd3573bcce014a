/* kernels_elementwise.h: what is done to single values and to rows of them, in terms of the vectors
 * that kernels_body.h names. */
#include <math.h>

/* ---- activations ---- */

/* n and expm1(r) of x = n*ln2 + r with |r| <= ln2/2. The polynomial is expm1(r) - r - r^2/2 over
 * r^3, fitted for the least relative error of expm1 (Lawson's iteration in double): 1.4e-8. ln2 is
 * split so that n times its upper part is exact. */
INLINE vf expm1_part(vf x, vf *n) {
    *n = nearest(x * set1(0x1.715476p+0f));
    const vf r = muladd(*n, set1(-0x1.7f7d1cp-20f), muladd(*n, set1(-0x1.62e4p-1f), x));
    vf q = set1(0x1.6d7132p-10f);
    q = muladd(q, r, set1(0x1.1226b6p-7f));
    q = muladd(q, r, set1(0x1.5554c8p-5f));
    q = muladd(q, r, set1(0x1.5554b2p-3f));
    q = muladd(q, r, set1(0.5f));
    return muladd(q, r * r, r);
}

/* tanh |x| = -t / (t + 2) with t = expm1(-2|x|), which loses nothing near 0; 1 from 9.02 on. */
INLINE vf vtanh(vf x) {
    vf n;
    const vf p = expm1_part(at_most(vabs(x), set1(10.0f)) * set1(-2.0f), &n);
    const vf two_n = power2(n);
    const vf t = muladd(two_n, p, two_n - set1(1.0f));
    return with_sign(vabs(t) / (t + set1(2.0f)), x);
}

/* exp(-x) for x >= 0. From 104 on the result is 0, below that subnormal where it has to be. */
INLINE vf exp_minus(vf x) {
    vf n;
    const vf p = expm1_part(at_most(x, set1(105.0f)) * set1(-1.0f), &n);
    return scale(p + set1(1.0f), n);
}

/* 1 / (1 + e) for x >= 0 and e / (1 + e) for x < 0 with e = exp(-|x|), which cannot overflow. */
INLINE vf vsigmoid(vf x) {
    const vf e = exp_minus(vabs(x));
    return if_negative(x, e, set1(1.0f)) / (e + set1(1.0f));
}

TARGET static void tanh_n(size_t n, const float *x, float *y) {
    size_t i = 0;
    for (; i + VL <= n; i += VL)
        store(y + i, vtanh(load(x + i)));
    if (i < n)
        store_some(y + i, vtanh(load_some(x + i, n - i)), n - i);
}

TARGET static void sigmoid_n(size_t n, const float *x, float *y) {
    size_t i = 0;
    for (; i + VL <= n; i += VL)
        store(y + i, vsigmoid(load(x + i)));
    if (i < n)
        store_some(y + i, vsigmoid(load_some(x + i, n - i)), n - i);
}

/* The largest of n values; any of them, or NaN, if NaN is among them. */
TARGET static float largest(size_t n, const float *row) {
    float most = row[0], part[VL];
    const size_t whole = n - n % VL;
    for (size_t i = whole; i < n; i++)
        most = row[i] > most ? row[i] : most;
    vf high = set1(most);
    for (size_t i = 0; i < whole; i += VL)
        high = at_least(high, load(row + i));
    store(part, high);
    for (size_t i = 0; i < VL; i++)
        most = part[i] > most ? part[i] : most;
    return most;
}

/* The sum of exp(row[i] - most), each of which also takes its value's place, if `keeps`. */
TARGET static float exponentials(size_t n, float *row, float most, int keeps) {
    /* Vectors that are added up one by one before their sum joins the others, for less rounding. */
    enum { RUN = 32 };
    const size_t whole = n - n % VL;
    const vf top = set1(most);
    vf sums = set1(0);
    for (size_t i = 0, end; i < whole; i = end) {
        end = whole - i > RUN * VL ? i + RUN * VL : whole;
        vf some = set1(0);
        for (size_t k = i; k < end; k += VL) {
            const vf e = exp_minus(top - load(row + k));
            if (keeps)
                store(row + k, e);
            some = some + e;
        }
        sums = sums + some;
    }
    float total = sum(sums), part[VL];
    for (size_t i = 0; i < VL; i++)
        part[i] = whole + i < n ? most - row[whole + i] : 0;
    store(part, exp_minus(load(part)));
    for (size_t i = whole; i < n; i++) {
        total += part[i - whole];
        if (keeps)
            row[i] = part[i - whole];
    }
    return total;
}

TARGET static void softmax(size_t n, float *row) {
    const vf share = set1(1 / exponentials(n, row, largest(n, row), 1));
    size_t i = 0;
    for (; i + VL <= n; i += VL)
        store(row + i, load(row + i) * share);
    if (i < n)
        store_some(row + i, load_some(row + i, n - i) * share, n - i);
}

/* The maximum is taken off first: beside a large one the logarithm would be rounded away. */
TARGET static void log_softmax(size_t n, float *row) {
    const float most = largest(n, row);
    const vf top = set1(most), less = set1(logf(exponentials(n, row, most, 0)));
    size_t i = 0;
    for (; i + VL <= n; i += VL)
        store(row + i, load(row + i) - top - less);
    if (i < n)
        store_some(row + i, load_some(row + i, n - i) - top - less, n - i);
}

/* ---- steps of cells; see rnnc_step ---- */

/* n is VL, or what is left of a row. */
INLINE vf get(const float *p, size_t n) { return n == VL ? load(p) : load_some(p, n); }
INLINE void put(float *p, vf v, size_t n) {
    if (n == VL)
        store(p, v);
    else
        store_some(p, v, n);
}

INLINE void rnn_units(const rnnc_step *s, int is_relu, size_t row, size_t j, size_t n) {
    const vf v = get(s->gates + row * s->ld_gates + j, n) + get(s->bias + j, n);
    put(s->h + row * s->ld_h + j, is_relu ? at_least(v, set1(0)) : vtanh(v), n);
}

INLINE void lstm_units(const rnnc_step *s, size_t row, size_t j, size_t n) {
    const float *const gates = s->gates + row * s->ld_gates + j, *const bias = s->bias + j;
    float *const c = s->c + row * s->H + j;
    const size_t H = s->H;
    const vf i = vsigmoid(get(gates, n) + get(bias, n));
    const vf f = vsigmoid(get(gates + H, n) + get(bias + H, n));
    const vf g = vtanh(get(gates + 2 * H, n) + get(bias + 2 * H, n));
    const vf o = vsigmoid(get(gates + 3 * H, n) + get(bias + 3 * H, n));
    const vf c_new = muladd(f, get(c, n), i * g);
    put(c, c_new, n);
    put(s->h + row * s->ld_h + j, o * vtanh(c_new), n);
}

INLINE void gru_units(const rnnc_step *s, size_t row, size_t j, size_t n) {
    const size_t H = s->H;
    const float *const gates = s->gates + row * s->ld_gates + j, *const bias = s->bias + j;
    const float *const hidden = s->hidden + row * 3 * H + j;
    const vf r = vsigmoid(get(gates, n) + get(hidden, n) + get(bias, n));
    const vf z = vsigmoid(get(gates + H, n) + get(hidden + H, n) + get(bias + H, n));
    const vf hn = get(hidden + 2 * H, n) + get(s->bias_n + j, n);
    const vf new = vtanh(muladd(r, hn, get(gates + 2 * H, n) + get(bias + 2 * H, n)));
    const vf old = get(s->h_prev + row * s->ld_h_prev + j, n);
    put(s->h + row * s->ld_h + j, muladd(z, old, (set1(1.0f) - z) * new), n);
}

#define STEP(name, units)                                                                          \
    TARGET static void name(const rnnc_step *s) {                                                  \
        for (size_t row = 0; row < s->rows; row++) {                                               \
            size_t j = 0;                                                                          \
            for (; j + VL <= s->H; j += VL)                                                        \
                units(VL);                                                                         \
            if (j < s->H)                                                                          \
                units(s->H - j);                                                                   \
        }                                                                                          \
    }
#define RNN_TANH(n) rnn_units(s, 0, row, j, n)
#define RNN_RELU(n) rnn_units(s, 1, row, j, n)
#define LSTM(n) lstm_units(s, row, j, n)
#define GRU(n) gru_units(s, row, j, n)
STEP(step_tanh, RNN_TANH)
STEP(step_relu, RNN_RELU)
STEP(step_lstm, LSTM)
STEP(step_gru, GRU)
