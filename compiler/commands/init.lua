-- rnnc init: writes a spec to start from and, if asked, a program around it.
local cells = require "cells"
local fail = require "fail"
local host = require "host"
local names = require "names"
local starter = require "starter"
local template = require "template"
local weights = require "weights"

-- The sizes of a network that is small enough to print.
local INPUT_SIZE <const>, HIDDEN_SIZE <const> = 8, 16

-- The fields that the shapes of the tensors in a file tell.
local function fields_from(path)
    local file = weights.open(path)
    local shapes, prefix = {}, nil
    for _, tensor in ipairs(file:list()) do
        shapes[tensor.name] = tensor.shape
        local found = tensor.name:match("^(.*)weight_ih_l0$")
        if found and (not prefix or found < prefix) then prefix = found end
    end
    local input = prefix and shapes[prefix .. "weight_ih_l0"]
    local hidden = prefix and shapes[prefix .. "weight_hh_l0"]
    if not input or not hidden or #input ~= 2 or #hidden ~= 2 or hidden[2] < 1 then
        fail.at(path, "there are no weights of a recurrent network in it (weight_ih_l0, weight_hh_l0)")
    end
    local gates, layers = hidden[1] // hidden[2], 1
    if hidden[1] ~= hidden[2] * #cells.of({ cell = "rnn", nonlinearity = "tanh" }).gates then
        fail.at(path, string.format("weight_hh_l0 is (%d, %d): a cell with %d gates, which cannot be "
            .. "generated", hidden[1], hidden[2], gates))
    end
    while shapes[prefix .. "weight_ih_l" .. layers] do layers = layers + 1 end
    return {
        input_size = input[2], hidden_size = hidden[2], num_layers = layers,
        bias = shapes[prefix .. "bias_ih_l0"] == nil and false or nil,
        bidirectional = shapes[prefix .. "weight_ih_l0_reverse"] and true or nil,
        prefix = prefix ~= "" and prefix or nil,
    }
end

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
    return host.safetensors_text(weights.random({
        cell = "rnn", nonlinearity = "tanh", bias = true, batch_first = false, bidirectional = false,
        input_size = given.input_size, hidden_size = given.hidden_size, num_layers = given.num_layers,
        proj_size = 0,
    }, 1, "rnnc init"))
end

return function(arguments, options)
    local directory, name = arguments[1] or ".", options.name or "model"
    if directory == "" then fail.at("rnnc init", "DIR needs a name") end
    local problem = names.problem(name)
    if problem then fail.at("rnnc init", "--name=" .. name .. ": " .. problem) end

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
    files[#files + 1] = { name = name .. ".lua", text = starter.spec(given) }
    if options.program then
        local fields = { name = name, file = name .. ".lua", weights = given.weights }
        files[#files + 1] = { name = "main.c", text = template.render("starter_main.c", fields) }
        files[#files + 1] = { name = "Makefile", text = template.render("starter_makefile", fields) }
        files[#files + 1] = { name = "rnnc.h", text = host.resource("runtime/rnnc.h") }
    end
    local lines = {}
    for _, file in ipairs(files) do
        local path = directory == "." and file.name or directory .. "/" .. file.name
        if host.exists(path) then
            lines[#lines + 1] = "rnnc init: error: " .. path .. " is there already; move it away or choose another DIR"
        end
    end
    if #lines > 0 then fail.with(lines) end
    local written, message = host.write(directory, files)
    if not written then fail.with { "rnnc init: error: " .. message } end
    for _, file in ipairs(written) do host.print(file.path) end
end
