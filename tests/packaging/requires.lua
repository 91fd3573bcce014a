-- Checks the graph of require among compiler/**/*.lua, run in the root of the tree: each module
-- belongs to a stage and may ask for modules of its own or an earlier one. Emit, and what comes
-- after the plan, sees the plan only. A module that no row names is an error: add it to its stage.

-- In order; a name with a dot at its end is a folder.
local stages = {
    { "host", "fail", "nearest", "targets", "cells", "cost" }, -- tables and helpers
    { "names", "fields", "readers", "scan", "sandbox", "spec" },
    { "lower", "ir" },
    { "kernels", "kernels." },
    { "passes." },
    { "plan" },
    { "template", "emit" },
    { "pipeline", "report" },
    { "weights", "generate" },
    { "check", "verify", "commands", "commands." },
}
-- What these may ask for, and no more.
local only = { emit = "host template", template = "host" }

local stage_of = {}
for number, names in ipairs(stages) do
    for _, name in ipairs(names) do stage_of[name] = number end
end

local function stage(module)
    return stage_of[module] or stage_of[module:match("^[%w_]+%.") or ""]
end

local bad = 0
local function wrong(...)
    io.stderr:write(string.format(...), "\n")
    bad = bad + 1
end

local paths <close> = assert(io.popen("find compiler -name '*.lua' | sort"))
local count = 0
for path in paths:lines() do
    local module = path:match("^compiler/(.*)%.lua$"):gsub("/", ".")
    if module ~= "embed" then -- runs when rnnc is built, not in it
        local own, number = stage(module), 0
        if not own then wrong("%s belongs to no stage", path) end
        for line in io.lines(path) do
            number = number + 1
            -- Also require("passes." .. name), as the folder.
            for wanted in line:gsub("%-%-.*", ""):gmatch('require%s*%(?%s*"([%w_.]+)"') do
                local its = stage(wanted)
                count = count + 1
                if not its then
                    wrong("%s:%d: %s belongs to no stage", path, number, wanted)
                elseif own and its > own then
                    wrong("%s:%d: %s is of a later stage", path, number, wanted)
                elseif only[module] and not only[module]:find(wanted, 1, true) then
                    wrong("%s:%d: %s may not be asked for here", path, number, wanted)
                end
            end
        end
    end
end
if count == 0 then wrong("no require found: the pattern has to be repaired") end
os.exit(bad == 0)
