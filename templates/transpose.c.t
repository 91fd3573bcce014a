@ -- A transposition in memory by blocks of lanes x lanes in registers, for the batch kernels.
@ local stages, n = 0, 1
@ while n < lanes do stages, n = stages + 1, n * 2 end
/* to[c*to_stride + r] = from[r*from_stride + c] for a block of @{lanes} x @{lanes}: @{stages} rounds of zipping
 * row i with row i + @{lanes // 2}. */
@{inline} void @{fn}_block(const float *from, ptrdiff_t from_stride, float *to, ptrdiff_t to_stride)
{
@ for i = 0, lanes - 1 do
    const @{vec} s0_@{i} = @{vec}_load(from + @{i} * from_stride);
@ end
@ for s = 1, stages do
@ for i = 0, lanes // 2 - 1 do
    const @{vec} s@{s}_@{2 * i} = @{vec}_zip_low(s@{s - 1}_@{i}, s@{s - 1}_@{i + lanes // 2});
    const @{vec} s@{s}_@{2 * i + 1} = @{vec}_zip_high(s@{s - 1}_@{i}, s@{s - 1}_@{i + lanes // 2});
@ end
@ end
@ for i = 0, lanes - 1 do
    @{vec}_store(to + @{i} * to_stride, s@{stages}_@{i});
@ end
}

/* The same for rows x cols. Where a block would stick out it is moved back over its neighbour. */
@{attribute} void @{fn}(const float *from, ptrdiff_t from_stride, float *to, ptrdiff_t to_stride, ptrdiff_t rows, ptrdiff_t cols)
{
    if (rows < @{lanes} || cols < @{lanes}) {
        for (ptrdiff_t r = 0; r < rows; ++r)
            for (ptrdiff_t c = 0; c < cols; ++c) to[c * to_stride + r] = from[r * from_stride + c];
        return;
    }
    for (ptrdiff_t i = 0; i < rows; i += @{lanes}) {
        const ptrdiff_t r = i + @{lanes} <= rows ? i : rows - @{lanes};
        for (ptrdiff_t j = 0; j < cols; j += @{lanes}) {
            const ptrdiff_t c = j + @{lanes} <= cols ? j : cols - @{lanes};
            @{fn}_block(from + r * from_stride + c, from_stride, to + c * to_stride + r, to_stride);
        }
    }
}
