-- readers: how the value of a field is read, a row per type of field (see fields.lua).
--
-- allowed(row)      what may be given, for messages and `rnnc help spec`
-- read(value, row)  the value as the compiler keeps it; or nil and, if something better than what is
--                   allowed can be said, a hint
local nearest = require "base.nearest"

local readers = {}

local function quoted(list)
    local texts = {}
    for i, name in ipairs(list) do texts[i] = '"' .. name .. '"' end
    return texts
end

-- { "a", "b", "c" } -> "a, b or c"
local function either(texts)
    if #texts == 1 then return texts[1] end
    return table.concat(texts, ", ", 1, #texts - 1) .. " or " .. texts[#texts]
end

local function choices_of(row)
    return type(row.choices) == "function" and row.choices() or row.choices
end

-- readers.show(value) -> how a message quotes what was given.
function readers.show(value, nested)
    local kind = type(value)
    if kind == "string" then
        local text = value:gsub("[%c\"\\]", function(c)
            return c == "\n" and "\\n" or c:byte() >= 32 and "\\" .. c or string.format("\\%d", c:byte())
        end)
        return '"' .. (#text > 60 and text:sub(1, 57) .. "..." or text) .. '"'
    elseif kind == "table" then
        local count, texts = 0, {}
        for _ in pairs(value) do count = count + 1 end
        if getmetatable(value) then return "a " .. value.kind end
        -- What a constructor made, and entries of layers that none has made.
        if type(value.form) == "string" and type(value.fields) == "table" then return value.form .. " {...}" end
        if count == 1 and value.fields ~= nil then return readers.show(value.fields, true) end
        if nested or count ~= #value or count > 4 then return "a table" end
        for i, entry in ipairs(value) do texts[i] = readers.show(entry, true) end
        return count == 0 and "{}" or "{ " .. table.concat(texts, ", ") .. " }"
    end
    -- The sign of a NaN is not the same on every machine.
    return value ~= value and "nan" or tostring(value)
end

-- A whole number. 20.0 is 20: in Lua 100/5 is a float, and sizes are computed.
local function whole(value, row)
    local number = type(value) == "number" and math.tointeger(value)
    if number and number >= row.least and number <= row.most then return number end
    if type(value) == "string" and tonumber(value) then return nil, "write it without quotes" end
    return nil
end

readers.integer = {
    allowed = function(row) return string.format("an integer from %d to %d", row.least, row.most) end,
    read = whole,
}

readers.size = {
    allowed = function(row)
        return string.format("an integer from %d to %d, or \"any\"", row.least, row.most)
    end,
    read = function(value, row)
        if value == "any" then return value end
        local number, hint = whole(value, row)
        if not number and (value == -1 or type(value) == "string" and value:lower() == "any") then
            hint = 'did you mean "any"?'
        end
        return number, hint
    end,
}

readers.number = {
    allowed = function(row) return string.format("a number from %d to %d", row.least, row.most) end,
    read = function(value, row)
        -- Written so that NaN is refused.
        if type(value) == "number" and value >= row.least and value <= row.most then return value + 0.0 end
        if type(value) == "string" and tonumber(value) then return nil, "write it without quotes" end
        return nil
    end,
}

readers.boolean = {
    allowed = function() return "true or false" end,
    read = function(value)
        if type(value) == "boolean" then return value end
        if value == "true" or value == "false" then return nil, "write it without quotes" end
        if value == 1 or value == 2 then return nil, "did you mean true?" end
        if value == 0 then return nil, "did you mean false?" end
        return nil
    end,
}

-- All of them (true), none (false), or the first so many.
readers.channels = {
    allowed = function(row) return string.format("true, false or an integer from %d to %d", row.least, row.most) end,
    read = function(value, row)
        if type(value) == "boolean" then return value end
        if value == "true" or value == "false" then return nil, "write it without quotes" end
        local number, hint = whole(value, row)
        if not number and value == 0 then hint = "did you mean false?" end
        return number, hint
    end,
}

-- A number, or true for a tensor of the file.
readers.factor = {
    allowed = function(row) return string.format("true or a number from %d to %d", row.least, row.most) end,
    read = function(value, row)
        if value == true then return true end
        if value == "true" then return nil, "write it without quotes" end
        if type(value) == "table" then return nil, "lists of numbers are tensors of the weights file; write true" end
        return readers.number.read(value, row)
    end,
}

readers.text = {
    allowed = function() return "a text" end,
    read = function(value)
        if type(value) ~= "string" then return nil end
        if value:find("%c") then return nil, "without control characters" end
        return value
    end,
}

local function find(value, list)
    for _, name in ipairs(list) do
        if name == value then return name end
    end
    local near = type(value) == "string" and nearest(value, list)
    return nil, near and 'did you mean "' .. near .. '"?' or nil
end

readers.choice = {
    allowed = function(row) return either(quoted(choices_of(row))) end,
    read = function(value, row) return find(value, choices_of(row)) end,
}

-- One name, or a list of distinct ones; read as a list.
readers.choices = {
    allowed = function(row) return either(quoted(choices_of(row))) .. ", or a list of them" end,
    read = function(value, row)
        local list = choices_of(row)
        if type(value) ~= "table" or getmetatable(value) then
            local name, hint = find(value, list)
            return name and { name }, hint
        end
        local count, seen, result = 0, {}, {}
        for _ in pairs(value) do count = count + 1 end
        if count ~= #value then return nil, "the list has entries with names, or gaps" end
        if count == 0 then return nil, "the list is empty" end
        for i, entry in ipairs(value) do
            local name, hint = find(entry, list)
            if not name then
                return nil, "entry " .. i .. " is " .. readers.show(entry) .. (hint and "; " .. hint or "")
            elseif seen[name] then
                return nil, '"' .. name .. '" is in it twice'
            end
            seen[name], result[i] = true, name
        end
        return result
    end,
}

-- Names of layers; one alone is a list too.
readers.names = {
    allowed = function(row) return "a list of 1 to " .. row.most .. " names" end,
    read = function(value, row)
        if type(value) == "string" then value = { value } end
        if type(value) ~= "table" or getmetatable(value) or #value == 0 or #value > row.most then return nil end
        local count = 0
        for _ in pairs(value) do count = count + 1 end
        if count ~= #value then return nil, "the list has entries with names, or gaps" end
        for i, name in ipairs(value) do
            if type(name) ~= "string" then
                return nil, "entry " .. i .. " is " .. readers.show(name, true) .. "; write the name of a layer"
            end
        end
        return value
    end,
}

local LAYERS_MAX <const> = 64

-- The layers of a model, each { form, fields } (sandbox.lua says what made them).
readers.layers = {
    allowed = function()
        return "a list of 1 to " .. LAYERS_MAX .. " layers: rnn {...}, dense {...}, embedding {...}, activation {...}, "
            .. "scale {...}, flatten {}"
    end,
    read = function(value)
        if type(value) ~= "table" or getmetatable(value) then return nil end
        if value.form then
            return nil, value.form == "model" and "it is a whole model; give its layers"
                or "it is one layer; write { " .. value.form .. " {...} }"
        end
        local count = 0
        for _ in pairs(value) do count = count + 1 end
        if count ~= #value then return nil, "the list has entries with names, or gaps" end
        if count == 0 then return nil, "the list is empty" end
        if count > LAYERS_MAX then return nil, "there are " .. count end
        for i, entry in ipairs(value) do
            if entry.form == "model" then return nil, "entry " .. i .. " is a whole model; give its layers" end
            if not entry.form then
                local table_hint = type(entry.fields) == "table" and "; write rnn, dense or embedding before its brace"
                return nil, "entry " .. i .. " is " .. readers.show(entry.fields, true) .. (table_hint or "")
            end
        end
        return value
    end,
}

-- What a constructor made, { form, fields } (sandbox.lua says what made it).
readers.form = {
    allowed = function(row)
        local texts = {}
        for i, name in ipairs(row.forms) do texts[i] = name .. " {...}" end
        return either(texts)
    end,
    read = function(value, row)
        if type(value) ~= "table" or getmetatable(value) then
            local name = find(value, row.forms)
            return nil, name and "write " .. name .. " { }" or nil
        end
        for _, name in ipairs(row.forms) do
            if value.form == name then return value end
        end
        if not value.form then return nil, "write " .. row.forms[1] .. " before its brace" end
        return nil, value.form .. " { } is none of these"
    end,
}

local CLASSES_MAX <const> = 65536

-- A weight for each class, of which some count.
readers.class_weights = {
    allowed = function() return "a list of numbers of 0 or more, at most 1e6, that are not all 0" end,
    read = function(value)
        if type(value) ~= "table" or getmetatable(value) then return nil end
        local count, sum = 0, 0
        for key in pairs(value) do
            if math.type(key) ~= "integer" then return nil, "write numbers in the order of the classes" end
            count = count + 1
        end
        if count ~= #value then return nil, "the list has gaps" end
        if count > CLASSES_MAX then return nil, "there are more than " .. CLASSES_MAX end
        for i, weight in ipairs(value) do
            if type(weight) ~= "number" or not (weight >= 0 and weight <= 1e6) then
                return nil, string.format("entry %d is %s", i, readers.show(weight, true))
            end
            sum = sum + weight
        end
        return sum > 0 and value or nil
    end,
}

-- Bytes in the order of their tokens.
readers.bytes = {
    allowed = function() return "a text of at most 256 bytes, each of them once" end,
    read = function(value)
        if type(value) ~= "string" or #value == 0 or #value > 256 then return nil end
        local seen = {}
        for i = 1, #value do
            local byte = value:byte(i)
            if seen[byte] then return nil, string.format("byte %d is in it twice", byte) end
            seen[byte] = true
        end
        return value
    end,
}

-- A part of the data, or a file.
readers.split = {
    allowed = function() return "a number above 0 and below 1, or a text" end,
    read = function(value)
        if type(value) == "number" and value > 0 and value < 1 then return value end
        if type(value) == "string" and value ~= "" and not value:find("%c") then return value end
        return nil
    end,
}

local RENAMES_MAX <const>, PATTERN_MAX <const> = 100, 200

-- Pairs of a pattern and a replacement of string.gsub.
readers.renames = {
    allowed = function() return "a list of pairs { pattern, replacement } of texts" end,
    read = function(value)
        if type(value) ~= "table" or getmetatable(value) then return nil end
        if type(value[1]) == "string" then return nil, "write { { pattern, replacement } }, a list of pairs" end
        if #value > RENAMES_MAX then return nil, "there are more than " .. RENAMES_MAX end
        local count = 0
        for key, pair in pairs(value) do
            count = count + 1
            if math.type(key) ~= "integer" then
                return nil, "write { pattern, replacement } instead of [pattern] = replacement, for the order counts"
            end
            if type(pair) ~= "table" or getmetatable(pair) or #pair ~= 2 then return nil end
            for _, text in ipairs(pair) do
                if type(text) ~= "string" then return nil end
                if #text > PATTERN_MAX then return nil, "a text is longer than " .. PATTERN_MAX .. " bytes" end
            end
            local fine, message = pcall(string.find, "", pair[1])
            -- What %1 stands for is known when the pattern is used.
            if fine then fine, message = pcall(string.gsub, "", "", (pair[2]:gsub("%%%d", ""))) end
            if not fine then
                return nil, string.format("pair %d: %s", key, (message:gsub("^.-: ", "", 1)))
            end
        end
        if count ~= #value then return nil, "the list has gaps" end
        return value
    end,
}

return readers
