-- pipeline: the stages from a validated spec to the text of C, in order.
--
--   spec -> lower -> simplify -> fuse
--     -> (for each target: divide -> choose -> hoist -> schedule -> layout) -> plan -> emit
--
-- Each stage is a function from data to data; what it returns is kept for `rnnc plan --dump=STAGE`.
local layout = require "passes.layout"
local lower = require "passes.lower"
local choice = require "kernels.choice"
local plan = require "passes.plan"
local products = require "kernels.products"
local emit = require "emit.emit"
local serve = require "passes.serve"
local targets = require "tables.targets"

local pipeline = {}

local shared_passes = { "simplify", "fuse" }
local target_passes = { "divide", "choose", "hoist", "schedule", "layout" }

-- Names that `rnnc plan --dump` takes, in order.
pipeline.stages = { "lower", "simplify", "fuse", "divide", "choose", "hoist", "schedule", "layout", "plan" }

local function copy(value)
    if type(value) ~= "table" then return value end
    local out = {}
    for k, v in pairs(value) do out[k] = copy(v) end
    return out
end

local function apply(name, ir, ...) return require("passes." .. name).run(copy(ir), ...) end

-- The programs of the targets { target, role, ir, wanted (see choose) }, from the least to the most demanding target,
-- which is how code for several is laid out. What was measured is the first program's.
local function programs_of(ir, names, choices, single)
    local wanted, list = {}, {}
    for _, name in ipairs(names) do wanted[name] = true end
    for _, name in ipairs(targets.order) do
        local alone = choices ~= nil or single
        for _, program in ipairs(wanted[name] and serve.programs(ir, targets[name], choice, alone) or {}) do
            list[#list + 1] = { target = name, role = program.role, ir = program.ir,
                                wanted = program.role == "" and choices and choices[name] or nil }
        end
    end
    return list
end

-- A program may read the weights of another one of the list, if that takes at most so many times as long by the cost
-- model: the weights are in the result once for each layout.
local MOST_SLOWER <const> = 1.1

-- Do gates lie side by side in a vector, which only vectors as long can read?
local function grouped(ir)
    local found = false
    for _, stage in ipairs(ir.stages) do found = found or stage.kind == "stack" and stage.choice.grouped end
    return found or false
end

-- What makes two layouts the same, wherever they begin.
local function signature(own)
    local steps = copy(own.pack)
    for _, step in ipairs(steps) do step.dst = step.dst - own.base end
    return products.key(steps)
end

-- The IR of a program after each of its target's passes, by name. like: widths of another one's panels, by stage, or
-- nil; base: where the weights begin.
local function passes_of(program, base, like)
    local own, after = copy(program.ir), {}
    own.wanted, own.like = not like and program.wanted or nil, like
    for _, pass in ipairs(target_passes) do
        own = apply(pass, own, targets[program.target], base)
        after[pass] = own
    end
    return after
end

-- The same where `other`, the passes of another program, has laid out the weights; nil: they cannot be read so, or it
-- takes too long. free: the program's own way. Blocks of an unknown batch are there for lanes that carry sequences, and
-- are whole: with lanes of units they would be the first program once more, in tiles of rows that a call may not have.
local function sharing(program, other, free)
    if program.ir.least then return nil end
    local own, widths = copy(program.ir), {}
    for i, stage in ipairs(other.layout.stages) do widths[i] = stage.widths end
    own.like = widths
    if other.layout.in_lanes ~= "units" or grouped(other.layout)
        or not choice(own, targets[program.target], own.batch) then
        return nil
    end
    local after = passes_of(program, other.layout.layout.base, widths)
    after.layout.slower = after.layout.cycles / free.layout.cycles
    return after.layout.slower <= MOST_SLOWER and after or nil
end

