-- verify_gradients: rnnc verify --gradients: a line for each tensor, and whether all of them pass.
local fail = require "base.fail"
local gradients = require "measure.gradients"
local host = require "host"
local recorded_case = require "measure.recorded_case"
local weights = require "weights.weights"

-- An error passes that is so large in relation to the tensor's largest value, or so many times what plain loops in
-- float32 are off, which is what rounding does to that gradient.
local RELATIVE <const>, ROUNDINGS <const>, LEAST <const> = 1e-5, 16, 1e-7

-- A slope may be off by so much of what adds up to it; kinks within the step are further.
local SLOPE <const> = 1e-5

-- Recorded values are within half a unit in the last place.
local RECORDED <const> = 1e-5

-- Tried where the spec says "any": steps and sequences.
local SIZES <const> = { { 1, 1 }, { 7, 3 }, { 12, 11 } }

-- In (-1, 1), the same everywhere: xorshift.
local function generator(seed)
    local state = seed * 0x9E3779B97F4A7C15 | 1
    local function bits()
        state = state ~ (state << 13)
        state = state ~ (state >> 7)
        state = state ~ (state << 17)
        return state
    end
    return {
        number = function() return (bits() >> 11) * 2.0 ^ -52 - 1 end,
        integer = function(least, most) return least + (bits() >> 1) % (most - least + 1) end,
    }
end

local function floats(count, value)
    local list = {}
    for i = 1, count do list[i] = string.pack("<f", value()) end
    return table.concat(list)
end

-- How many values a segment has: sums of products as train.count_text writes them.
local function count_of(text, seq_len, batch)
    local total = 0
    for term in (text .. " + "):gmatch("(.-) %+ ") do
        local product = 1
        for word in term:gmatch("[%w]+") do
            product = product * (word == "T" and seq_len or word == "B" and batch or math.tointeger(tonumber(word)))
        end
        total = total + product
    end
    return total
end

