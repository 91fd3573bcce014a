/* ONNX models as exporters of PyTorch and Keras arrange them, made here of random networks whose
 * answers the tests' own oracle computes in double. */
#define _XOPEN_SOURCE 700
#include "support/activation.h"
#include "support/cli.h"
#include "support/generate.h"
#include "support/model.h"
#include "support/onnx_export.h"
#include "support/problem.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void expect_near(const char *what, size_t count, const float *got, const double *want,
                        unsigned seed) {
    double largest = 0;
    for (size_t i = 0; i < count; i++) {
        const double error = fabs((double)got[i] - want[i]);
        largest = error <= largest ? largest : error;
    }
    cr_expect(largest <= 1e-5, "case %u: %s differs by %g", seed, what, largest);
}

static float *nan_floats(size_t count) {
    float *const list = malloc((count + 1) * sizeof *list);
    for (size_t i = 0; i < count; i++)
        list[i] = NAN;
    return list;
}

/* Imports, compiles and runs the model, and compares all that it gives. */
static void expect_answers(const model *m, unsigned style, unsigned seed) {
    char dir[PATH_SIZE], path[PATH_SIZE];
    const model_sizes sizes = model_sizes_of(m);
    rnnc_error err;
    workdir_make(dir);
    path_join(path, dir, "net.onnx");
    onnx_bytes bytes = onnx_export(m, style);
    cr_assert(file_write(path, (const char *)bytes.data, bytes.size));
    free(bytes.data);
    outcome o = run(dir, "import", "net.onnx", "--name=net", NULL, NULL);
    cr_assert_eq(o.code, 0, "case %u: %s", seed, o.err);
    cr_expect(strstr(o.out, "(Erf), on which no output depends"), "%s", o.out);
    outcome_free(&o);
    o = run(dir, "compile", "net.lua", NULL, NULL, NULL);
    cr_assert_eq(o.code, 0, "case %u: %s", seed, o.err);
    outcome_free(&o);
    void *const library = build_library(NULL, "-O0", dir, NULL, &err);
    cr_assert(library, "%s", err.message);
    const rnnc_model *const made = library_model(library, "net", &err);
    cr_assert(made, "%s", err.message);
    cr_assert_eq(made->input, sizes.input);
    cr_assert_eq(made->output, sizes.output);
    cr_assert_eq(made->lengths != 0, m->lengths != NULL);
    const size_t y_count = model_y_count(m), h = sizes.h * m->batch, c = sizes.c * m->batch;
    float *const y = nan_floats(y_count), *const hn = nan_floats(h), *const cn = nan_floats(c);
    void *const workspace = malloc(rnnc_model_workspace_size(made, m->seq_len, m->batch));
    const rnnc_call call = {.seq_len = m->seq_len,
                            .batch = m->batch,
                            .tokens = m->tokens,
                            .lengths = m->lengths,
                            .x = m->x,
                            .h0 = style & IN_FILE ? NULL : m->h0,
                            .c0 = style & IN_FILE ? NULL : m->c0,
                            .y = y,
                            .hn = hn,
                            .cn = c ? cn : NULL,
                            .workspace = workspace};
    cr_assert(workspace && rnnc_model_forward(made, &call, &err) == RNNC_OK, "case %u: %s", seed,
              err.message);
    expect_near("y", y_count, y, m->y, seed);
    expect_near("hn", h, hn, m->hn, seed);
    expect_near("cn", c, cn, m->cn, seed);
    free(workspace);
    free(y);
    free(hn);
    free(cn);
    close_library(library);
    workdir_remove(dir);
}

static bool is_of_onnx(rnnc_function f) {
    return f.activation <= RNNC_SIGMOID || f.activation == RNNC_ELU ||
           f.activation == RNNC_LEAKY_RELU || f.activation == RNNC_SOFTPLUS ||
           f.activation == RNNC_HARD_SIGMOID || f.activation == RNNC_SOFTSIGN ||
           f.activation == RNNC_AFFINE;
}

/* A stack of a random kind. */
static rnnc_layer random_stack(rng *r, size_t inputs, size_t hidden) {
    rnnc_layer l = {.kind = RNNC_RECURRENT};
    rnnc_config *const c = &l.recurrent;
    static const rnnc_cell cells[] = {RNNC_RNN_TANH, RNNC_RNN_RELU, RNNC_LSTM, RNNC_GRU};
    c->cell = cells[rng_below(r, 4)];
    c->input_size = inputs;
    c->hidden_size = hidden;
    c->num_layers = 1 + rng_below(r, 2);
    c->bias = rng_below(r, 4) != 0;
    c->bidirectional = rng_below(r, 2) != 0;
    c->reverse = !c->bidirectional && rng_below(r, 3) == 0;
    c->reset_before = c->cell == RNNC_GRU && rng_below(r, 2);
    c->peepholes = c->cell == RNNC_LSTM && rng_below(r, 3) == 0;
    /* Functions that ONNX has. */
    do
        activation_choose_functions(c, r);
    while (c->own_functions &&
           !(is_of_onnx(c->gate) && is_of_onnx(c->candidate) && is_of_onnx(c->output)));
    return l;
}

static size_t width_of(const rnnc_layer *l) {
    return l->kind == RNNC_RECURRENT
               ? l->recurrent.hidden_size * (l->recurrent.bidirectional ? 2 : 1)
               : l->outputs;
}

