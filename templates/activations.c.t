@ -- The functions that the network uses, on whole vectors.
@ -- v: the variant
@ local functions, vec, inline = v.functions, v.vec, v.inline
@ include("exact.c", v)
@ include("functions.c", v)
@ if v.helpers.fast then
@ include("fast.c", v)
@ end
@ if functions.relu then
/* max(x, 0). NaN stays NaN. */
@{inline} @{vec} @{vec}_relu(@{vec} x)
{
    return @{vec}_at_least(@{vec}_splat(0.0f), x);
}

@ end
