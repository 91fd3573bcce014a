@ -- NAME.h: what a program sees of the network.
@ -- p: the plan; parameters: those of NAME_forward; head: the opening comment
@ local s = p.sizes
@{head}
#ifndef @{p.upper}_H
#define @{p.upper}_H

#include "rnnc.h"

#ifdef __cplusplus
extern "C" {
#endif

#define @{p.upper}_INPUT_SIZE @{s.I}
#define @{p.upper}_HIDDEN_SIZE @{s.H}
#define @{p.upper}_NUM_LAYERS @{s.L}
#define @{p.upper}_NUM_DIRECTIONS @{s.D}
#define @{p.upper}_OUTPUT_SIZE @{s.D * s.H} /* values of y for one step of one sequence */
@ if p.steps ~= "any" then
#define @{p.upper}_SEQ_LEN @{p.steps}
@ end
@ if p.batch ~= "any" then
#define @{p.upper}_BATCH @{p.batch}
@ end
@ if p.workspace_constant then
#define @{p.upper}_WORKSPACE_SIZE @{p.workspace_bytes} /* bytes, for every seq_len and batch that it accepts */
@ end
@ if not p.built_in then
#define @{p.upper}_WEIGHTS_COUNT @{p.packed_count} /* floats of packed weights */
@ end

/* Bytes of workspace for a call; 0: sizes that do not fit in memory, or that are not those of the
 * network. */
size_t @{p.name}_workspace_size(size_t seq_len, size_t batch);

/* Runs the whole sequence.
@ if not p.built_in then
 *   weights    packed weights, @{p.packed_count} floats@{p.weights_as == "blob" and format(" (rnnc_model_blob finds them in %s.weights)", p.name) or format(" (filled by %s_pack or rnnc_model_load)", p.name)}
@ end
 *   x          (@{x_shape}) of @{s.I} values each
 *   h0         (@{s.L * s.D}, @{batch_text}, @{s.H}): the state at the start, row layer*@{s.D} + direction; NULL: zero
 *   y          (@{x_shape}) of @{s.D * s.H} values each@{s.D == 2 and ": forward half, then reverse half" or ""}
 *   hn         (@{s.L * s.D}, @{batch_text}, @{s.H}): the state at the end; may be h0; NULL: not wanted
 *   workspace  @{p.name}_workspace_size(@{steps_text}, @{batch_text}) bytes, any alignment; nothing in it
 *              needs to be kept between calls
 * RNNC_ERR_ARGUMENT: a null pointer or a size of 0. RNNC_ERR_OVERFLOW: sizes that do not fit in
 * memory. RNNC_ERR_TARGET: this CPU lacks @{needs_text}. Nothing is written then. */
rnnc_status @{p.name}_forward(@{parameters});
@ if p.weights_as == "none" then

/* Packs the tensors of @{p.name}_model.weight, each contiguous in that order, into
 * @{p.upper}_WEIGHTS_COUNT floats. Links librnnc. RNNC_ERR_ARGUMENT: a null pointer. */
rnnc_status @{p.name}_pack(const float *const *tensors, float *packed);
@ end

/* The same network for programs that handle any of them; see rnnc.h. */
extern const rnnc_model @{p.name}_model;

#ifdef __cplusplus
}
#endif
#endif
