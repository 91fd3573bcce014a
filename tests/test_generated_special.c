/* What generated networks do with NaN, infinities, very large and very small numbers: what PyTorch
 * does, which the double oracle does too, since IEEE arithmetic carries these through. */
#include "support/check.h"
#include "support/network.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const targets[] = {"scalar", "portable", "avx2", "avx512"};

enum { TARGETS = sizeof targets / sizeof *targets };

/* A network in one target. Batch 1 and batches have different kernels, and so may small ones. */
typedef struct shape {
    rnnc_config config;
    size_t seq_len, batch;
    int fixed;
    int target;
    int fast;
} shape;

static const shape shapes[] = {
    {{RNNC_RNN_TANH, 5, 19, 1, 1, 0, 0, 0}, 4, 1, 1, 0, 0},
    {{RNNC_RNN_TANH, 6, 9, 2, 1, 1, 1, 0}, 5, 3, 0, 0, 0},
    {{RNNC_RNN_TANH, 3, 33, 2, 0, 0, 0, 0}, 4, 19, 1, 0, 0},
    {{RNNC_RNN_RELU, 5, 17, 1, 1, 1, 0, 0}, 4, 1, 0, 0, 0},
    {{RNNC_RNN_RELU, 4, 13, 2, 1, 0, 1, 0}, 5, 16, 1, 0, 0},
    {{RNNC_RNN_RELU, 7, 30, 2, 0, 1, 0, 0}, 3, 5, 0, 0, 0},
    {{RNNC_LSTM, 5, 13, 2, 1, 0, 0, 0}, 4, 3, 0, 0, 0},
    {{RNNC_LSTM, 3, 9, 1, 1, 1, 0, 0}, 4, 16, 1, 0, 0},
    {{RNNC_GRU, 5, 13, 2, 1, 1, 0, 0}, 4, 3, 0, 0, 0},
    {{RNNC_GRU, 3, 9, 1, 1, 0, 1, 0}, 4, 16, 1, 0, 0},
    /* more than a block of sequences, in either kernel */
    {{RNNC_RNN_TANH, 4, 11, 2, 1, 1, 0, 0}, 3, 41, 1, 0, 0},
    {{RNNC_RNN_TANH, 6, 11, 2, 1, 0, 0, 0}, 3, 41, 0, 0, 0},
    /* activation = "fast" */
    {{RNNC_RNN_TANH, 5, 19, 1, 1, 0, 0, 0}, 4, 1, 1, 0, 1},
    {{RNNC_RNN_TANH, 3, 33, 2, 0, 0, 0, 0}, 4, 19, 1, 0, 1},
    {{RNNC_LSTM, 5, 13, 2, 1, 0, 0, 0}, 4, 3, 0, 0, 1},
    {{RNNC_LSTM, 3, 9, 1, 1, 1, 0, 0}, 4, 16, 1, 0, 1},
    {{RNNC_GRU, 5, 13, 2, 1, 1, 0, 0}, 4, 3, 0, 0, 1},
    {{RNNC_GRU, 3, 9, 1, 1, 0, 1, 0}, 4, 16, 1, 0, 1},
};

enum { SHAPES = sizeof shapes / sizeof *shapes };

ParameterizedTestParameters(generated_special, values) {
    shape *const all = cr_malloc(sizeof(shape) * SHAPES * TARGETS);
    size_t n = 0;
    for (size_t i = 0; i < SHAPES; i++) {
        for (int t = 0; t < TARGETS; t++) {
            if (target_runs(targets[t])) {
                all[n] = shapes[i];
                all[n++].target = t;
            }
        }
    }
    return cr_make_param_array(shape, all, n, NULL);
}

/* Where x[t][b][i] lies. */
static size_t x_index(const problem *p, size_t t, size_t b, size_t i) {
    const size_t row = p->config.batch_first ? b * p->seq_len + t : t * p->batch + b;
    return row * p->config.input_size + i;
}

/* Largest finite magnitude of the answers, at least 1: rounding errors grow with it. */
static double magnitude(const problem *p) {
    double largest = 1.0;
    for (size_t i = 0; i < problem_y_count(p); i++)
        if (isfinite(p->y[i]) && fabs(p->y[i]) > largest)
            largest = fabs(p->y[i]);
    for (size_t i = 0; i < problem_state_count(p); i++)
        if (isfinite(p->hn[i]) && fabs(p->hn[i]) > largest)
            largest = fabs(p->hn[i]);
    return largest;
}

