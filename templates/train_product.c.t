@ -- Products of NAME_train.c for one target: tiles of rows and vectors whose sums stay in registers.
@ -- vec, lanes, inline, attribute, suffix: the target's; uses: names of what else the programs call
@ local function op(name, ...) return format("%s_%s(%s)", vec, name, concat({ ... }, ", ")) end
@ if lanes > 1 then

@ if lanes == 8 then
/* Ones in the first `count` lanes. */
@{inline} __m256i @{vec}_mask(size_t count)
{
    static const int32_t ones[16] = { -1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0 };
    return _mm256_loadu_si256((const __m256i *)(const void *)(ones + 8 - count));
}

@ end
/* The first `count` values at p, 0 behind them; and into p. */
@{inline} @{vec} @{vec}_load_part(const float *p, size_t count)
{
@ if lanes == 16 then
    return (@{vec})_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), p);
@ elseif lanes == 8 then
    return (@{vec})_mm256_maskload_ps(p, @{vec}_mask(count));
@ else
    float part[@{lanes}] = { 0 };
    if (count == @{lanes}) return @{op("load", "p")};
    memcpy(part, p, count * sizeof(float));
    return @{op("load", "part")};
@ end
}

@{inline} void @{vec}_store_part(float *p, @{vec} a, size_t count)
{
    if (count == @{lanes}) {
        @{op("store", "p", "a")};
    } else {
@ if lanes == 16 then
        _mm512_mask_storeu_ps(p, (__mmask16)((1u << count) - 1), a);
@ elseif lanes == 8 then
        _mm256_maskstore_ps(p, @{vec}_mask(count), (__m256)a);
@ else
        float part[@{lanes}];
        @{op("store", "part", "a")};
        memcpy(p, part, count * sizeof(float));
@ end
    }
}
@ end
@ if uses.less then

/* 1 where a < b, else 0. */
@{inline} @{vec} @{vec}_less(@{vec} a, @{vec} b)
{
@ if lanes == 1 then
    return a < b ? 1.0f : 0.0f;
@ else
@ if lanes == 4 then
#ifdef @{vec}_SIMD
@ end
    typedef int32_t whole __attribute__((vector_size(@{lanes * 4})));
    return (@{vec})((whole)(a < b) & (whole)@{op("splat", "1.0f")});
@ if lanes == 4 then
#else
    for (int i = 0; i < 4; ++i) a.lane[i] = a.lane[i] < b.lane[i] ? 1.0f : 0.0f;
    return a;
#endif
@ end
@ end
}
@ end
@ if multiplies then

/* Vectors of the first of so many panels: as many as in the others, or one more. Divisions would take longer. */
@{inline} size_t width@{suffix}(size_t vectors, size_t panels)
{
    size_t width = @{most};
    while ((width - 1) * panels >= vectors) --width;
    return width;
}

/* A matrix (r, n), whose values lie b_r and b_n floats apart, as panels: up to @{most} vectors of each row side by
 * side, and the rows of a panel one after the other. What is left of the last vector is 0. */
@{attribute} void pack@{suffix}(size_t r, size_t n, const float *b, size_t b_r, size_t b_n, float *to)
{
    size_t vectors = (n + @{lanes - 1}) / @{lanes};
    for (size_t panels = (vectors + @{most - 1}) / @{most}; panels > 0; --panels) {
        const size_t width = width@{suffix}(vectors, panels), floats = width * @{lanes},
            count = n < floats ? n : floats;
        if (b_n == 1) {
            for (size_t k = 0; k < r; ++k) {
                memcpy(to + k * floats, b + k * b_r, count * sizeof(float));
                for (size_t i = count; i < floats; ++i) to[k * floats + i] = 0.0f;
            }
        } else {
            /* Lines of the cache that a column touches are still there for the next one. */
            for (size_t first = 0; first < r; first += 16) {
                const size_t end = r - first < 16 ? r : first + 16;
                for (size_t i = 0; i < floats; ++i)
                    for (size_t k = first; k < end; ++k) to[k * floats + i] = i < count ? b[i * b_n + k * b_r] : 0.0f;
            }
        }
        to += r * floats;
        b += count * b_n;
        n -= count;
        vectors -= width;
    }
}
@ for width = most, 1, -1 do
@ if widths[width] then
@ for _, rows in ipairs(heights[width]) do
@ local function part(full, of_part, w) return (lanes > 1 and w == width - 1) and of_part or full end

/* @{rows} row(s) by a panel of @{width} vector(s), the last of which has `last` values in c; added to rows of
 * `first`. */
