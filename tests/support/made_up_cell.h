/* made_up_cell.h: networks of the two cells that test_made_up_cell.c adds, and their right answers
 * in double. */
#ifndef TEST_MADE_UP_CELL_H
#define TEST_MADE_UP_CELL_H

#include "rng.h"
#include <stddef.h>

enum { MADE_UP_LAYERS = 3, MADE_UP_TENSORS = 7 };

typedef struct made_up_sizes {
    size_t I, H, L, D, T, B;
    int bias, batch_first, peep;
} made_up_sizes;

/* A network of the cell with its inputs and right answers; weights in PyTorch's order. */
typedef struct made_up_example {
    made_up_sizes s;
    size_t weight_count, state_count;
    float *weight[MADE_UP_LAYERS * 2 * MADE_UP_TENSORS], *x, *h0, *c0; /* c0: of cells with a c */
    double *y, *hn, *cn;
} made_up_example;

/* Tensors of one direction of one layer. */
size_t made_up_tensors(const made_up_sizes *s);

/* Random weights and inputs, and the answers: each sequence alone, by the formulas. */
made_up_example made_up_make(const made_up_sizes *s, rng *r);
void made_up_free(made_up_example *e);

#endif
