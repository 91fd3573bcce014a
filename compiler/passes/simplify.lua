-- simplify: rewrites updates by the functions of the spec's `activation`, so that they divide less
-- often or take fewer instructions (see expressions.lua).
local expressions = require "tables.expressions"

local simplify = {}

simplify.doc = "fewer divisions in the update of a state, or fast functions"

local function simplified(trees, activation)
    local list = {}
    for i, pair in ipairs(trees) do list[i] = { pair[1], expressions.simplify(pair[2], activation) } end
    return list
end

function simplify.run(ir)
    for _, stack in ipairs(ir.stacks) do
        for _, scan in ipairs(stack.scans) do
            for _, op in ipairs(scan.body) do
                if op.op == "update" then op.trees = simplified(op.trees, ir.activation) end
            end
        end
    end
    for _, stage in ipairs(ir.stages) do
        if stage.kind == "dense" then stage.update = simplified(stage.update, ir.activation) end
    end
    return ir
end

return simplify
