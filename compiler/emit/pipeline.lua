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

-- The targets from the least to the most demanding, which is how code for several is laid out.
local function in_order(names)
    local wanted, list = {}, {}
    for _, name in ipairs(names) do wanted[name] = true end
    for _, name in ipairs(targets.order) do
        if wanted[name] then list[#list + 1] = name end
    end
    return list
end

-- A target may read the weights of another one of the list, if that takes at most so many times as long by the cost
-- model: the weights are in the program once for each layout.
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

-- The IR of a target after each of its passes, by name. like: widths of another one's panels, by stage, or nil; base:
-- where the weights begin; wanted: see choose.
local function passes_of(ir, name, base, like, wanted)
    local own, after = copy(ir), {}
    own.wanted, own.like = wanted, like
    for _, pass in ipairs(target_passes) do
        own = apply(pass, own, targets[name], base)
        after[pass] = own
    end
    return after
end

-- The same where `other`, the passes of another target, has laid out the weights; nil: they cannot be read so, or it
-- takes too long. free: the target's own way.
local function sharing(ir, name, other, free)
    local own, widths = copy(ir), {}
    for i, stage in ipairs(other.layout.stages) do widths[i] = stage.widths end
    own.like = widths
    if other.layout.kernel ~= "units" or grouped(other.layout) or not choice(own, targets[name], ir.batch) then
        return nil
    end
    local after = passes_of(ir, name, other.layout.layout.base, widths)
    after.layout.slower = after.layout.cycles / free.layout.cycles
    return after.layout.slower <= MOST_SLOWER and after or nil
end

-- All targets with the weights of one, if that can be: a list of passes, and that one's index.
local function all_as_one(ir, names, free)
    local best, index, least
    for i in ipairs(names) do
        local all, worst = {}, 1
        for k, name in ipairs(names) do
            all[k] = k == i and free[k] or worst and sharing(ir, name, free[i], free[k])
            worst = worst and all[k] and math.max(worst, all[k].layout.slower or 1)
        end
        if worst and (not least or worst < least) then best, index, least = all, i, worst end
    end
    return best, index
end

-- The passes of all targets, and the index of the one whose weights each reads. base: where the weights begin;
-- choices: see pipeline.run
local function passes_of_all(ir, names, base, choices)
    local free, owners = {}, {}
    for i, name in ipairs(names) do free[i] = passes_of(ir, name, base, nil, choices and choices[name]) end
    local all, index
    if #names > 1 and not choices then all, index = all_as_one(ir, names, free) end
    if all then
        for i in ipairs(names) do owners[i] = index end
        return all, owners
    end
    all = {}
    -- The widest panels first: others may be read as several.
    for i = #names, 1, -1 do
        for k = #names, i + 1, -1 do
            if owners[k] == k and not owners[i] then
                if signature(free[i].layout.layout) == signature(all[k].layout.layout) then
                    all[i] = passes_of(ir, names[i], all[k].layout.layout.base, nil, choices and choices[names[i]])
                elseif not choices then
                    all[i] = sharing(ir, names[i], all[k], free[i])
                end
                owners[i] = all[i] and k
            end
        end
        if not owners[i] then
            all[i], owners[i] = passes_of(ir, names[i], base, nil, choices and choices[names[i]]), i
            base = base + all[i].layout.layout.count
        end
    end
    return all, owners
end

-- pipeline.run(spec, options) -> { plan, dumps, files, pack = { steps, packed_count, fingerprint } }
-- options: weights_as ("c", "floats", "blob" or "none"), weights_hash (host.weights_hash of their values; or nil),
-- command (for the comment on top of the files), ablate (what
-- the pass of that name takes away, for measurements; or nil), choices (target -> what passes/choose.lua takes in
-- place of the cost model's choice; or nil), only (the target that is taken when the program runs, whatever the CPU
-- has besides; or nil).
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
    local variants, layouts, names = {}, {}, in_order(spec.target)
    local all, owners = passes_of_all(ir, names, first.count, options.choices)
    for i, name in ipairs(names) do
        for pass, own in pairs(all[i]) do
            dumps[pass] = dumps[pass] or {}
            dumps[pass][i] = { target = name, ir = own }
        end
        local own = all[i].layout
        own.layout.shared = owners[i] ~= i and names[owners[i]]
        variants[i], layouts[i] = plan.variant(own, name), own.layout
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
