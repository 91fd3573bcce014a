@ -- NAME_model: the network for programs that handle any of them.
@ -- p: the plan; rows: see emit/model_rows.lua; the rest: as source.c.t has it

static rnnc_status forward_call(const rnnc_call *call)
{
@ for _, name in ipairs(fixed) do
    if (call->@{name[1]} != @{name[2]}) return RNNC_ERR_ARGUMENT;
@ end
@ if p.threads > 1 then
    return @{p.name}_forward_threads(call->team, @{long_call_arguments});
@ elseif p.lengths then
    return @{p.name}_forward_lengths(@{long_call_arguments});
@ else
    return @{p.name}_forward(@{call_arguments});
@ end
}

static const rnnc_weight weight_list[] = {
@ for _, row in ipairs(rows.weights(p)) do
    @{row},
@ end
};
@ if not p.built_in then

/* tensor, plus, dst, units, cols, first_gate, gates, width, stride, repeat, tensor_step, dst_step */
static const rnnc_pack_step pack_list[] = {
@ for _, row in ipairs(rows.pack(p)) do
    @{row},
@ end
};
@ end

/* kind, { cell, input_size, hidden_size, num_layers, bias, batch_first, bidirectional, proj_size,
 * reverse, reset_before, peepholes, initial_state, layer_norm, norm_state, norm_eps, clip,
 * own_functions, gate, candidate, output },
 * inputs, outputs, activation, bias, last_step, last_state, tied, steps, alpha, beta, first, count */
static const rnnc_layer layer_list[] = {
@ for _, row in ipairs(rows.layers(p)) do
    @{row},
@ end
};

const rnnc_model @{p.name}_model = {
    RNNC_ABI,
    "@{p.name}",
    "@{target_names}",
    { @{#p.layers}, layer_list, @{p.batch_first and 1 or 0}, @{p.residual or 0} }, /* ..., batch_first, residual */
    @{p.input}, /* values of x for a step */
    @{p.output}, /* values of y */
    @{p.lengths and 1 or 0}, /* lengths */
    @{p.steps == "any" and 0 or p.steps}, /* seq_len; 0: any */
    @{p.batch == "any" and 0 or p.batch}, /* batch; 0: any */
    @{p.threads}, /* threads */
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
