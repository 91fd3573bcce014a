/* `rnnc import` of ONNX models: those of others, as they lie in tests/import, give what was
 * recorded of them. */
#define _XOPEN_SOURCE 700
#include "support/cli.h"
#include "support/generate.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER "tests/import/"

/* Where a buffer of the call is recorded: a TensorProto of its own (*.pb), or a tensor of
 * vectors.safetensors. NULL: nowhere. */
typedef struct recorded_case {
    const char *folder, *file;
    size_t steps, batch;
    const char *x, *h0;
    const char *y, *hn, *cn;
    size_t directions; /* of y, if it is (time, directions, batch, hidden) in the file; or 0 */
} recorded_case;

static const recorded_case cases[] = {
    {"burn_gru_gru_bidirectional", "gru_bidirectional.onnx", 5, 2, "in.input", NULL, "out.Y",
     "out.Y_h", NULL, 2},
    {"burn_lstm_lstm", "lstm.onnx", 5, 2, "in.input", NULL, "out.output", "out.h_n", "out.c_n", 0},
    {"burn_rnn_rnn_with_initial_state", "rnn_with_initial_state.onnx", 5, 2, "in.input", "in.h_0",
     "out.output", "out.h_n", NULL, 0},
    {"onnx2c_lstm_activations", "model.onnx", 1, 3, "input_0.pb", NULL, NULL, "output_0.pb", NULL,
     0},
    {"onnx2c_lstm_bidirectional", "model.onnx", 1, 3, "input_0.pb", NULL, NULL, "output_0.pb", NULL,
     0},
    {"onnx2c_lstm_with_initial_state", "model.onnx", 5, 4, "input_0.pb", "input_3.pb",
     "output_0.pb", NULL, NULL, 0},
    {"onnx_node_lstm_batchwise", "model.onnx", 1, 3, "input_0.pb", NULL, "output_0.pb",
     "output_1.pb", NULL, 0},
    {"onnx_node_lstm_defaults", "model.onnx", 1, 3, "input_0.pb", NULL, NULL, "output_0.pb", NULL,
     0},
    {"onnx_node_lstm_with_initial_bias", "model.onnx", 1, 3, "input_0.pb", NULL, NULL,
     "output_0.pb", NULL, 0},
    {"onnx_node_simple_rnn_with_initial_bias", "model.onnx", 1, 3, "input_0.pb", NULL, NULL,
     "output_0.pb", NULL, 0},
    {"onnx_node_gru_seq_length", "model.onnx", 2, 3, "input_0.pb", NULL, NULL, "output_0.pb", NULL,
     0},
    {"onnx_node_gru_with_initial_bias", "model.onnx", 1, 3, "input_0.pb", NULL, NULL, "output_0.pb",
     NULL, 0},
};

enum { CASES = sizeof cases / sizeof *cases };

typedef struct values {
    size_t count;
    float *at; /* NULL: not recorded */
} values;

static values make_values(size_t count) {
    return (values){count, calloc(count + 1, sizeof(float))};
}

/* The raw_data (field 9) of a TensorProto whose fields are numbers and blocks below 128 bytes
 * before it: dims, data_type and name. */
static values read_pb(const char *path) {
    size_t size, at = 0;
    unsigned char *const bytes = (unsigned char *)file_read(path, &size);
    cr_assert(bytes != NULL, "%s", path);
    while (at < size && bytes[at] != (9 << 3 | 2))
        at += (bytes[at] & 7) == 2 ? (size_t)2 + bytes[at + 1] : 2;
    cr_assert(at < size, "%s has no raw_data", path);
    size_t length = 0;
    unsigned shift = 0;
    do {
        at++;
        length |= (size_t)(bytes[at] & 127) << shift;
        shift += 7;
    } while (bytes[at] & 128);
    cr_assert_eq(at + 1 + length, size, "%s", path);
    values v = make_values(length / sizeof(float));
    memcpy(v.at, bytes + at + 1, length);
    free(bytes);
    return v;
}

static values read_values(const recorded_case *c, const char *name) {
    char path[PATH_SIZE];
    if (!name)
        return (values){0, NULL};
    snprintf(path, sizeof path, FOLDER "%s/%s", c->folder,
             strstr(name, ".pb") ? name : "vectors.safetensors");
    if (strstr(name, ".pb"))
        return read_pb(path);
    rnnc_safetensors *file;
    rnnc_tensor tensor;
    rnnc_error err;
    size_t count;
    cr_assert(rnnc_safetensors_open(path, &file, &err) == RNNC_OK, "%s", err.message);
    cr_assert(rnnc_safetensors_find(file, name, &tensor) == RNNC_OK, "%s: %s", path, name);
    cr_assert(rnnc_tensor_count(&tensor, &count) == RNNC_OK);
    values v = make_values(count);
    cr_assert(rnnc_safetensors_read_f32(file, name, v.at, count, &err) == RNNC_OK);
    rnnc_safetensors_close(file);
    return v;
}

