/* Nothing to do is no error: sequences without steps, calls without steps, calls without sequences,
 * of generated networks, of the generic ones and of the reference. */
#include "../runtime/network.h"
#include "support/generate.h"
#include "support/model.h"
#include "support/model_run.h"
#include "support/team.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Several blocks; of each four sequences, number EMPTY has no steps. */
enum { T = 5, B = 20, EVERY = 4, EMPTY = 1 };

static void set_lengths(size_t *lengths, size_t of_the_empty) {
    const size_t some[EVERY] = {3, of_the_empty, T, 2};
    for (size_t b = 0; b < B; b++)
        lengths[b] = some[b % EVERY];
}

/* One call of a network in all three ways: 0 generated, 1 generic, 2 reference. */
typedef struct runner {
    model m;
    model_sizes sizes;
    const rnnc_model *net;
    float *packed, *prepared;
    own_team own;
} runner;

enum { WAYS = 3 };

typedef struct outputs {
    double y[T * B * 16], hn[B * 64], cn[B * 64];
} outputs;

static void widen(double *to, const float *from, size_t count) {
    for (size_t i = 0; i < count; i++)
        to[i] = (double)from[i];
}

/* All outputs are NaN before; `call` says sizes, lengths and states. */
static rnnc_status run(const runner *r, int way, rnnc_call call, outputs *to) {
    static float y[T * B * 16], hn[B * 64], cn[B * 64];
    memset(to, 0xFF, sizeof *to);
    memset(y, 0xFF, sizeof y);
    memset(hn, 0xFF, sizeof hn);
    memset(cn, 0xFF, sizeof cn);
    const float *const *const tensors = (const float *const *)r->m.values;
    if (way == 2)
        return rnnc_reference_forward(&r->net->network, tensors, &call, to->y, to->hn,
                                      r->sizes.c ? to->cn : NULL);
    call.y = y;
    call.hn = hn;
    call.cn = r->sizes.c ? cn : NULL;
    const size_t size =
        way == 0 ? r->net->workspace_size(call.seq_len, call.batch)
                 : rnnc_generic_workspace_size(&r->net->network, call.seq_len, call.batch);
    cr_assert_neq(size, 0, "way %d: no workspace for %zu and %zu", way, call.seq_len, call.batch);
    void *const workspace = malloc(size);
    cr_assert(workspace);
    memset(workspace, 0xFF, size);
    call.workspace = workspace;
    call.weights = way == 0 ? r->packed : r->prepared;
    call.team = way == 0 ? &r->own.team : NULL;
    const rnnc_status status = way == 0 ? rnnc_model_forward(r->net, &call, NULL)
                                        : rnnc_generic_forward(&r->net->network, NULL, &call);
    free(workspace);
    widen(to->y, y, sizeof y / sizeof *y);
    widen(to->hn, hn, sizeof hn / sizeof *hn);
    widen(to->cn, cn, sizeof cn / sizeof *cn);
    return status;
}

static rnnc_call call_of(const runner *r, const size_t *lengths) {
    return (rnnc_call){.seq_len = T,
                       .batch = B,
                       .tokens = r->m.tokens,
                       .x = r->m.x,
                       .lengths = lengths,
                       .h0 = r->m.h0,
                       .c0 = r->m.c0};
}

/* The values of `count` in a batch: `got` are those of h0, or 0. */
static void expect_start(const double *got, const float *start, size_t count, const char *what) {
    for (size_t i = 0; i < count; i++)
        cr_assert(got[i] == (start ? (double)start[i] : 0), "%s: value %zu is %g", what, i, got[i]);
}

/* The rows of the empty sequence keep their state and have y = 0; all others are as they are beside
 * a sequence of T steps. */
