-- rnnc bench: how fast generated networks are, beside the runtime's generic ones, other libraries and the
-- speed of light.
local breakdown = require "measure.breakdown"
local build = require "measure.build"
local timing = require "measure.timing"
local fail = require "base.fail"
local host = require "host"
local limits = require "measure.limits"
local machines = require "measure.machine"
local origin = require "measure.origin"
local output = require "report.output"
local page = require "report.page"
local paths = require "base.paths"
local peers = require "measure.peers"
local results = require "report.results"
local subject = require "measure.subject"
local train_times = require "measure.train_times"

local COMMAND <const> = "rnnc bench"

-- Generates and compiles it; adds the plan, the work and what to expect.
-- Cycles of a step by the cost model; of an unknown batch those of one sequence.
local function predicted_cycles(variant)
    local cycles = variant.cycles
    for _, other in ipairs(variant.others) do
        if other.role == "_one" then return other.cycles end
        if other.role == "_rest" then cycles = cycles + other.cycles end
    end
    return cycles
end

local function build_problem(problem, options, settings)
    settings.progress(problem.title .. ": compiling")
    problem.library, problem.result = build.network(problem.spec, options, settings.directory, COMMAND)
    problem.plan = problem.result.plan
    problem.variant = subject.variant(problem.plan)
    local layers, seq_len, batch = problem.plan.layers, problem.seq_len, problem.batch
    problem.flops, problem.bytes = limits.work(layers, seq_len, batch)
    problem.light_us = 1e6 * limits.time(layers, seq_len, batch, settings.machine)
    if problem.plan.batch ~= "any" or batch == 1 then
        problem.predicted_us = predicted_cycles(problem.variant) * seq_len / (1e3 * settings.machine.clock_ghz)
    end
end

