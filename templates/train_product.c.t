@ -- Products of NAME_train.c for one target: tiles of rows and vectors whose sums stay in registers.
@ -- vec, lanes, inline, attribute, suffix: the target's; uses: names of what else the programs call
@ local function op(name, ...) return format("%s_%s(%s)", vec, name, concat({ ... }, ", ")) end
@ if lanes > 1 then

/* The first `count` values at p, 0 behind them; and into p. */
@{inline} @{vec} @{vec}_load_part(const float *p, size_t count)
{
@ if lanes == 16 then
    return (@{vec})_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), p);
@ elseif lanes == 8 then
    static const int32_t ones[16] = { -1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0 };
    return (@{vec})_mm256_maskload_ps(p, _mm256_loadu_si256((const __m256i *)(const void *)(ones + 8 - count)));
@ else
    float part[@{lanes}] = { 0 };
    if (count == @{lanes}) return @{op("load", "p")};
    memcpy(part, p, count * sizeof(float));
    return @{op("load", "part")};
@ end
}

@{inline} void @{vec}_store_part(float *p, @{vec} a, size_t count)
{
@ if lanes == 16 then
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << count) - 1), a);
@ else
    float part[@{lanes}];
    if (count == @{lanes}) {
        @{op("store", "p", "a")};
    } else {
        @{op("store", "part", "a")};
        memcpy(p, part, count * sizeof(float));
    }
@ end
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
@ local heights = lanes == 16 and { 8, 4, 1 } or { 4, 1 }
@ local most = lanes == 4 and 2 or 3
@ for _, rows in ipairs(heights) do
@ for width = most, 1, -1 do
@ local function part(text_of_full, text_of_part, w) return (lanes > 1 and w == width - 1) and text_of_part or text_of_full end

/* @{rows} row(s) by @{width} vector(s), the last of which has `last` values. */
@{attribute} void tile_@{rows}x@{width}@{suffix}(size_t depth, const float *a, size_t a_m, size_t a_r, const float *b, size_t b_r, float *c, size_t c_m, size_t last, int adds)
{
@ if lanes == 1 then
    (void)last;
@ end
@ for row = 0, rows - 1 do
@ for w = 0, width - 1 do
@ local place = format("c + %d * c_m + %d", row, w * lanes)
    @{vec} s@{row}_@{w} = adds ? @{part(op("load", place), op("load_part", place, "last"), w)} : @{op("splat", "0.0f")};
@ end
@ end
    for (size_t k = 0; k < depth; ++k) {
@ for w = 0, width - 1 do
@ local place = format("b + %d", w * lanes)
        const @{vec} b@{w} = @{part(op("load", place), op("load_part", place, "last"), w)};
@ end
@ for row = 0, rows - 1 do
        const @{vec} a@{row} = @{op("splat", format("a[%d * a_m]", row))};
@ for w = 0, width - 1 do
        s@{row}_@{w} = @{op("fma", "a" .. row, "b" .. w, format("s%d_%d", row, w))};
@ end
@ end
        a += a_r;
        b += b_r;
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

/* c (m, n) = a (m, r) times b (r, n), or added to it; rows of b and c are contiguous, the others so many floats apart. In
 * pieces of r and m that the first cache holds. Where a lies the other way round, its piece is copied: rows of it may be
 * pages apart. */
@{attribute} void multiply@{suffix}(size_t m, size_t n, size_t r, const float *a, size_t a_m, size_t a_r, const float *b, size_t b_r, float *c, size_t c_m, int adds)
{
    float piece[128 * 32];
    const int copies = a_m == 1 && a_r != 1 && n > @{most * lanes};
    for (size_t first = 0; first < r; first += 128)
        for (size_t top = 0; top < m; top += 32) {
            const size_t depth = r - first < 128 ? r - first : 128, high = m - top < 32 ? m - top : 32;
            const int more = adds || first > 0;
            const float *from = a + top * a_m + first * a_r;
            if (copies) {
                for (size_t k = 0; k < depth; ++k) memcpy(piece + k * 32, from + k * a_r, high * sizeof(float));
                from = piece;
            }
            const size_t from_r = copies ? 32 : a_r;
            for (size_t j = 0; j < n; j += @{most * lanes}) {
                const size_t width = n - j > @{(most - 1) * lanes} ? @{most} : (n - j + @{lanes - 1}) / @{lanes};
                const size_t last = n - j < @{most * lanes} ? n - j - (width - 1) * @{lanes} : @{lanes};
                const float *const matrix = b + first * b_r + j;
                for (size_t i = 0; i < high;) {
                    const size_t rows = high - i >= @{heights[1]} ? @{heights[1]} : @{#heights == 3 and "high - i >= 4 ? 4 : " or ""}1;
                    float *const to = c + (top + i) * c_m + j;
                    switch (rows * 4 + width) {
@ for _, rows in ipairs(heights) do
@ for width = most, 1, -1 do
                    case @{rows * 4 + width}: tile_@{rows}x@{width}@{suffix}(depth, from + i * a_m, a_m, from_r, matrix, b_r, to, c_m, last, more); break;
@ end
@ end
                    default: break;
                    }
                    i += rows;
                }
            }
        }
}
@ end
