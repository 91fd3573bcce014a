/* What a recurrent layer may be besides PyTorch's: fixed networks for each option, of which every
 * one is generated for lanes of units (batch "any", with lengths) and lanes of sequences (a fixed
 * batch), and runs whole, in pieces and by steps; generic networks and the reference too. The
 * answers are those of the double oracle. */
#include "support/check.h"
#include "support/driver.h"
#include "support/guard.h"
#include "support/model_run.h"
#include "support/model_stream.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct option {
    const char *name;
    size_t count;
    rnnc_layer layer[3];
} option;

#define RNN(...)                                                                                   \
    {                                                                                              \
        .kind = RNNC_RECURRENT, .recurrent = { __VA_ARGS__ }                                       \
    }
#define HEAD(from, to, ...)                                                                        \
    { .kind = RNNC_DENSE, .inputs = from, .outputs = to, .bias = 1, __VA_ARGS__ }

#define FUNCTIONS(g, n, o) .own_functions = 1, .gate = {g}, .candidate = {n}, .output = {o}
#define LINEAR RNNC_IDENTITY, 0, 0
#define TANH RNNC_TANH, 0, 0
#define SIGMOID RNNC_SIGMOID, 0, 0
#define RELU RNNC_RELU, 0, 0
#define SOFT RNNC_SOFTSIGN, 0, 0
#define HARD(slope) RNNC_HARD_SIGMOID, slope, 0.375f
#define ELU(alpha) RNNC_ELU, alpha, 0

static const option networks[] = {
    /* reset_after = false: inputs in the step and before it, no bias, panels of several vectors and
     * rows, columns left over. */
    {"reset_before", 1, {RNN(RNNC_GRU, 3, 21, 2, .bias = 1, .reset_before = 1)}},
    {"reset_before_wide", 1, {RNN(RNNC_GRU, 19, 70, 1, .bias = 1, .reset_before = 1)}},
    {"reset_before_both",
     3,
     {RNN(RNNC_GRU, 9, 5, 2, .bidirectional = 1, .reset_before = 1),
      HEAD(10, 8, .activation = RNNC_SIGMOID),
      RNN(RNNC_GRU, 8, 8, 1, .bias = 1, .reverse = 1, .reset_before = 1)}},
    /* peepholes: gates grouped or not, without bias, projected in none of them. */
    {"peepholes", 1, {RNN(RNNC_LSTM, 3, 20, 2, .bias = 1, .peepholes = 1)}},
    {"peepholes_both",
     2,
     {RNN(RNNC_LSTM, 9, 37, 1, .bidirectional = 1, .peepholes = 1),
      RNN(RNNC_LSTM, 74, 5, 1, .bias = 1, .peepholes = 1)}},
    /* layer_norm: inputs that are never in the step, units that do and do not fill vectors, groups
     * of gates of a gru, states carried both ways, functions and a clip beside it, other cells
     * around. */
    {"norm_lstm", 1, {RNN(RNNC_LSTM, 3, 20, 2, .layer_norm = 1, .norm_eps = 1e-5f)}},
    {"norm_state",
     2,
     {RNN(RNNC_LSTM, 9, 37, 1, .bidirectional = 1, .layer_norm = 1, .norm_eps = 0.0625f,
          .norm_state = 1),
      RNN(RNNC_LSTM, 74, 16, 1, .layer_norm = 1, .norm_eps = 1e-3f, .clip = 0.75f,
          FUNCTIONS(HARD(0.2f), SOFT, ELU(0.5f)))}},
    {"norm_gru",
     3,
     {RNN(RNNC_GRU, 3, 21, 2, .layer_norm = 1, .norm_eps = 1e-5f),
      RNN(RNNC_GRU, 21, 8, 1, .bias = 1),
      RNN(RNNC_GRU, 8, 34, 1, .reverse = 1, .layer_norm = 1, .norm_eps = 0.01f)}},
    /* Functions of gates, candidates and cell states, and a clip: in all cells, of units and of
     * sequences, with inputs in the step and before it, besides other options. */
    {"gates_hard", 1, {RNN(RNNC_LSTM, 3, 20, 2, .bias = 1, FUNCTIONS(HARD(0.2f), TANH, TANH))}},
    {"gates_lstm",
     2,
     {RNN(RNNC_LSTM, 19, 37, 1, .bidirectional = 1, .peepholes = 1, .clip = 0.75f,
          FUNCTIONS(TANH, SOFT, RELU)),
      RNN(RNNC_LSTM, 74, 5, 1, .bias = 1, FUNCTIONS(SIGMOID, LINEAR, ELU(0.5f)))}},
    {"gates_gru",
     3,
     {RNN(RNNC_GRU, 3, 21, 2, .bias = 1, FUNCTIONS(HARD(0.25f), SOFT, LINEAR)),
      RNN(RNNC_GRU, 21, 9, 1, .bias = 1, .reset_before = 1, .clip = 0.5f,
          FUNCTIONS(SOFT, SIGMOID, LINEAR)),
      RNN(RNNC_GRU, 9, 12, 1, .clip = 0.125f)}},
    {"gates_rnn",
     3,
     {RNN(RNNC_RNN_TANH, 4, 9, 2, .clip = 0.375f),
      RNN(RNNC_RNN_TANH, 9, 18, 1, .bias = 1, FUNCTIONS(LINEAR, SIGMOID, LINEAR)),
      RNN(RNNC_RNN_TANH, 18, 6, 1, .bidirectional = 1, FUNCTIONS(LINEAR, LINEAR, LINEAR))}},
    /* direction = "reverse": alone, where every stage runs a chunk before the next chunk; below and
     * above a forward layer, and with both directions, where stages follow each other. */
    {"reverse", 1, {RNN(RNNC_GRU, 3, 21, 2, .bias = 1, .reverse = 1)}},
    {"reverse_ends",
     2,
     {RNN(RNNC_LSTM, 4, 9, 1, .bias = 1, .reverse = 1),
      HEAD(9, 3, .activation = RNNC_SOFTMAX, .last_state = 1)}},
    {"reverse_last", 2, {RNN(RNNC_RNN_TANH, 4, 9, 2, .reverse = 1), HEAD(9, 3, .last_step = 1)}},
    {"reverse_mixed",
     3,
     {RNN(RNNC_LSTM, 4, 18, 1, .bias = 1), RNN(RNNC_GRU, 18, 5, 3, .bias = 1, .reverse = 1),
      RNN(RNNC_RNN_RELU, 5, 7, 1, .bias = 1)}},
    {"reverse_both",
     3,
     {RNN(RNNC_GRU, 4, 6, 1, .bias = 1, .reverse = 1),
      RNN(RNNC_LSTM, 6, 5, 1, .bias = 1, .bidirectional = 1), HEAD(10, 4, .last_state = 1)}},
};

