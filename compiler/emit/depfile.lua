-- depfile: what the files of a network are made from, as a rule that make and ninja read.
local host = require "host"
local tune = require "kernels.tune"

-- A path as make reads it.
local function escaped(path) return (path:gsub("%$", "$$"):gsub("[ #\\:]", "\\%0")) end

local function escaped_list(paths)
    local list = {}
    for i, path in ipairs(paths) do list[i] = escaped(path) end
    return list
end

-- depfile(spec, targets) -> the text of the rule. What rnnc tune may write counts once it is there.
return function(spec, targets)
    local needs = { spec.path }
    if spec.weights and not spec.weights_bytes then needs[#needs + 1] = spec.weights_path end
    if host.exists(tune.path(spec)) then needs[#needs + 1] = tune.path(spec) end
    return table.concat(escaped_list(targets), " ") .. ": " .. table.concat(escaped_list(needs), " \\\n  ") .. "\n"
end
