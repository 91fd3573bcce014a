-- define: values that a build hands to a spec: --define hidden=40, read in the spec as define.hidden.
local fail = require "base.fail"
local nearest = require "base.nearest"

local define = {}

-- A whole number, a number, true or false as such; anything else is text.
local function value_of(text)
    if text == "true" or text == "false" then return text == "true" end
    return text:find("^[%d.+-]") and tonumber(text) or text
end

-- define.read(list) -> the table { NAME = value } of options "NAME=VALUE" (nil: none). The last one of a name counts.
function define.read(list)
    local defined = {}
    for _, text in ipairs(list or {}) do
        local name, value = text:match("^([%a_][%w_]*)=(.*)$")
        if not name then fail.at("rnnc", "--define=" .. text .. ": expected NAME=VALUE, such as hidden=40") end
        defined[name] = value_of(value)
    end
    return defined
end

-- define.check(defined, asked): every value is one that the spec has asked for.
function define.check(defined, asked)
    local names, lines = {}, {}
    for name in pairs(asked) do names[#names + 1] = name end
    table.sort(names)
    for name in pairs(defined) do
        if not asked[name] then
            local meant = nearest(name, names)
            lines[#lines + 1] = "rnnc: error: --define=" .. name .. ": the spec does not ask for define." .. name
                .. (meant and "; did you mean " .. meant .. "?" or "")
        end
    end
    table.sort(lines)
    if lines[1] then fail.with(lines) end
end

return define
