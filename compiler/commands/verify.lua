-- rnnc verify: compiles a network with the system's compiler, runs it, and compares it with plain
-- loops in double precision and with recorded outputs.
local build = require "measure.build"
local fail = require "base.fail"
local host = require "host"
local models = require "import.models"
local network = require "measure.network"
local recorded_case = require "measure.recorded_case"
local subject = require "measure.subject"
local targets = require "tables.targets"
local verify_gradients = require "measure.verify_gradients"
local weights = require "weights.weights"

-- Absolute error that passes, by the spec's `activation`, for outputs up to 1; networks with larger ones get
-- as much more.
local TOLERANCE <const> = { exact = 1e-5, fast = 1e-4 }

-- Where a network makes more of rounding than that, an error passes that is so many times what half a unit in the last
-- place of each weight, or float32 states, do to the same step. A product rounds once a term, which is some such units;
-- fast functions are 20 times as far off as exact ones.
local SPREADS <const> = { exact = 16, fast = 320 }

local RUN_SECONDS <const> = 60

-- Tried where the spec says "any": one, a few, and more than a vector or a tile holds. Whole sets
-- of them are for networks that take less than this many multiply-adds in all.
local SEQ_LENS <const> = { 1, 2, 7, 40 }
local BATCHES <const> = { 1, 3, 17 }
local WORK_MAX <const> = 1000000000

-- A run that has each token, or a 1 in each value of x, at least once; nil: x has one value. Each sequence starts anew,
-- as short as it can be: where rounding grows, what comes late tells nothing.
local function run_of_each(spec)
    local first = (spec.layers or { spec })[1]
    local count = first.layer == "embedding" and first.num_embeddings or first.input_size
    if count < 2 then return nil end
    local seq_len = spec.seq_len == "any" and 1 or spec.seq_len
    local sequences = (count + seq_len - 1) // seq_len
    local together = spec.batch == "any" and sequences or spec.batch
    return { seq_len = seq_len, batch = (sequences + together - 1) // together * together, call_len = seq_len,
             call_batch = together, initial = false, lengths = false, inputs = "each" }
end

