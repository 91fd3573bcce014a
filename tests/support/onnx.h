/* onnx.h: writes ONNX models, straight in protobuf's wire format
 * (protobuf.dev/programming-guides/encoding; field numbers from onnx.proto). */
#ifndef TEST_ONNX_H
#define TEST_ONNX_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A message that grows; all zero is an empty one. */
typedef struct onnx_bytes {
    unsigned char *data;
    size_t size, room;
} onnx_bytes;

static inline void onnx_put(onnx_bytes *m, const void *data, size_t size) {
    if (m->size + size + 1 > m->room) {
        m->room = 2 * (m->size + size) + 16;
        m->data = realloc(m->data, m->room);
        if (!m->data)
            abort();
    }
    if (size)
        memcpy(m->data + m->size, data, size);
    m->size += size;
}

static inline void onnx_varint(onnx_bytes *m, uint64_t value) {
    for (; value > 127; value >>= 7)
        onnx_put(m, &(unsigned char){(unsigned char)(value | 128)}, 1);
    onnx_put(m, &(unsigned char){(unsigned char)value}, 1);
}

/* Fields: a number; bytes; a text; a message, which is freed. */
static inline void onnx_number(onnx_bytes *m, unsigned field, int64_t value) {
    onnx_varint(m, (uint64_t)field << 3);
    onnx_varint(m, (uint64_t)value);
}

static inline void onnx_block(onnx_bytes *m, unsigned field, const void *data, size_t size) {
    onnx_varint(m, (uint64_t)field << 3 | 2);
    onnx_varint(m, size);
    onnx_put(m, data, size);
}

static inline void onnx_text(onnx_bytes *m, unsigned field, const char *text) {
    onnx_block(m, field, text, strlen(text));
}

static inline void onnx_message(onnx_bytes *m, unsigned field, onnx_bytes *inner) {
    onnx_block(m, field, inner->data, inner->size);
    free(inner->data);
    *inner = (onnx_bytes){0};
}

enum { ONNX_FLOAT = 1, ONNX_INT32 = 6, ONNX_INT64 = 7, ONNX_BOOL = 9 };

/* The word of `text` at *at, which moves behind it and the separator; up to 255 bytes. 0: the end.
 */
static inline int onnx_word(const char **at, const char *separators, char word[256]) {
    const size_t length = strcspn(*at, separators);
    if (!**at)
        return 0;
    snprintf(word, 256, "%.*s", (int)length, *at);
    *at += length + ((*at)[length] != 0);
    return 1;
}

/* A TensorProto: dims "2,3", "" for a single number; data of `size` bytes. */
static inline onnx_bytes onnx_tensor(const char *name, int type, const char *dims, const void *data,
                                     size_t size) {
    onnx_bytes tensor = {0};
    char word[256];
    while (onnx_word(&dims, ",", word))
        onnx_number(&tensor, 1, strtoll(word, NULL, 10));
    onnx_number(&tensor, 2, type);
    onnx_text(&tensor, 8, name);
    onnx_block(&tensor, 9, data, size);
    return tensor;
}

/* Initialisers of a graph. */
static inline void onnx_initializer(onnx_bytes *graph, const char *name, int type, const char *dims,
                                    const void *data, size_t size) {
    onnx_bytes tensor = onnx_tensor(name, type, dims, data, size);
    onnx_message(graph, 5, &tensor);
}

static inline void onnx_floats(onnx_bytes *graph, const char *name, const char *dims,
                               const float *data, size_t count) {
    onnx_initializer(graph, name, ONNX_FLOAT, dims, data, count * sizeof *data);
}

/* A vector "1,-1,8" of int64. */
static inline void onnx_ints(onnx_bytes *graph, const char *name, const char *numbers) {
    int64_t list[64];
    size_t count = 0;
    char word[256], dims[16];
    while (count < 64 && onnx_word(&numbers, ",", word))
        list[count++] = strtoll(word, NULL, 10);
    snprintf(dims, sizeof dims, "%zu", count);
    onnx_initializer(graph, name, ONNX_INT64, dims, list, count * sizeof *list);
}

/* An input (field 11) or output (12) of the graph; dims as "time,2,3": names are sizes that are not
 * known. */
static inline void onnx_value(onnx_bytes *graph, unsigned field, const char *name, int type,
                              const char *dims) {
    onnx_bytes shape = {0}, tensor = {0}, of_type = {0}, value = {0};
    char word[256];
    while (onnx_word(&dims, ",", word)) {
        onnx_bytes dim = {0};
        if (word[0] >= '0' && word[0] <= '9')
            onnx_number(&dim, 1, strtoll(word, NULL, 10));
        else
            onnx_text(&dim, 2, word);
        onnx_message(&shape, 1, &dim);
    }
    onnx_number(&tensor, 1, type);
    onnx_message(&tensor, 2, &shape);
    onnx_message(&of_type, 1, &tensor);
    onnx_text(&value, 1, name);
    onnx_message(&value, 2, &of_type);
    onnx_message(graph, field, &value);
}

/* "axis=0", "perm=1,0,2", "axes=[1" (a list of one), "alpha=0.5", "functions=[Relu,Tanh", or
 * "direction=reverse": the type is that of the value's looks. */
static inline void onnx_attribute(onnx_bytes *node, const char *text) {
    onnx_bytes attribute = {0};
    char name[256], word[256];
    onnx_word(&text, "=", name);
    onnx_text(&attribute, 1, name);
    const int list = text[0] == '[' || strchr(text, ',');
    const char *at = text[0] == '[' ? text + 1 : text;
    const int number = strchr("-0123456789", *at) != NULL, real = number && strchr(at, '.');
    while (onnx_word(&at, ",", word)) {
        if (real) {
            const float value = strtof(word, NULL);
            onnx_varint(&attribute, (list ? 7u : 2u) << 3 | 5);
            onnx_put(&attribute, &value, sizeof value);
        } else if (number) {
            onnx_number(&attribute, list ? 8 : 3, strtoll(word, NULL, 10));
        } else {
            onnx_text(&attribute, list ? 9 : 4, word);
        }
    }
    onnx_number(&attribute, 20, (real ? 1 : number ? 2 : 3) + (list ? 5 : 0));
    onnx_message(node, 5, &attribute);
}

/* A node: names of inputs and outputs with spaces between, "-" for one that is left out; attributes
 * with spaces between. */
static inline void onnx_node(onnx_bytes *graph, const char *op, const char *inputs,
                             const char *outputs, const char *attributes) {
    onnx_bytes node = {0};
    char word[256];
    while (onnx_word(&inputs, " ", word))
        onnx_text(&node, 1, strcmp(word, "-") == 0 ? "" : word);
    while (onnx_word(&outputs, " ", word))
        onnx_text(&node, 2, strcmp(word, "-") == 0 ? "" : word);
    onnx_text(&node, 4, op);
    while (onnx_word(&attributes, " ", word))
        onnx_attribute(&node, word);
    onnx_message(graph, 1, &node);
}

/* The model of a graph, which is freed; the caller frees what it is given. */
static inline onnx_bytes onnx_model(onnx_bytes *graph, int opset) {
    onnx_bytes made = {0}, set = {0};
    onnx_number(&made, 1, 8);
    onnx_message(&made, 7, graph);
    onnx_text(&set, 1, "");
    onnx_number(&set, 2, opset);
    onnx_message(&made, 8, &set);
    return made;
}

#endif
