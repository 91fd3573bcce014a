@ -- Layer normalisation of the sums of gates, or of cell states: Ba, Kiros, Hinton 2016, torch.nn.LayerNorm.
@ -- vec, lanes, attribute, fn: the target's and the function's names; units: values of a gate; row: floats of a gate
@ local rest = units % lanes
@ local whole = units - rest
/* to = (from - mean) / sqrt(variance + eps) * weight + bias over the @{units} values of each of `gates` gates, all of
 * them together. A gate takes @{row} floats; to may be from. */
@{attribute} void @{fn}(const float *from, float *to, const float *weight, const float *bias, int gates, float eps)
{
    const float count = (float)(gates * @{units});
    float part[@{lanes}]; /* a vector, lane by lane */
    float sum = 0.0f, squares = 0.0f;
@ if whole > 0 then
    @{vec} some = @{vec}_splat(0.0f);
@ end
    for (int g = 0; g < gates; ++g) {
        const float *const v = from + g * @{row};
@ if whole > 0 then
        for (int i = 0; i < @{whole}; i += @{lanes}) some = @{vec}_add(some, @{vec}_load(v + i));
@ end
@ if rest > 0 then
        for (int i = @{whole}; i < @{units}; ++i) sum += v[i];
@ end
    }
@ if whole > 0 then
    @{vec}_store(part, some);
    for (int i = 0; i < @{lanes}; ++i) sum += part[i];
    some = @{vec}_splat(0.0f);
@ end
    const @{vec} mean = @{vec}_splat(sum / count);
    for (int g = 0; g < gates; ++g) {
        const float *const v = from + g * @{row};
@ if whole > 0 then
        for (int i = 0; i < @{whole}; i += @{lanes}) {
            const @{vec} d = @{vec}_sub(@{vec}_load(v + i), mean);
            some = @{vec}_fma(d, d, some);
        }
@ end
@ if rest > 0 then
        @{vec}_store(part, @{vec}_sub(@{vec}_load(v + @{whole}), mean));
        for (int i = 0; i < @{rest}; ++i) squares += part[i] * part[i];
@ end
    }
@ if whole > 0 then
    @{vec}_store(part, some);
    for (int i = 0; i < @{lanes}; ++i) squares += part[i];
@ end
    const @{vec} scale = @{vec}_splat(1.0f / sqrtf(squares / count + eps));
    for (int g = 0; g < gates; ++g)
        for (int i = g * @{row}; i < g * @{row} + @{units}; i += @{lanes}) {
            const @{vec} v = @{vec}_mul(@{vec}_sub(@{vec}_load(from + i), mean), scale);
            @{vec}_store(to + i, @{vec}_fma(v, @{vec}_load(weight + i), @{vec}_load(bias + i)));
        }
}

