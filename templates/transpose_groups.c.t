@ -- Transpositions in memory between rows of sequences and lines of groups of `beside` units, for the batch kernels.
@ local side, stages, n = lanes // beside, 0, 1
@ while n < side do stages, n = stages + 1, n * 2 end
/* A block of @{side} x @{side} groups of @{beside} floats: group j of line i goes to group i of line j, by @{stages}
 * rounds of zipping line i with line i + @{side // 2}. The first `loads` lines are there, for those behind them the
 * last is taken, and the first `stores` are written. */
@{inline} void @{fn}_block(const float *from, ptrdiff_t from_stride, ptrdiff_t loads, float *to, ptrdiff_t to_stride,
    ptrdiff_t stores)
{
    const @{vec} s0_0 = @{vec}_load(from);
@ for i = 1, side - 1 do
    const @{vec} s0_@{i} = @{vec}_load(from += loads > @{i} ? from_stride : 0);
@ end
@ for s = 1, stages do
@ for i = 0, side // 2 - 1 do
    const @{vec} s@{s}_@{2 * i} = @{vec}_zip_groups_low(s@{s - 1}_@{i}, s@{s - 1}_@{i + side // 2});
    const @{vec} s@{s}_@{2 * i + 1} = @{vec}_zip_groups_high(s@{s - 1}_@{i}, s@{s - 1}_@{i + side // 2});
@ end
@ end
@ for i = 0, side - 1 do
    @{i > 0 and format("if (stores > %d) ", i) or ""}@{vec}_store(to@{i > 0 and format(" + %d * to_stride", i) or ""},
        s@{stages}_@{i});
@ end
}

/* From rows of sequences to lines of groups: value c of row r becomes unit c % @{beside} of the group r of line
 * c / @{beside}. to_stride: sequences in a line. Where a block would stick out to the right it is moved back over its
 * neighbour. */
@{attribute} void @{fn}(const float *from, ptrdiff_t from_stride, float *to, ptrdiff_t to_stride, ptrdiff_t rows,
    ptrdiff_t cols)
{
    const ptrdiff_t whole = cols < @{lanes} ? 0 : cols / @{beside} * @{beside};
    for (ptrdiff_t r = 0; r < rows; r += @{side})
        for (ptrdiff_t j = 0; j < whole; j += @{lanes}) {
            const ptrdiff_t c = j + @{lanes} <= whole ? j : whole - @{lanes};
            @{fn}_block(from + r * from_stride + c, from_stride, rows - r, to + c * to_stride + r * @{beside},
                @{beside} * to_stride, @{side});
        }
    for (ptrdiff_t c = whole; c < cols; ++c)
        for (ptrdiff_t r = 0; r < rows; ++r)
            to[(c / @{beside} * to_stride + r) * @{beside} + c % @{beside}] = from[r * from_stride + c];
}

/* The way back: `rows` units of lines for `cols` sequences. */
@{attribute} void @{back}(const float *from, ptrdiff_t from_stride, float *to, ptrdiff_t to_stride, ptrdiff_t rows,
    ptrdiff_t cols)
{
    const ptrdiff_t whole = rows < @{lanes} ? 0 : rows / @{beside} * @{beside};
    for (ptrdiff_t c = 0; c < cols; c += @{side})
        for (ptrdiff_t i = 0; i < whole; i += @{lanes}) {
            const ptrdiff_t r = i + @{lanes} <= whole ? i : whole - @{lanes};
            @{fn}_block(from + r * from_stride + c * @{beside}, @{beside} * from_stride, @{side},
                to + c * to_stride + r, to_stride, cols - c);
        }
    for (ptrdiff_t r = whole; r < rows; ++r)
        for (ptrdiff_t c = 0; c < cols; ++c)
            to[c * to_stride + r] = from[(r / @{beside} * from_stride + c) * @{beside} + r % @{beside}];
}
