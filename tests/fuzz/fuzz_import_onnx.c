/* Any bytes as an ONNX model. Of odd inputs the bytes choose nodes, so that much of what comes out
 * is a graph. */
#include "../support/onnx.h"
#include "import.h"

/* Values are called by a letter. */
static const struct {
    const char *op, *attributes;
} nodes[] = {
    {"LSTM", "hidden_size=2"},
    {"GRU", "hidden_size=2 linear_before_reset=1"},
    {"RNN", "activations=[Relu"},
    {"LSTM", "direction=bidirectional layout=1"},
    {"GRU", "direction=reverse clip=1.5"},
    {"Transpose", "perm=1,0,2"},
    {"Transpose", "perm=0,2,1,3"},
    {"Squeeze", "axes=[1"},
    {"Squeeze", ""},
    {"Unsqueeze", "axes=[0"},
    {"Reshape", ""},
    {"Shape", ""},
    {"Gather", "axis=0"},
    {"Gather", "axis=1"},
    {"Slice", ""},
    {"Concat", "axis=0"},
    {"Concat", "axis=-1"},
    {"Split", "axis=1"},
    {"Gemm", "transB=1"},
    {"MatMul", ""},
    {"Add", ""},
    {"Mul", ""},
    {"Sub", ""},
    {"Div", ""},
    {"Equal", ""},
    {"Not", ""},
    {"Relu", ""},
    {"Tanh", ""},
    {"Sigmoid", ""},
    {"Erf", ""},
    {"PRelu", ""},
    {"Gelu", "approximate=tanh"},
    {"Softmax", "axis=-1"},
    {"Expand", ""},
    {"ConstantOfShape", ""},
    {"Constant", "value_ints=-1,2"},
    {"Constant", "value_int=1"},
    {"Cast", "to=7"},
    {"Cast", "to=1"},
    {"Identity", ""},
    {"Dropout", ""},
    {"Flatten", "axis=1"},
    {"If", ""},
};

enum { NODES = sizeof nodes / sizeof *nodes, LETTERS = 16 };

/* Names of `count` values, of which the bytes choose. */
static void choose(const uint8_t **at, const uint8_t *end, size_t count, char *text) {
    *text = '\0';
    for (size_t i = 0; i < count; i++) {
        const unsigned byte = *at < end ? *(*at)++ : 0u;
        text +=
            sprintf(text, "%s%c", i ? " " : "", byte % 19 < LETTERS ? 'A' + (int)(byte % 19) : '-');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 3 || data[0] % 2 == 0) {
        fuzz_file("fuzz.onnx", data, size);
        return 0;
    }
    static const float weights[64] = {0.5F, -0.25F, 1};
    const uint8_t *at = data + 2, *const end = data + size;
    onnx_bytes graph = {0};
    char inputs[64], outputs[64];
    /* A to D are there. */
    onnx_value(&graph, 11, "A", ONNX_FLOAT, data[0] & 2 ? "3,2,2" : "time,batch,2");
    onnx_floats(&graph, "B", data[0] & 4 ? "1,8,2" : "1,6,2", weights, data[0] & 4 ? 16 : 12);
    onnx_floats(&graph, "C", data[0] & 8 ? "2,2" : "2", weights, data[0] & 8 ? 4 : 2);
    onnx_ints(&graph, "D", data[0] & 16 ? "0,-1" : "1,0,2");
    for (char next = 'E'; at < end && next < 'A' + LETTERS; next += 2) {
        const size_t kind = *at++ % NODES;
        choose(&at, end, kind < 5 ? 4 : data[1] % 3 + 1, inputs);
        sprintf(outputs, "%c %c", next, next + 1);
        onnx_node(&graph, nodes[kind].op, inputs, outputs, nodes[kind].attributes);
        /* Each third value is asked for, and the last one. */
        if (at >= end || (kind + (size_t)next) % 3 == 0)
            onnx_value(&graph, 12, (char[]){next, '\0'}, ONNX_FLOAT, "1");
    }
    onnx_bytes model = onnx_model(&graph, data[0] & 32 ? 11 : 17);
    fuzz_file("fuzz.onnx", model.data, model.size);
    free(model.data);
    return 0;
}
