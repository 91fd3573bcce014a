-- operators: those of ONNX that rnnc reads, a row each: (node) -> its outputs.
local rows = {}
for _, part in ipairs {
    require "import.onnx.arithmetic", require "import.onnx.shapes", require "import.onnx.dense",
    require "import.onnx.recurrent",
} do
    -- dense has Add and Gather of signals, and asks the others for those of constants.
    for name, row in pairs(part) do rows[name] = row end
end

local names = { "If" }
for name in pairs(rows) do names[#names + 1] = name end
table.sort(names)

-- What a node of any operator gives; one that is not known ends the reading.
return function(node)
    local row = rows[node.op]
    node:check(row, "rnnc has no such operator; it reads %s", table.concat(names, ", "))
    return row(node)
end
