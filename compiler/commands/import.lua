-- rnnc import: makes a spec and a safetensors file of a network as it was downloaded.
local fail = require "base.fail"
local host = require "host"
local models = require "import.models"
local names = require "base.names"
local paths = require "base.paths"
local program = require "commands.program"
local specs = require "spec.spec"

local function list(title, entries)
    for i, entry in ipairs(entries) do host.print((i == 1 and title or (" "):rep(#title)) .. entry) end
end

-- A path as a word of a shell.
local function word(path) return path:find "[^%w_./@%%+,:=-]" and "'" .. path:gsub("'", "'\\''") .. "'" or path end

-- What was found, what became of it, what was left, and how to go on.
local function report(path, record, spec_path, program_directory)
    host.print(path .. ": " .. record.format)
    local width = 0
    for _, pair in ipairs(record.became) do width = math.max(width, utf8.len(pair[1]) or #pair[1]) end
    for _, pair in ipairs(record.became) do
        host.print("  " .. pair[1] .. (" "):rep(width - (utf8.len(pair[1]) or #pair[1])) .. "  became " .. pair[2])
    end
    list("  not used:   ", record.unused)
    list("  not told:   ", record.doubts)
    list("  left open:  ", record.open)
    host.print("to verify it: rnnc verify " .. word(spec_path))
    if program_directory then host.print("to run it: make -C " .. word(program_directory) .. " run") end
end

-- The import of `path` into `directory`; also what `rnnc init --from` does. command: for errors.
return function(arguments, options, command)
    command = command or "rnnc import"
    local path, directory, stem = arguments[1], options.output or ".", options.name or "model"
    local reason = options.name and names.invalid(stem)
    if reason then fail.at(command, "--name=" .. stem .. ": " .. reason) end
    local function place(name) return paths.join(directory, name) end
    local files = { { name = stem .. ".lua" }, { name = stem .. ".safetensors" } }
    for i, name in ipairs(options.program and { "main.c", "Makefile", "rnnc.h" } or {}) do
        files[i + 2] = { name = name }
    end
    local lines = {}
    for _, file in ipairs(files) do
        if host.exists(place(file.name)) then
            lines[#lines + 1] = command .. ": error: " .. place(file.name)
                .. " is there already; move it away or choose another directory"
        end
    end
    if #lines > 0 then fail.with(lines) end
    local record
    record, files[1].text, files[2].text = models.import(path, options.name, files[2].name)
    if options.program then
        local more = program(specs.from_text(files[1].text, files[1].name), files[1].name, files[2].name)
        table.move(more, 1, #more, 3, files)
    end
    local written, message = host.write(directory, files)
    if not written then fail.at(command, message) end
    for _, file in ipairs(written) do host.print(file.path) end
    report(path, record, place(files[1].name), options.program and directory)
end
