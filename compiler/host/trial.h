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
    size_t call_len, call_batch;      /* of one call; if less, there are several, see below */
    fence x, tokens, lengths, h0, c0; /* x or tokens; lengths of size_t */
    fence y, hn, cn;
    int seconds; /* after which it is given up */
} trial;

/* The call with these buffers, without weights and workspace. */
rnnc_call trial_call(const trial *t);

/* Calls of call_len steps and call_batch sequences, which divide seq_len and batch, one after the
 * other: each starts from the states that the one before left, and y, hn and cn are as of one call
 * of all (y of a network that gives one output for a sequence: that of the last call).
 *
 * 0, or -1 with what happened: the library cannot be loaded, the model is another, forward fails,
 * crashes, takes too long, writes where it must not, or gives other bits with a team of threads. */
int trial_run(trial *t, char message[TRIAL_MESSAGE]);

/* For trial_run, in the child: one call with the trial's buffers, and all calls of one that takes
 * several. packed: the model's weights, or NULL. */
int trial_call_once(trial *t, const rnnc_model *model, const float *packed,
                    char message[TRIAL_MESSAGE]);
int trial_call_pieces(trial *t, const rnnc_model *model, const float *packed,
                      char message[TRIAL_MESSAGE]);

/* 0, or -1 if a call has written in front of an output. */
int trial_check_outputs(const trial *t, char message[TRIAL_MESSAGE]);

#endif
