-- ablate: takes a part of the work away, so that measuring what is left tells what the part costs. The
-- network computes something else then; nothing but its time is of use. Not one of the passes of a plan.
--
--   "functions"  functions of one argument, but for its negative, hand it on
--   "update"     the new state is the sum of everything that the products give, and nothing else: no sum may
--                become useless, or a C compiler would drop its product
local expressions = require "ir.expressions"
local functions = require "tables.functions"

local ablate = {}

ablate.doc = "part of the work taken away, to be measured"

local function without_functions(tree)
    if expressions.is_leaf(tree) then return tree end
    if functions.of(tree[1]).arity == 1 and tree[1] ~= "neg" then return without_functions(tree[2]) end
    return expressions.rebuilt(tree, without_functions)
end

-- Adds the sums that a tree reads to `list`, each once.
local function sums_of(tree, list, seen)
    if type(tree) ~= "table" then return end
    local kind, name = tree[1], tree[2]
    if kind == "gate" or kind == "input" or kind == "recurrent" then
        if not seen[kind .. " " .. name] then list[#list + 1] = tree end
        seen[kind .. " " .. name] = true
        return
    end
    for i = 2, #tree do sums_of(tree[i], list, seen) end
end

-- The parts, each with what is left of an update's trees.
local takes = {}

function takes.functions(trees)
    local out = {}
    for i, pair in ipairs(trees) do out[i] = { pair[1], without_functions(pair[2]) } end
    return out
end

function takes.update(trees)
    local sums, seen, out = {}, {}, {}
    for _, pair in ipairs(trees) do sums_of(pair[2], sums, seen) end
    local all = sums[1]
    for i = 2, #sums do all = { "add", all, sums[i] } end
    for i, pair in ipairs(trees) do out[i] = { pair[1], pair[1] == "h" and all or sums[1] } end
    return out
end

ablate.parts = takes

function ablate.run(ir, what)
    for _, stack in ipairs(ir.stacks) do
        for _, scan in ipairs(stack.scans) do
            for _, op in ipairs(scan.body) do
                if op.trees then
                    op.trees = takes[what](op.trees)
                    if what == "update" then op.tiny = {} end
                end
            end
        end
    end
    for _, stage in ipairs(ir.stages) do
        if stage.update then stage.activation, stage.update = "none", { { "h", { "gate", "h" } } } end
    end
    ir.by_head = nil
    return ir
end

return ablate
