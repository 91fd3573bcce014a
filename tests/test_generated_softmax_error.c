/* softmax and log_softmax of generated networks: within the bounds that README states, of rows that
 * fill no vector, some, or many, of all sizes of values, and NaN where PyTorch gives NaN.
 *
 * The networks hand on x (a step of identity weights), so that the dense layer's weights are the
 * logits: x of step t and sequence b picks column (t + b) % COLUMNS. What is not finite is put in
 * the bias instead, as 0 times it would be NaN. */
#include "support/generate.h"
#include "support/model.h"
#include "support/model_run.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const targets[] = {"scalar", "portable", "avx2", "avx512"};
static const size_t outputs[] = {33, 1, 10, 16, 1100};

enum {
    TARGETS = sizeof targets / sizeof *targets,
    OUTPUTS = sizeof outputs / sizeof *outputs,
    COLUMNS = 8,
    STEPS = 8
};

/* Logits of a column: of which size, and what is added to all. The row of 3e38 has differences that
 * overflow. */
static const struct {
    float scale, offset;
} columns[COLUMNS] = {{0.1f, 0}, {1, 0},     {10, 0},        {60, 5},
                      {1e3f, 0}, {1, -1e4f}, {3.0e38f, 0.f}, {0, -3e38f}};

static model make_network(size_t n, rnnc_activation activation, size_t batch, rng *r) {
    const rnnc_layer layers[] = {
        {.recurrent = {RNNC_RNN_RELU, COLUMNS, COLUMNS, 1, 0, 0, 0, 0}},
        {.kind = RNNC_DENSE, .inputs = COLUMNS, .outputs = n, .activation = activation, .bias = 1}};
    model m = model_make(layers, 2, false, 0, STEPS, batch, false, r);
    for (size_t i = 0; i < COLUMNS; i++)
        for (size_t j = 0; j < COLUMNS; j++) {
            m.values[0][i * COLUMNS + j] = i == j;
            m.values[1][i * COLUMNS + j] = 0;
        }
    for (size_t t = 0; t < STEPS; t++)
        for (size_t b = 0; b < batch; b++)
            for (size_t k = 0; k < COLUMNS; k++)
                m.x[(t * batch + b) * COLUMNS + k] = (t + b) % COLUMNS == k;
    return m;
}

typedef struct exact_row {
    double most, sum;
} exact_row;

static exact_row solve(const float *logits, size_t n) {
    exact_row row = {-HUGE_VAL, 0};
    for (size_t k = 0; k < n; k++)
        row.most = (double)logits[k] > row.most ? (double)logits[k] : row.most;
    for (size_t k = 0; k < n; k++)
        row.sum += exp((double)logits[k] - row.most);
    return row;
}

/* The right value of one of n logits, and how far from it a network may be. */
static double right_value(exact_row row, double logit, size_t n, int is_log, double *bound) {
    const double roundings = 64 + (double)n / 128, unit = ldexp(1, -24);
    const double below = row.most - logit;
    if (is_log) {
        const double y = -below - log(row.sum);
        *bound = unit * (2 * fabs(y) + roundings);
        return (double)(float)y; /* which may be -inf for a float */
    }
    const double y = exp(-below) / row.sum;
    *bound = (y > 0 ? unit * (below + roundings) * y : 0) + 1.2e-38;
    return y;
}

