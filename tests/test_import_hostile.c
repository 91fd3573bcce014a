/* Files that lie: each ends in one line that says what is wrong, and nothing is written. */
#define _XOPEN_SOURCE 700
#include "support/hostile.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- JSON ---- */

#define LSTM(layer) "{\"in_shape\": [null, null, 1], \"layers\": [" layer "]}"
#define DENSE(fields) "{\"type\": \"dense\", \"shape\": [null, null, 1]" fields "}"

#define SIMPLE(data)                                                                               \
    "{\"model_data\": {" data "}, \"state_dict\": {\"r.weight_ih_l0\": [[1]], "                    \
    "\"r.weight_hh_l0\": [[1]], \"lin.weight\": [[2]], \"lin.bias\": [3]}}"

/* An LSTM of 1 -> 1: 8 + 4 + 2 + 2 weights. */
#define NAM(config, weights)                                                                       \
    "{\"architecture\": \"LSTM\", \"config\": {" config "}, \"weights\": " weights "}"
#define MANIFEST(name, shape) "{\"" name "\": {\"filename\": \"a.json\", \"shape\": " shape "}}"
#define ARRAYS(arrays) "{\"state_dict\": {" arrays "}}"
#define NAM_SIZES "\"input_size\": 1, \"hidden_size\": 1, \"num_layers\": 1"

