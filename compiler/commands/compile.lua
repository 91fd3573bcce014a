-- rnnc compile: from a spec to the files of a network.
local fail = require "fail"
local host = require "host"
local generate = require "generate"
local overwrite = require "overwrite"
local specs = require "spec"

return function(arguments, options)
    local directory = options.output or "."
    if directory == "" then fail.at("rnnc compile", "--output needs the name of a directory") end
    local spec, notes = specs.load(arguments[1], options)
    local files, more = generate(spec, options)
    for _, list in ipairs { notes, more } do
        for _, note in ipairs(list) do host.complain(note) end
    end
    if not options.force then overwrite.check(directory, files, "rnnc compile") end
    local written, message = host.write(directory, files)
    if not written then fail.with { "rnnc compile: error: " .. message } end
    for _, file in ipairs(written) do
        host.print(file.path .. (file.changed and "" or " (unchanged)"))
    end
end
