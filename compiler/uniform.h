/* uniform.h: reproducible random numbers. */
#ifndef RNNC_UNIFORM_H
#define RNNC_UNIFORM_H

#include <stdint.h>

/* The next number of the sequence, uniform in [-1, 1); any state is a seed. */
double uniform(uint64_t *state);

#endif
