/* model.h: whole models, of several layers: sizes, weights, inputs and right answers.
 *
 * As problem.h for one recurrent network. Tensors stand in the order of the layers: an embedding's
 * weight, a stack's as in problem.h, a dense layer's weight and bias; layer i has the prefix "Li.".
 */
#ifndef TEST_MODEL_H
#define TEST_MODEL_H

#include "../../runtime/rnnc.h"
#include "rng.h"
#include <stdbool.h>

enum { MODEL_LAYERS = 12 };

typedef struct model {
    size_t layer_count;
    rnnc_layer layer[MODEL_LAYERS]; /* a stack's batch_first is not set */
    bool batch_first;
    size_t residual; /* values of x that are added to y */
    size_t seq_len, batch;
    size_t weight_count;
    rnnc_weight *weight;
    float **values;      /* of each weight */
    int32_t *tokens;     /* (T, B) or (B, T), if the first layer is an embedding */
    float *x;            /* otherwise (T, B, I) or (B, T, I) */
    size_t *lengths;     /* (B), or NULL: all T */
    float *h0, *c0;      /* those of the stacks one behind the other, or NULL: zero */
    double *y, *hn, *cn; /* the answers; y (B, outputs) if a layer has last_step */
} model;

/* What the layers say: values of x and y in a step, floats of all states of h and of c for one
 * sequence, whether the first layer reads tokens, whether one runs on the last step only, whether a
 * stack, or one direction of it, goes backwards. */
typedef struct model_sizes {
    size_t input, output, h, c;
    bool tokens, last_step, backwards;
} model_sizes;

model_sizes model_sizes_of(const model *m);

/* Random weights, inputs and, if with_states, h0 and c0 for the layers; no answers yet. */
model model_make(const rnnc_layer *layer, size_t layer_count, bool batch_first, size_t residual,
                 size_t seq_len, size_t batch, bool with_states, rng *r);

/* The same weights with new inputs of other sizes, without lengths. */
void model_resize(model *m, size_t seq_len, size_t batch, bool with_states, rng *r);

/* Random lengths, the longest and the shortest possible among them. x beyond them becomes NaN,
 * tokens another one. */
void model_set_lengths(model *m, rng *r);

/* Where step t of sequence b begins in a buffer of `width` values a step. */
size_t model_at(const model *m, size_t t, size_t b, size_t width);

/* Floats in y, and in all of h0 or c0. */
size_t model_y_count(const model *m);

/* The model of sequence b alone, with the same weights; not its answers. */
model model_one(const model *m, size_t b);
void model_free_one(model *one);

/* Computes the answers in double, each sequence alone, a layer at a time. */
void model_solve(model *m);

/* `model { ... }` in Lua: `fields` are those beside layers, batch_first and residual, each behind
 * with a comma. The caller frees it. */
char *model_text(const model *m, const char *fields);

/* Writes the weights as a safetensors file, every name behind `prefix`. */
bool model_write_weights(const model *m, const char *path, const char *prefix, rnnc_error *err);

void model_free(model *m);

/* Zeros, or the end of the program; floats of a weight. */
void *model_allocate(size_t count, size_t size);
size_t model_weight_floats(const rnnc_weight *weight);

/* Does the layer make one value of both halves of the one before? */
bool model_merges(const rnnc_layer *layer);

#endif
