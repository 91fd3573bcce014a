@ -- tanh, sigmoid and what is made of them to about 1e-6: activation = "fast".
@ -- functions: a set of names; vec, inline: the target's; fast: its way to tanh
@ local function splat(x) return format("%s_splat(%sf)", vec, x) end
@ local function define(name, parameters)
@     local list = {}
@     for i, parameter in ipairs(parameters) do list[i] = vec .. " " .. parameter end
@     return format("%s %s %s_%s(%s)", inline, vec, vec, name, concat(list, ", "))
@ end
/* Fast activations: tanh is at most @{fast.tanh} off, and @{fast.relative} of its value; sigmoid @{fast.sigmoid}.
 * Counted over all floats. tanh stays in [-1, 1], sigmoid in [0, 1], tanh(-x) is -tanh(x), NaN stays NaN. */
@ include(fast.template, { vec = vec, inline = inline, lanes = lanes })
@ if functions.fast_tanh then

@{define("fast_tanh", { "x" })}
{
    return @{vec}_tanh_scaled(x, 1.0f);
}
@ end
@ if functions.fast_sigmoid then

/* sigmoid(x) = 1/2 + tanh(x/2) / 2 */
@{define("fast_sigmoid", { "x" })}
{
    return @{vec}_fma(@{vec}_tanh_scaled(x, 0.5f), @{splat "0.5"}, @{splat "0.5"});
}
@ end
@ if functions.fast_gated then

/* sigmoid(gate) x, where x is there before the gate: x/2 + tanh(gate/2) x/2 */
@{define("fast_gated", { "gate", "x" })}
{
    const @{vec} half = @{vec}_mul(x, @{splat "0.5"});
    return @{vec}_fma(@{vec}_tanh_scaled(gate, 0.5f), half, half);
}
@ end
@ if functions.fast_gated_sum then

/* y + sigmoid(gate) x, where x and y are there before the gate */
@{define("fast_gated_sum", { "gate", "x", "y" })}
{
    const @{vec} half = @{vec}_mul(x, @{splat "0.5"});
    return @{vec}_fma(@{vec}_tanh_scaled(gate, 0.5f), half, @{vec}_fma(x, @{splat "0.5"}, y));
}
@ end
@ if functions.fast_mixed_tanh then

/* sigmoid(gate) h + (1 - sigmoid(gate)) tanh(x), where x comes last */
@{define("fast_mixed_tanh", { "gate", "x", "h" })}
{
    const @{vec} t = @{vec}_tanh_scaled(gate, 0.5f);
    const @{vec} kept = @{vec}_mul(h, @{vec}_fma(t, @{splat "0.5"}, @{splat "0.5"}));
    return @{vec}_fma(@{vec}_tanh_scaled(x, 1.0f), @{vec}_fma(t, @{splat "-0.5"}, @{splat "0.5"}), kept);
}
@ end

