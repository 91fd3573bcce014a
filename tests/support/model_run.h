/* model_run.h: calls a generated model in guarded buffers, and compares. */
#ifndef TEST_MODEL_RUN_H
#define TEST_MODEL_RUN_H

#include "model.h"
#include <stddef.h>

/* y, hn and cn of a call, one behind the other from y on; hn and cn NULL if there are no such
 * states. Freed by results_free. */
typedef struct model_results {
    float *y, *hn, *cn;
    size_t count;
} model_results;

/* All NaN, or the start of a stream: hn and cn are h0 and c0 (0 without). */
model_results results_make(const model *m);
void results_start(const model_results *r, const model *m);
void results_free(model_results *r);
bool results_same(const model_results *a, const model_results *b);

/* Which function is called, and what is unusual about the call. */
typedef struct model_way {
    bool by_runtime;   /* rnnc_model_forward instead of the model's own function */
    size_t misalign;   /* bytes by which the workspace misses the alignment it would have */
    bool garbage;      /* in the workspace, instead of NaN */
    bool in_place;     /* hn = h0 and cn = c0 (zeros without) */
    bool without_ends; /* hn = cn = NULL */
    bool full_lengths; /* lengths of T, if the model takes lengths and none are set */
} model_way;

/* One call with read-only inputs, outputs of NaN and guards around everything. False if it returns
 * an error, or if guards were written. Results that were not asked for are NaN. */
bool model_run(const rnnc_model *net, const float *packed, const model *m, const model_way *way,
               const model_results *to, rnnc_error *err);

/* All results against the answers; y beyond a length must be 0 exactly. */
bool model_compare(const model *m, const model_results *got, double tolerance, rnnc_error *err);

/* The plain call against the answers, and all other ways to call: the same bits. */
bool model_run_all_ways(const rnnc_model *net, const float *packed, const model *m,
                        double tolerance, rnnc_error *err);

/* Does the descriptor say what the model is? */
bool model_described(const rnnc_model *net, const model *m, rnnc_error *err);

/* The packed weights by the descriptor's own steps, or NULL if they are built in; to be freed. */
float *model_pack(const rnnc_model *net, const model *m);

#endif
