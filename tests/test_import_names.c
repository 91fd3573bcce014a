/* `rnnc import` of tensors alone: the network is found by their names and shapes. */
#define _XOPEN_SOURCE 700
#include "rnnc.h"
#include "support/cli.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What import says, and the spec that it writes, of a file with these bytes. */
static void expect_import(const char *name, const void *bytes, size_t size, const char *report,
                          const char *lines) {
    char dir[PATH_SIZE], path[PATH_SIZE];
    workdir_make(dir);
    path_join(path, dir, name);
    cr_assert(file_write(path, bytes, size));
    outcome o = run(dir, "import", name, NULL, NULL, NULL);
    cr_expect_eq(o.code, 0, "%s", o.err);
    cr_expect(strstr(o.out, report), "%s\n  is not in\n%s", report, o.out);
    path_join(path, dir, "model.lua");
    char *const text = file_read(path, NULL);
    cr_assert(text != NULL);
    cr_expect(strstr(text, lines), "%s\n  is not in\n%s", lines, text);
    free(text);
    outcome_free(&o);
    outcome checked = run(dir, "verify", "model.lua", NULL, NULL, NULL);
    cr_expect_eq(checked.code, 0, "%s%s", checked.out, checked.err);
    outcome_free(&checked);
    workdir_remove(dir);
}

/* An amplifier with a knob: x has two channels, and the first is added to y. */
Test(import_names, conditioned_amplifier, .timeout = 120) {
    static const char text[] =
        "{\"model_data\": {\"model\": \"SimpleRNN\", \"input_size\": 2, \"skip\": 1, "
        "\"output_size\": 1, \"unit_type\": \"LSTM\", \"num_layers\": 1, \"hidden_size\": 1, "
        "\"bias_fl\": true}, \"state_dict\": {"
        "\"rec.weight_ih_l0\": [[0.5, -0.25], [1, 2], [-1, 0.125], [0.75, 0.5]], "
        "\"rec.weight_hh_l0\": [[0.5], [0.25], [-0.5], [1]], "
        "\"rec.bias_ih_l0\": [0.1, 0.2, 0.3, 0.4], \"rec.bias_hh_l0\": [0, 0, 0, 0], "
        "\"lin.weight\": [[2]], \"lin.bias\": [-0.5]}}";
    expect_import("amp.json", text, sizeof text - 1,
                  "  skip = 1  became residual: the first 1 of x added to y\n",
                  "        rnn { cell = \"lstm\", input_size = 2, hidden_size = 1, prefix = "
                  "\"rec.\" },\n"
                  "        dense { units = 1, prefix = \"lin.\" },\n"
                  "    },\n"
                  "    weights = \"model.safetensors\",\n"
                  "    batch = 1,\n"
                  "    seq_len = \"any\",\n"
                  "    residual = 1,\n");
}

/* Shapes fit in any order: it is that of the file. */
Test(import_names, order_of_the_file, .timeout = 120) {
    static const char text[] =
        "{\"in.weight\": [[0.5]], \"in.bias\": [1], \"z.weight_ih_l0\": [[-1]], "
        "\"z.weight_hh_l0\": [[0.5]], \"a.weight_ih_l0\": [[2]], \"a.weight_hh_l0\": [[1]]}";
    expect_import(
        "order.json", text, sizeof text - 1,
        "  in.*  became dense 1 -> 1\n"
        "  z.*   became rnn 1 -> 1\n"
        "  a.*   became rnn 1 -> 1\n"
        "  not told:   the function of the cell: tanh is taken, nonlinearity = \"relu\" is "
        "the other\n",
        "        dense { input_size = 1, units = 1, prefix = \"in.\" },\n"
        "        rnn { hidden_size = 1, bias = false, prefix = \"z.\" },\n"
        "        rnn { hidden_size = 1, bias = false, prefix = \"a.\" },\n");
}

