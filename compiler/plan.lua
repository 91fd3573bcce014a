-- plan: everything that is emitted, as flat data. Templates read this and nothing else; what they need
-- to know is stated here.
--
-- A plan has the network's facts and a list of variants, one per target. A variant has its products
-- (C functions made of register tiles) and its layers (C functions that run one chain over a chunk).
local targets = require "targets"
local tiles = require "kernels.tiles"

local plan = {}

-- A product's identity: two layers that need the same function share it.
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

local function shared(list, seen, item, name)
    local id = key(item)
    if not seen[id] then
        item.fn = name
        list[#list + 1] = item
        seen[id] = item
    end
    return seen[id]
end

-- How many multiply-add instructions a product's tile does in its loop, for the plan's reader.
local function unroll(split, columns) return math.min(math.max(split, 2), columns) end

local function term(name, pieces, split)
    local list = {}
    for i, piece in ipairs(pieces) do
        local step = piece.count < split and 1 or unroll(split, piece.count)
        list[i] = { offset = piece.offset, count = piece.count, unroll = step,
                    main = piece.count // step * step }
    end
    return { name = name, pieces = list }
end

local function panels(s, lanes, width)
    local vectors = tiles.ceil(s.H, lanes)
    local list = {}
    if vectors >= width then list[1] = { vectors = width, count = vectors // width, first = 0 } end
    if vectors % width > 0 then
        list[#list + 1] = { vectors = vectors % width, count = 1, first = vectors // width * width }
    end
    return list
end

local function units_products(ir, target, suffix)
    local s, choice, space = ir.sizes, ir.choice, ir.layout.workspace
    local list, seen, layers = {}, {}, {}
    local padded = space.unit_stride
    local exact = ir.batch ~= "any" and ir.batch <= choice.block
    local step_rows = exact and tiles.exact(ir.batch, choice.step.rows) or tiles.any(choice.step.rows)
    local start = ir.bias and "bias" or "zero"
    local function input_pieces(kind)
        if kind == "first" then return { { offset = 0, count = s.I } } end
        local pieces = {}
        for d = 0, s.D - 1 do pieces[d + 1] = { offset = d * padded, count = s.H } end
        return pieces
    end
    for _, kind in ipairs(s.L > 1 and { "first", "upper" } or { "first" }) do
        local columns = kind == "first" and s.I or s.D * s.H
        local parts, split = ir.layout.chains[kind], choice.step.split
        local layer = { kind = kind, parts = parts, hoisted = ir.hoisted[kind] }
        local recurrent = term("h", { { offset = 0, count = s.H } }, split)
        local step = {
            role = "step", gates = s.G, split = split, width = choice.step.vectors, unit_stride = padded,
            panels = panels(s, target.lanes, choice.step.vectors), rows = step_rows, exact = exact,
            finish = "update",
        }
        if layer.hoisted then
            local tile = choice.inputs[kind]
            layer.input = shared(list, seen, {
                role = "input", gates = s.G, split = tile.split, width = tile.vectors, unit_stride = padded,
                panels = panels(s, target.lanes, tile.vectors), rows = tiles.any(tile.rows), exact = false,
                finish = "store", start = start, terms = { term("x", input_pieces(kind), tile.split) },
            }, "input_" .. columns .. suffix)
            step.start, step.terms = "gates", { recurrent }
        else
            step.start, step.terms = start, { term("x", input_pieces(kind), split), recurrent }
        end
        layer.step = shared(list, seen, step, (layer.hoisted and "step" or "step_" .. columns) .. suffix)
        layer.fn = "layer_" .. kind .. suffix
        layers[#layers + 1] = layer
    end
    return list, layers
end

local function batch_products(ir, suffix)
    local s, choice = ir.sizes, ir.choice
    local list, seen, layers = {}, {}, {}
    for _, kind in ipairs(s.L > 1 and { "first", "upper" } or { "first" }) do
        local columns = kind == "first" and s.I or s.D * s.H
        local step = shared(list, seen, {
            role = "step", gates = s.G, height = choice.rows, vectors = choice.vectors, block = choice.block,
            start = ir.bias and "bias" or "zero",
            rows = tiles.exact(s.H, choice.rows),
            terms = { { name = "x", count = columns }, { name = "h", count = s.H } },
        }, "step_" .. columns .. suffix)
        layers[#layers + 1] = { kind = kind, parts = ir.layout.chains[kind], step = step, columns = columns,
                                fn = "layer_" .. kind .. suffix }
    end
    return list, layers
end

-- The vector operations that each activation is made of, beyond load, store, splat and fma.
local operations_of = { tanh = { "add", "sub", "mul", "div", "at_least", "at_most", "power_of_two" }, relu = { "at_least" } }

local function operations(ir)
    local uses = { add = false, sub = false, mul = false, div = false, at_least = false, at_most = false,
                   power_of_two = false, zip = false }
    for _, name in ipairs(ir.activations) do
        for _, operation in ipairs(operations_of[name]) do uses[operation] = true end
    end
    if ir.choice.kernel == "batch" then
        uses.zip = true
    else
        uses.add = uses.add or ir.choice.step.split > 1
        for _, tile in pairs(ir.choice.inputs) do uses.add = uses.add or tile.split > 1 end
    end
    return uses
end

-- plan.variant(ir, name) -> what is emitted for one target, from the IR after all passes.
function plan.variant(ir, name)
    local target, suffix = targets[name], "_" .. name
    local products, layers
    if ir.choice.kernel == "units" then
        products, layers = units_products(ir, target, suffix)
    else
        products, layers = batch_products(ir, suffix)
    end
    return {
        target = name, needs = target.needs, lanes = target.lanes, vec = target.vector, isa = target.isa,
        prelude = target.prelude, intrinsic = target.intrinsic or "", suffix = suffix, inline = "INLINE" .. suffix:upper(),
        attribute = "KERNEL" .. suffix:upper(), fma_per_cycle = target.fma_per_cycle, kernel = ir.choice.kernel, block = ir.choice.block,
        chunk = ir.chunk, considered = ir.choice.considered, cycles = math.ceil(ir.choice.cycles),
        products = products, layers = layers, schedule = ir.schedule, workspace = ir.layout.workspace,
        base = ir.layout.base, chain_first = ir.layout.chains.first.count,
        chain_upper = ir.layout.chains.upper and ir.layout.chains.upper.count or 0,
        hoisted = ir.hoisted.first or ir.hoisted.upper or false, uses = operations(ir),
    }
end

-- FNV-1a, 64 bits (Fowler, Noll, Vo): a blob of packed weights belongs to the code with this layout.
local function fingerprint(text)
    local hash = 0xcbf29ce484222325
    for i = 1, #text do hash = (hash ~ text:byte(i)) * 0x100000001b3 end
    return hash
end

-- plan.assemble(spec, ir, variants, layouts, options) -> plan. `ir` is the one that all targets share.
function plan.assemble(ir, variants, layouts, options)
    local s, pack, packed_count = ir.sizes, {}, 0
    local fixed, per_step = 0, 0
    for _, layout in ipairs(layouts) do
        for _, step in ipairs(layout.pack) do pack[#pack + 1] = step end
        packed_count = packed_count + layout.count
        fixed = math.max(fixed, layout.workspace.fixed)
        per_step = math.max(per_step, layout.workspace.per_step)
    end
    local macs = 0
    for layer = 0, s.L - 1 do
        macs = macs + s.D * s.G * s.H * ((layer == 0 and s.I or s.D * s.H) + s.H)
    end
    return {
        name = ir.name, upper = ir.name:upper(), cell = ir.cell, gates = ir.gates, update = ir.scans[1].body[1].epilogue,
        activations = ir.activations, sizes = s, bias = ir.bias, batch_first = ir.batch_first,
        dropout = ir.dropout, steps = ir.steps, batch = ir.batch, weights = ir.weights,
        weights_as = options.weights_as, built_in = options.weights_as == "c", command = options.command,
        variants = variants, pack = pack, packed_count = packed_count,
        fingerprint = fingerprint(key(pack) .. packed_count),
        workspace = { fixed = fixed, per_step = per_step }, macs_per_step = macs,
        workspace_constant = per_step == 0, workspace_bytes = fixed * 4 + 64,
    }
end

return plan
