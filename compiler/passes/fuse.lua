-- fuse: the bias becomes the start of the sum, and the update becomes the epilogue of the sum's last
-- product, so that gate values live in registers only. Each body becomes one `step`:
--   { op = "step", bias = { input, state } or nil, terms = { { of, weight, columns }, ... }, epilogue, tiny,
--     vectors = tensor or nil, norms = tensor or nil, reset = { update, tiny } or nil, projection = weight or nil }
local fuse = {}

fuse.doc = "bias and nonlinearity into the products of a step"

local function fused(body)
    local step = { op = "step", terms = {} }
    for _, op in ipairs(body) do
        if op.op == "product" then
            step.terms[#step.terms + 1] = { of = op.of, weight = op.weight, columns = op.columns }
        elseif op.op == "bias" then
            step.bias = step.bias or {}
            step.bias[op.of] = op.tensor
        elseif op.op == "vectors" then
            step.vectors = op.tensor
        elseif op.op == "norms" then
            step.norms = op.tensor
        elseif op.op == "reset" then
            step.reset = { update = op.trees, tiny = op.tiny }
        elseif op.op == "project" then
            step.projection = op.weight
        else
            assert(op.op == "update" and not step.epilogue, "a body ends in one update")
            step.epilogue, step.tiny = op.trees, op.tiny
        end
    end
    return step
end

function fuse.run(ir)
    for _, stack in ipairs(ir.stacks) do
        for _, scan in ipairs(stack.scans) do scan.body = { fused(scan.body) } end
        local step = stack.scans[1].body[1]
        stack.update, stack.tiny = step.epilogue, step.tiny
        if step.reset then stack.reset.update, stack.reset.tiny = step.reset.update, step.reset.tiny end
    end
    return ir
end

return fuse
