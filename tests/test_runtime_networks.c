/* Networks at run time: the float ones on every backend and set of kernels, and the double
 * reference, against PyTorch's answers (tests/cases) and the tests' own oracle. */
#include "check.h"
#include "guard.h"
#include "problem.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How the state goes in and out of a call. */
typedef enum state_use { ALL, NO_OUTPUT, IN_PLACE } state_use;

static const float *const *weights_of(const problem *p) { return (const float *const *)p->weight; }

/* A guard with a copy of the values that cannot be written. */
static guard read_only(const float *values, size_t count) {
    guard f = guard_floats(values, count);
    guard_protect(&f);
    return f;
}

static void expect_close(const char *what, const char *where, const float *got, const double *want,
                         size_t count, double tolerance) {
    const double error = max_error(got, want, count);
    cr_assert(error <= tolerance, "%s: %s is off by %g", where, what, error);
}

/* Runs the float network in guards at odd alignments and compares all that it wrote. */
static void check_generic(const problem *p, const rnnc_blas *blas, state_use use, double tolerance,
                          const char *where) {
    const rnnc_config *const config = &p->config;
    rnnc_layer layer;
    const rnnc_network network = problem_network(config, &layer);
    const size_t states = problem_state_count(p), count = rnnc_generic_prepared_count(&network);
    const size_t workspace_size = rnnc_generic_workspace_size(&network, p->seq_len, p->batch);
    cr_assert(count > 0 && workspace_size > 0, "%s", where);
    guard prepared = guard_floats(NULL, count);
    cr_assert_eq(rnnc_generic_prepare(&network, weights_of(p), prepared.data), RNNC_OK);
    cr_assert(guard_intact(&prepared));
    for (size_t i = 0; i < count; i++)
        cr_assert(!isnan(((float *)prepared.data)[i]), "%s: prepared[%zu] was not set", where, i);
    guard_protect(&prepared);
    guard x = read_only(p->x, problem_x_count(p));
    guard y = guard_floats(NULL, problem_y_count(p)), workspace = guard_make(workspace_size, 3);
    guard h0 = guard_floats(p->h0, states), c0 = guard_floats(p->c0, states);
    guard hn = guard_floats(NULL, states), cn = guard_floats(NULL, states);
    if (use != IN_PLACE) {
        guard_protect(&h0);
        guard_protect(&c0);
    }
    const int has_c = config->cell == RNNC_LSTM;
    float *const h_out = use == NO_OUTPUT ? NULL : use == IN_PLACE ? h0.data : hn.data;
    float *const c_out = !has_c || use == NO_OUTPUT ? NULL : use == IN_PLACE ? c0.data : cn.data;
    const rnnc_call call = {
        .weights = prepared.data,
        .seq_len = p->seq_len,
        .batch = p->batch,
        .x = x.data,
        .h0 = p->h0 ? h0.data : NULL,
        .c0 = has_c && p->c0 ? c0.data : NULL,
        .y = y.data,
        .hn = h_out,
        .cn = c_out,
        .workspace = workspace.data,
    };
    cr_assert_eq(rnnc_generic_forward(&network, blas, &call), RNNC_OK, "%s", where);
    expect_close("y", where, y.data, p->y, problem_y_count(p), tolerance);
    if (h_out)
        expect_close("hn", where, h_out, p->hn, states, tolerance);
    if (c_out)
        expect_close("cn", where, c_out, p->cn, states, tolerance);
    guard *const all[] = {&prepared, &x, &y, &workspace, &h0, &c0, &hn, &cn};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        cr_assert(guard_intact(all[i]), "%s: guard %zu", where, i);
        guard_free(all[i]);
    }
}

static double max_difference(const double *a, const double *b, size_t count) {
    double worst = 0;
    for (size_t i = 0; i < count; i++)
        if (!(fabs(a[i] - b[i]) <= worst))
            worst = fabs(a[i] - b[i]);
    return worst;
}

