-- rnnc compile: from a spec to the files of a network.
local fail = require "base.fail"
local host = require "host"
local depfile = require "emit.depfile"
local models = require "import.models"
local generate = require "emit.generate"
local overwrite = require "emit.overwrite"
local output = require "report.output"
local output_forms = require "emit.output_forms"
local paths = require "base.paths"
local weight_forms = require "emit.weight_forms"

-- The header that generated files include, unless there is one: nobody's file is replaced.
local function header_for(directory)
    local path, text = paths.join(directory, "rnnc.h"), host.resource("runtime/rnnc.h")
    if not host.exists(path) then return { name = "rnnc.h", text = text } end
    if host.read(path) ~= text then
        host.complain(fail.line(path, nil, "note", "is not the rnnc.h of this rnnc and is left as it is; if a compiler "
            .. "finds it first, delete it and compile again"))
    end
end

-- The rule of --depfile, and the directory and name of its file.
local function rule(spec, options, directory)
    local targets = weight_forms.files(spec, options)
    for i, name in ipairs(targets) do targets[i] = paths.join(directory, name) end
    -- -MD is --depfile=D, in the way of C compilers.
    local path = options.depfile == "D" and paths.join(directory, spec.name .. ".d") or options.depfile
    local place, name = paths.split(path)
    if name == "" then fail.at("rnnc compile", "--depfile=" .. path .. ": is a directory; give the name of a file") end
    local target = options["depfile-target"]
    return { name = name, text = depfile(spec, target and { target } or targets) }, place
end

local function write(directory, files)
    local written, message = host.write(directory, files)
    return written or fail.with { "rnnc compile: error: " .. message }
end

return function(arguments, options)
    local directory = options.output or "."
    if directory:find("[^./]%.[ch][px+]*$") and not host.exists(directory .. "/.") then
        fail.at("rnnc compile", "--output=" .. directory .. ": a directory is expected; the files in it are named "
            .. "after the network, which `name` in the spec or the name of the spec's file is")
    end
    if options.depfile ~= "D" then output.check("rnnc compile", options, { "depfile" }) end
    local target = options["depfile-target"]
    if target and (target == "" or not options.depfile) then
        fail.at("rnnc compile", target == "" and "--depfile-target needs the name of a target"
            or "--depfile-target is of the rule that --depfile writes; give both")
    end
    local spec, notes = models.load(arguments[1], options)
    if options.list then
        for _, name in ipairs(weight_forms.files(spec, options)) do host.print(name) end
        return
    end
    local files, more = generate(spec, options)
    if spec.bound then
        more[#more + 1] = fail.line(spec.path, nil, "note", string.format("target = \"native\" is %s on this machine: "
            .. "CPUs without it cannot run the code; leave target out for code that runs on all", spec.target[1]))
    end
    for _, list in ipairs { notes, more } do
        for _, note in ipairs(list) do host.complain(note) end
    end
    if not options.force then
        overwrite.check(directory, files, "rnnc compile",
            "write into another directory with -o (--force overwrites it)")
    end
    if not output_forms.of(spec, options).alone then files[#files + 1] = header_for(directory) end
    local depends, place
    if options.depfile then depends, place = rule(spec, options, directory) end
    local written = write(directory, files)
    if depends then write(place, { depends }) end
    for _, file in ipairs(written) do
        host.print(file.path .. (file.changed and "" or " (unchanged)"))
    end
end
