/* softmax and log_softmax of rows far outside the range of exp: generated for each target, one
 * sequence and many, and generic ones, against the formula in double. */
#include "support/generate.h"
#include "support/model.h"
#include "support/model_run.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Row r of n values: all near one level, far below, around or far above 0, and one place of them
 * high above the others, which has to be found wherever it is. */
static void fill_row(float *row, size_t n, size_t r) {
    static const float levels[] = {0.0f, -1000.0f, 1000.0f, -3e38f}, high[] = {1.5f, 90.0f, 400.0f};
    for (size_t i = 0; i < n; i++)
        row[i] = levels[r / 3 % 4] + (float)((i * 7 + r) % 5) / 8;
    row[r % n] += high[r % 3];
}

static double expected(const float *row, size_t n, size_t i, bool is_log) {
    double most = (double)row[0], sum = 0;
    for (size_t k = 1; k < n; k++)
        most = fmax(most, (double)row[k]);
    for (size_t k = 0; k < n; k++)
        sum += exp((double)row[k] - most);
    const double value = (double)row[i] - most - log(sum);
    return is_log ? value : exp(value);
}

static void compare(const float *x, const float *y, size_t rows, size_t n, bool is_log,
                    const char *where) {
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < n; i++) {
            const double want = expected(x + r * n, n, i, is_log), got = (double)y[r * n + i];
            const double error = fabs(got - want);
            /* The logarithm is a sum with the row's largest value, whose last place counts. */
            const double size = is_log ? fabs((double)x[r * n + i]) : 0;
            cr_assert(error <= 3e-6 * fmax(1, fabs(want)) + size * (double)FLT_EPSILON,
                      "%s: row %zu, value %zu is %g, should be %g", where, r, i, got, want);
        }
}

/* A model that hands x on: a cell relu without a memory keeps x and -x where they are positive, and
 * the head takes one from the other, so that the rows are those of x to the bit. */
static model make_model(rnnc_activation activation, size_t n, size_t T, size_t batch) {
    const rnnc_layer layers[] = {
        {.kind = RNNC_RECURRENT, .recurrent = {RNNC_RNN_RELU, n, 2 * n, 1, 0, 0, 0, 0}},
        {.kind = RNNC_DENSE, .inputs = 2 * n, .outputs = n, .activation = activation}};
    rng random = {.state = n};
    model m = model_make(layers, 2, false, 0, T, batch, false, &random);
    memset(m.values[0], 0, 2 * n * n * sizeof(float));
    memset(m.values[1], 0, 4 * n * n * sizeof(float));
    memset(m.values[2], 0, 2 * n * n * sizeof(float));
    for (size_t i = 0; i < n; i++) {
        m.values[0][i * n + i] = m.values[2][i * 2 * n + i] = 1;
        m.values[0][(n + i) * n + i] = m.values[2][i * 2 * n + n + i] = -1;
    }
    for (size_t r = 0; r < T * batch; r++)
        fill_row(m.x + r * n, n, r + r / T);
    return m;
}

static void check(rnnc_activation activation, size_t n, size_t batch, const char *target) {
    const bool is_log = activation == RNNC_LOG_SOFTMAX;
    const size_t T = 36;
    model m = make_model(activation, n, T, batch);
    char dir[PATH_SIZE], fields[96], where[160];
    rnnc_error err;
    workdir_make(dir);
    snprintf(fields, sizeof fields, "name = \"net\", batch = %zu, target = \"%s\",", batch, target);
    snprintf(where, sizeof where, "%s, %zu values, %s", is_log ? "log_softmax" : "softmax", n,
             fields);
    char *const text = model_text(&m, fields);
    cr_assert(generate_text("net", text, "none", dir, &err), "%s: %s", where, err.message);
    void *const library = build_library(NULL, "-O1", dir, NULL, &err);
    cr_assert(library, "%s: %s", where, err.message);
    const rnnc_model *const net = library_model(library, "net", &err);
    cr_assert(net, "%s", err.message);
    float *const packed = model_pack(net, &m), *const y = malloc(T * batch * n * sizeof *y);
    float *const prepared = malloc(rnnc_generic_prepared_count(&net->network) * sizeof *prepared);
    void *const workspace = malloc(net->workspace_size(T, batch));
    void *const other = malloc(rnnc_generic_workspace_size(&net->network, T, batch));
    cr_assert(packed && y && prepared && workspace && other);
    rnnc_call call = {
        .weights = packed, .seq_len = T, .batch = batch, .x = m.x, .y = y, .workspace = workspace};
    cr_assert_eq(rnnc_model_forward(net, &call, &err), RNNC_OK, "%s", err.message);
    compare(m.x, y, T * batch, n, is_log, where);
    cr_assert_eq(rnnc_generic_prepare(&net->network, (const float *const *)m.values, prepared),
                 RNNC_OK);
    call.weights = prepared;
    call.workspace = other;
    memset(y, 0xFF, T * batch * n * sizeof *y);
    cr_assert_eq(rnnc_generic_forward(&net->network, NULL, &call), RNNC_OK);
    compare(m.x, y, T * batch, n, is_log, "generic");
    free(packed);
    free(y);
    free(prepared);
    free(workspace);
    free(other);
    free(text);
    close_library(library);
    workdir_remove(dir);
    model_free(&m);
}

static void check_all(rnnc_activation activation) {
    static const char *const targets[] = {"scalar", "portable", "avx2", "avx512"};
    static const size_t widths[] = {1, 2, 5, 8, 19};
    for (size_t t = 0; t < 3; t++)
        for (size_t i = 0; target_runs(targets[t]) && i < sizeof widths / sizeof widths[0]; i++)
            check(activation, widths[i], i % 2 ? 1 : 17, targets[t]);
}

Test(generated_softmax, softmax, .timeout = 200) { check_all(RNNC_SOFTMAX); }

Test(generated_softmax, log_softmax, .timeout = 200) { check_all(RNNC_LOG_SOFTMAX); }
