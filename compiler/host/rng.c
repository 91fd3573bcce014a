#include "rng.h"

/* splitmix64 (Steele, Lea, Flood 2014). */
double rng_uniform(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (double)(z >> 11) * 0x1p-52 - 1.0;
}

uint64_t rng_below(uint64_t *state, uint64_t count) {
    const uint64_t value = (uint64_t)((rng_uniform(state) + 1.0) / 2.0 * (double)count);
    return value < count ? value : count - 1;
}
