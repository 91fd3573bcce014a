/* conditioning.h: how far rounding alone moves what a network gives, and whether an error is more
 * than that. */
#ifndef RNNC_CONDITIONING_H
#define RNNC_CONDITIONING_H

#include "network.h"

enum { CONDITIONING_OUTPUTS = 3 }; /* y, hn, cn */

/* Into spread[k], for each value of an output, the largest distance from right[k], which
 * rnnc_reference_forward gave for this call: over runs whose weights are moved by half the distance
 * of neighbouring floats, up or down by chance, and one whose states are rounded to floats.
 * right[k] is NULL where the network has no such output. MEMORY, or what the reference says. */
rnnc_status conditioning_of(const rnnc_network *network, const network_weights *weights,
                            const rnnc_call *call, const size_t count[CONDITIONING_OUTPUTS],
                            double *const right[CONDITIONING_OUTPUTS],
                            double *const spread[CONDITIONING_OUTPUTS]);

/* Makes each step's spread of y, (steps, batch, row) or with batch_first (batch, steps, row), that
 * of all its values, and at least that of the step before: where rounding has once led astray,
 * nothing that comes later tells more. */
void conditioning_onwards(double *spread, size_t steps, size_t batch, size_t row, int batch_first);

/* The largest error of n values over what it may be: `least`, or `factor` times the largest spread
 * of its row of `row` values, if that is more. At most 1 is right; infinite where a value is NaN
 * and the reference is not. spread may be NULL. */
double conditioning_excess(size_t n, size_t row, const float *got, const double *reference,
                           const double *spread, double least, double factor);

#endif
