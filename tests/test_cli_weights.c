/* What rnnc says of weights that come from elsewhere, or are another network's. */
#define _XOPEN_SOURCE 700
#include "rnnc.h"
#include "support/cli.h"
#include "support/generate.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* `text` as model.lua, and w.safetensors with the tensors of `list`: "name rows cols ..." (cols 0:
 * a vector), all zeros, or with a + before the name all ones. */
static void make(const char *dir, const char *text, const char *list) {
    enum { MOST = 100 };
    static float zeros[4096], ones[4096];
    for (size_t i = 0; i < 4096; i++)
        ones[i] = 1;
    static char names[MOST][64];
    const char *name[MOST];
    rnnc_tensor tensors[MOST];
    size_t count = 0;
    int used = 0;
    unsigned rows, cols;
    for (; count < MOST && sscanf(list, "%63s %u %u%n", names[count], &rows, &cols, &used) == 3;
         count++, list += used) {
        const size_t shape[] = {rows, cols};
        const bool one = names[count][0] == '+';
        name[count] = names[count] + one;
        cr_assert_eq(rnnc_tensor_make(&tensors[count], RNNC_F32, cols ? 2 : 1, shape,
                                      one ? ones : zeros, sizeof zeros),
                     RNNC_OK);
    }
    char path[PATH_SIZE];
    rnnc_error error;
    path_join(path, dir, "w.safetensors");
    cr_assert_eq(rnnc_safetensors_write(path, count, name, tensors, 0, NULL, NULL, &error),
                 RNNC_OK);
    path_join(path, dir, "model.lua");
    cr_assert(file_write(path, text, strlen(text)));
}

/* What `rnnc check` says, to the letter; code 0: it is fine. */
static void expect_said(const char *text, const char *list, int code, const char *says) {
    char dir[PATH_SIZE];
    workdir_make(dir);
    make(dir, text, list);
    expect(dir, code, code ? "" : "model.lua: fine, and so is w.safetensors\n", says, "check",
           "model.lua", NULL, NULL);
    workdir_remove(dir);
}

#define W "w.safetensors: "
#define SPEC(FIELDS)                                                                               \
    "return rnn {\n  cell = \"lstm\", input_size = 3, hidden_size = 4, weights = "                 \
    "\"w.safetensors\",\n" FIELDS "}\n"
#define LSTM " weight_ih_l0 16 3 weight_hh_l0 16 4 bias_ih_l0 16 0 bias_hh_l0 16 0 "

Test(cli_weights, of_another_cell) {
    expect_said(SPEC(), "weight_ih_l0 12 3 weight_hh_l0 12 4 bias_ih_l0 12 0 bias_hh_l0 12 0", 1,
                W "error: weight_ih_l0 is (12, 3), expected (16, 3)\n" W
                  "error: weight_hh_l0 is (12, 4), expected (16, 4); these are weights of cell = "
                  "\"gru\" with "
                  "hidden_size = 4\n" W "error: bias_ih_l0 is (12), expected (16)\n" W
                  "error: bias_hh_l0 is (12), expected (16)\n");
}

Test(cli_weights, of_one_direction_or_fewer_layers) {
    expect_said(SPEC("bidirectional = true"), LSTM, 1,
                "model.lua:1: note: the file has one direction: bidirectional = false\n" W
                "error: weight_ih_l0_reverse is missing, expected (16, 3)\n" W
                "error: weight_hh_l0_reverse is missing, expected (16, 4)\n" W
                "error: bias_ih_l0_reverse is missing, expected (16)\n" W
                "error: bias_hh_l0_reverse is missing, expected (16)\n");
    expect_said(SPEC("num_layers = 2"), LSTM, 1,
                "model.lua:1: note: the file has fewer layers: num_layers = 1\n" W
                "error: weight_ih_l1 is missing, expected (16, 4)\n" W
                "error: weight_hh_l1 is missing, expected (16, 4)\n" W
                "error: bias_ih_l1 is missing, expected (16)\n" W
                "error: bias_hh_l1 is missing, expected (16)\n");
}