/* Runs the double reference, whole buffers and their guards. */
static void check_reference(const problem *p, double tolerance, const char *where) {
    const size_t ys = problem_y_count(p), states = problem_state_count(p);
    guard y = guard_make(ys * sizeof(double), 0), hn = guard_make(states * sizeof(double), 0);
    guard cn = guard_make(states * sizeof(double), 0);
    const int has_c = p->config.cell == RNNC_LSTM;
    rnnc_layer layer;
    const rnnc_network network = problem_network(&p->config, &layer);
    const rnnc_call call = {.seq_len = p->seq_len,
                            .batch = p->batch,
                            .x = p->x,
                            .h0 = p->h0,
                            .c0 = has_c ? p->c0 : NULL};
    cr_assert_eq(rnnc_reference_forward(&network, weights_of(p), &call, y.data, hn.data,
                                        has_c ? cn.data : NULL),
                 RNNC_OK);
    double error = max_difference(y.data, p->y, ys);
    cr_assert(error <= tolerance, "%s: y of the reference is off by %g", where, error);
    error = max_difference(hn.data, p->hn, states);
    cr_assert(error <= tolerance, "%s: hn of the reference is off by %g", where, error);
    if (has_c) {
        error = max_difference(cn.data, p->cn, states);
        cr_assert(error <= tolerance, "%s: cn of the reference is off by %g", where, error);
    }
    cr_assert(guard_intact(&y) && guard_intact(&hn) && guard_intact(&cn));
    memset(y.data, 0xFF, y.size);
    cr_assert_eq(rnnc_reference_forward(&network, weights_of(p), &call, y.data, NULL, NULL),
                 RNNC_OK);
    cr_assert(max_difference(y.data, p->y, ys) <= tolerance);
    guard_free(&y);
    guard_free(&hn);
    guard_free(&cn);
}

static void check_all(const problem *p, double tolerance, const char *where) {
    const rnnc_blas *const backends[] = {NULL, rnnc_blas_builtin(), rnnc_blas_openblas(NULL)};
    for (size_t i = 0; i < 3; i++) {
        if (i > 0 && !backends[i])
            continue;
        check_generic(p, backends[i], ALL, tolerance, where);
        check_generic(p, backends[i], NO_OUTPUT, tolerance, where);
        if (p->h0)
            check_generic(p, backends[i], IN_PLACE, tolerance, where);
    }
}

/* All cases, with x and y as they are and laid out for the other value of batch_first. */
Test(runtime_networks, cases) {
    DIR *const directory = opendir(TEST_DATA "/cases");
    cr_assert_not_null(directory);
    size_t cases = 0;
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (!strstr(entry->d_name, ".safetensors"))
            continue;
        char path[512];
        snprintf(path, sizeof path, TEST_DATA "/cases/%s", entry->d_name);
        for (int flip = 0; flip < 2; flip++) {
            problem p;
            rnnc_error error = {.message = ""};
            cr_assert(problem_read(path, flip, &p, &error), "%s", error.message);
            check_all(&p, 2e-6, entry->d_name);
            check_reference(&p, 2e-7, entry->d_name); /* the answers are rounded to float */
            problem_free(&p);
        }
        cases++;
    }
    closedir(directory);
    cr_assert_geq(cases, 26);
}

/* Every cell with every flag, sizes around the widths of vectors, against the oracle, which is in
 * double: the reference has to agree to rounding errors of double. */
Test(runtime_networks, random) {
    static const size_t units[] = {1, 3, 4, 7, 8, 15, 16, 17, 33, 50};
    rng r = {.state = 2024};
    for (int i = 0; i < 256; i++) {
        const rnnc_config config = {(rnnc_cell)(i & 3),
                                    1 + rng_below(&r, 40),
                                    units[rng_below(&r, 10)],
                                    1 + rng_below(&r, 4),
                                    i >> 2 & 1,
                                    i >> 3 & 1,
                                    i >> 4 & 1,
                                    0};
        const size_t T = 1 + rng_below(&r, 9), B = i & 32 ? 1 : 2 + rng_below(&r, 19);
        problem p = problem_make(&config, T, B, i & 64, &r);
        problem_solve(&p);
        char where[128];
        snprintf(where, sizeof where, "network %d: cell %d, I %zu, H %zu, L %zu, T %zu, B %zu", i,
                 (int)config.cell, config.input_size, config.hidden_size, config.num_layers, T, B);
        check_all(&p, 3e-6, where);
        check_reference(&p, 1e-12, where);
        problem_free(&p);
    }
}

/* Without h0 a NaN or an infinity of W_hh meets zeros in the first step, which makes NaN of them.
 */
