/* activations.c EXACT.so FAST.so T: the same network with activation = "exact" and "fast", on the
 * same weights and inputs. They take turns in short rounds, so that a change of the machine's speed
 * meets both alike; prints the minimum of each in microseconds, their ratio, and how far apart y
 * is. */
#define _POSIX_C_SOURCE 200809L
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "rnnc.h"

enum { ROUNDS = 201 };

static const double round_seconds = 0.001;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void fail(const char *what) {
    fprintf(stderr, "activations: %s\n", what);
    exit(2);
}

static void *allocate(size_t size) {
    void *const memory = aligned_alloc(64, (size + 64) / 64 * 64);
    if (!memory)
        fail("out of memory");
    return memory;
}

/* n floats uniform in [-k, k), from a linear congruential generator. */
static float *random_floats(size_t n, float k) {
    static uint32_t state = 1;
    float *const values = allocate(n * sizeof *values);
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = (float)((state >> 8) * (2.0 / 16777216.0) - 1.0) * k;
    }
    return values;
}

/* Seconds of a call, over `calls` of them. */
static double measure(const rnnc_model *model, const rnnc_call *call, size_t calls) {
    const double begin = now();
    for (size_t i = 0; i < calls; i++)
        if (model->forward(call) != RNNC_OK)
            fail("the network fails");
    return (now() - begin) / (double)calls;
}

int main(int argc, char **argv) {
    if (argc != 4)
        fail("usage: activations EXACT.so FAST.so T");
    const rnnc_model *model[2];
    for (int i = 0; i < 2; i++) {
        void *const library = dlopen(argv[1 + i], RTLD_NOW);
        model[i] = library ? dlsym(library, "net_model") : NULL;
        if (!model[i])
            fail(dlerror());
    }
    const size_t T = (size_t)strtoul(argv[3], NULL, 10), B = model[0]->batch;
    const size_t hidden = model[0]->network.layer->recurrent.hidden_size;
    const size_t inputs = model[0]->network.layer->recurrent.input_size;
    const float **const tensors = allocate(model[0]->weight_count * sizeof *tensors);
    for (size_t i = 0; i < model[0]->weight_count; i++) {
        const size_t cols = model[0]->weight[i].cols ? model[0]->weight[i].cols : 1;
        tensors[i] = random_floats(model[0]->weight[i].rows * cols, 1 / sqrtf((float)hidden));
    }
    const float *const x = random_floats(T * B * inputs, 1);
    const size_t outputs = T * B * model[0]->output;
    rnnc_call call[2];
    double best[2];
    size_t calls[2];
    for (int i = 0; i < 2; i++) {
        float *const packed = allocate(model[i]->packed_count * sizeof *packed);
        if (rnnc_model_pack(model[i], tensors, packed) != RNNC_OK)
            fail("the weights cannot be packed");
        call[i] = (rnnc_call){.weights = packed,
                              .seq_len = T,
                              .batch = B,
                              .x = x,
                              .y = allocate(outputs * sizeof(float)),
                              .workspace = allocate(model[i]->workspace_size(T, B))};
        measure(model[i], &call[i], 1);
        calls[i] = 1 + (size_t)(round_seconds / measure(model[i], &call[i], 1));
        best[i] = INFINITY;
    }
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < 2; i++)
            best[i] = fmin(best[i], measure(model[i], &call[i], calls[i]));
    double apart = 0;
    for (size_t i = 0; i < outputs; i++)
        apart = fmax(apart, fabs((double)call[0].y[i] - call[1].y[i]));
    printf(" %10.3f %10.3f %7.2f %9.1e\n", best[0] * 1e6, best[1] * 1e6, best[0] / best[1], apart);
    return 0;
}
