/* What generated networks do with states too small to matter: those that decay end at 0 before they
 * are subnormal numbers, which would make every further step many times as slow; those that grow
 * are let grow. */
#include "support/network.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE__
#include <xmmintrin.h>
#endif

static const char *const targets[] = {"scalar", "portable", "avx2", "avx512"};
static const rnnc_cell cells[] = {RNNC_RNN_TANH, RNNC_RNN_RELU, RNNC_LSTM, RNNC_GRU};

enum { TARGETS = sizeof targets / sizeof *targets, CELLS = sizeof cells / sizeof *cells };

static void scale_all(float *values, size_t n, float factor) {
    for (size_t i = 0; i < n; i++)
        values[i] *= factor;
}

/* States that nothing feeds decay; biases would keep them up, so there are none. */
Test(generated_small, decaying_states_end_at_zero, .timeout = 240) {
    enum { UNITS = 18, STEPS = 700, BATCH = 3 };
    for (int t = 0; t < TARGETS; t++) {
        for (size_t c = 0; target_runs(targets[t]) && c < CELLS; c++) {
            const rnnc_config config = {cells[c], 5, UNITS, 1, 0, 0, 0, 0};
            rng r = {.state = 7 + c};
            rnnc_error err;
            problem p = problem_make(&config, STEPS, BATCH, true, &r);
            memset(p.x, 0, problem_x_count(&p) * sizeof(float));
            scale_all(p.weight[1], config.cell == RNNC_LSTM ? 72 * 18 : 18 * 18, 0.2f);
            const spec as = spec_for(&p, "still", targets[t], false, false, "none");
            network n;
            cr_assert(network_open(&n, &as, &p, NULL, "-O1", &err), "%s", err.message);
            float *const y = malloc(sizeof(float) * problem_y_count(&p));
            float *const cn = malloc(sizeof(float) * UNITS * BATCH);
            void *const workspace = malloc(n.model->workspace_size(STEPS, BATCH));
            cr_assert(y && cn && workspace);
            const rnnc_call call = {.weights = n.packed,
                                    .seq_len = STEPS,
                                    .batch = BATCH,
                                    .x = p.x,
                                    .h0 = p.h0,
                                    .c0 = p.c0,
                                    .y = y,
                                    .cn = cn,
                                    .workspace = workspace};
            cr_assert_eq(n.model->forward(&call), RNNC_OK);
            for (size_t i = 0; i < problem_y_count(&p); i++)
                cr_assert(!isnan(y[i]) && fpclassify(y[i]) != FP_SUBNORMAL, "%s: %g in step %zu",
                          spec_line(&as), (double)y[i], i / (UNITS * BATCH));
            for (size_t i = 0; i < (size_t)UNITS * BATCH; i++) {
                const float last = y[problem_y_count(&p) - 1 - i];
                cr_assert(last == 0.0f, "%s: %g is left of h", spec_line(&as), (double)last);
                cr_assert(!p.c0 || cn[i] == 0.0f, "%s: %g is left of c", spec_line(&as),
                          (double)cn[i]);
            }
            cr_expect(fabsf(y[0]) > 1e-6f, "%s: nothing decayed", spec_line(&as));
            free(y);
            free(cn);
            free(workspace);
            network_close(&n);
            problem_free(&p);
        }
    }
}

/* What other functions make of states and sums of 0 is not lost: a sigmoid of 0 is a half. All
 * inputs, states and weights are 0, and so are the sums, in every step of the first unit. */
