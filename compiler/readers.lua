-- readers: how the value of a field is read, a row per type of field (see fields.lua).
--
-- allowed(row)      what may be given, for messages and `rnnc help spec`
-- read(value, row)  the value as the compiler keeps it; or nil and, if something better than what is
--                   allowed can be said, a hint
local nearest = require "nearest"

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
        if not number and (value == 0 or value == -1 or type(value) == "string" and value:lower() == "any") then
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
        if #value == 0 then return nil, "the list is empty" end
        local count, seen, result = 0, {}, {}
        for _ in pairs(value) do count = count + 1 end
        if count ~= #value then return nil, "the list has entries with names" end
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

return readers
