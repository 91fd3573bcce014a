/* y in the place of x: the bits of a call with buffers apart, of generated networks in every
 * kernel, by a team, step by step, and of generic ones. Other overlaps are refused. */
#include "support/generate.h"
#include "support/model.h"
#include "support/model_run.h"
#include "support/team.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* One network, open. */
typedef struct opened {
    void *library;
    const rnnc_model *net;
    float *packed, *prepared;
} opened;

static opened open_model(const model *m, const char *fields) {
    char dir[PATH_SIZE];
    rnnc_error err;
    opened o;
    workdir_make(dir);
    char *const text = model_text(m, fields);
    cr_assert(generate_text("net", text, "none", dir, &err), "%s", err.message);
    o.library = build_library(NULL, "-O1", dir, NULL, &err);
    workdir_remove(dir);
    free(text);
    cr_assert(o.library, "%s", err.message);
    o.net = library_model(o.library, "net", &err);
    cr_assert(o.net, "%s", err.message);
    o.packed = model_pack(o.net, m);
    o.prepared = malloc(rnnc_generic_prepared_count(&o.net->network) * sizeof(float));
    cr_assert(o.packed && o.prepared);
    cr_assert_eq(rnnc_generic_prepare(&o.net->network, (const float *const *)m->values, o.prepared),
                 RNNC_OK);
    return o;
}

static void close_model(opened *o) {
    free(o->packed);
    free(o->prepared);
    close_library(o->library);
}

static rnnc_status run(const opened *o, int generic, rnnc_call call) {
    const size_t size =
        generic ? rnnc_generic_workspace_size(&o->net->network, call.seq_len, call.batch)
                : o->net->workspace_size(call.seq_len, call.batch);
    call.workspace = malloc(size);
    cr_assert(call.workspace);
    memset(call.workspace, 0xFF, size);
    call.weights = generic ? o->prepared : o->packed;
    const rnnc_status status = generic ? rnnc_generic_forward(&o->net->network, NULL, &call)
                                       : rnnc_model_forward(o->net, &call, NULL);
    free(call.workspace);
    return status;
}

/* All calls of a network whose x and y are as wide, which takes a team and lengths. residual: so
 * many values of x are added. */
static void check(const rnnc_layer *layer, size_t count, bool batch_first, size_t residual,
                  size_t T, size_t B, const char *fields) {
    rng random = {.state = 11 + count};
    model m = model_make(layer, count, batch_first, residual, T, B, false, &random);
    opened o = open_model(&m, fields);
    own_team own;
    own_team_make(&own, 2, false);
    const size_t values = model_y_count(&m);
    float *const apart = malloc(values * sizeof(float)), *const both =
                                                             malloc(values * sizeof(float));
    size_t *const lengths = malloc(B * sizeof(size_t));
    cr_assert(apart && both && lengths);
    for (size_t b = 0; b < B; b++)
        lengths[b] = b % 3 == 1 ? T / 2 : T;
    for (int way = 0; way < 6; way++) {
        const int generic = way >= 4;
        rnnc_call call = {.seq_len = T,
                          .batch = B,
                          .x = m.x,
                          .y = apart,
                          .lengths = way & 1 && o.net->lengths ? lengths : NULL,
                          .team = way & 2 ? &own.team : NULL};
        memset(apart, 0xFF, values * sizeof(float));
        cr_assert_eq(run(&o, generic, call), RNNC_OK);
        memcpy(both, m.x, values * sizeof(float));
        call.x = call.y = both;
        cr_assert_eq(run(&o, generic, call), RNNC_OK);
        cr_assert(memcmp(apart, both, values * sizeof(float)) == 0, "%s, way %d", fields, way);
        float *const more = malloc(2 * values * sizeof(float));
        cr_assert(more);
        memset(more, 0, 2 * values * sizeof(float));
        for (size_t late = 1; late < values; late += values - 2) {
            call.x = more;
            call.y = more + late;
            cr_assert_eq(run(&o, generic, call), RNNC_ERR_ARGUMENT, "y %zu values late", late);
            call.x = more + late;
            call.y = more;
            cr_assert_eq(run(&o, generic, call), RNNC_ERR_ARGUMENT, "y %zu values early", late);
        }
        call.x = more;
        call.y = more + values;
        cr_assert_eq(run(&o, generic, call), RNNC_OK, "side by side");
        free(more);
    }
    own_team_free(&own);
    free(apart);
    free(both);
    free(lengths);
    close_model(&o);
    model_free(&m);
}

static rnnc_layer stack(rnnc_cell cell, size_t inputs, size_t hidden, size_t layers,
                        int both_ways) {
    return (rnnc_layer){.kind = RNNC_RECURRENT,
                        .recurrent = {cell, inputs, hidden, layers, 1, 0, both_ways, 0}};
}

static rnnc_layer head(size_t inputs, size_t outputs, rnnc_activation activation) {
    return (rnnc_layer){RNNC_DENSE, {0}, inputs, outputs, activation, 1, 0, 0};
}

