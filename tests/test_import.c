/* `rnnc import`: networks of others, as they lie in tests/import (PROVENANCE.txt there says whose),
 * give what was recorded of them, through generated C. */
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

/* Where inputs and outputs are recorded: tensors x and y of a safetensors file, or a .csv each with
 * a value in a line. */
typedef struct import_case {
    const char *file, *name; /* of the network that it becomes */
    const char *x, *y;
    size_t inputs;    /* values of x in a step */
    double tolerance; /* float32's own error in the recorded values and in ours */
} import_case;

static const import_case cases[] = {
    {"rtneural_gru/gru.json", "gru", "rtneural_gru/gru_x_python.csv",
     "rtneural_gru/gru_y_python.csv", 1, 1e-6},
    {"rtneural_lstm_1d/lstm_1d.json", "lstm_1d", "rtneural_lstm_1d/lstm_1d_x_python.csv",
     "rtneural_lstm_1d/lstm_1d_y_python.csv", 1, 1e-6},
    {"klon_centaur_50/centaur_50.json", "centaur_50", "klon_centaur_50/vectors.safetensors",
     "klon_centaur_50/vectors.safetensors", 1, 2e-6},
    {"rtneural_lstm_torch/lstm_torch.json", "lstm_torch",
     "rtneural_lstm_torch/lstm_torch_x_python.csv", "rtneural_lstm_torch/lstm_torch_y_python.csv",
     1, 1e-6},
    {"nam_example_lstm/lstm.nam", "lstm", "nam_example_lstm/vectors.safetensors",
     "nam_example_lstm/vectors.safetensors", 1, 1e-6},
    {"neuralseed_gru8/gru8_ts9_pytorch.json", "gru8_ts9_pytorch",
     "neuralseed_gru8/vectors.safetensors", "neuralseed_gru8/vectors.safetensors", 1, 2e-6},
    {"anydrive_lstm_actuator/anydrive_v3_lstm.pt", "anydrive_v3_lstm",
     "anydrive_lstm_actuator/vectors.safetensors", "anydrive_lstm_actuator/vectors.safetensors", 2,
     2e-5}, /* of values up to 57 */
    {"silero_vad16k_decoder/silero_decoder.safetensors", "silero_decoder",
     "silero_vad16k_decoder/vectors.safetensors", "silero_vad16k_decoder/vectors.safetensors", 128,
     1e-6},
    {"opus_speech_music_mlp/arrays.safetensors", "arrays",
     "opus_speech_music_mlp/vectors.safetensors", "opus_speech_music_mlp/vectors.safetensors", 25,
     2.5e-4}, /* recorded with an approximation of tanh, which is up to 2e-4 off */
    {"mlkws_gru_s/GRU_S.pb", "GRU_S", "mlkws_gru_s/vectors.safetensors",
     "mlkws_gru_s/vectors.safetensors", 10, 1e-6},
    {"mlkws_basic_lstm_s/Basic_LSTM_S.pb", "Basic_LSTM_S", "mlkws_basic_lstm_s/vectors.safetensors",
     "mlkws_basic_lstm_s/vectors.safetensors", 10, 1e-6},
    {"unitree_g1_policy/motion.pt", "motion", "unitree_g1_policy/vectors.safetensors",
     "unitree_g1_policy/vectors.safetensors", 47, 1e-4}, /* of values up to 5; float32 there */
};

enum { CASES = sizeof cases / sizeof *cases };

typedef struct values {
    size_t count;
    float *at;
} values;

static values read_tensor(const char *path, const char *name) {
    rnnc_safetensors *file;
    rnnc_tensor tensor;
    rnnc_error err;
    values v;
    cr_assert(rnnc_safetensors_open(path, &file, &err) == RNNC_OK, "%s", err.message);
    cr_assert(rnnc_safetensors_find(file, name, &tensor) == RNNC_OK, "%s: %s", path, name);
    cr_assert(rnnc_tensor_count(&tensor, &v.count) == RNNC_OK);
    v.at = malloc(v.count * sizeof *v.at);
    cr_assert(rnnc_safetensors_read_f32(file, name, v.at, v.count, &err) == RNNC_OK);
    rnnc_safetensors_close(file);
    return v;
}