static void expect_right(const network *n, problem *p, double tolerance, const char *what) {
    static const variation plain = {0};
    rnnc_error err;
    problem_solve(p);
    cr_expect(check_network(n->model, n->packed, p, &plain, tolerance * magnitude(p), NULL, &err),
              "%s, %s: %s", n->model->target, what, err.message);
}

/* One element of x at a time, in a row of the batch that is neither first nor last if it can be. */
static void one_element_of_x(const network *n, problem *p, float value, double tolerance,
                             const char *what) {
    const size_t places[][3] = {{0, p->batch / 2, 0},
                                {1, p->batch / 2, p->config.input_size - 1},
                                {p->seq_len - 1, p->batch - 1, 0}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        float *const at = &p->x[x_index(p, places[i][0], places[i][1], places[i][2])];
        const float saved = *at;
        *at = value;
        expect_right(n, p, tolerance, what);
        *at = saved;
    }
}

/* One element of h0: of each layer and direction in turn, the last unit of a middle row. */
static void one_element_of_h0(const network *n, problem *p, float value, double tolerance,
                              const char *what) {
    const size_t hidden = p->config.hidden_size;
    for (size_t at = (p->batch / 2 + 1) * hidden - 1; at < problem_state_count(p);
         at += p->batch * hidden) {
        const float saved = p->h0[at];
        p->h0[at] = value;
        expect_right(n, p, tolerance, what);
        p->h0[at] = saved;
    }
}

static void scale_all(float *values, size_t n, float factor) {
    for (size_t i = 0; i < n; i++)
        values[i] *= factor;
}

ParameterizedTest(shape *s, generated_special, values, .timeout = 120) {
    rng r = {.state = s->config.hidden_size};
    rnnc_error err;
    problem p = problem_make(&s->config, s->seq_len, s->batch, true, &r);
    spec as = spec_for(&p, "special", targets[s->target], s->fixed, s->fixed, "none");
    as.fast = s->fast;
    const double tolerance = s->fast ? 3e-5 : 1e-5;
    network n;
    cr_assert(network_open(&n, &as, &p, NULL, "-O1", &err), "%s", err.message);
    crash_context("generated_special");
    one_element_of_x(&n, &p, NAN, tolerance, "NaN in x");
    one_element_of_x(&n, &p, INFINITY, tolerance, "infinity in x");
    one_element_of_x(&n, &p, -INFINITY, tolerance, "-infinity in x");
    one_element_of_h0(&n, &p, NAN, tolerance, "NaN in h0");
    /* In gru an infinite state meets a gate of 0, which is NaN; fast gates stay above 0. */
    if (s->config.cell != RNNC_GRU || !s->fast) {
        one_element_of_h0(&n, &p, INFINITY, tolerance, "infinity in h0");
        one_element_of_h0(&n, &p, -INFINITY, tolerance, "-infinity in h0");
    }
    scale_all(p.x, problem_x_count(&p), 1e30f);
    expect_right(&n, &p, tolerance, "x of 1e30");
    scale_all(p.x, problem_x_count(&p), 1e-29f); /* now of magnitude 10 */
    expect_right(&n, &p, tolerance, "x of 10");
    crash_context(NULL);
    network_close(&n);
    problem_free(&p);
}

/* A NaN in a weight reaches what that weight reaches, and no unit before it. */
Test(generated_special, nan_in_weights, .timeout = 120) {
    const rnnc_config config = {RNNC_RNN_TANH, 4, 21, 2, 1, 0, 0, 0};
    rng r = {.state = 5};
    rnnc_error err;
    problem p = problem_make(&config, 3, 5, true, &r);
    const spec as = spec_for(&p, "weights", "portable", false, false, "none");
    network n;
    cr_assert(network_open(&n, &as, &p, NULL, "-O1", &err), "%s", err.message);
    for (size_t i = 0; i < p.weight_count; i++) {
        const float saved = p.weight[i][0];
        p.weight[i][0] = NAN;
        free(n.packed);
        n.packed = pack_weights(n.model, &p);
        expect_right(&n, &p, 1e-5, problem_weight(&config, i).name);
        p.weight[i][0] = saved;
    }
    network_close(&n);
    problem_free(&p);
}