Test(runtime_networks, nan_in_weights_without_states) {
    static const float values[] = {NAN, INFINITY};
    enum { H = 18, B = 2 };
    for (size_t k = 0; k < 8; k++) {
        const rnnc_config config = {(rnnc_cell)(RNNC_RNN_TANH + k / 2), 4, H, 1, 1, 0, 0, 0};
        rng r = {.state = 78};
        rnnc_layer layer;
        const rnnc_network network = problem_network(&config, &layer);
        problem p = problem_make(&config, 1, B, false, &r);
        p.weight[1][3 * H + 5] = values[k % 2]; /* unit 3 of the first gate */
        float *const prepared = malloc(rnnc_generic_prepared_count(&network) * sizeof(float));
        void *const workspace = malloc(rnnc_generic_workspace_size(&network, 1, B));
        float y[B * H];
        double exact[B * H];
        cr_assert_eq(rnnc_generic_prepare(&network, weights_of(&p), prepared), RNNC_OK);
        const rnnc_call call = {.weights = prepared,
                                .seq_len = 1,
                                .batch = B,
                                .x = p.x,
                                .y = y,
                                .workspace = workspace};
        cr_assert_eq(rnnc_generic_forward(&network, NULL, &call), RNNC_OK);
        cr_assert_eq(rnnc_reference_forward(&network, weights_of(&p), &call, exact, NULL, NULL),
                     RNNC_OK);
        for (size_t i = 0; i < B * H; i++) {
            cr_assert_eq(!!isnan(exact[i]), i % H == 3, "%zu, y[%zu] is %g", k, i, exact[i]);
            cr_assert_eq(!!isnan(y[i]), i % H == 3, "%zu, y[%zu] is %g", k, i, (double)y[i]);
        }
        free(workspace);
        free(prepared);
        problem_free(&p);
    }
}

/* A NaN of one sequence reaches all that follows from it, and no other sequence. */
Test(runtime_networks, nan) {
    for (int cell = RNNC_RNN_TANH; cell <= RNNC_GRU; cell++) {
        static const size_t T = 5, B = 3, H = 18, I = 4;
        const rnnc_config config = {(rnnc_cell)cell, I, H, 1, 1, 0, 0, 0};
        rng r = {.state = 77};
        rnnc_layer layer;
        const rnnc_network network = problem_network(&config, &layer);
        problem p = problem_make(&config, T, B, true, &r);
        p.x[(2 * B + 1) * I + 3] = NAN; /* step 2, sequence 1 */
        float *const prepared = malloc(rnnc_generic_prepared_count(&network) * sizeof(float));
        void *const workspace = malloc(rnnc_generic_workspace_size(&network, T, B));
        float y[5 * 3 * 18];
        double exact[5 * 3 * 18];
        cr_assert_eq(rnnc_generic_prepare(&network, weights_of(&p), prepared), RNNC_OK);
        const rnnc_call call = {.weights = prepared,
                                .seq_len = T,
                                .batch = B,
                                .x = p.x,
                                .h0 = p.h0,
                                .c0 = p.c0,
                                .y = y,
                                .workspace = workspace};
        cr_assert_eq(rnnc_generic_forward(&network, NULL, &call), RNNC_OK);
        cr_assert_eq(rnnc_reference_forward(&network, weights_of(&p), &call, exact, NULL, NULL),
                     RNNC_OK);
        for (size_t i = 0; i < T * B * H; i++) {
            const int want = i / (B * H) >= 2 && i / H % B == 1;
            cr_assert_eq(!!isnan(y[i]), want, "cell %d, y[%zu] is %g", cell, i, (double)y[i]);
            cr_assert_eq(!!isnan(exact[i]), want, "cell %d, y[%zu] is %g", cell, i, exact[i]);
        }
        free(workspace);
        free(prepared);
        problem_free(&p);
    }
}

