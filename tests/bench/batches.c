/* batches.c NAME STEPS ANY.so FIXED.so...: a network for any batch beside those for one batch each,
 * on the batch of each. */
#define _POSIX_C_SOURCE 200809L
#include "network.h"

int main(int argc, char **argv) {
    if (argc < 5)
        fail("usage: batches NAME STEPS ANY.so FIXED.so...");
    const size_t steps = strtoul(argv[2], NULL, 10);
    const rnnc_model *const any = symbol_of(argv[3], "net_model");
    const float *const *const tensors = random_tensors(any);
    for (int i = 4; i < argc; i++) {
        const rnnc_model *const fixed = symbol_of(argv[i], "net_model");
        const float *const x = random_floats(steps * fixed->batch * any->input, 1);
        static candidate all[2];
        for (size_t k = 0; k < 2; k++) {
            const rnnc_model *const m = k == 0 ? any : fixed;
            all[k].model = m;
            all[k].call = call_of(m, tensors, x, steps, fixed->batch);
        }
        take_turns(all, 2);
        printf("%-22s %6zu %10.2f %10.2f %8.2f\n", argv[1], fixed->batch, 1e6 * all[0].least,
               1e6 * all[1].least, all[0].least / all[1].least);
    }
    return 0;
}
