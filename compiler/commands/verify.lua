-- rnnc verify: compiles a network with the system's compiler, runs it, and compares it with plain
-- loops in double precision and with recorded outputs.
local build = require "build"
local cells = require "cells"
local fail = require "fail"
local host = require "host"
local specs = require "spec"
local targets = require "targets"
local weights = require "weights"

-- Absolute error that passes, for outputs up to 1; relu networks with larger ones get as much more.
local TOLERANCE <const> = 1e-5

local RUN_SECONDS <const> = 60

-- Tried where the spec says "any": one, a few, and more than a vector or a tile holds. Whole sets
-- of them are for networks that take less than this many multiply-adds in all.
local SEQ_LENS <const> = { 1, 2, 7, 40 }
local BATCHES <const> = { 1, 3, 17 }
local WORK_MAX <const> = 1000000000

-- With --case the weights are those of the case, without prefix.
local function apply_case(spec, path)
    local file = weights.open(path)
    local shapes = {}
    for _, tensor in ipairs(file:list()) do shapes[tensor.name] = tensor.shape end
    local needed = { "x", "y", "hn" }
    if spec.cell == "lstm" then needed[4] = "cn" end
    for _, name in ipairs(needed) do
        if not shapes[name] or #shapes[name] ~= 3 then
            fail.at(path, "a recorded case needs a tensor " .. name .. " with three axes")
        end
    end
    if spec.cell == "lstm" and (shapes.h0 == nil) ~= (shapes.c0 == nil) then
        fail.at(path, "a recorded case of lstm needs both h0 and c0, or neither")
    end
    local wanted = {
        I = spec.input_size, H = spec.hidden_size, L = spec.num_layers,
        D = spec.bidirectional and 2 or 1, bias = spec.bias and 1 or 0,
        batch_first = spec.batch_first and 1 or 0,
        cell = spec.nonlinearity and spec.cell .. "_" .. spec.nonlinearity or spec.cell,
    }
    local lines = {}
    for _, key in ipairs { "cell", "I", "H", "L", "D", "bias", "batch_first" } do
        local recorded = file:metadata(key)
        if recorded and recorded ~= tostring(wanted[key]) then
            lines[#lines + 1] = fail.line(path, nil, "error", string.format(
                "the case has %s = %s, the spec %s", key, recorded, wanted[key]))
        end
    end
    local x = shapes.x
    local seq_len, batch = x[1], x[2]
    if spec.batch_first then seq_len, batch = batch, seq_len end
    for _, pair in ipairs { { "seq_len", seq_len }, { "batch", batch } } do
        if spec[pair[1]] ~= "any" and spec[pair[1]] ~= pair[2] then
            lines[#lines + 1] = fail.line(path, nil, "error", string.format(
                "the case has %s = %d, the spec %d", pair[1], pair[2], spec[pair[1]]))
        end
    end
    if #lines > 0 then fail.with(lines) end
    spec.weights, spec.weights_path, spec.prefix = path, path, ""
    return { seq_len = seq_len, batch = batch, initial = shapes.h0 ~= nil, file = file }
end

-- Multiply-adds of a time step of one sequence.
local function work_of(spec)
    local d, h = spec.bidirectional and 2 or 1, spec.hidden_size
    local gates = #cells.of(spec).gates
    return gates * d * h * (spec.input_size + h + (spec.num_layers - 1) * (d + 1) * h)
end

