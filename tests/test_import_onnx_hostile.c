/* ONNX models that lie, or that have what rnnc has not: each ends in one line. */
#define _XOPEN_SOURCE 700
#include "support/hostile.h"
#include "support/onnx.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const float weights[128] = {0.5F, -0.25F, 1};

/* x (time, batch, 2), or x3 (3, 1, 2); W, R, B of an LSTM of 2 units, W2, R2 of one of both
 * directions; matrices M (2, 2) and M6 (6, 2), a vector V (2). */
static onnx_bytes graph_make(void) {
    onnx_bytes graph = {0};
    onnx_value(&graph, 11, "x", ONNX_FLOAT, "time,batch,2");
    onnx_value(&graph, 11, "x3", ONNX_FLOAT, "3,1,2");
    onnx_floats(&graph, "W", "1,8,2", weights, 16);
    onnx_floats(&graph, "R", "1,8,2", weights, 16);
    onnx_floats(&graph, "B", "1,16", weights, 16);
    onnx_floats(&graph, "W2", "2,8,2", weights, 32);
    onnx_floats(&graph, "R2", "2,8,2", weights, 32);
    onnx_floats(&graph, "W3", "1,6,2", weights, 12);
    onnx_floats(&graph, "M", "2,2", weights, 4);
    onnx_floats(&graph, "M6", "6,2", weights, 12);
    onnx_floats(&graph, "V", "2", weights, 2);
    onnx_floats(&graph, "n", "1", weights, 1);
    onnx_floats(&graph, "r", "1", &(float){0.70710678F}, 1);
    onnx_floats(&graph, "M12", "12,2", weights, 24);
    onnx_ints(&graph, "flat", "1,6");
    onnx_ints(&graph, "wide", "1,12");
    onnx_ints(&graph, "open", "0,-1");
    onnx_ints(&graph, "last", "-1");
    onnx_ints(&graph, "first", "0");
    onnx_ints(&graph, "two", "2");
    onnx_ints(&graph, "huge", "100000,100000");
    onnx_ints(&graph, "whole", "0,0,-1");
    return graph;
}

/* Nodes with ";" between, each "OP; inputs; outputs; attributes;", and the line that they end in.
 */
