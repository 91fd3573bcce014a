-- output: the files of results that options of a command ask for.
local fail = require "base.fail"
local host = require "host"
local paths = require "base.paths"

-- output(command, options, name, text): writes `text` into the file that the option `name` asks for, "-" being stdout.
-- -> the path of a file that was written, or nil. Errors, of `command`: no name of a file, or it cannot be written.
return function(command, options, name, text)
    local path = options[name]
    if not path then return end
    if path == "-" then return host.print((text:gsub("\n$", ""))) end
    local directory, file = paths.split(path)
    if file == "" then fail.at(command, "--" .. name .. " needs the name of a file") end
    local written, message = host.write(directory, { { name = file, text = text } })
    if not written then fail.at(command, message) end
    return path
end
