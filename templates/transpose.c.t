@ -- A transposition in memory by blocks of lanes x lanes in registers, for the batch kernels.
@ -- The quarters of 128 bits of a vector.
@ local quarters = lanes // 4
/* to[c*to_stride + r] = from[r*from_stride + c] for a block of @{lanes} x @{lanes}: 4 x 4 floats by 4 x 4
 * within quarters of 128 bits, which takes half as long as shuffles across them,
 * @{quarters > 1 and "then the quarters" or "which are whole vectors here"}. */
@{inline} void @{fn}_block(const float *from, ptrdiff_t from_stride, float *to, ptrdiff_t to_stride)
{
@ for i = 0, lanes - 1 do
    const @{vec} s@{i} = @{vec}_load(from + @{i} * from_stride);
@ end
@ for i = 0, lanes - 1, 2 do
    const @{vec} z@{i} = @{vec}_zip_low(s@{i}, s@{i + 1});
    const @{vec} z@{i + 1} = @{vec}_zip_high(s@{i}, s@{i + 1});
@ end
@ -- r0_q_j: column j of every quarter of rows 4q .. 4q + 3.
@ for q = 0, quarters - 1 do
@ for j = 0, 3 do
@ local half, z = j % 2 == 0 and "low" or "high", 4 * q + j // 2
    const @{vec} r0_@{q}_@{j} = @{vec}_join_@{half}(z@{z}, z@{z + 2});
@ end
@ end
@ -- A round leaves every second quarter; after the last one, r_q_j is column 4q + j of all rows.
@ local rounds, n = 0, 1
@ while n < quarters do
@ for j = 0, 3 do
@ for i = 0, quarters // 2 - 1 do
@ for half, name in ipairs { "evens", "odds" } do
@ local to = (half - 1) * (quarters // 2) + i
@ local from = format("r%d_%d_%d, r%d_%d_%d", rounds, 2 * i, j, rounds, 2 * i + 1, j)
    const @{vec} r@{rounds + 1}_@{to}_@{j} = @{vec}_@{name}(@{from});
@ end
@ end
@ end
@ rounds, n = rounds + 1, n * 2
@ end
@ for c = 0, lanes - 1 do
    @{vec}_store(to + @{c} * to_stride, r@{rounds}_@{c // 4}_@{c % 4});
@ end
}

/* The same for rows x cols. Where a block would stick out it is moved back over its neighbour. */
@{attribute} void @{fn}(const float *from, ptrdiff_t from_stride, float *to, ptrdiff_t to_stride, ptrdiff_t rows,
    ptrdiff_t cols)
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