-- The bytes that the program reads. tensor(name) -> recorded bytes of it, or nil.
local function input_of(spec, net, run, rng, tensor)
    local parts, flags, recorded = {}, {}, {}
    if net.facts.tokens then
        local first, list = spec.layers[1], {}
        local given = tensor "tokens"
        for i = 1, run.seq_len * run.batch do
            list[i] = string.pack("<i4", given and math.tointeger((string.unpack("<f", given, 4 * i - 3)))
                or rng.integer(0, first.num_embeddings - 1))
        end
        parts[#parts + 1] = table.concat(list)
    end
    if spec.lengths then
        local list = {}
        for b = 1, run.batch do
            -- One of all steps, the others shorter.
            local length = run.lengths and run.lengths[b] or b == 1 and run.seq_len or rng.integer(1, run.seq_len)
            list[b] = string.pack("<i4", length)
        end
        parts[#parts + 1] = table.concat(list)
    end
    for i, name in ipairs(net.names) do
        local is_output = i > #net.names - #net.outputs
        local count = count_of(net.counts[i], run.seq_len, run.batch)
        local given
        if i <= net.parameters then
            given = net.values[i]
        elseif is_output then
            given = tensor("g" .. name)
        else
            given = tensor(name)
        end
        local scale = not is_output and i > net.parameters and run.scale or 1
        if not given and run.case and (is_output or i > net.parameters) then given = ("\0"):rep(4 * count) end
        local bytes = given or floats(count, function() return rng.number() * scale end)
        parts[#parts + 1] = bytes
        local want = tensor(is_output and name or "grad." .. name)
        flags[i], recorded[i] = want and "\1" or "\0", want or ""
        for _, data in ipairs { bytes, want } do
            if #data ~= 4 * count then
                fail.at(run.case, string.format("%s has %d values, expected %d", name, #data // 4, count))
            end
        end
    end
    return table.concat(parts) .. table.concat(flags) .. table.concat(recorded)
end

local function judge(row, values)
    local largest, error_, rounding, slope = table.unpack(values, 1, 4)
    local has, off, recorded_largest = values[5] == 1, values[6], values[7]
    local passed = error_ <= RELATIVE * largest + LEAST + ROUNDINGS * rounding and slope <= SLOPE
    if has then passed = passed and off <= RECORDED * recorded_largest + LEAST + ROUNDINGS * rounding end
    host.print(string.format("%-28s %8d %9.1e %9.1e %9.1e %9.1e %9s%s", row, values.count, largest, error_,
        rounding, slope, has and string.format("%.1e", off) or "-", passed and "" or "  <- too large"))
    return passed
end

-- Runs the program once; true if all tensors pass.
local function one_run(net, directory, run, bytes, seconds)
    local written, message = host.write(directory, { { name = "inputs.bin", text = bytes } })
    if not written then fail.at("rnnc verify", message) end
    local code, output = host.run({ net.program, directory .. "/inputs.bin", tostring(run.seq_len),
                                    tostring(run.batch) }, seconds)
    host.print(string.format("%d steps, %d sequences, inputs to %g", run.seq_len, run.batch, run.scale))
    local passed, rows = code == 0, 0
    for line in output:gmatch("[^\n]+") do
        local reason = line:match("^error (.*)")
        local number, rest = line:match("^(%d+) (.+)$")
        local values = {}
        for word in (rest or ""):gmatch("%S+") do values[#values + 1] = tonumber(word) or 0 / 0 end
        if reason or #values ~= 8 then
            host.print(reason or line)
            return false
        end
        values.count = math.tointeger(table.remove(values, 1))
        passed, rows = judge(net.labels[number + 1], values) and passed, rows + 1
    end
    if code ~= 0 then
        host.print(code and "it ended with " .. code or string.format("it takes longer than %d seconds", seconds))
    end
    return passed and rows == #net.names
end

-- The sizes to run, or the case.
local function runs_of(spec)
    local runs = {}
    for i, size in ipairs(SIZES) do
        runs[i] = { seq_len = spec.seq_len == "any" and size[1] or spec.seq_len,
                    batch = spec.batch == "any" and size[2] or spec.batch, scale = 1 }
    end
    -- Sizes that the spec fixes need one run; inputs far beyond 1 another.
    if spec.seq_len ~= "any" and spec.batch ~= "any" then runs = { runs[1] } end
    local last = runs[#runs]
    runs[#runs + 1] = { seq_len = last.seq_len, batch = last.batch, scale = 100 }
    return runs
end

-- The bytes of each tensor by its name, of several heads of each one's own. file: of the network's tensors.
local function values_of(file, expected)
    local found = {}
    for _, weight in ipairs(expected) do
        local data, row_bytes = file:floats(weight.name), 4 * math.max(weight.cols, 1)
        found[weight.name] = data
        for _, part in ipairs(weight.parts or {}) do
            local rows = {}
            for r = 1, part.rows do
                local at = (part.row + r - 1) * row_bytes + 4 * part.column
                rows[r] = data:sub(at + 1, at + 4 * math.max(part.cols, 1))
            end
            found[part.name] = table.concat(rows)
        end
    end
    return found
end

-- All runs of one build; true if they pass. file: the case, or nil.
local function verify(spec, runs, file, options, seed, seconds)
    local directory = options.keep
    if not directory then
        local made, message = host.temporary()
        directory = made or fail.at("rnnc verify", message)
    end
    local _ <close> = setmetatable({}, { __close = function()
        if not options.keep then host.remove_tree(directory) end
    end })
    local shapes = {}
    for _, tensor in ipairs(file and file:list() or {}) do shapes[tensor.name] = true end
    local program, net = gradients.build(spec, options, directory, "rnnc verify")
    net.program = program
    local loaded = spec.weights and weights.load(spec) or weights.random(spec, seed, "rnnc verify")
    local values = weights.open(options.keep or directory, host.safetensors_text(loaded))
    local by_name = values_of(values, weights.expected(spec))
    net.values = {}
    for i = 1, net.parameters do net.values[i] = by_name[net.names[i]] end
    host.print(string.format("%s for %s: gradients", spec.name, table.concat(spec.target, ", ")))
    host.print(string.format("%-28s %8s %9s %9s %9s %9s %9s", "", "values", "largest", "error", "rounding", "slope",
        "recorded"))
    local passed = true
    for i, run in ipairs(runs) do
        local rng = generator(seed * 1000003 + i)
        local function tensor(name) return file and shapes[name] and file:floats(name) or nil end
        passed = one_run(net, directory, run, input_of(spec, net, run, rng, tensor), seconds) and passed
    end
    return passed
end

-- verify_gradients(spec, names, options, seed, seconds) -> 0 if all pass, else 1. names: the targets of the spec that
-- this CPU runs: each is compiled and run by itself, and, of several, all in one. Errors: those of generate, and a
-- case that does not fit.
return function(spec, names, options, seed, seconds)
    local runs, recorded = runs_of(spec), nil
    if options.case then
        recorded = recorded_case.apply(spec, options.case)
        if recorded.call_len ~= recorded.seq_len or recorded.call_batch ~= recorded.batch then
            fail.at(options.case, "gradients are of one call; the spec has other sizes than the case")
        end
        recorded.case, recorded.scale = options.case, 1
        runs = { recorded }
    end
    local builds, passed = #spec.target > 1 and { spec.target } or {}, true
    for _, name in ipairs(names) do builds[#builds + 1] = { name } end
    for _, list in ipairs(builds) do
        spec.target = list
        passed = verify(spec, runs, recorded and recorded.file, options, seed, seconds) and passed
    end
    host.print(string.format("error: against double precision, %.0e of the largest value passes, or %d times "
        .. "`rounding`, what plain loops in float32 are off", RELATIVE, ROUNDINGS))
    host.print("slope: of the loss along a random direction in double precision, against the double gradient; "
        .. "recorded: against grad.NAME of the case")
    host.print(passed and "PASS" or "FAIL")
    return passed and 0 or 1
end
