@ -- The nonlinearities that the cell uses, on whole vectors.
@ for _, name in ipairs(activations) do
@ if name == "tanh" then
/* tanh(x) = E / (E + 2) with E = exp(2x) - 1. With n = round(2x / ln 2) and r = x - n ln(2)/2,
 * E = 2^n (exp(2r) - 1) + 2^n - 1; exp(2r) - 1 = 2r + r^2 q(r), q a minimax fit (weighted least
 * squares, Lawson's iteration) of relative error 1.4e-8. Beyond |x| = 10 tanh is 1 to within half an
 * ulp. At most 4 ulp, counted over all floats. NaN stays NaN. */
@{inline} @{vec} @{vec}_tanh(@{vec} x)
{
    x = @{vec}_at_least(@{vec}_splat(-10.0f), @{vec}_at_most(@{vec}_splat(10.0f), x));
    /* Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits. */
    const @{vec} shifted = @{vec}_fma(x, @{vec}_splat(2.88539008f), @{vec}_splat(12582912.0f));
    const @{vec} n = @{vec}_sub(shifted, @{vec}_splat(12582912.0f));
    const @{vec} r = @{vec}_fma(n, @{vec}_splat(-0.34657359f), x);
    const @{vec} r2 = @{vec}_mul(r, r);
    const @{vec} low = @{vec}_fma(r, @{vec}_splat(1.33332336f), @{vec}_splat(1.99999988f));
    const @{vec} high = @{vec}_fma(r, @{vec}_splat(0.26773271f), @{vec}_splat(0.66667527f));
    const @{vec} q = @{vec}_fma(r2, @{vec}_fma(r2, @{vec}_splat(0.0888479874f), high), low);
    const @{vec} small = @{vec}_fma(r2, q, @{vec}_add(r, r));
    const @{vec} scale = @{vec}_power_of_two(shifted);
    const @{vec} e = @{vec}_fma(scale, small, @{vec}_sub(scale, @{vec}_splat(1.0f)));
    return @{vec}_div(e, @{vec}_add(e, @{vec}_splat(2.0f)));
}
@ elseif name == "relu" then
/* max(x, 0). NaN stays NaN. */
@{inline} @{vec} @{vec}_relu(@{vec} x)
{
    return @{vec}_at_least(@{vec}_splat(0.0f), x);
}
@ else
@ assert(false, "no such activation: " .. name)
@ end
@ end
