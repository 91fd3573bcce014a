/* Whole models at run time: generic networks on every backend and the double reference, against an
 * oracle that shares nothing with them; random lists of layers, odd sizes, sequences of all
 * lengths.
 */
#include "check.h"
#include "guard.h"
#include "random_model.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double largest_difference(const double *a, const double *b, size_t n) {
    double worst = 0;
    for (size_t i = 0; i < n; i++)
        if (!(fabs(a[i] - b[i]) <= worst * fmax(1, fabs(b[i]))))
            worst = fabs(a[i] - b[i]) / fmax(1, fabs(b[i]));
    return worst;
}

static void check_reference(const random_model *m, const char *where) {
    guard y = guard_make(m->y_count * sizeof(double), 0);
    guard hn = guard_make(m->h_count * sizeof(double), 0);
    guard cn = guard_make((m->c_count + 1) * sizeof(double), 0);
    cr_assert_eq(rnnc_reference_forward(&m->network, (const float *const *)m->tensor, &m->call,
                                        y.data, hn.data, m->sizes.c ? cn.data : NULL),
                 RNNC_OK, "%s", where);
    cr_assert(largest_difference(y.data, m->y, m->y_count) <= 1e-11, "%s: y", where);
    cr_assert(largest_difference(hn.data, m->hn, m->h_count) <= 1e-11, "%s: hn", where);
    cr_assert(largest_difference(cn.data, m->cn, m->c_count) <= 1e-11, "%s: cn", where);
    cr_assert(guard_intact(&y) && guard_intact(&hn) && guard_intact(&cn), "%s", where);
    guard_free(&y);
    guard_free(&hn);
    guard_free(&cn);
}

/* A relu network has large values, and errors as large. */
static double tolerance_of(const random_model *m) {
    double largest = 1;
    for (size_t i = 0; i < m->y_count; i++)
        largest = fmax(largest, fabs(m->y[i]));
    for (size_t i = 0; i < m->h_count; i++)
        largest = fmax(largest, fabs(m->hn[i]));
    for (size_t i = 0; i < m->c_count; i++)
        largest = fmax(largest, fabs(m->cn[i]));
    return 1e-5 * largest;
}

static void check_generic(const random_model *m, const rnnc_blas *blas, bool in_place,
                          const char *where) {
    const size_t count = rnnc_generic_prepared_count(&m->network);
    const size_t size = rnnc_generic_workspace_size(&m->network, m->call.seq_len, m->call.batch);
    cr_assert(count > 0 && size > 0, "%s", where);
    guard prepared = guard_floats(NULL, count), workspace = guard_make(size, 3);
    guard y = guard_floats(NULL, m->y_count);
    guard hn = guard_floats(in_place ? m->h0 : NULL, m->h_count);
    guard cn = guard_floats(in_place ? m->c0 : NULL, m->c_count);
    cr_assert_eq(rnnc_generic_prepare(&m->network, (const float *const *)m->tensor, prepared.data),
                 RNNC_OK);
    cr_assert(guard_intact(&prepared), "%s", where);
    guard_protect(&prepared);
    rnnc_call call = m->call;
    call.weights = prepared.data;
    call.workspace = workspace.data;
    call.y = y.data;
    call.hn = hn.data;
    call.cn = m->sizes.c ? cn.data : NULL;
    if (in_place) {
        call.h0 = hn.data;
        call.c0 = call.cn;
    }
    cr_assert_eq(rnnc_generic_forward(&m->network, blas, &call), RNNC_OK, "%s", where);
    const double tolerance = tolerance_of(m);
    double error = max_error(y.data, m->y, m->y_count);
    cr_assert(error <= tolerance, "%s: y is off by %g", where, error);
    error = max_error(hn.data, m->hn, m->h_count);
    cr_assert(error <= tolerance, "%s: hn is off by %g", where, error);
    error = max_error(cn.data, m->cn, m->c_count);
    cr_assert(error <= tolerance, "%s: cn is off by %g", where, error);
    guard *const all[] = {&prepared, &workspace, &y, &hn, &cn};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        cr_assert(guard_intact(all[i]), "%s: guard %zu", where, i);
        guard_free(all[i]);
    }
}

