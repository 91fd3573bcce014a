@ -- Softmax or its logarithm over the outputs of a row.
@ -- vec, lanes, attribute, suffix: the target's; name: "softmax" or "log_softmax"; outputs: values of a row
@ local rest, is_log = outputs % lanes, name == "log_softmax"
@ local whole = outputs - rest
@ -- Vectors that are added up one by one before their sum joins the others: of n values the error stays below
@ -- run + n / lanes / run + lanes roundings.
@ local run = 32 * lanes
/* @{is_log and "x - max - log(sum of exp(x - max))" or "exp(x - max) / sum of them"} over the @{outputs} outputs of a
 * row; to may be from. Of -inf it is @{is_log and "-inf" or "0"}, and a row with NaN or inf, or of nothing but -inf,
 * becomes NaN, as in PyTorch. */
@{attribute} void @{name}@{suffix}(const float *from, float *to)
{
    float part[@{lanes}]; /* a vector, lane by lane */
    float most = from[@{whole}@{rest == 0 and " - 1" or ""}], sum = 0.0f;
@ if rest > 1 then
    for (int i = @{whole + 1}; i < @{outputs}; ++i) most = from[i] > most ? from[i] : most;
@ end
@ if whole > 0 then
    @{vec} high = @{vec}_splat(most);
    for (int i = 0; i < @{whole}; i += @{lanes}) high = @{vec}_at_least(high, @{vec}_load(from + i));
    @{vec}_store(part, high);
    for (int i = 0; i < @{lanes}; ++i) most = part[i] > most ? part[i] : most;
    const @{vec} top = @{vec}_splat(most);
@ if whole > run then
    @{vec} sums = @{vec}_splat(0.0f);
    for (int i = 0, end; i < @{whole}; i = end) {
        end = i + @{run} < @{whole} ? i + @{run} : @{whole};
        @{vec} some = @{vec}_splat(0.0f);
        for (int k = i; k < end; k += @{lanes}) {
            const @{vec} e = @{vec}_exp_minus(@{vec}_sub(top, @{vec}_load(from + k)));
@ if not is_log then
            @{vec}_store(to + k, e);
@ end
            some = @{vec}_add(some, e);
        }
        sums = @{vec}_add(sums, some);
    }
@ else
    @{vec} sums = @{vec}_splat(0.0f);
    for (int i = 0; i < @{whole}; i += @{lanes}) {
        const @{vec} e = @{vec}_exp_minus(@{vec}_sub(top, @{vec}_load(from + i)));
@ if not is_log then
        @{vec}_store(to + i, e);
@ end
        sums = @{vec}_add(sums, e);
    }
@ end
    @{vec}_store(part, sums);
    for (int i = 0; i < @{lanes}; ++i) sum += part[i];
@ end
@ if rest > 0 then
    /* What is left, with zeros behind it. */
    for (int i = 0; i < @{lanes}; ++i) part[i] = i < @{rest} ? most - from[@{whole} + i] : 0.0f;
    @{vec}_store(part, @{vec}_exp_minus(@{vec}_load(part)));
    for (int i = 0; i < @{rest}; ++i) sum += part[i];
@ end
@ if is_log then
    /* The maximum first: beside a large one the logarithm would be rounded away. */
    const float less = logf(sum);
@ if whole > 0 then
    const @{vec} below = @{vec}_splat(less);
    for (int i = 0; i < @{whole}; i += @{lanes})
        @{vec}_store(to + i, @{vec}_sub(@{vec}_sub(@{vec}_load(from + i), top), below));
@ end
@ if rest > 0 then
    for (int i = @{whole}; i < @{outputs}; ++i) to[i] = from[i] - most - less;
@ end
@ else
    const float share = 1.0f / sum;
@ if whole > 0 then
    const @{vec} shares = @{vec}_splat(share);
    for (int i = 0; i < @{whole}; i += @{lanes}) @{vec}_store(to + i, @{vec}_mul(@{vec}_load(to + i), shares));
@ end
@ if rest > 0 then
    for (int i = 0; i < @{rest}; ++i) to[@{whole} + i] = part[i] * share;
@ end
@ end
}