Test(generated_small, functions_of_nothing, .timeout = 240) {
    static const rnnc_function sigmoid = {RNNC_SIGMOID, 0, 0}, tanh_of = {RNNC_TANH, 0, 0};
    static const rnnc_function hard = {RNNC_HARD_SIGMOID, 0.2f, 0.5f},
                               linear = {RNNC_IDENTITY, 0, 0};
    const rnnc_config configs[] = {
        {RNNC_RNN_TANH, 2, 5, 1, .own_functions = 1, .candidate = sigmoid},
        {RNNC_LSTM, 2, 5, 1, .own_functions = 1, .gate = sigmoid, .candidate = hard,
         .output = linear},
        {RNNC_LSTM, 2, 5, 1, .own_functions = 1, .gate = hard, .candidate = tanh_of,
         .output = sigmoid},
        {RNNC_GRU, 2, 5, 1, .own_functions = 1, .gate = sigmoid, .candidate = hard},
        {RNNC_GRU, 2, 5, 1, .reset_before = 1, .own_functions = 1, .gate = hard,
         .candidate = sigmoid}};
    enum { CONFIGS = sizeof configs / sizeof *configs };
    for (size_t k = 0; k < 2 * TARGETS * CONFIGS; k++) {
        if (!target_runs(targets[k / 2 % TARGETS]))
            continue;
        rng r = {.state = 3 + k};
        rnnc_error err;
        problem p = problem_make(&configs[k / 2 / TARGETS], 3, k % 2 ? 17 : 1, false, &r);
        memset(p.x, 0, problem_x_count(&p) * sizeof(float));
        for (size_t w = 0; w < p.weight_count; w++) {
            const rnnc_weight tensor = problem_weight(&p.config, w);
            memset(p.weight[w], 0, tensor.rows * (tensor.cols ? tensor.cols : 1) * sizeof(float));
        }
        problem_solve(&p);
        const spec as = spec_for(&p, "nothing", targets[k / 2 % TARGETS], false, false, "none");
        network n;
        cr_assert(network_open(&n, &as, &p, NULL, "-O1", &err), "%s", err.message);
        float *const y = malloc(sizeof(float) * problem_y_count(&p));
        void *const workspace = malloc(n.model->workspace_size(p.seq_len, p.batch));
        cr_assert(y && workspace);
        const rnnc_call call = {.weights = n.packed,
                                .seq_len = p.seq_len,
                                .batch = p.batch,
                                .x = p.x,
                                .y = y,
                                .workspace = workspace};
        cr_assert_eq(n.model->forward(&call), RNNC_OK);
        for (size_t i = 0; i < problem_y_count(&p); i++)
            cr_assert(fabs((double)y[i] - p.y[i]) <= 1e-6 && fabs(p.y[i]) > 0.1,
                      "%s: value %zu is %g for %g", spec_line(&as), i, (double)y[i], p.y[i]);
        free(workspace);
        free(y);
        network_close(&n);
        problem_free(&p);
    }
}

/* A network whose units keep 0.9 of their states a step, which begin at 1e-28: an rnn by the unit's
 * own weight, lstm by gate f, gru by gate z. */
static problem fading_problem(rnnc_cell cell, size_t batch, rng *r) {
    enum { UNITS = 20 };
    const bool gates = problem_gates(cell) > 1;
    const rnnc_config config = {cell, 3, UNITS, 1, 1, 0, 0, 0};
    problem p = problem_make(&config, 1, batch, true, r);
    memset(p.x, 0, sizeof(float) * problem_x_count(&p));
    memset(p.weight[2], 0, sizeof(float) * problem_gates(cell) * UNITS);
    memset(p.weight[3], 0, sizeof(float) * problem_gates(cell) * UNITS);
    scale_all(p.weight[1], problem_gates(cell) * UNITS * UNITS, 0.05f);
    for (size_t i = 0; i < UNITS; i++) {
        if (gates)
            p.weight[2][UNITS + i] = logf(9.0f);
        else
            p.weight[1][i * UNITS + i] = 0.9f;
    }
    for (size_t i = 0; i < problem_state_count(&p); i++) {
        p.h0[i] = 1e-28f * (0.75f + 0.25f * p.h0[i]);
        if (p.c0)
            p.c0[i] = p.h0[i];
    }
    return p;
}

/* Of 1000 steps of silence few meet subnormal numbers: no more than it takes states to get where
 * they become 0. The processor says so in its flags. */
#ifdef __SSE__
Test(generated_small, fading_states_are_not_slow, .timeout = 240) {
    enum { STEPS = 1000, DENORMAL = 2, UNDERFLOW = 16 };
    for (size_t k = 0; k < 2 * TARGETS * CELLS; k++) {
        const char *const target = targets[k / 2 % TARGETS];
        if (!target_runs(target))
            continue;
        rng r = {.state = 40 + k};
        rnnc_error err;
        problem p = fading_problem(cells[k / 2 / TARGETS], k % 2 ? 19 : 1, &r);
        const spec as = spec_for(&p, "fades", target, false, false, "none");
        network n;
        cr_assert(network_open(&n, &as, &p, NULL, "-O1", &err), "%s", err.message);
        float *const y = malloc(sizeof(float) * problem_y_count(&p));
        void *const workspace = calloc(1, n.model->workspace_size(1, p.batch));
        cr_assert(y && workspace);
        const rnnc_call call = {.weights = n.packed,
                                .seq_len = 1,
                                .batch = p.batch,
                                .x = p.x,
                                .h0 = p.h0,
                                .c0 = p.c0,
                                .y = y,
                                .hn = p.h0,
                                .cn = p.c0,
                                .workspace = workspace};
        size_t slow = 0;
        for (size_t t = 0; t < STEPS; t++) {
            _mm_setcsr(_mm_getcsr() & ~(unsigned)(DENORMAL | UNDERFLOW));
            cr_assert_eq(n.model->forward(&call), RNNC_OK);
            slow += (_mm_getcsr() & (DENORMAL | UNDERFLOW)) != 0;
        }
        for (size_t i = 0; i < problem_y_count(&p); i++)
            cr_assert(y[i] == 0.0f, "%s: %g is left", spec_line(&as), (double)y[i]);
        cr_expect(slow <= STEPS / 5, "%s: %zu steps met subnormal numbers", spec_line(&as), slow);
        free(workspace);
        free(y);
        network_close(&n);
        problem_free(&p);
    }
}
#endif

