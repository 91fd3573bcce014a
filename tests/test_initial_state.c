/* initial_state: a network whose weights have its first state gives, without h0 and c0, the bits
 * that the same network without them gives when it is handed that state; generated for each kernel,
 * generic and in double, streamed, for no steps and sequences of any length. */
#define _XOPEN_SOURCE 700
#include "support/cli.h"
#include "support/generate.h"
#include "support/rng.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WEIGHTS = 64 };

typedef struct state_case {
    const char *fields, *layers; /* of a model; FIRST stands where a layer has its first state */
    size_t seq_len, batch;       /* of calls */
    bool streams;
    const char *target;
} state_case;

#define FIRST "%s"

static const state_case cases[] = {
    {"batch = \"any\"",
     "rnn { cell = \"lstm\", input_size = 3, hidden_size = 5, num_layers = 2, bidirectional = "
     "true" FIRST " }",
     7, 3, false, "portable"},
    {"batch = 1", "rnn { cell = \"gru\", input_size = 2, hidden_size = 20" FIRST " }", 9, 1, true,
     "avx2"},
    {"batch = 16", "rnn { input_size = 3, hidden_size = 37, bias = false" FIRST " }", 5, 16, true,
     "avx2"},
    {"batch = \"any\", lengths = true",
     "rnn { cell = \"lstm\", input_size = 3, hidden_size = 6, num_layers = 2" FIRST " }", 6, 21,
     false, "portable"},
    {"batch = 40, threads = 2, lengths = true",
     "rnn { cell = \"gru\", input_size = 3, hidden_size = 19, bidirectional = true" FIRST " }", 4,
     40, false, "avx512"},
    {"batch = 3, batch_first = true, residual = true",
     "rnn { cell = \"gru\", input_size = 3, hidden_size = 4, prefix = \"a.\" }, "
     "rnn { cell = \"lstm\", hidden_size = 5, proj_size = 2, num_layers = 2, prefix = \"b.\"" FIRST
     " }, rnn { hidden_size = 7, prefix = \"c.\"" FIRST " }, "
     "rnn { cell = \"lstm\", hidden_size = 6, prefix = \"d.\" }, "
     "dense { units = 3, prefix = \"e.\" }",
     6, 3, true, "avx2"},
    {"batch = 2, threads = 2",
     "rnn { cell = \"lstm\", input_size = 2, hidden_size = 130" FIRST " }, "
     "dense { units = 2, last_step = true, prefix = \"e.\" }",
     3, 2, false, "avx512"},
};

enum { CASES = sizeof cases / sizeof *cases };

/* A network of a library, with its weights as tensors and packed. */
typedef struct subject {
    void *library;
    const rnnc_model *model;
    float *tensor[WEIGHTS], *packed, *prepared;
} subject;

static void *make(size_t size) {
    void *const made = malloc(size + 1);
    cr_assert(made != NULL);
    return made;
}

/* Values of a tensor by its name, so that two networks have the same. */
static float *make_tensor(const rnnc_weight *weight) {
    const size_t count = weight->rows * (weight->cols ? weight->cols : 1);
    rng r = {.state = 1};
    for (const char *c = weight->name; *c; c++)
        r.state = r.state * 31 + (uint64_t)*c;
    float *const values = make(count * sizeof *values);
    rng_fill(&r, values, count, weight->name[strlen(weight->name) - 1] == '0' ? 1.0F : 0.4F);
    return values;
}

static const char driver_text[] =
    "#include \"net.h\"\n"
    "size_t net_test_size(void) { return sizeof(net_state); }\n"
    "void net_test_init(const float *w, void *s) { net_state_init(%s(net_state *)s); }\n"
    "void net_test_reset(const float *w, void *s) { net_state_reset(%s(net_state *)s); }\n"
    "rnnc_status net_test_step(const float *w, void *s, const float *x, float *y) {\n"
    "    return net_step(w, (net_state *)s, x, y);\n}\n";

