@ -- The type and the operations of a vector of four floats in C: as GNU vectors where the machine has such vectors
@ -- with IEEE arithmetic, lane by lane elsewhere. Both give the same bits.
@ assert(lanes == 4)
@ -- `text` once for each lane, its number for every %d.
@ local function each(text, between)
@     local list = {}
@     for i = 0, lanes - 1 do list[i + 1] = (text:gsub("%%d", i)) end
@     return concat(list, between or "\n    ")
@ end
@ -- An operation of both kinds: the C of the vectors and of a lane.
@ local function both(head, vectors, lane)
@{inline} @{vec} @{vec}_@{head}
{
#ifdef @{vec}_SIMD
    @{vectors}
#else
    @{lane}
#endif
}
@ end
#if defined(__GNUC__) && (defined(__SSE2__) || defined(__aarch64__) || defined(__VSX__) || defined(__wasm_simd128__))
#define @{vec}_SIMD
typedef float @{vec} __attribute__((vector_size(16)));
typedef float @{vec}_unaligned __attribute__((vector_size(16), aligned(4), may_alias));
@ if uses.scale or uses.either or uses.unless_tiny or uses.at_least or uses.at_most then
typedef uint32_t @{vec}_bits __attribute__((vector_size(16)));
@ end
#define @{vec}_lane(a, i) (a)[i]
#else
typedef struct { float lane[4]; } @{vec};
#define @{vec}_lane(a, i) (a).lane[i]
#endif
#if defined(__GNUC__) && defined(__OPTIMIZE__)
#define @{inline} static inline __attribute__((always_inline))
#else
#define @{inline} static inline
#endif
#define @{attribute} static

/* A result with no more precision than a float has, before anything is done with it: clang fuses additions to
 * products under -ffp-contract=fast whatever pragmas say, and x87 registers keep 64 bits. */
@ local function lanes_in(kind) return each(format('__asm__("" : "+%s"((r).lane[%%d]));', kind), " \\\n        ") end
#if defined(@{vec}_SIMD) && defined(__clang__) && (defined(__x86_64__) || defined(__i386__))
#define @{vec}_round(r) __asm__("" : "+x"(r))
#elif defined(@{vec}_SIMD) && defined(__clang__) && defined(__aarch64__)
#define @{vec}_round(r) __asm__("" : "+w"(r))
#elif !defined(@{vec}_SIMD) && defined(__clang__) && defined(__ARM_FP)
#define @{vec}_round(r) \
    do { \
        @{lanes_in("t")} \
    } while (0)
#elif !defined(@{vec}_SIMD) && defined(__clang__) && defined(__riscv_flen)
#define @{vec}_round(r) \
    do { \
        @{lanes_in("f")} \
    } while (0)
#elif !defined(@{vec}_SIMD) && defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0
#define @{vec}_round(r) __asm__("" : "+m"(r))
#else
#define @{vec}_round(r) ((void)0)
#endif

@{inline} @{vec} @{vec}_load(const float *p)
{
#ifdef @{vec}_SIMD
    return (@{vec}) * (const @{vec}_unaligned *)(const void *)p;
#else
    const @{vec} r = { { p[0], p[1], p[2], p[3] } };
    return r;
#endif
}

@{inline} void @{vec}_store(float *p, @{vec} a)
{
#ifdef @{vec}_SIMD
    *(@{vec}_unaligned *)(void *)p = (@{vec}_unaligned)a;
#else
    @{each("p[%d] = a.lane[%d];", " ")}
#endif
}

@ -- A vector of four values, as C.
@ local function vector_of(head, values)
@     local text = "const %s r = { %s };\n    return r;"
@     both(head, format(text, vec, values), format(text, vec, "{ " .. values .. " }"))
@ end
@ vector_of("splat(float x)", "x, x, x, x")
/* a op b, and what rounds it: of vectors only products need that. */
#ifdef @{vec}_SIMD
#define @{vec}_operation(a, op, b) (a) op (b)
#define @{vec}_round_lanes(r) ((void)0)
#else
#define @{vec}_operation(a, op, b) { { @{each("(a).lane[%d] op (b).lane[%d]", ", ")} } }
#define @{vec}_round_lanes(r) @{vec}_round(r)
#endif
@ for _, op in ipairs { { "add", "+" }, { "sub", "-" }, { "mul", "*" }, { "div", "/" } } do
@ if uses[op[1]] then

