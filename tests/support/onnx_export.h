/* onnx_export.h: random models as ONNX files, arranged as exporters of PyTorch and Keras do it. */
#ifndef TEST_ONNX_EXPORT_H
#define TEST_ONNX_EXPORT_H

#include "model.h"
#include "onnx.h"

/* How a network is written; bits of a number. */
enum {
    SYMBOLIC = 1,  /* sizes of time and batch are names; the batch is 1 */
    FLATTENED = 2, /* dense layers read (time * batch, values), as of Keras */
    GATHERED = 4,  /* the last step by Gather, last states by Gather and Concat */
    GIVEN = 8,     /* states are inputs of the graph, sliced; otherwise zeros by the shape of x */
    LAYOUT = 16,   /* batch_first by layout = 1 instead of Transpose */
    LENGTHS = 32,
    IN_FILE = 64, /* given states are in the file; the batch is 1 */
    STYLES = 128
};

typedef struct onnx_exporter {
    onnx_bytes graph;
    const model *m;
    unsigned style;
    size_t weight; /* the next of m->values */
    size_t h_row, c_row;
    int made; /* values so far */
    char value[32], h[32];
    char hn[256], cn[256]; /* names of final states */
    bool batch_first, once;
} onnx_exporter;

/* The model in that style; the caller frees its data. */
onnx_bytes onnx_export(const model *m, unsigned style);

/* Functions that stand by themselves, k < ONNX_FUNCTIONS. */
enum { ONNX_FUNCTIONS = 10 };
rnnc_function onnx_function(size_t k);

/* A new name in `name`. */
void onnx_invent(onnx_exporter *e, char name[32]);

/* A node of one output, which becomes e->value. */
void onnx_step(onnx_exporter *e, const char *op, const char *inputs, const char *attributes);

/* The same of e->value and a second input, which is a vector of whole numbers. */
void onnx_step_by(onnx_exporter *e, const char *op, const char *numbers, const char *attributes);

/* A stack of recurrent layers, of e->value. */
void onnx_put_stack(onnx_exporter *e, const rnnc_config *c);

#endif