-- A run on random inputs: { seq_len, batch, call_len, call_batch, initial, lengths, inputs }, see host.isolated_run:
-- each with initial states and without, with inputs far beyond 1, with sequences of different lengths if the spec has
-- them; and one with all tokens.
local function random_runs(spec)
    local seq_lens = spec.seq_len == "any" and SEQ_LENS or { spec.seq_len }
    local batches = spec.batch == "any" and BATCHES or { spec.batch }
    local embeds = (spec.layers or { spec })[1].layer == "embedding"
    local runs, work = {}, 0
    -- Whether there was time for it.
    local function add(seq_len, batch, list)
        work = work + #list * network.work(spec) * seq_len * batch
        if work > WORK_MAX and #runs > 0 then return false end
        for _, run in ipairs(list) do
            run.seq_len, run.batch = run.seq_len or seq_len, run.batch or batch
            run.call_len, run.call_batch = run.call_len or seq_len, run.call_batch or batch
            runs[#runs + 1] = run
        end
        return true
    end
    for _, seq_len in ipairs(seq_lens) do
        for _, batch in ipairs(batches) do
            local list = {}
            for _, lengths in ipairs(spec.lengths and seq_len > 1 and { false, true } or { false }) do
                for _, initial in ipairs { true, false } do
                    list[#list + 1] = { initial = initial, lengths = lengths, inputs = "near" }
                end
            end
            if not embeds then list[#list + 1] = { initial = true, lengths = false, inputs = "far" } end
            if not add(seq_len, batch, list) then return runs end
        end
    end
    local each = run_of_each(spec)
    if each then add(each.seq_len, each.batch, { each }) end
    return runs
end

local function columns_of(d)
    return string.format("%9.1e %9.1e %7.1f", d.absolute, d.relative, d.ulp)
end

-- The outputs that a network has: y, and what it carries from step to step.
local function outputs_of(spec)
    local names = { "y" }
    for _, state in ipairs(network.states(spec)) do names[#names + 1] = state .. "n" end
    return names
end

-- What the inputs of a run are called.
local INPUTS <const> = { near = "to 1", far = "to 1000", each = "each 1", recorded = "recorded" }

-- What begins a row: the sizes of the run, and how it was called.
local function run_text(spec, run)
    return string.format("%8d %6d  %-5s%s %-9s", run.seq_len, run.batch, run.initial and "yes" or "no",
        spec.lengths and string.format(" %-9s", run.lengths and "yes" or "no") or "", INPUTS[run.inputs or "recorded"])
end

-- What rounding does by itself to the outputs, where that is more than the tolerance of others.
local function spread_text(results)
    local largest = 0
    for _, d in ipairs(results) do largest = math.max(largest, d.spread) end
    return largest > 0 and string.format("; rounding alone does %.1e", largest) or ""
end

-- A row with the columns of all outputs; `prefix` is that of their names in the result.
local function print_row(spec, run, result, prefix)
    local columns, judged, passed = {}, {}, true
    for i, name in ipairs(outputs_of(spec)) do
        local d = result[prefix .. name]
        columns[i] = d and columns_of(d) or string.format("%9s %9s %7s", "-", "-", "-")
        judged[#judged + 1] = d
        passed = (not d or d.excess <= 1) and passed
    end
    host.print(run_text(spec, run) .. table.concat(columns, "  ") .. (passed and "" or "  <- too large")
        .. spread_text(judged))
    return passed
end

local function print_heading(spec, title)
    local columns, states = {}, network.states(spec)
    for i, name in ipairs(outputs_of(spec)) do columns[i] = string.format("%9s       rel     ulp", name .. " abs") end
    host.print(title)
    host.print(string.format(" seq_len  batch  %-5s%s %-9s%s", #states > 1 and "h0,c0" or "h0",
        spec.lengths and " lengths  " or "", "inputs", table.concat(columns, "  ")))
end

-- The same inputs through the runtime's generic kernels: the largest error of all runs in a line.
local function print_generic(spec, results)
    local largest, passed = 0, true
    for _, result in ipairs(results) do
        for _, name in ipairs(outputs_of(spec)) do
            local d = result["generic_" .. name]
            largest, passed = math.max(largest, d.absolute), d.excess <= 1 and passed
        end
    end
    host.print(string.format("generic kernels on the same inputs: %.1e abs%s", largest,
        passed and "" or "  <- too large"))
    return passed
end

-- The weights of the spec, or random ones. Ones that are NaN or infinite are said: nothing can be judged with them.
local function weights_of(spec, seed)
    if not spec.weights then return weights.random(spec, seed, "rnnc verify") end
    local loaded, notes = weights.load(spec)
    for _, note in ipairs(notes) do host.complain(note) end
    return loaded
end

-- Runs all of `runs` on one target's build; true if they pass.
local function verify(spec, target, options, directory, runs, recorded, seed, seconds)
    local library = build.network(spec, options, directory, "rnnc verify")
    local own = weights_of(spec, seed)
    print_heading(spec, string.format("%s for %s, weights %s: against double precision", spec.name,
        target .. (#spec.target > 1 and " of " .. table.concat(spec.target, ", ") or ""),
        spec.weights and "built in" or "random"))
    local passed, results = true, {}
    for i, run in ipairs(runs) do
        local result, message = host.isolated_run {
            library = library, symbol = spec.name .. "_model", network = network.of(spec), weights = own,
            seq_len = run.seq_len, batch = run.batch, call_len = run.call_len, call_batch = run.call_batch,
            initial = run.initial, lengths = run.lengths, inputs = run.inputs,
            seed = seed * 1000003 + i, seconds = seconds, case = recorded and recorded.file,
            tolerance = TOLERANCE[spec.activation], spreads = SPREADS[spec.activation],
            generic_tolerance = TOLERANCE.exact, generic_spreads = SPREADS.exact,
        }
        if not result then
            host.print(run_text(spec, run) .. message)
            return false
        end
        results[i] = result
        passed = print_row(spec, run, result, "") and passed
    end
    passed = print_generic(spec, results) and passed
    if recorded then
        print_heading(spec, "against the recorded outputs")
        passed = print_row(spec, runs[1], results[1], "recorded_") and passed
    end
    return passed
end

-- The targets of the list that this CPU runs. What is not the best of them is reached by code that takes no other.
local function targets_of(spec)
    local list = {}
    for _, name in ipairs(targets.order) do
        for _, wanted in ipairs(spec.target) do
            if wanted == name and subject.runs(name) then
                list[#list + 1] = name
            elseif wanted == name then
                host.print("target " .. name .. ": this CPU cannot run it")
            end
        end
    end
    return list
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
    local spec, notes = models.load(arguments[1], options)
    local recorded = not options.gradients and options.case and recorded_case.apply(spec, options.case)
    for _, note in ipairs(notes) do host.complain(note) end
    local names = targets_of(spec)
    subject.check(spec, "rnnc verify")
    if options.gradients then return verify_gradients(spec, names, options, seed, seconds) end
    local runs = recorded and { recorded } or random_runs(spec)
    local passed = true
    for i, name in ipairs(names) do
        -- The last one is what is taken anyway, so that with --keep the files of all targets stay.
        options.only = i < #names and name or nil
        local directory = options.keep or temporary()
        local _ <close> = setmetatable({}, { __close = function()
            if not options.keep then host.remove_tree(directory) end
        end })
        passed = verify(spec, name, options, directory, runs, recorded, seed, seconds) and passed
    end
    host.print(string.format("tolerance %.0e absolute (times the largest output, if that is more than 1), or %d times "
        .. "what rounding alone does to the output; relative and ulp of outputs of at least 0.001",
        TOLERANCE[spec.activation], SPREADS[spec.activation]))
    host.print("ulp: the error in units of the last place that the right output has as a float; rounding alone "
        .. "makes up to 0.5")
    host.print(passed and "PASS" or "FAIL")
    return passed and 0 or 1
end