static void check_calls(const rnnc_model *net, const model *m, const char *what) {
    const size_t n = m->layer[1].outputs;
    const int is_log = m->layer[1].activation == RNNC_LOG_SOFTMAX;
    rnnc_error err = {RNNC_OK, ""};
    float *const logits = malloc(n * sizeof *logits);
    float *const packed = model_pack(net, m);
    model_results got = results_make(m);
    cr_assert(logits && packed);
    static const model_way plain = {.by_runtime = false};
    cr_assert(model_run(net, packed, m, &plain, &got, &err), "%s: %s", what, err.message);
    for (size_t t = 0; t < STEPS; t++)
        for (size_t b = 0; b < m->batch; b++) {
            const float *const y = got.y + (t * m->batch + b) * n;
            for (size_t i = 0; i < n; i++)
                logits[i] = m->values[2][i * COLUMNS + (t + b) % COLUMNS] + m->values[3][i];
            const exact_row row = solve(logits, n);
            for (size_t i = 0; i < n; i++) {
                double bound;
                const double want = right_value(row, (double)logits[i], n, is_log, &bound);
                const bool fine = isnan(want)   ? isnan(y[i])
                                  : isinf(want) ? (double)y[i] == want
                                                : fabs((double)y[i] - want) <= bound;
                cr_assert(fine, "%s: step %zu of sequence %zu: value %zu is %g, not %g (+-%g)",
                          what, t, b, i, (double)y[i], want, bound);
            }
        }
    results_free(&got);
    free(packed);
    free(logits);
}

/* Every column's logits, then those with what is not finite at the start, in the middle, at the
 * end. */
static void check_network(const rnnc_model *net, model *m, const char *what, rng *r) {
    const size_t n = m->layer[1].outputs;
    float *const weight = m->values[2], *const bias = m->values[3];
    for (size_t i = 0; i < n; i++) {
        bias[i] = 0;
        for (size_t k = 0; k < COLUMNS; k++)
            weight[i * COLUMNS + k] = rng_float(r, columns[k].scale) + columns[k].offset;
    }
    check_calls(net, m, what);
    for (size_t i = 0; i < n * COLUMNS; i++)
        weight[i] = 0;
    static const float odd[] = {-INFINITY, NAN, INFINITY};
    const size_t places[] = {0, n / 2, n - 1};
    for (size_t k = 0; k < 9; k++) {
        rng_fill(r, bias, n, 5);
        bias[places[k % 3]] = odd[k / 3];
        check_calls(net, m, what);
    }
    for (size_t i = 0; i < n; i++)
        bias[i] = -INFINITY;
    check_calls(net, m, what);
    bias[n - 1] = -7;
    check_calls(net, m, what);
}

/* Networks of the first `count` numbers of outputs. */
static void check_target(const char *target, size_t batch, size_t count) {
    static const char *const activations[] = {"softmax", "log_softmax"};
    char dir[PATH_SIZE], name[64], fields[128];
    rnnc_error err;
    rng r = {.state = batch};
    model all[OUTPUTS][2];
    workdir_make(dir);
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < 2; k++) {
            all[i][k] = make_network(outputs[i], k ? RNNC_LOG_SOFTMAX : RNNC_SOFTMAX, batch, &r);
            snprintf(name, sizeof name, "%s_%zu", activations[k], outputs[i]);
            snprintf(fields, sizeof fields, "name = \"%s\", batch = %zu, target = \"%s\",", name,
                     batch, target);
            char *const text = model_text(&all[i][k], fields);
            cr_assert(generate_text(name, text, "none", dir, &err), "%s", err.message);
            free(text);
        }
    void *const library = build_library(NULL, "-O1", dir, NULL, &err);
    workdir_remove(dir);
    cr_assert(library, "%s", err.message);
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < 2; k++) {
            snprintf(name, sizeof name, "%s_%zu", activations[k], outputs[i]);
            const rnnc_model *const net = library_model(library, name, &err);
            cr_assert(net, "%s", err.message);
            char what[96];
            snprintf(what, sizeof what, "%s, %s, batch %zu", name, target, batch);
            check_network(net, &all[i][k], what, &r);
            model_free(&all[i][k]);
        }
    close_library(library);
}

Test(generated_softmax_error, one_sequence, .timeout = 600) {
    for (size_t i = 0; i < TARGETS; i++)
        if (target_runs(targets[i]))
            check_target(targets[i], 1, OUTPUTS);
}

/* Rows of y that the kernel "batch" has written. */
Test(generated_softmax_error, batch, .timeout = 600) {
    for (size_t i = 0; i < TARGETS; i++)
        if (target_runs(targets[i]))
            check_target(targets[i], 16, 1);
}