@{inline} @{vec} @{vec}_@{op[1]}(@{vec} a, @{vec} b)
{
    @{vec} r = @{vec}_operation(a, @{op[2]}, b);
    @{vec}_round@{op[1] == "mul" and "" or "_lanes"}(r);
    return r;
}
@ end
@ end

/* a*b + c, rounded twice. */
@{inline} @{vec} @{vec}_fma(@{vec} a, @{vec} b, @{vec} c)
{
    @{vec} product = @{vec}_operation(a, *, b);
    @{vec}_round(product);
    @{vec} r = @{vec}_operation(product, +, c);
    @{vec}_round_lanes(r);
    return r;
}
@ for _, op in ipairs { { "at_least", "<", "max", "larger" }, { "at_most", ">", "min", "smaller" } } do
@ if uses[op[1]] then

/* The @{op[4]} of a limit and x; NaN if x is NaN. */
@{inline} @{vec} @{vec}_@{op[1]}(@{vec} limit, @{vec} x)
{
#ifdef @{vec}_SIMD
#ifdef VECTORS_SSE2
    return _mm_@{op[3]}_ps(limit, x);
#else
    const @{vec}_bits beyond = (@{vec}_bits)(x @{op[2]} limit);
    return (@{vec})((beyond & (@{vec}_bits)limit) | (~beyond & (@{vec}_bits)x));
#endif
#else
    @{vec} r;
    @{each("r.lane[%d] = x.lane[%d] " .. op[2] .. " limit.lane[%d] ? limit.lane[%d] : x.lane[%d];")}
    return r;
#endif
}
@ end
@ end
@ if uses.either then

/* Not tiny where a or b is not: magnitudes have the ones of both. */
@{inline} @{vec} @{vec}_either(@{vec} a, @{vec} b)
{
#ifdef @{vec}_SIMD
    return (@{vec})((@{vec}_bits)a | (@{vec}_bits)b);
#else
    uint32_t bits[2][4];
    memcpy(bits[0], a.lane, sizeof a.lane);
    memcpy(bits[1], b.lane, sizeof b.lane);
    @{each("bits[0][%d] |= bits[1][%d];")}
    memcpy(a.lane, bits[0], sizeof a.lane);
    return a;
#endif
}
@ end
@ if uses.or_nan then

/* a, or NaN where b is NaN. By bits, which no flag of a compiler reads another way. */
@{inline} @{vec} @{vec}_or_nan(@{vec} a, @{vec} b)
{
#ifdef @{vec}_SIMD
    typedef int32_t whole __attribute__((vector_size(16)));
    return (@{vec})((whole)a | (((whole)b & 0x7fffffff) > 0x7f800000));
#else
    uint32_t bits[2][4];
    memcpy(bits[0], a.lane, sizeof a.lane);
    memcpy(bits[1], b.lane, sizeof b.lane);
    @{each("if ((bits[1][%d] & 0x7fffffffu) > 0x7f800000u) bits[0][%d] = 0x7fc00000u;")}
    memcpy(a.lane, bits[0], sizeof a.lane);
    return a;
#endif
}
@ end
@ if uses.unless_tiny then

/* x, or 0 where the magnitude of `by` is below @{flush_below}, whose bits are @{flush_bits}; a NaN is not tiny.
 * By bits: what they make together may look like a NaN that raises an exception. */
