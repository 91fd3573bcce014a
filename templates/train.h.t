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

/* Each tensor: the offset of its first float, its name and shape.
@ for _, p in ipairs(facts.parameters) do
 * @{format("%8d", p.offset)}  @{p.shown} (@{p.rows}@{p.cols > 0 and ", " .. p.cols or ""})
@ end
 */

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

@ if facts.drops then
/* Dropout as it is while a network is trained: in each call a value that a layer hands on to the next one is 0 with the
 * probability of the specification, and the others are scaled by what makes up for it. The same seed and step drop the
 * same values, whatever the sizes of the call. */
typedef struct @{name}_dropout {
    uint64_t seed, step; /* step: 1, 2, ..., another one for each call */
} @{name}_dropout;

@ end
@ local steps = fixed_seq_len and tostring(fixed_seq_len) or "seq_len"
@ local sequences = fixed_batch and tostring(fixed_batch) or "batch"
/* Runs the whole sequence and writes to the tape what @{name}_gradients reads.
 *   parameters  @{floats} floats
@ if facts.tokens then
 *   tokens      @{facts.shapes.tokens}, each 0 .. @{vocabulary - 1}
@ else
 *   x           @{facts.shapes.x}
@ end
@ if facts.lengths then
 *   lengths     (@{sequences}): steps of each sequence, 1 .. @{steps}; NULL: all. What stands
 *               beyond is not used, and y is 0 there
@ end
@ for _, state in ipairs(facts.states) do
 *   @{state.name}0          @{state.shape}: the state at the start; NULL: zero
@ end
@ if facts.drops then
 *   dropout     what is dropped; NULL: nothing, as in a network that is evaluated
@ end
 *   y           @{facts.shapes.y}; NULL: not wanted
@ for _, state in ipairs(facts.states) do
 *   @{state.name}n          as @{state.name}0: the state at the end; NULL: not wanted
@ end
 *   tape        @{name}_tape_size(@{steps}, @{sequences}) bytes, any alignment
 *   workspace   @{name}_train_workspace_size(@{steps}, @{sequences}) bytes, any alignment; nothing in it is kept
@ local outside = (facts.tokens and ", a token outside its range" or "")
@     .. (facts.lengths and ", a length outside its range" or "")
@ local lacks = lacking[1] and format(" RNNC_ERR_TARGET: this CPU lacks %s.", lacking[1].target) or ""
 * Nothing may overlap. RNNC_ERR_ARGUMENT: a null pointer, no steps, no sequences@{outside};
 * RNNC_ERR_OVERFLOW: sizes that do not fit in memory.@{lacks} Nothing is written then.
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

/* Losses: a mean over `count` values of y, and its gradient by them in dy (NULL: not wanted), computed in double
 * precision. RNNC_ERR_ARGUMENT: a null pointer, no values.
 *   mse              the mean of (y - target)^2
 *   l1               of |y - target|
 *   huber            of (y - target)^2 / 2, beyond delta (above 0) of delta (|y - target| - delta / 2)
 *   bce_with_logits  of the cross entropy of sigmoid(y) and target, which is 0 .. 1
 *   esr              error to signal ratio of audio: the sum of (y - target)^2 by that of target^2 + epsilon */
rnnc_status @{name}_loss_mse(size_t count, const float *y, const float *target, double *loss, float *dy);
rnnc_status @{name}_loss_l1(size_t count, const float *y, const float *target, double *loss, float *dy);
rnnc_status @{name}_loss_huber(size_t count, const float *y, const float *target, double delta, double *loss,
    float *dy);
rnnc_status @{name}_loss_bce_with_logits(size_t count, const float *y, const float *target, double *loss, float *dy);
rnnc_status @{name}_loss_esr(size_t count, const float *y, const float *target, double epsilon, double *loss,
    float *dy);

/* The cross entropy of softmax(logits) and labels, as PyTorch's: logits (count, classes), before any softmax; labels
 * (count), each 0 .. classes - 1 or ignore_index, which has no part in the loss and no gradient (PyTorch's is -100);
 * class_weights (classes), or NULL: 1. The mean is by the weights of the labels; NaN if all are ignored.
 * RNNC_ERR_ARGUMENT: also a label outside its range; nothing is written then. */
rnnc_status @{name}_loss_cross_entropy(size_t count, size_t classes, const float *logits, const int32_t *labels,
    const float *class_weights, int32_t ignore_index, double *loss, float *dlogits);

/* The norm of the gradient, which is scaled to max_norm if it is more, as torch.nn.utils.clip_grad_norm_ does. NaN and
 * infinities stay: ask for isfinite of what this returns. */
double @{name}_clip_norm(float *gradient, double max_norm);

/* Each value of the gradient into -most .. most. */
void @{name}_clip_value(float *gradient, double most);

/* A step of an optimiser: new parameters from the gradient, by the formulas of torch.optim. What it keeps from step to
 * step (velocity, first, second) are vectors of @{upper}_PARAMETERS floats that begin as 0; velocity may be NULL where
 * momentum is 0. weight_decay is in the gradient, but for adamw, where parameters shrink by themselves. step: 1, 2, ...
 * RNNC_ERR_ARGUMENT: a null pointer, step 0. */
rnnc_status @{name}_update_sgd(float *parameters, const float *gradient, float *velocity, double lr, double momentum,
    int nesterov, double weight_decay);
rnnc_status @{name}_update_adam(float *parameters, const float *gradient, float *first, float *second, uint64_t step,
    double lr, double beta1, double beta2, double epsilon, double weight_decay);
rnnc_status @{name}_update_adamw(float *parameters, const float *gradient, float *first, float *second, uint64_t step,
    double lr, double beta1, double beta2, double epsilon, double weight_decay);
rnnc_status @{name}_update_rmsprop(float *parameters, const float *gradient, float *second, float *velocity, double lr,
    double alpha, double epsilon, double momentum, double weight_decay);

/* First values, as PyTorch draws them: uniform within 1/sqrt(hidden_size) (within 1/sqrt(inputs) in a dense layer),
 * tables of embeddings normal; weights of norms are 1, their biases 0. The same for the same seed, on every machine. */
void @{name}_init(float *parameters, uint64_t seed);

#ifdef __cplusplus
}
#endif
#endif
