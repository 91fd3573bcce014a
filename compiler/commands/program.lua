-- program: the main.c and Makefile that `rnnc init --program` writes around a network.
local host = require "host"
local layers = require "spec.layers"
local network = require "measure.network"
local template = require "emit.template"

-- The dimensions of an array of x or y, or of its indices: of time and batch in the order of the call, then of values.
local function axes(spec, time, batch, values)
    local list = { time or nil }
    if batch then table.insert(list, spec.batch_first and 1 or #list + 1, batch) end
    list[#list + 1] = values or nil
    return #list > 0 and "[" .. table.concat(list, "][") .. "]" or ""
end

-- The first value of an array with that many dimensions, as a pointer.
local function first(name, dimensions)
    local _, count = dimensions:gsub("%[", "")
    return name .. ("[0]"):rep(count - 1)
end

-- The arguments of NAME_forward, as emit.lua orders its parameters.
local function arguments(spec, steps, batch, x, y)
    local list, states = {}, network.states(spec)
    local function add(...) table.move({ ... }, 1, select("#", ...), #list + 1, list) end
    if spec.seq_len == "any" then add(steps) end
    if spec.batch == "any" then add(batch) end
    add(x)
    for _ = 1, #states do add "NULL" end
    add(y)
    for _ = 1, #states do add "NULL" end
    add "workspace"
    return table.concat(list, ", ")
end

-- program(spec, file, weights) -> main.c, Makefile and rnnc.h, a list of { name, text }, that run the network of a
-- valid spec with its weights built in. file, weights: the names of both files, in the same directory.
return function(spec, file, weights)
    local tokens, once, upper = (spec.layers or { spec })[1].layer == "embedding", false, spec.name:upper()
    for _, layer in ipairs(spec.layers or {}) do once = once or layers.once(layer) ~= nil end
    local many = spec.batch ~= 1
    local x_name = tokens and "tokens" or "x"
    local x_size = axes(spec, "STEPS", many and "BATCH", not tokens and upper .. "_INPUT_SIZE")
    local y_size = axes(spec, not once and "STEPS", many and "BATCH", upper .. "_OUTPUT_SIZE")
    local fields = {
        name = spec.name, upper = upper, file = file, stem = file:gsub("%.lua$", ""), weights = weights,
        tokens = tokens, once = once, many = many, has_states = network.states(spec)[1] ~= nil,
        initial = spec.initial_state or false,
        steps = spec.seq_len == "any" and 10 or spec.seq_len, batch = spec.batch == "any" and 2 or spec.batch,
        x_name = x_name, x_size = x_size, y_size = y_size,
        x_at = axes(spec, "t", many and "b", not tokens and "i"),
        y_at = axes(spec, not once and "STEPS - 1", many and "0", "i"),
        arguments = arguments(spec, "STEPS", "BATCH", first(x_name, x_size), first("y", y_size)),
    }
    for _, layer in ipairs(spec.layers or {}) do fields.initial = fields.initial or layer.initial_state or false end
    return {
        { name = "main.c", text = template.render("starter_main.c", fields) },
        { name = "Makefile", text = template.render("starter_makefile", fields) },
        { name = "rnnc.h", text = host.resource("runtime/rnnc.h") },
    }
end
