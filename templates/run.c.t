@ -- The whole network on one target: blocks of the batch, chunks of time, layers, directions.
@ -- v: the variant; p: the plan
@ local s, units = p.sizes, v.kernel == "units"
@ local space = v.workspace
@ local stride = space.unit_stride
@ local D, L, H, I = s.D, s.L, s.H, s.I
@ local layered = v.schedule.outer == "layers"
@ local x_t = p.batch_first and I or format("(ptrdiff_t)batch * %d", I)
@ local x_b = p.batch_first and format("(ptrdiff_t)seq_len * %d", I) or tostring(I)
@ local y_t = p.batch_first and D * H or format("(ptrdiff_t)batch * %d", D * H)
@ local y_b = p.batch_first and format("(ptrdiff_t)seq_len * %d", D * H) or tostring(D * H)
@ local seq_b = D * stride
@ local step = units and format("rows * %d", seq_b) or tostring(space.step_count)
@ local column = units and stride or H * v.block

/* Runs the network for @{v.target}. Sequences go through in blocks of at most @{v.block}; @{layered and "a layer needs the whole\n * sequence of both directions below it, so layers follow each other" or "every layer runs a chunk of\n * at most " .. v.chunk .. " steps before the next chunk begins"}. */
@{v.attribute} void run@{v.suffix}(const float *weights, size_t seq_len, size_t batch, const float *x, const float *h0, float *y, float *hn, float *workspace)
{
    const ptrdiff_t x_t = @{x_t}, x_b = @{x_b}, y_t = @{y_t}, y_b = @{y_b};
    float *const states = workspace + @{space.state};
@ if v.hoisted then
    float *const gates = workspace + @{space.gates};
@ end
@ if not units then
    float *const input = workspace + @{space.input};
@ end
    float *const top = workspace + @{space.top};
@ if v.schedule.between > 0 then
@ if #space.between > 0 then
    float *const between[] = { @{concat((function() local t = {} for i, at in ipairs(space.between) do t[i] = "workspace + " .. at end return t end)(), ", ")} };
@ else
    float *const between[] = { workspace + @{space.fixed}@{v.schedule.between > 1 and format(", workspace + %d + seq_len * %d", space.fixed, space.step_count) or ""} };
@ end
@ end
    for (size_t first = 0; first < batch; first += @{v.block}) {
        const ptrdiff_t rows = (ptrdiff_t)(batch - first < @{v.block} ? batch - first : @{v.block});
@ if not units then
        if (rows < @{v.block}) memset(input, 0, @{v.chunk * I * v.block} * sizeof(float));
@ end
        for (size_t chain = 0; chain < @{L * D}; ++chain) {
            float *const state = states + chain * @{space.state_count};
@ if units then
            for (ptrdiff_t b = 0; b < rows; ++b) {
                if (h0)
                    memcpy(state + b * @{stride}, h0 + (chain * batch + first + (size_t)b) * @{H}, @{H} * sizeof(float));
                else
                    memset(state + b * @{stride}, 0, @{H} * sizeof(float));
            }
@ else
            if (!h0 || rows < @{v.block}) memset(state, 0, @{H * v.block} * sizeof(float));
            if (h0)
                transpose@{v.suffix}(h0 + (chain * batch + first) * @{H}, @{H}, state, @{v.block}, rows, @{H});
@ end
        }
@ local loops = {
@     chunks = { "for (size_t done = 0; done < seq_len; done += " .. v.chunk .. ") {",
@                "for (size_t layer = 0; layer < " .. L .. "; ++layer) {" },
@     layers = { "for (size_t layer = 0; layer < " .. L .. "; ++layer) {",
@                "for (int d = 0; d < 2; ++d) {",
@                "for (size_t done = 0; done < seq_len; done += " .. v.chunk .. ") {" },
@ }
@ if layered and L == 1 then
@     loops.layers = { loops.layers[2], loops.layers[3] }
@ end
@ if not layered and L == 1 then loops.chunks = { loops.chunks[1] } end
@ local indent = "        "
@ for _, loop in ipairs(loops[v.schedule.outer]) do
@{indent}@{loop}
@ indent = indent .. "    "
@ end
@ local whole = v.schedule.slots == "steps"
@{indent}const size_t steps = seq_len - done < @{v.chunk} ? seq_len - done : @{v.chunk};
@{indent}const size_t t = @{D == 2 and "d ? seq_len - done - steps : done" or "done"};
@ local direction = D == 2 and "d" or "0"
@ local chain = L == 1 and (D == 2 and "d" or "0") or (D == 2 and "(layer * 2 + (size_t)d)" or "layer")
@ local function out_text()
@     if L == 1 then return "top" end
@     return format("layer == %d ? top : between[layer %% %d]%s", L - 1, v.schedule.between, whole and format(" + t * (size_t)(%s)", step) or "")
@ end
@{indent}float *const seq = @{D == 2 and L > 1 and "(" .. out_text() .. ")" or out_text()}@{D == 2 and format(" + d * %d", column) or ""};
@{indent}float *const state = states + @{chain} * @{space.state_count};
@ local first, upper = v.layers[1], v.layers[2]
@ local w_first = format("weights + %d", v.base) .. (D == 2 and format(" + d * %d", v.chain_first) or "")
@ local w_upper = format("weights + %d + ((layer - 1) * %d + (size_t)%s) * %d", v.base + D * v.chain_first, D, direction, v.chain_upper)
@ local backward = direction
@ local from = "x + (ptrdiff_t)t * x_t + (ptrdiff_t)first * x_b"
@ local first_in = indent
@ if L > 1 then
@{indent}if (layer == 0) {
@ first_in = indent .. "    "
@ end
@ if units then
@{first_in}@{first.fn}(@{w_first}, @{from}, x_t, x_b, @{first.hoisted and "gates, " or ""}state, seq, @{step}, @{seq_b}, (ptrdiff_t)steps, rows, @{backward});
@ else
@{first_in}for (ptrdiff_t s = 0; s < (ptrdiff_t)steps; ++s)
@{first_in}    transpose@{v.suffix}(@{from} + s * x_t, x_b, input + s * @{I * v.block}, @{v.block}, rows, @{I});
@{first_in}@{first.fn}(@{w_first}, input, state, seq, @{step}, (ptrdiff_t)steps, @{backward});
@ end
@ if L > 1 then
@{indent}} else {
@{indent}    const float *const below = between[(layer - 1) % @{v.schedule.between}]@{whole and format(" + t * (size_t)(%s)", step) or ""};
@ if units then
@{indent}    @{upper.fn}(@{w_upper}, below, @{step}, @{seq_b}, @{upper.hoisted and "gates, " or ""}state, seq, @{step}, @{seq_b}, (ptrdiff_t)steps, rows, @{backward});
@ else
@{indent}    @{upper.fn}(@{w_upper}, below, state, seq, @{step}, (ptrdiff_t)steps, @{backward});
@ end
@{indent}}
@ end
@ -- The last layer's states of this chunk go out to y.
@ local out_in = indent
@ if L > 1 then
@{indent}if (layer != @{L - 1}) continue;
@ end
@{indent}for (ptrdiff_t s = 0; s < (ptrdiff_t)steps; ++s) {
@{indent}    float *const to = y + ((ptrdiff_t)t + s) * y_t + (ptrdiff_t)first * y_b@{D == 2 and format(" + d * %d", H) or ""};
@ if units then
@{indent}    for (ptrdiff_t b = 0; b < rows; ++b)
@{indent}        memcpy(to + b * y_b, seq + s * @{step} + b * @{seq_b}, @{H} * sizeof(float));
@ else
@{indent}    transpose@{v.suffix}(seq + s * @{step}, @{v.block}, to, y_b, @{H}, rows);
@ end
@{indent}}
@ for i = #loops[v.schedule.outer], 1, -1 do
@{rep("    ", i + 1)}}
@ end
        if (!hn) continue;
        for (size_t chain = 0; chain < @{L * D}; ++chain) {
            const float *const state = states + chain * @{space.state_count};
@ if units then
            for (ptrdiff_t b = 0; b < rows; ++b)
                memcpy(hn + (chain * batch + first + (size_t)b) * @{H}, state + b * @{stride}, @{H} * sizeof(float));
@ else
            transpose@{v.suffix}(state, @{v.block}, hn + (chain * batch + first) * @{H}, @{H}, @{H}, rows);
@ end
        }
    }
}
