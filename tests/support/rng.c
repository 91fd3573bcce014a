#include "rng.h"

uint64_t rng_next(rng *r) {
    uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

size_t rng_below(rng *r, size_t n) { return (size_t)(rng_next(r) % n); }

float rng_float(rng *r, float scale) {
    const double unit = (double)(rng_next(r) >> 40) / 8388608.0 - 1.0;
    return (float)(unit * (double)scale);
}

void rng_fill(rng *r, float *out, size_t n, float scale) {
    for (size_t i = 0; i < n; i++)
        out[i] = rng_float(r, scale);
}
