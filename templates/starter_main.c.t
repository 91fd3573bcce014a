@ -- The main.c that `rnnc init --program` writes, see commands/program.lua.
@ assert(name and file)
@ local given, wanted = many and "sequences" or "a sequence", once and "its end" or "its last step"
/* Runs the network of @{file}: @{given} in, the outputs of @{many and "the first one at " or ""}@{wanted} out. */
#include "@{name}.h"

#include <stdio.h>
#include <stdlib.h>

enum { STEPS = @{steps}@{many and ", BATCH = " .. batch or ""} };

int main(void) {
@ if tokens then
    static int32_t tokens@{x_size}; /* the token of each time step */
@ else
    static float x@{x_size}; /* the input of each time step */
@ end
    static float y@{y_size}; /* the output of @{once and "the sequence" or "each time step"} */

    /* Any input does to begin with. */
    for (int t = 0; t < STEPS; t++)
@ local inner = "    "
@ if many then
@     inner = inner .. "    "
        for (int b = 0; b < BATCH; b++)
@ end
@ if tokens then
@{inner}    tokens@{x_at} = @{many and "(b + t)" or "t"} % @{upper}_VOCABULARY;
@ else
@{inner}    for (int i = 0; i < @{upper}_INPUT_SIZE; i++)
@{inner}        x@{x_at} = (float)((t + 1) * (i + @{many and "b + " or ""}1) % 7) / 7.0f - 0.5f;
@ end

@ if has_states then
@     local start = initial and "that of the weights" or "zero"
    /* NULL: the state before the first step is @{start}, and the one after the last is not wanted. */
@ end
    void *const workspace = malloc(@{name}_workspace_size(STEPS, @{many and "BATCH" or "1"}));
    const rnnc_status status =
        workspace ? @{name}_forward(@{arguments}) : RNNC_ERR_MEMORY;
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
    for (int i = 0; i < @{upper}_OUTPUT_SIZE; i++)
        printf(" %.4f", (double)y@{y_at});
    printf("\n");
    return 0;
}
