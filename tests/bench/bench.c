/* bench.c MODEL.so T: a generated network beside the generic ones on the same weights and inputs.
 * All contenders are checked against double precision, then take turns in short rounds, so that a
 * change of the machine's speed meets each alike; medians and minima are printed. */
#define _POSIX_C_SOURCE 200809L
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rnnc.h"

enum { ROUNDS = 101, MOST = 3 };

static const double round_seconds = 0.002;
static const double tolerance = 1e-4;

typedef struct contender {
    const char *name;
    const rnnc_model *model; /* NULL: generic on `blas` */
    const rnnc_config *config;
    const rnnc_blas *blas;
    rnnc_call call;
    size_t calls; /* in a round */
    double error, times[ROUNDS];
} contender;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void fail(const char *what) {
    fprintf(stderr, "bench: %s\n", what);
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

static void run(const contender *c) {
    const rnnc_status status =
        c->model ? c->model->forward(&c->call) : rnnc_generic_forward(c->config, c->blas, &c->call);
    if (status != RNNC_OK)
        fail(rnnc_status_message(status));
}

static double measure(const contender *c) {
    const double begin = now();
    for (size_t i = 0; i < c->calls; i++)
        run(c);
    return (now() - begin) / (double)c->calls;
}

/* Largest error of y and hn against double precision; infinite if something is NaN. */
static double largest_error(const float *values, const double *expected, size_t n) {
    double worst = 0;
    for (size_t i = 0; i < n; i++) {
        const double error = fabs(values[i] - expected[i]);
        if (!(error <= worst))
            worst = error >= 0 ? error : INFINITY;
    }
    return worst;
}

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Multiply-adds of one call. */
static double work(const rnnc_config *c, size_t seq_len, size_t batch) {
    const double d = c->bidirectional ? 2 : 1, h = (double)c->hidden_size;
    const double upper = (double)(c->num_layers - 1) * (d * h + h);
    const double gates = (double)rnnc_config_gates(c);
    return d * gates * h * ((double)c->input_size + h + upper) * (double)(seq_len * batch);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--header") == 0) {
        printf("%-30s  %-20s %10s %10s %7s %9s %9s\n", "cell I H L D B T", "code", "median us",
               "min us", "ratio", "GFLOP/s", "max error");
        return 0;
    }
    if (argc != 3)
        fail("usage: bench MODEL.so T");
    void *const library = dlopen(argv[1], RTLD_NOW);
    const rnnc_model *const model = library ? dlsym(library, "net_model") : NULL;
    if (!model)
        fail(dlerror());
    const rnnc_config *const c = &model->config;
    const size_t T = (size_t)strtoul(argv[2], NULL, 10), B = model->batch;
    const size_t D = c->bidirectional ? 2 : 1, ny = T * B * D * c->hidden_size;
    const size_t nh = c->num_layers * D * B * c->hidden_size;

    const float **const tensors = allocate(model->weight_count * sizeof *tensors);
    for (size_t i = 0; i < model->weight_count; i++) {
        const size_t cols = model->weight[i].cols ? model->weight[i].cols : 1;
        tensors[i] = random_floats(model->weight[i].rows * cols, 1 / sqrtf((float)c->hidden_size));
    }
    float *const packed = allocate(model->packed_count * sizeof *packed);
    float *const prepared = allocate(rnnc_generic_prepared_count(c) * sizeof *prepared);
    if (rnnc_model_pack(model, tensors, packed) != RNNC_OK ||
        rnnc_generic_prepare(c, tensors, prepared) != RNNC_OK)
        fail("the weights cannot be packed");
    const float *const x = random_floats(T * B * c->input_size, 1);
    double *const y = allocate(ny * sizeof *y), *const hn = allocate(nh * sizeof *hn);
    double *const cn = c->cell == RNNC_LSTM ? allocate(nh * sizeof *cn) : NULL;
    if (rnnc_reference_forward(c, tensors, T, B, x, NULL, NULL, y, hn, cn) != RNNC_OK)
        fail("the reference fails");

    static contender all[MOST];
    size_t count = 0;
    all[count++] = (contender){.name = "specialised", .model = model};
    rnnc_error error;
    const rnnc_blas *const openblas = rnnc_blas_openblas(&error);
    if (openblas)
        all[count++] = (contender){.name = "generic (OpenBLAS)", .blas = openblas};
    all[count++] = (contender){.name = "generic (built-in)", .blas = rnnc_blas_builtin()};

    int status = 0;
    for (size_t i = 0; i < count; i++) {
        contender *const a = &all[i];
        const size_t space =
            a->model ? model->workspace_size(T, B) : rnnc_generic_workspace_size(c, T, B);
        a->config = c;
        a->calls = 1;
        a->call = (rnnc_call){.weights = a->model ? packed : prepared,
                              .seq_len = T,
                              .batch = B,
                              .x = x,
                              .y = allocate(ny * sizeof(float)),
                              .hn = allocate(nh * sizeof(float)),
                              .cn = cn ? allocate(nh * sizeof(float)) : NULL,
                              .workspace = allocate(space)};
        memset(a->call.y, 0xff, ny * sizeof(float));
        memset(a->call.hn, 0xff, nh * sizeof(float));
        run(a);
        a->error = fmax(largest_error(a->call.y, y, ny), largest_error(a->call.hn, hn, nh));
        if (!(a->error <= tolerance))
            status = 1;
        while (measure(a) * (double)a->calls < round_seconds)
            a->calls *= 2;
    }
    for (size_t round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < count; i++) {
            contender *const a = &all[(i + round) % count];
            a->times[round] = measure(a);
        }
    static const char *const cells[] = {"rnn_tanh", "rnn_relu", "lstm", "gru"};
    char problem[128];
    snprintf(problem, sizeof problem, "%s %zu %zu %zu %zu %zu %zu", cells[c->cell], c->input_size,
             c->hidden_size, c->num_layers, D, B, T);
    for (size_t i = 0; i < count; i++) {
        contender *const a = &all[i];
        qsort(a->times, ROUNDS, sizeof *a->times, by_value);
        const double median = a->times[ROUNDS / 2];
        if (!(a->error <= tolerance))
            printf("%-30s  %-20s wrong: max error %.1e\n", i ? "" : problem, a->name, a->error);
        else
            printf("%-30s  %-20s %10.2f %10.2f %7.2f %9.1f %9.1e\n", i ? "" : problem, a->name,
                   1e6 * median, 1e6 * a->times[0], median / all[0].times[ROUNDS / 2],
                   2e-9 * work(c, T, B) / median, a->error);
    }
    return status;
}
