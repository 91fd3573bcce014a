/* random_model.h: random whole models with inputs and right answers. */
#ifndef TEST_RANDOM_MODEL_H
#define TEST_RANDOM_MODEL_H

#include "../../runtime/rnnc.h"
#include "rng.h"
#include <stdbool.h>

enum { RANDOM_MODEL_LAYERS = 16, RANDOM_MODEL_TENSORS = 192 };

typedef struct random_model {
    rnnc_layer *layer; /* the network's */
    rnnc_network network;
    rnnc_network_sizes sizes;
    size_t floats[RANDOM_MODEL_TENSORS];
    float *tensor[RANDOM_MODEL_TENSORS];
    rnnc_call call;
    float *x, *h0, *c0;
    int32_t *tokens;
    size_t *lengths;
    size_t y_count, h_count, c_count;
    double *y, *hn, *cn; /* the oracle's */
} random_model;

/* Embedding or x, up to three recurrent layers of any cells, directions, merges and projections, up
 * to two dense ones, functions behind some and before all; few steps and sequences. With lengths, x
 * beyond them is NaN, and tokens are none. Sizes of tensors are worked out here, not asked of the
 * runtime. The answers are not computed. */
random_model random_model_make(rng *r, bool with_lengths);

/* Computes y, hn and cn by model_oracle. */
void random_model_solve(random_model *m);

/* The model in a line, for messages. */
void random_model_describe(const random_model *m, int number, char text[512]);

void random_model_free(random_model *m);

#endif
