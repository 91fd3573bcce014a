-- rnnc init: writes a spec to start from and, if asked, a program around it.
local by_names = require "import.by_names"
local fail = require "base.fail"
local host = require "host"
local import = require "commands.import"
local names = require "base.names"
local paths = require "base.paths"
local program = require "commands.program"
local specs = require "spec.spec"
local starter = require "spec.starter"
local weights = require "weights.weights"

-- The sizes of a network that is small enough to print.
local INPUT_SIZE <const>, HIDDEN_SIZE <const> = 8, 16

-- `path`, which is relative to the current directory, as seen from `directory`.
local function seen_from(directory, path)
    if path:sub(1, 1) == "/" then return path end
    local up = {}
    for part in directory:gmatch("[^/]+") do
        if part == ".." or directory:sub(1, 1) == "/" then
            fail.at("rnnc init", "name the weights by an absolute path when DIR is absolute or has ..")
        end
        if part ~= "." then up[#up + 1] = "../" end
    end
    return table.concat(up) .. path
end

-- A file with random weights, for a program that has something to run.
local function random_weights(given)
    return weights.random_file({
        cell = "rnn", nonlinearity = "tanh", bias = true, batch_first = false, bidirectional = false,
        input_size = given.input_size, hidden_size = given.hidden_size, num_layers = given.num_layers,
        proj_size = 0,
    }, "rnnc init")
end

-- --weights-only: new random weights for a spec, in place of none or of random ones.
local function write_weights(path)
    local spec = specs.load(path)
    local place = spec.weights_path
    if not place then fail.at(path, "the spec names no weights; give it weights = \"model.safetensors\"") end
    if spec.map then fail.at(path, "map: random weights have the spec's own names; leave map out for them") end
    if host.exists(place) and not weights.is_random(place) then
        fail.at("rnnc init", place .. " is there already and not of rnnc init; move it away")
    end
    local directory, name = place:match("^(.*)/([^/]*)$")
    local written, message = host.write(directory == "" and "/" or directory or ".",
        { { name = name or place, text = weights.random_file(spec, "rnnc init") } })
    if not written then fail.at("rnnc init", message) end
    host.print(place)
end

-- What the weights in `path` tell: fields for the starter. What they do not is said.
local function fields_from(path)
    local layers, found = by_names(weights.open(path):list(), path)
    local function note(text) host.complain(fail.line(path, nil, "note", text)) end
    if found == "alone" then
        note("its layers do not follow each other; the spec has " .. (layers[1].fields.prefix or "")
            .. "weight_ih_l0 and its like alone")
    elseif found == "several" then
        note("its layers could follow each other in another order; look at it")
    end
    note("weights do not tell batch_first" .. (layers[1].form == "rnn" and #layers == 1 and " and nonlinearity"
        or ", nonlinearity, last_step and the functions of dense layers") .. "; look at these fields")
    return #layers == 1 and layers[1].fields or { layers = layers }
end

return function(arguments, options)
    if options["weights-only"] then
        if arguments[1] or options.weights or options.program or options.name or options.from then
            fail.at("rnnc init", "--weights-only writes nothing else; leave the others out")
        end
        return write_weights(options["weights-only"])
    end
    if options.from then
        if options.weights then fail.at("rnnc init", "--from reads the weights; leave --weights out") end
        return import({ options.from }, { output = arguments[1], name = options.name, program = options.program },
            "rnnc init")
    end
    local directory, name = arguments[1] or ".", options.name or "model"
    if directory == "" then fail.at("rnnc init", "DIR needs a name") end
    local reason = names.invalid(name)
    if reason then fail.at("rnnc init", "--name=" .. name .. ": " .. reason) end

    local given = options.weights and fields_from(options.weights)
        or { input_size = INPUT_SIZE, hidden_size = HIDDEN_SIZE, num_layers = 1 }
    given.name = name
    local files = {}
    if options.weights then
        given.weights = seen_from(directory, options.weights)
    elseif options.program then
        given.weights = name .. ".safetensors"
        files[1] = { name = given.weights, text = random_weights(given) }
    end
    local spec_name = name .. ".lua"
    files[#files + 1] = { name = spec_name, text = starter.spec(given) }
    if options.program then
        local more = program(specs.from_text(files[#files].text, spec_name), spec_name, given.weights)
        table.move(more, 1, #more, #files + 1, files)
    end
    local lines = {}
    for _, file in ipairs(files) do
        local path = paths.join(directory, file.name)
        if host.exists(path) then
            lines[#lines + 1] = "rnnc init: error: " .. path .. " is there already; move it away or choose another DIR"
        end
    end
    if #lines > 0 then fail.with(lines) end
    local written, message = host.write(directory, files)
    if not written then fail.with { "rnnc init: error: " .. message } end
    for _, file in ipairs(written) do host.print(file.path) end
end
