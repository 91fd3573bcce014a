/* rng.h: reproducible random numbers. */
#ifndef RNNC_RNG_H
#define RNNC_RNG_H

#include <stdint.h>

/* The next number of the sequence, uniform in [-1, 1); any state is a seed. */
double rng_uniform(uint64_t *state);

/* The next number, uniform in 0 .. count - 1; count is far below 2^53. */
uint64_t rng_below(uint64_t *state, uint64_t count);

#endif