static void check_lengths(const runner *r, int way, const char *what) {
    static outputs with, without;
    size_t some[B], all[B];
    set_lengths(some, 0);
    set_lengths(all, T);
    cr_assert_eq(run(r, way, call_of(r, some), &with), RNNC_OK, "%s", what);
    cr_assert_eq(run(r, way, call_of(r, all), &without), RNNC_OK, "%s", what);
    const size_t width = r->sizes.output, steps = r->sizes.last_step ? 1 : T;
    for (size_t t = 0; t < steps; t++)
        for (size_t b = 0; b < B; b++)
            for (size_t i = 0; i < width; i++) {
                const size_t at =
                    (r->sizes.last_step ? b * width : model_at(&r->m, t, b, width)) + i;
                const double want = b % EVERY == EMPTY ? 0 : without.y[at];
                cr_assert(fabs(with.y[at] - want) <= 1e-6, "%s: y of step %zu of %zu is %g, not %g",
                          what, t, b, with.y[at], want);
            }
    /* Every chain of these networks has 6 units. */
    for (size_t chain = 0; chain < r->sizes.h / 6; chain++)
        for (size_t b = 0; b < B; b++) {
            const size_t at = (chain * B + b) * 6;
            if (b % EVERY == EMPTY)
                expect_start(with.hn + at, r->m.h0 ? r->m.h0 + at : NULL, 6, what);
            else
                for (size_t i = 0; i < 6; i++)
                    cr_assert(fabs(with.hn[at + i] - without.hn[at + i]) <= 1e-6, "%s: hn", what);
            if (b % EVERY == EMPTY && r->sizes.c)
                expect_start(with.cn + at, r->m.c0 ? r->m.c0 + at : NULL, 6, what);
        }
    const size_t none[B] = {0};
    cr_assert_eq(run(r, way, call_of(r, none), &with), RNNC_OK, "%s", what);
    expect_start(with.y, NULL, steps * B * width, what);
    expect_start(with.hn, r->m.h0, r->sizes.h * B, what);
}

static void check_nothing(const runner *r, int way, const char *what) {
    static outputs got;
    rnnc_call call = call_of(r, NULL);
    call.seq_len = 0;
    call.x = NULL;
    call.tokens = NULL;
    cr_assert_eq(run(r, way, call, &got), RNNC_OK, "%s: no steps", what);
    expect_start(got.hn, r->m.h0, r->sizes.h * B, what);
    expect_start(got.cn, r->m.c0, r->sizes.c * B, what);
    if (r->sizes.last_step)
        expect_start(got.y, NULL, r->sizes.output * B, what);
    else
        cr_assert(isnan(got.y[0]), "%s: y was written", what);
    if (way == 0 && r->net->batch)
        return;
    call.seq_len = T;
    call.batch = 0;
    cr_assert_eq(run(r, way, call, &got), RNNC_OK, "%s: no sequences", what);
    cr_assert(isnan(got.y[0]) && isnan(got.hn[0]), "%s: something was written", what);
}

static void check_fields(const rnnc_layer *layer, size_t count, bool batch_first, bool states,
                         const char *fields, int ways) {
    rng random = {.state = 5 + count};
    rnnc_error err;
    runner r = {.m = model_make(layer, count, batch_first, 0, T, B, states, &random)};
    r.sizes = model_sizes_of(&r.m);
    char dir[PATH_SIZE];
    workdir_make(dir);
    char *const text = model_text(&r.m, fields);
    cr_assert(generate_text("net", text, "none", dir, &err), "%s", err.message);
    void *const library = build_library(NULL, "-O1", dir, NULL, &err);
    workdir_remove(dir);
    cr_assert(library, "%s", err.message);
    r.net = library_model(library, "net", &err);
    cr_assert(r.net, "%s", err.message);
    r.packed = model_pack(r.net, &r.m);
    r.prepared = malloc(rnnc_generic_prepared_count(&r.net->network) * sizeof(float));
    cr_assert(r.packed && r.prepared);
    cr_assert_eq(
        rnnc_generic_prepare(&r.net->network, (const float *const *)r.m.values, r.prepared),
        RNNC_OK);
    own_team_make(&r.own, 2, false);
    static const char *const names[WAYS] = {"generated", "generic", "reference"};
    for (int way = 0; way < ways; way++) {
        check_lengths(&r, way, names[way]);
        check_nothing(&r, way, names[way]);
    }
    own_team_free(&r.own);
    free(r.packed);
    free(r.prepared);
    free(text);
    close_library(library);
    model_free(&r.m);
}