static const struct {
    const char *text, *line;
} json_cases[] = {
    {"{\"architecture\": \"WaveNet\", \"weights\": [1]}",
     "architecture is \"WaveNet\"; of .nam files rnnc reads LSTM, for the others have no recurrent "
     "layer\n"},
    {"{\"architecture\": \"LSTM\", \"config\": 7, \"weights\": [1]}", "has no config\n"},
    {NAM("\"input_size\": 0, \"hidden_size\": 1, \"num_layers\": 1", "[1]"),
     "config.input_size is no whole number from 1 to 65536\n"},
    {NAM("\"input_size\": 1, \"hidden_size\": 1.5, \"num_layers\": 1", "[1]"),
     "config.hidden_size is no whole number from 1 to 65536\n"},
    {NAM("\"input_size\": 1, \"hidden_size\": 65537, \"num_layers\": 1", "[1]"),
     "config.hidden_size is no whole number from 1 to 65536\n"},
    {NAM("\"input_size\": 1, \"hidden_size\": 1", "[1]"),
     "config.num_layers is no whole number from 1 to 65536\n"},
    {NAM(NAM_SIZES, "[]"), "weights is no list of numbers\n"},
    {NAM(NAM_SIZES, "[[1]]"), "weights is no list of numbers\n"},
    {NAM(NAM_SIZES, "[1, \"2\"]"), "weights is no list of numbers\n"},
    {NAM(NAM_SIZES, "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]"),
     "weights has 15 numbers; an LSTM of 1 -> 1 in 1 layers, with first states and a head of one "
     "output, has 16\n"},
    {NAM(NAM_SIZES, "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]"),
     "weights has 17 numbers; an LSTM of 1 -> 1 in 1 layers, with first states and a head of one "
     "output, has 16\n"},
    {NAM("\"input_size\": 65536, \"hidden_size\": 65536, \"num_layers\": 65536", "[1, 2]"),
     "weights has 2 numbers; an LSTM of 65536 -> 65536 in 65536 layers, "},
    {"{\"in_shape\": [null, 1], \"layers\": [", "is no JSON that can be read, line 1: "},
    {"{\"in_shape\": [null, \"1\"], \"layers\": []}",
     "in_shape does not end in the number of inputs\n"},
    {"{\"in_shape\": [], \"layers\": []}", "in_shape does not end in the number of inputs\n"},
    {"{\"in_shape\": [0], \"layers\": []}", "in_shape does not end in the number of inputs\n"},
    {"{\"in_shape\": [1], \"layers\": {}}", "rnnc import cannot read this, which looks like JSON"},
    {LSTM("7"), "layers[0] has no type\n"},
    {LSTM("{\"type\": 7}"), "layers[0] has no type\n"},
    {LSTM("{\"type\": \"conv1d\", \"weights\": []}"),
     "layers[0] (conv1d): rnnc has no such layer\n"},
    {LSTM(DENSE("")), "layers[0] (dense): has no weights\n"},
    {LSTM(DENSE(", \"weights\": []")), "layers[0] (dense): needs weights [kernel, bias]\n"},
    {LSTM(DENSE(", \"weights\": [[[1]], [[1]]]")),
     "layers[0] (dense): its bias is (1, 1), and (1) is expected\n"},
    {LSTM(DENSE(", \"weights\": [[[1], [2]], [1]]")),
     "layers[0] (dense): its kernel is (2, 1), and (1, 1) is expected\n"},
    {LSTM(DENSE(", \"weights\": [[[1, 2]], [1, \"2\"]]")),
     "layers[0] (dense): weights[1] is no array of numbers\n"},
    {LSTM(DENSE(", \"weights\": [[[1, 2], [3]], [1, 2]]")),
     "layers[0] (dense): weights[0] is no array of numbers\n"},
    {LSTM(DENSE(", \"weights\": [[[1]], [1]], \"activation\": \"celu\"")),
     "layers[0] (dense): rnnc has no function \"celu\"\n"},
    {LSTM("{\"type\": \"gru\", \"weights\": [[[1, 2, 3]], [[1, 2, 3]], [1, 2]]}"),
     "layers[0] (gru): its bias is (2), and (3) is expected\n"},
    {LSTM("{\"type\": \"lstm\", \"weights\": [[[1, 2, 3]], [[1, 2, 3]], [1, 2, 3]]}"),
     "layers[0] (lstm): its kernel is (1, 3), and (1, 4) is expected\n"},
    {LSTM("{\"type\": \"lstm\", \"activation\": \"relu\", \"weights\": [[[1, 2, 3, 4]], [[1, 2, 3, "
          "4]], [1, 2, 3, 4]]}"),
     "layers[0] (lstm): rnnc's lstm has tanh where this has \"relu\"\n"},
    {"{\"embedding\": {\"filename\": \"../a\", \"shape\": [1]}}",
     "\"embedding\": its filename is none of a file beside the manifest\n"},
    {"{\"embedding\": {\"filename\": \"b/a\", \"shape\": [1]}}",
     "\"embedding\": its filename is none of a file beside the manifest\n"},
    {"{\"embedding\": {\"filename\": \"b\", \"shape\": [1]}}", "\"embedding\": "},
    {"{\"embedding\": {\"filename\": \"b\", \"shape\": [1, 0]}}",
     "\"embedding\": its shape has what is no size\n"},
    {"{\"softmax_b\": {\"filename\": \"b\", \"shape\": [65536, 65536]}}",
     "\"softmax_b\": its shape is of too many values\n"},
    {"{\"embedding\": {\"filename\": \"a.json\", \"shape\": [2, 3]}}",
     "\"embedding\": its file has 54 bytes, and (2, 3) is 6 values of 4\n"},
    {MANIFEST("embedding", "[13]"), "has no array kernel 0 of a network of BasicLSTMCells"},
    {MANIFEST("cell_999/basic_lstm_cell/bias", "[29]"), "more than 128 cells\n"},
    {ARRAYS("\"input_input_weights\": [1, 2]"),
     "there is no array input_bias, which stands beside the others of such a network\n"},
    {ARRAYS("\"input_input_weights\": [1, 2], \"input_bias\": [1]"),
     "there is no array forget_input_weights, which stands beside"},
    {ARRAYS("\"input_input_weights\": [1, 2], \"input_bias\": [1], \"forget_input_weights\": [1]"),
     "forget_input_weights has 1 values, and (1, 2) is expected\n"},
    {ARRAYS("\"layer0_bias\": [1, 2, 3, 4], \"layer0_weights\": [1, 2, 3, 4], "
            "\"layer0_recur_weights\": [1, 2, 3]"),
     "layer0_weights has 4 values, and (1, 3) is expected\n"},
    {ARRAYS("\"lstm_cell.weight_ih\": [1, 2, 3, 4], \"final_conv.weight\": [1], "
            "\"lstm_cell.bias_ih\": [1, 2], \"final_conv.bias\": [1]"),
     "lstm_cell.weight_ih has 4 values, and (0, 2) is expected\n"},
    {"{\"state_dict\": {}}",
     "there are no weights of a recurrent network in it (weight_ih_l0, weight_hh_l0), and no dense "
     "layers alone that follow each other; it has no tensors\n"},
    {"{\"rec.weight_ih_l0\": [[1], [2, 3]]}",
     "rec.weight_ih_l0 is no array of numbers in rows of one length\n"},
    {"{\"rec.weight_ih_l0\": [[1], [2]]}", "rec.weight_ih_l0 and rec.weight_hh_l0 are not of a "
                                           "cell that rnnc has: both have to be there, "
                                           "as matrices\n"},
    {"{\"weight_ih_l0\": [[1], [2]], \"weight_ih_l0\": [[3], [4]]}",
     "is no JSON that can be read, line 1: duplicate object key near '\"weight_ih_l0\"'\n"},
    {"{\"weight_ih_l0\": [[1], [2]], \"weight_ih\": [[1], [2]]}",
     "two tensors would be called weight_ih_l0\n"},
    {SIMPLE("\"model\": \"GatedConvNet\""),
     "model_data.model is \"GatedConvNet\"; rnnc reads SimpleRNN\n"},
    {SIMPLE("\"unit_type\": \"GRU\""),
     "model_data tells of a recurrent layer \"gru\" and a linear one, and the tensors are of "
     "another network\n"},
    {SIMPLE("\"hidden_size\": 2"), "model_data.hidden_size is 2, and the tensors say 1\n"},
    {SIMPLE("\"num_layers\": 2"), "model_data.num_layers is 2, and the tensors say 1\n"},
    {SIMPLE("\"input_size\": \"1\""), "model_data.input_size is no whole number\n"},
    {SIMPLE("\"skip\": 2"), "model_data.skip is 2, and y has 1 values; they have to be as many\n"},
};

