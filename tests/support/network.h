/* network.h: a spec made callable in one step, with a problem's weights. */
#ifndef TEST_NETWORK_H
#define TEST_NETWORK_H

#include "generate.h"
#include "problem.h"

typedef struct network {
    void *library;
    const rnnc_model *model;
    float *packed; /* the problem's weights, packed; NULL if they are built in */
} network;

/* Generates, compiles (cc NULL: the default; flags such as "-O1") and opens. The spec's `weights`
 * is ignored: with weights_as "c" the problem's weights are built in, otherwise they are packed by
 * the model's own steps. Leaves no files behind, whatever happens. */
bool network_open(network *n, const spec *s, const problem *p, const char *cc, const char *flags,
                  rnnc_error *err);

void network_close(network *n);

/* A spec for the problem's network in one target; sizes fixed to the problem's, or any. */
spec spec_for(const problem *p, const char *name, const char *target, bool fixed_seq_len,
              bool fixed_batch, const char *weights_as);

#endif
