/* turns.h: candidates that take turns in short rounds, so that a change of the machine's speed
 * meets each alike; the smallest and the median time of each. */
#ifndef BENCH_TURNS_H
#define BENCH_TURNS_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "rnnc.h"

enum { ROUNDS = 51 };

/* A round of a candidate takes about as many seconds. */
static const double round_seconds = 0.002;

typedef struct candidate {
    const rnnc_model *model;
    rnnc_call call;
    void (*before)(void); /* run before each call, or NULL */
    void (*after)(void);
    size_t calls;                        /* in a round */
    double times[ROUNDS], least, median; /* seconds of a call */
} candidate;

static void fail(const char *what) {
    fprintf(stderr, "bench: %s\n", what);
    exit(2);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* n floats uniform in [-k, k), from a linear congruential generator; 0 for k = 0. */
static float *random_floats(size_t n, float k) {
    static uint32_t state = 1;
    float *const values = malloc((n ? n : 1) * sizeof *values);
    if (!values)
        fail("out of memory");
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = (float)((state >> 8) * (2.0 / 16777216.0) - 1.0) * k;
    }
    return values;
}

static double measure(const candidate *c) {
    if (c->before)
        c->before();
    const double begin = now();
    for (size_t i = 0; i < c->calls; i++)
        if (c->model->forward(&c->call) != RNNC_OK)
            fail("a call fails");
    const double seconds = (now() - begin) / (double)c->calls;
    if (c->after)
        c->after();
    return seconds;
}

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void take_turns(candidate all[], size_t count) {
    for (size_t i = 0; i < count; i++) {
        all[i].calls = 1;
        while (measure(&all[i]) * (double)all[i].calls < round_seconds)
            all[i].calls *= 2;
    }
    for (size_t round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < count; i++) {
            candidate *const c = &all[(i + round) % count];
            c->times[round] = measure(c);
        }
    for (size_t i = 0; i < count; i++) {
        qsort(all[i].times, ROUNDS, sizeof *all[i].times, by_value);
        all[i].least = all[i].times[0];
        all[i].median = all[i].times[ROUNDS / 2];
    }
}

#endif