/* A GRU of RTNeural with one bias: Keras' reset_after = False. */
Test(import_names, reset_before_the_product, .timeout = 120) {
    static const char text[] =
        "{\"in_shape\": [null, null, 1], \"layers\": [{\"type\": \"gru\", \"weights\": "
        "[[[1, 2, 3]], [[4, 5, 6]], [7, 8, 9]]}]}";
    expect_import("gru.json", text, sizeof text - 1,
                  "  gru of 1 -> 1  became rnn, transposed, gates z r h as r z n, a second bias of "
                  "0, reset_after = false, layers.0.*\n",
                  "    reset_after = false,\n");
}

/* Some of the biases of two layers and directions. */
Test(import_names, some_biases, .timeout = 120) {
    static const char text[] =
        "{\"a.weight_ih_l0\": [[2]], \"a.weight_hh_l0\": [[1]], \"a.bias_hh_l0\": [1], "
        "\"a.weight_ih_l0_reverse\": [[2]], \"a.weight_hh_l0_reverse\": [[1]], "
        "\"a.bias_ih_l0_reverse\": [1], \"a.weight_ih_l1\": [[2, 3]], \"a.weight_hh_l1\": [[1]], "
        "\"a.weight_ih_l1_reverse\": [[2, 3]], \"a.weight_hh_l1_reverse\": [[1]]}";
    expect_import("some.json", text, sizeof text - 1,
                  "  a.bias_ih_l0, which is missing          became 0\n"
                  "  a.bias_hh_l0_reverse, which is missing  became 0\n"
                  "  a.bias_ih_l1, which is missing          became 0\n"
                  "  a.bias_hh_l1, which is missing          became 0\n"
                  "  a.bias_ih_l1_reverse, which is missing  became 0\n"
                  "  a.bias_hh_l1_reverse, which is missing  became 0\n"
                  "  a.*                                     became rnn 1 -> 2\n",
                  "num_layers = 2");
}

typedef struct entry {
    const char *name;
    int rank;
    size_t shape[3];
} entry;

enum { ENTRIES_MOST = 12 };

/* A safetensors file of such tensors, allocated; *size is its length. */
static char *tensors_bytes(const entry *list, size_t count, size_t *size) {
    static float data[256];
    const char *names[ENTRIES_MOST];
    rnnc_tensor tensors[ENTRIES_MOST];
    rnnc_error err;
    for (size_t i = 0; i < sizeof data / sizeof *data; i++)
        data[i] = (float)(i % 17) * 0.05F - 0.4F;
    for (size_t i = 0; i < count; i++) {
        names[i] = list[i].name;
        cr_assert(rnnc_tensor_make(&tensors[i], RNNC_F32, list[i].rank, list[i].shape, data,
                                   sizeof data) == RNNC_OK);
    }
    char dir[PATH_SIZE], path[PATH_SIZE];
    workdir_make(dir);
    path_join(path, dir, "a.safetensors");
    cr_assert(rnnc_safetensors_write(path, count, names, tensors, 0, NULL, NULL, &err) == RNNC_OK,
              "%s", err.message);
    char *const bytes = file_read(path, size);
    cr_assert(bytes != NULL);
    workdir_remove(dir);
    return bytes;
}

/* Cells by themselves behind a wrapper, with one bias of two, and a convolution over one step as
 * head; beside it a tensor of no use, and one that holds no floats. */