static values read_lines(const char *path) {
    char *const text = file_read(path, NULL);
    cr_assert(text != NULL, "%s", path);
    values v = {0, malloc((strlen(text) / 2 + 1) * sizeof(float))};
    char *end;
    for (const char *at = text;; at = end) {
        const float value = strtof(at, &end);
        if (end == at)
            break;
        v.at[v.count++] = value;
    }
    free(text);
    return v;
}

static values read_values(const char *file, const char *name) {
    char path[PATH_SIZE];
    path_join(path, FOLDER, file);
    return strstr(path, ".csv") ? read_lines(path) : read_tensor(path, name);
}

/* What the network that lies in C in `dir` gives for x, one sequence. */
static values run_network(const char *dir, const char *name, values x, size_t steps,
                          size_t y_count) {
    rnnc_error err;
    void *const library = build_library(NULL, "-O1", dir, NULL, &err);
    cr_assert(library, "%s", err.message);
    const rnnc_model *const model = library_model(library, name, &err);
    cr_assert(model, "%s", err.message);
    values y = {y_count, malloc(y_count * sizeof(float))};
    for (size_t i = 0; i < y.count; i++)
        y.at[i] = NAN;
    void *const workspace = malloc(rnnc_model_workspace_size(model, steps, 1));
    const rnnc_call call = {
        .seq_len = steps, .batch = 1, .x = x.at, .y = y.at, .workspace = workspace};
    cr_assert(workspace && rnnc_model_forward(model, &call, &err) == RNNC_OK, "%s", err.message);
    free(workspace);
    close_library(library);
    return y;
}

ParameterizedTestParameters(import, as_recorded) {
    /* Numbers: texts of this process lie elsewhere in that of the test. */
    static size_t numbers[CASES];
    for (size_t i = 0; i < CASES; i++)
        numbers[i] = i;
    return cr_make_param_array(size_t, numbers, CASES, NULL);
}

/* By import and compile, and by compile alone: the same bits, and those recorded. */
ParameterizedTest(const size_t *number, import, as_recorded, .timeout = 120) {
    const import_case *const c = &cases[*number];
    char dir[PATH_SIZE], path[PATH_SIZE], model[PATH_SIZE], gen[PATH_SIZE], at_once[PATH_SIZE];
    workdir_make(dir);
    path_join(path, FOLDER, c->file);
    path_join(model, dir, "model.lua");
    path_join(gen, dir, "gen");
    path_join(at_once, dir, "at_once");
    expect_runs(run(NULL, "import", path, "-o", dir, NULL), "import");
    expect_runs(run(NULL, "compile", model, "-o", gen, NULL), "compile");
    expect_runs(run(NULL, "compile", path, "-o", at_once, NULL), "compile at once");
    const values x = read_values(c->x, "x"), want = read_values(c->y, "y");
    const size_t steps = x.count / c->inputs;
    const values y = run_network(gen, c->name, x, steps, want.count);
    const values same = run_network(at_once, c->name, x, steps, want.count);
    cr_expect(memcmp(y.at, same.at, y.count * sizeof *y.at) == 0, "compile makes another network");
    double largest = 0, power = 0;
    size_t bad = 0;
    for (size_t i = 0; i < y.count; i++) {
        const double error = fabs((double)y.at[i] - (double)want.at[i]);
        bad += !(error <= c->tolerance);
        largest = error > largest ? error : largest;
        power = fmax(power, fabs((double)want.at[i]));
    }
    cr_expect_eq(bad, 0, "%s: %zu of %zu values differ, by up to %g", c->file, bad, y.count,
                 largest);
    /* Recorded zeros would be nothing to compare with. */
    cr_expect(power > 1e-3, "%s: all of y is 0", c->file);
    free(x.at);
    free(want.at);
    free(y.at);
    free(same.at);
    workdir_remove(dir);
}

