-- pipeline: the stages from a validated spec to the text of C, in order.
--
--   spec -> lower -> simplify -> fuse
--     -> (for each target: divide -> choose -> hoist -> schedule -> layout) -> plan -> emit
--
-- Each stage is a function from data to data; what it returns is kept for `rnnc plan --dump=STAGE`.
local layout = require "passes.layout"
local lower = require "passes.lower"
local plan = require "passes.plan"
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

-- pipeline.run(spec, options) -> { plan, dumps, files, pack = { steps, packed_count, fingerprint } }
-- options: weights_as ("c", "floats", "blob" or "none"), weights_hash (host.weights_hash of their values; or nil),
-- command (for the comment on top of the files), ablate (what
-- the pass of that name takes away, for measurements; or nil), choices (target -> what passes/choose.lua takes in
-- place of the cost model's choice; or nil).
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
    local variants, layouts, base = {}, {}, first.count
    for i, target in ipairs(in_order(spec.target)) do
        local own = copy(ir)
        own.wanted = options.choices and options.choices[target] or nil
        for _, name in ipairs(target_passes) do
            own = apply(name, own, targets[target], base)
            dumps[name] = dumps[name] or {}
            dumps[name][i] = { target = target, ir = own }
        end
        variants[i], layouts[i] = plan.variant(own, target), own.layout
        base = base + own.layout.count
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