Test(runtime_models, random, .timeout = 300) {
    rng r = {.state = 31};
    for (int i = 0; i < 400; i++) {
        random_model m = random_model_make(&r, i % 2);
        char where[512];
        random_model_describe(&m, i, where);
        crash_context(where);
        random_model_solve(&m);
        check_reference(&m, where);
        check_generic(&m, rnnc_blas_builtin(), false, where);
        check_generic(&m, NULL, m.h0 != NULL, where);
        random_model_free(&m);
    }
    crash_context(NULL);
}

/* A NaN of the state is a NaN of all outputs of a head, whatever its activation. */
Test(runtime_models, nan_in_heads) {
    for (int activation = RNNC_IDENTITY; activation <= RNNC_AFFINE; activation++) {
        const rnnc_layer layers[] = {{.recurrent = {RNNC_RNN_TANH, 1, 4, 1, 1, 0, 0, 0}},
                                     {.kind = RNNC_DENSE,
                                      .inputs = 4,
                                      .outputs = 3,
                                      .activation = (rnnc_activation)activation,
                                      .alpha = 0.25f,
                                      .beta = 0.5f,
                                      .bias = 1}};
        const rnnc_network network = {2, layers, 0, 0};
        float weight[16], x[] = {0.5f, NAN}, y[6];
        for (size_t i = 0; i < 16; i++)
            weight[i] = 0.25f - (float)i / 16;
        const float *const tensors[] = {weight, weight, weight, weight, weight, weight};
        double exact[6];
        float *const prepared = calloc(rnnc_generic_prepared_count(&network), sizeof *prepared);
        void *const workspace = malloc(rnnc_generic_workspace_size(&network, 1, 2));
        const rnnc_call call = {
            .weights = prepared, .seq_len = 1, .batch = 2, .x = x, .y = y, .workspace = workspace};
        cr_assert_eq(rnnc_generic_prepare(&network, tensors, prepared), RNNC_OK);
        cr_assert_eq(rnnc_generic_forward(&network, NULL, &call), RNNC_OK);
        cr_assert_eq(rnnc_reference_forward(&network, tensors, &call, exact, NULL, NULL), RNNC_OK);
        for (size_t i = 0; i < 6; i++) {
            cr_expect_eq(!!isnan(y[i]), i >= 3, "activation %d, y[%zu]", activation, i);
            cr_expect_eq(!!isnan(exact[i]), i >= 3, "activation %d, y[%zu]", activation, i);
        }
        free(prepared);
        free(workspace);
    }
}

/* ---- what is no network, and no call of one ---- */

static const rnnc_layer gru = {.recurrent = {RNNC_GRU, 3, 4, 1, 1, 0, 0, 0}};
static const rnnc_layer lstm = {.recurrent = {RNNC_LSTM, 4, 6, 1, 1, 0, 1, 2}};
static const rnnc_layer table = {.kind = RNNC_EMBEDDING, .inputs = 9, .outputs = 3};
static const rnnc_layer head = {.kind = RNNC_DENSE, .inputs = 4, .outputs = 3};

static void expect_fault(rnnc_layer a, rnnc_layer b, size_t residual, rnnc_status status,
                         const char *says) {
    const rnnc_layer layers[] = {a, b};
    const rnnc_network network = {2, layers, 0, residual};
    rnnc_error error = {.message = ""};
    rnnc_network_sizes sizes = {.input = 77};
    cr_expect_eq(rnnc_network_measure(&network, &sizes, &error), status, "%s", says);
    cr_expect(strstr(error.message, says), "should say \"%s\", says \"%s\"", says, error.message);
    cr_expect_eq(sizes.input, 77);
    cr_expect_eq(rnnc_generic_prepared_count(&network), 0);
    cr_expect_eq(rnnc_generic_workspace_size(&network, 1, 1), 0);
}

static rnnc_layer changed_head(size_t inputs, size_t outputs, int activation, int bias, int last) {
    return (rnnc_layer){.kind = RNNC_DENSE,
                        .inputs = inputs,
                        .outputs = outputs,
                        .activation = (rnnc_activation)activation,
                        .bias = bias,
                        .last_step = last};
}

