@ -- The type and the operations of a vector of `lanes` floats in plain C11.
/* @{lanes} floats. Compilers turn these loops into vector instructions where there are any. */
typedef struct { float lane[@{lanes}]; } @{vec};
#define @{inline} static inline
#define @{attribute} static

@{inline} @{vec} @{vec}_load(const float *p)
{
    @{vec} r;
    for (int i = 0; i < @{lanes}; ++i) r.lane[i] = p[i];
    return r;
}

@{inline} void @{vec}_store(float *p, @{vec} a)
{
    for (int i = 0; i < @{lanes}; ++i) p[i] = a.lane[i];
}

@{inline} @{vec} @{vec}_splat(float x)
{
    @{vec} r;
    for (int i = 0; i < @{lanes}; ++i) r.lane[i] = x;
    return r;
}
@ for _, op in ipairs { { "add", "+" }, { "sub", "-" }, { "mul", "*" }, { "div", "/" } } do
@ if uses[op[1]] then

@{inline} @{vec} @{vec}_@{op[1]}(@{vec} a, @{vec} b)
{
    @{vec} r;
    for (int i = 0; i < @{lanes}; ++i) r.lane[i] = a.lane[i] @{op[2]} b.lane[i];
    return r;
}
@ end
@ end

/* a*b + c; whether it is rounded once or twice is the compiler's choice. */
@{inline} @{vec} @{vec}_fma(@{vec} a, @{vec} b, @{vec} c)
{
    @{vec} r;
    for (int i = 0; i < @{lanes}; ++i) r.lane[i] = a.lane[i] * b.lane[i] + c.lane[i];
    return r;
}
@ for _, op in ipairs { { "at_least", "<", "larger" }, { "at_most", ">", "smaller" } } do
@ if uses[op[1]] then

/* The @{op[3]} of a limit and x; NaN if x is NaN. */
@{inline} @{vec} @{vec}_@{op[1]}(@{vec} limit, @{vec} x)
{
    @{vec} r;
    for (int i = 0; i < @{lanes}; ++i) r.lane[i] = x.lane[i] @{op[2]} limit.lane[i] ? limit.lane[i] : x.lane[i];
    return r;
}
@ end
@ end
@ if uses.either then

/* Not tiny where a or b is not: the sum of magnitudes. */
@{inline} @{vec} @{vec}_either(@{vec} a, @{vec} b)
{
    @{vec} r;
    for (int i = 0; i < @{lanes}; ++i)
        r.lane[i] = (a.lane[i] < 0.0f ? -a.lane[i] : a.lane[i]) + (b.lane[i] < 0.0f ? -b.lane[i] : b.lane[i]);
    return r;
}
@ end
@ if uses.unless_tiny then

/* x, or 0 where the magnitude of `by` is below 1e-30; a NaN is not tiny. */
@{inline} @{vec} @{vec}_unless_tiny(@{vec} x, @{vec} by)
{
    @{vec} r;
    for (int i = 0; i < @{lanes}; ++i) r.lane[i] = by.lane[i] < 1e-30f && by.lane[i] > -1e-30f ? 0.0f : x.lane[i];
    return r;
}
@ end
@ if uses.scale then

/* a 2^n, given n + 1.5 * 2^23: the low bits of that sum are n, which goes to the place of the exponent. */
@{inline} @{vec} @{vec}_scale(@{vec} a, @{vec} shifted)
{
    uint32_t bits[@{lanes}];
    memcpy(bits, shifted.lane, sizeof bits);
    for (int i = 0; i < @{lanes}; ++i) bits[i] = (bits[i] << 23) + 0x3f800000u;
    memcpy(shifted.lane, bits, sizeof bits);
    for (int i = 0; i < @{lanes}; ++i) a.lane[i] *= shifted.lane[i];
    return a;
}
@ end
@ if uses.transpose or uses.beside then

@ local shuffles = { { "zip_low", "a0 b0 a1 b1" }, { "zip_high", "a2 b2 a3 b3" }, { "join_low", "a0 a1 b0 b1" }, { "join_high", "a2 a3 b2 b3" } }
@ if uses.beside then
@ assert(lanes == 4 and beside == 2)
@ shuffles = { { "zip_groups_low", "a0 a1 b0 b1" }, { "zip_groups_high", "a2 a3 b2 b3" } }
@ end
@ for _, op in ipairs(shuffles) do
/* @{op[2]}. */
@{inline} @{vec} @{vec}_@{op[1]}(@{vec} a, @{vec} b)
{
@ local from = {}
@ for source, i in op[2]:gmatch("(%a)(%d)") do from[#from + 1] = format("%s.lane[%s]", source, i) end
    const @{vec} r = { { @{concat(from, ", ")} } };
    return r;
}

@ end
@ end
@ if uses.beside then
/* The @{beside} floats at p over and over. */
@{inline} @{vec} @{vec}_splat_group(const float *p)
{
    @{vec} r;
    for (int i = 0; i < @{lanes}; ++i) r.lane[i] = p[i % @{beside}];
    return r;
}

/* The element with that number of each group of @{beside}, over and over. */
@ for u = 0, beside - 1 do
@{inline} @{vec} @{vec}_spread_@{u}(@{vec} a)
{
    @{vec} r;
    for (int i = 0; i < @{lanes}; ++i) r.lane[i] = a.lane[i / @{beside} * @{beside}@{u > 0 and format(" + %d", u) or ""}];
    return r;
}

@ end
@ end
@ if uses.regroup then

/* Four groups of units, each with a quarter of the lanes for each of four gates, become a vector for each gate. */
@{inline} void @{vec}_regroup(@{vec} a, @{vec} b, @{vec} c, @{vec} d, @{vec} *gate0, @{vec} *gate1, @{vec} *gate2, @{vec} *gate3)
{
    const @{vec} groups[4] = { a, b, c, d };
    for (int i = 0; i < @{lanes}; ++i) {
        const float *const group = groups[i / @{lanes // 4}].lane + i % @{lanes // 4};
        gate0->lane[i] = group[0];
        gate1->lane[i] = group[@{lanes // 4}];
        gate2->lane[i] = group[@{lanes // 2}];
        gate3->lane[i] = group[@{lanes // 4 * 3}];
    }
}
@ end
@ if uses.regroup_two then

/* The same of two groups, twice. */
@{inline} void @{vec}_regroup_two(@{vec} a, @{vec} b, @{vec} *gate0, @{vec} *gate1, @{vec} *gate2, @{vec} *gate3)
{
    const @{vec} groups[2] = { a, b };
    for (int i = 0; i < @{lanes}; ++i) {
        const float *const group = groups[i / @{lanes // 4} % 2].lane + i % @{lanes // 4};
        gate0->lane[i] = group[0];
        gate1->lane[i] = group[@{lanes // 4}];
        gate2->lane[i] = group[@{lanes // 2}];
        gate3->lane[i] = group[@{lanes // 4 * 3}];
    }
}
@ end
