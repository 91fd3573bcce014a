/* `rnnc import` of Keras' models that are damaged, or of layers that rnnc has not. */
#define _XOPEN_SOURCE 700
#include "support/cli.h"
#include "support/keras.h"
#include "support/rng.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What import says of these bytes: "" if it reads them. One line in any case, and no other exit. */
static void import_bytes(const char *dir, const char *bytes, size_t size, char line[512]) {
    char path[PATH_SIZE];
    path_join(path, dir, "net.h5");
    cr_assert(file_write(path, bytes, size));
    outcome o = run(dir, "import", "net.h5", "-o", "out", NULL);
    line[0] = '\0';
    if (o.code != 0) {
        const char *const end = strchr(o.err, '\n');
        cr_expect_eq(o.code, 1, "exit code %d: %s", o.code, o.err);
        cr_expect(end && end[1] == '\0', "not one line: %s", o.err);
        cr_expect(strncmp(o.err, "net.h5: error: ", 15) == 0, "%s", o.err);
        snprintf(line, 512, "%s", o.err + 15);
        expect_file(dir, "out", false);
    } else {
        path_join(path, dir, "out");
        workdir_remove(path);
    }
    outcome_free(&o);
}

/* The first `from` in the bytes, which is there, becomes `to`, which is as long. */
static void replace(char *bytes, size_t size, const char *from, const char *to) {
    const size_t length = strlen(from);
    cr_assert_eq(length, strlen(to), "%s", from);
    for (size_t at = 0; at + length <= size; at++)
        if (memcmp(bytes + at, from, length) == 0) {
            memcpy(bytes + at, to, length);
            return;
        }
    cr_assert_fail("%s is not there", from);
}

typedef struct change {
    const char *from, *to, *line;
} change;