/* Any batch and a fixed one, which have different kernels, and all targets. */
static void check_model(const rnnc_layer *layer, size_t count, bool batch_first, bool states) {
    static const char *const batches[] = {"\"any\"", "20"};
    static const char *const targets[] = {"scalar", "portable", "avx2", "avx512"};
    for (size_t b = 0; b < 2; b++)
        for (size_t t = 0; t < 3; t++) {
            char fields[160];
            if (!target_runs(targets[t]))
                continue;
            snprintf(fields, sizeof fields,
                     "name = \"net\", batch = %s, lengths = true, threads = 2, target = \"%s\",",
                     batches[b], targets[t]);
            /* The generic network and the reference are the same for all. */
            check_fields(layer, count, batch_first, states, fields, b + t == 0 ? WAYS : 1);
        }
}

static rnnc_layer stack(rnnc_cell cell, size_t inputs, size_t layers, int both_ways) {
    return (rnnc_layer){.kind = RNNC_RECURRENT,
                        .recurrent = {cell, inputs, 6, layers, 1, 0, both_ways, 0}};
}

static rnnc_layer head(size_t inputs, int last_step) {
    return (rnnc_layer){.kind = RNNC_DENSE,
                        .inputs = inputs,
                        .outputs = 3,
                        .activation = RNNC_SIGMOID,
                        .bias = 1,
                        .last_step = last_step};
}

Test(generated_empty, one_direction, .timeout = 240) {
    const rnnc_layer layer = stack(RNNC_LSTM, 4, 3, 0);
    check_model(&layer, 1, false, true);
}

Test(generated_empty, both_directions, .timeout = 240) {
    const rnnc_layer layer = stack(RNNC_GRU, 4, 2, 1);
    check_model(&layer, 1, true, false);
}

Test(generated_empty, last_step, .timeout = 240) {
    const rnnc_layer layers[] = {
        {.kind = RNNC_EMBEDDING, .inputs = 9, .outputs = 5}, stack(RNNC_GRU, 5, 1, 0), head(6, 1)};
    check_model(layers, 3, false, true);
}

Test(generated_empty, last_step_of_both_directions, .timeout = 240) {
    const rnnc_layer layers[] = {stack(RNNC_LSTM, 5, 1, 1), head(12, 0), head(3, 1)};
    check_model(layers, 3, true, true);
}

Test(generated_empty, last_states_of_both_directions, .timeout = 240) {
    const rnnc_layer layers[] = {stack(RNNC_GRU, 5, 2, 1),
                                 {.kind = RNNC_DENSE,
                                  .inputs = 12,
                                  .outputs = 3,
                                  .activation = RNNC_TANH,
                                  .bias = 1,
                                  .last_state = 1}};
    check_model(layers, 2, false, true);
}

/* A token outside the table is refused if it is within its sequence's length, and read nowhere if
 * it is beyond. */