static const struct {
    const char *nodes, *line;
} node_cases[] = {
    {"LSTM;x W R B;y;;Conv;y M;z;;", "node 1 (Conv): rnnc has no such operator; it reads Add, "},
    {"LSTM;x W R;z;direction=up;", "node 0 (LSTM): has a direction \"up\"\n"},
    {"LSTM;x W R;z;layout=2;", "node 0 (LSTM): has a layout 2\n"},
    {"LSTM;x W R;z;layout=one;",
     "node 0 (LSTM): its attribute layout has another type than it has to have\n"},
    {"LSTM;x W R;z;clip=-1.5;", "node 0 (LSTM): has a clip of -1.5\n"},
    {"LSTM;x W R;z;clip=one;",
     "node 0 (LSTM): its attribute clip has another type than it has to have\n"},
    {"LSTM;x W R;z;input_forget=1;", "node 0 (LSTM): has input_forget, which rnnc has not\n"},
    {"LSTM;x W R;z;hidden_size=3;", "node 0 (LSTM): has a hidden_size other than its R\n"},
    {"LSTM;x W R;z;activations=[Relu;", "node 0 (LSTM): has 1 activations instead of 3\n"},
    {"LSTM;x W R;z;activations=Sigmoid,ThresholdedRelu,Tanh;",
     "node 0 (LSTM): has the activation ThresholdedRelu, which rnnc has not\n"},
    {"LSTM;x W R;z;activations=Sigmoid,Tanh,ScaledTanh activation_alpha=[0.5;",
     "node 0 (LSTM): has the activation ScaledTanh with alpha 0.5; rnnc has it with 1\n"},
    {"LSTM;x W R;z;activations=Sigmoid,Tanh,ScaledTanh activation_beta=[0.25;",
     "node 0 (LSTM): has the activation ScaledTanh with beta 0.25; rnnc has it with 1\n"},
    {"LSTM;x W R;z;activations=HardSigmoid,Tanh,Elu activation_alpha=[0.5;",
     "node 0 (LSTM): has 1 values of activation_alpha for 3 functions, of which 2 take one\n"},
    {"LSTM;x W2 R2;z;direction=bidirectional activations=Sigmoid,Tanh,Tanh,Sigmoid,Relu,Tanh;",
     "node 0 (LSTM): has other activations in its second direction, which rnnc has not\n"},
    {"LSTM;x W2 R2;z;direction=bidirectional "
     "activations=HardSigmoid,Tanh,Tanh,HardSigmoid,Tanh,Tanh activation_alpha=0.25,0.5;",
     "node 0 (LSTM): has other activations in its second direction, which rnnc has not\n"},
    {"LSTM;x W2 R2;z;direction=bidirectional "
     "activations=HardSigmoid,Tanh,Tanh,HardSigmoid,Tanh,Tanh activation_beta=0.25,0.5;",
     "node 0 (LSTM): has other activations in its second direction, which rnnc has not\n"},
    {"RNN;x V V;z;;", "node 0 (RNN): its R is (2) instead of a matrix for each direction\n"},
    {"LSTM;x W2 R;z;;", "node 0 (LSTM): its W is (2, 8, 2), and (1, 8, 2) is expected\n"},
    {"LSTM;x W R V;z;;", "node 0 (LSTM): its B is (2), and (1, 16) is expected\n"},
    {"LSTM;x two R;z;;", "node 0 (LSTM): its W is of whole numbers, and (1, 8, 2) is expected\n"},
    {"LSTM;x W R - two;z;;",
     "node 0 (LSTM): its sequence_lens are in the file, and not all steps; rnnc has them from the "
     "program\n"},
    {"LSTM;x W R - - R;z;;", "node 0 (LSTM): its initial_h is in the file and differs between "
                             "sequences, which rnnc has not\n"},
    {"LSTM;x W R - - W3;z;;", "node 0 (LSTM): its initial_h is in the file and differs between "
                              "sequences, which rnnc has not\n"},
    {"LSTM;x W R - - M;z;;", "node 0 (LSTM): its initial_h is no state of its size\n"},
    {"LSTM;x W R - - - W2;z;;", "node 0 (LSTM): its initial_c is no state of its size\n"},
    {"LSTM;x W R - - - - R;z;;", "node 0 (LSTM): its P is (1, 8, 2), and (1, 6) is expected\n"},
    {"LSTM;x W;z;;", "node 0 (LSTM): has no R\n"},
    {"LSTM;- W R;z;;", "node 0 (LSTM): has no X\n"},
    {"LSTM;V W R;z;;", "node 0 (LSTM): its X is no sequence of three axes\n"},
    {"LSTM;nowhere W R;z;;", "\"nowhere\" is used, and nothing makes it\n"},
    {"LSTM;z W R;z;;", "node 0 (LSTM): its input \"z\" is made behind it\n"},
    {"LSTM;x W R;z;;LSTM;x W R;z;;", "node 1 (LSTM): there is a \"z\" already\n"},
    {"LSTM;x W R;W;;Identity;W;z;;", "node 0 (LSTM): there is a \"W\" already\n"},
    {"LSTM;x W2 R2;y;direction=bidirectional;Split;y last;a b;axis=1;Identity;a;z;;",
     "node 1 (Split): splits into a part of nothing\n"},
    {"LSTM;x W2 R2;y;direction=bidirectional;Split;y;a b;axis=1;Squeeze;a first;c;;LSTM;c W R;z;;",
     "node 2 (Squeeze): squeezes axis 0, whose size is not 1, which rnnc has not\n"},
    {"LSTM;x W2 R2;y;direction=bidirectional;Split;y;a b;axis=1;Squeeze;a;c;;LSTM;c W R;z;;",
     "node 3 (LSTM): reads a part of what a recurrent layer gives, which rnnc has not\n"},
    {"LSTM;x W2 R2;y;direction=bidirectional;Reshape;y whole;c;;LSTM;c W R;z;;",
     "node 2 (LSTM): reads an axis whose size the file does not tell\n"},
    {"LSTM;x W R;y;;Squeeze;y;c;;Slice;c first two first;d;;LSTM;d W R;z;;",
     "node 2 (Slice): takes a part of axis 0, which is of time, which rnnc has not\n"},
    {"LSTM;x W R;y h;;Relu;h;z;;",
     "node 1 (Relu): is a function of what no layer gives for a step, which rnnc has not\n"},
    {"LSTM;x W R;y h;;Mul;h V;z;;",
     "node 1 (Mul): is of what no layer gives for a step, which rnnc has not\n"},
    {"LSTM;x W R;y;;Div;V y;z;;",
     "node 1 (Div): divides by what the network gives, which rnnc has not\n"},
    {"LSTM;x W R;y;;LSTM;x W R;a;;Sub;y a;z;;",
     "node 2 (Sub): is of two results, which rnnc has not\n"},
    {"LSTM;x W R;y;;Mul;y M6;z;;",
     "node 1 (Mul): has numbers of shape (6, 2), and reads 2 values; rnnc has one for each"},
    {"LSTM;x W R;y;;Squeeze;y;c;;HardSigmoid;c;z;beta=one;",
     "node 2 (HardSigmoid): its attribute beta has another type than it has to have\n"},
    {"LSTM;x3 W R;y;;Transpose;y;c;perm=1,2,3,0;Reshape;c flat;d;;MatMul;d M6;z;;",
     "node 3 (MatMul): reads values in another order than the layer before gives\n"},
    {"LSTM;x3 W R;y;;Reshape;y flat;c;;Softmax;c;d;;MatMul;d M6;z;;",
     "node 2 (Softmax): is over the values of all steps, which rnnc has not\n"},
    {"LSTM;x W R;y;;Transpose;y;c;perm=2,0,1,3;Reshape;c open;d;;MatMul;d M6;z;;",
     "node 3 (MatMul): reads all steps side by side, and the file does not tell how many there "
     "are; export the network for a fixed number of steps\n"},
    {"LSTM;x3 W2 R2;y;direction=bidirectional;Transpose;y;c;perm=2,0,3,1;Reshape;c "
     "wide;d;;MatMul;d M12;z;;",
     "node 3 (MatMul): reads all steps side by side in another order than the layer before "
     "gives\n"},
    {"LSTM;x W R;y;;Squeeze;y;c;;Add;c M6;z;;",
     "node 2 (Add): has numbers of shape (6, 2), and reads 2 values; rnnc has one for each"},
    {"LSTM;x W R;y h;;Squeeze;h first;c;;Gemm;c M V;z;alpha=0.5;",
     "node 2 (Gemm): has an alpha, which rnnc has not\n"},
    {"LSTM;x W R;y h;;Squeeze;h first;c;;Gemm;c M V;z;beta=0.5;",
     "node 2 (Gemm): has a beta, which rnnc has not\n"},
    {"LSTM;x W R;y;;Squeeze;y;c;;MatMul;c R;z;;",
     "node 2 (MatMul): its second input is no matrix\n"},
    {"LSTM;x W R;y;;Squeeze;y;c;;MatMul;M c;z;;",
     "node 2 (MatMul): its matrix depends on what the network is given\n"},
    {"LSTM;x W R;y;;Squeeze;y;c;;MatMul;c M;d;;Softmax;d;z;axis=1;",
     "node 3 (Softmax): is over axis 1, and rnnc has it over the last one\n"},
    {"LSTM;x W R;y;;Squeeze;y;c;;LSTM;c W R;z;;LSTM;c W R;a;;Add;a z;z2;;",
     "node 4 (Add): adds two results, which rnnc has not; it adds x to y\n"},
    {"ConstantOfShape;huge;a;;LSTM;x a R;z;;",
     "node 0 (ConstantOfShape): makes constants that are much larger than the file\n"},
    {"Expand;M huge;a;;LSTM;x a R;z;;", "node 0 (Expand): makes axis 1 of 2 into one of 100000\n"},
    {"Transpose;M;a;perm=0,0;LSTM;x a R;z;;", "node 0 (Transpose): has no permutation\n"},
    {"Transpose;M;a;perm=0,5;LSTM;x a R;z;;", "node 0 (Transpose): has an axis 5 of 2\n"},
    {"Gather;M two;a;;LSTM;x a R;z;;", "node 0 (Gather): takes entry 2 of an axis of 2\n"},
    {"Concat;M V;a;axis=0;LSTM;x a R;z;;", "node 0 (Concat): its inputs do not fit side by side\n"},
    {"Concat;M x;a;axis=0;LSTM;x a R;z;;",
     "node 0 (Concat): puts numbers beside what the network gives\n"},
    {"Div;two first;a;;LSTM;x a R;z;;", "node 0 (Div): depends on what the network is given\n"},
    {"LSTM;x W R;y;;Clip;y n V;z;;", "node 1 (Clip): its max is no number\n"},
    {"LSTM;x W R;y;;Clip;y x;z;;", "node 1 (Clip): its min "},
    {"LSTM;x W R;y;;Clip;y - n;z;;",
     "node 1 (Clip): has bounds -inf and 0.5; rnnc has two of at most 1000, the least first, or 0 "
     "alone\n"},
    {"LSTM;x W R;y;;Selu;y;z;gamma=1.5;",
     "node 1 (Selu): has an alpha or gamma of its own, which rnnc has not\n"},
    {"LSTM;x W R;y;;Squeeze;y;c;;MatMul;c M;d;;Sigmoid;d;e;;Sigmoid;c;f;;Mul;d f;z;;",
     "node 5 (Mul): multiplies two results, which rnnc has not, but a value with its Sigmoid"},
    {"LSTM;x W R;y;;Squeeze;y;c;;MatMul;c M;d;;Tanh;d;e;;Mul;d e;z;;",
     "node 4 (Mul): multiplies two results, which rnnc has not"},
    {"LSTM;x W R;y;;Squeeze;y;c;;Sigmoid;x;s;;Mul;c s;z;;",
     "node 3 (Mul): multiplies two results, which rnnc has not"},
    {"LSTM;x W R;y;;Erf;y;z;;",
     "node 1 (Erf): is of what GELU has not under it, x / sqrt(2) of what a layer gives"},
    {"LSTM;x W R;y;;Mul;y r;a;;Erf;a;z;;", "output z is nothing that a network gives\n"},
    {"LSTM;x W R;y;;Mul;y r;a;;Erf;a;b;;Tanh;b;z;;",
     "node 3 (Tanh): reads what Erf gives, which rnnc has as a part of GELU alone\n"},
    {"LSTM;x W R;y;;Mul;y r;a;;Erf;a;b;;Add;b n;c;;Mul;c y;z;;",
     "node 3 (Add): reads what Erf gives, which rnnc has as a part of GELU alone\n"},
    {"LSTM;x W R;y;;PRelu;y M;z;;", "node 1 (PRelu): its slope is (2, 2), and it reads 2 values"},
    {"LSTM;x W R;y;;Gelu;y;z;approximate=erf;",
     "node 1 (Gelu): has an approximation which rnnc has not\n"},
    {"LSTM;x W R;y;;Celu;y;z;alpha=0.5;", "node 1 (Celu): has alpha 0.5; rnnc has it with 1\n"},
    {"LSTM;x W R;y;;Swish;y;z;alpha=2.5;", "node 1 (Swish): has alpha 2.5; rnnc has it with 1\n"},
    {"LSTM;x W R;y;;ThresholdedRelu;y;z;;", "node 1 (ThresholdedRelu): rnnc has no such operator"},
    {"LSTM;x W R;y;;Shrink;y;z;;", "node 1 (Shrink): rnnc has no such operator"},
    {"LSTM;x W R;y;;Hardmax;y;z;;", "node 1 (Hardmax): rnnc has no such operator"},
    {"Identity;M;z;;", "output z is nothing that a network gives\n"},
    {"Identity;x;z;;", "output z is nothing that a network gives\n"},
};