static const change changes[] = {
    {"\"Dropout\"", "\"Conv1DX\"", "layer \"drop\" (Conv1DX): rnnc has no such layer\n"},
    {"\"Dropout\"", "\"Lambda\" ",
     "layer \"drop\" (Lambda): rnnc has no such layer: code of Python, which is not run\n"},
    {"\"Sequential\"", "\"Subclassed\"",
     "the config is of \"Subclassed\"; rnnc reads Sequential and Functional models\n"},
    {"\"softmax\"", "\"softmix\"", "layer \"head\" (Dense): rnnc has no function \"softmix\"\n"},
    {"\"reset_after\": true", "\"reset_after\": 7   ",
     "layer \"gru\" (GRU): its bias is (2, 15), and (15) is expected\n"},
    {"\"units\": 4", "\"units\": 5",
     "layer \"both\" (Bidirectional): its kernel is (3, 16), and (3, 20) is expected\n"},
    {"\"units\": 2", "\"units\": x",
     "the attribute model_config is no JSON that can be read, line 1: "},
    {"\"units\": 4", "\"units\":-4",
     "layer \"both\" (Bidirectional): units is no number above 0\n"},
    {"\"recurrent_activation\": \"sigmoid\"", "\"recurrent_activation\": \"sigmiod\"",
     "layer \"both\" (Bidirectional): rnnc has no function \"sigmiod\"\n"},
    {"\"recurrent_activation\": \"sigmoid\"", "\"recurrent_activation\": \"softmax\"",
     "layer \"both\" (Bidirectional): softmax of a whole row as the function of a cell\n"},
    {"\"use_bias\": true", "\"use_bias\":false",
     "layer \"both\" (Bidirectional): use_bias is false, and the file has a bias of it\n"},
    {"\"merge_mode\": \"concat\"", "\"merge_mode\": \"concut\"",
     "layer \"both\" (Bidirectional): merge_mode = \"concut\"; rnnc has concat, sum, mul and "
     "ave\n"},
    {"\"name\": \"head\"", "\"name\": \"haed\"",
     "layer \"haed\" (Dense): there is no kernel of it in the file\n"},
    {"[null, null, 3]", "[null, null, 4]",
     "layer \"both\" (Bidirectional): its kernel is (3, 16), and (4, 16) is expected\n"},
    {"[null, null, 3]", "[null, null,-3]",
     "layer \"both\" (Bidirectional): its kernel is (3, 16), and (-3, 16) is expected\n"},
    {"[null, null, 3]", "[null, 3]      ",
     "layer \"both\" (Bidirectional): the model does not tell how many values are in a step\n"},
    {"\"class_name\": \"GRU\"", "\"class_mane\": \"GRU\"",
     "config.layers[3] has no class_name or no config\n"},
    {"\"go_backwards\": false", "\"time_major\":   true ",
     "layer \"both\" (Bidirectional): time_major = True; rnnc reads what has the batch first, or "
     "last\n"},
    {"\"Dropout\", \"config\": {\"rate\": 0.5, \"name\": \"drop\"}",
     "\"ReLU\", \"config\": {\"threshold\": 1, \"name\": \"drop\"}",
     "layer \"drop\" (ReLU): a ReLU with a threshold, or with max_value and a slope, which rnnc "
     "has not\n"},
    {"\"go_backwards\": false", "\"go_backwards\":  true",
     "layer \"both\" (Bidirectional): Bidirectional of a sequence that is reversed\n"},
    {"\"layer\": {\"class_name\": \"LSTM\"", "\"layer\": {\"class_name\": \"Lstm\"",
     "layer \"both\" (Bidirectional): rnnc reads Bidirectional around LSTM, GRU and SimpleRNN\n"},
    {"\"Dense\", \"config\": {\"units\": 2, \"activation\": \"softmax\", \"use_bias\": true,",
     "\"Activation\", \"config\": {\"activation\": \"softmax\",                         ",
     "layer \"head\" (Activation): is of a last step alone, which rnnc has behind dense layers "
     "only\n"},
    {"\"Dropout\", \"config\": {\"rate\": 0.5, \"name\": \"drop\"}",
     "\"Activation\", \"config\": {\"activation\": \"tinh\"    }",
     "layer \"Activation\" (Activation): rnnc has no function \"tinh\"\n"},
    {"\"name\": \"gru\"}}, {\"class_name\": \"Dense\", \"config\": {",
     "\"name\": \"gru\"}}, {\"class_name\": \"MDN\", \"config\": {  ",
     "layer \"head\" (MDN): rnnc has no such layer: dense layers side by side (means, deviations, "
     "logits), of which elu(x) + 1 of"},
    {"model_config", "model_canfig",
     "is an HDF5 file without the attribute model_config: weights alone do not tell what a network "
     "of "
     "Keras computes; save the whole model, model.save(\"model.keras\")\n"},
    {"keras_version", "keras_vorsien", ""},
};

/* What stands around a Flatten. */
static const change flat_changes[] = {
    {"\"batch_input_shape\": [null, 5, 3]", "\"batch_input_shape\":[null,null,3]",
     "layer \"flatten\" (Flatten): the model does not tell how many steps it has; give its input a "
     "fixed number of them\n"},
    {"[null, 5, 3]", "[null, 4, 3]",
     "layer \"row\" (Reshape): rnnc reads one to a row of all steps, as Flatten makes\n"},
    {"\"data_format\": \"channels_last\"", "\"data_format\":\"channels_first\"",
     "layer \"flatten\" (Flatten): data_format = \"channels_first\", which puts steps in another "
     "order; rnnc has channels_last\n"},
    {"\"go_backwards\": false", "\"go_backwards\":  true",
     "layer \"flatten\" (Flatten): is of steps in reverse order (go_backwards = True), which rnnc "
     "has not\n"},
    {"\"LSTM\", \"config\": {\"units\": 4,", "\"Flatten\", \"config\": {",
     "layer \"lstm\" (Flatten): is of x itself, which the program can give as one step of all "
     "values; build the model without\n"},
    {"\"Reshape\", \"config\": {\"target_shape\": [20],",
     "\"Activation\",\"config\":{\"activation\":\"relu\",",
     "layer \"row\" (Activation): stands right behind a Flatten; rnnc has a Dense there\n"},
    {"\"Flatten\", \"config\": {\"data_format\": \"channels_last\",",
     "\"Reshape\", \"config\": {\"target_shape\": [10, 2],",
     "layer \"flatten\" (Reshape): rnnc reads one to a row of all steps, as Flatten makes\n"},
    {"\"Flatten\", \"config\": {\"data_format\": \"channels_last\",",
     "\"Reshape\", \"config\": {\"target_shape\": [-1],", ""},
    {"\"return_sequences\": true", "\"return_sequences\":false",
     "layer \"row\" (Reshape): rnnc reads one to a row of all steps, as Flatten makes\n"},
};