/* A dense layer on all steps of a sequence, against sums of what the layer below gives. */
Test(runtime_models, steps_side_by_side) {
    enum { T = 5, B = 3, H = 4, O = 2 };
    rng r = {.state = 5};
    float w_ih[3 * H * 3], w_hh[3 * H * H], w[O * T * H], bias[O], x[T * B * 3];
    rng_fill(&r, w_ih, sizeof w_ih / sizeof *w_ih, 1);
    rng_fill(&r, w_hh, sizeof w_hh / sizeof *w_hh, 1);
    rng_fill(&r, w, sizeof w / sizeof *w, 1);
    rng_fill(&r, bias, O, 1);
    rng_fill(&r, x, sizeof x / sizeof *x, 1);
    const float *const tensors[] = {w_ih, w_hh, w, bias};
    const rnnc_layer layers[] = {
        {.recurrent = {RNNC_GRU, 3, H, 1, 0, 0, 0, 0}},
        {.kind = RNNC_DENSE, .inputs = T * H, .outputs = O, .bias = 1, .steps = T}};
    for (int batch_first = 0; batch_first < 2; batch_first++) {
        const rnnc_network below = {1, layers, batch_first, 0},
                           network = {2, layers, batch_first, 0};
        double states[T * B * H], want[B * O], exact[B * O];
        float y[B * O];
        float *const prepared = calloc(rnnc_generic_prepared_count(&network), sizeof *prepared);
        void *const workspace = malloc(rnnc_generic_workspace_size(&network, T, B));
        size_t lengths[B] = {T, T, T};
        rnnc_call call = {
            .weights = prepared, .seq_len = T, .batch = B, .x = x, .y = y, .workspace = workspace};
        cr_assert_eq(rnnc_reference_forward(&below, tensors, &call, states, NULL, NULL), RNNC_OK);
        for (size_t i = 0; i < B * O; i++) {
            const size_t b = i / O, o = i % O;
            want[i] = (double)bias[o];
            for (size_t k = 0; k < T * H; k++)
                want[i] += (double)w[o * T * H + k] *
                           states[(batch_first ? b * T + k / H : k / H * B + b) * H + k % H];
        }
        cr_assert_eq(rnnc_generic_prepare(&network, tensors, prepared), RNNC_OK);
        for (int with = 0; with < 2; with++) {
            call.lengths = with ? lengths : NULL;
            cr_assert_eq(rnnc_generic_forward(&network, NULL, &call), RNNC_OK);
            cr_assert_eq(rnnc_reference_forward(&network, tensors, &call, exact, NULL, NULL),
                         RNNC_OK);
            for (size_t i = 0; i < B * O; i++) {
                cr_expect(fabs((double)y[i] - want[i]) <= 1e-5, "y[%zu] is %g", i, (double)y[i]);
                cr_expect(fabs(exact[i] - want[i]) <= 1e-12, "exact[%zu] is %g", i, exact[i]);
            }
        }
        lengths[1] = T - 1;
        cr_expect_eq(rnnc_generic_forward(&network, NULL, &call), RNNC_ERR_ARGUMENT);
        call.lengths = NULL;
        call.seq_len = T - 1;
        cr_expect_eq(rnnc_generic_forward(&network, NULL, &call), RNNC_ERR_ARGUMENT);
        free(prepared);
        free(workspace);
    }
}

