/* candidate.h: what is timed by `rnnc bench`: a network on fixed inputs, in a process of its own
 * that answers on a socket. The lines are those of tests/bench/peers/README. */
#ifndef RNNC_CANDIDATE_H
#define RNNC_CANDIDATE_H

#include "rnnc.h"

/* A network, its inputs, and what should come out. All buffers as in rnnc_call. */
typedef struct problem {
    const rnnc_network *network;
    const float *const *tensors;
    size_t seq_len, batch;
    size_t x_count, y_count, h_count, c_count; /* values; 0: the network has none */
    float *x;
    int32_t *tokens;     /* instead of x, x_count of them, or NULL */
    double *y, *hn, *cn; /* from rnnc_reference_forward */
    double *spread[3]; /* how far rounding moves these, once it is asked for; see conditioning.h */
} problem;

/* Generated code if `library` (a path with a '/') is there, else the generic network on `blas`
 * ("builtin" or "openblas"). */
typedef struct candidate {
    const problem *problem;
    const char *library, *symbol; /* "NAME_model" */
    int altered;                  /* 1: what it computes differs on purpose, its buffers do not */
    const char *blas;
    size_t threads;  /* 2 or more: generated code with a team of them, */
    const int *cpus; /* each member on a CPU of its own, the first on that of this process */
} candidate;

/* A runner_child: prepares the network, says "hello" or "absent WHY", then answers
 *   run FILE    one call on outputs filled with NaN; y, hn and cn as floats into FILE; "done", or
 *               "wrong WHY": a team has to give the bits that the same code gives without
 *   latency    that of the team, in nanoseconds
 *   time N      the seconds that N calls take
 * until the socket ends. */
void candidate_serve(void *a_candidate, int socket);

#endif
