@ -- What optimisers of NAME_train.c do for each parameter, for one target.
@ -- vec, lanes, inline, attribute, intrinsic, suffix: the target's
@ local function op(name, ...) return format("%s_%s(%s)", vec, name, concat({ ... }, ", ")) end

/* The sum of the squares. */
@{attribute} double squares@{suffix}(size_t count, const float *p)
{
@ if lanes >= 8 then
    typedef float half __attribute__((vector_size(@{lanes * 2})));
    typedef double numbers __attribute__((vector_size(@{lanes * 4})));
    /* Two, which do not wait for each other. */
    numbers low = { 0 }, high = { 0 };
    const size_t whole = count - count % @{lanes};
    for (size_t i = 0; i < whole; i += @{lanes}) {
        half a, b;
        memcpy(&a, p + i, sizeof a);
        memcpy(&b, p + i + @{lanes // 2}, sizeof b);
        const numbers first = __builtin_convertvector(a, numbers), second = __builtin_convertvector(b, numbers);
        low += first * first;
        high += second * second;
    }
    low += high;
    double sum = 0;
    for (int k = 0; k < @{lanes // 2}; ++k) sum += low[k];
    for (size_t i = whole; i < count; ++i) sum += (double)p[i] * (double)p[i];
    return sum;
@ else
    double sum = 0;
    for (size_t i = 0; i < count; ++i) sum += (double)p[i] * (double)p[i];
    return sum;
@ end
}

/* A step of Adam. */
@{attribute} void adam@{suffix}(size_t count, const adam_factors *f, float *p, const float *gradient, float *first,
    float *second)
{
@ if lanes >= 8 then
@ for _, name in ipairs { "rate", "unbias", "kept1", "new1", "kept2", "new2", "small", "in_gradient", "shrink" } do
    const @{vec} @{name} = @{op("splat", "f->" .. name)};
@ end
    for (size_t i = 0; i < count; i += @{lanes}) {
        const size_t values = count - i < @{lanes} ? count - i : @{lanes};
        const @{vec} w = @{op("load_part", "p + i", "values")};
        const @{vec} g = @{op("fma", "in_gradient", "w", op("load_part", "gradient + i", "values"))};
        const @{vec} a = @{op("fma", "kept1", op("load_part", "first + i", "values"), op("mul", "new1", "g"))};
        const @{vec} square = @{op("mul", op("mul", "new2", "g"), "g")};
        const @{vec} b = @{op("fma", "kept2", op("load_part", "second + i", "values"), "square")};
@ -- The form with a mask of ones is the same instruction; g++ 12 takes the plain one's undefined operand for a mistake.
@ local root = lanes == 16 and "_mm512_maskz_sqrt_ps((__mmask16)-1, (__m512)b)" or "_mm256_sqrt_ps((__m256)b)"
        const @{vec} root = (@{vec})@{root};
        const @{vec} step = @{op("div", op("mul", "rate", "a"), op("fma", "root", "unbias", "small"))};
        @{op("store_part", "first + i", "a", "values")};
        @{op("store_part", "second + i", "b", "values")};
        @{op("store_part", "p + i", op("sub", op("mul", "shrink", "w"), "step"), "values")};
    }
@ else
    for (size_t i = 0; i < count; ++i) {
        const float g = gradient[i] + f->in_gradient * p[i];
        first[i] = f->kept1 * first[i] + f->new1 * g;
        second[i] = f->kept2 * second[i] + f->new2 * g * g;
        p[i] = f->shrink * p[i] - f->rate * first[i] / (sqrtf(second[i]) * f->unbias + f->small);
    }
@ end
}
