-- batch: the C of a product of the batch kernel: register tiles of some units by some vectors of sequences, and the
-- function that runs them. With p.beside units in a row, lane b * beside + u of a vector has unit u of sequence b; the
-- lines of the state and of x are as long as that many units of the block.
local statements = require "emit.statements"

local sum, times, declare = statements.sum, statements.times, statements.declare
local set, call = statements.set, statements.call
local format = string.format

-- A product with the vectors of its target: p (its row of the plan), vec, lanes, inline, update (see emit.lua), beside,
-- line (floats of a line).
local batch = {}
batch.__index = batch

function batch:sum(r, q, v) return format("%s%d_%d", self.p.sums[q + 1].name, r, v) end

-- One float, or `beside` of them, in all lanes.
function batch:splat(name, offset)
    if self.beside > 1 then return format("%s_splat_group(%s + %d)", self.vec, name, offset) end
    return format("%s_splat(%s[%d])", self.vec, name, offset)
end

function batch:parameters()
    local p, list = self.p, {}
    for i, t in ipairs(p.terms) do list[i] = format("const float *w_%s, const float *%s", t.name, t.name) end
    for _, name in ipairs(p.starts) do list[#list + 1] = "const float *" .. name end
    if p.per_unit then list[#list + 1] = "const float *per_unit" end
    for _, name in ipairs(p.own) do list[#list + 1] = "const float *own_" .. name end
    for _, name in ipairs(p.carried) do list[#list + 1] = "float *" .. name end
    list[#list + 1] = "float *RESTRICT out"
    return table.concat(list, ", ")
end

-- The multiply-adds of column i of the next ones with all sums of `rows` units; values: names of the vectors of x.
function batch:column(t, rows, i, tail, values)
    local p, vec, stride, list = self.p, self.vec, t.gates * self.p.height, {}
    for r = 0, rows - 1 do
        for _, q in ipairs(p.sums) do
            if q.terms[t.name] then
                local weight = self:splat("w_" .. t.name, i * stride + (q.gate - t.first) * p.height + r * self.beside)
                if p.vectors > 1 then
                    local name = format("w%d%s%s", r, q.name, tail)
                    list[#list + 1] = declare("const " .. vec, { name, weight })
                    weight = name
                end
                for v = 0, p.vectors - 1 do
                    local to = self:sum(r, q.index, v)
                    list[#list + 1] = set(format("%s = %s_fma(%s, %s, %s)", to, vec, weight, values[v + 1], to))
                end
            end
        end
    end
    return list
end

-- Multiply-adds of the next `columns` columns, at most `beside`.
function batch:fused(t, rows, columns)
    local p, vec, list = self.p, self.vec, {}
    local pairs_of, letter = self.beside > 1, self.beside > 1 and "g" or "a"
    for v = 0, p.vectors - 1 do
        list[v + 1] = declare("const " .. vec,
            { letter .. v, format("%s_load(%s)", vec, sum(t.name, v * self.lanes)) })
    end
    for i = 0, columns - 1 do
        local tail, values = columns > 1 and "_" .. i or "", {}
        for v = 0, p.vectors - 1 do
            values[v + 1] = format("a%d%s", v, tail)
            list[#list + 1] = pairs_of
                and declare("const " .. vec, { values[v + 1], format("%s_spread_%d(g%d)", vec, i, v) })
        end
        list[#list + 1] = self:column(t, rows, i, tail, values)
    end
    local stride = t.gates * p.height
    for bytes = 0, p.prefetch > 0 and 4 * columns * stride - 1 or -1, 64 do
        list[#list + 1] = call(vec .. "_prefetch", "w_" .. t.name, p.prefetch + bytes)
    end
    list[#list + 1] = set(format("%s += %d", t.name, self.line))
    list[#list + 1] = set(format("w_%s += %d", t.name, columns * stride))
    return list
end

-- The new states of row r and vector v.
function batch:updated(r, v)
    local place = r * self.line + v * self.lanes
    return self.update {
        suffix = format("%d_%d", r, v),
        sum = function(index) return self:sum(r, index, v) end,
        gates = function() error("the batch kernel has no gates buffer") end,
        weight = function(offset) return self:splat("per_unit", offset + r * self.beside) end,
        state = function(name) return format("%s_load(%s)", self.vec, sum(name == "h" and "own_h" or name, place)) end,
        store = function(name) return sum(name == "h" and "out" or name, place) end,
    }
end

function batch:tile(tile)
    local p, vec, list = self.p, self.vec, {}
    local function add(node) list[#list + 1] = node end
    for r = 0, tile.rows - 1 do
        for _, q in ipairs(p.sums) do
            for v = 0, p.vectors - 1 do
                local start = q.start == "zero" and vec .. "_splat(0.0f)"
                    or self:splat(q.start, q.offset + r * self.beside)
                add(declare(vec, { self:sum(r, q.index, v), v > 0 and self:sum(r, q.index, 0) or start }))
            end
        end
    end
    for _, t in ipairs(p.terms) do
        for _, piece in ipairs(t.pieces) do
            local whole, rest = piece.count // self.beside, piece.count % self.beside
            add(whole > 0 and statements.count("ptrdiff_t", "k", whole, self:fused(t, tile.rows, self.beside)))
            add(rest > 0 and statements.block(self:fused(t, tile.rows, rest)))
        end
    end
    for r = 0, tile.rows - 1 do
        for v = 0, p.vectors - 1 do add(self:updated(r, v)) end
    end
    local doc = format("%d %s by %d vector(s) of sequences.", tile.rows,
        self.beside > 1 and format("groups of %d", self.beside) or "unit(s)", p.vectors)
    return statements.define(doc, format("%s void %s_%dx%d", self.inline, p.fn, tile.rows, p.vectors),
        self:parameters(), list)
end

-- The call of a tile on units from the C text u on.
function batch:call(rows, u)
    local p, words = self.p, {}
    local step_of = p.stepped and { x = "s * x_t", out = "s * out_t" } or {}
    local function add(word) words[#words + 1] = word end
    for _, t in ipairs(p.terms) do
        add(sum("w_" .. t.name, times(u, t.gates * t.columns)))
        add(sum(t.name, step_of[t.name]))
    end
    for _, name in ipairs(p.starts) do add(sum(name, u)) end
    if p.per_unit then add(sum("per_unit", u)) end
    for _, name in ipairs(p.own) do add(sum("own_" .. name, times(u, p.block))) end
    for _, name in ipairs(p.carried) do add(sum(name, times(u, p.block))) end
    add(sum("out", times(u, p.block), step_of.out))
    local tile = call(format("%s_%dx%d", p.fn, rows, p.vectors), table.unpack(words))
    return p.stepped and statements.count("ptrdiff_t", "s", "steps", { tile }) or tile
end

function batch:run(v)
    local p, list, from = self.p, {}, 0
    for i, tile in ipairs(p.rows) do
        local high = tile.rows * self.beside
        local to = from + high * tile.count
        if tile.count > 1 then
            list[i] = statements.loop(declare("ptrdiff_t", { "u", tostring(from) }), "u < " .. to, "u += " .. high,
                { self:call(tile.rows, "u") })
        else
            list[i] = self:call(tile.rows, tostring(from))
        end
        from = to
    end
    local what = format("%s (units, %d) from x (%d, %d)", #p.terms == 1 and "A dense layer"
        or p.reset and "The reset state" or "The new state", p.block, p.terms[1].columns, p.block)
    local name = v.attribute .. " void " .. p.fn
    if p.stepped then
        what = what .. ", for steps that lie x_t and out_t apart. A tile's weights serve all of them."
        local parameters = "const float *w_x, const float *x, ptrdiff_t x_t, "
            .. (#p.starts > 0 and "const float *bias, " or "")
            .. "float *RESTRICT out, ptrdiff_t out_t, ptrdiff_t steps"
        return statements.define(what, name, parameters, list)
    end
    what = what .. (#p.terms == 1 and "" or " and the old state") .. "."
    return statements.define(what, name, self:parameters(), list)
end

-- batch(v, p, update) -> the C of product p of the variant v: its tiles and its function.
return function(v, p, update)
    local self = setmetatable({ p = p, vec = v.vec, lanes = v.lanes, inline = v.inline, update = update,
                                beside = p.beside, line = p.block * p.beside }, batch)
    local texts = {}
    for i, tile in ipairs(p.rows) do texts[i] = self:tile(tile) end
    texts[#texts + 1] = self:run(v)
    return table.concat(texts)
end
