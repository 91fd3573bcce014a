/* Random whole models, of up to seven layers, against the double oracle; and bit for bit what a
 * stream promises: pieces, single steps, and each sequence of a batch alone.
 *
 * RNNC_SEED, RNNC_TEST_FAST and RNNC_MODEL=n are as RNNC_SPEC in test_differential.c. */
#include "support/activation.h"
#include "support/check.h"
#include "support/driver.h"
#include "support/model_run.h"
#include "support/model_stream.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MODELS = 48, FAST_MODELS = 24, GROUP = 8 };

/* What is tried together. `count` is 1 when RNNC_MODEL asks for one. */
typedef struct group {
    uint64_t first;
    size_t count;
} group;

/* The number of a model makes all of it. `alone` is a second network for batches of 1, whose bits
 * must be those of a deterministic one. */
typedef struct random_model {
    model m;
    char name[32], alone[48], target[32];
    const char *weights_as;
    bool fixed_seq_len, fixed_batch, lengths, deterministic, step;
    rng r; /* for further runs */
} random_model;

static uint64_t number_from(const char *variable, uint64_t otherwise) {
    const char *const text = getenv(variable);
    return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

ParameterizedTestParameters(differential, models) {
    const uint64_t seed = number_from("RNNC_SEED", 1), only = number_from("RNNC_MODEL", 0);
    const size_t models = getenv("RNNC_TEST_FAST") ? FAST_MODELS : MODELS;
    const size_t count = only ? 1 : models / GROUP;
    group *const groups = cr_malloc(count * sizeof *groups);
    for (size_t i = 0; i < count; i++)
        groups[i] =
            (group){.first = only ? only : seed * 1000000 + i * GROUP, .count = only ? 1 : GROUP};
    return cr_make_param_array(group, groups, count, NULL);
}

/* ---- a random model ---- */

static size_t random_units(rng *r) {
    static const size_t awkward[] = {1,  2,  3,  5,  7,  8,  9,  15, 16, 17,
                                     20, 24, 31, 32, 33, 40, 47, 48, 50, 65};
    return rng_below(r, 3) ? awkward[rng_below(r, sizeof awkward / sizeof *awkward)]
                           : 1 + rng_below(r, 60);
}

static rnnc_layer random_stack(rng *r, size_t inputs, bool backwards) {
    static const rnnc_cell cells[] = {RNNC_RNN_TANH, RNNC_RNN_RELU, RNNC_LSTM,
                                      RNNC_LSTM,     RNNC_GRU,      RNNC_GRU};
    const rnnc_config config = {.cell = cells[rng_below(r, sizeof cells / sizeof *cells)],
                                .input_size = inputs,
                                .hidden_size = random_units(r),
                                .num_layers = rng_below(r, 2) ? 1 : 1 + rng_below(r, 3),
                                .bias = rng_below(r, 4) != 0,
                                .bidirectional = rng_below(r, 6) == 0,
                                .reverse = backwards};
    rnnc_layer layer = {.kind = RNNC_RECURRENT, .recurrent = config};
    if (layer.recurrent.bidirectional)
        layer.recurrent.reverse = 0;
    if (rng_below(r, 3) == 0)
        activation_choose_functions(&layer.recurrent, r);
    return layer;
}

static rnnc_layer random_dense(rng *r, size_t inputs, bool last) {
    rnnc_layer layer = {.kind = RNNC_DENSE,
                        .inputs = inputs,
                        .outputs = random_units(r),
                        .bias = rng_below(r, 4) != 0};
    activation_choose(&layer, last, r);
    return layer;
}

/* Behind a layer, of `inputs` values; softmax could not be followed by others. */
static rnnc_layer random_function(rng *r, size_t inputs) {
    rnnc_layer layer = {.kind = RNNC_ACTIVATION, .inputs = inputs, .outputs = inputs};
    if (rng_below(r, 2))
        activation_choose_of_units(&layer, r);
    else
        do
            activation_choose(&layer, false, r);
        while (layer.activation == RNNC_IDENTITY);
    return layer;
}

static size_t outputs_of(const rnnc_layer *l) {
    return l->kind == RNNC_RECURRENT
               ? l->recurrent.hidden_size * (l->recurrent.bidirectional ? 2 : 1)
               : l->outputs;
}

/* An embedding or not, which a last layer may share; up to three stacks, some with a dense layer
 * before or between; a dense layer or two behind, or none; functions behind some of them. */
static size_t random_layers(rng *r, rnnc_layer layer[MODEL_LAYERS]) {
    size_t n = 0, width = random_units(r);
    bool tied = false;
    if (rng_below(r, 3) == 0) {
        layer[n++] =
            (rnnc_layer){.kind = RNNC_EMBEDDING, .inputs = 2 + rng_below(r, 90), .outputs = width};
        tied = rng_below(r, 2);
    } else if (rng_below(r, 5) == 0) {
        layer[n++] = random_function(r, width);
    }
    /* Stacks that go backwards: all, some, none. */
    const size_t stacks = rng_below(r, 4), ways = rng_below(r, 6);
    for (size_t i = 0; i < stacks; i++) {
        if (rng_below(r, 5) == 0) {
            layer[n] = random_dense(r, width, false);
            width = outputs_of(&layer[n++]);
        }
        layer[n] = random_stack(r, width, ways == 0 || (ways == 1 && rng_below(r, 2)));
        if (tied && i + 1 == stacks) {
            layer[n].recurrent.hidden_size = layer[0].outputs;
            layer[n].recurrent.bidirectional = 0;
        }
        width = outputs_of(&layer[n++]);
        if (n + 2 < MODEL_LAYERS && rng_below(r, 6) == 0)
            layer[n++] = random_function(r, width);
    }
    const size_t behind = tied || n + 2 > MODEL_LAYERS ? 1 : rng_below(r, 3) + (stacks == 0);
    const bool last_step = rng_below(r, 3) == 0, last_state = rng_below(r, 2);
    const size_t one =
        n == 0; /* the first layer of all has no steps below it to take the last of */
    for (size_t i = 0; i < behind; i++) {
        layer[n] = random_dense(r, width, i + 1 == behind);
        layer[n].tied = tied;
        if (tied)
            layer[n].outputs = layer[0].inputs;
        const bool of_state = last_state && n > 0 && layer[n - 1].kind == RNNC_RECURRENT;
        layer[n].last_step = i == one && last_step && !of_state;
        layer[n].last_state = i == one && last_step && of_state;
        width = outputs_of(&layer[n++]);
        /* One behind a dense layer without a function would become that layer's. */
        if (i + 1 < behind && n + 1 < MODEL_LAYERS && layer[n - 1].activation != RNNC_IDENTITY &&
            rng_below(r, 4) == 0)
            layer[n++] = random_function(r, width);
    }
    return n;
}

/* T and B that keep the oracle to some milliseconds. */
static void random_run(const model *m, rng *r, size_t *seq_len, size_t *batch) {
    size_t work = 0;
    for (size_t i = 0; i < m->weight_count; i++)
        work += m->weight[i].rows * (m->weight[i].cols ? m->weight[i].cols : 1);
    *seq_len = rng_below(r, 6) ? 1 + rng_below(r, 20) : 60 + rng_below(r, 150);
    *batch = rng_below(r, 3) ? 1 + rng_below(r, 20) : rng_below(r, 2) ? 1 : 33 + rng_below(r, 9);
    while (*seq_len * *batch * work > 20000000 && *seq_len > 3)
        *seq_len = (*seq_len + 3) / 2;
    while (*seq_len * *batch * work > 20000000 && *batch > 2)
        *batch = (*batch + 2) / 2;
}

static void random_target(rng *r, char target[32]) {
    static const char *const all[] = {"scalar", "portable", "avx2", "avx512",
                                      "avx512,avx2,portable"};
    do
        strcpy(target, all[rng_below(r, sizeof all / sizeof *all)]);
    while (!strchr(target, ',') && !target_runs(target));
}

static random_model make_model(uint64_t number) {
    random_model one;
    rng r = {.state = number};
    rnnc_layer layer[MODEL_LAYERS];
    const size_t count = random_layers(&r, layer);
    /* The input is added to the output: all of it, or the first values. */
    const bool residual = layer[0].kind != RNNC_EMBEDDING && rng_below(&r, 3) == 0;
    const bool all = rng_below(&r, 2);
    size_t seq_len, batch;
    bool last_step = false;
    for (size_t i = 0; i < count; i++)
        last_step = last_step || layer[i].last_step || layer[i].last_state;
    size_t channels = 0;
    if (residual && !last_step) {
        const size_t output = outputs_of(&layer[count - 1]);
        size_t *const input =
            layer[0].kind == RNNC_RECURRENT ? &layer[0].recurrent.input_size : &layer[0].inputs;
        /* A function that comes first has the values of the layer behind it. */
        const bool can = layer[0].kind != RNNC_ACTIVATION || *input == output;
        if (all && can)
            *input = output;
        channels = all && can ? output : 1 + rng_below(&r, *input < output ? *input : output);
    }
    one.m = model_make(layer, count, rng_below(&r, 2), channels, 1, 1, false, &r);
    random_run(&one.m, &r, &seq_len, &batch);
    model_resize(&one.m, seq_len, batch, rng_below(&r, 4) != 0, &r);
    snprintf(one.name, sizeof one.name, "m%" PRIu64, number);
    snprintf(one.alone, sizeof one.alone, "%s_alone", one.name);
    random_target(&r, one.target);
    one.fixed_seq_len = rng_below(&r, 3) == 0;
    one.fixed_batch = rng_below(&r, 2);
    one.lengths = rng_below(&r, 3) == 0;
    one.deterministic = rng_below(&r, 3) == 0;
    one.step = one.fixed_batch && !last_step && !model_sizes_of(&one.m).backwards;
    size_t floats = 0;
    for (size_t i = 0; i < one.m.weight_count; i++)
        floats += one.m.weight[i].rows * (one.m.weight[i].cols ? one.m.weight[i].cols : 1);
    one.weights_as = floats < 20000 && rng_below(&r, 2) ? "c" : "none"; /* they cost compile time */
    one.r = r;
    return one;
}

/* ---- a network for it ---- */

/* The spec, for batches of 1 in calls of any length if `alone`; the caller frees it. */
static char *text_of(const random_model *one, bool alone) {
    char fields[640], size[2][32], target[64] = "";
    for (const char *p = one->target; *p; p++)
        snprintf(target + strlen(target), sizeof target - strlen(target), "%.*s", *p == ',' ? 4 : 1,
                 *p == ',' ? "\", \"" : p);
    snprintf(size[0], sizeof size[0], one->fixed_seq_len && !alone ? "%zu" : "\"any\"",
             one->m.seq_len);
    snprintf(size[1], sizeof size[1], one->fixed_batch ? "%zu" : "\"any\"", one->m.batch);
    snprintf(fields, sizeof fields,
             "name = \"%s\", seq_len = %s, batch = %s,\n  target = { \"%s\" }, lengths = %s, "
             "deterministic = %s,%s",
             alone ? one->alone : one->name, size[0], alone ? "1" : size[1], target,
             one->lengths ? "true" : "false", one->deterministic ? "true" : "false",
             strcmp(one->weights_as, "c") == 0
                 ? "\n  weights = \"w.safetensors\", prefix = \"new.\",\n"
                   "  map = { { \"^old%.\", \"new.\" }, { \"^gone$\", \"new.L0.weight\" } },"
                 : "");
    return model_text(&one->m, fields);
}

static bool generate_model(const random_model *one, bool alone, const char *dir, rnnc_error *err) {
    char path[PATH_SIZE];
    const model_sizes s = model_sizes_of(&one->m);
    const bool built_in = strcmp(one->weights_as, "c") == 0;
    const driver_shape shape = {.name = alone ? one->alone : one->name,
                                .states = s.c   ? "hc"
                                          : s.h ? "h"
                                                : "",
                                .built_in = built_in,
                                .fixed_seq_len = one->fixed_seq_len && !alone,
                                .fixed_batch = one->fixed_batch || alone,
                                .tokens = s.tokens,
                                .lengths = one->lengths,
                                .step = one->step && !alone};
    path_join(path, dir, "w.safetensors");
    char *const text = text_of(one, alone);
    const bool ok = (!built_in || model_write_weights(&one->m, path, "old.", err)) &&
                    generate_text(shape.name, text, one->weights_as, dir, err) &&
                    driver_write_shape(&shape, dir, err);
    free(text);
    return ok;
}

static void report(const random_model *one, uint64_t number, const char *cc, const char *message) {
    char *const text = text_of(one, false);
    cr_expect(false,
              "%s\n%s  T=%zu B=%zu states=%d lengths=%d, compiled with %s\n"
              "  repeat: RNNC_MODEL=%" PRIu64
              " build/tests/rnnc-tests --filter 'differential/models'\n",
              message, text, one->m.seq_len, one->m.batch, one->m.h0 || one->m.c0,
              one->m.lengths != NULL, cc, number);
    free(text);
}

/* ---- what must hold ---- */

/* Largest magnitude of the answers, at least 1: rounding errors grow with it. */
static double magnitude(const model *m) {
    const model_sizes s = model_sizes_of(m);
    double largest = 1.0;
    for (size_t i = 0; i < model_y_count(m); i++)
        largest = fmax(largest, fabs(m->y[i]));
    for (size_t i = 0; i < s.h * m->batch; i++)
        largest = fmax(largest, fabs(m->hn[i]));
    for (size_t i = 0; i < s.c * m->batch; i++)
        largest = fmax(largest, fabs(m->cn[i]));
    return largest;
}

/* All of it for one network, and other sizes if it was made for any. */
static void try_model(random_model *one, uint64_t number, void *library, const char *cc) {
    rnnc_error err = {RNNC_OK, ""};
    char context[96];
    snprintf(context, sizeof context, "RNNC_MODEL=%" PRIu64, number);
    crash_context(context);
    const rnnc_model *const net = library_model(library, one->name, &err);
    const rnnc_model *const alone =
        net && one->deterministic ? library_model(library, one->alone, &err) : NULL;
    const driver d = driver_open(library, one->name);
    bool ok = net && (alone || !one->deterministic) && model_described(net, &one->m, &err);
    float *const packed = ok ? model_pack(net, &one->m) : NULL;
    float *const alone_packed = ok && alone ? model_pack(alone, &one->m) : NULL;
    const model_sizes s = model_sizes_of(&one->m);
    for (int run = 0; ok && run < 3; run++) {
        if (one->lengths && rng_below(&one->r, 4))
            model_set_lengths(&one->m, &one->r);
        model_solve(&one->m);
        ok = model_run_all_ways(net, packed, &one->m, 4e-6 * magnitude(&one->m), &err);
        if (ok && !one->m.lengths && !s.last_step && !s.backwards &&
            (!one->fixed_seq_len || d.step))
            ok = model_check_stream(net, packed, &d, !one->fixed_seq_len, &one->m, &one->r, &err);
        if (ok && alone)
            ok = model_check_alone(net, alone, packed, alone_packed, &one->m, &err);
        if (ok && one->deterministic && !one->fixed_batch && !one->fixed_seq_len)
            ok = model_check_alone(net, net, packed, packed, &one->m, &err);
        if (!ok || (one->fixed_seq_len && one->fixed_batch))
            break;
        size_t seq_len, batch;
        random_run(&one->m, &one->r, &seq_len, &batch);
        model_resize(&one->m, one->fixed_seq_len ? one->m.seq_len : seq_len,
                     one->fixed_batch ? one->m.batch : batch, rng_below(&one->r, 2), &one->r);
    }
    crash_context(NULL);
    if (!ok)
        report(one, number, cc, err.message);
    free(packed);
    free(alone_packed);
}

ParameterizedTest(group *g, differential, models, .timeout = 600) {
    const uint64_t turn = g->first / GROUP;
    const char *const cc = sanitized() ? default_cc() : turn % 2 ? "clang" : "gcc";
    random_model models[GROUP];
    bool generated[GROUP];
    char dir[PATH_SIZE];
    rnnc_error err;
    workdir_make(dir);
    for (size_t i = 0; i < g->count; i++) {
        models[i] = make_model(g->first + i);
        generated[i] = generate_model(&models[i], false, dir, &err) &&
                       (!models[i].deterministic || generate_model(&models[i], true, dir, &err));
        if (!generated[i])
            report(&models[i], g->first + i, "nothing", err.message);
    }
    void *const library = build_library(cc, turn % 5 == 4 ? "-O3" : "-O1", dir, NULL, &err);
    workdir_remove(dir);
    cr_expect(library != NULL, "models %" PRIu64 " to %" PRIu64 ": %s", g->first,
              g->first + g->count - 1, err.message);
    for (size_t i = 0; i < g->count; i++) {
        if (library && generated[i])
            try_model(&models[i], g->first + i, library, cc);
        model_free(&models[i].m);
    }
    close_library(library);
}
