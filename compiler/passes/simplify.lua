-- simplify: rewrites the update so that it divides less often (see expressions.lua).
local expressions = require "expressions"

local simplify = {}

simplify.doc = "fewer divisions in the update of a state"

local function simplified(trees)
    local list = {}
    for i, pair in ipairs(trees) do list[i] = { pair[1], expressions.simplify(pair[2]) } end
    return list
end

function simplify.run(ir)
    for _, stack in ipairs(ir.stacks) do
        for _, scan in ipairs(stack.scans) do
            for _, op in ipairs(scan.body) do
                if op.op == "update" then op.trees = simplified(op.trees) end
            end
        end
    end
    return ir
end

return simplify
