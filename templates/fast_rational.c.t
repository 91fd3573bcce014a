@ -- tanh by a rational function, for vectors of any width.
@ -- vec, inline: the target's
@ local function splat(x) return format("%s_splat(%s)", vec, x) end

/* tanh(scale x) = u p(z) / q(z), u = scale x, z = u^2, for |u| <= 7.1, beyond which it stays what it is
 * there, 1 - 3e-7. A minimax fit (Lawson's iteration), at most 1.01e-6 off. scale is 1 or 1/2; it goes
 * into the coefficients, so that it is no step of its own. */
@{inline} @{vec} @{vec}_tanh_scaled(@{vec} x, float scale)
{
    const float s = scale * scale; /* x^2 s = z */
    x = @{vec}_at_least(@{splat "-7.1f / scale"}, @{vec}_at_most(@{splat "7.1f / scale"}, x));
    const @{vec} u = @{vec}_mul(x, @{splat "scale"});
    const @{vec} x2 = @{vec}_mul(x, x);
    const @{vec} x4 = @{vec}_mul(x2, x2);
    const @{vec} p_low = @{vec}_fma(x2, @{splat "0.122891426f * s"}, @{splat "0.999995232f"});
    const @{vec} p_high = @{vec}_fma(x2, @{splat "3.87541741e-06f * s * s * s"}, @{splat "0.00226538093f * s * s"});
    const @{vec} above = @{vec}_fma(@{vec}_mul(u, x4), p_high, @{vec}_mul(u, p_low));
    const @{vec} q_low = @{vec}_fma(x2, @{splat "0.456208467f * s"}, @{splat "1.0f"});
    const @{vec} q_high = @{vec}_fma(x2, @{splat "0.000141092023f * s * s * s"}, @{splat "0.0210179724f * s * s"});
    return @{vec}_div(above, @{vec}_fma(x4, q_high, q_low));
}
