/* Two cells that nobody has. A minimal gated unit with its reset after the product,
 *
 *   f = sigmoid(W_if x + b_if + W_hf h + b_hf)
 *   n = tanh(W_in x + b_in + f (W_hn h + b_hn))
 *   h' = (1 - f) h + f n
 *
 * and one with a weight for each unit, an LSTM whose peepholes all see the cell state before,
 *
 *   i, f, o = sigmoid(W_i. x + b_i. + W_h. h + b_h. + w_c. c)
 *   c' = f c + i tanh(W_ig x + b_ig + W_hg h + b_hg)
 *   h' = o tanh(c')
 *
 * Each is added to a copy of the compiler and the runtime by a table in cells.lua, a row in
 * cell_rows.h and its name in rnnc.h, and by nothing else. Generated code, generic networks and the
 * double reference then have to agree with the oracle of support/made_up_cell.c. */
#define _XOPEN_SOURCE 700
#include "support/check.h"
#include "support/generate.h"
#include "support/guard.h"
#include "support/made_up_cell.h"
#include "support/rng.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char lua_row[] =
    "local mgu_f = { \"gate_activation\", gate \"f\" }\n"
    "local mgu_n = { \"candidate_activation\", { \"add\", { \"input\", \"n\" },\n"
    "    { \"mul\", mgu_f, { \"recurrent\", \"n\" } } } }\n"
    "cells.mgu = {\n"
    "    constant = \"RNNC_MGU\", gates = { \"f\", \"n\" }, separate = { \"n\" }, states = { \"h\" "
    "},\n"
    "    functions = { gate_activation = \"sigmoid\", candidate_activation = \"tanh\" },\n"
    "    update = { { \"h\", { \"add\", { \"state\", \"h\" },\n"
    "                          { \"mul\", mgu_f, { \"sub\", mgu_n, { \"state\", \"h\" } } } } } "
    "},\n"
    "}\n\n"
    "local function peeping(name, weight)\n"
    "    return opened { \"add\", gate(name), peep(weight, { \"state\", \"c\" }) }\n"
    "end\n\n"
    "cells.peep = { peephole = {\n"
    "    constant = \"RNNC_PEEP\", gates = { \"i\", \"f\", \"g\", \"o\" }, separate = {},\n"
    "    states = { \"h\", \"c\" }, functions = of_lstm,\n"
    "    vectors = { \"weight_ci\", \"weight_cf\", \"weight_co\" },\n"
    "    update = {\n"
    "        { \"c\", { \"add\", { \"mul\", peeping(\"f\", \"weight_cf\"), { \"state\", \"c\" } "
    "},\n"
    "                 { \"mul\", peeping(\"i\", \"weight_ci\"), candidate(gate \"g\") } } },\n"
    "        { \"h\", { \"mul\", peeping(\"o\", \"weight_co\"), shown { \"new\", \"c\" } } },\n"
    "    },\n"
    "} }\n\n";

static const char c_row[] = "\nCELL(RNNC_MGU, mgu, 2, 1u << 1, 1, {\n"
                            "    const real f = OPEN(GATE(0));\n"
                            "    h = (1 - f) * h + f * CANDIDATE(INPUT(1) + f * RECURRENT(1));\n"
                            "})\n"
                            "\nCELL(RNNC_PEEP, peep, 4, 0, 2, {\n"
                            "    const real o = OPEN(GATE(3) + PEEPHOLE(2, c));\n"
                            "    c = OPEN(GATE(1) + PEEPHOLE(1, c)) * c +\n"
                            "        OPEN(GATE(0) + PEEPHOLE(0, c)) * CANDIDATE(GATE(2));\n"
                            "    h = o * OUTPUT(c);\n"
                            "})\n";

enum { RNNC_MGU = RNNC_GRU + 1, RNNC_PEEP };