@{attribute} void tile_@{rows}x@{width}@{suffix}(size_t depth, const float *a, size_t a_m, size_t a_r, const float *b,
    const float *first, size_t first_m, float *c, size_t c_m, size_t last)
{
@ if lanes == 1 then
    (void)last;
@ end
@ if rows == 1 then
    (void)a_m;
    (void)c_m;
    (void)first_m;
@ end
@ for row = 0, rows - 1 do
@ for w = 0, width - 1 do
@ local place = format("first + %d * first_m + %d", row, w * lanes)
    @{vec} s@{row}_@{w} = first ? @{part(op("load", place), op("load_part", place, "last"), w)}
        : @{op("splat", "0.0f")};
@ end
@ end
    for (size_t k = 0; k < depth; ++k) {
@ for w = 0, width - 1 do
        const @{vec} b@{w} = @{op("load", format("b + %d", w * lanes))};
@ end
@ for row = 0, rows - 1 do
        const @{vec} a@{row} = @{op("splat", format("a[%d * a_m]", row))};
@ for w = 0, width - 1 do
        s@{row}_@{w} = @{op("fma", "a" .. row, "b" .. w, format("s%d_%d", row, w))};
@ end
@ end
        a += a_r;
        b += @{width * lanes};
    }
@ for row = 0, rows - 1 do
@ for w = 0, width - 1 do
@ local place, sum = format("c + %d * c_m + %d", row, w * lanes), format("s%d_%d", row, w)
    @{part(op("store", place, sum), op("store_part", place, sum, "last"), w)};
@ end
@ end
}
@ end
@ end
@ end

/* c (m, n) = first (m, n), or 0 where that is NULL, plus a (m, r) times the panels of a matrix (r, n). Rows of c and of
 * `first`, which may be c, are contiguous, all others so many floats apart. In pieces of r of which the first cache
 * holds a panel, and of m that the second cache holds. */
@{attribute} void multiply@{suffix}(size_t m, size_t n, size_t r, const float *a, size_t a_m, size_t a_r,
    const float *panels, const float *first, size_t first_m, float *c, size_t c_m)
{
    const size_t most = r <= @{depth} || r >= @{2 * depth} ? @{depth} : (r + 1) / 2;
    for (size_t top = 0; top < m; top += 96) {
        const size_t high = m - top < 96 ? m - top : 96;
        size_t vectors = (n + @{lanes - 1}) / @{lanes}, left = (vectors + @{most - 1}) / @{most}, column = 0;
        const float *panel = panels;
        for (; left > 0; --left) {
            const size_t width = width@{suffix}(vectors, left), floats = width * @{lanes};
            const size_t count = n - column < floats ? n - column : floats, last = count - (width - 1) * @{lanes};
            for (size_t k = 0; k < r; k += most) {
                const size_t depth = r - k < most ? r - k : most;
                const float *row = a + top * a_m + k * a_r;
                const float *const b = panel + k * floats;
                float *to = c + top * c_m + column;
                const float *from = k > 0 ? to : first ? first + top * first_m + column : NULL;
                const size_t from_m = k > 0 ? c_m : from ? first_m : 0;
                size_t rows = high;
                switch (width) {
@ for width = most, 1, -1 do
@ if widths[width] then
                case @{width}:
@ for _, rows in ipairs(heights[width]) do
                    for (; rows >= @{rows}; rows -= @{rows}, row += @{rows} * a_m, to += @{rows} * c_m) {
                        tile_@{rows}x@{width}@{suffix}(depth, row, a_m, a_r, b, from, from_m, to, c_m, last);
                        if (from) from += @{rows} * from_m;
                    }
@ end
                    break;
@ end
@ end
                default: break;
                }
            }
            panel += r * floats;
            column += count;
            vectors -= width;
        }
    }
}
@ if blocks then

/* The same for a matrix that is no panels yet: sums over so many rows that they are made of a block of them at a time.
 * block: room for the panels of one. Where a lies the other way round, rows of it may be pages apart: it is copied. */
@{attribute} void multiply_blocks@{suffix}(size_t m, size_t n, size_t r, const float *a, size_t a_m, size_t a_r,
    const float *b, size_t b_r, size_t b_n, const float *first, size_t first_m, float *c, size_t c_m, float *block)
{
    float strip[@{depth} * 24];
    for (size_t k = 0; k < r; k += @{depth}) {
        const size_t depth = r - k < @{depth} ? r - k : @{depth};
        const float *const sums = k > 0 ? c : first;
        const size_t sums_m = k > 0 ? c_m : first_m;
        pack@{suffix}(depth, n, b + k * b_r, b_r, b_n, block);
        if (a_r == 1) {
            multiply@{suffix}(m, n, depth, a + k, a_m, 1, block, sums, sums_m, c, c_m);
            continue;
        }
        for (size_t top = 0; top < m; top += 24) {
            const size_t high = m - top < 24 ? m - top : 24;
            const float *const rows = a + top * a_m + k * a_r;
            if (a_m == 1 && high == 24) {
                for (size_t i = 0; i < depth; ++i) memcpy(strip + i * 24, rows + i * a_r, 24 * sizeof(float));
            } else {
                for (size_t i = 0; i < depth; ++i)
                    for (size_t j = 0; j < high; ++j) strip[i * 24 + j] = rows[i * a_r + j * a_m];
            }
            multiply@{suffix}(high, n, depth, strip, 1, 24, block, sums ? sums + top * sums_m : NULL, sums_m,
                c + top * c_m, c_m);
        }
    }
}
@ end
@ end
