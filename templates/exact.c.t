@ -- tanh, sigmoid and what is made of them to a few ulp: activation = "exact".
@ -- functions, helpers: sets of names; vec, inline: the target's
@ local function splat(x) return format("%s_splat(%sf)", vec, x) end
@ if helpers.expm1 then
/* exp(2x) - 1 for |x| <= 10, beyond which tanh is 1 to within half an ulp. With n = round(2x / ln 2)
 * and r = x - n ln(2)/2 it is 2^n (exp(2r) - 1) + 2^n - 1, and exp(2r) - 1 = 2r + r^2 q(r), q a minimax
 * fit (weighted least squares, Lawson's iteration) of relative error 1.4e-8. */
@{inline} @{vec} @{vec}_expm1_twice(@{vec} x)
{
    x = @{vec}_at_least(@{splat "-10.0"}, @{vec}_at_most(@{splat "10.0"}, x));
    /* Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits. */
    const @{vec} shifted = @{vec}_fma(x, @{splat "2.88539008"}, @{splat "12582912.0"});
    const @{vec} n = @{vec}_sub(shifted, @{splat "12582912.0"});
    const @{vec} r = @{vec}_fma(n, @{splat "-0.34657359"}, x);
    const @{vec} r2 = @{vec}_mul(r, r);
    const @{vec} low = @{vec}_fma(r, @{splat "1.33332336"}, @{splat "1.99999988"});
    const @{vec} high = @{vec}_fma(r, @{splat "0.26773271"}, @{splat "0.66667527"});
    const @{vec} q = @{vec}_fma(r2, @{vec}_fma(r2, @{splat "0.0888479874"}, high), low);
    const @{vec} small = @{vec}_fma(r2, q, @{vec}_add(r, r));
    const @{vec} scale = @{vec}_scale(@{splat "1.0"}, shifted);
    return @{vec}_fma(scale, small, @{vec}_sub(scale, @{splat "1.0"}));
}

@ end
@ if helpers.exp then
/* exp(-x) for x >= -89; 0 for x > @{lanes == 16 and "104" or "87.7"} and infinity for x < -88.4, so that a closed
 * gate is exactly 0. With n = round(-x / ln 2) and s = x + n ln 2, ln 2 in two parts (Cody and Waite), it is
 * 2^n (1 - s + s^2 q(-s)), q a minimax fit of relative error 3.1e-9. */
@{inline} @{vec} @{vec}_exp_minus(@{vec} x)
{
    x = @{vec}_at_most(@{splat(lanes == 16 and "105.0" or "88.0")}, x);
    const @{vec} shifted = @{vec}_fma(x, @{splat "-1.44269504"}, @{splat "12582912.0"});
    const @{vec} n = @{vec}_sub(shifted, @{splat "12582912.0"});
    const @{vec} s = @{vec}_fma(n, @{splat "3.19461833e-05"}, @{vec}_fma(n, @{splat "0.693115234"}, x));
    const @{vec} s2 = @{vec}_mul(s, s);
    const @{vec} low = @{vec}_fma(s, @{splat "-0.166665196"}, @{splat "0.49999994"});
    const @{vec} high = @{vec}_fma(s, @{splat "-0.00836885162"}, @{splat "0.0416684002"});
    const @{vec} q = @{vec}_fma(s2, @{vec}_fma(s2, @{splat "0.00138143206"}, high), low);
    return @{vec}_scale(@{vec}_fma(s2, q, @{vec}_sub(@{splat "1.0"}, s)), shifted);
}

@ end
@ if functions.tanh then
/* At most 2.6 ulp, counted over all floats. NaN stays NaN. */
@{inline} @{vec} @{vec}_tanh(@{vec} x)
{
    const @{vec} e = @{vec}_expm1_twice(x);
    return @{vec}_div(e, @{vec}_add(e, @{splat "2.0"}));
}

@ end
@ if functions.sigmoid then
/* 1 / (1 + exp(-x)). */
@{inline} @{vec} @{vec}_sigmoid(@{vec} x)
{
    const @{vec} e = @{vec}_exp_minus(@{vec}_at_least(@{splat "-89.0"}, x));
    return @{vec}_div(@{splat "1.0"}, @{vec}_add(@{splat "1.0"}, e));
}

@ end
@ if functions.gated then
/* sigmoid(gate) x. */
@{inline} @{vec} @{vec}_gated(@{vec} gate, @{vec} x)
{
    return @{vec}_div(x, @{vec}_add(@{splat "1.0"}, @{vec}_exp_minus(@{vec}_at_least(@{splat "-89.0"}, gate))));
}

@ end
@ if functions.gated_tanh then
/* sigmoid(gate) tanh(x), with one division for both. A gate ends at -68, 3e-30 from 0, so that no product overflows. */
@{inline} @{vec} @{vec}_gated_tanh(@{vec} gate, @{vec} x)
{
    const @{vec} e = @{vec}_expm1_twice(x);
    const @{vec} below = @{vec}_add(@{splat "1.0"}, @{vec}_exp_minus(@{vec}_at_least(@{splat "-68.0"}, gate)));
    return @{vec}_div(e, @{vec}_mul(below, @{vec}_add(e, @{splat "2.0"})));
}

@ end
@ if functions.mixed_tanh then
/* sigmoid(gate) h + (1 - sigmoid(gate)) tanh(x), with one division for all. A gate ends at 22, 3e-10 from 1, so
 * that no product overflows for |h| up to 1e20; at the other end it reaches 0, where an infinite h is NaN. */
@{inline} @{vec} @{vec}_mixed_tanh(@{vec} gate, @{vec} x, @{vec} h)
{
    const @{vec} e = @{vec}_expm1_twice(x);
    const @{vec} open = @{vec}_exp_minus(@{vec}_at_least(@{splat "-22.0"}, @{vec}_sub(@{splat "0.0"}, gate)));
    const @{vec} e2 = @{vec}_add(e, @{splat "2.0"});
    const @{vec} above = @{vec}_fma(@{vec}_mul(open, h), e2, e);
    return @{vec}_div(above, @{vec}_fma(e2, open, e2));
}

@ end