#define MISSING                                                                                    \
    W "error: weight_ih_l0 is missing, expected (16, 3)\n" W                                       \
      "error: weight_hh_l0 is missing, expected (16, 4)\n" W                                       \
      "error: bias_ih_l0 is missing, expected (16)\n" W                                            \
      "error: bias_hh_l0 is missing, expected (16)\n"

/* The remedies that are named are tried. */
Test(cli_weights, cells_by_themselves) {
    static const char cells[] =
        "cells.0.weight_ih 16 3 cells.0.weight_hh 16 4 cells.0.bias_ih 16 0 cells.0.bias_hh 16 0";
    expect_said(SPEC(), cells, 1,
                W "note: the file has cells by themselves (cells.0.weight_ih): map = { { "
                  "\"^cells%.(%d+)%.(.*)$\", "
                  "\"%2_l%1\" } } makes layers of them\n" MISSING);
    expect_said(SPEC("map = { { \"^cells%.(%d+)%.(.*)$\", \"%2_l%1\" } }"), cells, 0, "");
    static const char cell[] = "weight_ih 16 3 weight_hh 16 4 bias_ih 16 0 bias_hh 16 0";
    expect_said(SPEC("map = { { \"_([ih]h)$\", \"_%1_l0\" } }"), cell, 0, "");
    char dir[PATH_SIZE];
    workdir_make(dir);
    make(dir, SPEC(), cell);
    outcome result = run(dir, "check", "model.lua", NULL, NULL, NULL);
    cr_expect(strstr(result.err,
                     W "note: the file has a cell by itself (weight_ih): map = { { \"_([ih]h)$\", "
                       "\"_%1_l0\" } } makes a layer of it\n") == result.err,
              "%s", result.err);
    outcome_free(&result);
    workdir_remove(dir);
}

Test(cli_weights, normalised) {
    expect_said(
        SPEC(),
        "weight_ih_l0 16 3 weight_hh_l0_g 16 1 weight_hh_l0_v 16 4 bias_ih_l0 16 0 bias_hh_l0 16 0",
        1,
        W "note: the file has weights that are normalised (weight_hh_l0_v and _g); call "
          "torch.nn.utils.remove_weight_norm on the layer before it is saved\n" W
          "error: weight_hh_l0 is missing, expected (16, 4)\n" W
          "error: did you mean weight_hh_l0 where the file has weight_hh_l0_g?\n");
    expect_said(
        SPEC(),
        "weight_ih_l0 16 3 parametrizations.weight_hh_l0.original0 16 1 bias_ih_l0 16 0 bias_hh_l0 "
        "16 0",
        1,
        W "note: the file has parametrised weights (parametrizations.weight_hh_l0.original0); call "
          "torch.nn.utils.parametrize.remove_parametrizations on the layer before it is saved\n" W
          "error: weight_hh_l0 is missing, expected (16, 4)\n");
}

/* Square matrices fit whatever their order is: a name is no proof, but Keras' and ONNX' are known.
 */
