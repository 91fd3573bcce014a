/* onnx.h: a recurrent network as an ONNX model (opset 14), written straight in protobuf's wire
 * format (protobuf.dev/programming-guides/encoding; field numbers from onnx.proto). */
#ifndef ONNX_H
#define ONNX_H

#include "driver.h"

#include <stdint.h>

/* A message that grows. */
typedef struct message {
    unsigned char *data;
    size_t size, room;
} message;

static void put_bytes(message *m, const void *data, size_t size) {
    if (m->size + size > m->room) {
        m->room = 2 * (m->size + size);
        m->data = (unsigned char *)realloc(m->data, m->room);
        if (!m->data)
            exit(1);
    }
    memcpy(m->data + m->size, data, size);
    m->size += size;
}

static void put_varint(message *m, uint64_t value) {
    for (; value > 127; value >>= 7)
        put_bytes(m, &(unsigned char){(unsigned char)(value | 128)}, 1);
    put_bytes(m, &(unsigned char){(unsigned char)value}, 1);
}

/* Fields: a number; bytes; a text; a message, which is freed. */
static void put_number(message *m, int field, uint64_t value) {
    put_varint(m, (uint64_t)field << 3);
    put_varint(m, value);
}

static void put_block(message *m, int field, const void *data, size_t size) {
    put_varint(m, (uint64_t)field << 3 | 2);
    put_varint(m, size);
    put_bytes(m, data, size);
}

static void put_text(message *m, int field, const char *text) {
    put_block(m, field, text, strlen(text));
}

static void put_message(message *m, int field, message *inner) {
    put_block(m, field, inner->data, inner->size);
    free(inner->data);
    *inner = (message){0};
}

enum { ONNX_FLOAT = 1, ONNX_INT64 = 7 };

/* An initializer of the graph. */
static void put_tensor(message *graph, const char *name, int type, int rank, const int64_t *dims,
                       const void *data, size_t size) {
    message tensor = {0};
    for (int i = 0; i < rank; i++)
        put_number(&tensor, 1, (uint64_t)dims[i]);
    put_number(&tensor, 2, (uint64_t)type);
    put_text(&tensor, 8, name);
    put_block(&tensor, 9, data, size);
    put_message(graph, 5, &tensor);
}

/* An input (field 11) or output (12) of floats. */
static void put_value(message *graph, int field, const char *name, int rank, const int64_t *dims) {
    message shape = {0}, tensor = {0}, type = {0}, value = {0};
    for (int i = 0; i < rank; i++) {
        message dim = {0};
        put_number(&dim, 1, (uint64_t)dims[i]);
        put_message(&shape, 1, &dim);
    }
    put_number(&tensor, 1, ONNX_FLOAT);
    put_message(&tensor, 2, &shape);
    put_message(&type, 1, &tensor);
    put_text(&value, 1, name);
    put_message(&value, 2, &type);
    put_message(graph, field, &value);
}

enum { ATTRIBUTE_INT = 2, ATTRIBUTE_STRING = 3, ATTRIBUTE_INTS = 7, ATTRIBUTE_STRINGS = 8 };

static void put_int(message *node, const char *name, int64_t value) {
    message attribute = {0};
    put_text(&attribute, 1, name);
    put_number(&attribute, 3, (uint64_t)value);
    put_number(&attribute, 20, ATTRIBUTE_INT);
    put_message(node, 5, &attribute);
}

static void put_string(message *node, const char *name, const char *value) {
    message attribute = {0};
    put_text(&attribute, 1, name);
    put_text(&attribute, 4, value);
    put_number(&attribute, 20, ATTRIBUTE_STRING);
    put_message(node, 5, &attribute);
}

/* The same text `count` times. */
static void put_strings(message *node, const char *name, int count, const char *value) {
    message attribute = {0};
    put_text(&attribute, 1, name);
    for (int i = 0; i < count; i++)
        put_text(&attribute, 9, value);
    put_number(&attribute, 20, ATTRIBUTE_STRINGS);
    put_message(node, 5, &attribute);
}

/* Gates in ONNX's order: lstm i, o, f, g of i, f, g, o; gru z, r, n of r, z, n. */
static int onnx_gate(const problem *p, int g) {
    static const int lstm[] = {0, 3, 1, 2}, gru[] = {1, 0, 2};
    return p->cell == LSTM ? lstm[g] : p->cell == GRU ? gru[g] : g;
}

/* (D, G*H, columns) of a layer, gates reordered. `tensors` are those of all chains. */
static void put_weights(message *graph, const char *name, const problem *p, int layer,
                        float *const *tensors, size_t columns) {
    const size_t H = (size_t)p->H, block = H * columns;
    float *const all = driver_floats((size_t)p->D * p->G * block);
    for (int d = 0; d < p->D; d++)
        for (int g = 0; g < p->G; g++)
            memcpy(all + ((size_t)d * p->G + g) * block,
                   tensors[layer * p->D + d] + onnx_gate(p, g) * block, block * sizeof *all);
    const int64_t dims[] = {p->D, (int64_t)p->G * p->H, (int64_t)columns};
    put_tensor(graph, name, ONNX_FLOAT, 3, dims, all, p->D * p->G * block * sizeof *all);
    free(all);
}

