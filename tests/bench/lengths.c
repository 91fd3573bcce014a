/* lengths.c NAME: sequences of 10 to 100 steps in a batch of 32, by NAME_forward_lengths: the time
 * should fall as the steps do, against the padding in the same network, and in one that was
 * generated without lengths, whose kernel may be another. */
#define _POSIX_C_SOURCE 200809L
#include "network.h"

extern const rnnc_model padding_model, lengths_model;

enum { BATCH = 32, STEPS = 100, SHORTEST = 10 };

int main(int argc, char **argv) {
    if (argc != 2)
        fail("usage: lengths NAME");
    const rnnc_model *const models[2] = {&padding_model, &lengths_model};
    const rnnc_config *const c = &models[0]->network.layer[0].recurrent;
    const float *const *const tensors = random_tensors(models[0]);
    size_t lengths[BATCH], valid = 0;
    uint32_t state = 7;
    for (size_t b = 0; b < BATCH; b++) {
        state = state * 1664525u + 1013904223u;
        lengths[b] = SHORTEST + (state >> 8) % (STEPS - SHORTEST + 1);
        valid += lengths[b];
    }
    const float *const x = random_floats(STEPS * BATCH * c->input_size, 1);
    const size_t states = c->num_layers * BATCH * c->hidden_size * (c->bidirectional ? 2 : 1);
    static candidate all[3];
    for (size_t i = 0; i < 3; i++) {
        const rnnc_model *const m = models[i > 0];
        all[i].model = m;
        all[i].call = call_of(m, tensors, x, STEPS, m->batch);
        all[i].call.lengths = i == 2 ? lengths : NULL;
        all[i].call.hn = random_floats(states, 0);
        all[i].call.cn = c->cell == RNNC_LSTM ? random_floats(states, 0) : NULL;
    }
    take_turns(all, 3);
    const double steps = (double)valid / (BATCH * STEPS), time = all[2].least / all[1].least;
    printf("%-20s %12.1f %12.1f %12.1f %8.2f %8.2f %10.2f\n", argv[1], 1e6 * all[0].least,
           1e6 * all[1].least, 1e6 * all[2].least, time, steps, all[2].least / all[0].least);
    return 0;
}
