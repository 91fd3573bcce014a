/* activation.h: what dense and recurrent layers may have behind their products, from the
 * documentation of PyTorch and ONNX alone. */
#ifndef TEST_ACTIVATION_H
#define TEST_ACTIVATION_H

#include "rng.h"

#include <rnnc.h>
#include <stdbool.h>
#include <stdio.h>

/* One value behind a function; not softmax and log_softmax. Aborts for those and for one that there
 * is not. */
double activation_of(rnnc_function function, double v);

/* The same of a layer's activation. */
double activation_of_layer(const rnnc_layer *layer, double v);

/* Has it a tensor with a weight for each unit? Of such the weight is the function's alpha. */
bool activation_has_weights(rnnc_activation activation);

/* One of them, for a layer ACTIVATION. */
void activation_choose_of_units(rnnc_layer *layer, rng *r);

/* Has it an alpha, a beta? */
bool activation_has_alpha(rnnc_activation activation);
bool activation_has_beta(rnnc_activation activation);

/* ", alpha = 0.2, beta = 0.5" of those that it has. */
void activation_put_numbers(FILE *out, const char *alpha, const char *beta, rnnc_function f);

/* What a recurrent layer makes of the sum of a gate, of that of its candidate, and of its cell
 * state on the way out. */
double activation_of_gate(const rnnc_config *config, double sum);
double activation_of_candidate(const rnnc_config *config, double sum);
double activation_of_state(const rnnc_config *config, double state);

/* Random functions and a clip for the layer, mostly those of PyTorch; gates stay within [-1/2, 1],
 * so that states do not grow, and rounding errors with them. */
void activation_choose_functions(rnnc_config *config, rng *r);

/* The fields of a spec that say so: ", clip = 2, gate_activation = ..."; "" for PyTorch's. */
void activation_put_functions(FILE *out, const rnnc_config *config);

/* A random activation for the layer, and an alpha; softmax and log_softmax only if `rows`. */
void activation_choose(rnnc_layer *layer, bool rows, rng *r);

#endif
