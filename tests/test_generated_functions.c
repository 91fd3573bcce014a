/* Layers that are a function alone, behind each kind of layer, against the oracle and, bit for bit,
 * in pieces, steps, alone and by a team. */
#include "support/cli.h"
#include "support/driver.h"
#include "support/model_stream.h"
#include "support/team.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const targets[] = {"portable", "avx2", "avx512"};

enum { TARGETS = sizeof targets / sizeof *targets, UNITS = 19 };

static rnnc_layer cell(rnnc_cell kind, size_t inputs, int bidirectional) {
    return (rnnc_layer){.recurrent = {kind, inputs, UNITS, 1, 1, 0, bidirectional, 0}};
}

static rnnc_layer function(size_t width, rnnc_activation activation) {
    return (rnnc_layer){.kind = RNNC_ACTIVATION,
                        .inputs = width,
                        .outputs = width,
                        .activation = activation,
                        .alpha = activation == RNNC_ELU ? 0.625f : 0};
}

static rnnc_layer dense(size_t inputs, size_t outputs, rnnc_activation activation) {
    return (rnnc_layer){.kind = RNNC_DENSE,
                        .inputs = inputs,
                        .outputs = outputs,
                        .activation = activation,
                        .bias = 1};
}

/* On 23 steps of `batch` sequences: a call as a whole and, where that can be, in pieces. */
static void check(const rnnc_layer *layers, size_t count, size_t batch, const char *more,
                  const driver_shape *shape) {
    for (size_t i = 0; i < TARGETS; i++) {
        if (!target_runs(targets[i]))
            continue;
        rnnc_error err = {RNNC_OK, ""};
        rng r = {.state = 7 * batch + count};
        char fields[200];
        model m = model_make(layers, count, i == 1, 0, 23, batch, *shape->states != 0, &r);
        char number[24];
        snprintf(number, sizeof number, "%zu", batch);
        snprintf(fields, sizeof fields, "name = \"net\", batch = %s, target = \"%s\", %s",
                 shape->fixed_batch ? number : "\"any\"", targets[i], more);
        void *const library = model_library(&m, fields, shape);
        const rnnc_model *const net = library_model(library, "net", &err);
        cr_assert(net, "%s", err.message);
        const driver d = driver_open(library, "net");
        float *const packed = model_pack(net, &m);
        if (shape->lengths)
            model_set_lengths(&m, &r);
        model_solve(&m);
        const bool ok = model_described(net, &m, &err) &&
                        model_run_all_ways(net, packed, &m, 4e-6, &err) &&
                        (shape->lengths || !shape->step ||
                         model_check_stream(net, packed, &d, true, &m, &r, &err));
        cr_expect(ok, "%s %zu layers: %s", fields, count, err.message);
        free(packed);
        close_library(library);
        model_free(&m);
    }
}

/* Behind both directions, whose halves lie apart; two in a row; before a dense layer, and last. */
Test(generated_functions, both_directions, .timeout = 600) {
    const driver_shape fixed = {.name = "net", .states = "hc", .fixed_batch = true};
    const driver_shape any = {.name = "net", .states = "hc", .lengths = true};
    const rnnc_layer layers[] = {cell(RNNC_LSTM, 5, 1), function(2 * UNITS, RNNC_RELU),
                                 function(2 * UNITS, RNNC_ELU), dense(2 * UNITS, 7, RNNC_TANH)};
    check(layers, 3, 16, "", &fixed);
    check(layers, 2, 3, "", &fixed);
    check(layers, 4, 3, "lengths = true,", &any);
}

/* With weights of units: of x, of both halves, of both directions of a layer below, of what runs
 * once; a last vector that is not full, and blocks of sequences. */
Test(generated_functions, of_units, .timeout = 600) {
    const driver_shape fixed = {.name = "net", .states = "hc", .fixed_batch = true};
    const driver_shape any = {.name = "net", .states = "hc", .lengths = true};
    rnnc_layer layers[] = {function(5, RNNC_SCALE),         function(5, RNNC_SHIFT),
                           cell(RNNC_LSTM, 5, 1),           function(2 * UNITS, RNNC_PRELU),
                           dense(2 * UNITS, 21, RNNC_TANH), function(21, RNNC_PRELU),
                           function(21, RNNC_SCALE)};
    check(layers, 4, 16, "", &fixed);
    check(layers + 2, 2, 3, "", &fixed);
    check(layers, 7, 3, "lengths = true,", &any);
    layers[4].last_state = 0;
    layers[4].last_step = 1;
    check(layers, 7, 16, "", &fixed);
}

/* In streams; the first and the last layer may be one. */
Test(generated_functions, of_units_streams, .timeout = 600) {
    const driver_shape shape = {.name = "net", .states = "h", .fixed_batch = true, .step = true};
    const rnnc_layer layers[] = {function(3, RNNC_SHIFT), cell(RNNC_GRU, 3, 0),
                                 function(UNITS, RNNC_SCALE), dense(UNITS, 1, RNNC_IDENTITY),
                                 function(1, RNNC_PRELU)};
    check(layers, 5, 1, "", &shape);
    check(layers, 5, 16, "threads = 2,", &shape);
}

static rnnc_layer merge(rnnc_layer_kind kind, size_t width, int last_state) {
    return (rnnc_layer){
        .kind = kind, .inputs = 2 * width, .outputs = width, .last_state = last_state};
}