/* A NaN in the bias of any gate, of any unit, reaches the output although all states are 0, and so
 * does one in a recurrent weight that meets a state of 0. */
Test(generated_special, nan_in_gates_of_tiny_states, .timeout = 240) {
    enum { UNITS = 11 };
    static const rnnc_cell all[] = {RNNC_RNN_TANH, RNNC_RNN_RELU, RNNC_LSTM, RNNC_GRU};
    /* With other functions and a clip too, which keep NaN. */
    enum { CELLS = sizeof all / sizeof *all };
    for (size_t k = 0; k < 4 * TARGETS * CELLS; k++) {
        const char *const target = targets[k / 2 % TARGETS];
        if (!target_runs(target))
            continue;
        rnnc_config config = {all[k / 2 / TARGETS % CELLS], 3, UNITS, 1, 1, 0, 0, 0};
        if (k >= 2 * TARGETS * CELLS) {
            config.clip = 0.5f;
            config.own_functions = config.cell != RNNC_RNN_RELU;
            config.gate = (rnnc_function){RNNC_HARD_SIGMOID, 0.2f, 0.5f};
            config.candidate = config.output = (rnnc_function){RNNC_SOFTSIGN, 0};
        }
        rng r = {.state = 9};
        rnnc_error err;
        problem p = problem_make(&config, 2, k % 2 ? 19 : 1, true, &r);
        for (size_t w = 0; w < p.weight_count; w++) {
            const rnnc_weight tensor = problem_weight(&config, w);
            memset(p.weight[w], 0, sizeof(float) * tensor.rows * (tensor.cols ? tensor.cols : 1));
        }
        memset(p.h0, 0, sizeof(float) * problem_state_count(&p));
        if (p.c0)
            memset(p.c0, 0, sizeof(float) * problem_state_count(&p));
        spec as = spec_for(&p, "gates", target, false, false, "none");
        as.fast = k / 2 % 2;
        network n;
        cr_assert(network_open(&n, &as, &p, NULL, "-O1", &err), "%s", err.message);
        const size_t gates = problem_gates(config.cell);
        for (size_t at = 0; at < 2 * gates; at++) {
            const size_t row = at / 2 * UNITS + UNITS - 1;
            float *const place =
                at % 2 ? &p.weight[1][row * UNITS] : &p.weight[3][row]; /* W_hh, b_hh */
            *place = NAN;
            free(n.packed);
            n.packed = pack_weights(n.model, &p);
            expect_right(&n, &p, 1e-5, at % 2 ? "NaN in W_hh" : "NaN in a gate's bias");
            *place = 0;
        }
        network_close(&n);
        problem_free(&p);
    }
}

/* z h + (1 - z) tanh(n) of a gru for gates from closed to open and states of all sizes up to 1e20,
 * where no product may overflow on the way. x has what goes into z and n. */
