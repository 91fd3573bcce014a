@ -- NAME_train.h: what a program sees that trains the network.
@ -- facts: the parameters, states and shapes; head: the opening comment
@{head}
#ifndef @{name}_TRAIN_H
#define @{name}_TRAIN_H

#include <stddef.h>
#include <stdint.h>

#include "rnnc.h"

#ifdef __cplusplus
extern "C" {
#endif

@ local floats = facts.count
/* The parameters are one vector of floats: the tensors one after the other, each as PyTorch has it, row by row.
 * Their gradient is another one, and so is what an optimiser keeps of them. */
#define @{upper}_PARAMETERS @{floats} /* floats */
#define @{upper}_TENSORS @{#facts.parameters}

@ for _, p in ipairs(facts.parameters) do
 /* @{format("%8d", p.offset)}  @{p.name} (@{p.rows}@{p.cols > 0 and ", " .. p.cols or ""}) */
@ end

/* The tensors in the order of the vector, to load and save them by their names. */
typedef struct @{name}_tensor {
    const char *name;
    size_t offset;   /* of its first float in the vector */
    size_t rank;     /* 1 or 2 */
    size_t shape[2]; /* 1 behind a rank of 1 */
} @{name}_tensor;

extern const @{name}_tensor @{name}_tensors[@{upper}_TENSORS];

/* Bytes of the tape, and of the workspace that each call needs; 0: sizes that do not fit in memory, no steps, no
 * sequences, or sizes that are not those of the network. */
size_t @{name}_tape_size(size_t seq_len, size_t batch);
size_t @{name}_train_workspace_size(size_t seq_len, size_t batch);

@ local steps, sequences = fixed_seq_len and tostring(fixed_seq_len) or "seq_len", fixed_batch and tostring(fixed_batch) or "batch"
/* Runs the whole sequence and writes to the tape what @{name}_gradients reads.
 *   parameters  @{floats} floats
@ if facts.tokens then
 *   tokens      @{facts.shapes.tokens}, each 0 .. @{vocabulary - 1}
@ else
 *   x           @{facts.shapes.x}
@ end
@ if facts.lengths then
 *   lengths     (@{sequences}): steps of each sequence, 1 .. @{steps}; NULL: all. What stands beyond is not used, and y is 0 there
@ end
@ for _, state in ipairs(facts.states) do
 *   @{state.name}0          @{state.shape}: the state at the start; NULL: zero
@ end
 *   y           @{facts.shapes.y}; NULL: not wanted
@ for _, state in ipairs(facts.states) do
 *   @{state.name}n          as @{state.name}0: the state at the end; NULL: not wanted
@ end
 *   tape        @{name}_tape_size(@{steps}, @{sequences}) bytes, any alignment
 *   workspace   @{name}_train_workspace_size(@{steps}, @{sequences}) bytes, any alignment; nothing in it is kept
 * Nothing may overlap. RNNC_ERR_ARGUMENT: a null pointer, no steps, no sequences@{facts.tokens and ", a token outside its range" or ""}@{facts.lengths and ", a length outside its range" or ""};
 * RNNC_ERR_OVERFLOW: sizes that do not fit in memory. Nothing is written then.
 * Functions are exact ones, and no state is flushed to zero, whatever @{name}_forward does. */
rnnc_status @{name}_train_forward(@{forward_parameters});

/* The gradient of a loss by the parameters and inputs of the call that made the tape, given that by its outputs: the
 * whole vector-Jacobian product, backwards through time. Inputs are as in that call, the tape where it was.
 *   dy           as y: the gradient by y; NULL: zero
@ for _, state in ipairs(facts.states) do
 *   d@{state.name}n          as @{state.name}n: that by the state at the end; NULL: zero
@ end
 *   dparameters  @{floats} floats: the gradient by the parameters; NULL: not wanted
@ if not facts.tokens then
 *   dx           as x; NULL: not wanted@{facts.lengths and ". 0 beyond the lengths" or ""}
@ end
@ for _, state in ipairs(facts.states) do
 *   d@{state.name}0          as @{state.name}0: that by the state at the start; NULL: not wanted
@ end
 * To carry a state on to the next piece of a sequence and cut its gradient there, hand on hn and leave dhn out.
 * Errors as above, and RNNC_ERR_ARGUMENT for a tape that no call of these sizes has written. */
rnnc_status @{name}_gradients(@{backward_parameters});

#ifdef __cplusplus
}
#endif
#endif