/* Puts `text` in front of `mark`, or at the end if that is NULL, in a file of the copy. */
static void insert(const char *home, const char *file, const char *mark, const char *text) {
    char path[PATH_SIZE];
    size_t size;
    path_join(path, home, file);
    char *const old = file_read(path, &size);
    cr_assert(old, "%s", path);
    char *const at = mark ? strstr(old, mark) : old + size;
    cr_assert(at, "%s has no %s", file, mark);
    const size_t before = (size_t)(at - old), length = strlen(text);
    char *const now = malloc(size + length + 1);
    cr_assert(now != NULL);
    memcpy(now, old, before);
    memcpy(now + before, text, length);
    memcpy(now + before + length, at, size - before + 1);
    cr_assert(file_write(path, now, size + length));
    free(now);
    free(old);
}

static void copy_with_the_cell(const char *home) {
    const char *const argv[] = {"cp", "-R", "compiler", "templates", "runtime", home, NULL};
    outcome o = process_run(argv, NULL, NULL, 60);
    cr_assert_eq(o.code, 0, "%s", o.err);
    outcome_free(&o);
    insert(home, "compiler/tables/cells.lua", "-- cells.of(spec)", lua_row);
    insert(home, "runtime/rnnc.h", " } rnnc_cell;", ", RNNC_MGU, RNNC_PEEP");
    insert(home, "runtime/cell_rows.h", NULL, c_row);
}

/* ---- what is compared with the oracle ---- */

/* The copy's runtime; the one that this program is linked with does not have the cell. */
typedef struct runtime {
    size_t (*prepared_count)(const rnnc_network *);
    rnnc_status (*prepare)(const rnnc_network *, const float *const *, float *);
    size_t (*workspace_size)(const rnnc_network *, size_t, size_t);
    rnnc_status (*generic)(const rnnc_network *, const rnnc_blas *, const rnnc_call *);
    rnnc_status (*reference)(const rnnc_network *, const float *const *, const rnnc_call *,
                             double *, double *, double *);
    rnnc_status (*pack)(const rnnc_model *, const float *const *, float *);
    const char *(*cell_name)(rnnc_cell);
} runtime;

static void *find(void *library, const char *name) {
    void *const symbol = dlsym(library, name);
    cr_assert(symbol, "%s", name);
    return symbol;
}

static runtime open_runtime(void *library) {
    runtime r;
    const struct {
        const char *name;
        void *to;
    } functions[] = {{"rnnc_generic_prepared_count", &r.prepared_count},
                     {"rnnc_generic_prepare", &r.prepare},
                     {"rnnc_generic_workspace_size", &r.workspace_size},
                     {"rnnc_generic_forward", &r.generic},
                     {"rnnc_reference_forward", &r.reference},
                     {"rnnc_model_pack", &r.pack},
                     {"rnnc_cell_name", &r.cell_name}};
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        void *const symbol = find(library, functions[i].name);
        memcpy(functions[i].to, &symbol, sizeof symbol);
    }
    return r;
}

/* y, hn and cn of a call, which were NaN before it. */
static void expect_near(const made_up_example *e, const guard *y, const guard *hn, const guard *cn,
                        const char *what) {
    const made_up_sizes *const s = &e->s;
    const double y_error = max_error(y->data, e->y, s->T * s->B * s->D * s->H);
    const double h_error = max_error(hn->data, e->hn, e->state_count);
    cr_expect(y_error <= 2e-6 && h_error <= 2e-6, "%s: y is off by %g, hn by %g", what, y_error,
              h_error);
    const double c_error = s->peep ? max_error(cn->data, e->cn, e->state_count) : 0;
    cr_expect(c_error <= 4e-6, "%s: cn is off by %g", what, c_error);
    cr_expect(guard_intact(y) && guard_intact(hn) && guard_intact(cn), "%s", what);
}