/* A network without biases in which states grow by themselves, about sixfold a step: each unit by
 * its own, or all by each other, when they turn through 0 while they grow. Gates but the
 * candidate's are at one half. */
static problem growing_problem(rnnc_cell cell, bool turns, size_t steps, size_t batch, rng *r) {
    enum { UNITS = 11 };
    const rnnc_config config = {cell, 3, UNITS, 1, 0, 0, 0, 0};
    const size_t candidate = (problem_gates(cell) > 1 ? 2 : 0) * UNITS;
    const float factor = cell == RNNC_RNN_TANH || cell == RNNC_RNN_RELU ? 6.5f : 24.0f;
    problem p = problem_make(&config, steps, batch, true, r);
    memset(p.x, 0, sizeof(float) * problem_x_count(&p));
    memset(p.weight[1], 0, sizeof(float) * problem_gates(cell) * UNITS * UNITS);
    for (size_t i = 0; i < UNITS; i++)
        for (size_t j = 0; j < UNITS; j++)
            p.weight[1][(candidate + i) * UNITS + j] = turns    ? rng_float(r, factor / 2)
                                                       : i == j ? factor
                                                                : 0.0f;
    for (size_t i = 0; i < problem_state_count(&p); i++) {
        p.h0[i] = turns ? 1e-28f * p.h0[i] : 1e-33f * (1.5f + 0.5f * p.h0[i]);
        if (p.c0)
            p.c0[i] = p.h0[i];
    }
    return p;
}

/* What becomes 0 is too small for anybody to see: states grow out of almost nothing as the double
 * oracle's do, each step of each sequence within 1e-4 of its largest unit. */
Test(generated_small, states_grow_from_almost_nothing, .timeout = 240) {
    for (size_t k = 0; k < 4 * TARGETS * CELLS; k++) {
        const char *const target = targets[k / 4 % TARGETS];
        const bool turns = k % 2;
        if (!target_runs(target))
            continue;
        /* The same numbers for all targets. */
        rng r = {.state = 20 + k / 4 / TARGETS * 12 + k % 4};
        rnnc_error err;
        problem p =
            growing_problem(cells[k / 4 / TARGETS], turns, turns ? 24 : 38, k / 2 % 2 ? 19 : 1, &r);
        problem_solve(&p);
        const spec as = spec_for(&p, "grows", target, false, false, "none");
        network n;
        cr_assert(network_open(&n, &as, &p, NULL, "-O1", &err), "%s", err.message);
        float *const y = malloc(sizeof(float) * problem_y_count(&p));
        void *const workspace = malloc(n.model->workspace_size(p.seq_len, p.batch));
        cr_assert(y && workspace);
        const rnnc_call call = {.weights = n.packed,
                                .seq_len = p.seq_len,
                                .batch = p.batch,
                                .x = p.x,
                                .h0 = p.h0,
                                .c0 = p.c0,
                                .y = y,
                                .workspace = workspace};
        cr_assert_eq(n.model->forward(&call), RNNC_OK);
        const size_t H = p.config.hidden_size, rows = p.seq_len * p.batch;
        double grown = 0;
        for (size_t row = 0; row < rows; row++) {
            double largest = 0;
            for (size_t i = row * H; i < (row + 1) * H; i++)
                largest = fmax(largest, fabs(p.y[i]));
            for (size_t i = row * H; i < (row + 1) * H; i++)
                cr_assert(fabs((double)y[i] - p.y[i]) <= 1e-4 * largest,
                          "%s: step %zu has %g for %g", spec_line(&as), row / p.batch, (double)y[i],
                          p.y[i]);
            grown = largest;
        }
        cr_expect(grown > (turns ? 1e-20 : 1e-4), "%s: up to %g only", spec_line(&as), grown);
        free(workspace);
        free(y);
        network_close(&n);
        problem_free(&p);
    }
}
