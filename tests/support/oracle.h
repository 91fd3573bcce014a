/* oracle.h: recurrent networks in double precision, straight from PyTorch's documentation.
 *
 * Shares no code and no structure with the compiler, the generated C or the runtime's kernels: it
 * keeps the state as h[layer][direction][batch][unit], walks one sequence of one layer at a time
 * and sums every product in index order. */
#ifndef TEST_ORACLE_H
#define TEST_ORACLE_H

#include "../../runtime/rnnc.h"

/* All of one forward pass. Layouts as of rnnc_call; weights in state_dict order. h0, c0 may be NULL
 * (zero), hn and cn too (not wanted). Aborts when memory runs out. */
void oracle_forward(const rnnc_config *config, const float *const weight[], size_t seq_len,
                    size_t batch, const float *x, const float *h0, const float *c0, double *y,
                    double *hn, double *cn);

/* The same from inputs in double, for a stack behind other layers. */
void oracle_stack(const rnnc_config *config, const float *const weight[], size_t seq_len,
                  size_t batch, const double *x, const float *h0, const float *c0, double *y,
                  double *hn, double *cn);

/* The activation of a layer on one vector of its outputs. */
void oracle_activation(const rnnc_layer *layer, const float *weights, double *y);

/* A dense layer on one vector: torch.nn.Linear and the activation. weight (outputs, inputs), bias
 * (outputs) or NULL. */
void oracle_dense(const rnnc_layer *layer, const float *weight, const float *bias, const double *x,
                  double *y);

#endif