Test(import_hostile, json_that_is_wrong, .timeout = 120) {
    char dir[PATH_SIZE], line[512];
    workdir_make(dir);
    for (size_t i = 0; i < sizeof json_cases / sizeof *json_cases; i++) {
        import_bytes(dir, "a.json", json_cases[i].text, strlen(json_cases[i].text), line);
        cr_expect(strncmp(line, json_cases[i].line, strlen(json_cases[i].line)) == 0,
                  "%s\n  gives %s  not %s", json_cases[i].text, line, json_cases[i].line);
    }
    workdir_remove(dir);
}

Test(import_hostile, json_cut_off, .timeout = 120) {
    expect_truncated("tests/import/rtneural_lstm_1d/lstm_1d.json", "a.json");
}

Test(import_hostile, state_dict_json_cut_off, .timeout = 120) {
    expect_truncated("tests/import/neuralseed_gru8/gru8_ts9_pytorch.json", "a.json");
}

Test(import_hostile, nam_cut_off, .timeout = 120) {
    expect_truncated("tests/import/nam_example_lstm/lstm.nam", "a.nam");
}

Test(import_hostile, safetensors_cut_off, .timeout = 120) {
    expect_truncated("tests/cases/lstm_3_4_1_1_1_0_5_2.safetensors", "a.safetensors");
}

Test(import_hostile, torchscript_cut_off, .timeout = 120) {
    expect_truncated("tests/import/anydrive_lstm_actuator/anydrive_v3_lstm.pt", "a.pt");
}

Test(import_hostile, json_nested_deep, .timeout = 120) {
    char dir[PATH_SIZE], line[512];
    workdir_make(dir);
    enum { DEEP = 200000 };
    char *const text = malloc(2 * DEEP + 64);
    cr_assert(text != NULL);
    for (size_t depth = 40; depth <= DEEP; depth *= 5) {
        const int n = sprintf(text, "{\"in_shape\": [1], \"layers\": ");
        memset(text + n, '[', depth);
        memset(text + n + depth, ']', depth);
        strcpy(text + n + 2 * depth, "}");
        import_bytes(dir, "deep.json", text, strlen(text), line);
        cr_expect(strstr(line, depth < 2000 ? "nested deeper than 32" : "maximum parsing depth"),
                  "%zu: %s", depth, line);
    }
    free(text);
    workdir_remove(dir);
}
