/* random_options.h: random specs over all options, for what every network must keep to. */
#ifndef TEST_RANDOM_OPTIONS_H
#define TEST_RANDOM_OPTIONS_H

#include "rng.h"
#include <stddef.h>

/* Writes `return model { name = "net", FIELDS ... }` with any of: batches, steps, threads, targets,
 * activations, lengths, layouts, cells, directions, projections, an embedding before, dense layers
 * behind, on all steps, the last one or the last states, all of x or some added to y. Each of
 * `fields` has a comma behind. 1024 bytes are enough. */
void random_options(rng *r, const char *fields, char *text, size_t room);

#endif
