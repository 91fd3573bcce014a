@ -- The functions that the network uses, on whole vectors. NaN stays NaN, and infinities become what they become in
@ -- PyTorch. tanh and sigmoid, of which others are made, come first.
@ -- v: the variant
@ local functions, vec, inline = v.functions, v.vec, v.inline
@ include("exact.c", v)
@ local function splat(x) return format("%s_splat(%sf)", vec, x) end
@ local function call(name, ...) return format("%s_%s(%s)", vec, name, concat({ ... }, ", ")) end
@ local gate = call("at_least", splat "-89.0", "%s")
@ local function gated(text, x)
@     return call("div", x, call("add", splat "1.0", call("exp_minus", format(gate, text))))
@ end
@ if functions.elu or functions.selu then
/* x, or alpha (exp(x) - 1) below 0. */
@{inline} @{vec} @{vec}_elu(@{vec} x, @{vec} alpha)
{
    const @{vec} below = @{call("expm1_twice", call("mul", splat "0.5", call("at_most", splat "0.0", "x")))};
    return @{call("fma", "alpha", "below", call("at_least", splat "0.0", "x"))};
}

@ end
@ if functions.selu then
/* A multiple of an ELU (Klambauer et al. 2017). */
@{inline} @{vec} @{vec}_selu(@{vec} x)
{
    return @{call("mul", splat "1.05070102", call("elu", "x", splat "1.67326319"))};
}

@ end
@ if functions.leaky_relu then
/* x, or slope x below 0. */
@{inline} @{vec} @{vec}_leaky_relu(@{vec} x, @{vec} slope)
{
    return @{call("fma", "slope", call("at_most", splat "0.0", "x"), call("at_least", splat "0.0", "x"))};
}

@ end
@ if functions.relu6 then
/* x between 0 and 6. */
@{inline} @{vec} @{vec}_relu6(@{vec} x)
{
    return @{call("at_most", splat "6.0", call("at_least", splat "0.0", "x"))};
}

@ end
@ if functions.hard_tanh then
/* x between least and most. */
@{inline} @{vec} @{vec}_hard_tanh(@{vec} x, @{vec} least, @{vec} most)
{
    return @{call("at_most", "most", call("at_least", "least", "x"))};
}

@ end
@ if functions.affine then
@{inline} @{vec} @{vec}_affine(@{vec} x, @{vec} slope, @{vec} shift)
{
    return @{call("fma", "slope", "x", "shift")};
}

@ end
@ if functions.clip then
/* x between -most and most. */
@{inline} @{vec} @{vec}_clip(@{vec} x, @{vec} most)
{
    return @{call("at_least", call("sub", splat "0.0", "most"), call("at_most", "most", "x"))};
}

@ end
@ if functions.hard_sigmoid or functions.hard_swish then
/* slope x + shift between 0 and 1. */
@{inline} @{vec} @{vec}_hard_sigmoid(@{vec} x, @{vec} slope, @{vec} shift)
{
    const @{vec} line = @{call("fma", "slope", "x", "shift")};
    return @{call("at_most", splat "1.0", call("at_least", splat "0.0", "line"))};
}

@ end
@ if functions.hard_swish then
@{inline} @{vec} @{vec}_hard_swish(@{vec} x)
{
    return @{call("mul", "x", call("hard_sigmoid", "x", splat "0.166666672", splat "0.5"))};
}

@ end
@ if functions.softsign then
/* x / (1 + |x|). */
@{inline} @{vec} @{vec}_softsign(@{vec} x)
{
    const @{vec} magnitude = @{call("at_least", call("sub", splat "0.0", "x"), "x")};
    return @{call("div", "x", call("add", splat "1.0", "magnitude"))};
}

@ end
@ if functions.softplus then
/* log(1 + exp(x)) = max(x, 0) + log(1 + e), e = exp(-|x|). With z = e / (2 + e), at most 1/3, log(1 + e) = 2 atanh(z)
 * = 2z + z^3 q(z^2), q a minimax fit of relative error 4.6e-9 of it. */
