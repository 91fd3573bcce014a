/* How exact the functions of gates are: sigmoid(a), sigmoid(a) b, sigmoid(a) tanh(b) and
 * sigmoid(a) h + (1 - sigmoid(a)) tanh(b), which generated code computes with one division each.
 *
 * Networks of one step whose weights are 0 and 1 compute just that, for as many pairs of numbers as
 * there are sequences in the batch: whatever the code is called inside, its results are judged, in
 * double. Arguments are floats at regular strides through all bit patterns, both signs, and those
 * around the ends of the range. tanh alone is in test_generated_special.c.
 *
 * Errors are in units in the last place of the exact result, of at least FLT_MIN; of the larger of
 * the two terms where there are two, which may cancel. Gates end somewhere: beyond, the error is at
 * most a gate of exp(-end) times the other factor. RNNC_ACCURACY_STRIDE=n goes through every n-th
 * float instead of every 65521st. */
#include "support/generate.h"
#include "support/model_run.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const targets[] = {"scalar", "portable", "avx2", "avx512"};

enum { TARGETS = sizeof targets / sizeof *targets, UNITS = 3, BATCH = 4096 };

static double logistic(double v) {
    return v < 0.0 ? exp(v) / (1.0 + exp(v)) : 1.0 / (1.0 + exp(-v));
}

/* A result and what its error is measured by. */
typedef struct exact {
    double value, size;
} exact;

static exact exact_sigmoid(double a, double b, double h) {
    (void)b;
    (void)h;
    return (exact){logistic(a), logistic(a)};
}

static exact exact_gated(double a, double b, double h) {
    (void)h;
    return (exact){logistic(a) * b, logistic(a) * b};
}

static exact exact_gated_tanh(double a, double b, double h) {
    (void)h;
    return (exact){logistic(a) * tanh(b), logistic(a) * tanh(b)};
}

static exact exact_mixed_tanh(double a, double b, double h) {
    const double of_h = logistic(a) * h, of_b = logistic(-a) * tanh(b);
    return (exact){of_h + of_b, fmax(fabs(of_h), fabs(of_b))};
}

/* A function of gates and the network that computes it. */
typedef struct function {
    const char *name;
    exact (*exactly)(double a, double b, double h);
    rnnc_cell cell; /* ignored for sigmoid, which a dense layer has */
    size_t gate_of_a,
        gate_of_b;       /* whose weights are 1 for x[0], for x[1]; NONE: no such argument */
    bool b_is_c0, in_cn; /* b is the cell state; the result is the new one */
    double gate_end;     /* |a| at which gates end */
} function;

enum { NONE = 9 };

/* The largest errors measured, over every 499th float: 2.90 ulp, 2.73, 4.10 (3.76 where a*b + c is
 * rounded once) and 5.91 (5.38). What is promised stands in the table of functions. */
static const function functions[] = {
    {"sigmoid", exact_sigmoid, RNNC_RNN_TANH, NONE, NONE, false, false, 87.0},
    {"gated", exact_gated, RNNC_LSTM, 1, NONE, true, true, 87.0},
    {"gated_tanh", exact_gated_tanh, RNNC_LSTM, 0, 2, false, true, 68.0},
    {"mixed_tanh", exact_mixed_tanh, RNNC_GRU, 1, 2, false, false, 22.0},
};

enum { FUNCTIONS = sizeof functions / sizeof *functions };

typedef struct one_function {
    int function, target;
} one_function;

ParameterizedTestParameters(generated_accuracy, functions) {
    one_function *const all = cr_malloc(sizeof(one_function) * FUNCTIONS * TARGETS);
    size_t n = 0;
    for (int f = 0; f < FUNCTIONS; f++)
        for (int t = 0; t < TARGETS; t++)
            if (target_runs(targets[t]))
                all[n++] = (one_function){.function = f, .target = t};
    return cr_make_param_array(one_function, all, n, NULL);
}

/* The model that computes it, with weights of 0 and 1 and no bias. */
static model network_of(const function *f) {
    rng r = {.state = 1};
    rnnc_layer layer[2] = {
        {.kind = RNNC_RECURRENT,
         .recurrent = {.cell = f->cell, .input_size = 2, .hidden_size = UNITS, .num_layers = 1}},
        {.kind = RNNC_DENSE, .inputs = UNITS, .outputs = UNITS, .activation = RNNC_SIGMOID}};
    const bool dense = f->gate_of_a == NONE;
    if (dense)
        layer[0].recurrent.cell = RNNC_RNN_RELU;
    model m = model_make(layer, dense ? 2 : 1, false, false, 1, BATCH, !dense, &r);
    for (size_t i = 0; i < m.weight_count; i++)
        memset(m.values[i], 0, m.weight[i].rows * m.weight[i].cols * sizeof(float));
    for (size_t j = 0; j < UNITS; j++) {
        if (dense) { /* relu(a) - relu(-a) is a */
            m.values[0][j * 2] = j == 0 ? 1.0f : -1.0f;
            m.values[2][j * UNITS] = 1.0f;
            m.values[2][j * UNITS + 1] = -1.0f;
            continue;
        }
        m.values[0][(f->gate_of_a * UNITS + j) * 2] = 1.0f;
        if (f->gate_of_b != NONE)
            m.values[0][(f->gate_of_b * UNITS + j) * 2 + 1] = 1.0f;
    }
    return m;
}

/* The next float of the walk through all bit patterns that is finite and not so large that a gate
 * is flat: up to 2^8. */
static float next_float(uint64_t *at, uint32_t stride) {
    for (;;) {
        const uint32_t bits = (uint32_t)*at;
        float x;
        memcpy(&x, &bits, sizeof x);
        *at += stride;
        if (fabsf(x) <= 256.0f || *at > UINT32_MAX)
            return fabsf(x) <= 256.0f ? x : 1.0f;
    }
}

