/* random_spec.h: random recurrent networks of all sizes, with a problem for each. */
#ifndef TEST_RANDOM_SPEC_H
#define TEST_RANDOM_SPEC_H

#include "network.h"

/* The number of a spec makes all of it: sizes, options, weights and inputs. s.name and s.target are
 * to be set to name and target where it stands. */
typedef struct random_spec {
    spec s;
    problem p;
    char name[32];
    char target[32];
    rng r; /* for the sizes of further runs */
} random_spec;

/* The answers are not computed; problem_free(&one.p) frees it. */
random_spec random_spec_make(uint64_t number);

/* T and B that keep the oracle to some milliseconds. */
void random_spec_run(const rnnc_config *c, rng *r, size_t *seq_len, size_t *batch);

#endif
