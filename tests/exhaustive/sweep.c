/* sweep.c STRIDE: the fast activations of a generated network over the floats of every size: all of
 * them if STRIDE is 1. tests/exhaustive/run compiles it with
 *
 *     NETWORK        the network's C file, which is included for its static functions
 *     VECTOR, LANES  its vectors
 *     KERNEL         what makes a function one of its target
 *     SUPPORTED      whether this CPU runs it
 *     TANH, SIGMOID, RELATIVE   the bounds that the network's comment states
 *
 * Prints the largest errors, a line for each function; exit status 1 if a bound does not hold, 77
 * if this CPU cannot tell. Half of the floats is enough to go through: -x is tried with each x. */
#include NETWORK

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define PASTE(a, b) a##b
#define OF(vector, name) PASTE(vector, name)

/* Floats are tried a block at a time; neighbourhoods of edges are a block. */
enum { BLOCK = 128 };

/* What was found out about a function. */
typedef struct finding {
    double error, at, relative, most, fall;
    float before;
    int wrong; /* a sign, a range or a NaN */
    float wrong_at;
} finding;

KERNEL void tanh_of(const float *x, float *y) {
    for (int i = 0; i < BLOCK; i += LANES)
        OF(VECTOR, _store)(y + i, OF(VECTOR, _fast_tanh)(OF(VECTOR, _load)(x + i)));
}

KERNEL void sigmoid_of(const float *x, float *y) {
    for (int i = 0; i < BLOCK; i += LANES)
        OF(VECTOR, _store)(y + i, OF(VECTOR, _fast_sigmoid)(OF(VECTOR, _load)(x + i)));
}

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* tanh for x >= 0 in double: the series x - x^3/3 is exact to 1e-15 below 2^-12, and 1 is above 20.
 */
static double reference(double x) { return x < 0x1p-12 ? x - x * x * x / 3 : x > 20 ? 1 : tanh(x); }

static int same_bits(float a, float b) { return memcmp(&a, &b, sizeof a) == 0; }

static void judge_tanh(finding *f, float x, float y, float of_minus_x) {
    if (!same_bits(of_minus_x, -y) || !(y >= 0 && y <= 1)) {
        f->wrong = 1;
        f->wrong_at = x;
    }
    const double want = reference(x), error = fabs(y - want);
    if (!(error <= f->error)) {
        f->error = error;
        f->at = x;
    }
    /* One unit of the smallest float is what the result has to be rounded to. */
    if (error - 0x1p-149 > f->relative * want)
        f->relative = (error - 0x1p-149) / want;
    f->most = y > f->most ? y : f->most;
    if (f->before - y > f->fall)
        f->fall = f->before - y;
    f->before = y;
}

static void judge_sigmoid(finding *f, float x, float y, float of_minus_x) {
    if (!(y >= 0.5f && y <= 1) || !(of_minus_x >= 0 && of_minus_x <= 0.5f)) {
        f->wrong = 1;
        f->wrong_at = x;
    }
    const double half = reference((double)x / 2) / 2;
    const double error = fmax(fabs(y - (0.5 + half)), fabs(of_minus_x - (0.5 - half)));
    if (!(error <= f->error)) {
        f->error = error;
        f->at = x;
    }
    f->most = y > f->most ? y : f->most;
    if (f->before - y > f->fall)
        f->fall = f->before - y;
    f->before = y;
}

/* Tries BLOCK floats of non-negative sign, and their opposites. Beyond 20 everything has to stay as
 * it is. */
static void try_floats(finding found[2], const float *x) {
    float minus[BLOCK], y[BLOCK], of_minus[BLOCK];
    for (int i = 0; i < BLOCK; ++i)
        minus[i] = -x[i];
    for (int which = 0; which < 2; ++which) {
        (which ? sigmoid_of : tanh_of)(x, y);
        (which ? sigmoid_of : tanh_of)(minus, of_minus);
        for (int i = 0; i < BLOCK; ++i) {
            if (i > 0 && x[i] > 20 && x[i - 1] > 20 && y[i] == y[i - 1] &&
                of_minus[i] == of_minus[i - 1])
                continue;
            if (isnan(x[i])) {
                if (!isnan(y[i]) || !isnan(of_minus[i])) {
                    found[which].wrong = 1;
                    found[which].wrong_at = x[i];
                }
            } else {
                (which ? judge_sigmoid : judge_tanh)(&found[which], x[i], y[i], of_minus[i]);
            }
        }
    }
}

/* The floats from `first` on, `count` of them at that stride, no further than NaN with all bits
 * set. */
static void try_range(finding found[2], uint64_t first, uint64_t count, uint64_t stride) {
    float x[BLOCK];
    for (uint64_t n = 0; n < count;) {
        for (int i = 0; i < BLOCK; ++i, ++n) {
            const uint64_t bits = first + n * stride;
            x[i] = float_of((uint32_t)(bits <= INT32_MAX ? bits : INT32_MAX));
        }
        try_floats(found, x);
    }
    found[0].before = found[1].before = 0;
}

/* Whole neighbourhoods of where pieces, binades, the clamp and the kinds of floats meet: x = n/64
 * of the last piece's end, both ends for sigmoid, n/10 up to 20, and every power of two. */
static void try_edges(finding found[2]) {
    for (uint32_t exponent = 0; exponent <= 255; ++exponent)
        try_range(found, (exponent ? ((uint64_t)exponent << 23) - BLOCK / 2 : 0), BLOCK, 1);
    for (int n = 1; n <= 400; ++n) {
        const float places[] = {(float)n * 7.5f / 96, (float)n / 20};
        for (int i = 0; i < 2; ++i) {
            uint32_t bits;
            memcpy(&bits, &places[i], sizeof bits);
            try_range(found, bits - BLOCK / 2, BLOCK, 1);
        }
    }
}

static int report(const char *name, const finding *f, double bound, double relative) {
    printf("  %-8s at most %.3g off (at %.9g)", name, f->error, f->at);
    if (relative < INFINITY)
        printf(", %.3g of the value", f->relative);
    printf(", never above 1 - %.3g, falls by at most %.2g\n", 1 - f->most, f->fall);
    if (f->wrong)
        printf("  %-8s WRONG at %a: a sign, a range, a NaN\n", name, f->wrong_at);
    return !f->wrong && f->error <= bound && f->relative <= relative;
}

int main(int argc, char **argv) {
    if (!SUPPORTED)
        return 77;
    const uint64_t stride = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    if (stride == 0)
        return 2;
    finding found[2] = {{0}, {0}};
    try_edges(found);
    try_range(found, 0, (UINT64_C(0x80000000) + stride - 1) / stride, stride);
    const int tanh_holds = report("tanh", &found[0], TANH, RELATIVE);
    const int sigmoid_holds = report("sigmoid", &found[1], SIGMOID, INFINITY);
    if (!tanh_holds || !sigmoid_holds)
        printf("  a bound does not hold\n");
    return tanh_holds && sigmoid_holds ? 0 : 1;
}
