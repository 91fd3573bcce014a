/* activations.c EXACT.so FAST.so T: the same network with activation = "exact" and "fast", on the
 * same weights and inputs. Prints the least time of each in microseconds, their ratio, and how far
 * apart y is. */
#define _POSIX_C_SOURCE 200809L
#include "network.h"

int main(int argc, char **argv) {
    if (argc != 4)
        fail("usage: activations EXACT.so FAST.so T");
    static contender all[2];
    for (int i = 0; i < 2; i++)
        all[i].model = symbol_of(argv[1 + i], "net_model");
    const size_t T = (size_t)strtoul(argv[3], NULL, 10), rows = T * all[0].model->batch;
    const float *const *const tensors = random_tensors(all[0].model);
    const float *const x = random_floats(rows * all[0].model->input, 1);
    for (int i = 0; i < 2; i++)
        all[i].call = call_of(all[i].model, tensors, x, T);
    take_turns(all, 2);
    double apart = 0;
    for (size_t i = 0; i < rows * all[0].model->output; i++)
        apart = fmax(apart, fabs((double)all[0].call.y[i] - all[1].call.y[i]));
    printf(" %10.3f %10.3f %7.2f %9.1e\n", 1e6 * all[0].least, 1e6 * all[1].least,
           all[0].least / all[1].least, apart);
    return 0;
}