/* Generated code and the generic network on one call; weights and workspace for each. */
static void check_float(const runtime *r, const rnnc_model *model, const made_up_example *e,
                        bool generated) {
    const float *const *const tensors = (const float *const *)e->weight;
    const rnnc_network *const network = &model->network;
    const size_t count = generated ? model->packed_count : r->prepared_count(network);
    const size_t size = generated ? model->workspace_size(e->s.T, e->s.B)
                                  : r->workspace_size(network, e->s.T, e->s.B);
    cr_assert(count > 0 && size > 0);
    guard weights = guard_floats(NULL, count), workspace = guard_make(size, 1);
    guard y = guard_floats(NULL, e->s.T * e->s.B * e->s.D * e->s.H);
    guard hn = guard_floats(NULL, e->state_count), cn = guard_floats(NULL, e->state_count);
    cr_assert_eq(generated ? r->pack(model, tensors, weights.data)
                           : r->prepare(network, tensors, weights.data),
                 RNNC_OK);
    const rnnc_call call = {.weights = weights.data,
                            .seq_len = e->s.T,
                            .batch = e->s.B,
                            .x = e->x,
                            .h0 = e->h0,
                            .c0 = e->c0,
                            .y = y.data,
                            .hn = hn.data,
                            .cn = e->c0 ? cn.data : NULL,
                            .workspace = workspace.data};
    cr_assert_eq(generated ? model->forward(&call) : r->generic(network, NULL, &call), RNNC_OK);
    expect_near(e, &y, &hn, &cn, generated ? "generated" : "generic");
    cr_expect(guard_intact(&weights) && guard_intact(&workspace));
    guard_free(&weights);
    guard_free(&workspace);
    guard_free(&y);
    guard_free(&hn);
    guard_free(&cn);
}

static void check_reference(const runtime *r, const rnnc_network *network,
                            const made_up_example *e) {
    const size_t ys = e->s.T * e->s.B * e->s.D * e->s.H;
    double *const y = malloc(ys * sizeof *y), *const hn = malloc(e->state_count * sizeof *hn);
    double *const cn = malloc(e->state_count * sizeof *cn);
    const rnnc_call call = {
        .seq_len = e->s.T, .batch = e->s.B, .x = e->x, .h0 = e->h0, .c0 = e->c0};
    cr_assert_eq(
        r->reference(network, (const float *const *)e->weight, &call, y, hn, e->c0 ? cn : NULL),
        RNNC_OK);
    for (size_t i = 0; i < ys; i++)
        cr_assert(fabs(y[i] - e->y[i]) <= 1e-12, "y[%zu] of the reference is %g", i, y[i]);
    for (size_t i = 0; i < e->state_count; i++)
        cr_assert(fabs(hn[i] - e->hn[i]) <= 1e-12, "hn[%zu] of the reference is %g", i, hn[i]);
    for (size_t i = 0; e->c0 && i < e->state_count; i++)
        cr_assert(fabs(cn[i] - e->cn[i]) <= 1e-12, "cn[%zu] of the reference is %g", i, cn[i]);
    free(y);
    free(hn);
    free(cn);
}

/* ---- the networks: kernels for lanes of units and lanes of sequences, one and several targets
 * ---- */

static const struct {
    const char *name, *target;
    made_up_sizes s;
} networks[] = {
    {"alone", "\"portable\"", {5, 19, 1, 1, 9, 1, 1, 0}},
    {"both", "\"portable\"", {4, 7, 3, 2, 6, 3, 1, 1}},
    {"block", "\"portable\"", {3, 18, 2, 1, 5, 40, 0, 0}},
    {"listed", "{ \"portable\", \"avx2\", \"avx512\" }", {6, 33, 2, 2, 4, 17, 1, 0}},
    {"peeping", "\"portable\"", {3, 10, 2, 2, 5, 3, 1, 0, .peep = 1}},
    {"wide", "\"portable\"", {5, 11, 1, 1, 4, 40, 0, 1, .peep = 1}},
};

enum { NETWORKS = sizeof networks / sizeof networks[0] };