Test(runtime_models, faults) {
    const rnnc_status bad = RNNC_ERR_ARGUMENT;
    rnnc_layer other = gru;
    expect_fault(gru, gru, 0, bad, "layer 1 takes 3 values, and the layer before it gives 4");
    expect_fault(gru, table, 0, bad, "layer 1 is an embedding, which only the first layer can be");
    expect_fault(changed_head(3, 3, 0, 0, 1), gru, 0, bad,
                 "layer 1 is recurrent and stands behind");
    expect_fault(gru, lstm, 4, bad, "residual adds 4 values of x to y");
    expect_fault(gru, head, 4, bad, "residual adds 4 values of x to y");
    expect_fault(gru, changed_head(4, 5, 0, 0, 0), 4, bad, "3 values come in as x, and 5 go out");
    expect_fault(table, gru, 1, bad, "come in as tokens");
    expect_fault(gru, changed_head(4, 3, 0, 0, 1), 1, bad, "go out for a sequence");
    expect_fault(gru, changed_head(0, 3, 0, 0, 0), 0, bad, "layer 1 has 0 inputs");
    expect_fault(gru, changed_head(4, 0, 0, 0, 0), 0, bad, "and 0 outputs");
    expect_fault(gru, changed_head(4, 3, 23, 0, 0), 0, bad, "activation of layer 1 is 23");
    expect_fault(gru, changed_head(4, 3, 0, 2, 0), 0, bad, "are 2, 0, 0 and 0");
    expect_fault(gru, changed_head(4, 3, 0, 0, -1), 0, bad, "are 0, -1, 0 and 0");
    expect_fault(gru, changed_head(4, SIZE_MAX / 30, 0, 0, 0), 0, RNNC_ERR_OVERFLOW, "layer 1");
    expect_fault(gru, changed_head(4, 3, -1, 0, 0), 0, bad, "activation of layer 1 is -1");
    other = changed_head(4, 3, RNNC_ELU, 0, 0);
    other.alpha = NAN;
    expect_fault(gru, other, 0, bad, "the alpha of layer 1 is nan");
    other.alpha = INFINITY;
    expect_fault(gru, other, 0, bad, "the alpha of layer 1 is inf");
    other.alpha = 1;
    other.beta = NAN;
    expect_fault(gru, other, 0, bad, "its beta nan");
    other = changed_head(4, 3, RNNC_HARD_TANH, 0, 0);
    expect_fault(gru, other, 0, bad, "layer 1 is bounded by an alpha of 0 and a beta of 0");
    other = changed_head(8, 3, 0, 0, 0);
    other.steps = 3;
    expect_fault(gru, other, 0, bad, "layer 1 reads 3 steps side by side");
    other.steps = 4;
    expect_fault(gru, other, 0, bad, "layer 1 takes 2 values, and the layer before it gives 4");
    other.steps = 2;
    expect_fault(other, gru, 0, bad, "layer 0 reads 2 steps side by side");
    expect_fault(changed_head(3, 4, 0, 0, 1), other, 0, bad, "layer 1 reads 2 steps side by side");
    other.last_state = 1;
    expect_fault(gru, other, 0, bad, "layer 1 reads 2 steps side by side");
    other = changed_head(4, 3, 0, 0, 1);
    other.last_state = 1;
    expect_fault(gru, other, 0, bad, "layer 1 has last_state, which");
    other.last_step = 0;
    expect_fault(changed_head(4, 4, 0, 0, 0), other, 0, bad, "layer 1 has last_state, which");
    expect_fault(other, gru, 0, bad, "layer 0 has last_state, which");
    other.last_state = 2;
    expect_fault(gru, other, 0, bad, "are 0, 0, 2 and 0");
    other = changed_head(3, 9, 0, 0, 0);
    other.tied = 1;
    const rnnc_layer dense = changed_head(9, 3, 0, 0, 0);
    expect_fault(dense, other, 0, bad, "layer 1 is tied, for which the first layer has to be");
    expect_fault(other, dense, 0, bad, "layer 0 is tied, for which the first layer has to be");
    other.tied = 2;
    expect_fault(table, other, 0, bad, "are 0, 0, 0 and 2");
    other.tied = 1;
    other.outputs = 8;
    expect_fault(table, other, 0, bad, "an embedding of 8 rows and 3 columns");
    other = gru;
    other.kind = (rnnc_layer_kind)7;
    expect_fault(gru, other, 0, bad, "kind of layer 1 is 7");
    other = (rnnc_layer){.kind = RNNC_MERGE_SUM, .inputs = 4, .outputs = 2};
    expect_fault(gru, other, 0, bad, "layer 1 merges 4 values to 2: it has to stand behind a");
    other = changed_head(4, 4, RNNC_ELU, 0, 0);
    other.activation = RNNC_PRELU;
    expect_fault(gru, other, 0, bad, "layer 1 is dense and has the activation prelu, which has");
    other.kind = RNNC_ACTIVATION;
    other.outputs = 3;
    expect_fault(gru, other, 0, bad, "an activation of 4 values with 3 outputs");
    other.outputs = 4;
    other.last_step = 1;
    expect_fault(gru, other, 0, bad, "and its flags are 0");
    other.last_step = 0;
    other.activation = (rnnc_activation)23;
    expect_fault(gru, other, 0, bad, "activation of layer 1 is 23");
    other.activation = RNNC_ELU;
    other.alpha = NAN;
    expect_fault(gru, other, 0, bad, "the alpha of layer 1 is nan");
    other.alpha = 1;
    other.first = 3;
    other.count = 2;
    expect_fault(gru, other, 0, bad, "layer 1 is of 2 of its 4 values, from 3 on: give those of");
    other.first = 5;
    other.count = SIZE_MAX;
    expect_fault(gru, other, 0, bad, "of its 4 values, from 5 on");
    other.first = 1;
    other.count = 0;
    expect_fault(gru, other, 0, bad, "layer 1 is of 0 of its 4 values, from 1 on");
    other.count = 3;
    other.activation = RNNC_PRELU;
    expect_fault(gru, other, 0, bad, "give those of an activation without weights");
    other = changed_head(4, 3, 0, 0, 0);
    other.count = 1;
    expect_fault(gru, other, 0, bad, "layer 1 is of 1 of its 3 values, from 0 on");
    other = gru;
    other.recurrent.proj_size = 1;
    expect_fault(table, other, 0, bad, "only a cell lstm has projections");
    other = lstm;
    other.recurrent.proj_size = 6;
    expect_fault(gru, other, 0, bad, "less than hidden_size");
    const rnnc_network transposed = {1, &gru, 2, 0};
    cr_expect_eq(rnnc_network_measure(&transposed, NULL, NULL), bad);
    const rnnc_network none = {0, &gru, 0, 0}, null = {1, NULL, 0, 0};
    cr_expect_eq(rnnc_network_measure(&none, NULL, NULL), bad);
    cr_expect_eq(rnnc_network_measure(&null, NULL, NULL), bad);
    cr_expect_eq(rnnc_network_measure(NULL, NULL, NULL), bad);
}