enum { NETWORKS = sizeof networks / sizeof *networks };

/* How each one is generated; batch 0: any. */
static const struct {
    const char *name, *target;
    size_t batch;
    bool lengths, threads;
} kinds[] = {
    {"any", "portable", 0, true, false},
    {"block", "portable", 9, false, true},
    {"one", "avx2", 1, false, false},
    {"wide", "avx512", 17, false, false},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

ParameterizedTestParameters(generated_options, networks) {
    size_t *const number = cr_malloc(NETWORKS * sizeof *number);
    for (size_t i = 0; i < NETWORKS; i++)
        number[i] = i;
    return cr_make_param_array(size_t, number, NETWORKS, NULL);
}

static bool generate_kind(const option *n, const model *m, size_t kind, const char *dir,
                          rnnc_error *err) {
    char fields[256], batch[32] = "\"any\"";
    const model_sizes s = model_sizes_of(m);
    if (kinds[kind].batch)
        snprintf(batch, sizeof batch, "%zu", kinds[kind].batch);
    snprintf(fields, sizeof fields,
             "name = \"%s_%s\", batch = %s, target = \"%s\", lengths = %s, threads = %d,", n->name,
             kinds[kind].name, batch, kinds[kind].target, kinds[kind].lengths ? "true" : "false",
             kinds[kind].threads ? 2 : 1);
    char name[64];
    snprintf(name, sizeof name, "%s_%s", n->name, kinds[kind].name);
    const driver_shape shape = {.name = name,
                                .states = s.c ? "hc" : "h",
                                .fixed_batch = kinds[kind].batch != 0,
                                .lengths = kinds[kind].lengths,
                                .step = kinds[kind].batch && !s.last_step && !s.backwards};
    char *const text = model_text(m, fields);
    const bool ok =
        generate_text(name, text, "none", dir, err) && driver_write_shape(&shape, dir, err);
    free(text);
    return ok;
}

/* The largest answer, at least 1: rounding errors grow with it. */
static double magnitude(const model *m) {
    double largest = 1;
    for (size_t i = 0; i < model_y_count(m); i++)
        largest = fmax(largest, fabs(m->y[i]));
    return largest;
}

static double worst_of(const double *got, const double *want, size_t n) {
    double worst = 0;
    for (size_t i = 0; i < n; i++)
        if (!(fabs(got[i] - want[i]) <= worst))
            worst = isnan(got[i]) ? (double)INFINITY : fabs(got[i] - want[i]);
    return worst;
}

/* The generic network and the reference, by the description of the generated one. */
static void check_runtime(const rnnc_network *network, const model *m, const char *what) {
    const model_sizes s = model_sizes_of(m);
    const size_t counts[] = {model_y_count(m), m->batch * s.h, m->batch * s.c};
    const size_t total = counts[0] + counts[1] + counts[2];
    const double *const want[] = {m->y, m->hn, m->cn};
    guard out = guard_floats(NULL, total);
    guard prepared = guard_floats(NULL, rnnc_generic_prepared_count(network));
    guard workspace = guard_make(rnnc_generic_workspace_size(network, m->seq_len, m->batch), 3);
    double *const exact = malloc(total * sizeof *exact), *const wide = malloc(total * sizeof *wide);
    float *const y = out.data;
    cr_assert(exact && wide);
    const float *const *const tensors = (const float *const *)m->values;
    cr_assert_eq(rnnc_generic_prepare(network, tensors, prepared.data), RNNC_OK);
    const rnnc_call call = {.weights = prepared.data,
                            .seq_len = m->seq_len,
                            .batch = m->batch,
                            .lengths = m->lengths,
                            .x = m->x,
                            .h0 = m->h0,
                            .c0 = m->c0,
                            .y = y,
                            .hn = y + counts[0],
                            .cn = counts[2] ? y + counts[0] + counts[1] : NULL,
                            .workspace = workspace.data};
    cr_assert_eq(rnnc_generic_forward(network, NULL, &call), RNNC_OK, "%s", what);
    cr_assert_eq(rnnc_reference_forward(network, tensors, &call, exact, exact + counts[0],
                                        counts[2] ? exact + counts[0] + counts[1] : NULL),
                 RNNC_OK, "%s", what);
    for (size_t i = 0; i < total; i++)
        wide[i] = (double)y[i];
    for (size_t i = 0, at = 0; i < 3; at += counts[i++]) {
        const double generic = worst_of(wide + at, want[i], counts[i]);
        const double reference = worst_of(exact + at, want[i], counts[i]);
        cr_expect(generic <= 4e-6 * magnitude(m), "%s, generic: part %zu is off by %g", what, i,
                  generic);
        cr_expect(reference <= 1e-12 * magnitude(m), "%s, reference: part %zu is off by %g", what,
                  i, reference);
    }
    cr_expect(guard_intact(&out) && guard_intact(&workspace) && guard_intact(&prepared), "%s",
              what);
    guard_free(&out);
    guard_free(&prepared);
    guard_free(&workspace);
    free(exact);
    free(wide);
}

static void check_kind(const option *n, size_t kind, model *m, void *library, rng *r) {
    rnnc_error err = {RNNC_OK, ""};
    char name[64];
    snprintf(name, sizeof name, "%s_%s", n->name, kinds[kind].name);
    crash_context(name);
    const model_sizes s = model_sizes_of(m);
    const rnnc_model *const net = library_model(library, name, &err);
    const driver d = driver_open(library, name);
    bool ok = net && model_described(net, m, &err);
    cr_assert(ok, "%s: %s", name, err.message);
    float *const packed = model_pack(net, m);
    /* More steps than a chunk has; sequences that fill a block and some more. */
    static const size_t runs[][2] = {{1, 1}, {7, 3}, {70, 9}, {150, 21}};
    for (size_t i = 0; ok && i < sizeof runs / sizeof *runs; i++) {
        model_resize(m, runs[i][0], kinds[kind].batch ? kinds[kind].batch : runs[i][1], i % 2, r);
        if (kinds[kind].lengths && i > 1)
            model_set_lengths(m, r);
        model_solve(m);
        ok = model_run_all_ways(net, packed, m, 4e-6 * magnitude(m), &err);
        if (ok && kinds[kind].batch && !s.last_step && !s.backwards)
            ok = model_check_stream(net, packed, &d, true, m, r, &err);
        cr_expect(ok, "%s, T %zu, B %zu: %s", name, m->seq_len, m->batch, err.message);
        if (kind == 0)
            check_runtime(&net->network, m, name);
    }
    free(packed);
    crash_context(NULL);
}

ParameterizedTest(size_t *number, generated_options, networks, .timeout = 300) {
    const option *const n = &networks[*number];
    char dir[PATH_SIZE];
    rnnc_error err;
    rng r = {.state = 11};
    model m = model_make(n->layer, n->count, false, 0, 1, 1, false, &r);
    workdir_make(dir);
    for (size_t k = 0; k < KINDS; k++)
        cr_assert(!target_runs(kinds[k].target) || generate_kind(n, &m, k, dir, &err), "%s: %s",
                  n->name, err.message);
    void *const library = build_library(NULL, "-O1", dir, NULL, &err);
    workdir_remove(dir);
    cr_assert(library, "%s", err.message);
    for (size_t k = 0; k < KINDS; k++)
        if (target_runs(kinds[k].target))
            check_kind(n, k, &m, library, &r);
    close_library(library);
    model_free(&m);
}