Test(generated_special, gru_keeps_large_states, .timeout = 240) {
    static const float z[] = {-200, -60, -24, -3, 0, 3, 24, 60, 200},
                       n[] = {-80, -10, 0.5f, 10, 80};
    static const float h[] = {0.5f, -1e6f, 1e15f, 1e20f, -1e20f};
    enum { Z = 9, N = 5, B = Z * N * 5, H = 3 };
    const rnnc_config config = {RNNC_GRU, 2, H, 1, 0, 0, 0, 0};
    for (int t = 0; t < 2 * TARGETS; t++) {
        const char *const target = targets[t / 2];
        if (!target_runs(target))
            continue;
        rng r = {.state = 13};
        rnnc_error err;
        problem p = problem_make(&config, 1, B, true, &r);
        memset(p.weight[0], 0, 3 * H * 2 * sizeof(float));
        memset(p.weight[1], 0, 3 * H * H * sizeof(float));
        for (size_t j = 0; j < H; j++) /* gates r, z, n */
            p.weight[0][(H + j) * 2] = p.weight[0][(2 * H + j) * 2 + 1] = 1;
        for (size_t b = 0; b < B; b++) {
            p.x[2 * b] = z[b % Z];
            p.x[2 * b + 1] = n[b / Z % N];
            for (size_t j = 0; j < H; j++)
                p.h0[b * H + j] = h[b / (Z * N)];
        }
        const spec as = spec_for(&p, "keep", target, t % 2, t % 2, "none");
        network net;
        cr_assert(network_open(&net, &as, &p, NULL, "-O1", &err), "%s", err.message);
        float y[B * H];
        void *const workspace = malloc(net.model->workspace_size(1, B));
        const rnnc_call call = {.weights = net.packed,
                                .seq_len = 1,
                                .batch = B,
                                .x = p.x,
                                .h0 = p.h0,
                                .y = y,
                                .workspace = workspace};
        cr_assert_eq(net.model->forward(&call), RNNC_OK);
        for (size_t i = 0; i < B * H; i++) {
            const double before = (double)p.h0[i], gate = (double)p.x[i / H * 2];
            const double open = 1 / (1 + exp(-gate)), closed = 1 / (1 + exp(gate));
            const double want = open * before + closed * tanh((double)p.x[i / H * 2 + 1]);
            const double error = fabs((double)y[i] - want);
            cr_assert(error <= 2e-6 * fmax(1, fabs(want)),
                      "%s: z of %g, n of %g, h of %g: %g, should be %g", target, gate,
                      (double)p.x[i / H * 2 + 1], before, (double)y[i], want);
        }
        free(workspace);
        network_close(&net);
        problem_free(&p);
    }
}

/* Distance in units in the last place of `want`'s float. */
static double ulps(float got, double want) {
    const float near = fmaxf(fabsf((float)want), FLT_MIN);
    const double ulp = (double)(nextafterf(near, INFINITY) - near);
    return fabs((double)got - want) / ulp;
}

/* With w_ih = 1 and w_hh = 0 a network computes tanh(x): its error over all magnitudes; below
 * 2^-112 it may be 0. */
Test(generated_special, tanh_within_4_ulp, .timeout = 240) {
    enum { B = 40000 };
    const double promised = promised_ulps("tanh");
    cr_expect_eq(promised, 4.0, "README.md says 4");
    for (int t = 0; t < TARGETS; t++) {
        if (!target_runs(targets[t]))
            continue;
        const rnnc_config config = {RNNC_RNN_TANH, 1, 3, 1, 0, 0, 0, 0};
        rng r = {.state = 11};
        rnnc_error err;
        problem p = problem_make(&config, 1, B, false, &r);
        for (size_t j = 0; j < 3; j++)
            p.weight[0][j] = 1.0f;
        memset(p.weight[1], 0, 9 * sizeof(float));
        for (size_t b = 0; b < B; b++) /* all exponents from 2^-149 to 2^7, both signs */
            p.x[b] = ldexpf(1.0f + 0.5f * rng_float(&r, 1.0f), (int)(rng_below(&r, 157)) - 149) *
                     (b % 2 ? -1.0f : 1.0f);
        const spec as = spec_for(&p, "curve", targets[t], false, false, "none");
        network n;
        cr_assert(network_open(&n, &as, &p, NULL, "-O2", &err), "%s", err.message);
        float *const y = malloc(sizeof(float) * B * 3);
        void *const workspace = malloc(n.model->workspace_size(1, B));
        cr_assert(y && workspace);
        const rnnc_call call = {.weights = n.packed,
                                .seq_len = 1,
                                .batch = B,
                                .x = p.x,
                                .y = y,
                                .workspace = workspace};
        cr_assert_eq(n.model->forward(&call), RNNC_OK);
        double worst = 0.0;
        float worst_x = 0.0f;
        for (size_t i = 0; i < (size_t)B * 3; i++) {
            const float x = p.x[i / 3];
            const double e =
                fabsf(x) < 0x1p-112f && y[i] == 0.0f ? 0.0 : ulps(y[i], tanh((double)x));
            if (!(e <= worst)) {
                worst = e;
                worst_x = p.x[i / 3];
            }
        }
        cr_expect(worst <= promised, "%s: tanh(%.9g) is %.2f ulp off", targets[t], (double)worst_x,
                  worst);
        free(workspace);
        free(y);
        network_close(&n);
        problem_free(&p);
    }
}
