-- dot: the C of a product of the dot kernel: tiles of rows of x by rows of W, whose sums have one part for each lane
-- until all columns are done, and the function that runs them.
local statements = require "emit.statements"

local sum, times, declare = statements.sum, statements.times, statements.declare
local set, call = statements.set, statements.call
local format = string.format

-- p (its row of the plan), vec, lanes, inline, attribute.
local dot = {}
dot.__index = dot

local function name_of(r, u) return format("sum%d_%d", r, u) end

function dot:tile_name(rows, units) return format("%s_%dx%d", self.p.fn, rows, units) end

function dot:parameters(rows)
    return "const float *w_x, const float *x, " .. (rows > 1 and "ptrdiff_t x_row, " or "")
        .. (self.biased and "const float *bias, " or "") .. "float *RESTRICT out"
        .. (rows > 1 and ", ptrdiff_t out_row" or "")
end

-- The multiply-adds of a vector of columns: number k of x and number w of a row of W, C texts or integers. count: of
-- the last ones, which fill no vector, or nil.
function dot:columns(tile, k, w, count)
    local vec, list = self.vec, {}
    local function load(place)
        return count and format("%s_load_some(%s, %d)", vec, place, count) or format("%s_load(%s)", vec, place)
    end
    for r = 0, tile.rows - 1 do
        list[#list + 1] = declare("const " .. vec,
            { "a" .. r, load(sum("x", r > 0 and times(r, "x_row"), k)) })
    end
    for u = 0, tile.units - 1 do
        list[#list + 1] = declare("const " .. vec, { "w" .. u, load(sum("w_x", u * self.p.stride, w)) })
        for r = 0, tile.rows - 1 do
            local to = name_of(r, u)
            list[#list + 1] = set(format("%s = %s_fma(a%d, w%d, %s)", to, vec, r, u, to))
        end
    end
    return list
end

function dot:tile(tile)
    local vec, list, before = self.vec, {}, 0
    for r = 0, tile.rows - 1 do
        for u = 0, tile.units - 1 do
            list[#list + 1] = declare(vec, { name_of(r, u), vec .. "_splat(0.0f)" })
        end
    end
    for _, piece in ipairs(self.p.terms[1].pieces) do
        local whole = piece.count // self.lanes * self.lanes
        if whole > 0 then
            list[#list + 1] = statements.loop(declare("ptrdiff_t", { "k", "0" }), "k < " .. whole,
                "k += " .. self.lanes, self:columns(tile, sum(piece.offset, "k"), sum(before, "k")))
        end
        if piece.count > whole then
            list[#list + 1] = statements.block(self:columns(tile, piece.offset + whole, before + whole,
                piece.count - whole))
        end
        before = before + piece.count
    end
    for r = 0, tile.rows - 1 do
        for u = 0, tile.units - 1 do
            list[#list + 1] = set(format("%s = %s%s_total(%s)",
                format("out[%s]", sum(r > 0 and times(r, "out_row"), u)),
                self.biased and format("bias[%d] + ", u) or "", vec, name_of(r, u)))
        end
    end
    return statements.define(format("%d row(s) of x by %d row(s) of W.", tile.rows, tile.units),
        self.inline .. " void " .. self:tile_name(tile.rows, tile.units), self:parameters(tile.rows), list)
end

-- The tiles of so many rows of x, from the row that the C text r says, and of all units of a gate, 0 or C text.
function dot:gate(gate, rows, r)
    local p, list, from = self.p, {}, 0
    local function tile(units, u)
        local to = sum(times(gate, p.row), u)
        local words = { sum("w_x", times(gate, p.height_of_gate * p.stride), times(u, p.stride)),
                        sum("x", times(r, "x_row")) }
        local function add(word) words[#words + 1] = word end
        if rows > 1 then add "x_row" end
        if self.biased then add(sum("bias", to)) end
        add(sum("out", times(r, "out_row"), to))
        if rows > 1 then add "out_row" end
        return call(self:tile_name(rows, units), table.unpack(words))
    end
    for _, one in ipairs(p.unit_tiles) do
        local to = from + one.rows * one.count
        if one.count > 1 then
            list[#list + 1] = statements.loop(declare("ptrdiff_t", { "u", tostring(from) }), "u < " .. to,
                "u += " .. one.rows, { tile(one.rows, "u") })
        else
            list[#list + 1] = tile(one.rows, from)
        end
        from = to
    end
    return list
end

-- Lanes of a gate's last vectors that no unit has: what comes behind computes them too, and numbers are fast.
function dot:padding()
    local p, list = self.p, {}
    local first = p.height_of_gate // self.lanes * self.lanes
    for gate = 0, p.gates - 1 do
        for at = first, p.height_of_gate < p.row and p.row - 1 or -1, self.lanes do
            list[#list + 1] = call(self.vec .. "_store", sum("out", "r * out_row", gate * p.row + at),
                self.vec .. "_splat(0.0f)")
        end
    end
    return #list > 0 and statements.count("ptrdiff_t", "r", "rows", list)
end

-- dot(v, p) -> the C of product p of the variant v: its tiles and its function.
return function(v, p)
    local self = setmetatable({ p = p, vec = v.vec, lanes = v.lanes, inline = v.inline,
                                biased = p.starts[1] == "bias" }, dot)
    local texts, list, r = {}, { self:padding() }, "r"
    for _, rows in ipairs(p.rows) do
        for _, units in ipairs(p.unit_tiles) do
            texts[#texts + 1] = self:tile { rows = rows.rows, units = units.rows }
        end
    end
    -- A gate's rows of W stay in the nearest cache for all rows of x.
    local most, gate = p.rows[1].rows, p.gates > 1 and "gate" or 0
    local body = {
        declare("ptrdiff_t", { r, "0" }),
        most > 1 and statements.loop(nil, format("r + %d <= rows", most), "r += " .. most, self:gate(gate, most, r)),
        statements.loop(nil, "r < rows", "++r", self:gate(gate, 1, r)),
    }
    list[#list + 1] = p.gates > 1 and statements.count("ptrdiff_t", gate, p.gates, body) or body
    texts[#texts + 1] = statements.define("gates = start + W x for `rows` rows of x, a row of W at a time.",
        v.attribute .. " void " .. p.fn, self:parameters(2) .. ", ptrdiff_t rows", list)
    return table.concat(texts)
end
