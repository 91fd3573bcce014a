/* What the network learns: to keep a running sum of what comes in on one line, less what came in a
 * step before on another, of twenty. */
#ifndef TASK_H
#define TASK_H

#include <stddef.h>
#include <stdint.h>

enum { T = 25, B = 32, I = 20 };

/* In (-1, 1), from the state of a generator (xorshift, Marsaglia 2003). */
static inline float task_draw(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (float)((double)(*state >> 11) * 0x1p-52 - 1);
}

/* The loader: batch number `number` of the data, x (T, B, I) and target (T, B, 1), the same for the
 * same number. */
static inline void task_batch(uint64_t number, float x[T][B][I], float target[T][B]) {
    uint64_t state = number * 0x9E3779B97F4A7C15u | 1;
    for (int i = 0; i < 8; i++)
        task_draw(&state);
    for (int t = 0; t < T; t++)
        for (int b = 0; b < B; b++) {
            for (int i = 0; i < I; i++)
                x[t][b][i] = task_draw(&state);
            const float before = t > 0 ? x[t - 1][b][1] : 0, sum = t > 0 ? target[t - 1][b] : 0;
            target[t][b] = 0.8f * sum + 0.4f * (x[t][b][0] - before);
        }
}

enum { HELD_OUT = 1000000 }; /* batches from this number on are for evaluation */

#endif
