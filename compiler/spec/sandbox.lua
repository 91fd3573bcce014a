-- sandbox: what a spec can see. Runs in the spec's own Lua state, before it (sandbox.c).
--
-- A spec may come from anybody, so it gets a few functions that only compute, each of which does a
-- bounded amount of work: the limit on instructions does not see what a function in C does. Left
-- out are all that reach the system, make code, catch errors (the limits are errors), look through
-- the walls (debug, metatables, coroutines), may run for ever on a short argument (patterns), or
-- give another result each time (pairs, random).
--
-- Gets a table of the values of --define, which a spec reads as define.NAME; one that is not defined is nil, so that
-- `define.hidden or 32` has a default; and the rows of constructors.lua.
--
-- Returns the environment of the spec, and a function that takes what the spec returned (how many
-- values, and the first) and gives the network: its form and its fields, each layer and each part of its training as
-- { form, fields }.

local TEXT_MAX <const> = 65536
local LIST_MAX <const> = 1000
local UNPACK_MAX <const> = 200

local string, table, math, error, type, select = string, table, math, error, type, select
local pairs, next, getmetatable, raw_tostring = pairs, next, getmetatable, tostring

-- Tables and functions by their kind: an address is another one each time.
local function tostring(value)
    local kind = type(value)
    if kind == "table" or kind == "function" then return kind end
    return raw_tostring(value)
end