Test(cli_weights, order_of_other_tools) {
    static const char square[] =
        "return rnn { input_size = 4, hidden_size = 4, bias = false, weights = \"w.safetensors\",\n"
        "map = { { \"^%s$\", \"weight_ih_l0\" }, { \"^%s$\", \"weight_hh_l0\" } } }\n";
    char text[400];
    snprintf(text, sizeof text, square, "rnn/kernel:0", "rnn/recurrent_kernel:0");
    expect_said(text, "rnn/kernel:0 4 4 rnn/recurrent_kernel:0 4 4", 1,
                W "error: rnn/kernel:0 (which map makes weight_ih_l0) is a matrix of Keras, which "
                  "is transposed and, in "
                  "a GRU, has its gates in another order; map only renames, so write the file anew "
                  "with PyTorch's names "
                  "and order\n" W "error: rnn/recurrent_kernel:0 (which map makes weight_hh_l0) is "
                  "a matrix of Keras, which is "
                  "transposed and, in a GRU, has its gates in another order; map only renames, so "
                  "write the file anew "
                  "with PyTorch's names and order\n");
    snprintf(text, sizeof text, square, "lstm%.W", "lstm%.R");
    expect_said(text, "lstm.W 4 4 lstm.R 4 4", 1,
                W "error: lstm.W (which map makes weight_ih_l0) is a matrix of ONNX, which has its "
                  "gates in another "
                  "order; map only renames, so write the file anew from the PyTorch model\n" W
                  "error: lstm.R (which map makes weight_hh_l0) is a matrix of ONNX, which has its "
                  "gates in another "
                  "order; map only renames, so write the file anew from the PyTorch model\n");
    /* A PyTorch name that only ends alike. */
    snprintf(text, sizeof text, square, "my_kernel", "outW");
    expect_said(text, "my_kernel 4 4 outW 4 4", 0, "");
}

Test(cli_weights, not_used_is_short) {
    char list[2000] = LSTM;
    for (int i = 0; i < 30; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "other.%02d 1 0 ", i);
    expect_said(SPEC(), list, 0,
                W "note: not used: other.00, other.01, other.02, other.03, other.04, other.05, "
                  "other.06, other.07, "
                  "other.08, other.09, other.10, other.11 and 18 others\n");
}

/* Bytes of packed weights as `rnnc plan` has them. */
static unsigned packed_bytes(const char *text) {
    char dir[PATH_SIZE];
    workdir_make(dir);
    make(dir, text, "");
    outcome planned = run(dir, "plan", "model.lua", "--target=portable", NULL, NULL);
    const char *const said = strstr(planned.out, "packed weights ");
    unsigned bytes = 0;
    cr_assert(said && sscanf(said, "packed weights %u", &bytes) == 1, "%s", planned.err);
    outcome_free(&planned);
    workdir_remove(dir);
    return bytes;
}

#define LANGUAGE_MODEL(MORE, HEAD)                                                                 \
    "return model { " MORE " layers = {\n"                                                         \
    "  embedding { num_embeddings = 9, dim = 4, prefix = \"e.\" },\n"                              \
    "  rnn { hidden_size = 4, bias = false },\n  dense { units = 9" HEAD ", prefix = \"o.\" } } }"
#define IN_FILE "weights = \"w.safetensors\","
#define STACK " weight_ih_l0 4 4 weight_hh_l0 4 4 o.bias 9 0 "

Test(cli_weights, shared_table) {
    const char *const tied = LANGUAGE_MODEL(IN_FILE, ", tied = true");
    expect_said(tied, STACK "e.weight 9 4", 0, "");
    expect_said(tied, STACK "+e.weight 9 4 +o.weight 9 4", 0, "");
    expect_said(tied, STACK "+e.weight 9 4 o.weight 9 4", 1,
                W "error: o.weight (9, 4) is another table than e.weight, which tied = true takes "
                  "for it; leave tied out\n");
    expect_said(tied, STACK "e.weight 9 4 o.weight 4 9", 1,
                W "error: o.weight (4, 9) is another table than e.weight, which tied = true takes "
                  "for it; leave tied out\n");
    expect_said(tied, STACK "o.weight 9 4", 1,
                "model.lua:2: note: layer 1: the file has the table as o.weight: map = { { "
                "\"^o%.weight$\", \"e.weight\" } }\n" W
                "error: e.weight is missing, expected (9, 4)\n" W
                "error: did you mean e.weight where the file has o.weight?\n");
    expect_said(
        LANGUAGE_MODEL(IN_FILE " map = { { \"^o%.weight$\", \"e.weight\" } },", ", tied = true"),
        STACK "o.weight 9 4", 0, "");
    expect_said(LANGUAGE_MODEL(IN_FILE, ""), STACK "e.weight 9 4", 1,
                "model.lua:4: note: layer 3: if it shares the embedding's table, of which a file "
                "has one only: tied = true\n" W "error: o.weight is missing, expected (9, 4)\n");
    const unsigned once = packed_bytes(LANGUAGE_MODEL("", ", tied = true"));
    const unsigned twice = packed_bytes(LANGUAGE_MODEL("", ""));
    cr_expect(twice - once >= 36 * sizeof(float), "%u and %u bytes", once, twice);
}

