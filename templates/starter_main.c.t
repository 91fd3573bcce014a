@ -- The main.c that `rnnc init --program` writes: one sequence through a network with batch 1.
@ assert(name and file)
/* Runs the network of @{file}: a sequence in, the outputs of its last step out. */
#include "@{name}.h"

#include <stdio.h>
#include <stdlib.h>

enum { STEPS = 10 };

int main(void) {
    static float x[STEPS][@{upper(name)}_INPUT_SIZE]; /* the input of each time step */
    static float y[STEPS][@{upper(name)}_OUTPUT_SIZE]; /* the output of each time step */

    /* Any input does to begin with. */
    for (int t = 0; t < STEPS; t++)
        for (int i = 0; i < @{upper(name)}_INPUT_SIZE; i++)
            x[t][i] = (float)((t + 1) * (i + 1) % 7) / 7.0f - 0.5f;

    /* NULL: the state before the first step is zero, and the one after the last is not wanted. */
    void *const workspace = malloc(@{name}_workspace_size(STEPS, 1));
    const rnnc_status status =
        workspace ? @{name}_forward(STEPS, x[0], NULL, y[0], NULL, workspace) : RNNC_ERR_MEMORY;
    free(workspace);
    if (status != RNNC_OK) {
        if (status == RNNC_ERR_TARGET)
            fprintf(stderr, "@{name}: this CPU lacks the vectors (%s) that the code is for; leave `target` out of "
                            "@{file}, and --target out of the command, and compile it again: then it runs "
                            "on every CPU\n", @{name}_model.target);
        else
            fprintf(stderr, "@{name}: forward fails with status %d, see rnnc_status in rnnc.h\n", (int)status);
        return 1;
    }
    printf("after %d steps:", STEPS);
    for (int i = 0; i < @{upper(name)}_OUTPUT_SIZE; i++)
        printf(" %.4f", (double)y[STEPS - 1][i]);
    printf("\n");
    return 0;
}
