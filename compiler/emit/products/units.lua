-- units: the C of a product of the units kernel: its register tiles and the function that runs them.
local statements = require "emit.statements"
local units = require "emit.products.units_tile"

local sum, times, declare = statements.sum, statements.times, statements.declare
local call = statements.call
local count = statements.count
local format = string.format

-- A pointer at a panel, which is a number or the C text of one.
local function at_panel(name, panel, floats)
    return sum(name, math.tointeger(panel) and panel * floats or times(panel, floats))
end

-- The weights of a term of a panel.
function units:weights_at(t, panel)
    local p = self.p
    local name, floats, parts = "w_" .. t.name, t.columns * t.gates * p.stored * self.lanes, p.stored // p.width
    if parts == 1 then return at_panel(name, panel, floats) end
    local part = p.width * self.lanes
    if math.tointeger(panel) then return sum(name, panel // parts * floats + panel % parts * part) end
    return sum(name, times(format("%s / %d", panel, parts), floats), times(format("%s %% %d", panel, parts), part))
end

-- The call of a tile on rows from the C text r on.
function units:call(panel, number, rows, r)
    local p, words = self.p, {}
    local function add(word) words[#words + 1] = word end
    -- Row 0 too, which uses the stride: a parameter that is not used is a warning.
    local function rowed(text, name)
        if p.lone then return add(text) end
        add(format("%s + %s * %s_row", text, r, name))
        if rows > 1 then add(name .. "_row") end
    end
    local function unit(name, sums)
        return at_panel(name, number, p.width * (sums and p.grouped and p.gates or 1) * self.lanes)
    end
    for _, t in ipairs(p.terms) do
        add(self:weights_at(t, number))
        rowed(t.name, t.name)
    end
    for _, name in ipairs(p.starts) do
        if name == "gates" then rowed(unit(name, true), name) else add(unit(name, true)) end
    end
    if p.per_unit then add(unit("per_unit")) end
    for _, name in ipairs(p.own) do rowed(unit("own_" .. name), "own_" .. name) end
    for _, name in ipairs(p.carried) do rowed(unit(name), name) end
    rowed(unit("out", p.role == "input"), "out")
    return call(self:tile_name(rows, panel), table.unpack(words))
end

-- All rows of a panel.
function units:rows(panel, number)
    local p, most = self.p, self.p.rows[1].rows
    local function rows(first, condition, step, body) return statements.loop(first, condition, step, { body }) end
    local function one() return self:call(panel, number, 1, "r") end
    local r = declare("ptrdiff_t", { "r", "0" })
    if p.exact then
        local list, from = {}, 0
        for i, tile in ipairs(p.rows) do
            local to = from + tile.rows * tile.count
            if tile.count > 1 then
                list[i] = rows(declare("ptrdiff_t", { "r", tostring(from) }), "r < " .. to, "r += " .. tile.rows,
                    self:call(panel, number, tile.rows, "r"))
            else
                list[i] = self:call(panel, number, tile.rows, tostring(from))
            end
            from = to
        end
        return list
    end
    if most == 1 then return { rows(r, "r < rows", "++r", one()) } end
    if #p.rows > 2 or most == 2 then
        -- As few tiles as can be, of heights that differ by one at most; none twice: a state may be carried in place.
        local body
        for i = #p.rows, 1, -1 do
            local high = p.rows[i].rows
            local own = self:call(panel, number, high, "r")
            body = body and statements.when("high == " .. high, { own }, { body }) or own
        end
        local left = format("(rows + %d) / %d", most - 1, most)
        return { rows(declare("ptrdiff_t", { "r", "0" }, { "high", "0" }, { "left", left }), "left > 0",
            "--left, r += high", { statements.set "high = (rows - r + left - 1) / left", body }) }
    end
    assert(#p.carried == 0)
    return {
        rows(r, format("rows < %d && r < rows", most), "++r", one()),
        rows(declare("ptrdiff_t", { "i", "0" }), format("rows >= %d && i < rows", most), "i += " .. most, {
            declare("const ptrdiff_t", { "r", format("i + %d <= rows ? i : rows - %d", most, most) }),
            self:call(panel, number, most, "r"),
        }),
    }
end

-- One kind of panels, from number `first` on.
function units:panels(panel, first)
    local p, all = self.p, panel.count
    if p.ranged and all > 1 then
        return { declare("const ptrdiff_t", { "most", format("end < %d ? end : %d", all, all) }),
                 count("ptrdiff_t", "n", "most", {
                     declare("const ptrdiff_t", { "panel", p.turns and "odd ? begin + most - 1 - n : n" or "n" }),
                     self:rows(panel, "panel"),
                 }, "begin") }
    end
    if p.ranged then
        return statements.when(format("begin <= %d && end > %d", first, first), self:rows(panel, first))
    end
    if all > 1 and p.turns then
        return count("ptrdiff_t", "n", all, {
            declare("const ptrdiff_t", { "panel", format("odd ? %d - n : n", all - 1) }),
            self:rows(panel, "panel"),
        })
    end
    if all > 1 then return count("ptrdiff_t", "panel", all, self:rows(panel, "panel")) end
    return self:rows(panel, first)
end

function units:doc()
    local p = self.p
    local what = p.role == "input" and "gates = start + W x for `rows` rows of x."
        or #p.terms == 1 and p.terms[1].name == "x" and "A dense layer on `rows` rows of x."
        or p.reset and "The reset state of all rows, of which the candidate's product is."
        or p.lone and "The new state from the old one."
        or "The new state of all rows from the old one."
    return what .. (p.ranged and " Of panels begin .. end - 1." or "")
        .. (p.turns and "\nOdd steps go backwards: what was read last is still in the nearest cache." or "")
end

-- units(v, p, update) -> the C of product p of the variant v: its tiles and its function.
return function(v, p, update)
    local self = setmetatable({ p = p, vec = v.vec, lanes = v.lanes, inline = v.inline, attribute = v.attribute,
                                update = update }, units)
    if p.lone and #p.panels == 1 and p.panels[1].count == 1 and not p.ranged then
        return self:tile(p.rows[1], p.panels[1], self:doc())
    end
    local texts, first, list = {}, 0, {}
    for i, panel in ipairs(p.panels) do
        for _, tile in ipairs(p.rows) do texts[#texts + 1] = self:tile(tile, panel) end
        list[i] = self:panels(panel, first)
        first = first + panel.count
    end
    local parameters = self:parameters(p.lone and 1 or 2) .. (p.exact and "" or ", ptrdiff_t rows")
        .. (p.turns and ", int odd" or "")
        .. (p.ranged and ", ptrdiff_t begin, ptrdiff_t end" or "")
    texts[#texts + 1] = statements.define(self:doc(), v.attribute .. " void " .. p.fn, parameters, list)
    return table.concat(texts)
end