static subject open_subject(const state_case *c, bool first) {
    char dir[PATH_SIZE], path[PATH_SIZE], text[2048], layers[1024], driver[1024];
    const char *const field = first ? ", initial_state = true" : "";
    rnnc_error err;
    snprintf(layers, sizeof layers, c->layers, field, field);
    snprintf(text, sizeof text,
             "return model { name = \"net\", %s, target = \"%s\", layers = { %s } }", c->fields,
             c->target, layers);
    workdir_make(dir);
    cr_assert(generate_text("net", text, "none", dir, &err), "%s: %s", text, err.message);
    if (c->streams) {
        snprintf(driver, sizeof driver, driver_text, first ? "w, " : "(void)w, ",
                 first ? "w, " : "(void)w, ");
        path_join(path, dir, "driver.c");
        cr_assert(!first || file_write(path, driver, strlen(driver)));
    }
    subject s = {.library = build_library(NULL, "-O1", dir, NULL, &err)};
    cr_assert(s.library, "%s: %s", text, err.message);
    workdir_remove(dir);
    s.model = library_model(s.library, "net", &err);
    cr_assert(s.model && s.model->weight_count <= WEIGHTS, "%s", err.message);
    for (size_t i = 0; i < s.model->weight_count; i++)
        s.tensor[i] = make_tensor(&s.model->weight[i]);
    s.packed = make(s.model->packed_count * sizeof *s.packed);
    s.prepared = make(rnnc_generic_prepared_count(&s.model->network) * sizeof *s.prepared);
    const float *const *const tensors = (const float *const *)s.tensor;
    cr_assert_eq(rnnc_model_pack(s.model, tensors, s.packed), RNNC_OK);
    cr_assert_eq(rnnc_generic_prepare(&s.model->network, tensors, s.prepared), RNNC_OK);
    return s;
}

static void close_subject(subject *s) {
    for (size_t i = 0; i < s->model->weight_count; i++)
        free(s->tensor[i]);
    free(s->packed);
    free(s->prepared);
    close_library(s->library);
}

/* h0, or c0 for 'c', for `batch` sequences, made of the tensors h0 or c0 of the layers that have
 * one, zero for the others. */
static float *make_states(const subject *s, char state, size_t batch) {
    rnnc_network_sizes sizes;
    cr_assert_eq(rnnc_network_measure(&s->model->network, &sizes, NULL), RNNC_OK);
    const size_t count = state == 'h' ? sizes.h : sizes.c;
    float *const states = make(count * batch * sizeof *states), *to = states;
    size_t tensor = 0;
    for (size_t i = 0; i < s->model->network.layer_count; i++) {
        const rnnc_layer *const layer = &s->model->network.layer[i];
        const rnnc_config *const config = &layer->recurrent;
        const size_t own = layer->kind == RNNC_RECURRENT ? rnnc_config_weight_count(config)
                           : layer->bias                 ? 2
                                                         : 1;
        tensor += own;
        if (layer->kind != RNNC_RECURRENT || (state == 'c' && config->cell != RNNC_LSTM))
            continue;
        const size_t chains = config->num_layers * (config->bidirectional ? 2 : 1);
        const size_t width =
            state == 'h' && config->proj_size ? config->proj_size : config->hidden_size;
        const size_t back = config->cell == RNNC_LSTM && state == 'h' ? 2 : 1;
        for (size_t q = 0; q < chains * batch; q++, to += width)
            for (size_t k = 0; k < width; k++)
                to[k] = config->initial_state ? s->tensor[tensor - back][q / batch * width + k] : 0;
    }
    cr_assert_eq((size_t)(to - states), count * batch);
    return states;
}

/* y, hn and cn of a call, one behind the other. */
typedef struct results {
    size_t y, h, c;
    double *at; /* bits of floats are compared as the doubles that they are */
} results;

typedef enum way { GENERATED, GENERIC, REFERENCE } way;

static results run_way(const subject *s, way how, rnnc_call call) {
    rnnc_network_sizes sizes;
    cr_assert_eq(rnnc_network_measure(&s->model->network, &sizes, NULL), RNNC_OK);
    results r = {.y = (sizes.last_step ? 1 : call.seq_len) * call.batch * sizes.output,
                 .h = sizes.h * call.batch,
                 .c = sizes.c * call.batch};
    const size_t count = r.y + r.h + r.c;
    r.at = make(count * sizeof *r.at);
    float *const single = make(count * sizeof *single);
    memset(single, 0xFF, count * sizeof *single);
    call.y = single, call.hn = single + r.y, call.cn = sizes.c ? single + r.y + r.h : NULL;
    rnnc_status status;
    if (how == REFERENCE) {
        status = rnnc_reference_forward(&s->model->network, (const float *const *)s->tensor, &call,
                                        r.at, r.at + r.y, sizes.c ? r.at + r.y + r.h : NULL);
    } else if (how == GENERIC) {
        call.weights = s->prepared;
        call.workspace =
            make(rnnc_generic_workspace_size(&s->model->network, call.seq_len, call.batch));
        status = rnnc_generic_forward(&s->model->network, NULL, &call);
    } else {
        call.weights = s->packed;
        call.workspace = make(s->model->workspace_size(call.seq_len, call.batch));
        status = rnnc_model_forward(s->model, &call, NULL);
    }
    cr_assert_eq(status, RNNC_OK, "%s", rnnc_status_message(status));
    for (size_t i = 0; how != REFERENCE && i < count; i++)
        r.at[i] = (double)single[i];
    free(call.workspace);
    free(single);
    return r;
}