/* (time, directions, batch, hidden) as (time, batch, directions, hidden). */
static void join_directions(const recorded_case *c, values *y) {
    const size_t hidden = y->count / (c->steps * c->batch * c->directions);
    values joined = make_values(y->count);
    for (size_t t = 0; t < c->steps; t++)
        for (size_t d = 0; d < c->directions; d++)
            for (size_t b = 0; b < c->batch; b++)
                memcpy(joined.at + ((t * c->batch + b) * c->directions + d) * hidden,
                       y->at + ((t * c->directions + d) * c->batch + b) * hidden,
                       hidden * sizeof(float));
    free(y->at);
    *y = joined;
}

static void expect_near(const recorded_case *c, const char *what, values got, values want) {
    double largest = 0, power = 0;
    for (size_t i = 0; i < want.count; i++) {
        const double error = fabs((double)got.at[i] - (double)want.at[i]);
        largest = error <= largest ? largest : error;
        power = fmax(power, fabs((double)want.at[i]));
    }
    cr_expect(largest <= 2e-6, "%s: %s differs by %g", c->folder, what, largest);
    cr_expect(want.count == 0 || power > 1e-3, "%s: all of %s is 0", c->folder, what);
}

static void expect_recorded(const recorded_case *c, const char *dir, const char *name) {
    rnnc_error err;
    void *const library = build_library(NULL, "-O1", dir, NULL, &err);
    cr_assert(library, "%s", err.message);
    const rnnc_model *const model = library_model(library, name, &err);
    cr_assert(model, "%s", err.message);
    const values x = read_values(c, c->x), h0 = read_values(c, c->h0), hn = read_values(c, c->hn),
                 cn = read_values(c, c->cn);
    values y = read_values(c, c->y);
    if (c->directions)
        join_directions(c, &y);
    cr_assert_eq(x.count, c->steps * c->batch * model->input, "%s", c->folder);
    const values got_y = make_values(c->steps * c->batch * model->output),
                 got_hn = make_values(4096), got_cn = make_values(4096);
    cr_assert(y.count == 0 || y.count == got_y.count);
    for (size_t i = 0; i < got_y.count; i++)
        got_y.at[i] = NAN;
    for (size_t i = 0; i < got_hn.count; i++)
        got_hn.at[i] = got_cn.at[i] = NAN;
    void *const workspace = malloc(rnnc_model_workspace_size(model, c->steps, c->batch));
    const rnnc_call call = {.seq_len = c->steps,
                            .batch = c->batch,
                            .x = x.at,
                            .h0 = h0.at,
                            .y = got_y.at,
                            .hn = got_hn.at,
                            .cn = c->cn ? got_cn.at : NULL,
                            .workspace = workspace};
    cr_assert(workspace && rnnc_model_forward(model, &call, &err) == RNNC_OK, "%s: %s", c->folder,
              err.message);
    expect_near(c, "y", got_y, y);
    expect_near(c, "hn", got_hn, hn);
    expect_near(c, "cn", got_cn, cn);
    free(workspace);
    const values all[] = {x, h0, y, hn, cn, got_y, got_hn, got_cn};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i].at);
    close_library(library);
}

ParameterizedTestParameters(import_onnx, as_recorded) {
    static size_t numbers[CASES];
    for (size_t i = 0; i < CASES; i++)
        numbers[i] = i;
    return cr_make_param_array(size_t, numbers, CASES, NULL);
}

/* By import and compile, and by compile alone. */
ParameterizedTest(const size_t *number, import_onnx, as_recorded, .timeout = 120) {
    const recorded_case *const c = &cases[*number];
    char dir[PATH_SIZE], path[PATH_SIZE], model[PATH_SIZE], gen[PATH_SIZE], at_once[PATH_SIZE];
    workdir_make(dir);
    snprintf(path, sizeof path, FOLDER "%s/%s", c->folder, c->file);
    path_join(model, dir, "net.lua");
    path_join(gen, dir, "gen");
    path_join(at_once, dir, "at_once");
    expect_runs(run(NULL, "import", path, "-o", dir, "--name=net"), "import");
    expect_runs(run(NULL, "compile", model, "-o", gen, NULL), "compile");
    expect_runs(run(NULL, "compile", path, "-o", at_once, NULL), "compile at once");
    expect_recorded(c, gen, "net");
    char name[64] = "";
    snprintf(name, sizeof name, "%.*s", (int)strcspn(c->file, "."), c->file);
    expect_recorded(c, at_once, name);
    workdir_remove(dir);
}