/* Batches of 1 and of 37 take different kernels, and 37 several blocks. */
static void check_targets(const rnnc_layer *layer, size_t count, bool batch_first,
                          size_t residual) {
    static const char *const fields[] = {
        "name = \"net\", batch = \"any\", lengths = true, threads = 2, target = \"portable\",",
        "name = \"net\", batch = 37, threads = 2, target = \"portable\",",
        "name = \"net\", batch = 37, threads = 2, target = \"avx2\",",
    };
    for (size_t i = 0; i < 3; i++)
        if (i < 2 || target_runs("avx2"))
            check(layer, count, batch_first, residual, 70, 37, fields[i]);
}

Test(generated_in_place, residual, .timeout = 400) {
    const rnnc_layer layers[] = {stack(RNNC_LSTM, 3, 8, 1, 0), head(8, 3, RNNC_TANH)};
    check_targets(layers, 2, false, 3);
    check_targets(layers, 2, true, 1);
}

Test(generated_in_place, residual_alone, .timeout = 400) {
    const rnnc_layer layer = stack(RNNC_GRU, 5, 5, 2, 0);
    check_targets(&layer, 1, true, 5);
}

Test(generated_in_place, no_residual, .timeout = 400) {
    const rnnc_layer layer = stack(RNNC_RNN_TANH, 6, 6, 1, 0);
    check_targets(&layer, 1, false, 0);
}

Test(generated_in_place, both_directions, .timeout = 400) {
    const rnnc_layer layer = stack(RNNC_GRU, 6, 3, 2, 1);
    check_targets(&layer, 1, false, 6);
    check_targets(&layer, 1, false, 4); /* one of them of the reverse half */
}

Test(generated_in_place, softmax, .timeout = 400) {
    const rnnc_layer layers[] = {stack(RNNC_GRU, 4, 8, 1, 1), head(16, 4, RNNC_SOFTMAX)};
    check(layers, 2, true, 4, 9, 3,
          "name = \"net\", batch = \"any\", lengths = true, threads = 2, target = \"portable\",");
}

/* One layer in both directions reads x once more when half of y is written. */
Test(generated_in_place, refused, .timeout = 400) {
    const rnnc_layer layer = stack(RNNC_GRU, 6, 3, 1, 1);
    rng random = {.state = 3};
    model m = model_make(&layer, 1, false, 0, 5, 2, false, &random);
    opened o = open_model(&m, "name = \"net\", batch = \"any\", target = \"portable\",");
    rnnc_call call = {.seq_len = 5, .batch = 2, .x = m.x, .y = m.x};
    for (int generic = 0; generic < 2; generic++)
        cr_assert_eq(run(&o, generic, call), RNNC_ERR_ARGUMENT);
    close_model(&o);
    model_free(&m);
}

/* y of one row a sequence within x, and x that begins within y: each row of y counts. */
Test(generated_in_place, refused_with_last_step, .timeout = 400) {
    enum { T = 3, B = 4, I = 2, O = 2 };
    rnnc_layer layers[] = {stack(RNNC_GRU, I, 3, 1, 0), head(3, O, RNNC_TANH)};
    layers[1].last_step = 1;
    rng random = {.state = 5};
    model m = model_make(layers, 2, false, 0, T, B, false, &random);
    opened o = open_model(&m, "name = \"net\", batch = \"any\", target = \"portable\",");
    float both[B * O + T * B * I] = {0};
    for (int generic = 0; generic < 2; generic++) {
        for (size_t at = 0; at <= T * B * I; at++) {
            const rnnc_call call = {.seq_len = T, .batch = B, .x = both, .y = both + at};
            cr_expect_eq(run(&o, generic, call), at < T * B * I ? RNNC_ERR_ARGUMENT : RNNC_OK,
                         "y at %zu of x", at);
        }
        for (size_t at = 1; at <= B * O; at++) {
            const rnnc_call call = {.seq_len = T, .batch = B, .x = both + at, .y = both};
            cr_expect_eq(run(&o, generic, call), at < B * O ? RNNC_ERR_ARGUMENT : RNNC_OK,
                         "x at %zu of y", at);
        }
    }
    close_model(&o);
    model_free(&m);
}

Test(generated_in_place, steps, .timeout = 400) {
    const rnnc_layer layers[] = {stack(RNNC_LSTM, 1, 8, 1, 0), head(8, 1, RNNC_IDENTITY)};
    rng random = {.state = 4};
    model m = model_make(layers, 2, false, 1, 20, 1, false, &random);
    opened o = open_model(&m, "name = \"net\", target = \"portable\",");
    float y[20];
    const rnnc_call call = {.seq_len = 20, .batch = 1, .x = m.x, .y = y};
    cr_assert_eq(run(&o, 0, call), RNNC_OK);
    void *const symbol = library_symbol(o.library, "net", "_step");
    cr_assert(symbol);
    rnnc_status (*step)(const float *, void *, const float *, float *);
    memcpy(&step, &symbol, sizeof step);
    void *const state = calloc(1, 1 << 20); /* more than it takes */
    cr_assert(state);
    for (size_t t = 0; t < 20; t++) {
        cr_assert_eq(step(o.packed, state, m.x + t, m.x + t), RNNC_OK);
        cr_assert(memcmp(m.x + t, y + t, sizeof *y) == 0, "step %zu", t);
    }
    free(state);
    close_model(&o);
    model_free(&m);
}
