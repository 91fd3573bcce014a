@ -- The type and the operations of a vector of four floats on AArch64, in one of the registers that it calls q.
@ assert(lanes == 4)
/* A vector of four floats. Arithmetic, loads and shuffles are the compiler's vector extensions. Fused multiply-add is
 * an intrinsic because no flag of the command line is to decide on it; a factor that is one value of a vector goes into
 * the instruction. */
typedef float @{vec} __attribute__((vector_size(16)));
typedef float @{vec}_unaligned __attribute__((vector_size(16), aligned(4), may_alias));
#ifdef __OPTIMIZE__
#define @{inline} static inline __attribute__((always_inline))
#else
#define @{inline} static inline
#endif
#define @{attribute} static __attribute__((noinline))

@{inline} @{vec} @{vec}_load(const float *p)
{
    return (@{vec}) * (const @{vec}_unaligned *)(const void *)p;
}

@{inline} void @{vec}_store(float *p, @{vec} a)
{
    *(@{vec}_unaligned *)(void *)p = (@{vec}_unaligned)a;
}

@{inline} @{vec} @{vec}_splat(float x)
{
    return (@{vec})vdupq_n_f32(x);
}

@ for _, op in ipairs { { "add", "+" }, { "sub", "-" }, { "mul", "*" }, { "div", "/" } } do
@ if uses[op[1]] then
@{inline} @{vec} @{vec}_@{op[1]}(@{vec} a, @{vec} b)
{
@ if op[1] == "mul" then
    @{vec} product = a * b;
#ifdef __clang__
    /* Under -ffp-contract=fast it fuses additions to what it sees is a product, whatever pragmas say. */
    __asm__("" : "+w"(product));
#endif
    return product;
@ else
    return a @{op[2]} b;
@ end
}

@ end
@ end
/* a*b + c, rounded once. */
@{inline} @{vec} @{vec}_fma(@{vec} a, @{vec} b, @{vec} c)
{
    return (@{vec})vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
@ for _, op in ipairs { { "at_least", "max", "larger" }, { "at_most", "min", "smaller" } } do
@ if uses[op[1]] then

/* The @{op[3]} of a limit and x; NaN if x is NaN. */
@{inline} @{vec} @{vec}_@{op[1]}(@{vec} limit, @{vec} x)
{
    return (@{vec})v@{op[2]}q_f32((float32x4_t)limit, (float32x4_t)x);
}
@ end
@ end
@ if uses.either then

/* Not tiny where a or b is not: magnitudes have the ones of both. */
@{inline} @{vec} @{vec}_either(@{vec} a, @{vec} b)
{
    return (@{vec})vorrq_u32((uint32x4_t)a, (uint32x4_t)b);
}
@ end
@ if uses.or_nan then

/* a, or NaN where b is NaN. By bits, which no flag of a compiler reads another way. */
@{inline} @{vec} @{vec}_or_nan(@{vec} a, @{vec} b)
{
    typedef int32_t whole __attribute__((vector_size(16)));
    return (@{vec})((whole)a | (((whole)b & 0x7fffffff) > 0x7f800000));
}
@ end
@ if uses.unless_tiny then

/* x, or 0 where the magnitude of `by` is below @{flush_below}, whose bits are @{flush_bits}; a NaN is not tiny. */
@{inline} @{vec} @{vec}_unless_tiny(@{vec} x, @{vec} by)
{
    typedef int32_t whole __attribute__((vector_size(16)));
    return (@{vec})((whole)x & (((whole)by & 0x7fffffff) >= @{flush_bits}));
}
@ end
@ if uses.scale then

/* a 2^n, given n + 1.5 * 2^23: the low bits of that sum are n, which goes to the place of the exponent. */
@{inline} @{vec} @{vec}_scale(@{vec} a, @{vec} shifted)
{
    typedef uint32_t bits __attribute__((vector_size(16)));
    @{vec} product = a * (@{vec})(((bits)shifted << 23) + 0x3f800000u);
#ifdef __clang__
    __asm__("" : "+w"(product));
#endif
    return product;
}
@ end
@ if uses.transpose or uses.beside or uses.regroup or uses.regroup_two then

/* The elements of a and b with those numbers, b's counted on from a's. */
#if defined(__clang__) || __GNUC__ >= 12
#define @{vec}_shuffle(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
typedef int @{vec}_index __attribute__((vector_size(16)));
#define @{vec}_shuffle(a, b, ...) __builtin_shuffle(a, b, (@{vec}_index){ __VA_ARGS__ })
#endif
@ end
@ if uses.transpose then

/* a0 b0 a1 b1, a2 b2 a3 b3, a0 a1 b0 b1, a2 a3 b2 b3. */
#define @{vec}_zip_low(a, b) @{vec}_shuffle(a, b, 0, 4, 1, 5)
#define @{vec}_zip_high(a, b) @{vec}_shuffle(a, b, 2, 6, 3, 7)
#define @{vec}_join_low(a, b) @{vec}_shuffle(a, b, 0, 1, 4, 5)
#define @{vec}_join_high(a, b) @{vec}_shuffle(a, b, 2, 3, 6, 7)
@ end
@ if uses.beside then
@ assert(group == 2)

/* a0 a1 b0 b1, a2 a3 b2 b3, a0 a0 a2 a2 and a1 a1 a3 a3. */
#define @{vec}_zip_groups_low(a, b) @{vec}_shuffle(a, b, 0, 1, 4, 5)
#define @{vec}_zip_groups_high(a, b) @{vec}_shuffle(a, b, 2, 3, 6, 7)
#define @{vec}_spread_0(a) @{vec}_shuffle(a, a, 0, 0, 2, 2)
#define @{vec}_spread_1(a) @{vec}_shuffle(a, a, 1, 1, 3, 3)

/* The two floats at p over and over. */
@{inline} @{vec} @{vec}_splat_group(const float *p)
{
    const float32x2_t both = vld1_f32(p);
    return (@{vec})vcombine_f32(both, both);
}
@ end
@ if uses.regroup then

/* Four units, each with a lane for each of four gates, become a vector for each gate. */
@{inline} void @{vec}_regroup(@{vec} a, @{vec} b, @{vec} c, @{vec} d, @{vec} *gate0, @{vec} *gate1,
    @{vec} *gate2, @{vec} *gate3)
{
    const @{vec} low_ab = @{vec}_shuffle(a, b, 0, 4, 1, 5), low_cd = @{vec}_shuffle(c, d, 0, 4, 1, 5);
    const @{vec} high_ab = @{vec}_shuffle(a, b, 2, 6, 3, 7), high_cd = @{vec}_shuffle(c, d, 2, 6, 3, 7);
    *gate0 = @{vec}_shuffle(low_ab, low_cd, 0, 1, 4, 5);
    *gate1 = @{vec}_shuffle(low_ab, low_cd, 2, 3, 6, 7);
    *gate2 = @{vec}_shuffle(high_ab, high_cd, 0, 1, 4, 5);
    *gate3 = @{vec}_shuffle(high_ab, high_cd, 2, 3, 6, 7);
}
@ end
@ if uses.regroup_two then

/* The same of two units, twice. */
@{inline} void @{vec}_regroup_two(@{vec} a, @{vec} b, @{vec} *gate0, @{vec} *gate1, @{vec} *gate2, @{vec} *gate3)
{
@ for gate = 0, 3 do
    *gate@{gate} = @{vec}_shuffle(a, b, @{gate}, @{gate + 4}, @{gate}, @{gate + 4});
@ end
}
@ end