-- The same spec for a team of settings.threads; without a runner where it cannot have a core for each.
local function team_candidate(problem, inputs, options, settings)
    local threads, cpus = settings.threads, settings.cpus
    local c = { code = string.format("specialised (%d threads)", threads) }
    if #cpus < threads then
        c.note = #cpus == 0 and "skipped: this system does not tell which CPUs there are"
            or string.format("skipped: %d threads need %d cores, and this process may use %d", threads, threads, #cpus)
    else
        local spec = {}
        for name, value in pairs(problem.spec) do spec[name] = value end
        spec.threads = threads
        local library, result = build.network(spec, options, settings.directory .. "/threads", COMMAND)
        c = timing.own(inputs, c.code, { library = library, symbol = problem.model .. "_model", cpus = cpus })
        problem.team_variant = subject.variant(result.plan)
        c.latency_ns = c.runner and timing.latency(c) or 0
        c.division = subject.sharing(problem.team_variant, problem.seq_len, problem.batch, c.latency_ns)
        c.variant = string.format("%s, %s, latency %d ns", problem.team_variant.target, c.division, c.latency_ns)
        c.needed = true
    end
    c.threads = threads
    return c
end

local function own_candidates(problem, inputs, options, settings)
    local own = timing.own(inputs, "specialised", { library = problem.library, symbol = problem.model .. "_model" })
    own.needed = true
    local list = { own }
    if settings.threads then list[2] = team_candidate(problem, inputs, options, settings) end
    list[#list + 1] = timing.own(inputs, "generic (OpenBLAS)", { blas = "openblas" })
    list[#list + 1] = timing.own(inputs, "generic (built-in)", { blas = "builtin" })
    return list
end

local function other_candidates(problem, inputs, settings)
    local list, arguments = {}, problem.shape
    if not arguments or problem.spec.batch_first then
        return { { code = "other libraries",
                   note = "skipped: their drivers run one recurrent network without batch_first" } }
    end
    local path = settings.directory .. "/problem"
    local written, message = inputs:write(path)
    if not written then fail.at(COMMAND, message) end
    arguments[#arguments + 1] = path
    for i, peer in ipairs(settings.peers) do
        settings.progress(problem.title .. ": " .. peer.name)
        list[i] = peers.candidate(peer, arguments, inputs, settings.directory)
    end
    arguments[#arguments] = nil
    return list
end

-- Measures one model. Wrong specialised code, which is `needed`, is a mistake to hear of.
local function measure(problem, options, settings)
    build_problem(problem, options, settings)
    settings.progress(problem.title .. ": reference in double precision")
    local inputs = subject.inputs(problem, COMMAND)
    local candidates = own_candidates(problem, inputs, options, settings)
    for _, c in ipairs(candidates) do
        if c.runner then timing.check(c, inputs, settings.directory) end
    end
    if settings.peers then
        local others = other_candidates(problem, inputs, settings)
        table.move(others, 1, #others, #candidates + 1, candidates)
    end
    timing.run(candidates, settings.seconds, function(part) settings.progress(problem.title, part) end)
    for i, c in ipairs(candidates) do
        problem.rows[i] = results.row(c, problem, problem.rows[1])
        if c.needed and not problem.rows[i].median_us then
            fail.at(COMMAND, string.format("%s: the generated code cannot be timed%s: %s", problem.path,
                c.threads and " with " .. c.threads .. " threads" or "", c.note))
        end
    end
    problem.rows[1].note = problem.variant.target
    if options.html then problem.parts = breakdown(problem, inputs, options, settings) end
end

-- "title  [=====     ] 3 of 30" on a terminal.
local function progress_of(count)
    local current = 0
    return function(text, part)
        local bar = part and string.format("  [%-20s]", string.rep("=", math.floor(20 * part + 0.5))) or ""
        host.progress(text == "" and "" or string.format("%d of %d  %s%s", math.max(current, 1), count, text, bar))
    end, function() current = current + 1 end
end

local function measured_machine(options, directory)
    local m, message = machines.measured(function(text, name)
        local written, message = host.write(directory, { { name = name .. ".c", text = text } })
        if not written then return nil, message end
        local program = paths.join(directory, name)
        local compiler, files = build.compiler(options.cc, COMMAND), { program .. ".c", "-o", program, "-lm" }
        local made, why = build.call(compiler, "-std=gnu11 -O2 -march=native", files)
        if not made then made, why = build.call(compiler, "-std=gnu11 -O2", files) end
        return made and program, why
    end)
    return m or fail.at(COMMAND, message .. "; or describe the machine with --machine")
end

local function put(options, name, text)
    local path = output.write(COMMAND, options, name, text)
    if path then host.complain(path .. " is written") end
end

local function data_of(problems, settings)
    local list = {}
    for i, p in ipairs(problems) do
        list[i] = { model = p.model, problem = p.problem, seq_len = p.seq_len, batch = p.batch, flops = p.flops,
                    bytes = p.bytes, light_us = p.light_us, predicted_us = p.predicted_us, parts_ns = p.parts,
                    target = p.variant.target, results = p.rows }
    end
    return { origin = settings.origin, machine = settings.machine, seconds = settings.seconds, problems = list }
end

return function(arguments, options)
    local seconds = subject.positive(options, "seconds", 2, COMMAND)
    local threads = subject.threads(options, COMMAND)
    local given = options.machine and machines.given(options.machine, COMMAND)
    output.check(COMMAND, options, { "csv", "json", "html" })
    local quiet = options.csv == "-" or options.json == "-" or options.html == "-"
    for _, name in ipairs { "peers", "threads", "csv", "json", "html" } do
        if options.train and options[name] then fail.at(COMMAND, "--train prints a table and knows no --" .. name) end
    end
    local function say(line) if not quiet then host.print(line) end end

    -- All that can be wrong with a model is said before any is run.
    local problems = {}
    for i, path in ipairs(arguments) do
        problems[i] = subject.read(path, options, COMMAND)
        subject.check(problems[i].spec, COMMAND)
    end
    local directory, message = host.temporary()
    if not directory then fail.at(COMMAND, message) end
    local _ <close> = setmetatable({}, { __close = function()
        host.progress("")
        host.remove_tree(directory)
    end })
    local progress, next_problem = progress_of(#arguments)
    -- Asked before it is pinned to the first of them.
    local cpus = threads and table.move(host.cores(), 1, threads, 1, {})
    local cpu = host.pin()
    progress("the machine")
    local settings = { directory = directory, seconds = seconds, progress = progress, command = COMMAND, cpu = cpu,
                       threads = threads, cpus = cpus, machine = given or measured_machine(options, directory) }
    settings.origin = (options.json or options.html) and origin(COMMAND, arguments, options)
    settings.peers = options.peers and peers.open(directory)
    progress("")
    say("machine: " .. machines.text(settings.machine))
    local team = threads and #cpus == threads and string.format(", %d on CPUs %s", threads, table.concat(cpus, ", "))
    say(string.format("one thread%s%s, %g s for each problem", cpu and " on CPU " .. cpu or "", team or "", seconds))
    if options.train then
        say(train_times.heading())
        for i, problem in ipairs(problems) do
            next_problem()
            progress(problem.title .. ": compiling and measuring")
            local rows, flops = train_times.run(problem, options, paths.join(directory, tostring(i)), seconds, COMMAND)
            progress("")
            for _, line in ipairs(train_times.lines(problem, rows, flops, settings.machine)) do say(line) end
        end
        return
    end
    say(results.heading())
    for _, problem in ipairs(problems) do
        next_problem()
        measure(problem, options, settings)
        progress("")
        for _, line in ipairs(results.lines(problem)) do say(line) end
    end
    if #problems > 1 then
        for _, line in ipairs(results.summary(problems)) do say(line) end
    end
    put(options, "csv", results.csv(problems))
    put(options, "json", host.json(data_of(problems, settings)))
    if options.html then put(options, "html", page(problems, settings)) end
end