@{inline} @{vec} @{vec}_unless_tiny(@{vec} x, @{vec} by)
{
#ifdef @{vec}_SIMD
    typedef int32_t whole __attribute__((vector_size(16)));
    return (@{vec})((whole)x & (((whole)by & 0x7fffffff) >= @{flush_bits}));
#else
    uint32_t bits[4];
    memcpy(bits, by.lane, sizeof bits);
    @{each("if ((bits[%d] & 0x7fffffffu) < " .. flush_bits .. "u) x.lane[%d] = 0.0f;")}
    return x;
#endif
}
@ end
@ if uses.scale then

/* a 2^n, given n + 1.5 * 2^23: the low bits of that sum are n, which goes to the place of the exponent. */
@{inline} @{vec} @{vec}_scale(@{vec} a, @{vec} shifted)
{
#ifdef @{vec}_SIMD
    @{vec} r = a * (@{vec})(((@{vec}_bits)shifted << 23) + 0x3f800000u);
#else
    uint32_t bits[4];
    memcpy(bits, shifted.lane, sizeof bits);
    @{each("bits[%d] = (bits[%d] << 23) + 0x3f800000u;")}
    @{vec} r;
    memcpy(r.lane, bits, sizeof bits);
    @{each("r.lane[%d] *= a.lane[%d];", " ")}
#endif
    @{vec}_round(r);
    return r;
}
@ end
@ -- A vector of elements of a, b, c, d: "a0 b0 a1 b1".
@ local function picked(words)
@     local list = {}
@     for source, i in words:gmatch("(%a)(%d)") do list[#list + 1] = format("%s_lane(%s, %s)", vec, source, i) end
@     return concat(list, ", ")
@ end
@ if uses.transpose or uses.beside or uses.regroup or uses.regroup_two then

/* A vector of four floats. */
@ vector_of("of(float a, float b, float c, float d)", "a, b, c, d")
@ end
@ if uses.transpose or uses.beside then

@ local shuffles = {}
@ if uses.transpose then
@ shuffles = { { "zip_low", "a0 b0 a1 b1" }, { "zip_high", "a2 b2 a3 b3" },
@              { "join_low", "a0 a1 b0 b1" }, { "join_high", "a2 a3 b2 b3" } }
@ end
@ if uses.beside then
@ assert(group == 2)
@ shuffles[#shuffles + 1] = { "zip_groups_low", "a0 a1 b0 b1" }
@ shuffles[#shuffles + 1] = { "zip_groups_high", "a2 a3 b2 b3" }
@ end
@ for _, op in ipairs(shuffles) do
/* @{op[2]}. */
@{inline} @{vec} @{vec}_@{op[1]}(@{vec} a, @{vec} b)
{
    return @{vec}_of(@{picked(op[2])});
}

@ end
@ end
@ if uses.beside then
/* The @{group} floats at p over and over. */
@{inline} @{vec} @{vec}_splat_group(const float *p)
{
    return @{vec}_of(p[0], p[1], p[0], p[1]);
}

/* The element with that number of each group of @{group}, over and over. */
@ for u = 0, group - 1 do
@{inline} @{vec} @{vec}_spread_@{u}(@{vec} a)
{
    return @{vec}_of(@{picked(format("a%d a%d a%d a%d", u, u, u + 2, u + 2))});
}

@ end
@ end
@ for _, kind in ipairs { { "regroup", "a%d b%d c%d d%d", "a b c d" }, { "regroup_two", "a%d b%d a%d b%d", "a b" } } do
@ if uses[kind[1]] then

/* @{kind[1] == "regroup" and "Four groups" or "Two groups, twice,"} of units, each with a quarter of the lanes for each
 * of four gates, become a vector for each gate. */
@{inline} void @{vec}_@{kind[1]}(@{(kind[3]:gsub("%a ?", vec .. " %0,"):gsub(" ,", ", "))} @{vec} *gate0, @{vec} *gate1,
    @{vec} *gate2, @{vec} *gate3)
{
@ for gate = 0, 3 do
    *gate@{gate} = @{vec}_of(@{picked((kind[2]:gsub("%%d", gate)))});
@ end
}
@ end
@ end