static void expect_line(const char *dir, onnx_bytes *graph, const char *what, const char *want) {
    char line[512];
    onnx_bytes model = onnx_model(graph, 17);
    import_bytes(dir, "a.onnx", model.data, model.size, line);
    free(model.data);
    cr_expect(strncmp(line, want, strlen(want)) == 0 && (line[0] || !want[0]),
              "%s\n  gives %s  not %s", what, line, want);
}

Test(import_onnx_hostile, nodes_that_are_wrong, .timeout = 120) {
    char dir[PATH_SIZE];
    workdir_make(dir);
    for (size_t i = 0; i < sizeof node_cases / sizeof *node_cases; i++) {
        onnx_bytes graph = graph_make();
        const char *at = node_cases[i].nodes;
        char op[256], inputs[256], outputs[256], attributes[256];
        while (onnx_word(&at, ";", op)) {
            onnx_word(&at, ";", inputs);
            onnx_word(&at, ";", outputs);
            onnx_word(&at, ";", attributes);
            onnx_node(&graph, op, inputs, outputs, attributes);
        }
        onnx_value(&graph, 12, strstr(node_cases[i].nodes, "z2") ? "z2" : "z", ONNX_FLOAT, "1");
        expect_line(dir, &graph, node_cases[i].nodes, node_cases[i].line);
    }
    workdir_remove(dir);
}

