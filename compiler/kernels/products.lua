-- products: the C functions that a stage is made of, as data: sums, terms, tiles and epilogues. The plan
-- holds them; templates/*_product.c.t print them.
local dot = require "kernels.dot"
local tiles = require "kernels.tiles"

local products = {}

-- Data as text in one order: what two layers of equal data share.
local function key(value)
    if type(value) ~= "table" then return tostring(value) end
    local names, parts = {}, {}
    for name in pairs(value) do names[#names + 1] = tostring(name) end
    table.sort(names)
    for _, name in ipairs(names) do
        local field = value[name]
        if field == nil then field = value[math.tointeger(name)] end
        parts[#parts + 1] = name .. "=" .. key(field)
    end
    return "{" .. table.concat(parts, ",") .. "}"
end

products.key = key

-- products.hash(text): FNV-1a, 64 bits (Fowler, Noll, Vo).
function products.hash(text)
    local hash = 0xcbf29ce484222325
    for i = 1, #text do hash = (hash ~ text:byte(i)) * 0x100000001b3 end
    return hash
end

-- A list of products in which equal ones are one: list.add(product, name) -> the product there.
function products.list()
    local list, seen, names = {}, {}, {}
    function list.add(item, name)
        local id = key(item)
        if not seen[id] then
            names[name] = (names[name] or 0) + 1
            item.fn = names[name] == 1 and name or name .. "_" .. names[name]
            list[#list + 1] = item
            seen[id] = item
        end
        return seen[id]
    end
    return list
end

-- The row tiles with the columns that a loop takes at a time: one for each part of a sum, and two where
-- a tile is so small that the loop itself would show.
local function unrolled(rows, split, vectors)
    local list = {}
    for i, tile in ipairs(rows) do
        local small = tile.rows * vectors < 8
        list[i] = { rows = tile.rows, count = tile.count, unroll = math.max(split, small and 2 or 1) }
    end
    return list
end

-- Are the weights of a product of the units kernel to be loaded strictly in order? Where they come from beyond the
-- first cache it is the order that counts: loads that go to one line after the other run at up to 62 bytes a cycle
-- from the second cache, a few out of order at 31 to 37 (Zen 5; one step of lstm 128 takes 2.2 us instead of 3.5,
-- gru 256 with panels of 8 vectors 5.4 us a step instead of 7; on Cascade Lake a step of three sequences of lstm 128
-- 7.3 us instead of 9.6, of rnn 328 5.6 instead of 8.7). Row tiles of products over many steps find their panel in the
-- first cache, all but the first one: in order lstm 128 with a batch of 3 took 1.1 times as long (AVX2). For one row
-- grouped gates, as many streams as groups, gain nothing; several rows of lstm 200 take 0.82 of the time.
local function in_order(target, item, by_step)
    local columns, vectors, alone, several = 0, 0, false, false
    for _, term in ipairs(item.terms) do columns = columns + term.columns end
    for _, panel in ipairs(item.panels) do vectors = vectors + panel.vectors * panel.count end
    for _, tile in ipairs(item.rows) do
        alone, several = alone or tile.rows == 1, several or tile.rows > 1
    end
    return target.ordered and (alone and not item.grouped or by_step and several)
        and columns * item.gates * vectors * target.lanes * 4 >= target.l1 // 2
end

-- Adds a product of the units kernel to a list; by_step: does it run for one step at a time?
local function add_units(list, target, item, name, by_step)
    local far = in_order(target, item, by_step)
    item.in_order, item.rows_in_order = far and not item.grouped, far and by_step or false
    return list.add(item, name)
end

-- The panels of a product with so many sums for a vector of units. With `grouped` gates, the sums of the last
-- vector are as many as it has groups.
local function panels(units, lanes, width, sums, grouped)
    local vectors, all = tiles.ceil(units, lanes), tiles.sums(units, lanes, sums, grouped)
    local list, full = {}, all // (width * sums)
    if full > 0 then list[1] = { vectors = width, sums = width * sums, count = full } end
    if full * width < vectors then
        list[#list + 1] = { vectors = vectors - full * width, sums = all - full * width * sums, count = 1 }
    end
    return list
end

-- The sums of a product, one for each gate, or two where a gate is separate and both its terms are here:
--   index     of the sum in the product      gate   of PyTorch's order, from 0
--   terms     which products it adds up      start  where it begins: bias, separate, gates or zero
--   offset    of the gate there, and in the gates that are stored
-- and `inputs`, the gates whose input part the update reads from memory.
-- With a reset, the role "reset" has the gates of which it is made, and "step" the others.
local function sums_of(stack, role, hoisted, row)
    local list, inputs, separate, before, after = {}, {}, {}, {}, {}
    for i, gate in ipairs(stack.separate) do separate[gate] = i - 1 end
    for _, gate in ipairs(stack.reset and stack.reset.gates or {}) do before[gate] = true end
    for _, gate in ipairs(stack.reset and stack.reset.of or {}) do after[gate] = true end
    local function add(gate, part, terms, start, offset)
        local name = stack.gates[gate + 1] .. (part == "gate" and "" or part == "input" and "_x" or "_h")
        list[#list + 1] = { index = #list, name = name, gate = gate, part = part, terms = terms, offset = offset,
                            start = (start == "gates" or stack.bias) and start or "zero" }
    end
    for i, name in ipairs(stack.gates) do
        local gate = i - 1
        -- A sum of the other product: of the reset's, or of the step's.
        local other = stack.reset and (before[name] or false) ~= (role == "reset")
        if role == "input" then
            add(gate, "gate", { x = true, h = false }, "bias", gate * row)
        elseif after[name] and not other then
            add(gate, "gate", { x = not hoisted, h = false, reset = true }, hoisted and "gates" or "bias", gate * row)
        elseif not separate[name] and not other then
            add(gate, "gate", { x = not hoisted, h = true }, hoisted and "gates" or "bias", gate * row)
        elseif not other then
            if hoisted then
                inputs[#inputs + 1] = { gate = gate, offset = gate * row }
            else
                add(gate, "input", { x = true, h = false }, "bias", gate * row)
            end
            add(gate, "recurrent", { x = false, h = true }, "separate", separate[name] * row)
        end
    end
    return list, inputs
end

-- The places where sums start and from which the update reads, in a fixed order.
local function starts_of(sums, inputs)
    local found, list = { gates = #inputs > 0 }, {}
    for _, sum in ipairs(sums) do found[sum.start] = true end
    for _, name in ipairs { "bias", "gates", "separate" } do
        if found[name] then list[#list + 1] = name end
    end
    return list
end

-- Does the update read that leaf: { "state", NAME }, { "weight", NAME }?
local function reads(update, kind, name)
    local found = false
    local function visit(tree)
        if type(tree) ~= "table" then return end
        found = found or (tree[1] == kind and tree[2] == name)
        for i = 2, #tree do visit(tree[i]) end
    end
    for _, pair in ipairs(update) do visit(pair[2]) end
    return found
end

-- The fields that every product has, added to those of its kernel.
local function product(stack, role, hoisted, row, fields)
    fields.role, fields.gates, fields.gate_names = role, #stack.gates, stack.gates
    fields.sums, fields.inputs = sums_of(stack, role, hoisted, row)
    for _, term in ipairs(fields.terms) do
        term.columns, term.first, term.gates = 0, term.first or 0, term.gates or #stack.gates
        for _, piece in ipairs(term.pieces) do term.columns = term.columns + piece.count end
    end
    fields.starts = starts_of(fields.sums, fields.inputs)
    fields.update, fields.states, fields.own, fields.carried, fields.tiny = {}, {}, {}, {}, {}
    -- Where the values of the units begin, by tensor, and is there one?
    fields.unit_weights, fields.per_unit = {}, false
    if role == "reset" then
        fields.role, fields.update, fields.states, fields.own = "step", stack.reset.update, { "h" }, { "h" }
        fields.tiny, fields.reset = stack.reset.tiny, true
    elseif role == "step" then
        fields.update, fields.states, fields.tiny = stack.update, stack.states, stack.tiny or {}
        if reads(stack.update, "state", "h") then fields.own[1] = "h" end
        for i, name in ipairs(stack.vectors or {}) do
            if reads(stack.update, "weight", name) then
                fields.unit_weights[name], fields.per_unit = (i - 1) * fields.vector_row, true
            end
        end
        for i = 2, #stack.states do fields.carried[i - 1] = stack.states[i] end
    end
    return fields
end

local function kinds(s) return s.L > 1 and { "first", "upper" } or { "first" } end

-- The terms with the state of a step's sums, or of those of the reset that comes before it; `first` and `gates` say
-- which gates' weights are there.
local function state_terms(stack, role)
    local s, reset = stack.sizes, stack.reset
    local function term(name, first, gates, columns)
        return { name = name, first = first, gates = gates, pieces = { { offset = 0, count = columns } } }
    end
    if not reset then return { term("h", 0, s.G, s.P) } end
    local before, last = #reset.gates, #reset.of
    if role == "reset" then return { term("h", 0, before, s.P) } end
    local list = { term("reset", s.G - last, last, s.H) }
    if before + last < s.G then table.insert(list, 1, term("h", before, s.G - before - last, s.P)) end
    return list
end

-- Row tiles of a step: exact where the number of rows is known, else some of every height.
local function rows_of(ir, most)
    assert(not ir.least, "a block of units that may not be full")
    local rows = ir.division.share
    if rows ~= "any" and not ir.lengths then
        if rows <= ir.block and ir.batch % rows == 0 then return tiles.exact(rows, most), true end
        if rows == ir.batch and rows % ir.block == 0 then return tiles.exact(ir.block, most), true end
    end
    return tiles.all(most), false
end

-- Bytes by which the batch kernel asks for weights before their use; 0: the second cache holds them all. Without,
-- a call of lstm 256 x 2 whose weights have left the caches takes 5900 us, with it 5400, as one whose have not.
local function prefetch(ir, target)
    return ir.layout.count * 4 > target.l2 and target.prefetch_distance or 0
end

-- How members of a team share the panels of a step and of its input product: in `grains`, each so many panels
-- of the one and of the other, which have so many in all.
local function grains(units, lanes, step, input)
    local vectors, grain = tiles.ceil(units, lanes), input and tiles.grain(step, input) or step
    return { grains = tiles.ceil(vectors, grain),
             step = { panels = tiles.ceil(vectors, step), each = grain // step },
             input = input and { panels = tiles.ceil(vectors, input), each = grain // input } }
end

-- Pieces of a batch kernel's row, of which those that follow each other without a gap are one.
local function joined(pieces)
    local list = {}
    for _, piece in ipairs(pieces) do
        local last = list[#list]
        if last and last.offset + last.count == piece.offset then
            last.count = last.count + piece.count
        else
            list[#list + 1] = { offset = piece.offset, count = piece.count }
        end
    end
    return list
end

-- A product without a state. what: { inputs, pieces of the input, units, bias, update, ranged (of some panels),
-- stepped (in the batch kernel, of several steps), stored: units of a panel as it lies in memory }
local function dense(ir, target, what, choice, list, name)
    local stack = { gates = { "h" }, separate = {}, states = { "h" }, bias = what.bias, update = what.update }
    local fields = { terms = { { name = "x", pieces = what.pieces } } }
    if ir.in_lanes == "units" then
        local tile = choice.tile
        fields.split, fields.width, fields.stored = tile.split, tile.vectors, what.stored // target.lanes
        fields.panels = panels(what.units, target.lanes, tile.vectors, 1)
        fields.rows, fields.exact = unrolled(tiles.any(tile.rows), tile.split, tile.vectors), false
        fields.ranged = what.ranged or false
    else
        fields.terms[1].pieces = joined(what.pieces)
        fields.prefetch = prefetch(ir, target)
        fields.height, fields.vectors, fields.block = tiles.panel(choice), choice.vectors, ir.block
        fields.stepped = what.stepped or false
        fields.rows, fields.beside = tiles.exact(tiles.ceil(what.units, ir.beside), choice.rows), ir.beside
    end
    local result = product(stack, "step", false, 0, fields)
    for _, sum in ipairs(result.sums) do sum.terms = { x = true, h = false } end
    return ir.in_lanes == "units" and add_units(list, target, result, name, not what.stepped) or list.add(result, name)
end

-- The product that turns the H values of a step into its P outputs; nil without one.
local function projection(ir, target, stage, list, suffix)
    local stack, choice = ir.stacks[stage.stack], stage.choice
    local s = stack.sizes
    if s.P == s.H then return nil end
    local what = { inputs = s.H, pieces = { { offset = 0, count = s.H } }, units = s.P, bias = false,
                   update = { { "h", { "gate", "h" } } }, stored = stage.widths.projection,
                   ranged = ir.division.kind == "panels" }
    return dense(ir, target, what, choice.projection, list, string.format("project_%d_%d%s", s.H, s.P, suffix))
end

local function units_stack(ir, target, stage, list, suffix, input)
    local stack, choice, layers = ir.stacks[stage.stack], stage.choice, {}
    local s, split = stack.sizes, stage.choice.step.split
    local row, stored = choice.vectors * target.lanes, choice.step.vectors
    if not choice.grouped then row, stored = stage.widths.row, stage.widths.state // target.lanes end
    local rows, exact = rows_of(ir, choice.step.rows)
    local ranged = ir.division.kind == "panels"
    for _, kind in ipairs(kinds(s)) do
        local columns = kind == "first" and s.I or s.D * s.P
        local pieces = kind == "first" and input.pieces or stage.output.pieces
        local layer = { kind = kind, parts = stage.chains[kind], hoisted = stack.hoisted[kind] }
        local tile = choice.inputs[kind]
        if layer.hoisted and tile.kernel == dot.name then
            layer.input = list.add(product(stack, "input", true, row, {
                kernel = dot.name, in_lanes = dot.in_lanes, row = row, height_of_gate = s.H,
                stride = tiles.ceil(columns, 16) * 16,
                rows = tiles.any(tile.rows), unit_tiles = tiles.exact(s.H, tile.units),
                terms = { { name = "x", pieces = pieces } },
            }), "input_" .. columns .. suffix)
        elseif layer.hoisted then
            layer.input = add_units(list, target, product(stack, "input", true, row, {
                split = tile.split, width = tile.vectors, grouped = choice.grouped or false,
                stored = choice.grouped and tile.vectors or stage.widths[kind] // target.lanes,
                panels = panels(s.H, target.lanes, tile.vectors, s.G, choice.grouped),
                rows = unrolled(tiles.any(tile.rows), tile.split, tile.vectors * s.G), exact = false, ranged = ranged,
                terms = { { name = "x", pieces = pieces } },
            }), "input_" .. columns .. suffix)
        end
        local function add_step(role)
            local terms = state_terms(stack, role)
            if not layer.hoisted then table.insert(terms, 1, { name = "x", pieces = pieces }) end
            local step = product(stack, role, layer.hoisted, row, {
                split = split, width = choice.step.vectors, stored = stored, grouped = choice.grouped,
                rows = unrolled(rows, split, choice.step.vectors * s.G), exact = exact, ranged = ranged,
                terms = terms, vector_row = choice.vectors * target.lanes,
            })
            step.lone = exact and #rows == 1 and rows[1].rows * rows[1].count == 1 -- one row has no strides
            step.panels = panels(s.H, target.lanes, step.width, #step.sums, choice.grouped)
            step.turns = step.panels[1].count > 1 and target.lanes > 1
            local name = role .. "_" .. (layer.hoisted and "" or columns .. "_") .. s.H .. suffix
            return add_units(list, target, step, name, true)
        end
        -- Before norms the sums with the state are a product like those with the input, whose values are stored.
        local function add_sums()
            return add_units(list, target, product(stack, "input", true, row, {
                split = split, width = choice.step.vectors, stored = stored, grouped = false,
                rows = unrolled(tiles.any(choice.step.rows), split, choice.step.vectors * s.G), exact = false,
                ranged = false, panels = panels(s.H, target.lanes, choice.step.vectors, s.G, false),
                terms = { { name = "x", pieces = { { offset = 0, count = s.P } } } },
            }), "state_" .. s.H .. suffix)
        end
        layer.reset = stack.reset and add_step "reset"
        layer.step = stack.norm and add_sums() or add_step "step"
        layer.lone = exact and #rows == 1 and rows[1].rows * rows[1].count == 1
        layer.projection = projection(ir, target, stage, list, suffix)
        if ranged then
            layer.share = grains(s.H, target.lanes, choice.step.vectors, layer.hoisted and choice.inputs[kind].vectors)
            layer.share.projection = layer.projection
                and { panels = tiles.ceil(s.P, choice.projection.tile.vectors * target.lanes), each = 1 }
        end
        layers[#layers + 1] = layer
    end
    return layers
end

local function batch_stack(ir, target, stage, list, suffix, input)
    local stack, choice, layers = ir.stacks[stage.stack], stage.choice, {}
    local s = stack.sizes
    local width = tiles.panel(choice)
    local row = tiles.ceil(s.H, width) * width
    for _, kind in ipairs(kinds(s)) do
        local columns = kind == "first" and s.I or s.D * s.P
        local from = kind == "first" and input or stage.output
        local function add_step(role)
            local terms = state_terms(stack, role)
            table.insert(terms, 1, { name = "x", pieces = joined(from.pieces) })
            return list.add(product(stack, role, false, row, {
                height = width, vectors = choice.vectors, block = ir.block, beside = ir.beside,
                prefetch = prefetch(ir, target), terms = terms,
                rows = tiles.exact(tiles.ceil(s.H, ir.beside), choice.rows),
                vector_row = row,
            }), role .. "_" .. columns .. "_" .. s.H .. suffix)
        end
        layers[#layers + 1] = { kind = kind, parts = stage.chains[kind], columns = columns,
                                reset = stack.reset and add_step "reset", step = add_step "step",
                                input_row = from.row, hoisted = false,
                                projection = projection(ir, target, stage, list, suffix) }
    end
    return layers
end

-- products.of(ir, target, list, suffix): adds to `list` what the stages need and gives each its
-- functions: stage.layers or stage.product.
function products.of(ir, target, list, suffix)
    local input = { row = ir.input_row, pieces = { { offset = 0, count = ir.input_width } } }
    for _, stage in ipairs(ir.stages) do
        if stage.kind == "stack" then
            local build = ir.in_lanes == "units" and units_stack or batch_stack
            stage.layers = build(ir, target, stage, list, suffix, input)
        elseif stage.kind == "dense" then
            local what = { inputs = stage.inputs, pieces = (stage.flat or input).pieces, units = stage.units,
                           bias = stage.bias, update = stage.update, ranged = ir.division.kind == "panels",
                           stepped = true, stored = stage.widths.state }
            stage.product = dense(ir, target, what, stage.choice, list,
                string.format("dense_%d_%d%s", stage.inputs, stage.units, suffix))
        end
        input = stage.output
    end
end

return products
