@ -- NAME.h: what a program sees of the network.
@ -- p: the plan; parameters: those of NAME_forward; head: the opening comment
@{head}
@ if p.form.inline then
/* All of the network is in this file. One file of the program, best one that has nothing else, says
 *
 *     #define @{p.upper}_IMPLEMENTATION
 *     #include "@{p.name}.h"
 */
@ end
#ifndef @{p.name}_H
#define @{p.name}_H
@ if not p.form.inline then
#define @{p.upper}_HEADER_@{header_hash} /* @{p.name}.c asks for it */
@ end

@ if p.form.alone then
#include <stddef.h>
#include <stdint.h>
@ else
#include "rnnc.h"
#if RNNC_ABI != @{abi}
#error "@{p.name}.h and the rnnc.h that it found are of two versions of rnnc: delete that rnnc.h and compile the network again"
#endif
@ end

/* What this file is made of; a hash is FNV-1a of 64 bits. */
#define @{p.upper}_RNNC_VERSION "@{version}" /* of the compiler */
#define @{p.upper}_SPEC_HASH "@{spec_hash}" /* of the specification's text */
@ if weights_hash then
#define @{p.upper}_WEIGHTS_HASH "@{weights_hash}" /* of the values of the weights */
@ end

#ifdef @{p.upper}_OUTPUT_SIZE
#error "@{p.upper}_OUTPUT_SIZE is there already: two networks whose names differ in case only? Call one of them otherwise"
#endif
#ifdef __cplusplus
extern "C" {
#endif
@ if p.form.alone then

/* As in rnnc.h, which nothing here needs. */
@{status:gsub("\n$", "")}
@ end

@ if p.tokens then
#define @{p.upper}_VOCABULARY @{p.vocabulary} /* tokens are 0 .. this - 1 */
@ else
#define @{p.upper}_INPUT_SIZE @{p.input}
@ end
@ if #p.layers == 1 and p.layers[1].kind == "stack" then
@ local s = p.layers[1].sizes
#define @{p.upper}_HIDDEN_SIZE @{s.H}
#define @{p.upper}_NUM_LAYERS @{s.L}
#define @{p.upper}_NUM_DIRECTIONS @{s.D}
@ end
#define @{p.upper}_OUTPUT_SIZE @{p.output} /* values of y for one @{p.last_step and "sequence" or "step of one sequence"} */
@ for _, head in ipairs(p.heads) do
#define @{p.upper}_HEAD_@{head.name:upper()}_OFFSET @{head.first} /* of its first value in y */
#define @{p.upper}_HEAD_@{head.name:upper()}_SIZE @{head.width}
@ end
@ for _, state in ipairs(p.states) do
#define @{p.upper}_@{upper(state)}_SIZE @{p.state_counts[state]} /* floats of @{state}0 and @{state}n for one sequence */
@ end
@ if p.steps ~= "any" then
#define @{p.upper}_SEQ_LEN @{p.steps}
@ end
@ if p.batch ~= "any" then
#define @{p.upper}_BATCH @{p.batch}
@ end
@ if p.workspace_bytes then
#define @{p.upper}_WORKSPACE_SIZE @{p.workspace_bytes} /* bytes that are enough for every call */
@ end
@ if not p.built_in then
#define @{p.upper}_WEIGHTS_COUNT @{p.packed_count} /* floats of packed weights */
@ end

/* Bytes of workspace for a call, never 0 for sizes that can be run; 0: sizes that do not fit in
 * memory, or that are not those of the network. */
size_t @{p.name}_workspace_size(size_t seq_len, size_t batch);

/* Runs the whole sequence.
@ if not p.built_in then
 *   weights    packed weights, @{p.packed_count} floats@{p.weights_as == "blob" and format(" (rnnc_model_blob finds them in %s.weights)", p.name) or format(" (filled by %s_pack or rnnc_model_load)", p.name)}
@ end
@ if p.tokens then
 *   tokens     (@{x_shape}), each 0 .. @{p.vocabulary - 1}
@ else
 *   x          (@{x_shape}, @{p.input})
@ end
@ for _, state in ipairs(p.states) do
 *   @{state}0         @{state_shape(state)}: the state at the start,
 *              row layer*directions + direction; NULL: @{p.first and "what the weights have" or "zero"}
@ end
 *   y          (@{y_shape}, @{p.output})
@ for _, state in ipairs(p.states) do
 *   @{state}n         as @{state}0: the state at the end; may be @{state}0; NULL: not wanted
@ end
 *   workspace  @{p.name}_workspace_size(@{steps_text}, @{batch_text}) bytes, any alignment; nothing in it
 *              needs to be kept between calls
 * A call, of any function here, takes at most 24 KB of stack, and 64 KB where it is compiled without
 * optimisation.
 * @{p.in_place and "y may be x, in place; otherwise they" or (p.tokens and "tokens" or "x") .. " and y"} may not overlap, and nothing else may but h0 with hn@{#p.states > 1 and " and c0 with cn" or ""}.
 * RNNC_ERR_ARGUMENT: a null pointer@{p.tokens and ", a token outside its range" or ""}, @{p.tokens and "tokens" or "x"} and y that overlap. RNNC_ERR_OVERFLOW: sizes that do not fit in
 * memory.@{lacking and format(" RNNC_ERR_TARGET: this CPU lacks %s.", lacking.target) or ""} Nothing is written then.
@ if p.steps == "any" or p.batch == "any" then
@ local none = p.steps ~= "any" and "no sequences" or p.batch ~= "any" and "no steps" or "no steps or no sequences"
 * A call of @{none} is no error@{p.steps == "any" and ": the states at the end are those of the start" .. (p.last_step and " and y is 0" or "") or ""}. What holds
 * no values then may be NULL.
@ end
 */
rnnc_status @{p.name}_forward(@{parameters});
@ if p.lengths then

/* The same for sequences of different lengths: sequence b has lengths[b] steps, 0 .. @{steps_text}; NULL: all.
 * Beyond its length x is not read and y is 0; the state at the end is that of its last step, and the
 * reverse direction begins there, as with PyTorch's packed sequences. One of 0 steps keeps its state@{p.last_step and ",\n * and its y is 0" or ""}. */
rnnc_status @{p.name}_forward_lengths(@{long_parameters});
@ end
@ if p.threads > 1 then

/* The same, bit for bit, by @{p.threads} threads: as forward@{p.lengths and "_lengths" or ""}, with the team (see rnnc.h) that runs the
 * call; more members do nothing, and where two would take longer than one, one works. NULL: one thread.
 * RNNC_ERR_ARGUMENT: also a team without members, without `run`, or with one of post and wait. */
rnnc_status @{p.name}_forward_threads(const rnnc_team *team, @{long_parameters});
@ end
@ if p.streaming then

/* One stream of @{p.batch} sequence(s): the state between steps, and room to work. Copy it to branch a stream. */
typedef struct @{p.name}_state {
@ for _, state in ipairs(p.states) do
    float @{state}[@{p.state_counts[state] * p.batch}]; /* as @{state}0 */
@ end
    unsigned char workspace[@{p.stream.floats * 4 + 64}];
} @{p.name}_state;

@ local weights = p.first and not p.built_in and "const float *weights, " or ""
/* The state before the first step: @{p.first and "what the weights have" or "zero"}. Nothing needs to be released; NULL is fine. */
void @{p.name}_state_init(@{weights}@{p.name}_state *state);

/* The same: forgets what was streamed. */
void @{p.name}_state_reset(@{weights}@{p.name}_state *state);

/* One time step, (@{p.batch}, @{p.input}) to (@{p.batch}, @{p.output}), from the state and into it. Any mixture of steps and of calls of
 * forward that carry the state on gives the same bits. Errors as of forward. */
rnnc_status @{p.name}_step(@{p.built_in and "" or "const float *weights, "}@{p.name}_state *state, @{p.tokens and "const int32_t *tokens" or "const float *x"}, float *y);

/* A block of `steps` time steps one behind the other, with the bits of as many calls of step: @{p.tokens and "tokens" or "x"} (steps, @{p.tokens and p.batch or format("%d, %d", p.batch, p.input)})
 * and y (steps, @{p.batch}, @{p.output}). @{p.in_place and "y may be x, in place. " or ""}No workspace is needed; 0 steps do nothing. Errors as of forward;
 * nothing is done then, and the state stays. */
rnnc_status @{p.name}_process(@{p.built_in and "" or "const float *weights, "}@{p.name}_state *state, size_t steps, @{p.tokens and "const int32_t *tokens" or "const float *x"}, float *y);
@ end
@ if p.no_streaming then

/* There is no @{p.name}_step and no @{p.name}_process:
 * @{(p.no_streaming:gsub("; ", ";\n * "))}. */
@ end
@ if not p.form.alone then

/* The same network for programs that handle any of them; see rnnc.h. */
extern const rnnc_model @{p.name}_model;
@ end
@ if p.weights_as == "none" then

/* Packs the tensors of @{p.name}_model.weight, each contiguous in that order, into
 * @{p.upper}_WEIGHTS_COUNT floats. A program that calls it links librnnc. RNNC_ERR_ARGUMENT: a null
 * pointer. */
static inline rnnc_status @{p.name}_pack(const float *const *tensors, float *packed)
{
    return rnnc_model_pack(&@{p.name}_model, tensors, packed);
}
@ end

#ifdef __cplusplus
}
#endif
#endif