-- All programs but those of blocks with the weights of one, if that can be: their passes by their indices, and the
-- index of that one.
local function all_as_one(programs, free)
    local best, index, least
    for i, owner in ipairs(programs) do
        local all, worst = {}, owner.role == "" and 1 or nil
        for k, program in ipairs(programs) do
            if worst and not program.ir.least then
                all[k] = k == i and free[k] or sharing(program, free[i], free[k])
                worst = all[k] and math.max(worst, all[k].layout.slower or 1)
            end
        end
        if worst and (not least or worst < least) then best, index, least = all, i, worst end
    end
    return best, index
end

-- The passes of all programs, and the index of the one whose weights each reads. base: where the weights begin;
-- tuned: has some target what was measured?
local function passes_of_all(programs, base, tuned)
    local free, owners = {}, {}
    for i, program in ipairs(programs) do free[i] = passes_of(program, base) end
    local all, index
    if #programs > 1 and not tuned then all, index = all_as_one(programs, free) end
    all = all or {}
    for i in pairs(all) do owners[i] = index end
    if index then base = base + all[index].layout.layout.count end
    -- The widest panels first: others may be read as several.
    for i = #programs, 1, -1 do
        for k = #programs, 1, -1 do
            if owners[k] == k and not owners[i] then
                if signature(free[i].layout.layout) == signature(all[k].layout.layout) then
                    all[i] = passes_of(programs[i], all[k].layout.layout.base)
                elseif not tuned then
                    all[i] = sharing(programs[i], all[k], free[i])
                end
                owners[i] = all[i] and k
            end
        end
        if not owners[i] then
            all[i], owners[i] = passes_of(programs[i], base), i
            base = base + all[i].layout.layout.count
        end
    end
    return all, owners
end

-- pipeline.run(spec, options) -> { plan, dumps, files, pack = { steps, packed_count, fingerprint } }
-- options: weights_as ("c", "floats", "blob" or "none"), form (a row of output_forms.lua; nil: the first),
-- wrappers (rows of wrappers.lua; nil: none),
-- weights_hash (host.weights_hash of their values; or nil), spec_hash (of the spec's text; or nil),
-- command (for the comment on top of the files), ablate (what the pass of that name takes away, for measurements; or
-- nil), choices (target -> what passes/choose.lua takes in place of the cost model's choice; or nil), only (the target
-- that is taken when the program runs, whatever the CPU has besides; or nil), single (one program for all batches, see
-- serve.lua, to compare with; or nil).
-- dumps: stage -> its result; a list over targets where the stage is a target's own.
function pipeline.run(spec, options)
    local dumps = {}
    local ir = lower.run(spec)
    dumps.lower = ir
    if options.ablate then ir = apply("ablate", ir, options.ablate) end
    for _, name in ipairs(shared_passes) do
        ir = apply(name, ir)
        dumps[name] = ir
    end
    local first = layout.first(ir)
    local variants, layouts, programs = {}, {}, programs_of(ir, spec.target, options.choices, options.single)
    local all, owners = passes_of_all(programs, first.count, options.choices ~= nil)
    local names = {}
    for i, program in ipairs(programs) do names[i] = program.target .. program.role:gsub("_", ", ") end
    for i in ipairs(programs) do
        local own = all[i].layout
        own.layout.shared = owners[i] ~= i and names[owners[i]] or false
        layouts[i] = own.layout
    end
    for i in ipairs(programs) do
        for pass, own in pairs(all[i]) do
            dumps[pass] = dumps[pass] or {}
            dumps[pass][i] = { target = names[i], ir = own }
        end
    end
    -- The first program of a target is the last one of its list.
    local shared
    for i = #programs, 1, -1 do
        local program = programs[i]
        if program.role == "" then shared = {} end
        local variant = plan.variant(all[i].layout, program.target, program.role, shared)
        if program.role == "" then table.insert(variants, 1, variant) end
    end
    local the_plan = plan.assemble(ir, variants, layouts, first, options)
    dumps.plan = the_plan
    return {
        plan = the_plan, dumps = dumps, files = emit.files(the_plan),
        pack = { steps = the_plan.pack, packed_count = the_plan.packed_count,
                 fingerprint = the_plan.fingerprint },
    }
end

return pipeline
