-- fuse: the bias becomes the start of the sum, and the update becomes the epilogue of the sum's last
-- product, so that gate values live in registers only. Each body becomes one `step`:
--   { op = "step", bias = { tensor, ... }, terms = { { of, weight, columns }, ... }, epilogue = trees }
local fuse = {}

fuse.doc = "bias and nonlinearity into the products of a step"

function fuse.run(ir)
    for _, scan in ipairs(ir.scans) do
        local step = { op = "step", bias = {}, terms = {} }
        for _, op in ipairs(scan.body) do
            if op.op == "product" then
                step.terms[#step.terms + 1] = { of = op.of, weight = op.weight, columns = op.columns }
            elseif op.op == "bias" then
                step.bias = op.tensors
            else
                assert(op.op == "update" and not step.epilogue, "a body ends in one update")
                step.epilogue = op.trees
            end
        end
        scan.body = { step }
    end
    return ir
end

return fuse
