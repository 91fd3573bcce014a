-- bar.lua FILE.csv [random]: judges what `rnnc bench` measured on the grid by the project's bar, line by line. Prints
-- where it falls short, problem by problem; what was not measured is not judged. Times are medians, and
-- minima beside the speed of light, which is made of minima too. On a machine that others use, a median that
-- is far above its minimum says little: measure longer.

-- What counts as somebody else's: everything but our own kernels.
local function is_other(row)
    return row.code ~= "specialised" and row.threads == 1 and row.code ~= "generic (built-in)"
end

-- Shapes that nobody tuned for have a bar of their own.
local RANDOM <const> = arg[2] == "random"

local MEAN_OF_BEST <const> = RANDOM and 1.2 or 1.4

-- Problems on which another one may be ahead, and the least part of our time that it may take there.
local MISSES <const>, WORST <const> = RANDOM and 1 or 0, 0.97
local libraries <const> = { { "ONNX Runtime", 2.4 }, { "PyTorch", 8 } }

-- Times the speed of light that a problem may take: where there is much to compute, and elsewhere.
local NEAR <const>, FAR <const> = 1.10, 1.5

-- The same of random shapes: the part of the speed of light that is wanted.
local function part_of_light(problem)
    if problem.batch >= 8 then return 0.9 end
    if problem.batch > 1 then return 0.85 end
    return problem.hidden >= 128 and 0.9 or 0.75
end

-- Times that two threads have to be as fast as one, where there is something to share; and anywhere, with what two
-- measurements of the same code differ by.
local SHARED <const>, NOT_SLOWER <const> = 1.7, 1 / 1.03

-- The cells of a line; quoted ones hold no quotes, but for notes at the end.
local function cells(line)
    local list, at = {}, 1
    while at <= #line + 1 do
        local quoted, behind = line:match('^"([^"]*)",?()', at)
        local cell, after = line:match("^([^,]*),?()", at)
        list[#list + 1] = quoted or cell
        at = math.max(behind or after, at + 1)
        if at > #line then break end
    end
    return list
end

-- The file as problems in their order: { title, hidden, layers, directions, batch, light, own = row, two = row with
-- two threads or nil, others = { rows } }.
local function read(path)
    local problems, by_title, names = {}, {}, nil
    for line in io.lines(path) do
        if not names then
            names = cells(line)
        else
            local row = {}
            for i, cell in ipairs(cells(line)) do row[names[i] or "rest"] = cell end
            local problem = by_title[row.problem]
            if not problem then
                local words = {}
                for word in row.problem:gmatch("%S+") do words[#words + 1] = tonumber(word) or word end
                -- A network with more than one layer is called by its name, which begins in the same way.
                local sizes = table.pack(row.problem:match("_(%d+)_(%d+)_(%d+)_(%d+)_(%d+)_%d+_%a"))
                for i = 1, sizes.n do words[i + 1] = tonumber(sizes[i]) or words[i + 1] end
                problem = { title = row.problem, hidden = words[3], layers = words[4],
                            directions = words[5], batch = words[6], light = tonumber(row.light_us), others = {} }
                by_title[row.problem] = problem
                problems[#problems + 1] = problem
            end
            row.median, row.min, row.threads = tonumber(row.median_us), tonumber(row.min_us), tonumber(row.threads or 1)
            if row.code == "specialised" then problem.own = row end
            if row.median and row.threads == 2 then problem.two = row end
            if row.median and is_other(row) then table.insert(problem.others, row) end
        end
    end
    return problems
end

-- The geometric mean of what pick(problem) gives, and of how many.
local function mean(problems, pick)
    local sum, count = 0, 0
    for _, problem in ipairs(problems) do
        local value = pick(problem)
        if value then sum, count = sum + math.log(value), count + 1 end
    end
    return count > 0 and math.exp(sum / count), count
end

local function fastest(problem)
    local best
    for _, row in ipairs(problem.others) do
        if not best or row.median < best.median then best = row end
    end
    return best
end

-- One line of the bar, and below it where it is missed.
local function judge(text, passes, misses)
    print(string.format("%-6s %s", passes and "passes" or "SHORT", text))
    for _, miss in ipairs(misses or {}) do print("         " .. miss) end
end

local function judge_others(problems)
    local misses, judged, worst = {}, 0, 1
    for _, problem in ipairs(problems) do
        local best = fastest(problem)
        worst = best and math.min(worst, best.median / problem.own.median) or worst
        judged = judged + (best and 1 or 0)
        if best and best.median < problem.own.median then
            misses[#misses + 1] = string.format("%-28s %s takes %.2f us (at least %.2f), ours %.2f (%.2f)",
                problem.title, best.code, best.median, best.min, problem.own.median, problem.own.min)
        end
    end
    judge(string.format("faster than all others on %d of %d", judged - #misses, judged),
        #misses <= MISSES and (#misses == 0 or worst >= WORST), misses)
    local ratio = mean(problems, function(p) return fastest(p) and fastest(p).median / p.own.median end)
    if ratio then
        judge(string.format("geometric mean %.2f times as fast as the fastest other; wanted %g", ratio, MEAN_OF_BEST),
            ratio >= MEAN_OF_BEST)
    end
end

local function judge_libraries(problems)
    for _, library in ipairs(libraries) do
        local ratio, count = mean(problems, function(problem)
            for _, row in ipairs(problem.others) do
                if row.code:find(library[1], 1, true) then return row.median / problem.own.median end
            end
        end)
        if ratio then
            judge(string.format("geometric mean %.2f times as fast as %s (%d problems); wanted %g", ratio, library[1],
                count, library[2]), ratio >= library[2])
        end
    end
end

local function judge_light(problems)
    local misses = {}
    for _, problem in ipairs(problems) do
        local most = RANDOM and 1 / part_of_light(problem)
            or (problem.batch >= 8 or problem.hidden >= 128) and NEAR or FAR
        local times = problem.own.min / problem.light
        if times > most then
            misses[#misses + 1] = string.format("%-28s %.2f times the speed of light; wanted %.2f", problem.title,
                times, most)
        end
    end
    judge(string.format("near the speed of light on %d of %d", #problems - #misses, #problems), #misses == 0, misses)
end

-- Two threads, by minima: the machine is not ours alone, and whoever takes one of two CPUs halts both threads.
local function judge_threads(problems)
    local judged, shared, short, slower = 0, 0, {}, {}
    for _, problem in ipairs(problems) do
        local own, two = problem.own, problem.two
        if two then
            -- Where the plan leaves the call whole, the same instructions run on the same thread.
            local ratio = two.division == "one" and 1.0 or own.min / two.min
            local text = string.format("%-28s %.2f times as fast with two threads (%s): %.2f us, one takes %.2f",
                problem.title, ratio, two.division, two.min, own.min)
            judged = judged + 1
            if problem.batch >= 8 or problem.directions == 2 or problem.layers >= 2 or problem.hidden >= 256 then
                shared = shared + 1
                if ratio < SHARED then short[#short + 1] = text end
            end
            if ratio < NOT_SLOWER then slower[#slower + 1] = text end
        end
    end
    if judged == 0 then return end
    judge(string.format("two threads at least %g times as fast as one where B >= 8, D = 2, L >= 2 or H >= 256, "
        .. "on %d of %d", SHARED, shared - #short, shared), #short == 0, short)
    judge(string.format("two threads not slower than one on %d of %d", judged - #slower, judged), #slower == 0, slower)
end

local problems = read(assert(arg[1], "usage: bar.lua FILE.csv"))
print("the bar:")
judge_others(problems)
judge_libraries(problems)
judge_light(problems)
judge_threads(problems)