-- The table `row`, in which names that it lacks are an error that tells what there is.
local function closed(title, row)
    local names = {}
    for name in pairs(row) do names[#names + 1] = name end
    table.sort(names)
    local list = table.concat(names, ", ")
    return setmetatable(row, { __index = function(_, name)
        error(title .. "." .. tostring(name) .. " is not available in a spec; these are: " .. list)
    end })
end

local function pick(library, names)
    local row = {}
    for name in names:gmatch("%S+") do row[name] = assert(library[name], name) end
    return row
end

local strings = pick(string, "byte char len lower reverse sub upper")

-- `s` repeated: a short call must not make a huge text, nor count to 2^63 over an empty one.
function strings.rep(s, n, separator)
    s, separator = tostring(s), separator and tostring(separator) or ""
    n = math.tointeger(n) or error("string.rep needs a whole number of times")
    if n > TEXT_MAX or (n > 0 and n * (#s + #separator) > TEXT_MAX) then
        error("string.rep would make a text of more than " .. TEXT_MAX .. " bytes")
    end
    return string.rep(s, n, separator)
end

-- %p and %s of a table would print an address, which is another one each time.
function strings.format(format, ...)
    format = tostring(format)
    if #format > LIST_MAX then error("the format is longer than " .. LIST_MAX .. " bytes") end
    local without_percents = string.gsub(format, "%%%%", "")
    if string.find(without_percents, "%%[^%a]*p") then error("the format %p is not available in a spec") end
    for i = 1, select("#", ...) do
        local kind = type((select(i, ...)))
        if kind ~= "string" and kind ~= "number" and kind ~= "boolean" and kind ~= "nil" then
            error("string.format cannot print a " .. kind)
        end
    end
    return string.format(format, ...)
end

-- In Lua, so that every step counts: #t can be made 2^62 with a few entries.
local tables = {}

function tables.insert(t, position, ...)
    local count = #t
    if select("#", ...) == 0 then
        t[count + 1] = position
        return
    end
    for i = count, position, -1 do t[i + 1] = t[i] end
    t[position] = (...)
end

function tables.remove(t, position)
    local count = #t
    position = position or count
    local removed = t[position]
    for i = position, count do t[i] = t[i + 1] end
    return removed
end

function tables.concat(t, separator, first, last)
    first, last = first or 1, last or #t
    if last - first >= LIST_MAX then error("the list has more than " .. LIST_MAX .. " entries") end
    return table.concat(t, separator, first, last)
end

function tables.unpack(t, first, last)
    first, last = first or 1, last or #t
    if last - first >= UNPACK_MAX then error("the list has more than " .. UNPACK_MAX .. " entries") end
    return table.unpack(t, first, last)
end

local maths = pick(math, "abs acos asin atan ceil cos deg exp floor fmod huge log max maxinteger "
    .. "min mininteger modf pi rad sin sqrt tan tointeger type ult")

local base = pick(_G, "assert error ipairs select tonumber type")

base.tostring = tostring

-- Reads are noted, so that a value nobody asks for is found to be a misspelt one.
local defined, constructors = ...
local asked = {}
base.define = setmetatable({}, {
    __index = function(_, name)
        asked[tostring(name)] = true
        return defined[name]
    end,
    __newindex = function() error("define is what --define gives; a value of the spec's own is a local") end,
})

-- What each constructor makes, by the table that it was given.
local forms, calls = {}, { rnn = 0, model = 0 }

-- Of those that make neither network nor layer: the field of which they are the value, and which fields these are.
local parts, part_fields = {}, {}
local examples, layers = {}, {}

for _, row in ipairs(constructors) do
    local form = row.form
    examples[form], parts[form] = row.example, row.value_of
    if row.value_of then part_fields[row.value_of] = true end
    if row.layer then layers[#layers + 1] = form end
    base[form] = function(given)
        if type(given) ~= "table" then
            error(form .. " needs a table of fields: " .. row.example)
        end
        if form == "model" and calls.model > 0 then
            error("model is called a second time; a spec is one network")
        end
        calls[form] = (calls[form] or 0) + 1
        forms[given] = form
        return given
    end
end

base.string = closed("string", strings)
base.table = closed("table", tables)
base.math = closed("math", maths)

-- Names of Lua that specs go without, and why, for the message.
local absent = {
    pairs = "its order is not determined; use ipairs", next = "its order is not determined; use ipairs",
}
for name in ("os io require package debug dofile loadfile load loadstring collectgarbage coroutine "
    .. "print"):gmatch("%S+") do
    absent[name] = "a spec computes and returns a table, and cannot reach anything else"
end
for name in ("pcall xpcall warn getmetatable setmetatable rawget rawset rawequal rawlen _G utf8")
    :gmatch("%S+") do
    absent[name] = "a spec does without it"
end

for _, name in ipairs { "lstm", "gru" } do
    for _, other in ipairs { name, name:upper() } do
        absent[other] = "write rnn { cell = \"" .. name .. "\", ... }"
    end
end

-- What people write who know other tools, and what it is here.
for name, instead in pairs {
    ["RNN SimpleRNN"] = "write rnn { input_size = ..., hidden_size = ... }",
    ["linear Linear Dense fc"] = "a linear layer is dense { units = ... }",
    ["Embedding"] = "write embedding { num_embeddings = ..., dim = ... }",
    ["Sequential sequential Model"] = "write model { layers = { ... } }",
    ["PReLU"] = "write activation { activation = \"prelu\" }",
    ["Rescaling Normalization normalization standardize"] = "write scale { scale = ..., shift = ... }",
    ["Flatten"] = "write flatten { }",
    ["dropout Dropout"] = "dropout does nothing when a trained network runs; leave the layer out",
    ["ReLU Tanh Sigmoid Softmax LogSoftmax Activation"] =
        "a function is a field of a dense layer, dense { units = ..., activation = \"relu\" }, or a layer: "
        .. "activation { activation = \"relu\" }",
    ["conv1d conv Conv1d Conv1D conv2d Conv2d layernorm LayerNorm layer_norm batchnorm BatchNorm1d attention "
        .. "MultiheadAttention transformer maxpool MaxPool1d"] =
        "there is no such layer; the layers are " .. table.concat(layers, ", ", 1, #layers - 1) .. " and "
        .. layers[#layers] .. ", and what else a network has is computed before or behind the generated function",
    ["True"] = "Lua writes true", ["False"] = "Lua writes false", ["None null"] = "leave the field out",
    ["torch nn keras tf np"] = "a spec is Lua, in which networks are rnn { ... } or model { layers = { ... } }",
} do
    for word in name:gmatch("%S+") do absent[word] = instead end
end

local environment = setmetatable(base, { __index = function(_, name)
    if absent[name] then error("'" .. name .. "' is not available in a spec: " .. absent[name]) end
    name = tostring(name)
    error("'" .. name .. "' is not defined; a text stands in quotes: \"" .. name .. "\"")
end })

-- ("x"):rep reaches the same closed table.
getmetatable("").__index = base.string

-- The layers of a model with what made each; anything else as it stands, to be told about later.
local function layers_of(given)
    if type(given) ~= "table" or getmetatable(given) then return given end
    local list = {}
    if forms[given] then return { form = forms[given], fields = given } end
    for key, entry in pairs(given) do list[key] = { form = forms[entry], fields = entry } end
    return list
end

-- The table that a part was made of as { form, fields }, and so what is in it.
local function part_of(given)
    if type(given) ~= "table" or getmetatable(given) or not parts[forms[given]] then return given end
    local fields = {}
    for key, value in pairs(given) do
        fields[key] = part_fields[key] and part_of(value) or value
    end
    return { form = forms[given], fields = fields }
end

-- The fields of a network, with what made its training.
local function fields_of(given)
    local fields = {}
    for key, value in pairs(given) do fields[key] = value end
    fields.training = part_of(fields.training)
    return fields
end

-- What the spec returned -> { form = "rnn" | "model", fields, asked }. Each layer of a model is { form, fields }.
local function finish(count, result)
    local form = result ~= nil and forms[result]
    if form == "rnn" and calls.rnn > 1 then
        error("rnn is called a second time; a spec is one network, and layers go into model { layers = { ... } }", 0)
    elseif form == "rnn" then
        return { form = form, fields = fields_of(result), asked = asked }
    elseif form == "model" then
        local fields = fields_of(result)
        fields.layers = layers_of(fields.layers)
        return { form = form, fields = fields, asked = asked }
    elseif parts[form] then
        error("`" .. form .. "` is no network; it is the value of a field, " .. parts[form] .. " = "
            .. examples[form], 0)
    elseif form then
        error("a network of a layer `" .. form .. "` alone: write `return model { layers = { ... } }`", 0)
    elseif count == 0 and next(forms) then
        error("the result of " .. (calls.model > 0 and "model" or "rnn") .. " is not returned; write `return "
            .. (calls.model > 0 and "model" or "rnn") .. " {`", 0)
    elseif count == 0 then
        error("the spec returns nothing; it has the form `return rnn { input_size = ..., hidden_size = ... }`", 0)
    elseif type(result) == "table" then
        error("the spec returns a table without `rnn`; write `return rnn {`", 0)
    end
    local kind = result == nil and "nil" or "a " .. type(result)
    error("the spec returns " .. kind .. "; it has the form `return rnn { ... }`", 0)
end

return environment, finish