Test(import_names, cells_and_convolutions, .timeout = 120) {
    static const entry list[] = {
        {"module.cell.weight_ih", 2, {12, 4}}, {"module.cell.weight_hh", 2, {12, 3}},
        {"module.cell.bias_ih", 1, {12}},      {"module.conv.weight", 3, {2, 3, 1}},
        {"module.conv.bias", 1, {2}},          {"module.mean", 1, {4}},
    };
    size_t size;
    char *const bytes = tensors_bytes(list, sizeof list / sizeof *list, &size);
    expect_import(
        "cells.safetensors", bytes, size,
        "  module.*                           became the same without module.\n"
        "  cell.* of a cell                   became a layer: cell.*_l0\n"
        "  conv.weight (2, 3, 1)              became dense: a convolution over one step\n"
        "  cell.bias_hh_l0, which is missing  became 0\n"
        "  cell.*                             became rnn lstm 4 -> 3\n"
        "  conv.*                             became dense 3 -> 2\n"
        "  not used:   mean (4)\n"
        "  not told:   functions behind layers: none is taken; ",
        "        rnn { cell = \"lstm\", input_size = 4, hidden_size = 3, prefix = \"cell.\" "
        "},\n"
        "        dense { units = 2, prefix = \"conv.\" },\n");
    free(bytes);
}

/* nn.PReLU of a Sequential, one slope and one for each value; a vector of another length, and one
 * that is in no Sequential, are told. */
Test(import_names, slopes, .timeout = 120) {
    static const entry list[] = {
        {"rnn.weight_ih_l0", 2, {9, 4}}, {"rnn.weight_hh_l0", 2, {9, 3}},
        {"net.0.weight", 2, {5, 3}},     {"net.0.bias", 1, {5}},
        {"net.1.weight", 1, {5}},        {"net.2.weight", 2, {2, 5}},
        {"net.10.weight", 1, {1}},       {"net.11.weight", 1, {3}},
        {"act.weight", 1, {2}},
    };
    size_t size;
    char *const bytes = tensors_bytes(list, sizeof list / sizeof *list, &size);
    expect_import("slopes.safetensors", bytes, size,
                  "  net.1.weight (5)   became activation, nn.PReLU behind net.0.*\n"
                  "  net.10.weight (1)  became activation, nn.PReLU behind net.2.*\n"
                  "  not used:   act.weight (2)\n"
                  "              net.11.weight (3)\n",
                  "        dense { units = 5, prefix = \"net.0.\" },\n"
                  "        activation { activation = \"prelu\", prefix = \"net.1.\" },\n"
                  "        dense { units = 2, bias = false, prefix = \"net.2.\" },\n"
                  "        activation { activation = \"leaky_relu\", alpha = -0.4");
    free(bytes);
}

/* ---- dense layers alone ---- */

#define NOT_TOLD                                                                                   \
    "  not told:   functions between layers, which have no tensors: none is taken; where one is, " \
    "change the layer's line: dense { input_size = "

/* Shapes fit in several orders: it is that of the numbers in their names, of which 10 is behind 2,
 * whatever the order of the file. */
Test(import_names, dense_layers_alone, .timeout = 120) {
    static const entry list[] = {
        {"net.10.weight", 2, {3, 3}}, {"net.10.bias", 1, {3}},     {"net.12.weight", 2, {2, 3}},
        {"net.0.weight", 2, {3, 4}},  {"net.2.weight", 2, {3, 3}}, {"net.2.bias", 1, {3}},
        {"net.0.bias", 1, {3}},
    };
    size_t size;
    char *const bytes = tensors_bytes(list, sizeof list / sizeof *list, &size);
    expect_import("mlp.safetensors", bytes, size,
                  NOT_TOLD "4, units = 3, activation = \"relu\", prefix = \"net.0.\" }\n"
                           "              the order of the layers: they could follow each other",
                  "        dense { input_size = 4, units = 3, prefix = \"net.0.\" },\n"
                  "        dense { units = 3, prefix = \"net.2.\" },\n"
                  "        dense { units = 3, prefix = \"net.10.\" },\n"
                  "        dense { units = 2, bias = false, prefix = \"net.12.\" },\n");
    free(bytes);
}