static void expect_same(const state_case *c, const char *what, const results *a, const results *b) {
    const size_t count = a->y + a->h + a->c;
    for (size_t i = 0; i < count; i++)
        cr_assert(memcmp(&a->at[i], &b->at[i], sizeof *a->at) == 0 && !isnan(a->at[i]),
                  "%s %s: %s: value %zu of %zu + %zu + %zu is %.9g, not %.9g", c->fields, c->layers,
                  what, i, a->y, a->h, a->c, a->at[i], b->at[i]);
}

static void compare(const state_case *c, const subject *with, const subject *without, size_t steps,
                    const size_t *lengths, rng *r) {
    static const char *const names[] = {"generated", "generic", "in double"};
    float *const x = make(steps * c->batch * with->model->input * sizeof *x);
    rng_fill(r, x, steps * c->batch * with->model->input, 1.0F);
    float *const h0 = make_states(with, 'h', c->batch), *const c0 =
                                                            make_states(with, 'c', c->batch);
    const rnnc_call plain = {.seq_len = steps, .batch = c->batch, .x = x, .lengths = lengths};
    rnnc_call given = plain;
    given.h0 = h0, given.c0 = c0;
    for (way how = GENERATED; how <= REFERENCE; how++) {
        results want = run_way(without, how, given), got = run_way(with, how, plain);
        expect_same(c, names[how], &got, &want);
        free(got.at);
        /* A state of the caller's counts. */
        h0[0] += 0.5F, c0[0] += 0.25F;
        got = run_way(with, how, given);
        results other = run_way(without, how, given);
        expect_same(c, names[how], &got, &other);
        h0[0] -= 0.5F, c0[0] -= 0.25F;
        /* Nor is the state of the weights zero, while it is remembered. */
        if (steps > 0 && steps < 20) {
            results zero = run_way(without, how, plain);
            cr_expect(memcmp(zero.at, want.at, zero.y * sizeof *zero.at) != 0,
                      "%s %s: %s, %zu steps", c->fields, c->layers, names[how], steps);
            free(zero.at);
        }
        free(want.at);
        free(got.at);
        free(other.at);
    }
    free(x);
    free(h0);
    free(c0);
}

/* Steps from state_init, and again after state_reset, give what the whole sequence does. */
static void compare_steps(const state_case *c, const subject *s, rng *r) {
    size_t (*size)(void);
    void (*init)(const float *, void *), (*reset)(const float *, void *);
    rnnc_status (*step)(const float *, void *, const float *, float *);
    void *symbols[4];
    static const char *const suffixes[] = {"_test_size", "_test_init", "_test_reset", "_test_step"};
    for (size_t i = 0; i < 4; i++)
        cr_assert((symbols[i] = library_symbol(s->library, "net", suffixes[i])) != NULL);
    memcpy(&size, &symbols[0], sizeof size);
    memcpy(&init, &symbols[1], sizeof init);
    memcpy(&reset, &symbols[2], sizeof reset);
    memcpy(&step, &symbols[3], sizeof step);
    const size_t T = c->seq_len, row = c->batch * s->model->input,
                 out = c->batch * s->model->output;
    float *const x = make(T * row * sizeof *x), *const y = make(out * sizeof *y);
    void *const state = make(size());
    rng_fill(r, x, T * row, 1.0F);
    for (int round = 0; round < 2; round++) {
        /* One step at a time is (1, B, I) whatever batch_first says. */
        memset(state, 0xFF, round ? 0 : size());
        round ? reset(s->packed, state) : init(s->packed, state);
        float *h = NULL, *cell = NULL;
        for (size_t t = 0; t < T; t++) {
            cr_assert_eq(step(s->packed, state, x + t * row, y), RNNC_OK);
            const rnnc_call call = {
                .seq_len = 1, .batch = c->batch, .x = x + t * row, .h0 = h, .c0 = cell};
            results want = run_way(s, GENERATED, call);
            for (size_t i = 0; i < out; i++)
                cr_assert(y[i] == (float)want.at[i], "%s: step %zu, round %d", c->layers, t, round);
            h = realloc(h, (want.h + 1) * sizeof *h);
            cell = realloc(cell, (want.c + 1) * sizeof *cell);
            cr_assert(h && cell);
            for (size_t i = 0; i < want.h; i++)
                h[i] = (float)want.at[want.y + i];
            for (size_t i = 0; i < want.c; i++)
                cell[i] = (float)want.at[want.y + want.h + i];
            free(want.at);
        }
        free(h);
        free(cell);
    }
    free(x);
    free(y);
    free(state);
}

