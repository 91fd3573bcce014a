/* Streams ten steps through the network and prints the first values of its output. */
#include "counter.h"

#include <stdio.h>

int main(void) {
    counter_state state;
    counter_state_init(&state);
    float x[COUNTER_INPUT_SIZE], y[COUNTER_OUTPUT_SIZE];
    for (int t = 0; t < 10; t++) {
        for (int k = 0; k < COUNTER_INPUT_SIZE; k++)
            x[k] = k == t % COUNTER_INPUT_SIZE ? 1.0f : 0.0f;
        if (counter_step(&state, x, y) != RNNC_OK)
            return 1;
    }
    printf("%.4f %.4f %.4f\n", (double)y[0], (double)y[1], (double)y[2]);
    return 0;
}
