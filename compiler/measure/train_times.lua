-- train_times: rnnc bench --train: how long a step of training takes, in its parts.
local build = require "measure.build"
local fail = require "base.fail"
local generate = require "emit.generate"
local host = require "host"
local limits = require "measure.limits"
local overwrite = require "emit.overwrite"
local program_train = require "passes.program.train"
local template = require "emit.template"
local train = require "emit.train"
local weights = require "weights.weights"

local train_times = {}

local parts <const> = { "forward, with tape", "gradients", "clipping and Adam" }

-- Seconds besides those that are measured: three rounds of a large network.
local MORE <const> = 120

-- What the template takes of a spec.
local function fields_of(spec)
    local forward = train.programs(spec, program_train.plain)
    local facts = train.facts(spec, weights.tensors(weights.expected(spec)), forward)
    local head = { "parameters" }
    if spec.seq_len == "any" then head[#head + 1] = "T" end
    if spec.batch == "any" then head[#head + 1] = "B" end
    head[#head + 1] = "x"
    if facts.lengths then head[#head + 1] = "NULL" end
    local before, after = table.move(head, 1, #head, 1, {}), table.move(head, 1, #head, 1, {})
    -- States: none at the start, and nobody asks for those at the end.
    local function states(list) for _ = 1, #facts.states do list[#list + 1] = "NULL" end end
    states(before)
    if facts.drops then before[#before + 1] = "&dropout" end
    before[#before + 1] = "y"
    states(before)
    after[#after + 1] = "dy"
    states(after)
    after[#after + 1] = "gradient"
    if not facts.tokens then after[#after + 1] = "dx" end
    states(after)
    for _, list in ipairs { before, after } do
        list[#list + 1] = "tape"
        list[#list + 1] = "workspace"
    end
    local counts = {}
    for _, b in ipairs(forward.buffers) do counts[b.name] = train.count_text(b) end
    return { name = spec.name, upper = spec.name:upper(), tokens = facts.tokens, input = counts.x, output = counts.y,
             drops = facts.drops, forward = table.concat(before, ", "), backward = table.concat(after, ", ") }
end

-- train_times.run(problem, options, directory, seconds, command) -> { { code, median, minimum }, ... } in seconds, the
-- last one the whole step; and the floating point operations of the products of both passes, three times those of the
-- forward pass. problem: of subject.read. What is wrong is the user's mistake.
function train_times.run(problem, options, directory, seconds, command)
    local spec = problem.spec
    options.train = true
    local files, _, result = generate(spec, options)
    files[#files + 1] = { name = "rnnc.h", text = host.resource("runtime/rnnc.h") }
    files[#files + 1] = { name = "train_times.c", text = template.render("train_times.c", fields_of(spec)) }
    overwrite.check(directory, files, command, "keep the files in another directory")
    local written, message = host.write(directory, files)
    if not written then fail.with { command .. ": error: " .. message } end
    local program = directory .. "/train_times"
    local made, why, output = build.call(build.compiler(options.cc, command), "-std=c11 -O2", { program .. ".c",
        directory .. "/" .. spec.name .. "_train.c", "-I" .. directory, "-o", program, "-lm" })
    if not made then fail.with { command .. ": error: " .. why, output } end
    local code, text = host.run({ program, tostring(problem.seq_len), tostring(problem.batch), tostring(seconds) },
        seconds + MORE)
    local rows, median, minimum = {}, 0, 0
    for line in text:gmatch("[^\n]+") do
        local a, b = line:match("^(%S+) (%S+)$")
        if not tonumber(a) then break end
        rows[#rows + 1] = { parts[#rows + 1], tonumber(a), tonumber(b) }
        median, minimum = median + tonumber(a), minimum + tonumber(b)
    end
    if code ~= 0 or #rows ~= #parts then
        fail.at(command, problem.path .. ": the program that times the training fails: " .. text)
    end
    rows[#rows + 1] = { "the step", median, minimum }
    return rows, 3 * (limits.work(result.plan.layers, problem.seq_len, problem.batch))
end

-- train_times.lines(problem, rows, flops, machine) -> the table, as lines. Rates and per cents of the machine's peak
-- are those of both passes without the update, by the minimum.
function train_times.lines(problem, rows, flops, machine)
    local passes = rows[1][3] + rows[2][3]
    local lines = { string.format("%s: %.1f GFLOP/s in both passes, %.0f %% of peak", problem.title,
        1e-9 * flops / passes, 100e-9 * flops / passes / machine.peak_gflops) }
    for _, row in ipairs(rows) do
        lines[#lines + 1] = string.format("  %-22s %12.2f %12.2f", row[1], 1e6 * row[2], 1e6 * row[3])
    end
    return lines
end

function train_times.heading() return string.format("  %-22s %12s %12s", "part", "median us", "min us") end

return train_times