/* (D, 2*G*H): input biases, then recurrent ones. */
static void put_biases(message *graph, const char *name, const problem *p, int layer) {
    const size_t H = (size_t)p->H, rows = p->G * H;
    float *const all = driver_floats(2 * p->D * rows);
    for (int d = 0; d < p->D; d++)
        for (int g = 0; g < p->G; g++) {
            const int q = layer * p->D + d;
            const size_t from = onnx_gate(p, g) * H, to = 2 * d * rows + g * H;
            memcpy(all + to, p->bias_ih[q] + from, H * sizeof *all);
            memcpy(all + to + rows, p->bias_hh[q] + from, H * sizeof *all);
        }
    const int64_t dims[] = {p->D, 2 * (int64_t)rows};
    put_tensor(graph, name, ONNX_FLOAT, 2, dims, all, 2 * p->D * rows * sizeof *all);
    free(all);
}

static void put_layer(message *graph, const problem *p, int layer, const char *in, const char *out,
                      const char *hn) {
    static const char *const operators[] = {"RNN", "RNN", "LSTM", "GRU"};
    char names[3][16];
    message node = {0};
    for (int i = 0; i < 3; i++)
        snprintf(names[i], sizeof names[i], "%c%d", "WRB"[i], layer);
    put_weights(graph, names[0], p, layer, p->weight_ih, (size_t)p->inputs[layer * p->D]);
    put_weights(graph, names[1], p, layer, p->weight_hh, (size_t)p->H);
    put_biases(graph, names[2], p, layer);
    put_text(&node, 1, in);
    for (int i = 0; i < 3; i++)
        put_text(&node, 1, names[i]);
    put_text(&node, 2, out);
    put_text(&node, 2, hn);
    put_text(&node, 4, operators[p->cell]);
    put_int(&node, "hidden_size", p->H);
    put_string(&node, "direction", p->D == 2 ? "bidirectional" : "forward");
    if (p->cell == GRU)
        put_int(&node, "linear_before_reset", 1);
    if (p->cell == RNN_TANH || p->cell == RNN_RELU)
        put_strings(&node, "activations", p->D, p->cell == RNN_RELU ? "Relu" : "Tanh");
    put_message(graph, 1, &node);
}

static void put_transpose(message *graph, const char *in, const char *out) {
    message node = {0}, attribute = {0};
    put_text(&node, 1, in);
    put_text(&node, 2, out);
    put_text(&node, 4, "Transpose");
    put_text(&attribute, 1, "perm");
    for (int i = 0; i < 4; i++)
        put_number(&attribute, 8, (uint64_t) "\0\2\1\3"[i]);
    put_number(&attribute, 20, ATTRIBUTE_INTS);
    put_message(&node, 5, &attribute);
    put_message(graph, 1, &node);
}

static void put_reshape(message *graph, const char *in, const char *shape, const char *out) {
    message node = {0};
    put_text(&node, 1, in);
    put_text(&node, 1, shape);
    put_text(&node, 2, out);
    put_text(&node, 4, "Reshape");
    put_message(graph, 1, &node);
}

/* The network: input x (T, B, I); outputs y, whose values lie as (T, B, D*H), and hn0, hn1, ... (D,
 * B, H) of the layers. ONNX's own y is (T, D, B, H), which needs a transposition unless D or B
 * is 1. */
static message onnx_model(const problem *p) {
    const int own = p->D == 1 || p->B == 1;
    const int64_t wide[] = {p->T, p->B, (int64_t)p->D * p->H}, x[] = {p->T, p->B, p->I};
    const int64_t hn[] = {p->D, p->B, p->H}, y[] = {p->T, p->B, p->D, p->H};
    message graph = {0}, model = {0}, opset = {0};
    char in[16] = "x", raw[16], state[16], next[16], turned[16];
    put_text(&graph, 2, "rnn");
    put_tensor(&graph, "shape", ONNX_INT64, 1, &(int64_t){3}, wide, sizeof wide);
    put_value(&graph, 11, "x", 3, x);
    for (int layer = 0; layer < p->L; layer++) {
        const int last = layer == p->L - 1;
        snprintf(raw, sizeof raw, "raw%d", layer);
        snprintf(state, sizeof state, "hn%d", layer);
        snprintf(next, sizeof next, "x%d", layer + 1);
        snprintf(turned, sizeof turned, "turned%d", layer);
        put_layer(&graph, p, layer, in, last && own ? "y" : raw, state);
        if (!own)
            put_transpose(&graph, raw, last ? "y" : turned);
        if (!last)
            put_reshape(&graph, own ? raw : turned, "shape", next);
        put_value(&graph, 12, state, 3, hn);
        snprintf(in, sizeof in, "%s", next);
    }
    put_value(&graph, 12, "y", 4, own ? (const int64_t[]){p->T, p->D, p->B, p->H} : y);
    put_number(&model, 1, 8);
    put_message(&model, 7, &graph);
    put_text(&opset, 1, "");
    put_number(&opset, 2, 14);
    put_message(&model, 8, &opset);
    return model;
}

#endif
