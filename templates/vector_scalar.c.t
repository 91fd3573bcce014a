@ -- One float at a time: the operations that the kernels are written in, without vectors.
@ assert(lanes == 1)
typedef float @{vec};
#if defined(__GNUC__) && defined(__OPTIMIZE__)
#define OPERATION static inline __attribute__((always_inline))
#else
#define OPERATION static inline
#endif
#define @{inline} static inline
#define @{attribute} static
/* Registers of x87 keep 64 bits of what a float has 24 of. */
#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0
#define @{vec}_round(r) __asm__("" : "+m"(r))
#else
#define @{vec}_round(r) ((void)0)
#endif

OPERATION @{vec} @{vec}_load(const float *p) { return *p; }
OPERATION void @{vec}_store(float *p, @{vec} a) { *p = a; }
OPERATION @{vec} @{vec}_splat(float x) { return x; }
@ for _, op in ipairs { { "add", "+" }, { "sub", "-" }, { "mul", "*" }, { "div", "/" } } do
@ if uses[op[1]] then
OPERATION @{vec} @{vec}_@{op[1]}(@{vec} a, @{vec} b) { @{vec} r = a @{op[2]} b; @{vec}_round(r); return r; }
@ end
@ end
/* a*b + c, rounded once where the processor has an instruction for it. */
OPERATION @{vec} @{vec}_fma(@{vec} a, @{vec} b, @{vec} c)
{
#if defined(__FP_FAST_FMAF) || defined(__ARM_FEATURE_FMA) || defined(__aarch64__) || defined(__riscv_flen) \
    || defined(__FMA__)
    return __builtin_fmaf(a, b, c);
#else
    @{vec} r = a * b;
    @{vec}_round(r);
    r += c;
    @{vec}_round(r);
    return r;
#endif
}
@ for _, op in ipairs { { "at_least", "<", "max", "larger" }, { "at_most", ">", "min", "smaller" } } do
@ if uses[op[1]] then
/* The @{op[4]} of a limit and x; NaN if x is NaN. Of a comparison clang's -ffast-math forgets that. */
OPERATION @{vec} @{vec}_@{op[1]}(@{vec} limit, @{vec} x)
{
#ifdef VECTORS_SSE2
    return _mm_cvtss_f32(_mm_@{op[3]}_ss(_mm_set_ss(limit), _mm_set_ss(x)));
#else
    return x @{op[2]} limit ? limit : x;
#endif
}
@ end
@ end
@ if uses.either or uses.or_nan or uses.unless_tiny or uses.scale then
OPERATION uint32_t @{vec}_bits(@{vec} a) { uint32_t bits; memcpy(&bits, &a, 4); return bits; }
@ end
@ if uses.either or uses.scale then
OPERATION @{vec} @{vec}_of_bits(uint32_t bits) { @{vec} a; memcpy(&a, &bits, 4); return a; }
@ end
@ if uses.either then
/* Not tiny where a or b is not: magnitudes have the ones of both. */
OPERATION @{vec} @{vec}_either(@{vec} a, @{vec} b) { return @{vec}_of_bits(@{vec}_bits(a) | @{vec}_bits(b)); }
@ end
@ if uses.or_nan then
/* a, or NaN where b is NaN. By bits, which no flag of a compiler reads another way. */
OPERATION @{vec} @{vec}_or_nan(@{vec} a, @{vec} b) { return (@{vec}_bits(b) & 0x7fffffffu) > 0x7f800000u ? b : a; }
@ end
@ if uses.unless_tiny then
/* x, or 0 where the magnitude of `by` is below @{flush_below}, whose bits are @{flush_bits}; a NaN is not tiny.
 * By bits: what they make together may look like a NaN that raises an exception. */
OPERATION @{vec} @{vec}_unless_tiny(@{vec} x, @{vec} by)
{
    return (@{vec}_bits(by) & 0x7fffffffu) < @{flush_bits}u ? 0.0f : x;
}
@ end
@ if uses.scale then
/* a 2^n, given n + 1.5 * 2^23: the low bits of that sum are n, which goes to the place of the exponent. */
OPERATION @{vec} @{vec}_scale(@{vec} a, @{vec} shifted)
{
    @{vec} r = a * @{vec}_of_bits((@{vec}_bits(shifted) << 23) + 0x3f800000u);
    @{vec}_round(r);
    return r;
}
@ end