/* By rnnc's own comparison with what was recorded. */
static void expect_verified(const char *file, const char *recorded) {
    char dir[PATH_SIZE], in_tests[PATH_SIZE], path[PATH_SIZE], vectors[PATH_SIZE];
    workdir_make(dir);
    path_join(in_tests, FOLDER, file);
    cr_assert(realpath(in_tests, path) != NULL);
    path_join(in_tests, FOLDER, recorded);
    cr_assert(realpath(in_tests, vectors) != NULL);
    expect_runs(run(dir, "import", path, "--name=net", NULL, NULL), "import");
    outcome o = run(dir, "verify", "net.lua", "--case", vectors, NULL);
    cr_expect_eq(o.code, 0, "%s%s", o.out, o.err);
    cr_expect(strstr(o.out, "against the recorded outputs"), "%s", o.out);
    outcome_free(&o);
    workdir_remove(dir);
}

/* Three sequences. */
Test(import, arrays_of_cmsis_nn, .timeout = 120) {
    expect_verified("cmsisnn_lstm_medium_f32/arrays.safetensors",
                    "cmsisnn_lstm_medium_f32/vectors.safetensors");
}

/* Tokens. */
Test(import, manifest_of_arrays, .timeout = 120) {
    expect_verified("ml5_charrnn_shakespeare/manifest.json",
                    "ml5_charrnn_shakespeare/vectors.safetensors");
}

/* ---- what it says ---- */

Test(import, tells_what_became_of_it, .timeout = 60) {
    char dir[PATH_SIZE], path[PATH_SIZE];
    workdir_make(dir);
    cr_assert(realpath(FOLDER "rtneural_gru/gru.json", path) != NULL);
    outcome o = run(dir, "import", path, "-o", "d", NULL);
    cr_expect_eq(o.code, 0, "%s", o.err);
    const char *const report = strchr(strchr(o.out, '\n') + 1, '\n') + 1;
    cr_expect(strncmp(o.out, "d/model.lua\nd/model.safetensors\n", 32) == 0, "%s", o.out);
    cr_expect(strncmp(report, path, strlen(path)) == 0);
    cr_expect_str_eq(
        report + strlen(path),
        ": RTNeural's JSON\n"
        "  time-distributed-dense of 1 -> 8  became dense, transposed, layers.0.*\n"
        "  gru of 8 -> 8                     became rnn, transposed, gates z r h as r z n, "
        "layers.1.*\n"
        "  dense of 8 -> 8                   became dense, transposed, layers.2.*\n"
        "  dense of 8 -> 1                   became dense, transposed, layers.3.*\n"
        "  left open:  the sample rate, which has to be that of the training\n"
        "to verify it: rnnc verify d/model.lua\n");
    outcome_free(&o);
    char *text;
    char model[PATH_SIZE];
    path_join(model, dir, "d/model.lua");
    text = file_read(model, NULL);
    cr_assert(text != NULL);
    cr_expect_str_eq(
        text,
        "-- gru, made by rnnc import of gru.json, RTNeural's JSON.\n"
        "--\n"
        "-- Left open by the file:\n"
        "--   - the sample rate, which has to be that of the training\n"
        "return model {\n"
        "    name = \"gru\",\n"
        "    layers = {\n"
        "        dense { input_size = 1, units = 8, activation = \"tanh\", prefix = \"layers.0.\" "
        "},\n"
        "        rnn { cell = \"gru\", hidden_size = 8, prefix = \"layers.1.\" },\n"
        "        dense { units = 8, activation = \"sigmoid\", prefix = \"layers.2.\" },\n"
        "        dense { units = 1, prefix = \"layers.3.\" },\n"
        "    },\n"
        "    weights = \"model.safetensors\",\n"
        "    batch = 1,\n"
        "    seq_len = \"any\",\n"
        "}\n");
    free(text);
    /* Nothing is overwritten, and init --from is the same command. */
    expect(dir, 1, "",
           "rnnc import: error: d/model.lua is there already; move it away or choose another "
           "directory\n"
           "rnnc import: error: d/model.safetensors is there already; move it away or choose "
           "another directory\n",
           "import", path, "-o", "d");
    o = run(dir, "init", "--from", path, "e", "--name=amp");
    cr_expect_eq(o.code, 0, "%s", o.err);
    outcome_free(&o);
    expect_file(dir, "e/amp.safetensors", true);
    expect(dir, 0, "e/amp.lua: fine, and so is e/amp.safetensors\n", "", "check", "e/amp.lua", NULL,
           NULL);
    workdir_remove(dir);
}
