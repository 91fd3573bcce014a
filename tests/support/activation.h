/* activation.h: what a dense layer may have behind its product, from PyTorch's documentation alone.
 */
#ifndef TEST_ACTIVATION_H
#define TEST_ACTIVATION_H

#include "rng.h"

#include <rnnc.h>
#include <stdbool.h>

/* One value behind an activation with that alpha; not softmax and log_softmax. Aborts for those and
 * for one that there is not. */
double activation_of(rnnc_activation activation, double alpha, double v);

/* Has it an alpha? */
bool activation_has_alpha(rnnc_activation activation);

/* A random activation for the layer, and an alpha; softmax and log_softmax only if `rows`. */
void activation_choose(rnnc_layer *layer, bool rows, rng *r);

#endif
