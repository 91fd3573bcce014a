/* isolated_run.h: a call of generated code in a process of its own, so that whatever it does is
 * only seen.
 */
#ifndef RNNC_ISOLATED_RUN_H
#define RNNC_ISOLATED_RUN_H

#include "guard.h"
#include "rnnc.h"

enum { ISOLATED_MESSAGE = 1024 };

/* Buffers as in rnnc_call, all within guards; those that the call does not have are empty (data
 * NULL). The run protects inputs and fills outputs. */
typedef struct isolated_run {
    const char *library;         /* path of the shared library; contains a '/' */
    const char *symbol;          /* "NAME_model" */
    const rnnc_network *network; /* which the model must have */
    const float *const *tensors;
    size_t seq_len, batch;
    size_t call_len, call_batch;      /* of one call; if less, there are several, see below */
    guard x, tokens, lengths, h0, c0; /* x or tokens; lengths of size_t */
    guard y, hn, cn;
    int seconds; /* after which it is given up */
} isolated_run;

/* The call with these buffers, without weights and workspace. */
rnnc_call isolated_call(const isolated_run *t);

/* Calls of call_len steps and call_batch sequences, which divide seq_len and batch, one after the
 * other: each starts from the states that the one before left, and y, hn and cn are as of one call
 * of all (y of a network that gives one output for a sequence: that of the last call).
 *
 * 0, or -1 with what happened: the library cannot be loaded, the model is another, forward fails,
 * crashes, takes too long, writes where it must not, or gives other bits with a team of threads. */
int run_isolated(isolated_run *t, char message[ISOLATED_MESSAGE]);

/* For run_isolated, in the child: one call with the run's buffers, and all calls of one that takes
 * several. packed: the model's weights, or NULL. */
int isolated_call_once(isolated_run *t, const rnnc_model *model, const float *packed,
                       char message[ISOLATED_MESSAGE]);
int isolated_call_pieces(isolated_run *t, const rnnc_model *model, const float *packed,
                         char message[ISOLATED_MESSAGE]);

/* 0, or -1 if a call has written in front of an output. */
int isolated_check_outputs(const isolated_run *t, char message[ISOLATED_MESSAGE]);

#endif