static void compile_network(size_t i, const char *home) {
    const made_up_sizes *const s = &networks[i].s;
    char text[512], file[64], path[PATH_SIZE], variable[PATH_SIZE + 16];
    snprintf(text, sizeof text,
             "return rnn { name = \"%s\", cell = \"%s\"%s, input_size = %zu, hidden_size = %zu,\n"
             "  num_layers = %zu, bidirectional = %s, bias = %s, batch_first = %s,\n"
             "  batch = %zu, target = %s }\n",
             networks[i].name, s->peep ? "peep" : "mgu", s->peep ? ", peepholes = true" : "", s->I,
             s->H, s->L, s->D == 2 ? "true" : "false", s->bias ? "true" : "false",
             s->batch_first ? "true" : "false", s->B, networks[i].target);
    snprintf(file, sizeof file, "%s.lua", networks[i].name);
    path_join(path, home, file);
    cr_assert(file_write(path, text, strlen(text)));
    snprintf(variable, sizeof variable, "RNNC_HOME=%s", home);
    const char *const argv[] = {rnnc_path(), "compile", file, NULL};
    const char *const env[] = {variable, NULL};
    outcome o = process_run(argv, home, env, 60);
    cr_assert(o.code == 0 && o.err[0] == '\0', "%s", o.err);
    outcome_free(&o);
}

/* All of the copy's runtime and the networks in one library, which asks nobody else for rnnc_. */
static void *build(const char *home) {
    static const char own[] =
        "alone.c both.c block.c listed.c peeping.c wide.c -ljansson -ldl -lpthread";
    char path[PATH_SIZE];
    rnnc_error error;
    const char *const argv[] = {"sh", "-c", "echo runtime/*.c", NULL};
    outcome o = process_run(argv, home, NULL, 10);
    cr_assert_eq(o.code, 0, "%s", o.err);
    o.out[strcspn(o.out, "\n")] = '\0';
    char *const all = malloc(strlen(o.out) + sizeof own + 1);
    cr_assert(all != NULL);
    sprintf(all, "%s %s", o.out, own);
    cr_assert(compile_c(NULL,
                        "-std=c11 -D_POSIX_C_SOURCE=200809L -O1 -Iruntime -shared -fPIC "
                        "-Wl,-Bsymbolic",
                        home, all, "made_up.so", &error),
              "%s", error.message);
    free(all);
    outcome_free(&o);
    path_join(path, home, "made_up.so");
    void *const library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    cr_assert(library, "%s", dlerror());
    return library;
}

Test(made_up_cell, is_a_row, .timeout = 300) {
    char home[PATH_SIZE];
    rng random = {.state = 8};
    workdir_make(home);
    copy_with_the_cell(home);
    for (size_t i = 0; i < NETWORKS; i++)
        compile_network(i, home);
    void *const library = build(home);
    workdir_remove(home);
    const runtime r = open_runtime(library);
    cr_expect_str_eq(r.cell_name((rnnc_cell)RNNC_MGU), "mgu");
    cr_expect_eq(rnnc_cell_name((rnnc_cell)RNNC_MGU), NULL, "this program's runtime has the cell");
    for (size_t i = 0; i < NETWORKS; i++) {
        rnnc_error error;
        const rnnc_model *const model = library_model(library, networks[i].name, &error);
        cr_assert(model, "%s", error.message);
        crash_context(networks[i].name);
        made_up_example e = made_up_make(&networks[i].s, &random);
        cr_expect_eq((int)model->network.layer[0].recurrent.cell,
                     (int)(e.s.peep ? RNNC_PEEP : RNNC_MGU));
        cr_assert_eq(model->weight_count, e.weight_count);
        check_float(&r, model, &e, true);
        check_float(&r, model, &e, false);
        check_reference(&r, &model->network, &e);
        made_up_free(&e);
    }
    crash_context(NULL);
    close_library(library);
}
