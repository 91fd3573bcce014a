@ -- The type and the operations of a vector of `lanes` floats, for AVX2 and AVX-512.
@ assert(lanes == 8 or lanes == 16)
/* A vector of @{lanes} floats. Arithmetic, loads and shuffles are the compiler's vector extensions.
 * Fused multiply-add is an intrinsic because gcc contracts nothing under -std=c11, and so are minimum
 * and maximum because their operand order decides what happens to NaN. */
typedef float @{vec} __attribute__((vector_size(@{lanes * 4})));
typedef float @{vec}_unaligned __attribute__((vector_size(@{lanes * 4}), aligned(4), may_alias));
@ -- Without optimisation every inlined value would have a place of its own on the stack: a megabyte for a large tile.
#ifdef __OPTIMIZE__
#define @{inline} static inline __attribute__((always_inline, target("@{isa}")))
#else
#define @{inline} static inline __attribute__((target("@{isa}")))
#endif
#define @{attribute} static __attribute__((noinline, target("@{isa}")))

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
    return @{intrinsic}_set1_ps(x);
}

@ for _, op in ipairs { { "add", "+" }, { "sub", "-" }, { "mul", "*" }, { "div", "/" } } do
@ if uses[op[1]] then
@{inline} @{vec} @{vec}_@{op[1]}(@{vec} a, @{vec} b)
{
@ if op[1] == "mul" then
    @{vec} product = a * b;
#ifdef __clang__
    /* Under -ffp-contract=fast it fuses additions to what it sees is a product, whatever pragmas say. */
    __asm__("" : "+@{lanes == 16 and "v" or "x"}"(product));
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
    return @{intrinsic}_fmadd_ps(a, b, c);
}
@ if uses.columns then

/* The n floats at p, fewer than @{lanes}, and zeros behind them, where nothing is read. */
@{inline} @{vec} @{vec}_load_some(const float *p, int n)
{
@ if lanes == 16 then
    return _mm512_maskz_loadu_ps((__mmask16)((1U << n) - 1U), p);
@ else
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_maskload_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(n), index));
@ end
}

/* The sum of all elements, halves by halves. */
@{inline} float @{vec}_total(@{vec} a)
{
@ if lanes == 16 then
@ -- By memory, which compilers leave out: g++ 12 takes the undefined operand of the intrinsic for a mistake.
    __m256 halves[2];
    memcpy(halves, &a, sizeof halves);
    const __m256 half = _mm256_add_ps(halves[0], halves[1]);
@ else
    const __m256 half = a;
@ end
    const __m128 quarter = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
    const __m128 pair = _mm_add_ps(quarter, _mm_movehl_ps(quarter, quarter));
    return _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)));
}
@ end
@ if uses.fma_next then

/* a times the vector at p, plus c. The load stays between those before and behind it, also in what the compiler
 * makes of them: a cache is ahead of loads only if each goes to the next line. */
@{inline} @{vec} @{vec}_fma_next(@{vec} a, const float *p, @{vec} c)
{
    const @{vec} sum = @{vec}_fma(a, @{vec}_load(p), c);
    __asm__ volatile("" : : : "memory");
    return sum;
}
@ end
@ if uses.load_next then

/* The vector at p. The load stays between those before and behind it, as above all in loops over rows of weights. */
@{inline} @{vec} @{vec}_load_next(const float *p)
{
    const @{vec} loaded = @{vec}_load(p);
    __asm__ volatile("" : : : "memory");
    return loaded;
}
@ end
@ for _, op in ipairs { { "at_least", "max", "larger" }, { "at_most", "min", "smaller" } } do
@ if uses[op[1]] then

/* The @{op[3]} of a limit and x; NaN if x is NaN. */
@{inline} @{vec} @{vec}_@{op[1]}(@{vec} limit, @{vec} x)
{
@ -- The form with a mask of ones is the same instruction; g++ 12 takes the plain one's undefined operand for a mistake.
@ if lanes == 16 then
    return _mm512_mask_@{op[2]}_ps(x, (__mmask16)-1, limit, x);
@ else
    return @{intrinsic}_@{op[2]}_ps(limit, x);
@ end
}
@ end
@ end
@ if uses.either then

