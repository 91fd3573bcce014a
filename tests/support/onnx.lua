-- onnx: ONNX models out of short texts, in protobuf's wire format (protobuf.dev/programming-guides/encoding; numbers
-- of fields from onnx.proto).
local onnx = {}

local FLOAT <const> = 1
-- Types of TensorProto by letters: their number, and the format of string.pack for a value.
local types <const> = {
    F = { FLOAT, "<f" }, U8 = { 2, "<I1" }, I8 = { 3, "<i1" }, U16 = { 4, "<I2" }, I16 = { 5, "<i2" },
    I32 = { 6, "<i4" }, I64 = { 7, "<i8" }, BOOL = { 9, "<I1" }, U32 = { 12, "<I4" }, U64 = { 13, "<i8" },
}

local function varint(value)
    local bytes = {}
    repeat
        local rest = value >> 7
        bytes[#bytes + 1] = string.char(value & 127 | (rest ~= 0 and 128 or 0))
        value = rest
    until value == 0
    return table.concat(bytes)
end

-- onnx.number(field, value), onnx.bytes(field, text) -> fields of a message.
function onnx.number(field, value) return varint(field << 3) .. varint(value) end
function onnx.bytes(field, text) return varint(field << 3 | 2) .. varint(#text) .. text end

local number, bytes = onnx.number, onnx.bytes

-- A TensorProto: dims, values; typed: the field of values by type instead of raw_data, as a message of its own.
local function tensor(name, type, dims, values, typed)
    local out = {}
    for i, size in ipairs(dims) do out[i] = number(1, size) end
    out[#out + 1] = number(2, types[type][1])
    if name then out[#out + 1] = bytes(8, name) end
    local data = {}
    for i, value in ipairs(values) do
        data[i] = typed and varint(value) or string.pack(types[type][2], value)
    end
    out[#out + 1] = bytes(typed or 9, table.concat(data))
    return table.concat(out)
end

onnx.tensor = tensor

-- A constant by its text: "F2x3" floats 1, 2, ... of that shape, "F=0.5" a number; "[1,-1]" a vector of int64, "(3)" a
-- number of it, "I32[1,2]", "I32(3)" the same of another type. nil: it is the name of something.
local function constant(text)
    local type, shape = text:match "^(F)([%dx]*)$"
    if type then
        local dims, values, count = {}, {}, 1
        for size in shape:gmatch "%d+" do
            dims[#dims + 1] = math.tointeger(size)
            count = count * size
        end
        for i = 1, count do values[i] = i + 0.0 end
        return { type, dims, values }
    end
    local one = text:match "^F=(.+)$"
    if one then return { "F", {}, { tonumber(one) } } end
    local letters, open, list = text:match "^([IUBOL%d]*)([%[%(])([^%]%)]*)[%]%)]$"
    if not open then return nil end
    local values = {}
    for value in list:gmatch "[^,]+" do values[#values + 1] = math.tointeger(value) end
    return { letters == "" and "I64" or letters, open == "[" and { #values } or {}, values }
end

-- An attribute "axis=0", "alpha=0.5", "perm=1,0", "axes=1," (a list of one), "mode=word", "then_branch=&NAME" or
-- "value=&NAME": the message of that name among `parts`, { field, type of AttributeProto, bytes }.
local function attribute(text, parts)
    local name, value = text:match "^([%w_]+)=(.*)$"
    local out = bytes(1, name)
    if value:sub(1, 1) == "&" then
        local part = assert(parts[value:sub(2)], text)
        return out .. bytes(part[1], part[3]) .. number(20, part[2])
    end
    local list = value:find ","
    local real, whole = value:find "%d%.%d", value:find "^[-%d]"
    for word in value:gmatch "[^,]+" do
        if real then
            out = out .. varint((list and 7 or 2) << 3 | 5) .. string.pack("<f", tonumber(word))
        elseif whole then
            out = out .. number(list and 8 or 3, math.tointeger(word))
        else
            out = out .. bytes(list and 9 or 4, word)
        end
    end
    return out .. number(20, (real and 1 or whole and 2 or 3) + (list and 5 or 0))
end

-- onnx.graph(text, options) -> a GraphProto. text: nodes "OP input ... > output ... attribute=value ..." with ";"
-- between; an input is "-" for none, a constant as above, or a name. options: inputs, { name, dims } with names for
-- sizes that are not known (x is float (time, batch, 2)); outputs, names (those of the last node); parts of attributes;
-- more: fields that are put behind.
function onnx.graph(text, options)
    local out, known, last = {}, {}, {}
    for node in text:gmatch "[^;]+" do
        local op, rest = node:match "^%s*(%S+)%s*(.*)$"
        local fields, behind = {}, false
        last = {}
        for word in rest:gmatch "%S+" do
            if word == ">" then
                behind = true
            elseif word:find "^[%a_]+=[^=]*$" and not word:find "^F=" then
                fields[#fields + 1] = bytes(5, attribute(word, options.parts or {}))
            elseif behind then
                fields[#fields + 1] = bytes(2, word)
                last[#last + 1] = word
            else
                local value = constant(word)
                if value and not known[word] then
                    known[word] = true
                    out[#out + 1] = bytes(5, tensor(word, table.unpack(value)))
                end
                fields[#fields + 1] = bytes(1, word == "-" and "" or word)
            end
        end
        out[#out + 1] = bytes(1, table.concat(fields) .. bytes(4, op))
    end
    local function value(field, name, dims)
        local shape = {}
        for word in dims:gmatch "[^,]+" do
            local size = math.tointeger(word)
            shape[#shape + 1] = bytes(1, size and number(1, size) or bytes(2, word))
        end
        local type = number(1, FLOAT) .. bytes(2, table.concat(shape))
        out[#out + 1] = bytes(field, bytes(1, name) .. bytes(2, bytes(1, type)))
    end
    for _, input in ipairs(options.inputs or { { "x", "time,batch,2" } }) do value(11, input[1], input[2]) end
    for _, name in ipairs(options.outputs or last) do value(12, name, "") end
    return table.concat(out) .. (options.more or "")
end

-- onnx.model(graph, opset, version) -> a ModelProto; opset: of ONNX's own operators (17; false: it does not say).
function onnx.model(graph, opset, version)
    local set = opset ~= false and bytes(8, bytes(1, "") .. number(2, opset or 17)) or ""
    return number(1, version or 8) .. bytes(7, graph) .. set
end

return onnx
