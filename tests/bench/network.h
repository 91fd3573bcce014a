/* network.h: generated networks in shared libraries, on random weights and inputs. */
#ifndef BENCH_NETWORK_H
#define BENCH_NETWORK_H

#include <dlfcn.h>
#include <string.h>

#include "turns.h"

/* The symbol of a library that is a path with a '/'. */
static void *symbol_of(const char *library, const char *symbol) {
    void *const handle = dlopen(library, RTLD_NOW);
    void *const found = handle ? dlsym(handle, symbol) : NULL;
    if (!found)
        fail(dlerror());
    return found;
}

static float *aligned_floats(size_t count) {
    float *const values = aligned_alloc(64, (count * sizeof *values + 64) / 64 * 64);
    if (!values)
        fail("out of memory");
    return values;
}

/* The tensors of a network whose first layer is a recurrent one, as PyTorch draws them. */
static const float **random_tensors(const rnnc_model *model) {
    const float scale = 1 / sqrtf((float)model->network.layer[0].recurrent.hidden_size);
    const float **const tensors = malloc(model->weight_count * sizeof *tensors);
    if (!tensors)
        fail("out of memory");
    for (size_t i = 0; i < model->weight_count; i++) {
        const rnnc_weight *const w = &model->weight[i];
        tensors[i] = random_floats(w->rows * (w->cols ? w->cols : 1), scale);
    }
    return tensors;
}

static float *packed_weights(const rnnc_model *model, const float *const *tensors) {
    float *const packed = aligned_floats(model->packed_count);
    if (rnnc_model_pack(model, tensors, packed) != RNNC_OK)
        fail("the weights cannot be packed");
    return packed;
}

/* A call of T steps of B sequences from a zero state; y holds T * batch * output floats. */
static rnnc_call call_of(const rnnc_model *model, const float *const *tensors, const float *x,
                         size_t T, size_t B) {
    return (rnnc_call){.weights = packed_weights(model, tensors),
                       .seq_len = T,
                       .batch = B,
                       .x = x,
                       .y = aligned_floats(T * B * model->output),
                       .workspace =
                           aligned_floats(model->workspace_size(T, B) / sizeof(float) + 1)};
}

#endif