-- What is run on random inputs: { seq_len, batch, initial }, each with initial states and without.
local function random_runs(spec)
    local seq_lens = spec.seq_len == "any" and SEQ_LENS or { spec.seq_len }
    local batches = spec.batch == "any" and BATCHES or { spec.batch }
    local runs, work = {}, 0
    for _, seq_len in ipairs(seq_lens) do
        for _, batch in ipairs(batches) do
            work = work + 2 * work_of(spec) * seq_len * batch
            if work > WORK_MAX and #runs > 0 then return runs end
            runs[#runs + 1] = { seq_len = seq_len, batch = batch, initial = true }
            runs[#runs + 1] = { seq_len = seq_len, batch = batch, initial = false }
        end
    end
    return runs
end

local function columns_of(d)
    return string.format("%9.1e %9.1e %7.1f", d.absolute, d.relative, d.ulp)
end

local function passes(d) return d.absolute <= TOLERANCE * math.max(1, d.largest) end

-- The outputs that a cell has: y, and what it carries from step to step.
local function outputs_of(spec)
    local names = { "y" }
    for _, state in ipairs(cells.of(spec).states) do names[#names + 1] = state .. "n" end
    return names
end

-- A row with the columns of all outputs; `prefix` is that of their names in the result.
local function print_row(spec, run, result, prefix)
    local columns, passed = {}, true
    for i, name in ipairs(outputs_of(spec)) do
        columns[i] = columns_of(result[prefix .. name])
        passed = passes(result[prefix .. name]) and passed
    end
    host.print(string.format("%8d %6d  %-5s%s%s", run.seq_len, run.batch, run.initial and "yes" or "no",
        table.concat(columns, "  "), passed and "" or "  <- too large"))
    return passed
end

local function print_heading(spec, title)
    local columns = {}
    for i, name in ipairs(outputs_of(spec)) do columns[i] = string.format("%9s       rel     ulp", name .. " abs") end
    host.print(title)
    host.print(string.format(" seq_len  batch  %-5s%s", #columns > 2 and "h0,c0" or "h0", table.concat(columns, "  ")))
end

-- Runs all of `runs` on one build; true if they pass.
local function verify(spec, options, directory, runs, recorded, seed, seconds)
    local library = build.network(spec, options, directory, "rnnc verify")
    local own, message
    if spec.weights then
        own = weights.load(spec)
    else
        own, message = host.random_weights(weights.config(spec), seed)
        if not own then fail.at("rnnc verify", message) end
    end
    print_heading(spec, string.format("%s for %s, weights %s: against double precision", spec.name,
        table.concat(spec.target, ", "), spec.weights and "built in" or "random"))
    local passed, results = true, {}
    for i, run in ipairs(runs) do
        local result, problem = host.trial {
            library = library, symbol = spec.name .. "_model", weights = own,
            seq_len = run.seq_len, batch = run.batch, initial = run.initial,
            seed = seed * 1000003 + i, seconds = seconds, case = recorded and recorded.file,
        }
        if not result then
            host.print(string.format("%8d %6d  %-3s  %s", run.seq_len, run.batch,
                run.initial and "yes" or "no", problem))
            return false
        end
        results[i] = result
        passed = print_row(spec, run, result, "") and passed
    end
    if recorded then
        print_heading(spec, "against the recorded outputs")
        passed = print_row(spec, runs[1], results[1], "recorded_") and passed
    end
    return passed
end

-- Each target of the list alone, as far as this CPU runs it, after all of them in one.
local function builds_of(spec)
    local cpu, builds = host.cpu(), {}
    local function runs(name)
        for _, need in ipairs(targets[name].needs) do
            if not cpu[need] then return false end
        end
        return true
    end
    local any = false
    for _, name in ipairs(spec.target) do any = any or runs(name) end
    if any then builds[1] = spec.target end
    for _, name in ipairs(spec.target) do
        if not runs(name) then
            host.print("target " .. name .. ": this CPU cannot run it")
        elseif #spec.target > 1 then
            builds[#builds + 1] = { name }
        end
    end
    return builds
end

local function temporary()
    local directory, message = host.temporary()
    return directory or fail.at("rnnc verify", message)
end

-- The value of an option that is an integer of at least `least`.
local function whole(options, name, default, least)
    local value = math.tointeger(tonumber(options[name] or default))
    if value and value >= least then return value end
    fail.at("rnnc verify", "--" .. name .. " needs an integer of " .. least .. " or more")
end

return function(arguments, options)
    local seed = whole(options, "seed", 1, 0)
    local seconds = math.min(whole(options, "seconds", RUN_SECONDS, 1), 1000000)
    local spec, notes = specs.load(arguments[1], options)
    local recorded = options.case and apply_case(spec, options.case)
    for _, note in ipairs(notes) do host.complain(note) end
    local runs = recorded and { recorded } or random_runs(spec)
    local builds = builds_of(spec)
    if #builds == 0 then
        fail.at("rnnc verify", "this CPU runs none of the targets; choose one with --target")
    end
    local passed = true
    for _, list in ipairs(builds) do
        spec.target = list
        local directory = options.keep or temporary()
        local _ <close> = setmetatable({}, { __close = function()
            if not options.keep then host.remove_tree(directory) end
        end })
        passed = verify(spec, options, directory, runs, recorded, seed, seconds) and passed
    end
    host.print(string.format("tolerance %.0e absolute (times the largest output, if that is more than 1); "
        .. "relative and ulp of outputs of at least 0.001", TOLERANCE))
    host.print(passed and "PASS" or "FAIL")
    return passed and 0 or 1
end
