-- results: what was measured, as rows, as a table for a person, as CSV and for JSON.
local results = {}

-- The columns of a row: how CSV and JSON call it, the heading, its width, and the format of a value.
local columns = {
    { "median_us", "median us", 10, "%.2f" }, { "min_us", "min us", 10, "%.2f" }, { "ratio", "ratio", 6, "%.2f" },
    { "gflops", "GFLOP/s", 8, "%.1f" }, { "gbs", "GB/s", 7, "%.1f" }, { "light_percent", "% light", 7, "%.0f" },
    { "step_ns", "ns/step", 10, "%.1f" }, { "max_error", "max error", 9, "%.1e" },
}

-- What CSV says of a problem in front of each row.
local problem_fields = { "model", "problem", "seq_len", "batch", "flops", "bytes", "light_us", "predicted_us" }

-- results.row(candidate, problem, first) -> a row. problem: { seq_len, flops, bytes, light_us }; first: the row
-- that others are compared with, or nil. Rates are those of the median; light is compared with the minimum,
-- because the machine's limits are minima too, and for one thread only, because they are of one core.
-- A candidate with `threads`, `division` and `latency_ns` is a team, see passes/divide.lua and rnnc_team.
function results.row(candidate, problem, first)
    local row = { code = candidate.code, note = candidate.variant or "", max_error = candidate.error,
                  threads = candidate.threads or 1, division = candidate.division,
                  latency_ns = candidate.latency_ns }
    local times = candidate.times
    if not times or #times == 0 then
        row.note = candidate.note or "not measured"
        return row
    end
    local median = times[(#times + 1) // 2]
    row.median_us, row.min_us, row.rounds = 1e6 * median, 1e6 * times[1], #times
    row.ratio = first and first.median_us and row.median_us / first.median_us or (not first and 1.0) or nil
    row.gflops, row.gbs = 1e-9 * problem.flops / median, 1e-9 * problem.bytes / median
    row.light_percent = row.threads == 1 and 100 * problem.light_us / row.min_us or nil
    row.step_ns = 1e9 * median / problem.seq_len
    return row
end

-- results.headings(), results.cells(row) -> the columns of the table, as texts.
function results.headings()
    local list = {}
    for i, column in ipairs(columns) do list[i] = column[2] end
    return list
end

function results.cells(row)
    local list = {}
    for i, column in ipairs(columns) do
        local value = row[column[1]]
        list[i] = value and column[4]:format(value) or "-"
    end
    return list
end

-- results.heading() -> the line above all rows.
function results.heading()
    local cells = { string.format("%-24s", "code") }
    for _, column in ipairs(columns) do cells[#cells + 1] = string.format("%" .. column[3] .. "s", column[2]) end
    return table.concat(cells, " ") .. "  variant"
end

local function row_line(row)
    local cells = { string.format("%-24s", row.code) }
    if not row.median_us then return cells[1] .. " " .. row.note end
    for i, text in ipairs(results.cells(row)) do
        cells[#cells + 1] = string.format("%" .. columns[i][3] .. "s", text)
    end
    return (table.concat(cells, " ") .. "  " .. row.note):gsub("%s+$", "")
end

-- results.lines(problem) -> the problem and its rows as lines of text.
function results.lines(problem)
    local lines = { "", string.format("%s: speed of light %.2f us, predicted %s", problem.title, problem.light_us,
        problem.predicted_us and string.format("%.2f us", problem.predicted_us) or "-") }
    for _, row in ipairs(problem.rows) do lines[#lines + 1] = row_line(row) end
    return lines
end

local function geometric_mean(values)
    local sum = 0
    for _, value in ipairs(values) do sum = sum + math.log(value) end
    return math.exp(sum / #values)
end

-- The values that `pick(problem)` gives, where it gives one, with the problem of the largest.
local function gather(problems, pick)
    local list, worst = {}, nil
    for _, problem in ipairs(problems) do
        local value = pick(problem)
        if value then
            list[#list + 1] = value
            if not worst or value > worst.value then worst = { value = value, title = problem.title } end
        end
    end
    return list, worst
end

-- Whether a row is neither the first, nor the same code with more threads.
local function is_other(problem, row) return row ~= problem.rows[1] and row.threads == 1 end

-- The least time of all rows but the specialised ones.
local function best_other(problem)
    local best
    for _, row in ipairs(problem.rows) do
        if is_other(problem, row) and row.median_us and (not best or row.median_us < best) then best = row.median_us end
    end
    return best
end

-- The other codes of all problems, in the order in which they come.
local function other_codes(problems)
    local codes, seen = {}, {}
    for _, problem in ipairs(problems) do
        for _, row in ipairs(problem.rows) do
            if is_other(problem, row) and row.ratio and not seen[row.code] then
                seen[row.code] = true
                codes[#codes + 1] = row.code
            end
        end
    end
    return codes
end

local function ratio_of(problem, code)
    for _, row in ipairs(problem.rows) do
        if row.code == code then return row.ratio end
    end
end

-- The row of a problem with several threads, if it was timed.
local function team_of(problem)
    for _, row in ipairs(problem.rows) do
        if row.threads > 1 and row.ratio then return row end
    end
end

-- results.statistics(problems) -> over all problems, the first row of each being the specialised code:
--   codes   { code, mean (of the ratio), count } for each other code
--   best    the fastest other code of each problem: { mean, count, slower (where it wins), worst, title }; or nil
--   team    several threads: { code, mean (times as fast as one), count, worst, title }; or nil
--   light   the specialised code over the speed of light: { mean, worst, title }
-- Means are geometric.
function results.statistics(problems)
    local found = { codes = {} }
    for i, code in ipairs(other_codes(problems)) do
        local list = gather(problems, function(problem) return ratio_of(problem, code) end)
        found.codes[i] = { code = code, mean = geometric_mean(list), count = #list }
    end
    local list, worst = gather(problems, function(problem)
        local other = best_other(problem)
        return other and problem.rows[1].median_us / other
    end)
    if worst then
        local slower = 0
        for _, value in ipairs(list) do slower = slower + (value > 1 and 1 or 0) end
        found.best = { mean = 1 / geometric_mean(list), count = #list, slower = slower, worst = worst.value,
                       title = worst.title }
    end
    list, worst = gather(problems, function(problem)
        local row = team_of(problem)
        found.team = found.team or row and { code = row.code }
        return row and row.ratio
    end)
    if worst then
        local team = found.team
        team.mean, team.count, team.worst, team.title = 1 / geometric_mean(list), #list, 1 / worst.value, worst.title
    end
    list, worst = gather(problems, function(problem) return problem.rows[1].min_us / problem.light_us end)
    found.light = { mean = geometric_mean(list), worst = worst.value, title = worst.title }
    return found
end

-- results.summary(problems) -> what results.statistics finds, as lines of text.
function results.summary(problems)
    local found = results.statistics(problems)
    local lines = { "", "geometric means over " .. #problems .. " problems, of medians:" }
    for _, other in ipairs(found.codes) do
        lines[#lines + 1] = string.format("  %-24s %6.2f times the specialised code (%d)", other.code, other.mean,
            other.count)
    end
    local best, light = found.best, found.light
    if best then
        lines[#lines + 1] = string.format("  %-24s %6.2f times the specialised code; faster on %d of %d%s",
            "the fastest other", best.mean, best.slower, best.count,
            best.slower > 0 and string.format(", at worst %.2f times on %s", best.worst, best.title) or "")
    end
    local team = found.team
    if team then
        lines[#lines + 1] = string.format("  %-24s %6.2f times as fast as one thread (%d), at the least %.2f on %s",
            team.code, team.mean, team.count, team.worst, team.title)
    end
    lines[#lines + 1] = string.format("  %-24s %6.2f times the speed of light (minima), at most %.2f on %s",
        problems[1].rows[1].code, light.mean, light.worst, light.title)
    return lines
end

local function quoted(value)
    if math.type(value) == "float" then value = string.format("%.6g", value) end
    local text = value == nil and "" or tostring(value)
    return text:find('[",\n]') and '"' .. text:gsub('"', '""') .. '"' or text
end

-- results.csv(problems) -> text: a line of names, then a line for each row.
function results.csv(problems)
    local names, lines = {}, {}
    for i, name in ipairs(problem_fields) do names[i] = name end
    for _, name in ipairs { "code", "threads", "division" } do names[#names + 1] = name end
    for _, column in ipairs(columns) do names[#names + 1] = column[1] end
    names[#names + 1] = "note"
    lines[1] = table.concat(names, ",")
    for _, problem in ipairs(problems) do
        for _, row in ipairs(problem.rows) do
            local cells = {}
            for i, name in ipairs(names) do
                if i <= #problem_fields then cells[i] = quoted(problem[name]) else cells[i] = quoted(row[name]) end
            end
            lines[#lines + 1] = table.concat(cells, ",")
        end
    end
    return table.concat(lines, "\n") .. "\n"
end

return results