/* One value of both directions, of all steps and of last states, last and between others. */
Test(generated_functions, merges, .timeout = 600) {
    const driver_shape fixed = {.name = "net", .states = "hc", .fixed_batch = true};
    const driver_shape any = {.name = "net", .states = "hc", .lengths = true};
    rnnc_layer layers[] = {cell(RNNC_LSTM, 5, 1),     merge(RNNC_MERGE_SUM, UNITS, 0),
                           cell(RNNC_LSTM, UNITS, 1), merge(RNNC_MERGE_MUL, UNITS, 0),
                           cell(RNNC_LSTM, UNITS, 1), merge(RNNC_MERGE_AVE, UNITS, 1),
                           dense(UNITS, 7, RNNC_TANH)};
    check(layers, 2, 16, "", &fixed);
    check(layers, 7, 3, "lengths = true,", &any);
    check(layers + 4, 3, 16, "threads = 2,", &fixed);
}

/* Between recurrent layers and behind functions of dense ones, streamed. */
Test(generated_functions, streams, .timeout = 600) {
    const driver_shape shape = {.name = "net", .states = "h", .fixed_batch = true, .step = true};
    const rnnc_layer layers[] = {dense(3, 6, RNNC_TANH),        function(6, RNNC_SOFTSIGN),
                                 cell(RNNC_GRU, 6, 0),          function(UNITS, RNNC_SIGMOID),
                                 cell(RNNC_RNN_TANH, UNITS, 0), function(UNITS, RNNC_SOFTMAX)};
    check(layers, 6, 1, "", &shape);
    check(layers, 6, 16, "", &shape);
}

/* Behind an embedding, and behind what runs once a sequence. */
Test(generated_functions, embedding_and_once, .timeout = 600) {
    const driver_shape any = {.name = "net", .states = "h", .tokens = true, .lengths = true};
    rnnc_layer layers[] = {{.kind = RNNC_EMBEDDING, .inputs = 9, .outputs = 5},
                           function(5, RNNC_GELU),
                           cell(RNNC_GRU, 5, 0),
                           dense(UNITS, 21, RNNC_RELU),
                           function(21, RNNC_LOG_SOFTMAX)};
    layers[3].last_step = 1;
    check(layers, 5, 3, "lengths = true,", &any);
    const driver_shape fixed = {.name = "net", .states = "h", .tokens = true, .fixed_batch = true};
    check(layers, 5, 8, "", &fixed);
}

/* Members that meet after every step: part 0 alone has the function. */
static rnnc_layer flat(size_t inputs, size_t outputs) {
    rnnc_layer layer = dense(23 * inputs, outputs, RNNC_TANH);
    layer.steps = 23;
    return layer;
}

/* All steps of a sequence in one row: of one direction and of both, behind a dense layer whose rows
 * are no whole groups, backwards; by a team too. */
Test(generated_functions, flattened, .timeout = 600) {
    const driver_shape shape = {
        .name = "net", .states = "h", .fixed_seq_len = true, .fixed_batch = true};
    const rnnc_layer one[] = {cell(RNNC_GRU, 5, 0), flat(UNITS, 7), dense(7, 3, RNNC_SOFTMAX)};
    const rnnc_layer both[] = {cell(RNNC_GRU, 5, 1), dense(2 * UNITS, 6, RNNC_RELU), flat(6, 5)};
    rnnc_layer back[] = {cell(RNNC_GRU, 5, 0), flat(UNITS, 4), function(4, RNNC_ELU)};
    const rnnc_layer halves[] = {cell(RNNC_GRU, 5, 1), flat(2 * UNITS, 9)};
    back[0].recurrent.reverse = 1;
    check(one, 3, 3, "seq_len = 23,", &shape);
    check(both, 3, 16, "seq_len = 23, threads = 2,", &shape);
    check(back, 2, 1, "seq_len = 23, chunk = 4,", &shape);
    check(halves, 2, 9, "seq_len = 23, chunk = 5,", &shape);
}

Test(generated_functions, team, .timeout = 600) {
    const driver_shape shape = {.name = "net", .states = "h", .fixed_batch = true, .step = true};
    rnnc_layer layers[] = {cell(RNNC_GRU, 20, 0), function(256, RNNC_RELU),
                           dense(256, 40, RNNC_RELU), function(40, RNNC_TANH)};
    layers[0].recurrent.hidden_size = 256;
    check(layers, 4, 3, "threads = 3,", &shape);
}

/* Behind a dense layer without a function it is that layer's: the same C. */
Test(generated_functions, of_a_dense_layer, .timeout = 60) {
    static const char *const texts[] = {
        "return model { name = \"net\", layers = { dense { input_size = 3, units = 5, "
        "activation = \"elu\", alpha = 0.5 }, activation { activation = \"tanh\" } } }\n",
        "return model { name = \"net\", layers = { dense { input_size = 3, units = 5 }, "
        "activation { activation = \"elu\", alpha = 0.5 }, activation { activation = \"tanh\" } "
        "} }\n"};
    char *files[2];
    for (size_t i = 0; i < 2; i++) {
        char dir[PATH_SIZE], path[PATH_SIZE];
        rnnc_error err;
        workdir_make(dir);
        cr_assert(generate_text("net", texts[i], "none", dir, &err), "%s", err.message);
        path_join(path, dir, "net.c");
        files[i] = file_read(path, NULL);
        cr_assert(files[i] != NULL);
        workdir_remove(dir);
        /* NAME.h has the hash of the spec's text, and NAME.c that of NAME.h. */
        char *const hash = strstr(files[i], "NET_HEADER_");
        cr_assert(hash);
        memset(hash + strlen("NET_HEADER_"), '0', 16);
    }
    cr_expect_str_eq(files[0], files[1]);
    cr_expect(strstr(files[0], "dense 3 -> 5, elu of 0.5; tanh"));
    free(files[0]);
    free(files[1]);
}
