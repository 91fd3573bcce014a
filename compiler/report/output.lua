-- output: the files of results that options of a command ask for.
local fail = require "base.fail"
local host = require "host"
local paths = require "base.paths"

local output = {}

-- output.check(command, options, names): before work whose results are to go there. Errors, of `command`: an option
-- of `names` asks for a directory, or for stdout as another one does.
function output.check(command, options, names)
    local to_stdout
    for _, name in ipairs(names) do
        local path = options[name]
        if path == "-" and to_stdout then
            local words = {}
            for i, other in ipairs(names) do words[i] = "--" .. other end
            local last = table.remove(words)
            fail.at(command, "only one of " .. table.concat(words, ", ") .. " and " .. last .. " can go to stdout")
        end
        to_stdout = to_stdout or path == "-"
        if path and (path:sub(-1) == "/" or host.exists(path .. "/.")) then
            fail.at(command, string.format("--%s=%s: a directory; a file is expected", name, path))
        end
    end
end

-- output.write(command, options, name, text): writes `text` into the file that the option `name` asks for, "-" being
-- stdout. -> the path of a file that was written, or nil. Errors, of `command`: it cannot be written.
function output.write(command, options, name, text)
    local path = options[name]
    if not path then return end
    if path == "-" then return host.print((text:gsub("\n$", ""))) end
    local directory, file = paths.split(path)
    local written, message = host.write(directory, { { name = file, text = text } })
    if not written then fail.at(command, message) end
    return path
end

return output
