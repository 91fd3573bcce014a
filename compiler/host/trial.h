/* trial.h: a call of generated code in a process of its own, so that whatever it does is only seen.
 */
#ifndef RNNC_TRIAL_H
#define RNNC_TRIAL_H

#include "fence.h"
#include "rnnc.h"

enum { TRIAL_MESSAGE = 1024 };

/* Buffers as in rnnc_call, all within fences; those that the call does not have are empty (data
 * NULL). The trial protects inputs and fills outputs. */
typedef struct trial {
    const char *library;         /* path of the shared library; contains a '/' */
    const char *symbol;          /* "NAME_model" */
    const rnnc_network *network; /* which the model must have */
    const float *const *tensors;
    size_t seq_len, batch;
    fence x, tokens, lengths, h0, c0; /* x or tokens; lengths of size_t */
    fence y, hn, cn;
    int seconds; /* after which it is given up */
} trial;

/* The call with these buffers, without weights and workspace. */
rnnc_call trial_call(const trial *t);

/* 0, or -1 with what happened: the library cannot be loaded, the model is another, forward fails,
 * crashes, takes too long, writes where it must not, or gives other bits with a team of threads. */
int trial_run(trial *t, char message[TRIAL_MESSAGE]);

#endif
