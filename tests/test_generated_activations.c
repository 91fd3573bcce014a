/* What dense layers may have behind their product, over floats of every size, in every target:
 * against the formulas of PyTorch's documentation in double; NaN and infinities as these have them.
 */
#include "support/activation.h"
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

enum { TARGETS = sizeof targets / sizeof *targets, BATCH = 4099, UNITS = 3 };

/* A function, and what compiler/tables/functions.lua promises of it. */
typedef struct promise {
    rnnc_activation activation;
    float alpha, beta;
    double ulps, absolute;
} promise;

static promise promises[] = {
    {.activation = RNNC_ELU, .alpha = 0.7f},
    {.activation = RNNC_ELU, .alpha = 1.0f},
    {.activation = RNNC_LEAKY_RELU, .alpha = 0.01f},
    {.activation = RNNC_LEAKY_RELU, .alpha = -2.5f},
    {.activation = RNNC_SOFTPLUS},
    {.activation = RNNC_GELU},
    {.activation = RNNC_GELU_TANH},
    {.activation = RNNC_SILU},
    {.activation = RNNC_HARD_SIGMOID, .alpha = 0.2f, .beta = 0.5f},
    {.activation = RNNC_HARD_SIGMOID, .alpha = 1.0f / 6, .beta = 0.5f},
    {.activation = RNNC_HARD_SIGMOID, .alpha = -0.5f, .beta = 0.25f},
    {.activation = RNNC_HARD_TANH, .alpha = -1.0f, .beta = 1.0f},
    {.activation = RNNC_HARD_TANH, .alpha = 0.25f, .beta = 20.0f},
    {.activation = RNNC_SOFTSIGN},
    {.activation = RNNC_SELU},
    {.activation = RNNC_RELU6},
    {.activation = RNNC_HARD_SWISH},
    {.activation = RNNC_MISH},
    {.activation = RNNC_AFFINE, .alpha = 0.7f, .beta = -1.25f},
};

enum { PROMISES = sizeof promises / sizeof *promises };

ParameterizedTestParameters(generated_activations, within_bounds) {
    static int all[TARGETS];
    size_t n = 0;
    for (int t = 0; t < TARGETS; t++)
        if (target_runs(targets[t]))
            all[n++] = t;
    int *const list = cr_malloc(n * sizeof *list);
    memcpy(list, all, n * sizeof *list);
    return cr_make_param_array(int, list, n, NULL);
}

/* y = f(x): two relu units carry x and -x, and the dense layer subtracts them. */
static model network_of(const promise *p, size_t batch) {
    rng r = {.state = 1};
    const rnnc_layer layer[] = {
        {.kind = RNNC_RECURRENT,
         .recurrent = {.cell = RNNC_RNN_RELU, .input_size = 1, .hidden_size = 2, .num_layers = 1}},
        {.kind = RNNC_DENSE,
         .inputs = 2,
         .outputs = UNITS,
         .activation = p->activation,
         .alpha = p->alpha,
         .beta = p->beta},
    };
    model m = model_make(layer, 2, false, 0, 1, batch, false, &r);
    memset(m.values[1], 0, 4 * sizeof(float));
    for (size_t j = 0; j < 2; j++)
        m.values[0][j] = j ? -1.0f : 1.0f;
    for (size_t j = 0; j < 2 * UNITS; j++)
        m.values[2][j] = j % 2 ? -1.0f : 1.0f;
    return m;
}

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Within the promise? Not a number only where that is right. */
static bool holds(const promise *p, double x, float got) {
    const double want = activation_of((rnnc_function){p->activation, p->alpha, p->beta}, x);
    if (isnan(want) || isinf(want))
        return isnan(want) ? isnan(got) : (double)got == want;
    const float near = fmaxf(fabsf((float)want), FLT_MIN);
    const double ulp = (double)(nextafterf(near, INFINITY) - near);
    /* Beyond the largest float rounding is infinite; below 2^-112 a unit may be 0, and exponentials
     * end. */
    if (fabs(want) > (double)FLT_MAX)
        return (double)fabsf(got) >= (double)FLT_MAX * 0.999;
    const double tiny = fabs(x) < 0x1p-112 || x < -86 ? 0x1p-109 : 0x1p-126;
    const double allowed =
        p->ulps * ulp + p->absolute * fmin(fmax(fabs(x), 1.0), 8.0) + 0.5 * ulp + tiny;
    return fabs((double)got - want) <= allowed;
}