static void check_case(unsigned seed) {
    rng r = {seed * 7919u + 5};
    rnnc_layer layers[MODEL_LAYERS] = {0};
    size_t count = 0, width = 3;
    const size_t hidden = 2 + rng_below(&r, 5);
    unsigned style = (unsigned)rng_below(&r, STYLES);
    const bool batch_first = rng_below(&r, 2) != 0, lengths = (style & LENGTHS) != 0;
    if (rng_below(&r, 4) == 0) {
        layers[count++] = (rnnc_layer){.kind = RNNC_EMBEDDING, .inputs = 11, .outputs = 4};
        width = 4;
    } else if (rng_below(&r, 4) == 0 && !lengths) {
        layers[count++] = (rnnc_layer){
            .kind = RNNC_DENSE, .inputs = width, .outputs = 4, .bias = 1, .activation = RNNC_RELU};
        width = 4;
    }
    for (size_t n = 1 + rng_below(&r, 2); n > 0; n--) {
        layers[count] = random_stack(&r, width, hidden);
        width = width_of(&layers[count++]);
        if (rng_below(&r, 3) == 0) {
            const rnnc_function f = onnx_function(rng_below(&r, ONNX_FUNCTIONS));
            layers[count++] = (rnnc_layer){.kind = RNNC_ACTIVATION,
                                           .inputs = width,
                                           .outputs = width,
                                           .activation = f.activation,
                                           .alpha = f.alpha,
                                           .beta = f.beta};
        }
    }
    for (size_t n = lengths ? 0 : rng_below(&r, 3); n > 0; n--) {
        rnnc_layer d = {.kind = RNNC_DENSE, .inputs = width, .outputs = 3 + n};
        const bool first = layers[count - 1].kind == RNNC_RECURRENT;
        d.bias = rng_below(&r, 3) != 0;
        d.activation = (rnnc_activation)rng_below(&r, n == 1 ? 6 : 4);
        d.last_step = first && rng_below(&r, 3) == 0;
        d.last_state = first && !d.last_step && rng_below(&r, 2) == 0;
        layers[count++] = d;
        width = d.outputs;
    }
    if (!batch_first)
        style &= ~(unsigned)LAYOUT;
    /* Names of states in that order are not those of rnnc. */
    if (style & LAYOUT && !(style & IN_FILE))
        style &= ~(unsigned)GIVEN;
    if (!(style & GIVEN))
        style &= ~(unsigned)IN_FILE;
    const size_t batch = style & (SYMBOLIC | LAYOUT | IN_FILE) ? 1 : 3;
    const bool with_states = (style & GIVEN) != 0;
    model m = model_make(layers, count, batch_first, 0, 5, batch, with_states, &r);
    if (lengths)
        model_set_lengths(&m, &r);
    model_solve(&m);
    expect_answers(&m, style, seed);
    model_free(&m);
}

enum { SEEDS = 40, FAST_SEEDS = 24 };

ParameterizedTestParameters(import_onnx_made, has_the_answers) {
    static unsigned seeds[SEEDS];
    for (unsigned i = 0; i < SEEDS; i++)
        seeds[i] = i;
    return cr_make_param_array(unsigned, seeds, getenv("RNNC_TEST_FAST") ? FAST_SEEDS : SEEDS,
                               NULL);
}

ParameterizedTest(const unsigned *seed, import_onnx_made, has_the_answers, .timeout = 120) {
    check_case(*seed);
}

/* y = dense(lstm(x)) + x. */
Test(import_onnx_made, sum_with_x, .timeout = 120) {
    rng r = {77};
    const rnnc_layer layers[] = {
        {.kind = RNNC_RECURRENT,
         .recurrent =
             {.cell = RNNC_LSTM, .input_size = 3, .hidden_size = 5, .num_layers = 1, .bias = 1}},
        {.kind = RNNC_DENSE, .inputs = 5, .outputs = 3, .bias = 1},
    };
    model m = model_make(layers, 2, true, 3, 5, 2, false, &r);
    model_solve(&m);
    expect_answers(&m, 0, 1000);
    model_free(&m);
}

/* Dense layers that read all steps of what an LSTM gives, of a function between them, and of a
 * dense layer of each step. */
Test(import_onnx_made, all_steps_side_by_side, .timeout = 120) {
    enum { STEPS = 5, HIDDEN = 4 };
    for (unsigned seed = 0; seed < 4; seed++) {
        rng r = {seed + 90};
        const int both = seed & 1;
        const size_t width = both ? 2 * HIDDEN : HIDDEN;
        const rnnc_layer lstm = {.kind = RNNC_RECURRENT,
                                 .recurrent = {.cell = RNNC_LSTM,
                                               .input_size = 3,
                                               .hidden_size = HIDDEN,
                                               .num_layers = 1,
                                               .bias = 1,
                                               .bidirectional = both}};
        const rnnc_layer between =
            seed < 2
                ? (rnnc_layer){.kind = RNNC_ACTIVATION,
                               .inputs = width,
                               .outputs = width,
                               .activation = RNNC_RELU}
                : (rnnc_layer){.kind = RNNC_DENSE, .inputs = width, .outputs = width, .bias = 1};
        const rnnc_layer layers[] = {
            lstm,
            between,
            {.kind = RNNC_DENSE,
             .inputs = STEPS * width,
             .outputs = 3,
             .bias = 1,
             .steps = STEPS,
             .activation = RNNC_TANH},
            {.kind = RNNC_DENSE, .inputs = 3, .outputs = 2},
        };
        model m = model_make(layers, 4, seed < 3, 0, STEPS, 3, false, &r);
        model_solve(&m);
        expect_answers(&m, (seed & 1 ? GATHERED : 0) | (seed < 2 ? FLATTENED : 0), 2000 + seed);
        model_free(&m);
    }
}
