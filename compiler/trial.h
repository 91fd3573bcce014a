/* trial.h: a call of generated code in a process of its own, so that whatever it does is only seen.
 */
#ifndef RNNC_TRIAL_H
#define RNNC_TRIAL_H

#include "fence.h"
#include "rnnc.h"

enum { TRIAL_MESSAGE = 1024 };

/* Buffers as in rnnc_call, all within fences; h0, c0 and cn are empty (data NULL) for none. The
 * trial protects x, h0 and c0 and fills y, hn and cn. */
typedef struct trial {
    const char *library; /* path of the shared library; contains a '/' */
    const char *symbol;  /* "NAME_model" */
    rnnc_config config;  /* which the model must have */
    const float *const *tensors;
    size_t seq_len, batch;
    fence x, h0, c0, y, hn, cn;
    int seconds; /* after which it is given up */
} trial;

/* 0, or -1 with what happened: the library cannot be loaded, the model is another, forward fails,
 * crashes, takes too long, or writes where it must not. */
int trial_run(trial *t, char message[TRIAL_MESSAGE]);

#endif