static void check_tokens(bool batch_first) {
    const rnnc_layer layers[] = {{.kind = RNNC_EMBEDDING, .inputs = 9, .outputs = 5},
                                 stack(RNNC_GRU, 5, 1, 0)};
    rng random = {.state = 8};
    rnnc_error err;
    model m = model_make(layers, 2, batch_first, 0, T, B, false, &random);
    char dir[PATH_SIZE];
    workdir_make(dir);
    char *const text =
        model_text(&m, "name = \"net\", batch = \"any\", lengths = true, target = \"portable\",");
    cr_assert(generate_text("net", text, "none", dir, &err), "%s", err.message);
    void *const library = build_library(NULL, "-O1", dir, NULL, &err);
    workdir_remove(dir);
    cr_assert(library, "%s", err.message);
    const rnnc_model *const net = library_model(library, "net", &err);
    cr_assert(net, "%s", err.message);
    float *const packed = model_pack(net, &m), y[T * B * 6];
    void *const workspace = malloc(net->workspace_size(T, B));
    cr_assert(packed && workspace);
    size_t lengths[B];
    set_lengths(lengths, 0);
    static const int32_t wrong[] = {-1, INT32_MIN, 9, INT32_MAX};
    for (size_t t = 0; t < T; t++)
        for (size_t b = 0; b < B; b++)
            for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
                int32_t *const token = &m.tokens[model_at(&m, t, b, 1)];
                const int32_t right = *token;
                *token = wrong[i];
                const rnnc_call call = {.weights = packed,
                                        .seq_len = T,
                                        .batch = B,
                                        .tokens = m.tokens,
                                        .lengths = lengths,
                                        .y = y,
                                        .workspace = workspace};
                cr_assert_eq(net->forward(&call), t < lengths[b] ? RNNC_ERR_ARGUMENT : RNNC_OK,
                             "token %d at step %zu of %zu", (int)wrong[i], t, b);
                *token = right;
            }
    free(packed);
    free(workspace);
    free(text);
    close_library(library);
    model_free(&m);
}

Test(generated_empty, tokens_within_lengths, .timeout = 240) {
    check_tokens(false);
    check_tokens(true);
}

/* Each of the sizes fixed, and the other one not. */
Test(generated_empty, one_size_fixed, .timeout = 240) {
    static const char *const sizes[] = {"seq_len = 3, batch = \"any\"",
                                        "seq_len = \"any\", batch = 2", "seq_len = 3, batch = 2"};
    for (size_t i = 0; i < 3; i++) {
        char dir[PATH_SIZE], text[256];
        rnnc_error err;
        workdir_make(dir);
        snprintf(text, sizeof text,
                 "return rnn { name = \"net\", cell = \"gru\", input_size = 2, hidden_size = 3, "
                 "target = \"portable\", %s }",
                 sizes[i]);
        cr_assert(generate_text("net", text, "none", dir, &err), "%s", err.message);
        void *const library = build_library(NULL, "-O1", dir, NULL, &err);
        workdir_remove(dir);
        cr_assert(library, "%s", err.message);
        const rnnc_model *const net = library_model(library, "net", &err);
        cr_assert(net, "%s", err.message);
        float weights[300] = {0}, workspace[4096];
        cr_assert(net->packed_count <= 300);
        const rnnc_call call = {.weights = weights,
                                .seq_len = i == 0 ? 3 : 0,
                                .batch = i == 1 ? 2 : 0,
                                .workspace = workspace};
        cr_assert_eq(net->forward(&call), i < 2 ? RNNC_OK : RNNC_ERR_ARGUMENT);
        close_library(library);
    }
}

/* What an initialisation does with NULL: nothing. */
Test(generated_empty, state_of_null, .timeout = 240) {
    rnnc_error err;
    char dir[PATH_SIZE];
    workdir_make(dir);
    cr_assert(generate_text("net",
                            "return rnn { name = \"net\", cell = \"lstm\", input_size = 2, "
                            "hidden_size = 3, target = \"portable\", streaming = true }",
                            "none", dir, &err),
              "%s", err.message);
    void *const library = build_library(NULL, "-O1", dir, NULL, &err);
    workdir_remove(dir);
    cr_assert(library, "%s", err.message);
    static const char *const functions[] = {"_state_init", "_state_reset"};
    for (size_t i = 0; i < 2; i++) {
        void *const symbol = library_symbol(library, "net", functions[i]);
        cr_assert(symbol);
        void (*function)(void *);
        memcpy(&function, &symbol, sizeof function);
        function(NULL);
    }
    close_library(library);
}