/* A file with each of some changes ends in the line of that. */
static void expect_lines(const char *file, const change *list, size_t count) {
    char dir[PATH_SIZE], line[512], text[640];
    size_t size;
    keras_need_hdf5();
    char *const bytes = file_read(file, &size), *const copy = malloc(size);
    cr_assert(bytes && copy);
    workdir_make(dir);
    for (size_t i = 0; i < count; i++) {
        /* What is shorter is padded. */
        snprintf(text, sizeof text, "%-*s", (int)strlen(list[i].from), list[i].to);
        memcpy(copy, bytes, size);
        replace(copy, size, list[i].from, text);
        import_bytes(dir, copy, size, line);
        const bool whole = list[i].line[0] == '\0' || strchr(list[i].line, '\n');
        cr_expect(whole ? strcmp(line, list[i].line) == 0
                        : strncmp(line, list[i].line, strlen(list[i].line)) == 0,
                  "%s:\n  %s  %s\n", list[i].to, line, list[i].line);
    }
    free(bytes);
    free(copy);
    workdir_remove(dir);
}

Test(import_keras, what_rnnc_has_not, .timeout = 120) {
    expect_lines(KERAS_FOLDER "bidirectional.h5", changes, sizeof changes / sizeof *changes);
    expect_lines(KERAS_FOLDER "flat.h5", flat_changes, sizeof flat_changes / sizeof *flat_changes);
}

/* Without a slope of its own the function leaky_relu has 0.2, and the layer LeakyReLU 0.3. */
Test(import_keras, slopes_that_are_not_said, .timeout = 60) {
    static const char *const heads[2][2] = {
        {"\"units\":2,\"activation\":\"leaky_relu\"", "activation = \"leaky_relu\", alpha = 0.2,"},
        {"\"units\":2,\"activation\":\"LeakyReLU\" ", "activation = \"leaky_relu\", alpha = 0.3,"},
    };
    char dir[PATH_SIZE], path[PATH_SIZE];
    size_t size;
    keras_need_hdf5();
    workdir_make(dir);
    for (size_t i = 0; i < 2; i++) {
        char *const bytes = file_read(KERAS_FOLDER "bidirectional.h5", &size);
        cr_assert(bytes != NULL);
        replace(bytes, size, "\"units\": 2, \"activation\": \"softmax\"", heads[i][0]);
        path_join(path, dir, "net.h5");
        cr_assert(file_write(path, bytes, size));
        free(bytes);
        outcome o = run(dir, "import", "net.h5", i == 0 ? "--output=a" : "--output=b", NULL, NULL);
        cr_assert_eq(o.code, 0, "%s", o.err);
        outcome_free(&o);
        path_join(path, dir, i == 0 ? "a/model.lua" : "b/model.lua");
        char *const text = file_read(path, NULL);
        cr_expect(text && strstr(text, heads[i][1]), "%s", text);
        free(text);
    }
    workdir_remove(dir);
}