ParameterizedTestParameters(initial_state, of_the_weights) {
    static size_t numbers[CASES];
    size_t n = 0;
    for (size_t i = 0; i < CASES; i++)
        if (target_runs(cases[i].target))
            numbers[n++] = i;
    return cr_make_param_array(size_t, numbers, n, NULL);
}

ParameterizedTest(const size_t *number, initial_state, of_the_weights, .timeout = 300) {
    const state_case *const c = &cases[*number];
    subject with = open_subject(c, true), without = open_subject(c, false);
    rng r = {.state = 7};
    cr_expect(with.model->weight_count > without.model->weight_count);
    compare(c, &with, &without, c->seq_len, NULL, &r);
    compare(c, &with, &without, 0, NULL, &r);
    compare(c, &with, &without, 70, NULL, &r);
    if (with.model->lengths) {
        size_t *const lengths = make(c->batch * sizeof *lengths);
        for (size_t b = 0; b < c->batch; b++)
            lengths[b] = b % (c->seq_len + 1);
        compare(c, &with, &without, c->seq_len, lengths, &r);
        free(lengths);
    }
    if (c->streams)
        compare_steps(c, &with, &r);
    close_subject(&with);
    close_subject(&without);
}

/* ---- from a spec and its weights to a program ---- */

Test(initial_state, built_in, .timeout = 120) {
    static const char text[] =
        "return rnn { target = \"portable\", name = \"net\", cell = \"lstm\", "
        "input_size = 2, hidden_size = 3,\n"
        "  initial_state = true, weights = \"net.safetensors\" }\n";
    static const char program[] =
        "#include \"net.h\"\n#include <stdio.h>\n#include <string.h>\n"
        "int main(void) {\n"
        "    static net_state state;\n"
        "    static char workspace[NET_WORKSPACE_SIZE];\n"
        "    float x[6] = {1, -2, 0.5f, 3, -1, 0.25f}, y[9], hn[3], cn[3], row[3];\n"
        "    net_state_init(NULL);\n"
        "    net_state_init(&state);\n"
        "    if (state.h[0] == 0 || state.c[2] == 0) return 1;\n"
        "    if (net_forward(3, x, NULL, NULL, y, hn, cn, workspace)) return 2;\n"
        "    for (int t = 0; t < 3; t++)\n"
        "        if (net_step(&state, x + 2 * t, row) || memcmp(row, y + 3 * t, sizeof row))\n"
        "            return 3;\n"
        "    return memcmp(hn, state.h, sizeof hn) || memcmp(cn, state.c, sizeof cn) ? 4 : 0;\n"
        "}\n";
    char dir[PATH_SIZE], path[PATH_SIZE];
    rnnc_error err;
    workdir_make(dir);
    path_join(path, dir, "net.lua");
    cr_assert(file_write(path, text, sizeof text - 1));
    path_join(path, dir, "main.c");
    cr_assert(file_write(path, program, sizeof program - 1));
    expect(dir, 0, "net.safetensors\n", "", "init", "--weights-only", "net.lua", NULL);
    expect(dir, 0, NULL, "", "verify", "net.lua", NULL, NULL);
    expect(dir, 0, NULL, "", "compile", "net.lua", NULL, NULL);
    cr_assert(compile_c(NULL, "-O1", dir, "main.c net.c net_weights.c", "main", &err), "%s",
              err.message);
    const char *const argv[] = {"./main", NULL};
    outcome o = process_run(argv, dir, NULL, 30);
    cr_expect_eq(o.code, 0, "exit code %d: %s", o.code, o.err);
    outcome_free(&o);
    workdir_remove(dir);
}
