-- vector_products: products of a program as calls of what train_product.c.t has for a target with vectors. What does
-- not fit is left to the plain loops of emit.program.
local accesses = require "ir.accesses"
local affine = require "ir.affine"
local expressions = require "ir.expressions"
local grammar = require "ir.grammar"
local strides = require "emit.strides"

local is_one, is_uniform, monomial, same, text_of = strides.is_one, strides.is_uniform, strides.monomial, strides.same,
    strides.text
local times, ZERO <const> = strides.times, strides.ZERO

local vector_products = {}

-- The ranges that are one after the other in all of `names` become one: { vars, extent, strides by name }.
local function merged(list, names)
    local out = {}
    for _, entry in ipairs(list) do
        local last = out[#out]
        local joins = last ~= nil
        for _, name in ipairs(names) do
            joins = joins and same(last[name], times(entry[name], entry.extent))
        end
        if joins then
            local both = { vars = table.move(entry.vars, 1, #entry.vars, #last.vars + 1, last.vars),
                           ranges = table.move(entry.ranges, 1, #entry.ranges, #last.ranges + 1, last.ranges),
                           extent = times(last.extent, entry.extent) }
            for _, name in ipairs { "out", "a", "b" } do both[name] = entry[name] end
            out[#out] = both
        else
            out[#out + 1] = entry
        end
    end
    return out
end

-- The access with its variables at 0, as a pointer.
local function pointer(self, access, gone)
    local out = { access[1] }
    for i = 2, #access do
        local index = access[i]
        for var in pairs(gone) do index = affine.substitute(index, var, { 0 }) end
        out[i] = index
    end
    return "&" .. self:place(out)
end

-- Ranges with their strides, or nil where one is not told.
local function strided(program, s, ranges)
    local list = {}
    for i, range in ipairs(ranges) do
        local entry = { vars = { range[1] }, ranges = { range }, extent = monomial(range[2]),
                        out = strides.of(program, s.out, range[1]), a = strides.of(program, s.a, range[1]),
                        b = strides.of(program, s.b, range[1]) }
        if not (entry.extent and entry.out and entry.a and entry.b) then return nil end
        list[i] = entry
    end
    return list
end

-- The entry along which out is contiguous and only the matrix lies, of a known extent, and which of a and b the matrix
-- is; of several the longest; or nil.
local function columns_of(over)
    local found, rows, matrix
    for i, entry in ipairs(over) do
        for _, pair in ipairs { { "a", "b" }, { "b", "a" } } do
            if is_one(entry.out) and entry[pair[2]].number ~= 0 and entry[pair[1]].number == 0
                and entry.extent.symbols == "" and (not found or entry.extent.number > over[found].extent.number) then
                found, rows, matrix = i, pair[1], pair[2]
            end
        end
    end
    return found, rows, matrix
end

local NONE <const> = { vars = {}, ranges = {}, extent = { number = 1, symbols = "" }, out = ZERO, a = ZERO, b = ZERO }

-- Loops around the call for what is not within it.
local function outer_ranges(list, kept)
    local out = {}
    for i = 1, #list do
        if list[i] ~= kept then table.move(list[i].ranges, 1, #list[i].ranges, #out + 1, out) end
    end
    return out
end

-- A product as a call within loops, or nil where it is none: out (m, n) is, or gets added, rows of (m, r) times the
-- matrix (r, n). { rows, matrix: "a" and "b" or the other way round; row, columns, depth: entries of strided(); loops,
-- sums: ranges around the call }.
local function call_of(program, s)
    local over, sum = strided(program, s, s.over), strided(program, s, s.sum)
    if not over or not sum then return nil end
    local at, rows, matrix = columns_of(over)
    if not at then return nil end
    local columns = table.remove(over, at)
    local around, m = {}, {}
    for _, entry in ipairs(over) do table.insert(entry[matrix].number == 0 and m or around, entry) end
    m, sum = merged(m, { "out", rows }), merged(sum, { "a", "b" })
    local row, depth = m[#m] or NONE, sum[#sum] or NONE
    return { rows = rows, matrix = matrix, row = row, columns = columns, depth = depth,
             loops = table.move(outer_ranges(m, row), 1, #m, 1, outer_ranges(around, nil)),
             sums = outer_ranges(sum, depth) }
end

-- Lanes of the widest vectors: what panels for any target have room for.
local MOST_LANES <const> = 16

local function panel_floats(call) return -(-call.columns.extent.number // MOST_LANES) * MOST_LANES end

-- Is the matrix of a product a weight, the same for each call?
local function is_constant(program, s, call)
    if grammar.find(program, s[call.matrix][1]).role ~= "weight" or #call.depth.extent.symbols > 0 then return false end
    for _, range in ipairs(table.move(call.sums, 1, #call.sums, #call.loops + 1, table.move(call.loops, 1, #call.loops,
        1, {}))) do
        if accesses.names_variable(s[call.matrix], range[1]) then return false end
    end
    for i = 2, #s[call.matrix] do
        for k = 2, #s[call.matrix][i] do
            local var, known = s[call.matrix][i][k][1], false
            for _, entry in ipairs { call.columns, call.depth } do
                for _, own in ipairs(entry.vars) do known = known or own == var end
            end
            if not known then return false end
        end
    end
    return true
end

local function reads_weights_only(program, tree)
    local only = true
    expressions.walk(tree, function(part)
        if type(part) == "table" and part[1] == "read" and grammar.find(program, part[2][1]).role ~= "weight" then
            only = false
        end
    end)
    return only
end

-- Does the set give each row of the product's out the same values, made of weights, in columns of its own? Then the
-- first of these columns and how many; otherwise nil.
local function row_part(program, s, call, map, set)
    if not reads_weights_only(program, set[2]) then return nil end
    local target, column = set[1], call.columns.vars[1]
    local same_order, part = grammar.find(program, target[1]).order == nil, nil
    for _, range in ipairs(map.over) do
        local known = false
        for _, other in ipairs(s.over) do
            known = known or (other[1] == range[1] and (range[1] == column
                or affine.text(other[2]) == affine.text(range[2])))
        end
        if not known then return nil end
        if range[1] == column then
            part = range[2]
        elseif not is_uniform(program, set[2], range[1]) then
            return nil
        end
    end
    if not part or #part > 1 or #map.over ~= #s.over or not same_order then return nil end
    for i = 2, #target - 1 do
        if affine.text(target[i]) ~= affine.text(s.out[i]) then return nil end
    end
    local own, all = target[#target], s.out[#target]
    if #own ~= 2 or own[2][1] ~= column or own[2][2] ~= 1 or #all ~= 2 or all[1] ~= 0 or all[2][1] ~= column then
        return nil
    end
    return own[1], part[1]
end

local function reads_buffer(s, name)
    for _, access in ipairs((accesses.of(s))) do
        if access[1] == name then return true end
    end
    return false
end

-- The sets in front of statement `at` that give all rows of its out the same values, column for column, as
-- { map, set, first, count }; or nil: there are others, or none.
local function row_sets(program, body, at, call)
    local s, found, columns = body[at], {}, 0
    for i = at - 1, 1, -1 do
        local map = body[i]
        if map.op ~= "map" then break end
        if reads_buffer(map, s.out[1]) then return nil end
        for _, set in ipairs(map.sets) do
            if set[1][1] == s.out[1] then
                local first, count = row_part(program, s, call, map, set)
                if not first or map.accumulate then return nil end
                table.insert(found, 1, { map = map, set = set, first = first, count = count })
                columns = columns + count
            end
        end
    end
    return columns == call.columns.extent.number and found or nil
end

-- The maps that make the row `name` of the sets, and the body with these sets left out.
local function with_row(body, name, sets, column)
    local made, gone, out = {}, {}, {}
    for i, part in ipairs(sets) do
        gone[part.set] = true
        made[i] = grammar.statement { op = "map", from = part.map.from, over = { { column, { part.count } } },
            sets = { { { name, { part.first, { column, 1 } } }, part.set[2] } } }
    end
    for _, s in ipairs(body) do
        if s.op == "map" then
            local rest = {}
            for _, set in ipairs(s.sets) do
                if not gone[set] then rest[#rest + 1] = set end
            end
            if #rest > 0 and #rest < #s.sets then s = accesses.changed(s, { sets = rest }) end
            if #rest > 0 then out[#out + 1] = s end
        else
            out[#out + 1] = s
        end
    end
    return made, out
end

-- vector_products.prepare(program) -> the program with workspace for its products: panels of weights (see
-- train_product.c.t), which are made once in front of all; of what is multiplied one block after the other; and rows:
-- what every row of a product is added to, as biases are, is made once. Fields besides a program's: calls by statement,
-- packs: those with panels of their own.
function vector_products.prepare(program)
    local out = { name = program.name, symbols = program.symbols, calls = {}, packs = {},
                  buffers = table.move(program.buffers, 1, #program.buffers, 1, {}) }
    local known, block, rows = {}, 0, 0
    local function put(name, dims) out.buffers[#out.buffers + 1] = grammar.buffer(name, "workspace", dims) end
    local function panels_of(s, call)
        local key = string.format("%s %s %s", expressions.access_key(s[call.matrix]), table.concat(call.columns.vars),
            table.concat(call.depth.vars))
        if not known[key] then
            known[key] = "panels" .. #out.packs + 1
            out.packs[#out.packs + 1] = { access = s[call.matrix], call = call, name = known[key] }
            put(known[key], { call.depth.extent.number, panel_floats(call) })
        end
        return known[key]
    end
    local function changed(body, outer)
        local first, list = {}, table.move(body, 1, #body, 1, {})
        local i = 1
        while list[i] do
            local s = list[i]
            if s.op == "for" then list[i] = accesses.changed(s, { body = changed(s.body, false) }) end
            local call = s.op == "product" and call_of(program, s)
            if call then
                out.calls[s] = call
                if is_constant(program, s, call) then
                    call.panels = panels_of(s, call)
                else
                    block = math.max(block, panel_floats(call))
                end
                local sets = outer and s.accumulate and #call.sums == 0 and row_sets(program, list, i, call)
                if sets then
                    rows = rows + 1
                    call.first = "row" .. rows
                    put(call.first, { call.columns.extent.number })
                    local made
                    made, list = with_row(list, call.first, sets, call.columns.vars[1])
                    table.move(made, 1, #made, #first + 1, first)
                    for k, other in ipairs(list) do
                        if other == s then i = k end
                    end
                end
            end
            i = i + 1
        end
        return table.move(list, 1, #list, #first + 1, first)
    end
    out.body = changed(program.body, true)
    if block > 0 then put("block", { vector_products.DEPTH, block }) end
    return out
end

-- Rows of a matrix that are multiplied at once: a panel of so many fits in the first cache.
vector_products.DEPTH = 128

-- vector_products.tiles(target) -> the most vectors of a panel, and by width the numbers of rows of a tile, from the
-- highest: all sums, the vectors of a row of the panel and one value of the other matrix stay in registers.
function vector_products.tiles(target)
    local most = target.lanes == 4 and 2 or target.registers > 16 and 4 or 3
    local heights = {}
    for width = 1, most do
        local highest = math.min((target.registers - width - 1) // width, 12)
        heights[width] = {}
        for _, rows in ipairs { 12, 8, 6, 4, 2, 1 } do
            if rows <= highest then table.insert(heights[width], rows) end
        end
    end
    return most, heights
end

-- Vectors of the panels of a matrix with n columns, all of the same width or one more.
local function note_widths(v, n)
    local vectors = -(-n // v.lanes)
    local panels = -(-vectors // v.most)
    v.widths[vectors // panels], v.widths[-(-vectors // panels)] = true, true
end

-- vector_products.start(self): prints what makes the panels of weights.
function vector_products.start(self)
    for _, pack in ipairs(self.program.packs) do
        local gone = {}
        for _, entry in ipairs { pack.call.columns, pack.call.depth } do
            for _, var in ipairs(entry.vars) do gone[var] = true end
        end
        self.used[pack.name] = true
        local matrix = pack.call.matrix
        self:say(string.format("pack%s(%s, %s, %s, %s, %s, %s);", self.vectors.suffix, text_of(pack.call.depth.extent),
            text_of(pack.call.columns.extent), pointer(self, pack.access, gone), text_of(pack.call.depth[matrix]),
            text_of(pack.call.columns[matrix]), pack.name))
    end
end

-- vector_products.product(self, s) -> has it been printed?
function vector_products.product(self, s)
    local call = self.program.calls[s]
    if not call then return false end
    local rows, matrix, row, columns, depth = call.rows, call.matrix, call.row, call.columns, call.depth
    local gone = {}
    for _, entry in ipairs { columns, row, depth } do
        for _, var in ipairs(entry.vars) do gone[var] = true end
    end
    self:each(call.loops, function()
        self:each(call.sums, function()
            local adds = s.accumulate and "1" or "0"
            -- The first of several sums sets what the others add to.
            for i, range in ipairs(call.sums) do
                if not s.accumulate then adds = (i > 1 and adds .. " || " or "") .. range[1] .. " > 0" end
            end
            local by = call.panels
            if by then
                self.used[by] = true
            else
                self.used.block = true
                by = string.format("%s, %s, %s", pointer(self, s[matrix], gone), text_of(depth[matrix]),
                    text_of(columns[matrix]))
            end
            local out = pointer(self, s.out, gone)
            local first, first_m = adds == "0" and "NULL" or adds == "1" and out or
                string.format("%s ? %s : NULL", adds, out), text_of(row.out)
            if call.first then
                self.used[call.first], first, first_m = true, call.first, "0"
            end
            self:say(string.format("%s%s(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s%s);",
                call.panels and "multiply" or "multiply_blocks", self.vectors.suffix,
                text_of(row.extent), text_of(columns.extent), text_of(depth.extent), pointer(self, s[rows], gone),
                text_of(row[rows]), text_of(depth[rows]), by, first, first_m, out, text_of(row.out),
                call.panels and "" or ", block"))
        end)
    end)
    self.vectors.multiplies = true
    self.vectors.blocks = self.vectors.blocks or not call.panels
    note_widths(self.vectors, columns.extent.number)
    return true
end

return vector_products
