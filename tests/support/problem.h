/* problem.h: a network's sizes, weights, inputs and right answers.
 *
 * Weights stand in PyTorch's state_dict order: for each layer, for each direction, weight_ih,
 * weight_hh and, with bias, bias_ih, bias_hh. Names and shapes are worked out here from PyTorch's
 * documentation, not asked of the runtime, so that both must agree. */
#ifndef TEST_PROBLEM_H
#define TEST_PROBLEM_H

#include "../../runtime/rnnc.h"
#include "rng.h"
#include <stdbool.h>

typedef struct problem {
    rnnc_config config;
    size_t seq_len, batch;
    size_t weight_count;
    float **weight;      /* weight_count tensors */
    float *x;            /* (T, B, I), or (B, T, I) with batch_first */
    float *h0;           /* (L*D, B, H), or NULL: zero */
    float *c0;           /* the same, lstm only */
    size_t *lengths;     /* (B), or NULL: all T */
    double *y, *hn, *cn; /* the answers, in rnnc_call's layouts; cn NULL unless lstm */
} problem;

/* Elements of the problem's buffers. */
size_t problem_x_count(const problem *p);
size_t problem_y_count(const problem *p);
size_t problem_state_count(const problem *p);

/* Gates of a cell: rnn 1, gru 3, lstm 4. */
size_t problem_gates(rnnc_cell cell);

/* Tensors of one layer and direction: weights, biases, and weight_ci, weight_cf, weight_co. */
size_t problem_tensors(const rnnc_config *config);

/* Name, rows and columns (0: a vector) of weight number `index`. */
rnnc_weight problem_weight(const rnnc_config *config, size_t index);

/* A network of that one layer, which is written to *layer and has to stay there. */
rnnc_network problem_network(const rnnc_config *config, rnnc_layer *layer);

/* All weights, as a model lists them, and their number; the caller frees the list. */
rnnc_weight *problem_weight_list(const rnnc_config *config, size_t *count);

/* A random problem: weights and biases uniform in +-1/sqrt(H) as PyTorch initialises them, x and
 * h0 uniform in +-1; no h0 if with_h0 is false. The answers are not computed. */
problem problem_make(const rnnc_config *config, size_t seq_len, size_t batch, bool with_h0, rng *r);

/* The same weights with new random x, h0 and c0 of other sizes, without lengths. */
void problem_resize(problem *p, size_t seq_len, size_t batch, bool with_h0, rng *r);

/* Random lengths; the shortest and the longest are always among those of several sequences. x
 * beyond them becomes NaN. */
void problem_set_lengths(problem *p, rng *r);

/* Where step t of sequence b begins in x (width I) or y (width D*H). */
size_t problem_at(const problem *p, size_t t, size_t b, size_t width);

/* The problem of sequence b alone: its steps, with its own state and the same weights. Not its
 * answers. Freed by problem_free_one. */
problem problem_one(const problem *p, size_t b);
void problem_free_one(problem *one);

/* Computes y, hn, cn in double by the tests' own oracle. With lengths, each sequence alone; y is 0
 * beyond its length. */
void problem_solve(problem *p);

/* Reads a case of tests/cases: sizes and, if there are, lengths from its metadata, weights, x, h0,
 * c0, y, hn and cn from its tensors; no h0 and c0 where the metadata's "states" is 0. With `flip`,
 * x and y are rewritten for the other value of batch_first. */
bool problem_read(const char *path, bool flip, problem *p, rnnc_error *err);

/* Writes the weights as a safetensors file of float32, every name behind `prefix`. */
bool problem_write_weights(const problem *p, const char *path, const char *prefix, rnnc_error *err);

void problem_free(problem *p);

#endif
