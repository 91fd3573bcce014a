-- timing: times candidates in turns, so that a change of the machine's speed meets each alike.
local host = require "host"

local timing = {}

-- Largest absolute error of y, hn and cn that passes, relative to the largest output if that is more than 1.
local TOLERANCE <const> = 1e-4

-- Or, where a network makes more of it, so many times what rounding alone does; as verify accepts of fast functions.
local SPREADS <const> = 320

-- A sample has as many calls as take this many seconds; shorter ones would measure the clock.
local SAMPLE_SECONDS <const> = 0.002

local LEAST_ROUNDS <const>, MOST_ROUNDS <const> = 3, 1001

-- A process that says nothing for so long is given up.
local PATIENCE <const> = 120

-- Rounds by which variants of one code are compared before the best of them competes.
local SELECTION_ROUNDS <const> = 5

local function give_up(c, why)
    c.note = why
    c.runner:close()
    c.runner = nil
end

-- timing.sample(c) -> seconds of a call, and of the calls of the sample. nil: it has been given up.
function timing.sample(c)
    local answer, message = c.runner:ask("time " .. c.calls, PATIENCE)
    local seconds = tonumber(answer)
    if not seconds then return give_up(c, message or answer) end
    return seconds / c.calls, seconds
end

-- timing.latency(c) -> that of its team, nanoseconds; nil: it has been given up.
function timing.latency(c)
    local answer, message = c.runner:ask("latency", PATIENCE)
    return math.tointeger(tonumber(answer)) or give_up(c, message or answer)
end

-- timing.check(c, problem, directory): runs the candidate once and judges its outputs; sets c.error. A wrong
-- one is given up.
function timing.check(c, problem, directory)
    local path = directory .. "/outputs"
    local answer, message = c.runner:ask("run " .. path, PATIENCE)
    if answer ~= "done" then return give_up(c, (message or answer):gsub("^wrong ", "")) end
    local passes
    c.error, passes = problem:error(path, TOLERANCE, SPREADS)
    if not passes then give_up(c, string.format("wrong: largest error %.1e", c.error)) end
    return passes
end

-- timing.calibrate(c, sample_seconds): finds how many calls make a sample of that length; true if it runs.
function timing.calibrate(c, sample_seconds)
    c.calls = 1
    repeat
        local _, seconds = timing.sample(c)
        if not seconds then return end
        local enough = seconds >= sample_seconds or c.calls >= 1 << 24
        if not enough then c.calls = c.calls * 2 end
    until enough
    return true
end

-- timing.choose(candidates, problem, directory) -> the fastest of some variants of one code, the others
-- closed; or one of those that failed.
function timing.choose(candidates, problem, directory)
    local best
    for _, c in ipairs(candidates) do
        local least = math.huge
        if c.runner and timing.check(c, problem, directory) and timing.calibrate(c, SAMPLE_SECONDS / 4) then
            for _ = 1, SELECTION_ROUNDS do least = math.min(least, timing.sample(c) or math.huge) end
        end
        c.selected = least
        if not best or least < best.selected then best = c end
    end
    for _, c in ipairs(candidates) do
        if c ~= best and c.runner then c.runner:close() end
    end
    return best
end

-- timing.run(candidates, seconds, progress): each of them that has a runner gets `times`, seconds of a call
-- in ascending order. progress(part) hears how far it is, from 0 to 1.
function timing.run(candidates, seconds, progress)
    local running = {}
    for _, c in ipairs(candidates) do
        if c.runner and timing.calibrate(c, math.min(SAMPLE_SECONDS, seconds / 10)) then
            c.times = {}
            running[#running + 1] = c
        end
    end
    local spent, round = 0, 0
    while #running > 0 and round < MOST_ROUNDS and (round < LEAST_ROUNDS or spent < seconds) do
        for i = 1, #running do
            local c = running[(i + round) % #running + 1]
            if c.runner then
                local time, all = timing.sample(c)
                c.times[#c.times + 1] = time
                spent = spent + (all or 0)
            end
        end
        round = round + 1
        progress(math.min(1, math.max(spent / seconds, round / MOST_ROUNDS)))
    end
    for _, c in ipairs(running) do
        if c.runner then
            table.sort(c.times)
            c.runner:close()
        else
            c.times = nil
        end
    end
end

-- timing.own(problem, code, what) -> a candidate of this process: see host.candidate.
function timing.own(problem, code, what)
    local c = { code = code }
    local runner, message = host.candidate(problem, what)
    if not runner then
        c.note = message
        return c
    end
    c.runner = runner
    local answer, why = runner:ask(nil, PATIENCE)
    if answer ~= "hello" then give_up(c, why or (answer:gsub("^absent ", ""))) end
    return c
end

return timing
