/* Any bytes as a graph of TensorFlow. Of odd inputs the bytes choose nodes, their operations and
 * what they read, so that much of what comes out is a graph. */
#include "import.h"

#include <string.h>

static const char *const ops[] = {
    "Softmax",
    "MatMul",
    "Add",
    "BiasAdd",
    "Exit",
    "Switch",
    "Merge",
    "Enter",
    "Mul",
    "Tanh",
    "Sigmoid",
    "Sub",
    "Split",
    "ConcatV2",
    "Identity",
    "Fill",
    "Const",
    "NextIteration",
    "Relu",
    "TensorArrayReadV3",
    "TensorArrayScatterV3",
    "Transpose",
};

enum { NODES = 26 };

/* A field of bytes; returns what follows it. */
static unsigned char *put(unsigned char *to, unsigned field, const void *bytes, size_t size) {
    *to++ = (unsigned char)(field << 3 | 2);
    *to++ = (unsigned char)size;
    memcpy(to, bytes, size);
    return to + size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 3 || data[0] % 2 == 0) {
        fuzz_file("fuzz.pb", data, size);
        return 0;
    }
    /* A constant (2, 2) or (4) of floats. */
    static const unsigned char matrix[] = "\x08\1\x12\x08\x12\2\x08\2\x12\2\x08\2\x2a\4\0\0\x80?";
    static const unsigned char vector[] = "\x08\1\x12\4\x12\2\x08\4\x2a\4\0\0\0\0";
    unsigned char graph[NODES * 200], node[160], value[60], *to = graph;
    const uint8_t *at = data + 1, *const end = data + size;
    for (int n = 0; n < NODES && end - at >= 4; n++) {
        const char name = (char)('a' + n);
        const unsigned op = *at++ % (sizeof ops / sizeof *ops);
        unsigned char *in = put(node, 1, &name, 1);
        in = put(in, 2, ops[op], strlen(ops[op]));
        for (int i = 0; i < 3; i++) {
            const char input[3] = {(char)('a' + *at % NODES), ':', (char)('0' + *at / NODES % 4)};
            in = put(in, 3, input, *at++ / 128 ? 3 : 1);
        }
        if (strcmp(ops[op], "Const") == 0) {
            const int is_matrix = at < end && *at % 2;
            unsigned char attribute[80], *of = put(attribute, 1, "value", 5);
            const unsigned char *const inner = put(value, 8, is_matrix ? matrix : vector,
                                                   (is_matrix ? sizeof matrix : sizeof vector) - 1);
            of = put(of, 2, value, (size_t)(inner - value));
            in = put(in, 5, attribute, (size_t)(of - attribute));
        }
        to = put(to, 1, node, (size_t)(in - node));
    }
    fuzz_file("fuzz.pb", graph, (size_t)(to - graph));
    return 0;
}