/* What `rnnc init -w` says of the tensors of `list`, and that what it writes fits them and has
 * `line`. */
static void expect_init(const char *list, const char *says, const char *line) {
    char dir[PATH_SIZE], path[PATH_SIZE];
    workdir_make(dir);
    make(dir, "", list);
    expect(dir, 0, "net.lua\n", says, "init", "--weights=w.safetensors", "--name=net", NULL);
    outcome checked = run(dir, "check", "net.lua", NULL, NULL, NULL);
    cr_expect_eq(checked.code, 0, "%s", checked.err);
    outcome_free(&checked);
    path_join(path, dir, "net.lua");
    char *const text = file_read(path, NULL);
    cr_assert_not_null(text);
    cr_expect(strstr(text, line), "\"%s\" is not in\n%s", line, text);
    free(text);
    workdir_remove(dir);
}

#define LOOK_RNN W "note: weights do not tell batch_first and nonlinearity; look at these fields\n"
#define LOOK                                                                                       \
    W "note: weights do not tell batch_first, nonlinearity, last_step and the functions of dense " \
      "layers; look at these fields\n"

Test(cli_weights, init_reads_any_cell) {
    expect_init(LSTM, LOOK_RNN, "    cell = \"lstm\", --");
    expect_init("weight_ih_l0 12 3 weight_hh_l0 12 4", LOOK_RNN, "    cell = \"gru\", --");
    expect_init("weight_ih_l0 12 3 weight_hh_l0 12 4", LOOK_RNN, "    bias = false, --");
    expect_init("weight_ih_l0 4 3 weight_hh_l0 4 4 weight_ih_l1 4 4 weight_hh_l1 4 4", LOOK_RNN,
                "    num_layers = 2, --");
    expect_init("a.weight_ih_l0 16 3 a.weight_hh_l0 16 2 a.weight_hr_l0 2 4", LOOK_RNN,
                "    proj_size = 2, --");
    expect_init("a.weight_ih_l0 16 3 a.weight_hh_l0 16 2 a.weight_hr_l0 2 4", LOOK_RNN,
                "    prefix = \"a.\",");
    expect_init(
        "weight_ih_l0 4 3 weight_hh_l0 4 4 weight_ih_l0_reverse 4 3 weight_hh_l0_reverse 4 4",
        LOOK_RNN, "    bidirectional = true, --");
}