@{inline} @{vec} @{vec}_softplus(@{vec} x)
{
    const @{vec} e = @{call("exp_minus", call("at_least", call("sub", splat "0.0", "x"), "x"))};
    const @{vec} z = @{call("div", "e", call("add", "e", splat "2.0"))};
    const @{vec} z2 = @{call("mul", "z", "z")};
    const @{vec} high = @{call("fma", "z2", splat "0.280242993", splat "0.27999176")};
    const @{vec} q = @{call("fma", "z2", call("fma", "z2", "high", splat "0.400216967"), splat "0.666664132")};
    const @{vec} more = @{call("fma", call("mul", "z", "z2"), "q", call("add", "z", "z"))};
    return @{call("add", "more", call("at_least", splat "0.0", "x"))};
}

@ end
@ if functions.silu then
/* x sigmoid(x). */
@{inline} @{vec} @{vec}_silu(@{vec} x)
{
    return @{gated("x", "x")};
}

@ end
@ -- x sigmoid(v), v that of `inner`, which is x but at most 14 of 0: beyond, x or 0 comes of it whatever v is.
@ -- PyTorch's tanh and erf do not overflow, so this does not; -inf times 0 is NaN, as there.
@ local function bounded(v)
@     local below = call("exp_minus", call("at_least", splat "-88.0", v))
@     return call("div", "outer", call("add", splat "1.0", below))
@ end
@ local outer = call("fma", call("at_most", splat "0.0", "x"), splat "0.0", call("at_least", splat "-14.0", "x"))
@ local inner = call("at_least", splat "-14.0", call("at_most", splat "14.0", "x"))
@ if functions.gelu_tanh then
/* x (1 + tanh(a)) / 2 = x sigmoid(2a), a = sqrt(2/pi) (x + 0.044715 x^3) (Hendrycks and Gimpel 2016). */
@{inline} @{vec} @{vec}_gelu_tanh(@{vec} x)
{
    const @{vec} inner = @{inner};
    const @{vec} outer = @{outer};
    const @{vec} slope = @{call("fma", call("mul", "inner", "inner"), splat "0.0713548163", splat "1.59576912")};
    return @{bounded(call("mul", "inner", "slope"))};
}

@ end
@ if functions.gelu then
/* x Phi(x), Phi the normal distribution's, as x sigmoid(x p(x^2)): p is a minimax fit of log(Phi(x) / Phi(-x)) / x.
 * The error is at most 7e-8 where p is not exact, and beyond |x| = 7, where Phi is 0 or 1 in a float, p only has
 * to grow. */
@{inline} @{vec} @{vec}_gelu(@{vec} x)
{
    const @{vec} inner = @{inner};
    const @{vec} outer = @{outer};
    const @{vec} x2 = @{call("mul", "inner", "inner")};
    @{vec} p = @{call("fma", "x2", splat "3.62875077e-09", splat "-2.67809965e-07")};
@ for _, c in ipairs { "7.95599594e-06", "-0.000110641135", "-6.55580553e-05", "0.072667203", "1.59576932" } do
    p = @{call("fma", "x2", "p", splat(c))};
@ end
    return @{bounded(call("mul", "inner", "p"))};
}

@ end
@ if functions.mish then
/* x tanh(log(1 + e)) = x (e^2 + 2e) / (e^2 + 2e + 2), e = exp(x), which is x above 20. */
@{inline} @{vec} @{vec}_mish(@{vec} x)
{
    const @{vec} e = @{call("exp_minus", call("sub", splat "0.0", call("at_most", splat "20.0", "x")))};
    const @{vec} n = @{call("mul", "e", call("add", "e", splat "2.0"))};
    return @{call("mul", "x", call("div", "n", call("add", "n", splat "2.0")))};
}

@ end
@ if functions.relu then
/* max(x, 0). NaN stays NaN. */
@{inline} @{vec} @{vec}_relu(@{vec} x)
{
    return @{vec}_at_least(@{vec}_splat(0.0f), x);
}

@ end
@ if v.helpers.fast then
@ include("fast.c", v)
@ end
