-- onnx: a graph of operators of ONNX (github.com/onnx/onnx, docs/Operators.md), as exporters of PyTorch and Keras
-- arrange them: recurrent layers, dense layers, embeddings, and what moves values between them.
--
-- The graph is run, with what depends on its inputs as signals (onnx/signals.lua), and constants worked out; what comes
-- out tells which layers there are. A node that is not understood, and on which an output depends, is an error.
local fail = require "base.fail"
local graph = require "import.onnx.graph"
local host = require "host"
local network = require "import.onnx.network"
local operate = require "import.onnx.operators"

-- The oldest version of the format that has all that is read here.
local IR_VERSION_MIN <const> = 3

local function read(file)
    local model, message = host.onnx(file.bytes)
    if not model then fail.at(file.path, "is no ONNX model that can be read: " .. message) end
    if not model.graph then fail.at(file.path, "has no graph") end
    if model.ir_version < IR_VERSION_MIN then
        fail.at(file.path, string.format("is of version %d of the format; export it with a newer one",
            model.ir_version))
    end
    if not model.opsets[""] and not model.opsets["ai.onnx"] then
        fail.at(file.path, "does not tell of which version its operators are (opset_import)")
    end
    if model.graph.sparse > 0 then fail.at(file.path, "has sparse weights, which rnnc does not read") end
    local outputs, inputs, unused = graph.run(model, file.path, operate)
    if #outputs == 0 then fail.at(file.path, "its graph has no outputs") end
    return network(outputs, inputs, unused, file.path)
end

return {
    format = "an ONNX model",
    -- A field 1 (the version of the format, varint), then another field of ModelProto.
    can_read = function(file)
        return file.bytes:find("^\8[\1-\31][\18\26\34\40\50\58\66\114]") ~= nil
    end,
    read = read,
}
