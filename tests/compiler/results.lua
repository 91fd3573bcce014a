-- results: what a bench says of the times that it has measured, from times that are made up.
local support = require "tests.compiler.support"

local results = require "report.results"

local function near(got, want, what)
    if not (got and math.abs(got - want) <= 1e-9 * math.max(1, math.abs(want))) then
        error(string.format("%s is %s, wanted %s", what, tostring(got), tostring(want)), 2)
    end
end

local function same(got, want, what)
    if got ~= want then error(string.format("%s is %q, wanted %q", what, tostring(got), tostring(want)), 2) end
end

local function problem_of(title, light_us)
    return { title = title, seq_len = 10, flops = 4000, bytes = 8000, light_us = light_us or 1.5, rows = {} }
end

-- Rows of { code, times in us, threads }, the first of them the specialised code.
local function fill(problem, rows)
    for i, row in ipairs(rows) do
        local times = {}
        for k, time in ipairs(row[2]) do times[k] = time * 1e-6 end
        problem.rows[i] = results.row({ code = row[1], times = times, threads = row[3], error = 1e-7, note = row.note,
                                        variant = row.variant }, problem, problem.rows[1])
    end
    return problem
end

support.case("the median is the middle one, the lower of two", function()
    for _, case in ipairs { { { 7 }, 7 }, { { 2, 9 }, 2 }, { { 1, 2, 9 }, 2 }, { { 1, 2, 3, 9 }, 2 },
                            { { 1, 2, 4, 8, 9 }, 4 } } do
        local row = fill(problem_of "p", { { "own", case[1] } }).rows[1]
        near(row.median_us, case[2], "the median")
        near(row.min_us, case[1][1], "the minimum")
        same(row.rounds, #case[1], "the number of rounds")
    end
end)

support.case("rates are of the median, light of the minimum", function()
    local row = fill(problem_of "p", { { "own", { 2, 4, 9 } } }).rows[1]
    near(row.gflops, 1.0, "GFLOP/s")
    near(row.gbs, 2.0, "GB/s")
    near(row.step_ns, 400, "ns a step")
    near(row.light_percent, 75, "% of light")
    near(row.ratio, 1, "the ratio of the first row")
end)

support.case("light is for one thread", function()
    local rows = fill(problem_of "p", { { "own", { 2 } }, { "own, 2 threads", { 1 }, 2 } }).rows
    same(rows[2].light_percent, nil, "% of light of two threads")
    same(rows[2].threads, 2, "the number of threads")
    near(rows[2].ratio, 0.5, "the ratio of two threads")
    same(results.cells(rows[2])[6], "-", "the cell of light")
end)

support.case("a ratio is how many times as long as the first", function()
    local rows = fill(problem_of "p", { { "own", { 2 } }, { "other", { 5 } } }).rows
    near(rows[2].ratio, 2.5, "the ratio")
    local alone = results.row({ code = "other", times = { 1e-6 } }, problem_of "p", { code = "own" })
    same(alone.ratio, nil, "the ratio to a row that was not timed")
end)

support.case("what was not timed has a note and no numbers", function()
    local row = results.row({ code = "other", note = "skipped: no such library" }, problem_of "p", nil)
    same(row.note, "skipped: no such library", "the note")
    same(row.median_us, nil, "the median")
    same(results.row({ code = "other", times = {} }, problem_of "p", nil).note, "not measured", "the note")
end)

-- On a: others take 4 and 2 times as long, two threads half; on b: 1/2 and 8 times, two threads 1/8.
local function two_problems()
    return {
        fill(problem_of("a", 1.0), { { "own", { 2 } }, { "own, 2 threads", { 1 }, 2 }, { "slow", { 8 } },
                                     { "fast", { 4 } } }),
        fill(problem_of("b", 1.0), { { "own", { 16 } }, { "own, 2 threads", { 2 }, 2 }, { "slow", { 8 } },
                                     { "fast", { 128 } } }),
    }
end

support.case("means are geometric", function()
    local found = results.statistics(two_problems())
    same(#found.codes, 2, "the number of other codes")
    same(found.codes[1].code, "slow", "the first other code")
    near(found.codes[1].mean, math.sqrt(2), "the mean of slow") -- of 4 and 1/2
    near(found.codes[2].mean, 4, "the mean of fast") -- of 2 and 8
    same(found.codes[1].count, 2, "the number of problems")
end)

support.case("the fastest other code of each problem", function()
    local best = results.statistics(two_problems()).best
    near(best.mean, 1, "the mean") -- 4 / 2 and 8 / 16
    same(best.slower, 1, "how often it wins")
    near(best.worst, 2, "the worst")
    same(best.title, "b", "where")
end)

support.case("threads are compared with one", function()
    local team = results.statistics(two_problems()).team
    near(team.mean, 4, "the mean") -- 2 and 8 times as fast
    near(team.worst, 2, "the least")
    same(team.title, "a", "where")
    same(team.code, "own, 2 threads", "which code")
end)

support.case("the speed of light is compared with the minimum of one thread", function()
    local light = results.statistics(two_problems()).light
    near(light.mean, math.sqrt(32), "the mean") -- 2 and 16
    near(light.worst, 16, "the worst")
    same(light.title, "b", "where")
end)

support.case("without others there is no fastest other", function()
    local found = results.statistics { fill(problem_of "a", { { "own", { 2 } } }) }
    same(found.best, nil, "the fastest other")
    same(found.team, nil, "the team")
    same(#found.codes, 0, "the number of other codes")
end)

support.case("the summary says all of that", function()
    local text = table.concat(results.summary(two_problems()), "\n")
    for _, words in ipairs { "over 2 problems", "1.41 times the specialised code (2)",
                             "1.00 times the specialised code; faster on 1 of 2, at worst 2.00 times on b",
                             "4.00 times as fast as one thread (2), at the least 2.00 on a",
                             "5.66 times the speed of light (minima), at most 16.00 on b" } do
        if not text:find(words, 1, true) then error("no " .. words .. " in\n" .. text) end
    end
end)

support.case("CSV has a line for each row, and quotes what needs it", function()
    local problem = fill(problem_of "p", { { "own", { 2 }, variant = 'a "b", c' } })
    problem.model, problem.problem, problem.batch = "m", "x\ny", 1
    local lines = results.csv { problem }
    same(lines, 'model,problem,seq_len,batch,flops,bytes,light_us,predicted_us,code,threads,division,median_us,min_us,'
        .. 'ratio,gflops,gbs,light_percent,step_ns,max_error,note\n'
        .. 'm,"x\ny",10,1,4000,8000,1.5,,own,1,,2,2,1,2,4,75,200,1e-07,"a ""b"", c"\n', "the text")
end)

support.finish()
