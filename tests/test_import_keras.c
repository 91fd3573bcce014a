/* `rnnc import` of Keras' models in tests/import/keras: what make.py computed there
 * without rnnc. */
#define _XOPEN_SOURCE 700
#include "support/cli.h"
#include "support/generate.h"
#include "support/keras.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void expect_recorded(const char *file, const char *recorded) {
    char path[PATH_SIZE], option[PATH_SIZE];
    keras_need_hdf5();
    path_join(path, KERAS_FOLDER, file);
    snprintf(option, sizeof option, "--case=" KERAS_FOLDER "%s", recorded);
    outcome o = run(NULL, "verify", path, option, NULL, NULL);
    cr_expect(o.code == 0 && strstr(o.out, "\nagainst the recorded outputs\n"), "%s:\n%s%s", file,
              o.out, o.err);
    outcome_free(&o);
}

Test(import_keras, both_directions_and_reset_after, .timeout = 120) {
    expect_recorded("bidirectional.h5", "bidirectional.safetensors");
}

/* One value of both directions: sums of all steps, the mean of last states. */
Test(import_keras, merges, .timeout = 120) { expect_recorded("merged.h5", "merged.safetensors"); }

/* Normalisations, a slope for each value, a scale of the output. */
Test(import_keras, scales, .timeout = 120) { expect_recorded("scaled.h5", "scaled.safetensors"); }

/* Functions of gates and candidates that are not PyTorch's. */
Test(import_keras, functions_of_cells, .timeout = 120) {
    expect_recorded("functions.keras", "functions.safetensors");
}

/* What Keras 2.0 recorded, for keras-js: functions, both directions, several calls of a layer that
 * keeps its state. */
Test(import_keras, recorded_by_keras, .timeout = 240) {
    for (int i = 0; i < 9; i++) {
        char file[64], recorded[64];
        snprintf(file, sizeof file, "../kerasjs_lstm/%d.h5", i);
        snprintf(recorded, sizeof recorded, "../kerasjs_lstm/%d.safetensors", i);
        expect_recorded(file, recorded);
    }
}

/* A Flatten, and a Reshape to what it gives. */
Test(import_keras, all_steps_side_by_side, .timeout = 120) {
    expect_recorded("flat.h5", "flat.safetensors");
}

Test(import_keras, archives_of_keras_3, .timeout = 120) {
    expect_recorded("text.keras", "text.safetensors");
}

Test(import_keras, archives_of_keras_2_from_windows, .timeout = 120) {
    expect_recorded("windows.keras", "windows.safetensors");
}

Test(import_keras, layout_of_cudnn, .timeout = 120) {
    expect_recorded("cudnn.h5", "cudnn.safetensors");
}

/* Functions that are layers: ELU, LeakyReLU, ReLU with a slope, Activation, Softmax. */
Test(import_keras, layers_of_functions, .timeout = 120) {
    expect_recorded("layers.h5", "layers.safetensors");
}

/* Two outputs, side by side in y in the model's order, which is not that of its layers. */
Test(import_keras, heads, .timeout = 120) {
    char dir[PATH_SIZE], path[PATH_SIZE];
    expect_recorded("heads.keras", "heads.safetensors");
    workdir_make(dir);
    cr_assert(realpath(KERAS_FOLDER "heads.keras", path) != NULL);
    outcome o = run(dir, "import", path, NULL, NULL, NULL);
    cr_expect_eq(o.code, 0, "%s", o.err);
    cr_expect(strstr(o.out,
                     "  Dense gain   became y, its channels 0 to 2: dense, transposed, gain.*\n"
                     "  Dense voice  became y, its channel 3: dense, transposed, voice.*\n"),
              "%s", o.out);
    outcome_free(&o);
    workdir_remove(dir);
}

/* A GRU that goes backwards and resets before the product, then an LSTM that reads its last step
 * first, and gives its last state. */
Test(import_keras, backwards_and_reset_before, .timeout = 120) {
    expect_recorded("backwards.h5", "backwards.safetensors");
}

Test(import_keras, tells_what_became_of_it, .timeout = 60) {
    char dir[PATH_SIZE], path[PATH_SIZE];
    keras_need_hdf5();
    workdir_make(dir);
    cr_assert(realpath(KERAS_FOLDER "bidirectional.h5", path) != NULL);
    outcome o = run(dir, "import", path, NULL, NULL, NULL);
    cr_expect_eq(o.code, 0, "%s", o.err);
    const char *const report = strstr(o.out, ": a Keras model\n");
    cr_assert(report, "%s", o.out);
    cr_expect_str_eq(report,
                     ": a Keras model\n"
                     "  Bidirectional both  became rnn, transposed, both.*\n"
                     "  Dropout drop        became left out: once trained it does nothing\n"
                     "  GRU gru             became rnn, transposed, gates z r h as r z n, gru.*\n"
                     "  Dense head          became dense, transposed, head.*\n"
                     "to verify it: rnnc verify model.lua\n");
    outcome_free(&o);
    path_join(path, dir, "model.lua");
    char *const text = file_read(path, NULL);
    cr_assert(text != NULL);
    cr_expect(
        strstr(text,
               "        rnn { cell = \"lstm\", input_size = 3, hidden_size = 4, bidirectional "
               "= true, prefix = \"both.\" },\n"
               "        rnn { cell = \"gru\", hidden_size = 5, prefix = \"gru.\" },\n"
               "        dense { units = 2, activation = \"softmax\", last_step = true, prefix "
               "= \"head.\" },\n"),
        "%s", text);
    free(text);
    workdir_remove(dir);
}
