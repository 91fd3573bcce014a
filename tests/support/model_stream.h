/* model_stream.h: models that are generated with their driver, and what a stream promises, bit for
 * bit. */
#ifndef TEST_MODEL_STREAM_H
#define TEST_MODEL_STREAM_H

#include "driver.h"
#include "model_run.h"

/* Generates, compiles and opens "net" with these fields, without weights, and its driver; an
 * assertion of the test fails if that cannot be done. close_library closes it. */
void *model_library(const model *m, const char *fields, const driver_shape *shape);

/* The sequence in random pieces by forward (if `pieces`) and by single steps and blocks (if the
 * driver has them, blocks in place where sizes allow it, with guard bytes behind the state), each
 * from the states that the one before left, gives the bits of one call. For models without lengths,
 * of one direction, on every step. */
bool model_check_stream(const rnnc_model *net, const float *packed, const driver *d, bool pieces,
                        const model *m, rng *r, rnnc_error *err);

/* Each sequence of the batch gives the bits that it gives alone in `other`, which has the same
 * weights and runs batches of 1 of any length. */
bool model_check_alone(const rnnc_model *net, const rnnc_model *other, const float *packed,
                       const float *other_packed, const model *m, rnnc_error *err);

#endif