/* Lengths and tokens out of range are refused before anything is written. */
Test(runtime_models, calls) {
    const rnnc_layer layers[] = {table, gru, head};
    const rnnc_network network = {3, layers, 1, 0};
    static float weights[500];
    const float *const tensors[] = {weights, weights, weights, weights, weights, weights};
    float *const prepared = calloc(rnnc_generic_prepared_count(&network), sizeof *prepared);
    void *const workspace = malloc(rnnc_generic_workspace_size(&network, 3, 2));
    int32_t tokens[] = {0, 8, 100, 3, 4, 5}; /* the third is beyond a length */
    size_t lengths[] = {2, 3};
    float y[18];
    double exact[18];
    rnnc_call call = {.weights = prepared,
                      .seq_len = 3,
                      .batch = 2,
                      .tokens = tokens,
                      .lengths = lengths,
                      .y = y,
                      .workspace = workspace};
    cr_expect_eq(rnnc_generic_forward(&network, NULL, &call), RNNC_OK);
    cr_expect_eq(rnnc_reference_forward(&network, tensors, &call, exact, NULL, NULL), RNNC_OK);
    memset(y, 0x55, sizeof y);
    memset(exact, 0x55, sizeof exact);
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        const rnnc_call before = call;                                                             \
        change;                                                                                    \
        cr_expect_eq(rnnc_generic_forward(&network, NULL, &call), RNNC_ERR_ARGUMENT, #change);     \
        cr_expect_eq(rnnc_reference_forward(&network, tensors, &call, exact, NULL, NULL),          \
                     RNNC_ERR_ARGUMENT, #change);                                                  \
        call = before;                                                                             \
    } while (0)
    REFUSED(call.lengths = NULL);
    REFUSED(call.tokens = NULL);
    REFUSED(lengths[0] = 3);
    REFUSED(lengths[0] = 4);
    REFUSED(lengths[1] = 4);
    lengths[1] = 3;
    lengths[0] = 2;
    REFUSED(tokens[5] = 9);
    REFUSED(tokens[5] = -1);
    for (size_t i = 0; i < sizeof y; i++)
        cr_assert(((unsigned char *)y)[i] == 0x55 && ((unsigned char *)exact)[i] == 0x55);
    free(prepared);
    free(workspace);
}
