/* bench.c: time per digit of the generated code beside that of the runtime's generic network, which
 * takes any sizes and does its products by BLAS. All of them in turn, many times over, so that a
 * change of the machine's speed meets each alike. */
#define _POSIX_C_SOURCE 200809L
#include "bench.h"

#include <time.h>

#include "check.h"
#include "digits.h"
#include "digits32.h"

enum { ROUNDS = 601, MAX_CONTENDERS = 6 };

/* Of each contender; less than a time slice, so that most rounds are not cut in two by another
 * process, and 0.36 to 0.72 s in all. */
static const double seconds_per_round = 0.0006;

typedef struct contender {
    const char *name;
    const rnnc_model *model; /* generated code, or NULL: the generic network on `blas` */
    const rnnc_blas *blas;
    rnnc_call call;
    size_t calls;         /* in one round */
    double times[ROUNDS]; /* seconds for one sequence */
} contender;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *allocate(size_t size) {
    void *memory = malloc(size);
    if (memory == NULL)
        check_status(RNNC_ERR_MEMORY, "timing");
    return memory;
}

static contender make_contender(const char *name, const rnnc_model *model, const rnnc_blas *blas,
                                size_t batch, const float *images, const float *prepared) {
    const rnnc_network *network = &digits_model.network;
    size_t workspace_size =
        model ? model->workspace_size(8, batch) : rnnc_generic_workspace_size(network, 8, batch);
    contender made = {.name = name, .model = model, .blas = blas, .calls = 1};
    made.call = (rnnc_call){
        .weights = prepared, /* generated code has its own built in */
        .seq_len = 8,
        .batch = batch,
        .x = images,
        .y = allocate(batch * DIGITS_OUTPUT_SIZE * sizeof(float)),
        .workspace = allocate(workspace_size),
    };
    return made;
}

/* Seconds for one sequence, over `calls` calls. */
static double measure(const contender *c) {
    rnnc_status status = RNNC_OK;
    double begin = now();
    for (size_t i = 0; i < c->calls && status == RNNC_OK; i++)
        status = c->model ? c->model->forward(&c->call)
                          : rnnc_generic_forward(&digits_model.network, c->blas, &c->call);
    double seconds = now() - begin;
    check_status(status, c->name);
    return seconds / (double)(c->calls * c->call.batch);
}

/* Enough calls for a round, by doubling until they take as long. Warms the caches, too. */
static void calibrate(contender *c) {
    while (measure(c) * (double)(c->calls * c->call.batch) < seconds_per_round)
        c->calls *= 2;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A row for each contender. The ratio is to the specialised code of the same batch, which comes
 * before the others. */
static void print_table(const contender *contenders, size_t count) {
    double specialised = 0.0;
    printf("\nMicroseconds per digit, one thread, specialised for %s:\n\n"
           "                           median        min      ratio\n",
           digits_model.target);
    for (const contender *c = contenders; c < contenders + count; c++) {
        double median = c->times[ROUNDS / 2];
        if (c->model) {
            printf("  batch %zu\n", c->call.batch);
            specialised = median;
        }
        printf("    %-20s %8.3f   %8.3f   %8.2f\n", c->name, 1e6 * median, 1e6 * c->times[0],
               median / specialised);
    }
}

/* The weights as the generic network wants them, to be freed by the caller. */
static float *prepare(const char *path) {
    const rnnc_network *network = &digits_model.network;
    rnnc_error error;
    rnnc_safetensors *file;
    const float **tensors;
    check(rnnc_safetensors_open(path, &file, &error), &error);
    check(rnnc_weights_load(digits_model.weight_count, digits_model.weight, NULL, file, &tensors,
                            &error),
          &error);
    float *prepared = allocate(rnnc_generic_prepared_count(network) * sizeof *prepared);
    check_status(rnnc_generic_prepare(network, tensors, prepared), "rnnc_generic_prepare");
    rnnc_weights_free(tensors);
    rnnc_safetensors_close(file);
    return prepared;
}

void bench(const char *path, const float *images) {
    float *prepared = prepare(path);
    rnnc_error error;

    const rnnc_blas *openblas = rnnc_blas_openblas(&error);
    static contender contenders[MAX_CONTENDERS];
    size_t count = 0;
    const rnnc_model *models[] = {&digits_model, &digits32_model};
    for (size_t m = 0; m < 2; m++) {
        size_t batch = models[m]->batch;
        contenders[count++] =
            make_contender("specialised", models[m], NULL, batch, images, prepared);
        if (openblas)
            contenders[count++] =
                make_contender("generic (OpenBLAS)", NULL, openblas, batch, images, prepared);
        contenders[count++] = make_contender("generic (built-in)", NULL, rnnc_blas_builtin(), batch,
                                             images, prepared);
    }

    for (size_t i = 0; i < count; i++)
        calibrate(&contenders[i]);
    for (size_t round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < count; i++) {
            contender *c = &contenders[(i + round) % count]; /* each is first in its turn */
            c->times[round] = measure(c);
        }
    for (size_t i = 0; i < count; i++)
        qsort(contenders[i].times, ROUNDS, sizeof(double), by_value);

    print_table(contenders, count);
    if (!openblas)
        printf("\n  OpenBLAS is left out: %s\n", error.message);

    for (size_t i = 0; i < count; i++) {
        free(contenders[i].call.y);
        free(contenders[i].call.workspace);
    }
    free(prepared);
}
