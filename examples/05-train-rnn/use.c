/* The trained network as code for inference, with its weights built in: on the held-out batches it
 * has the loss that training ended with. */
#include "task.h"
#include "trained.h"

#include <stdio.h>
#include <stdlib.h>

int main(void) {
    static float x[T][B][I], target[T][B], y[T][B];
    void *const workspace = malloc(trained_workspace_size(T, B));
    double sum = 0;
    for (uint64_t i = 0; i < 4; i++) {
        task_batch(HELD_OUT + i, x, target);
        if (!workspace ||
            trained_forward(T, &x[0][0][0], NULL, &y[0][0], NULL, workspace) != RNNC_OK)
            return 1;
        for (int t = 0; t < T; t++)
            for (int b = 0; b < B; b++)
                sum += (double)(y[t][b] - target[t][b]) * (double)(y[t][b] - target[t][b]);
    }
    free(workspace);
    printf("# the trained network on held-out batches: loss %.4f\n", sum / (4 * T * B));
    printf("the trained network runs, loss below 0.02: %s\n",
           sum / (4 * T * B) < 0.02 ? "yes" : "NO");
    return 0;
}
