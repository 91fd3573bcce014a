@ -- NAME.c: the network.
@ -- p: the plan; head: the opening comment; parameters, arguments: those of NAME_forward
@ local s = p.sizes
@{head}
#include "@{p.name}.h"

#include <stdint.h>
#include <string.h>
@ local x86 = false
@ for _, v in ipairs(p.variants) do x86 = x86 or v.isa ~= "" end
@ if x86 then

#if !defined(__x86_64__) || !defined(__GNUC__)
#error "@{p.name}.c is for x86-64 and gcc or clang: generate it with target = \"portable\""
#endif
#include <immintrin.h>
@ end

#ifdef __cplusplus
#define RESTRICT
#else
#define RESTRICT restrict
#endif
@ if p.built_in then

@{weights_declaration}
@ end
@ for _, v in ipairs(p.variants) do

/* ---- @{v.target} @{rep("-", 100 - 11 - #v.target)} */

@ include(v.prelude, v)

@ include("activations.c", { activations = p.activations, vec = v.vec, inline = v.inline })
@ if v.kernel == "batch" then

@ include("transpose.c", { fn = "transpose" .. v.suffix, vec = v.vec, lanes = v.lanes, inline = v.inline, attribute = v.attribute })
@ end
@ for _, product in ipairs(v.products) do
@ include(v.kernel .. "_product.c", { p = product, vec = v.vec, lanes = v.lanes, inline = v.inline, attribute = v.attribute, update_text = update_text(v) })
@ end
@ for _, layer in ipairs(v.layers) do
@ include(v.kernel .. "_layer.c", { l = layer, attribute = v.attribute, H = s.H, stride = v.workspace.unit_stride, block = v.block })
@ end

@ include("run.c", { v = v, p = p })
@ end

/* ---- the network @{rep("-", 82)} */

size_t @{p.name}_workspace_size(size_t seq_len, size_t batch)
{
@ if p.steps ~= "any" then
    if (seq_len != @{p.steps}) return 0;
@ end
@ if p.batch ~= "any" then
    if (batch != @{p.batch}) return 0;
@ end
    /* No buffer may exceed the largest object, PTRDIFF_MAX bytes. */
    const size_t most = PTRDIFF_MAX / sizeof(float);
    if (seq_len == 0 || batch == 0 || batch > most / @{math.max(s.I, s.L * s.D * s.H)}) return 0;
    if (seq_len > most / @{math.max(s.I, s.D * s.H)} / batch) return 0;
@ if p.workspace.per_step > 0 then
    if (seq_len > (most - @{p.workspace.fixed + 16}) / @{p.workspace.per_step}) return 0;
    return (@{p.workspace.fixed} + seq_len * @{p.workspace.per_step}) * sizeof(float) + 64;
@ else
    return @{p.workspace.fixed * 4 + 64};
@ end
}
@ for _, v in ipairs(p.variants) do
@ if #v.needs > 0 then

/* Can this CPU run the code for @{v.target}? */
static int supported@{v.suffix}(void)
{
    return @{concat(cpu_checks(v), " && ")};
}
@ end
@ end

rnnc_status @{p.name}_forward(@{parameters})
{
@ for _, name in ipairs(fixed) do
    const size_t @{name[1]} = @{name[2]};
@ end
@ if p.built_in then
    const float *const weights = @{weights_expression};
@ end
    if (!weights || !x || !y || !workspace || seq_len == 0 || batch == 0) return RNNC_ERR_ARGUMENT;
    if (@{p.name}_workspace_size(seq_len, batch) == 0) return RNNC_ERR_OVERFLOW;
    float *const space = (float *)(((uintptr_t)workspace + 63) & ~(uintptr_t)63);
@ local open = true
@ for i = #p.variants, 1, -1 do
@ local v = p.variants[i]
@ if #v.needs > 0 then
    if (supported@{v.suffix}()) {
        run@{v.suffix}(weights, seq_len, batch, x, h0, y, hn, space);
        return RNNC_OK;
    }
@ else
    run@{v.suffix}(weights, seq_len, batch, x, h0, y, hn, space);
    return RNNC_OK;
@ open = false
@ end
@ end
@ if open then
    return RNNC_ERR_TARGET;
@ end
}
@ if p.weights_as == "none" then

rnnc_status @{p.name}_pack(const float *const *tensors, float *packed)
{
    return rnnc_model_pack(&@{p.name}_model, tensors, packed);
}
@ end

static rnnc_status forward_call(const rnnc_call *call)
{
@ for _, name in ipairs(fixed) do
    if (call->@{name[1]} != @{name[2]}) return RNNC_ERR_ARGUMENT;
@ end
    return @{p.name}_forward(@{call_arguments});
}

static const rnnc_weight weight_list[] = {
@ for _, w in ipairs(p.weights) do
    { "@{w.name}", @{w.rows}, @{w.cols} },
@ end
};
@ if not p.built_in then

/* tensor, plus, dst, units, cols, first_gate, gates, width, stride */
static const rnnc_pack_step pack_list[] = {
@ for _, t in ipairs(p.pack) do
    { @{t.tensor}, @{t.plus or "RNNC_NONE"}, @{t.dst}, @{t.units}, @{t.cols}, @{t.first_gate}, @{t.gates}, @{t.width}, @{t.stride} },
@ end
};
@ end

const rnnc_model @{p.name}_model = {
    RNNC_ABI,
    "@{p.name}",
    "@{concat(target_names, ", ")}",
    { @{p.cell}, @{s.I}, @{s.H}, @{s.L}, @{p.bias and 1 or 0}, @{p.batch_first and 1 or 0}, @{s.D == 2 and 1 or 0} },
    @{p.steps == "any" and 0 or p.steps}, /* seq_len; 0: any */
    @{p.batch == "any" and 0 or p.batch}, /* batch; 0: any */
    @{#p.weights},
    weight_list,
    @{p.packed_count}, /* floats of packed weights */
    @{p.built_in and 0 or #p.pack},
    @{p.built_in and "NULL" or "pack_list"},
    @{p.built_in and weights_expression or "NULL"},
    @{format("0x%016x", p.fingerprint)}u, /* of the layout of the packed weights */
    @{p.name}_workspace_size,
    forward_call,
};