Test(import_onnx_hostile, cut_off, .timeout = 240) {
    expect_truncated("tests/import/burn_lstm_lstm/lstm.onnx", "a.onnx");
}

/* Messages nested deep, of many fields, and one given again and again. */
Test(import_onnx_hostile, bombs, .timeout = 120) {
    char dir[PATH_SIZE], line[512];
    workdir_make(dir);
    for (size_t depth = 12; depth <= 40000; depth *= 15) {
        /* graph { node { attribute { g: graph ... } } } */
        onnx_bytes inner = {0};
        onnx_node(&inner, "Identity", "x", "y", "");
        for (size_t i = 0; i < depth; i++) {
            onnx_bytes attribute = {0}, node = {0}, graph = {0};
            onnx_message(&attribute, 6, &inner);
            onnx_message(&node, 5, &attribute);
            onnx_message(&graph, 1, &node);
            inner = graph;
        }
        onnx_bytes model = onnx_model(&inner, 17);
        import_bytes(dir, "a.onnx", model.data, model.size, line);
        cr_expect(strstr(line, "messages nested deeper than 32"), "%zu: %s", depth, line);
        free(model.data);
    }
    /* An empty node takes two bytes, and some hundred in memory. */
    onnx_bytes many = {0};
    for (size_t i = 0; i < 2000000; i++)
        onnx_put(&many, "\x0a\0", 2);
    onnx_bytes model = onnx_model(&many, 17);
    import_bytes(dir, "a.onnx", model.data, model.size, line);
    cr_expect(strstr(line, "more than 100000 messages"), "%s", line);
    free(model.data);
    /* Empty texts: fields of 2 bytes. */
    onnx_bytes node = {0}, graph = {0};
    for (size_t i = 0; i < 2000000; i++)
        onnx_put(&node, "\x0a\0", 2);
    onnx_message(&graph, 1, &node);
    model = onnx_model(&graph, 17);
    import_bytes(dir, "a.onnx", model.data, model.size, line);
    cr_expect(strstr(line, "more than 400000 fields"), "%s", line);
    free(model.data);
    /* The same graph twice would be merged. */
    onnx_bytes twice = graph_make(), two = {0};
    onnx_number(&two, 1, 8);
    onnx_block(&two, 7, twice.data, twice.size);
    onnx_block(&two, 7, twice.data, twice.size);
    import_bytes(dir, "a.onnx", two.data, two.size, line);
    cr_expect(strstr(line, "a message that is given twice"), "%s", line);
    free(two.data);
    /* Attributes of very many numbers of a byte each. */
    onnx_bytes attribute = {0};
    char *const zeros = calloc(8000000, 1);
    cr_assert(zeros != NULL);
    onnx_text(&attribute, 1, "perm");
    onnx_block(&attribute, 8, zeros, 8000000);
    free(zeros);
    onnx_bytes bomb = {0};
    onnx_message(&bomb, 5, &attribute);
    onnx_message(&twice, 1, &bomb);
    model = onnx_model(&twice, 17);
    import_bytes(dir, "a.onnx", model.data, model.size, line);
    cr_expect(strstr(line, "takes too much memory") || strstr(line, "a million numbers"), "%s",
              line);
    free(model.data);
    workdir_remove(dir);
}