Test(runtime_networks, arguments) {
    const rnnc_config config = {RNNC_LSTM, 2, 3, 1, 1, 0, 0, 0};
    rnnc_config zero = config;
    zero.hidden_size = 0;
    rnnc_layer layer, bad_layer;
    const rnnc_network network = problem_network(&config, &layer);
    const rnnc_network bad = problem_network(&zero, &bad_layer);
    float x[2] = {0}, y[3], w[1000];
    double exact[3];
    char workspace[1000];
    const float *const none[4] = {w, w, w, w};
    const rnnc_call good = {
        .weights = w, .seq_len = 1, .batch = 1, .x = x, .y = y, .workspace = workspace};
    cr_assert_eq(rnnc_generic_prepare(&network, NULL, w), RNNC_ERR_ARGUMENT);
    cr_assert_eq(rnnc_generic_prepare(&network, none, NULL), RNNC_ERR_ARGUMENT);
    cr_assert_eq(rnnc_generic_prepare(&bad, none, w), RNNC_ERR_ARGUMENT);
    cr_assert_eq(rnnc_generic_forward(&bad, NULL, &good), RNNC_ERR_ARGUMENT);
    cr_assert_eq(rnnc_generic_forward(&network, NULL, NULL), RNNC_ERR_ARGUMENT);
    rnnc_call call;
#define BAD(change, status)                                                                        \
    call = good;                                                                                   \
    call.change;                                                                                   \
    cr_expect_eq(rnnc_generic_forward(&network, NULL, &call), status)
    BAD(weights = NULL, RNNC_ERR_ARGUMENT);
    BAD(x = NULL, RNNC_ERR_ARGUMENT);
    BAD(y = NULL, RNNC_ERR_ARGUMENT);
    BAD(workspace = NULL, RNNC_ERR_ARGUMENT);
    BAD(seq_len = SIZE_MAX / 2, RNNC_ERR_OVERFLOW);
    cr_expect_eq(rnnc_generic_workspace_size(&network, SIZE_MAX / 40, 1), 0);
    cr_expect_eq(rnnc_generic_workspace_size(&network, SIZE_MAX, SIZE_MAX), 0);
    cr_expect_eq(rnnc_generic_workspace_size(&bad, 1, 1), 0);
    cr_expect_eq(rnnc_generic_prepared_count(&bad), 0);
#define REFERENCE(network, tensors, T, B, from, y)                                                 \
    call = (rnnc_call){.seq_len = (T), .batch = (B), .x = (from)};                                 \
    cr_expect_eq(rnnc_reference_forward(network, tensors, &call, y, NULL, NULL), RNNC_ERR_ARGUMENT)
    REFERENCE(&bad, none, 1, 1, x, exact);
    REFERENCE(NULL, none, 1, 1, x, exact);
    REFERENCE(&network, NULL, 1, 1, x, exact);
    REFERENCE(&network, none, 1, 1, NULL, exact);
    REFERENCE(&network, none, 1, 1, x, NULL);
    call = (rnnc_call){.seq_len = SIZE_MAX / 8, .batch = 2, .x = x};
    cr_expect_eq(rnnc_reference_forward(&network, none, &call, exact, NULL, NULL),
                 RNNC_ERR_OVERFLOW);
    cr_expect_eq(rnnc_reference_forward(&network, none, NULL, exact, NULL, NULL),
                 RNNC_ERR_ARGUMENT);
}

/* Two threads with a network each, on the same weights. */
static problem shared;
static float *shared_weights;
static rnnc_layer shared_layer;
static rnnc_network shared_network;

static void *run_often(void *unused) {
    (void)unused;
    const size_t states = problem_state_count(&shared), ys = problem_y_count(&shared);
    float *const y = malloc(ys * sizeof *y), *const hn = malloc(states * sizeof *hn);
    void *const workspace =
        malloc(rnnc_generic_workspace_size(&shared_network, shared.seq_len, shared.batch));
    for (int i = 0; i < 50; i++) {
        memset(y, 0xFF, ys * sizeof *y);
        const rnnc_call call = {.weights = shared_weights,
                                .seq_len = shared.seq_len,
                                .batch = shared.batch,
                                .x = shared.x,
                                .h0 = shared.h0,
                                .y = y,
                                .hn = hn,
                                .workspace = workspace};
        cr_assert_eq(rnnc_generic_forward(&shared_network, NULL, &call), RNNC_OK);
        cr_assert(max_error(y, shared.y, ys) <= 2e-6);
        cr_assert(max_error(hn, shared.hn, states) <= 2e-6);
    }
    free(workspace);
    free(hn);
    free(y);
    return NULL;
}

Test(runtime_networks, threads) {
    const rnnc_config config = {RNNC_GRU, 6, 21, 2, 1, 0, 1, 0};
    rng r = {.state = 99};
    shared = problem_make(&config, 7, 3, true, &r);
    problem_solve(&shared);
    shared_network = problem_network(&config, &shared_layer);
    shared_weights = malloc(rnnc_generic_prepared_count(&shared_network) * sizeof(float));
    cr_assert_eq(rnnc_generic_prepare(&shared_network, weights_of(&shared), shared_weights),
                 RNNC_OK);
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, run_often, NULL), 0);
    for (size_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    free(shared_weights);
    problem_free(&shared);
}