static void check(const promise *p, const rnnc_model *net, const char *target) {
    const char *const asked = getenv("RNNC_ACCURACY_STRIDE");
    const uint64_t stride = asked ? strtoull(asked, NULL, 10) : 65521;
    model m = network_of(p, BATCH);
    float *const packed = model_pack(net, &m);
    float *const y = malloc(sizeof(float) * BATCH * UNITS);
    void *const workspace = malloc(net->workspace_size(1, BATCH));
    cr_assert(y && workspace);
    size_t wrong = 0;
    for (uint64_t bits = 0; bits <= UINT32_MAX;) {
        for (size_t i = 0; i < BATCH; i++, bits += stride)
            m.x[i] = float_of((uint32_t)(bits <= UINT32_MAX ? bits : UINT32_MAX));
        m.x[1] = INFINITY;
        m.x[BATCH / 2] = -INFINITY;
        m.x[BATCH - 1] = NAN;
        const rnnc_call call = {.weights = packed,
                                .seq_len = 1,
                                .batch = BATCH,
                                .x = m.x,
                                .y = y,
                                .workspace = workspace};
        cr_assert_eq(net->forward(&call), RNNC_OK);
        for (size_t i = 0; i < BATCH * UNITS; i++)
            if (!holds(p, (double)m.x[i / UNITS], y[i]) && wrong++ < 3)
                cr_expect(false, "%s, %s of %g at %a: %a, should be %a", target,
                          rnnc_activation_name(p->activation), (double)p->alpha,
                          (double)m.x[i / UNITS], (double)y[i],
                          activation_of((rnnc_function){p->activation, p->alpha, p->beta},
                                        (double)m.x[i / UNITS]));
    }
    cr_expect_eq(wrong, 0, "%zu values of %s", wrong, rnnc_activation_name(p->activation));
    free(packed);
    free(y);
    free(workspace);
    model_free(&m);
}

ParameterizedTest(int *t, generated_activations, within_bounds, .timeout = 300) {
    char dir[PATH_SIZE], name[32], fields[128];
    rnnc_error err;
    workdir_make(dir);
    for (int i = 0; i < PROMISES; i++) {
        const char *const function = rnnc_activation_name(promises[i].activation);
        promises[i].ulps = promised_ulps(function);
        promises[i].absolute = promised_absolute(function);
        model m = network_of(&promises[i], 1);
        snprintf(name, sizeof name, "f%d", i);
        snprintf(fields, sizeof fields, "name = \"%s\", batch = \"any\", target = \"%s\",", name,
                 targets[*t]);
        char *const text = model_text(&m, fields);
        cr_assert(generate_text(name, text, "none", dir, &err), "%s", err.message);
        free(text);
        model_free(&m);
    }
    void *const library = build_library(NULL, "-O1", dir, NULL, &err);
    workdir_remove(dir);
    cr_assert(library, "%s", err.message);
    for (int i = 0; i < PROMISES; i++) {
        snprintf(name, sizeof name, "f%d", i);
        const rnnc_model *const net = library_model(library, name, &err);
        cr_assert(net, "%s", err.message);
        cr_expect_eq(net->network.layer[1].activation, promises[i].activation);
        cr_expect_eq(net->network.layer[1].alpha, promises[i].alpha);
        check(&promises[i], net, targets[*t]);
    }
    close_library(library);
}

/* alpha without a word in the spec: PyTorch's. */
Test(generated_activations, defaults) {
    static const struct {
        const char *name;
        rnnc_activation activation;
        float alpha, beta;
    } rows[] = {
        {"elu", RNNC_ELU, 1.0f, 0.0f},
        {"leaky_relu", RNNC_LEAKY_RELU, 0.01f, 0.0f},
        {"hard_sigmoid", RNNC_HARD_SIGMOID, 1.0f / 6, 0.5f},
        {"hard_tanh", RNNC_HARD_TANH, -1.0f, 1.0f},
        {"affine", RNNC_AFFINE, 1.0f, 0.0f},
        {"tanh", RNNC_TANH, 0.0f, 0.0f},
    };
    char dir[PATH_SIZE], text[256];
    rnnc_error err;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        workdir_make(dir);
        snprintf(
            text, sizeof text,
            "return model { name = \"net\", target = \"portable\", layers = { rnn { input_size "
            "= 3, hidden_size = 2 }, dense { units = 2, activation = \"%s\" } } }",
            rows[i].name);
        cr_assert(generate_text("net", text, "none", dir, &err), "%s", err.message);
        void *const library = build_library(NULL, "-O0", dir, NULL, &err);
        workdir_remove(dir);
        const rnnc_model *const net = library ? library_model(library, "net", &err) : NULL;
        cr_assert(net, "%s", err.message);
        cr_expect_eq(net->network.layer[1].activation, rows[i].activation, "%s", rows[i].name);
        cr_expect_eq(net->network.layer[1].alpha, rows[i].alpha, "%s", rows[i].name);
        cr_expect_eq(net->network.layer[1].beta, rows[i].beta, "%s", rows[i].name);
        close_library(library);
    }
}
