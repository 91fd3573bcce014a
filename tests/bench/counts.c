/* counts.c PLAIN.so COUNTED.so T: cycles of a call of T steps, as "cycles N", and then how often
 * each block of the counted network is executed in it, a number a line (see counts.lua). The same
 * network is in both libraries; the counted one is not timed. */
#define _POSIX_C_SOURCE 200809L
#include "network.h"

#include <stdint.h>

typedef struct counters {
    const volatile uint64_t *count;
    uint64_t blocks;
} counters;

/* Additions that wait for each other take a cycle each. */
static double cycles_per_second(void) {
    enum { ADDITIONS = 1000000, TRIES = 50 };
    double best = 0;
    for (int try = 0; try < TRIES; try++) {
        uint64_t sum = 1, term = 3;
        __asm__ volatile("" : "+r"(term));
        const double begin = now();
        for (int i = 0; i < ADDITIONS; i += 8)
            for (int j = 0; j < 8; j++) {
                sum += term;
                __asm__ volatile("" : "+r"(sum));
            }
        best = fmax(best, ADDITIONS / (now() - begin));
    }
    return best;
}

int main(int argc, char **argv) {
    if (argc != 4)
        fail("usage: counts PLAIN.so COUNTED.so T");
    const size_t T = (size_t)strtoul(argv[3], NULL, 10);
    const rnnc_model *const model = symbol_of(argv[1], "net_model");
    const rnnc_model *const counted = symbol_of(argv[2], "net_model");
    const counters *const c = symbol_of(argv[2], "rnnc_counters");
    const float *const *const tensors = random_tensors(model);
    const float *const x = random_floats(T * model->batch * model->input, 1);
    candidate one = {.model = model, .call = call_of(model, tensors, x, T, model->batch)};
    take_turns(&one, 1);
    printf("cycles %.0f\n", one.least * cycles_per_second());
    const rnnc_call call = call_of(counted, tensors, x, T, counted->batch);
    uint64_t *const before = malloc(c->blocks * sizeof *before);
    if (!before || counted->forward(&call) != RNNC_OK)
        fail("a call fails");
    for (uint64_t i = 0; i < c->blocks; i++)
        before[i] = c->count[i];
    if (counted->forward(&call) != RNNC_OK ||
        memcmp(call.y, one.call.y, T * model->batch * model->output * sizeof(float)) != 0)
        fail("the counted network computes something else");
    for (uint64_t i = 0; i < c->blocks; i++)
        printf("%llu\n", (unsigned long long)(c->count[i] - before[i]));
    free(before);
    return 0;
}
