/* kernels.h: the inner loops of the library, compiled once for each instruction set. */
#ifndef RNNC_KERNELS_H
#define RNNC_KERNELS_H

#include "cells.h"

/* The elementwise part of one step for `rows` sequences of H units. All rows of a pointer are its
 * ld floats apart; (H), bias, is the same for all rows. Outputs may be the inputs of the same
 * shape, and overlap no other. */
typedef struct rnnc_step {
    size_t rows, H;
    const float *gates; /* (rows, G*H): W_ih x, and W_hh h too unless a gate is separate */
    size_t ld_gates;
    const float *bias;   /* (G*H): b_ih + b_hh, but b_ih alone for a separate gate */
    const float *hidden; /* if a gate is separate: (rows, G*H) W_hh h, contiguous */
    const float *bias_n; /* (separate * H): b_hh of the separate gates, such as n of a gru */
    const float *h_prev; /* not read by rnn and lstm: (rows, H) */
    size_t ld_h_prev;
    float *c; /* of cells with two states: (rows, H) contiguous, old on entry, new on return */
    float *h; /* (rows, H): the new state */
    size_t ld_h;
} rnnc_step;

typedef struct rnnc_kernels {
    rnnc_blas blas;
    double small_gemm, small_gemv; /* m*n*k, and m*n of a transposed product; see blas.c */
    void (*tanh)(size_t n, const float *x, float *y);
    void (*sigmoid)(size_t n, const float *x, float *y);
    /* In place, of a row of n >= 1 values. Of -inf they are 0 and -inf; a row with NaN or inf, or
     * of nothing but -inf, becomes NaN, as in PyTorch. */
    void (*softmax)(size_t n, float *row);
    void (*log_softmax)(size_t n, float *row);
    void (*step[RNNC_GRU + 1])(const rnnc_step *step); /* by rnnc_cell, of those that have one */
} rnnc_kernels;

/* The tables, in kernels_*.c; NULL where the compiler cannot make that code. */
RNNC_HIDDEN extern const rnnc_kernels rnnc_kernels_portable;
#if defined(__x86_64__) && defined(__GNUC__)
#define RNNC_X86_KERNELS 1
RNNC_HIDDEN extern const rnnc_kernels rnnc_kernels_avx2, rnnc_kernels_avx512;
#endif

/* The best that this CPU can run. */
RNNC_HIDDEN const rnnc_kernels *rnnc_kernels_best(void);

#endif