/* In a file that has an order it is that one; an embedding is what the shapes leave. */
Test(import_names, dense_layers_in_the_order_of_the_file, .timeout = 120) {
    static const char text[] =
        "{\"state_dict\": {\"b.weight\": [[0.5, 1], [2, 3]], \"b.bias\": [1, 2], "
        "\"a.weight\": [[1, 2], [3, 4]], \"a.bias\": [1, 3]}}";
    expect_import("order.json", text, sizeof text - 1,
                  NOT_TOLD "2, units = 2, activation = \"relu\", prefix = \"b.\" }\n  left open:",
                  "        dense { input_size = 2, units = 2, prefix = \"b.\" },\n"
                  "        dense { units = 2, prefix = \"a.\" },\n");
    static const char tokens[] = "{\"state_dict\": {\"words.weight\": [[0.5, 1], [2, 3], [4, 5]], "
                                 "\"out.weight\": [[1, 2]], \"out.bias\": [1]}}";
    expect_import("words.json", tokens, sizeof tokens - 1,
                  "  words.*  became embedding token -> 2\n",
                  "        embedding { num_embeddings = 3, dim = 2, prefix = \"words.\" },\n"
                  "        dense { units = 1, prefix = \"out.\" },\n");
}

/* As torch.save writes them. */
Test(import_names, dense_layers_of_a_checkpoint, .timeout = 60) {
    static const entry list[] = {
        {"fc1.weight", 2, {3, 4}},
        {"fc1.bias", 1, {3}},
        {"fc2.weight", 2, {2, 3}},
        {"fc2.bias", 1, {2}},
    };
    char dir[PATH_SIZE], from[PATH_SIZE], to[PATH_SIZE];
    size_t size;
    char *const bytes = tensors_bytes(list, sizeof list / sizeof *list, &size);
    workdir_make(dir);
    path_join(from, dir, "mlp.safetensors");
    path_join(to, dir, "mlp.pt");
    cr_assert(file_write(from, bytes, size));
    free(bytes);
    const char *const argv[] = {"python3", "tests/import/make_pt.py", "checkpoint", from, to, NULL};
    outcome o = process_run(argv, NULL, NULL, 120);
    cr_assert_eq(o.code, 0, "%s", o.err);
    outcome_free(&o);
    o = run(dir, "import", "mlp.pt", NULL, NULL, NULL);
    cr_assert_eq(o.code, 0, "%s", o.err);
    cr_expect(strstr(o.out, "  fc1.*                              became dense 4 -> 3\n"), "%s",
              o.out);
    cr_expect(strstr(o.out, "units = 3, activation = \"relu\", prefix = \"fc1.\" }\n"), "%s",
              o.out);
    outcome_free(&o);
    workdir_remove(dir);
}

/* A tensor more, or layers that do not follow each other, is another network. */
Test(import_names, dense_layers_of_another_network, .timeout = 60) {
    static const char *const texts[] = {
        "{\"state_dict\": {\"a.weight\": [[1, 2]], \"a.bias\": [1], \"norm.weight\": [1, 2], "
        "\"norm.bias\": [1, 2]}}",
        "{\"state_dict\": {\"a.weight\": [[1, 2]], \"a.bias\": [1], \"std\": [1]}}",
        "{\"state_dict\": {\"a.weight\": [[1, 2]], \"a.bias\": [1], \"b.weight\": [[1, 2]], "
        "\"b.bias\": [1]}}",
    };
    char dir[PATH_SIZE], path[PATH_SIZE];
    workdir_make(dir);
    path_join(path, dir, "a.json");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        cr_assert(file_write(path, texts[i], strlen(texts[i])));
        outcome o = run(dir, "import", "a.json", NULL, NULL, NULL);
        cr_expect_eq(o.code, 1, "%s", o.out);
        cr_expect(strstr(o.err,
                         "a.json: error: there are no weights of a recurrent network in it "
                         "(weight_ih_l0, weight_hh_l0), and no dense layers alone that follow "
                         "each other; it has a.weight (1, 2), a.bias (1), "),
                  "%s", o.err);
        outcome_free(&o);
    }
    workdir_remove(dir);
}
