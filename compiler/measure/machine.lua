-- machine: what one core of this machine can do: measured, or as somebody gives it.
local fail = require "base.fail"
local host = require "host"
local limits = require "measure.limits"
local nearest = require "base.nearest"
local template = require "emit.template"

local machine = {}

local SECONDS <const> = 60

-- Where the system does not tell the size of a cache.
local SUPPOSED <const> = { l1_bytes = 32768, l2_bytes = 1048576 }

-- "NAME=VALUE NAME=VALUE ..." as a table; `complain` hears what is wrong with it.
local function parse(text, complain)
    local found, known = {}, {}
    for _, name in ipairs(limits.quantities) do known[name] = true end
    for word in text:gmatch("[^%s,]+") do
        local name, value = word:match("^([%w_]+)=(.+)$")
        local number = tonumber(value)
        if not name then return complain("'" .. word .. "' is not NAME=NUMBER") end
        if not known[name] then
            local near = nearest(name, limits.quantities)
            return complain("there is no quantity '" .. name .. "'"
                .. (near and "; did you mean " .. near .. "?" or ""))
        end
        if not (number and number > 0 and number < math.huge) then
            return complain(name .. " needs a number above 0")
        end
        found[name] = number
    end
    return found
end

-- machine.given(text, command) -> the machine of an option "clock_ghz=4 peak_gflops=200 ..."; all quantities
-- are needed.
function machine.given(text, command)
    local function complain(message)
        fail.at(command, "--machine: " .. message .. " (quantities: " .. table.concat(limits.quantities, ", ") .. ")")
    end
    local result = parse(text, complain)
    for _, name in ipairs(limits.quantities) do
        if not result[name] then complain(name .. " is missing") end
    end
    return result
end

-- machine.measured(build) -> the machine, and nil; or nil and why it could not be measured.
-- build(text, name, flags) compiles a program and returns its path, or nil and a message.
function machine.measured(build)
    local path, message = build(template.render("machine.c", {}), "machine")
    if not path then return nil, message end
    local code, output = host.run({ path }, SECONDS)
    if code ~= 0 then return nil, "the program that measures the machine fails: " .. output end
    local result = parse(output, error)
    local cpu = host.cpu()
    result.l1_bytes, result.l2_bytes = cpu.l1d or SUPPOSED.l1_bytes, cpu.l2 or SUPPOSED.l2_bytes
    return result
end

-- machine.text(m) -> as `machine.given` reads it.
function machine.text(m)
    local words = {}
    for i, name in ipairs(limits.quantities) do words[i] = string.format("%s=%.4g", name, m[name]) end
    for i, name in ipairs(limits.quantities) do
        if name:find("_bytes$") then words[i] = string.format("%s=%.0f", name, m[name]) end
    end
    return table.concat(words, " ")
end

return machine
