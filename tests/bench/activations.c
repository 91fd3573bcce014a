/* activations.c EXACT.so FAST.so NONE.so T: the same network with activation = "exact", "fast" and
 * without functions, on the same weights and inputs. Prints the least time of the first two in
 * microseconds, their ratio, that of the first to the last, which faster functions cannot exceed,
 * and how far apart y is with the first two. */
#define _POSIX_C_SOURCE 200809L
#include "network.h"

enum { EXACT, FAST, NONE, ALL };

int main(int argc, char **argv) {
    if (argc != 2 + ALL)
        fail("usage: activations EXACT.so FAST.so NONE.so T");
    static candidate all[ALL];
    for (int i = 0; i < ALL; i++)
        all[i].model = symbol_of(argv[1 + i], "net_model");
    const size_t T = (size_t)strtoul(argv[1 + ALL], NULL, 10), rows = T * all[0].model->batch;
    const float *const *const tensors = random_tensors(all[0].model);
    const float *const x = random_floats(rows * all[0].model->input, 1);
    for (int i = 0; i < ALL; i++)
        all[i].call = call_of(all[i].model, tensors, x, T, all[i].model->batch);
    take_turns(all, ALL);
    double difference = 0;
    for (size_t i = 0; i < rows * all[0].model->output; i++)
        difference = fmax(difference, fabs((double)all[EXACT].call.y[i] - all[FAST].call.y[i]));
    printf(" %10.3f %10.3f %7.2f %8.2f %9.1e\n", 1e6 * all[EXACT].least, 1e6 * all[FAST].least,
           all[EXACT].least / all[FAST].least, all[EXACT].least / all[NONE].least, difference);
    return 0;
}
