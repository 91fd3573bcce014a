/* driver.h: what drivers in C and C++ have in common. README describes the lines; a driver defines
 * the functions that are declared first. */
#ifndef DRIVER_H
#define DRIVER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CHAINS_MAX = 256, RNN_TANH = 0, RNN_RELU, LSTM, GRU };

/* Sizes, and per chain (layer * D + direction) the weights in PyTorch's layout. */
typedef struct problem {
    int cell, I, H, L, D, B, T, G;
    int inputs[CHAINS_MAX]; /* columns of weight_ih: I, or D*H */
    float *weight_ih[CHAINS_MAX], *weight_hh[CHAINS_MAX], *bias_ih[CHAINS_MAX],
        *bias_hh[CHAINS_MAX];
    float *x;      /* (T, B, I) */
    float *y, *hn; /* outputs, for drivers that can write there; see driver_outputs */
} problem;

/* "NAME VERSION", or NULL with the reason in *why. */
static const char *driver_name(const char **why);

/* The name of variant v, or NULL if there are no more. */
static const char *driver_variant(int v);

/* Prepares variant v; the driver is asked once. NULL, or why it cannot be. */
static const char *driver_open(problem *p, int v);

/* One call: all steps from a zero state, all of y and hn. */
static void driver_forward(void);

/* Where driver_forward leaves its outputs. */
static float *driver_y(void);
static float *driver_hn(void);

static size_t y_count(const problem *p) { return (size_t)p->T * p->B * p->D * p->H; }
static size_t hn_count(const problem *p) { return (size_t)p->L * p->D * p->B * p->H; }

static double driver_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float *driver_floats(size_t count) {
    void *memory = NULL;
    if (posix_memalign(&memory, 64, (count + 16) * sizeof(float)) != 0)
        exit(1);
    return (float *)memory;
}

static float *driver_read(FILE *file, size_t count) {
    float *const values = driver_floats(count);
    if (fread(values, sizeof *values, count, file) != count)
        exit(1);
    return values;
}

static void driver_load(problem *p, char **argv) {
    static const char *const cells[] = {"rnn_tanh", "rnn_relu", "lstm", "gru"};
    for (p->cell = 0; p->cell < GRU && strcmp(argv[1], cells[p->cell]) != 0;)
        p->cell++;
    p->G = p->cell == LSTM ? 4 : p->cell == GRU ? 3 : 1;
    int *const sizes[] = {&p->I, &p->H, &p->L, &p->D, &p->B, &p->T};
    for (int i = 0; i < 6; i++)
        *sizes[i] = atoi(argv[2 + i]);
    FILE *const file = fopen(argv[8], "rb");
    if (!file || p->L * p->D > CHAINS_MAX)
        exit(1);
    const size_t rows = (size_t)p->G * p->H;
    for (int q = 0; q < p->L * p->D; q++) {
        p->inputs[q] = q < p->D ? p->I : p->D * p->H;
        p->weight_ih[q] = driver_read(file, rows * p->inputs[q]);
        p->weight_hh[q] = driver_read(file, rows * p->H);
        p->bias_ih[q] = driver_read(file, rows);
        p->bias_hh[q] = driver_read(file, rows);
    }
    p->x = driver_read(file, (size_t)p->T * p->B * p->I);
    fclose(file);
    p->y = driver_floats(y_count(p));
    p->hn = driver_floats(hn_count(p));
}

static void driver_run(const problem *p, const char *path) {
    memset(driver_y(), 0xff, y_count(p) * sizeof(float));
    memset(driver_hn(), 0xff, hn_count(p) * sizeof(float));
    driver_forward();
    FILE *const file = fopen(path, "wb");
    if (file) {
        fwrite(driver_y(), sizeof(float), y_count(p), file);
        fwrite(driver_hn(), sizeof(float), hn_count(p), file);
        fclose(file);
    }
    puts(file ? "done" : "wrong the outputs cannot be written");
}

static void driver_choose(problem *p, int v) {
    const char *const name = driver_variant(v);
    const char *const why = name ? driver_open(p, v) : NULL;
    if (!name)
        puts("none");
    else
        printf("%s %s\n", why ? "cannot" : "ready", why ? why : name);
}

int main(int argc, char **argv) {
    static problem p;
    char line[1024];
    const char *why = "";
    if (argc != 9)
        return 2;
    const char *const name = driver_name(&why);
    printf(name ? "hello %s\n" : "absent %s\n", name ? name : why);
    fflush(stdout);
    if (!name)
        return 0;
    driver_load(&p, argv);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "variant ", 8) == 0) {
            driver_choose(&p, atoi(line + 8));
        } else if (strncmp(line, "run ", 4) == 0) {
            driver_run(&p, line + 4);
        } else if (strncmp(line, "time ", 5) == 0) {
            const double begin = driver_now();
            for (long n = atol(line + 5); n > 0; n--)
                driver_forward();
            printf("%.9g\n", driver_now() - begin);
        }
        fflush(stdout);
    }
    /* Libraries with threads of their own are not asked to tidy up. */
    _exit(0);
}

#endif
