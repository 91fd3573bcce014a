/* rng.h: seeded random numbers, the same on every machine.
 *
 * splitmix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014): any
 * seed is a good one, so a test may derive a stream from a spec's number alone. */
#ifndef TEST_RNG_H
#define TEST_RNG_H

#include <stddef.h>
#include <stdint.h>

typedef struct rng {
    uint64_t state;
} rng;

/* The next 64 bits. */
uint64_t rng_next(rng *r);

/* A number of 0 .. n-1; n must not be 0. */
size_t rng_below(rng *r, size_t n);

/* A number of [-scale, scale) on a grid of 2^-23 * scale. */
float rng_float(rng *r, float scale);

/* n such numbers. */
void rng_fill(rng *r, float *out, size_t n, float scale);

#endif
