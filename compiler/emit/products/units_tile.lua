-- units_tile: the C of a register tile of the units kernel, unrolled: what its sums begin with, their multiply-adds
-- column by column, and the new states.
local statements = require "emit.statements"

local sum, times, declare = statements.sum, statements.times, statements.declare
local set, call = statements.set, statements.call
local count = statements.count
local format = string.format

-- A product with the vectors of its target: p (its row of the plan), vec, lanes, inline, attribute, update (see
-- emit.lua). units.lua has the function that runs its tiles.
local units = {}
units.__index = units

-- Floats of weights of a panel's column. Grouped gates lie group by group, each with all its columns. A panel that lies
-- in memory may be `stored` vectors wide and be read as several of `width`.
function units:stride(t) return self.p.grouped and self.lanes or t.gates * self.p.stored * self.lanes end

-- The variable of part s of sum number q, of row r and vector j.
function units:sum(r, q, j, s)
    local p = self.p
    local name = p.grouped and format("group%d_%d", r, j * p.gates + q) or format("%s%d_%d", p.sums[q + 1].name, r, j)
    return name .. (p.split > 1 and "_" .. s or "")
end

-- Calls visit(r, j, q) for all sums of a tile: those of vector j of a panel that are there.
function units:sums_of(panel, j)
    local p, list = self.p, {}
    for _, q in ipairs(p.sums) do
        if not p.grouped or j * p.gates + q.index < panel.sums then list[#list + 1] = q end
    end
    return list
end

function units:each_sum(rows, panel, visit)
    for r = 0, rows - 1 do
        for j = 0, panel.vectors - 1 do
            for _, q in ipairs(self:sums_of(panel, j)) do visit(r, j, q) end
        end
    end
end

-- Where sum q of vector j lies in a row of gates and biases, and where its weights of the c-th column of a term are.
function units:place(q, j)
    local p = self.p
    return p.grouped and (j * p.gates + q.index) * self.lanes or q.offset + j * self.lanes
end

function units:weight(t, q, j, c)
    local p = self.p
    local first = p.grouped and (j * p.gates + q.index) * t.columns or (q.gate - t.first) * p.stored + j
    return sum("w_" .. t.name, c * self:stride(t) + first * self.lanes)
end

-- The sums of a panel that a term adds to, as their weights of a column lie in memory: { sum, vector }.
function units:weights_of(panel, t)
    local p, list = self.p, {}
    local function add(q, j)
        if q.terms[t.name] then list[#list + 1] = { sum = q, vector = j } end
    end
    for j = 0, p.grouped and panel.vectors - 1 or -1 do
        for _, q in ipairs(self:sums_of(panel, j)) do add(q, j) end
    end
    for _, q in ipairs(p.grouped and {} or p.sums) do
        for j = 0, panel.vectors - 1 do add(q, j) end
    end
    return list
end

-- A row stride is a parameter only where there is more than one row.
function units:parameters(rows)
    local p, list = self.p, {}
    local function rowed(what, name)
        list[#list + 1] = what .. name .. (rows > 1 and format(", ptrdiff_t %s_row", name) or "")
    end
    for _, t in ipairs(p.terms) do rowed(format("const float *w_%s, const float *", t.name), t.name) end
    for _, name in ipairs(p.starts) do
        if name == "gates" then rowed("const float *", name) else list[#list + 1] = "const float *" .. name end
    end
    if p.per_unit then list[#list + 1] = "const float *per_unit" end
    for _, name in ipairs(p.own) do rowed("const float *", "own_" .. name) end
    for _, name in ipairs(p.carried) do rowed("float *", name) end
    rowed("float *RESTRICT ", "out")
    return table.concat(list, ", ")
end

function units:tile_name(rows, panel)
    return format("%s_%dx%d", self.p.fn, rows, self.p.grouped and panel.sums or panel.vectors)
end

local function at(name, r, offset) return sum(name, r > 0 and times(r, name .. "_row"), offset) end

function units:load(place, by) return format("%s_%s(%s)", self.vec, by or "load", place) end

-- What the sums begin with.
function units:starts(tile, panel)
    local p, vec, entries = self.p, self.vec, {}
    self:each_sum(tile.rows, panel, function(r, j, q)
        for s = 0, p.split - 1 do
            local value
            if s > 0 or q.start == "zero" then
                value = vec .. "_splat(0.0f)"
            elseif q.start == "gates" then
                value = self:load(at("gates", r, self:place(q, j)))
            elseif r == 0 then
                value = self:load(sum(q.start, self:place(q, j)))
            else
                value = self:sum(0, q.index, j, 0)
            end
            entries[#entries + 1] = { self:sum(r, q.index, j, s), value }
        end
    end)
    return declare(vec, table.unpack(entries))
end

-- The multiply-adds of some columns of a term, from the one that the C text k says, a number, "k" or nil. What is read
-- once stands where it is read; weights that several rows read, and values that go to several sums, have names.
function units:columns(tile, panel, t, piece, k, columns)
    local p, vec, body = self.p, self.vec, {}
    local list = self:weights_of(panel, t)
    local first = piece.offset + (math.tointeger(k) or 0)
    for c = 0, columns - 1 do
        -- Names say which column: k1 is k + 1.
        local s, tail = c % p.split, k == "k" and "k" .. (c > 0 and c or "") or tostring(first + c)
        local function name_of(of) return format("w%s%d_%d_%s", t.name, of.sum.index, of.vector, tail) end
        local load = p.rows_in_order and "load_next" or nil
        for _, of in ipairs(tile.rows > 1 and list or {}) do
            body[#body + 1] = declare("const " .. vec,
                { name_of(of), self:load(self:weight(t, of.sum, of.vector, c), load) })
        end
        for r = 0, tile.rows - 1 do
            local from = sum(r > 0 and times(r, t.name .. "_row"), k, c + piece.offset)
            local value = format("%s_splat(%s[%s])", vec, t.name, from)
            if #list > 1 then
                local name = format("%s_%s%s", t.name, tile.rows > 1 and r .. "_" or "", tail)
                body[#body + 1] = declare("const " .. vec, { name, value })
                value = name
            end
            for _, of in ipairs(list) do
                local to, weight = self:sum(r, of.sum.index, of.vector, s), self:weight(t, of.sum, of.vector, c)
                local fma = p.in_order and tile.rows == 1 and "fma_next" or "fma"
                if tile.rows > 1 then
                    weight = name_of(of)
                elseif not p.in_order then
                    weight = self:load(weight)
                end
                body[#body + 1] = set(format("%s = %s_%s(%s, %s, %s)", to, vec, fma, value, weight, to))
            end
        end
    end
    return body
end

-- A term's piece of the input: a loop of unrolled columns, and the rest.
function units:piece(tile, panel, t, index)
    local piece, list = t.pieces[index], {}
    local rest, main, k = piece.count, piece.count // tile.unroll * tile.unroll, nil
    if main > tile.unroll then
        list[1] = statements.loop(declare("ptrdiff_t", { "k", "0" }), "k < " .. main, "k += " .. tile.unroll, {
            self:columns(tile, panel, t, piece, "k", tile.unroll),
            set(format("w_%s += %d", t.name, tile.unroll * self:stride(t))),
        })
        rest, k = piece.count - main, tostring(main)
    end
    list[#list + 1] = self:columns(tile, panel, t, piece, k, rest)
    if rest > 0 and index < #t.pieces then
        list[#list + 1] = set(format("w_%s += %d", t.name, rest * self:stride(t)))
    end
    return list
end

-- The parts of every sum become one.
function units:joined(tile, panel)
    local list = {}
    if self.p.split == 1 then return list end
    self:each_sum(tile.rows, panel, function(r, j, q)
        -- Of the parts s, s + by, s + 2 by, ...
        local function all(s, by)
            if by == self.p.split then return self:sum(r, q.index, j, s) end
            return format("%s_add(%s, %s)", self.vec, all(s, 2 * by), all(s + by, 2 * by))
        end
        list[#list + 1] = set(format("%s = %s", self:sum(r, q.index, j, 0), all(0, 1)))
    end)
    return list
end

-- The new states of vector j of row r; looped: the sums of all vectors are an array, j a variable of C.
function units:updated(r, j, looped)
    local lanes = self.lanes
    local function own(name, offset, row)
        row = row or r
        return looped and sum(at(name, row, offset), j) or at(name, row, offset + j * lanes)
    end
    return self.update {
        suffix = looped and tostring(r) or format("%d_%d", r, j),
        sum = function(index) return looped and format("sums%d[%s]", r, j) or self:gate(index, r, j) end,
        gates = function(offset) return self:load(own("gates", offset)) end,
        -- All rows have the same weights.
        weight = function(offset) return self:load(own("per_unit", offset, 0)) end,
        state = function(name) return self:load(own(name == "h" and "own_h" or name, 0)) end,
        store = function(name) return own(name == "h" and "out" or name, 0) end,
    }
end

-- Sum number `index` of vector j of row r, complete.
function units:gate(index, r, j)
    local p = self.p
    return p.grouped and format("%s%d_%d", p.sums[index + 1].name, r, j) or self:sum(r, index, j, 0)
end

-- Groups of units with all their gates become vectors of each gate.
function units:regrouped(panel, r, j)
    local p, words, to = self.p, {}, {}
    -- What is not there is doubled, so that all lanes hold values of the network.
    local there = #self:sums_of(panel, j)
    for q = 0, (there > 2 and 4 or 2) - 1 do words[q + 1] = self:sum(r, q % there, j, 0) end
    for q = 0, p.gates - 1 do
        to[q + 1] = { self:gate(q, r, j) }
        words[#words + 1] = "&" .. to[q + 1][1]
    end
    return { declare(self.vec, table.unpack(to)),
             call(self.vec .. "_regroup" .. (there > 2 and "" or "_two"), table.unpack(words)) }
end

function units:results(tile, panel)
    local p, list = self.p, {}
    if p.role == "input" then
        self:each_sum(tile.rows, panel, function(r, j, q)
            list[#list + 1] = call(self.vec .. "_store", at("out", r, self:place(q, j)), self:sum(r, q.index, j, 0))
        end)
        return list
    end
    -- Floats one by one take turns with the text of one.
    local looped = self.lanes == 1 and panel.vectors > 1 and #p.sums == 1
    for r = 0, tile.rows - 1 do
        if looped then
            local sums = {}
            for j = 0, panel.vectors - 1 do sums[j + 1] = self:sum(r, 0, j, 0) end
            list[#list + 1] = { declare("const " .. self.vec,
                                    { format("sums%d", r), "{ " .. table.concat(sums, ", ") .. " }", "[]" }),
                                count("ptrdiff_t", "j", panel.vectors, self:updated(r, "j", true)) }
        end
        for j = 0, looped and -1 or panel.vectors - 1 do
            list[#list + 1] = { p.grouped and self:regrouped(panel, r, j), self:updated(r, j, false) }
        end
    end
    return list
end

-- of_product: the comment on the product, if the tile is all of it and its function that of the product.
function units:tile(tile, panel, of_product)
    local p, list = self.p, { self:starts(tile, panel) }
    for _, t in ipairs(p.terms) do
        for index in ipairs(t.pieces) do list[#list + 1] = self:piece(tile, panel, t, index) end
    end
    list[#list + 1] = self:joined(tile, panel)
    list[#list + 1] = self:results(tile, panel)
    local doc = format("%d row(s) by %s%s.", tile.rows,
        p.grouped and format("%d group(s) of units, all gates of %d each", panel.sums, self.lanes // p.gates)
            or format("%d vector(s) of units", panel.vectors),
        p.split > 1 and format("; every sum in %d parts, which shortens its chain", p.split) or "")
    if of_product then
        return statements.define(of_product .. "\n" .. doc, self.attribute .. " void " .. p.fn,
            self:parameters(1), list)
    end
    return statements.define(doc, self.inline .. " void " .. self:tile_name(tile.rows, panel),
        self:parameters(tile.rows), list)
end

return units