/* Not tiny where a or b is not: magnitudes have the higher exponent of both. */
@{inline} @{vec} @{vec}_either(@{vec} a, @{vec} b)
{
    typedef unsigned bits __attribute__((vector_size(@{lanes * 4})));
    return (@{vec})((bits)a | (bits)b);
}
@ end
@ if uses.or_nan then

/* a, or NaN where b is NaN. By bits, which no flag of a compiler reads another way. */
@{inline} @{vec} @{vec}_or_nan(@{vec} a, @{vec} b)
{
    typedef int whole __attribute__((vector_size(@{lanes * 4})));
    return (@{vec})((whole)a | (((whole)b & 0x7fffffff) > 0x7f800000));
}
@ end
@ if lanes == 16 and helpers.fast then

/* Is a not at least b; true for NaN, also where clang takes for granted that there is none, which no pragma
 * changes for an intrinsic. */
#if defined(__clang__) && __FINITE_MATH_ONLY__
@{inline} __mmask16 @{vec}_not_at_least(@{vec} a, @{vec} b)
{
    __mmask16 r;
    __asm__("vcmpps $9, %2, %1, %0" : "=Yk"(r) : "v"(a), "v"(b));
    return r;
}
#else
#define @{vec}_not_at_least(a, b) _mm512_cmp_ps_mask(a, b, _CMP_NGE_UQ)
#endif
@ end
@ if uses.unless_tiny then

/* x, or 0 where the magnitude of `by` is below @{flush_below}, whose bits are @{flush_bits}; a NaN is not tiny.
 * By bits: what they make together may look like a NaN that raises an exception. */
@{inline} @{vec} @{vec}_unless_tiny(@{vec} x, @{vec} by)
{
@ if lanes == 16 then
    const __m512i magnitude = _mm512_and_epi32((__m512i)by, _mm512_set1_epi32(0x7fffffff));
    return _mm512_maskz_mov_ps(_mm512_cmp_epi32_mask(magnitude, _mm512_set1_epi32(@{flush_bits}), _MM_CMPINT_NLT), x);
@ else
    typedef int whole __attribute__((vector_size(32)));
    return (@{vec})((whole)x & (((whole)by & 0x7fffffff) >= @{flush_bits}));
@ end
}
@ end
@ if uses.scale then

@ if lanes == 16 then
/* a 2^n, given n + 1.5 * 2^23, in one instruction. */
@{inline} @{vec} @{vec}_scale(@{vec} a, @{vec} shifted)
{
    return _mm512_mask_scalef_ps(a, (__mmask16)-1, a, shifted - 12582912.0f);
}
@ else
/* a 2^n, given n + 1.5 * 2^23: the low bits of that sum are n, which goes to the place of the exponent. */
@{inline} @{vec} @{vec}_scale(@{vec} a, @{vec} shifted)
{
    typedef unsigned bits __attribute__((vector_size(@{lanes * 4})));
    return a * (@{vec})(((bits)shifted << 23) + 0x3f800000);
}
@ end
@ end
@ if uses.prefetch then

/* Asks for the cache line so many bytes behind p, which need not exist, into the second cache. */
@{inline} void @{vec}_prefetch(const float *p, uintptr_t bytes)
{
    __builtin_prefetch((const void *)((uintptr_t)p + bytes), 0, 2);
}
@ end
@ if uses.beside then
@ assert(group == 2)

/* The two floats at p over and over; a load does that by itself for 64 bits. */
@{inline} @{vec} @{vec}_splat_group(const float *p)
{
    double both;
    memcpy(&both, p, sizeof both);
    return @{intrinsic}_castpd_ps(@{intrinsic}_set1_pd(both));
}
@ end
@ if uses.transpose or uses.beside or uses.regroup or uses.regroup_two then

