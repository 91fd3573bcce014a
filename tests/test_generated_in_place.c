/* y in the place of x, hn and cn in those of h0 and c0: the bits of a call with buffers apart, of
 * generated networks in every kernel, by a team, step by step, and of generic ones, which agree.
 * Other overlaps are refused. */
#include "support/generate.h"
#include "support/model.h"
#include "support/model_run.h"
#include "support/team.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One network, open. */
typedef struct opened {
    void *library;
    const rnnc_model *net;
    float *packed, *prepared;
} opened;

/* net.c says which kernel it has. */
static bool has_kernel(const char *dir, const char *kernel) {
    char path[PATH_SIZE], wanted[64];
    snprintf(wanted, sizeof wanted, ": kernel \"%s x ", kernel);
    path_join(path, dir, "net.c");
    char *const text = file_read(path, NULL);
    cr_assert(text, "%s", path);
    const bool found = strstr(text, wanted) != NULL;
    free(text);
    return found;
}

/* kernel: the one that the compiler has to choose, or NULL. */
static opened open_model(const model *m, const char *fields, const char *kernel) {
    char dir[PATH_SIZE];
    rnnc_error err;
    opened o;
    workdir_make(dir);
    char *const text = model_text(m, fields);
    cr_assert(generate_text("net", text, "none", dir, &err), "%s", err.message);
    cr_assert(!kernel || has_kernel(dir, kernel), "%s: not the kernel %s", fields, kernel);
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

/* Buffers that a call may use twice: y is x, hn is h0, cn is c0; one behind the other from y on. */
typedef struct carried {
    float *y, *hn, *cn;
    size_t y_count, h_count, c_count;
} carried;

static carried carried_make(const model *m) {
    const model_sizes sizes = model_sizes_of(m);
    carried c = {
        .y_count = model_y_count(m), .h_count = m->batch * sizes.h, .c_count = m->batch * sizes.c};
    c.y = malloc((c.y_count + c.h_count + c.c_count) * sizeof(float));
    cr_assert(c.y);
    c.hn = c.y + c.y_count;
    c.cn = c.c_count ? c.hn + c.h_count : NULL;
    return c;
}

static void carried_fill(const carried *c, const model *m) {
    memcpy(c->y, m->x, c->y_count * sizeof(float));
    memcpy(c->hn, m->h0, c->h_count * sizeof(float));
    if (c->cn)
        memcpy(c->cn, m->c0, c->c_count * sizeof(float));
}

static bool carried_same(const carried *a, const carried *b) {
    return memcmp(a->y, b->y, (a->y_count + a->h_count + a->c_count) * sizeof(float)) == 0;
}

/* y late or early by less than x has is refused; side by side is fine. */
static void check_overlaps(const opened *o, int generic, rnnc_call call, size_t values) {
    float *const more = malloc(2 * values * sizeof(float));
    cr_assert(more);
    memset(more, 0, 2 * values * sizeof(float));
    for (size_t late = 1; late < values; late += values - 2) {
        call.x = more;
        call.y = more + late;
        cr_assert_eq(run(o, generic, call), RNNC_ERR_ARGUMENT, "y %zu values late", late);
        call.x = more + late;
        call.y = more;
        cr_assert_eq(run(o, generic, call), RNNC_ERR_ARGUMENT, "y %zu values early", late);
    }
    call.x = more;
    call.y = more + values;
    cr_assert_eq(run(o, generic, call), RNNC_OK, "side by side");
    free(more);
}

/* All calls of a network whose x and y are as wide, which takes a team and lengths: forward,
 * forward_lengths, both by a team, by one whose members run one after the other, which shows when
 * what one has written is read by the next one, and the generic ones. residual: so many values of x
 * are added. */
static void check_with(const rnnc_layer *layer, size_t count, bool batch_first, size_t residual,
                       size_t T, size_t B, const char *fields, const char *kernel) {
    rng random = {.state = 11 + count};
    model m = model_make(layer, count, batch_first, residual, T, B, true, &random);
    opened o = open_model(&m, fields, kernel);
    own_team own, serial;
    own_team_make(&own, 2, false);
    own_team_make(&serial, 2, true);
    rnnc_team *const teams[] = {NULL, &own.team, &serial.team};
    carried out_of_place = carried_make(&m), both = carried_make(&m);
    size_t *const lengths = malloc(B * sizeof(size_t));
    /* What generated code gives without and with lengths, which the others agree with. */
    float *const agreed = malloc(2 * out_of_place.y_count * sizeof(float));
    cr_assert(lengths && agreed);
    for (size_t b = 0; b < B; b++)
        lengths[b] = b % 3 == 1 ? T / 2 : b % 7 == 5 ? 0 : T;
    for (int way = 0; way < 8; way++) {
        const int generic = way >= 6;
        const rnnc_call call = {.seq_len = T,
                                .batch = B,
                                .x = m.x,
                                .h0 = m.h0,
                                .c0 = m.c0,
                                .y = out_of_place.y,
                                .hn = out_of_place.hn,
                                .cn = out_of_place.cn,
                                .lengths = way & 1 && o.net->lengths ? lengths : NULL,
                                .team = generic ? NULL : teams[way / 2]};
        memset(out_of_place.y, 0xFF, out_of_place.y_count * sizeof(float));
        cr_assert_eq(run(&o, generic, call), RNNC_OK);
        float *const same = agreed + (size_t)(way & 1) * out_of_place.y_count;
        if (way < 2)
            memcpy(same, out_of_place.y, out_of_place.y_count * sizeof(float));
        for (size_t i = 0; i < out_of_place.y_count; i++)
            cr_assert(fabsf(out_of_place.y[i] - same[i]) <= 1e-5f, "%s, way %d: y[%zu]", fields,
                      way, i);
        carried_fill(&both, &m);
        rnnc_call again = call;
        again.x = again.y = both.y;
        again.h0 = again.hn = both.hn;
        again.c0 = again.cn = both.cn;
        cr_assert_eq(run(&o, generic, again), RNNC_OK);
        cr_assert(carried_same(&out_of_place, &both), "%s, way %d", fields, way);
        check_overlaps(&o, generic, call, out_of_place.y_count);
    }
    own_team_free(&own);
    own_team_free(&serial);
    free(out_of_place.y);
    free(both.y);
    free(agreed);
    free(lengths);
    close_model(&o);
    model_free(&m);
}

static void check(const rnnc_layer *layer, size_t count, bool batch_first, size_t residual,
                  size_t T, size_t B, const char *fields) {
    check_with(layer, count, batch_first, residual, T, B, fields, NULL);
}

/* Sizes for which the compiler chooses that kernel; nothing where the target does not run. */
static void check_kernel(const rnnc_layer *layer, size_t count, bool batch_first, size_t residual,
                         size_t B, const char *target, const char *kernel) {
    char fields[128];
    snprintf(fields, sizeof fields, "name = \"net\", batch = %zu, threads = 2, target = \"%s\",", B,
             target);
    if (strcmp(target, "portable") == 0 || target_runs(target))
        check_with(layer, count, batch_first, residual, 70, B, fields, kernel);
}

static rnnc_layer stack(rnnc_cell cell, size_t inputs, size_t hidden, size_t layers,
                        int both_ways) {
    return (rnnc_layer){.kind = RNNC_RECURRENT,
                        .recurrent = {cell, inputs, hidden, layers, 1, 0, both_ways, 0}};
}

static rnnc_layer head(size_t inputs, size_t outputs, rnnc_activation activation) {
    return (rnnc_layer){.kind = RNNC_DENSE,
                        .inputs = inputs,
                        .outputs = outputs,
                        .activation = activation,
                        .bias = 1};
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
    /* Rows of whole vectors, which y gets at once: where x has been read before, and where not. */
    const rnnc_layer whole = stack(RNNC_RNN_TANH, 24, 24, 1, 0);
    check(&whole, 1, false, 0, 70, 3,
          "name = \"net\", batch = \"any\", threads = 2, target = \"portable\",");
    check(&whole, 1, false, 0, 1, 3,
          "name = \"net\", seq_len = 1, batch = 3, threads = 2, target = \"portable\",");
}

Test(generated_in_place, backwards, .timeout = 400) {
    rnnc_layer layer = stack(RNNC_GRU, 5, 5, 1, 0);
    layer.recurrent.reverse = 1;
    check_targets(&layer, 1, true, 3);
}

Test(generated_in_place, both_directions, .timeout = 400) {
    const rnnc_layer layer = stack(RNNC_GRU, 6, 3, 2, 1);
    check_targets(&layer, 1, false, 6);
    check_targets(&layer, 1, false, 4); /* one of them of the reverse half */
}

Test(generated_in_place, softmax, .timeout = 400) {
    const rnnc_layer layers[] = {stack(RNNC_GRU, 5, 16, 1, 0), head(16, 5, RNNC_SOFTMAX)};
    check(layers, 2, true, 2, 9, 3,
          "name = \"net\", batch = \"any\", lengths = true, threads = 2, target = \"portable\",");
    check_kernel(layers, 2, false, 5, 32, "portable", "batch");
    const rnnc_layer even[] = {stack(RNNC_GRU, 4, 16, 1, 0), head(16, 4, RNNC_SOFTMAX)};
    check_kernel(even, 2, true, 2, 37, "avx2", "pairs");
}

/* The head comes when all of x has been read, chunk after chunk. */
Test(generated_in_place, softmax_of_both_directions, .timeout = 400) {
    const rnnc_layer layers[] = {stack(RNNC_GRU, 4, 32, 1, 1), head(64, 4, RNNC_LOG_SOFTMAX)};
    check_kernel(layers, 2, false, 4, 8, "portable", "batch");
    check_kernel(layers, 2, true, 3, 37, "avx2", "batch"); /* a part has a direction */
    const rnnc_layer narrow[] = {stack(RNNC_GRU, 4, 16, 1, 1), head(32, 4, RNNC_SOFTMAX)};
    check_kernel(narrow, 2, false, 4, 37, "avx2", "pairs");
}

/* One layer in both directions reads x once more when half of y is written. */
Test(generated_in_place, one_layer_of_both_directions, .timeout = 400) {
    const rnnc_layer layer = stack(RNNC_GRU, 6, 3, 1, 1);
    check_targets(&layer, 1, true, 0);
    check_targets(&layer, 1, false, 4);
    check(&layer, 1, false, 6, 70, 37,
          "name = \"net\", seq_len = 70, batch = 37, threads = 2, target = \"portable\",");
}

/* y of one row a sequence within x, and x that begins within y: each row of y counts. */
Test(generated_in_place, refused_with_last_step, .timeout = 400) {
    enum { T = 3, B = 4, I = 2, O = 2 };
    rnnc_layer layers[] = {stack(RNNC_GRU, I, 3, 1, 0), head(3, O, RNNC_TANH)};
    layers[1].last_step = 1;
    rng random = {.state = 5};
    model m = model_make(layers, 2, false, 0, T, B, false, &random);
    opened o = open_model(&m, "name = \"net\", batch = \"any\", target = \"portable\",", NULL);
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
    opened o = open_model(&m, "name = \"net\", target = \"portable\",", NULL);
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