/* Tensors that lie about themselves, values in other files, and what is no model of today. */
Test(import_onnx_hostile, tensors_that_lie, .timeout = 120) {
    static const struct {
        const char *dims;
        int type;
        size_t size;
        const char *line;
    } tensors[] = {
        {"1,8,3", ONNX_FLOAT, 64,
         "node 0 (LSTM): its input \"W\" has 64 bytes of type F32 and a shape of 24 values\n"},
        {"1,8,-2", ONNX_FLOAT, 64, "node 0 (LSTM): its input \"W\" has a shape of no size\n"},
        {"1,8000000000,8000000000", ONNX_FLOAT, 64,
         "node 0 (LSTM): its input \"W\" has a shape of no size\n"},
        {"1,8,2", ONNX_INT64, 64,
         "node 0 (LSTM): its input \"W\" has 8 values of type I64 and a shape of 16\n"},
        {"1,8,2", 77, 64,
         "node 0 (LSTM): its input \"W\" is of type 77, which no network here has\n"},
        {"1,1,1,1,1,1,1,8,2", ONNX_FLOAT, 64,
         "node 0 (LSTM): its input \"W\" has more than 8 axes\n"},
    };
    char dir[PATH_SIZE], line[512];
    workdir_make(dir);
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
        onnx_bytes graph = {0};
        onnx_value(&graph, 11, "x", ONNX_FLOAT, "4,1,2");
        onnx_initializer(&graph, "W", tensors[i].type, tensors[i].dims, weights, tensors[i].size);
        onnx_floats(&graph, "R", "1,8,2", weights, 16);
        onnx_node(&graph, "LSTM", "x W R", "z", "");
        onnx_value(&graph, 12, "z", ONNX_FLOAT, "1");
        expect_line(dir, &graph, tensors[i].dims, tensors[i].line);
    }
    static const struct {
        const char *location, *line;
    } places[] = {
        {"../secret",
         "the values of W are in another file, \"../secret\"; only one beside the model "
         "is read\n"},
        {"/etc/passwd", "the values of W are in another file, \"/etc/passwd\"; only one beside the "
                        "model is read\n"},
        {"w.data", "the values of W are in another file, w.data: "},
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        onnx_bytes graph = {0}, tensor = onnx_tensor("W", ONNX_FLOAT, "1,8,2", NULL, 0),
                   entry = {0};
        onnx_text(&entry, 1, "location");
        onnx_text(&entry, 2, places[i].location);
        onnx_message(&tensor, 13, &entry);
        onnx_number(&tensor, 14, 1);
        onnx_message(&graph, 5, &tensor);
        expect_line(dir, &graph, places[i].location, places[i].line);
    }
    onnx_bytes graph = {0};
    onnx_value(&graph, 11, "x", ONNX_FLOAT, "4,1,2");
    onnx_value(&graph, 11, "W", ONNX_FLOAT, "1,8,2");
    onnx_floats(&graph, "R", "1,8,2", weights, 16);
    onnx_node(&graph, "LSTM", "x W R", "z", "");
    onnx_value(&graph, 12, "z", ONNX_FLOAT, "1");
    expect_line(
        dir, &graph, "weights that are inputs",
        "node 0 (LSTM): its W is input W of the graph, whose values are not in the file; put "
        "them beside it as input_1.pb\n");
    graph = graph_make();
    onnx_node(&graph, "LSTM", "x W R", "z", "");
    expect_line(dir, &graph, "no outputs", "its graph has no outputs\n");
    graph = graph_make();
    onnx_node(&graph, "LSTM", "x W R", "z", "");
    onnx_value(&graph, 12, "z", ONNX_FLOAT, "1");
    onnx_value(&graph, 12, "", ONNX_FLOAT, "1");
    expect_line(dir, &graph, "an output without a name", "outputs: number 1 has no name\n");
    static const char old[] = "\x08\x01\x3a\x00\x42\x02\x10\x01";
    import_bytes(dir, "a.onnx", old, sizeof old - 1, line);
    cr_expect(strstr(line, "is of version 1 of the format"), "%s", line);
    static const char none[] = "\x08\x08\x12\x02me\x42\x02\x10\x01";
    import_bytes(dir, "a.onnx", none, sizeof none - 1, line);
    cr_expect(strstr(line, "has no graph"), "%s", line);
    workdir_remove(dir);
}
