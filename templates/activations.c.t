@ -- The nonlinearities that the cell uses, on whole vectors.
@ for _, name in ipairs(activations) do
@ if name == "tanh" then
/* tanh(x) = x P(x^2) / Q(x^2), a minimax fit of relative error 2.1e-8 on |x| <= 9.01 (weighted least
 * squares, Lawson's iteration); beyond, tanh is 1 to within half an ulp. At most 4 ulp, measured
 * over all floats. NaN stays NaN. */
@{inline} @{vec} @{vec}_tanh(@{vec} x)
{
    x = @{vec}_at_most(@{vec}_splat(9.01f), x);
    x = @{vec}_at_least(@{vec}_splat(-9.01f), x);
    const @{vec} u = @{vec}_mul(x, x);
    @{vec} p = @{vec}_splat(1.33368561e-08f);
    @{vec} q = @{vec}_splat(7.7692863e-07f);
@ for _, c in ipairs { { "2.05962788e-05f", "0.000328436377f" }, { "0.00349481148f", "0.025874028f" },
@                      { "0.133803725f", "0.46713686f" }, { "1.0f", "1.0f" } } do
    p = @{vec}_fma(p, u, @{vec}_splat(@{c[1]}));
    q = @{vec}_fma(q, u, @{vec}_splat(@{c[2]}));
@ end
    return @{vec}_div(@{vec}_mul(x, p), q);
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