/* b and h: of all magnitudes that a state or a candidate has, from subnormal numbers to 2^20. */
static float any_float(rng *r) {
    const int exponent = rng_below(r, 4) ? (int)rng_below(r, 12) - 8 : (int)rng_below(r, 169) - 149;
    return ldexpf(1.0f + 0.5f * rng_float(r, 1.0f), exponent) * (rng_below(r, 2) ? 1.0f : -1.0f);
}

/* Size of a unit in the last place of a float of that size. */
static double ulp_of(double size) {
    const float near = fmaxf((float)fabs(size), FLT_MIN);
    return (double)(nextafterf(near, INFINITY) - near);
}

/* The worst of all, within the ends of gates and beyond. */
typedef struct worst {
    double inside, beyond; /* ulp; ratio to what is allowed there */
    float a, b, h;
} worst;

static void judge(const function *f, double promised, const model *m, const float *got, worst *w) {
    for (size_t i = 0; i < m->batch; i++) {
        const float a = m->x[i * 2];
        const float b = f->b_is_c0 ? m->c0[i * UNITS] : m->x[i * 2 + 1];
        const float h = m->h0 && f->cell == RNNC_GRU ? m->h0[i * UNITS] : 0.0f;
        const exact want = f->exactly((double)a, (double)b, (double)h);
        for (size_t j = 0; j < UNITS; j++) {
            /* States below 2^-112 become 0. */
            const bool tiny = f->gate_of_a != NONE && fabs(want.value) < 0x1p-112;
            const double value =
                tiny && got[i * UNITS + j] == 0.0f ? want.value : got[i * UNITS + j];
            const double e = fabs(value - want.value);
            if (!(fabsf(a) > (float)f->gate_end)) {
                if (!(e / ulp_of(want.size) <= w->inside)) {
                    w->inside = e / ulp_of(want.size);
                    w->a = a, w->b = b, w->h = h;
                }
                continue;
            }
            const double factor =
                f->gate_of_a == NONE ? 1.0 : fmax(fabs((double)b), fabs((double)h));
            const double allowed = 1.01 * exp(-f->gate_end) * factor + promised * ulp_of(want.size);
            if (!(e / allowed <= w->beyond))
                w->beyond = e / allowed;
        }
    }
}

ParameterizedTest(one_function *param, generated_accuracy, functions, .timeout = 600) {
    const function *const f = &functions[param->function];
    const double promised = promised_ulps(f->name);
    const char *const chosen = getenv("RNNC_ACCURACY_STRIDE");
    const uint32_t stride = chosen ? (uint32_t)strtoul(chosen, NULL, 10) : 65521;
    model m = network_of(f);
    char dir[PATH_SIZE], fields[128];
    rnnc_error err;
    snprintf(fields, sizeof fields, "name = \"gates\", batch = %d, target = \"%s\",", BATCH,
             targets[param->target]);
    workdir_make(dir);
    char *const text = model_text(&m, fields);
    cr_assert(generate_text("gates", text, "none", dir, &err), "%s", err.message);
    free(text);
    void *const library = build_library(NULL, "-O2", dir, NULL, &err);
    workdir_remove(dir);
    cr_assert(library, "%s", err.message);
    const rnnc_model *const net = library_model(library, "gates", &err);
    cr_assert(net, "%s", err.message);
    float *const packed = model_pack(net, &m);
    model_results got = results_make(&m);
    void *const workspace = malloc(net->workspace_size(1, BATCH));
    cr_assert(packed && workspace);
    const rnnc_call call = {.weights = packed,
                            .seq_len = 1,
                            .batch = BATCH,
                            .x = m.x,
                            .h0 = m.h0,
                            .c0 = m.c0,
                            .y = got.y,
                            .hn = got.hn,
                            .cn = got.cn,
                            .workspace = workspace};
    rng r = {.state = 3};
    worst w = {.inside = 0.0};
    size_t count = 0;
    for (uint64_t at = 0; at <= UINT32_MAX; count += BATCH) {
        for (size_t i = 0; i < BATCH; i++) {
            m.x[i * 2] = next_float(&at, stride);
            /* A second gate that is there, but is not tried, is 0. */
            m.x[i * 2 + 1] = f->gate_of_b == NONE ? 0.0f : any_float(&r);
            const float state = any_float(&r);
            for (size_t j = 0; j < UNITS; j++) {
                if (m.c0)
                    m.c0[i * UNITS + j] = f->b_is_c0 ? state : 0.0f;
                if (m.h0)
                    m.h0[i * UNITS + j] = f->cell == RNNC_GRU ? state : 0.0f;
            }
        }
        memset(got.y, 0xFF, got.count * sizeof *got.y);
        cr_assert_eq(net->forward(&call), RNNC_OK);
        judge(f, promised, &m, f->in_cn ? got.cn : got.y, &w);
    }
    printf("generated_accuracy: %s, %s: %.3f ulp at a = %.9g, b = %.9g, h = %.9g; beyond |%g| %.3f "
           "of what is allowed; %zu points\n",
           f->name, targets[param->target], w.inside, (double)w.a, (double)w.b, (double)w.h,
           f->gate_end, w.beyond, count);
    cr_expect(w.inside <= promised, "%s, %s: %.3f ulp at a = %.9g, b = %.9g, h = %.9g", f->name,
              targets[param->target], w.inside, (double)w.a, (double)w.b, (double)w.h);
    cr_expect(w.beyond <= 1.0, "%s, %s: %.3f times what is allowed beyond |%g|", f->name,
              targets[param->target], w.beyond, f->gate_end);
    free(workspace);
    free(packed);
    results_free(&got);
    close_library(library);
    model_free(&m);
}