/* The elements of a and b with those numbers, b's counted on from a's. */
#if defined(__clang__) || __GNUC__ >= 12
#define @{vec}_shuffle(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
typedef int @{vec}_index __attribute__((vector_size(@{lanes * 4})));
#define @{vec}_shuffle(a, b, ...) __builtin_shuffle(a, b, (@{vec}_index){__VA_ARGS__})
#endif
@ end
@ if uses.transpose then
@ -- Elements of each quarter of 128 bits of a and b, from four numbers: 0 .. 3 of a, 4 .. 7 of b.
@ local function in_quarters(...)
@     local list = {}
@     for quarter = 0, lanes - 1, 4 do
@         for _, i in ipairs { ... } do list[#list + 1] = tostring(quarter + i % 4 + i // 4 * lanes) end
@     end
@     return concat(list, ", ")
@ end
@ -- Every second quarter of a, then of b.
@ local function every_second(first)
@     local list = {}
@     for i = 0, lanes - 1 do list[#list + 1] = tostring(i // 4 * 8 + first * 4 + i % 4) end
@     return concat(list, ", ")
@ end
/* Within each 128 bits: a0 b0 a1 b1, a2 b2 a3 b3, a0 a1 b0 b1, a2 a3 b2 b3. */
#define @{vec}_zip_low(a, b) @{vec}_shuffle(a, b, @{in_quarters(0, 4, 1, 5)})
#define @{vec}_zip_high(a, b) @{vec}_shuffle(a, b, @{in_quarters(2, 6, 3, 7)})
#define @{vec}_join_low(a, b) @{vec}_shuffle(a, b, @{in_quarters(0, 1, 4, 5)})
#define @{vec}_join_high(a, b) @{vec}_shuffle(a, b, @{in_quarters(2, 3, 6, 7)})

/* The even, the odd 128 bits of a, then of b. */
#define @{vec}_evens(a, b) @{vec}_shuffle(a, b, @{every_second(0)})
#define @{vec}_odds(a, b) @{vec}_shuffle(a, b, @{every_second(1)})
@ end
@ if uses.beside then
@ local low, high = {}, {}
@ for i = 0, lanes // 2 - 1, group do
@     for _, first in ipairs { i, lanes + i } do
@         for at = first, first + group - 1 do
@             low[#low + 1] = tostring(at)
@             high[#high + 1] = tostring(lanes // 2 + at)
@         end
@     end
@ end
/* a0 b0 a1 b1 ... of the lower, of the upper halves, each of @{group} floats. */
#define @{vec}_zip_groups_low(a, b) @{vec}_shuffle(a, b, @{concat(low, ", ")})
#define @{vec}_zip_groups_high(a, b) @{vec}_shuffle(a, b, @{concat(high, ", ")})

/* The element with that number of each group of @{group}, over and over. */
@ for u = 0, group - 1 do
@ local list = {}
@ for i = 0, lanes - 1 do list[i + 1] = tostring(i // group * group + u) end
#define @{vec}_spread_@{u}(a) @{vec}_shuffle(a, a, @{concat(list, ", ")})
@ end
@ end
@ -- Numbers of the elements in four quarters, 0 .. 7, of a and b.
@ local function quarters(...)
@     local list = {}
@     for _, quarter in ipairs { ... } do
@         for i = 0, lanes // 4 - 1 do list[#list + 1] = tostring(quarter * (lanes // 4) + i) end
@     end
@     return concat(list, ", ")
@ end
@ if uses.regroup then

/* Four groups of units, each with a quarter of the lanes for each of four gates, become a vector for each gate. */
@{inline} void @{vec}_regroup(@{vec} a, @{vec} b, @{vec} c, @{vec} d, @{vec} *gate0, @{vec} *gate1,
    @{vec} *gate2, @{vec} *gate3)
{
@ for _, half in ipairs { { "low", 0 }, { "high", 2 } } do
    const @{vec} @{half[1]}_ab = @{vec}_shuffle(a, b, @{quarters(half[2], half[2] + 1, half[2] + 4, half[2] + 5)});
    const @{vec} @{half[1]}_cd = @{vec}_shuffle(c, d, @{quarters(half[2], half[2] + 1, half[2] + 4, half[2] + 5)});
@ end
@ for gate = 0, 3 do
@ local half, i = gate < 2 and "low" or "high", gate % 2
    *gate@{gate} = @{vec}_shuffle(@{half}_ab, @{half}_cd, @{quarters(i, i + 2, i + 4, i + 6)});
@ end
}
@ end
@ if uses.regroup_two then

/* The same of two groups, twice. */
@{inline} void @{vec}_regroup_two(@{vec} a, @{vec} b, @{vec} *gate0, @{vec} *gate1, @{vec} *gate2, @{vec} *gate3)
{
@ for gate = 0, 3 do
    *gate@{gate} = @{vec}_shuffle(a, b, @{quarters(gate, gate + 4, gate, gate + 4)});
@ end
}
@ end