/* A ReLU with an upper bound is a hard_tanh from 0 on, or relu6. */
Test(import_keras, bounded_relu, .timeout = 60) {
    static const struct {
        const char *config, *line;
    } rows[] = {
        {"\"max_value\": 4.5 , \"negative_slope\": 0.0 ,",
         "\"hard_tanh\", alpha = 0.0, beta = 4.5,"},
        {"\"max_value\": 6   , \"negative_slope\": 0.0 ,", "activation = \"relu6\","},
        {"\"max_value\": -1  , \"negative_slope\": 0.0 ,", "max_value = -1; rnnc has more than 0"},
        {"\"max_value\": 4.5 , \"negative_slope\": 0.25,", "or with max_value and a slope"},
    };
    static const char *const outputs[] = {"--output=0", "--output=1", "--output=2", "--output=3"};
    char dir[PATH_SIZE], path[PATH_SIZE];
    size_t size;
    keras_need_hdf5();
    workdir_make(dir);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *const bytes = file_read(KERAS_FOLDER "layers.h5", &size);
        cr_assert(bytes != NULL);
        replace(bytes, size, "\"max_value\": null, \"negative_slope\": 0.25,", rows[i].config);
        path_join(path, dir, "net.h5");
        cr_assert(file_write(path, bytes, size));
        free(bytes);
        outcome o = run(dir, "import", "net.h5", outputs[i], NULL, NULL);
        path_join(path, dir, i == 0 ? "0/model.lua" : "1/model.lua");
        char *const text = o.code == 0 ? file_read(path, NULL) : NULL;
        cr_expect(strstr(text ? text : o.err, rows[i].line), "%s\n%s", text ? text : o.err,
                  rows[i].line);
        free(text);
        outcome_free(&o);
    }
    workdir_remove(dir);
}

/* A link is not followed, although the file that it names is there, and no filter is run. */
Test(import_keras, weights_that_are_elsewhere, .timeout = 60) {
    static const struct {
        const char *file, *line;
    } files[] = {{"linked.h5", "model_weights/head/kernel:0: it is a link to another place"},
                 {"squeezed.h5", "model_weights/head/kernel:0: it is compressed; h5repack -f NONE "
                                 "writes it as it is"}};
    char dir[PATH_SIZE], path[PATH_SIZE], line[512], expected[512];
    size_t size;
    keras_need_hdf5();
    workdir_make(dir);
    char *bytes = file_read(KERAS_FOLDER "bidirectional.h5", &size);
    path_join(path, dir, "bidirectional.h5");
    cr_assert(bytes && file_write(path, bytes, size));
    free(bytes);
    for (size_t i = 0; i < 2; i++) {
        path_join(path, KERAS_FOLDER, files[i].file);
        bytes = file_read(path, &size);
        cr_assert(bytes != NULL);
        import_bytes(dir, bytes, size, line);
        snprintf(expected, sizeof expected,
                 "layer \"head\" (Dense): there is no kernel of it in the file (%s)\n",
                 files[i].line);
        cr_expect_str_eq(line, expected);
        free(bytes);
    }
    workdir_remove(dir);
}

/* Cut, and with bytes that are others, at many places: a network, or one line. */
Test(import_keras, damaged_files, .timeout = 300) {
    char dir[PATH_SIZE], line[512];
    size_t size, sound = 0;
    keras_need_hdf5();
    char *const bytes = file_read(KERAS_FOLDER "bidirectional.h5", &size), *const copy =
                                                                               malloc(size);
    cr_assert(bytes && copy);
    workdir_make(dir);
    const size_t step = getenv("RNNC_TEST_FAST") ? 977 : 211;
    for (size_t cut = 9; cut < size; cut += step) {
        import_bytes(dir, bytes, cut, line);
        cr_expect_str_eq(line, "is a damaged HDF5 file, which libhdf5 cannot read\n", "%zu", cut);
    }
    rng r = {7};
    for (size_t at = 8; at < size; at += step / 2) {
        memcpy(copy, bytes, size);
        for (size_t i = 0; i < 8; i++)
            copy[8 + rng_below(&r, size - 8)] ^= (char)(1 + rng_below(&r, 255));
        import_bytes(dir, copy, size, line);
        sound += line[0] == '\0';
    }
    cr_expect(sound > 0, "all are refused, whatever is changed");
    free(bytes);
    free(copy);
    workdir_remove(dir);
}
