#include "direct.h"
#include "generate.h"

#include <string.h>

/* dlsym gives an object pointer, which ISO C does not convert to a function's; POSIX promises that
 * the bytes are the same. */
#define CALL(type, ...)                                                                            \
    do {                                                                                           \
        type forward;                                                                              \
        memcpy(&forward, &symbol, sizeof forward);                                                 \
        return forward(__VA_ARGS__);                                                               \
    } while (0)

typedef rnnc_status (*fixed_forward)(const float *, const float *, float *, float *, void *);
typedef rnnc_status (*sized_forward)(size_t, const float *, const float *, float *, float *,
                                     void *);
typedef rnnc_status (*any_forward)(size_t, size_t, const float *, const float *, float *, float *,
                                   void *);
typedef rnnc_status (*weights_fixed_forward)(const float *, const float *, const float *, float *,
                                             float *, void *);
typedef rnnc_status (*weights_sized_forward)(const float *, size_t, const float *, const float *,
                                             float *, float *, void *);
typedef rnnc_status (*weights_any_forward)(const float *, size_t, size_t, const float *,
                                           const float *, float *, float *, void *);

rnnc_status call_directly(void *library, const rnnc_model *model, const rnnc_call *call) {
    void *const symbol = library_symbol(library, model->name, "_forward");
    if (!symbol)
        return RNNC_ERR_ARGUMENT;
    const bool any_seq = model->seq_len == 0, any_batch = model->batch == 0;
    const size_t size = any_seq ? call->seq_len : call->batch;
    if (model->built_in) {
        if (any_seq && any_batch)
            CALL(any_forward, call->seq_len, call->batch, call->x, call->h0, call->y, call->hn,
                 call->workspace);
        if (any_seq || any_batch)
            CALL(sized_forward, size, call->x, call->h0, call->y, call->hn, call->workspace);
        CALL(fixed_forward, call->x, call->h0, call->y, call->hn, call->workspace);
    }
    if (any_seq && any_batch)
        CALL(weights_any_forward, call->weights, call->seq_len, call->batch, call->x, call->h0,
             call->y, call->hn, call->workspace);
    if (any_seq || any_batch)
        CALL(weights_sized_forward, call->weights, size, call->x, call->h0, call->y, call->hn,
             call->workspace);
    CALL(weights_fixed_forward, call->weights, call->x, call->h0, call->y, call->hn,
         call->workspace);
}
