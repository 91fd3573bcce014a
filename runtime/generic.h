/* generic.h: what the files of the generic networks share. */
#ifndef RNNC_GENERIC_H
#define RNNC_GENERIC_H

#include "kernels.h"
#include "network.h"

/* A layer and direction ("chain") as prepared: the input's width K, H units, a state of S values, N
 * = G*H sums; W_ih^T (K, N), W_hh^T (S, N), bias (N), b_hh of the separate gates, which
 * cannot be added to b_ih (separate * H), peepholes of each unit (H, 3), weights and biases of
 * norms, (N) four times and (H) twice, W_hr^T (H, S) if S is not H, and, if the weights have it,
 * the state before the first step, h (S) and c (H). */
typedef struct generic_chain {
    const rnnc_cell_row *cell;
    const rnnc_config *config;
    size_t K, H, S, N;
    const float *w_ih, *w_hh, *bias, *bias_n, *peepholes, *norms, *w_hr, *first_h, *first_c;
} generic_chain;

/* The chain of that layer of the config, which is valid, whose parts lie from `prepared` on.
 * Returns the floats that they take. */
RNNC_HIDDEN size_t generic_lay_out(const rnnc_config *config, size_t layer, const float *prepared,
                                   generic_chain *c);

/* What the layers of a call share. Sequences run in groups: all of the batch, or one alone. A row
 * is one sequence of the group at one step: row t*row_t + b*row_b of every buffer of steps. */
typedef struct generic_run {
    const rnnc_blas *blas;
    const rnnc_kernels *kernels;
    size_t T, B; /* steps; sequences of the group */
    size_t row_t, row_b;
    float *gates;  /* (T*B, N): W_ih x of a chain */
    float *hidden; /* (B, N): W_hh h, if a gate is separate or it is normalised */
    float *state;  /* (B, H): c */
    float *first;  /* (B, S): the first h, of a call without h0 */
    float *fresh;  /* (B, H): h before its projection, or r h */
} generic_run;

/* Values that flow from layer to layer: `ld` floats from row to row. */
typedef struct generic_flow {
    float *data;
    size_t ld;
} generic_flow;

/* One chain over all steps: rows of K values of `in` to rows of S values of `out`. State pointers
 * are to (B, S) or (B, H) contiguous floats, or NULL. */
RNNC_HIDDEN void generic_run_chain(const generic_run *r, const generic_chain *c, int reverse,
                                   const float *in, size_t ld_in, generic_flow out, const float *h0,
                                   const float *c0, float *hn, float *cn);

/* A dense layer on `rows` rows; prepared: W^T (inputs, outputs), bias (outputs). step: floats of
 * `in` from one to the next of the steps that it reads side by side, if it does. */
RNNC_HIDDEN void generic_run_dense(const generic_run *r, const rnnc_layer *layer,
                                   const float *prepared, size_t rows, const float *in,
                                   size_t ld_in, size_t step, generic_flow out);

/* An activation alone, on `rows` rows; prepared: the weights of its units, if it has such. */
RNNC_HIDDEN void generic_run_activation(const generic_run *r, const rnnc_layer *layer,
                                        const float *prepared, size_t rows, const float *in,
                                        size_t ld_in, generic_flow out);

/* One value of both halves of each of `rows` rows. */
RNNC_HIDDEN void generic_run_merge(const rnnc_layer *layer, size_t rows, const float *in,
                                   size_t ld_in, generic_flow out);

/* Prepared floats of a layer that is not recurrent. */
RNNC_HIDDEN size_t generic_table_count(const rnnc_layer *layer);

#endif
