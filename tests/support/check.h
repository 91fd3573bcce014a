/* check.h: calls a generated network in ways that show what it must not do, and compares. */
#ifndef TEST_CHECK_H
#define TEST_CHECK_H

#include "guard.h"
#include "problem.h"
#include <stdbool.h>
#include <stddef.h>

/* What compares to what. A value agrees when !(|got - want| <= tolerance) is false; where `want` is
 * NaN or infinite, `got` must be the same. `dims` and `axes` name the coordinates of an element. */
typedef struct comparison {
    const char *what; /* "y" */
    const char *axes; /* "tbu": one letter for each of 3 dimensions */
    size_t dims[3];
    double tolerance;
} comparison;

/* The whole buffer. On failure the message has the first bad element's coordinates, both values,
 * how many elements are bad and the largest error. */
bool compare(const comparison *c, const float *got, const double *want, rnnc_error *err);

/* Largest absolute difference; infinity where one is NaN. */
double max_error(const float *got, const double *want, size_t n);

/* How the buffers of a call are laid out. */
typedef struct variation {
    size_t misalign;        /* bytes by which the workspace misses the alignment it would have */
    bool without_hn;        /* hn = NULL */
    bool without_cn;        /* cn = NULL */
    bool in_place;          /* hn = h0 and cn = c0 (needs them) */
    bool zero_h0;           /* buffers of zeros when the problem has no h0 and c0 */
    bool full_lengths;      /* lengths of T when the problem has none; ignored without `lengths` */
    bool garbage_workspace; /* large numbers instead of NaN */
    const rnnc_team *team;  /* that the call is given */
} variation;

/* Runs `model` once on the problem in guarded buffers: read-only x, h0, c0, lengths and weights; y,
 * hn and cn prefilled with NaN, a workspace of exactly the stated size filled with NaN. `packed`
 * are the packed weights, NULL if they are built in. Checks the status, all of y, hn and cn against
 * the answers to `tolerance` (y beyond a length is 0 exactly), and the guards. If y_out is not
 * NULL, y, hn and cn are copied there, one behind the other, and NaN for what was not asked for. */
bool check_network(const rnnc_model *model, const float *packed, const problem *p,
                   const variation *v, double tolerance, float *y_out, rnnc_error *err);

/* The same with a battery of variations: plain, odd alignments, garbage, without hn, without cn, in
 * place, zero h0 against NULL, lengths of T against NULL, and with teams if the model has threads.
 * All results must be equal bit for bit. */
bool check_network_all_ways(const rnnc_model *model, const float *packed, const problem *p,
                            double tolerance, rnnc_error *err);

/* Does the model describe the problem: sizes, weights' names and shapes, ABI? */
bool check_description(const rnnc_model *model, const problem *p, rnnc_error *err);

/* The model's packed weights by its own steps, or NULL if they are built in; the caller frees. */
float *pack_weights(const rnnc_model *model, const problem *p);

#endif