Test(cli_weights, init_reads_whole_models) {
    expect_init("fc.weight 2 8 fc.bias 2 0 emb.weight 50 3 r.weight_ih_l0 16 3 r.weight_hh_l0 16 4 "
                "r.weight_ih_l0_reverse 16 3 r.weight_hh_l0_reverse 16 4",
                LOOK,
                "    layers = {\n"
                "        embedding { num_embeddings = 50, dim = 3, prefix = \"emb.\" },\n"
                "        rnn { cell = \"lstm\", hidden_size = 4, bias = false, bidirectional = "
                "true, prefix = \"r.\" },\n"
                "        dense { units = 2, prefix = \"fc.\" },\n"
                "    },\n");
    expect_init(
        "b.weight_ih_l0 12 5 b.weight_hh_l0 12 4 a.weight 5 3 a.bias 5 0 c.weight 9 4 c.bias 9 0",
        LOOK,
        "        dense { input_size = 3, units = 5, prefix = \"a.\" },\n"
        "        rnn { cell = \"gru\", hidden_size = 4, bias = false, prefix = \"b.\" },\n"
        "        dense { units = 9, prefix = \"c.\" },\n");
    /* A bias alone is of a layer that shares the table. */
    expect_init("emb.weight 9 4 weight_ih_l0 4 4 weight_hh_l0 4 4 out.bias 9 0", LOOK,
                "        embedding { num_embeddings = 9, dim = 4, prefix = \"emb.\" },\n"
                "        rnn { hidden_size = 4, bias = false },\n"
                "        dense { units = 9, tied = true, prefix = \"out.\" },\n");
    expect_init("emb.weight 8 4 weight_ih_l0 4 4 weight_hh_l0 4 4 out.bias 9 0",
                W "note: its layers do not follow each other; the spec has weight_ih_l0 and its "
                  "like alone\n" LOOK_RNN,
                "    hidden_size = 4, --");
    /* A table of rows that are shorter than what is to be multiplied by them. */
    expect_init("emb.weight 9 4 weight_ih_l0 6 4 weight_hh_l0 6 6 out.bias 9 0",
                W "note: its layers do not follow each other; the spec has weight_ih_l0 and its "
                  "like alone\n" LOOK_RNN,
                "    hidden_size = 6, --");
    /* Nothing follows: the recurrent layer alone. */
    expect_init("weight_ih_l0 4 3 weight_hh_l0 4 4 out.weight 2 7 out.bias 2 0",
                W "note: its layers do not follow each other; the spec has weight_ih_l0 and its "
                  "like alone\n" LOOK_RNN,
                "    hidden_size = 4, --");
    /* Either could be the first. */
    expect_init("weight_ih_l0 4 4 weight_hh_l0 4 4 out.weight 4 4 out.bias 4 0",
                W "note: its layers could follow each other in another order; look at it\n" LOOK,
                "        rnn { input_size = 4, hidden_size = 4, bias = false },\n"
                "        dense { units = 4, prefix = \"out.\" },\n");
}

Test(cli_weights, init_makes_new_random_weights) {
    char dir[PATH_SIZE];
    workdir_make(dir);
    outcome made = run(dir, "init", "--program", NULL, NULL, NULL);
    cr_expect_eq(made.code, 0);
    outcome_free(&made);
    char path[PATH_SIZE];
    path_join(path, dir, "model.lua");
    static const char text[] =
        "return rnn { cell = \"gru\", input_size = 3, hidden_size = 5, prefix = \"p.\",\n"
        "  weights = \"model.safetensors\" }\n";
    cr_assert(file_write(path, text, sizeof text - 1));
    made = run(dir, "check", "model.lua", NULL, NULL, NULL);
    cr_expect_eq(made.code, 1);
    cr_expect(
        strstr(
            made.err,
            "model.safetensors: note: these are random weights; rnnc init --weights-only model.lua "
            "makes new ones that fit\n"),
        "%s", made.err);
    outcome_free(&made);
    expect(dir, 0, "model.safetensors\n", "", "init", "--weights-only=model.lua", NULL, NULL);
    expect(dir, 0, "model.lua: fine, and so is model.safetensors\n", "", "check", "model.lua", NULL,
           NULL);
    expect(dir, 1, "",
           "rnnc init: error: --weights-only writes nothing else; leave the others out\n", "init",
           "d", "--weights-only=model.lua", NULL);
    /* Trained weights are not replaced. */
    make(dir, text, LSTM);
    char from[PATH_SIZE];
    path_join(from, dir, "w.safetensors");
    path_join(path, dir, "model.safetensors");
    cr_assert_eq(rename(from, path), 0);
    expect(
        dir, 1, "",
        "rnnc init: error: model.safetensors is there already and not of rnnc init; move it away\n",
        "init", "--weights-only=model.lua", NULL, NULL);
    workdir_remove(dir);
}
