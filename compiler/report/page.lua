-- page: the results of `rnnc bench` as one HTML page that needs nothing else: no network, no scripts.
local charts = require "report.charts"
local machines = require "measure.machine"
local report = require "report.report"
local results = require "report.results"
local template = require "emit.template"

local entities = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

-- The same data with all texts safe between tags and in quotes.
local function escaped(value)
    if type(value) == "string" then return (value:gsub('[&<>"]', entities)) end
    if type(value) ~= "table" then return value end
    local out = {}
    for k, v in pairs(value) do out[k] = escaped(v) end
    return out
end

-- The figures on top.
local function tiles_of(problems)
    local found = results.statistics(problems)
    local many = #problems > 1 and "geometric mean" or problems[1].title
    local list = { { value = string.format("%.2f×", found.light.mean), text = "the time of light", note = many } }
    if found.best then
        list[2] = { value = string.format("%.2f×", found.best.mean), text = "as fast as the fastest other",
                    note = found.best.slower == 0 and many
                        or string.format("slower on %d of %d", found.best.slower, found.best.count) }
    end
    if found.team then
        list[#list + 1] = { value = string.format("%.2f×", found.team.mean), text = "as fast as one thread",
                            note = found.team.code }
    end
    for _, other in ipairs(found.codes) do
        list[#list + 1] = { value = string.format("%.2f×", other.mean), text = "as fast as " .. other.code,
                            note = other.count < #problems and string.format("%d problems", other.count) or many }
    end
    return list
end

local function kernels_of(problem, kernels)
    local list = {}
    for _, kernel in ipairs(kernels) do
        if kernel.id == problem.id then
            list[#list + 1] = { fn = kernel.fn, limit = charts.limit_names[kernel.limit], name = kernel.limit,
                                intensity = string.format("%.2f", kernel.intensity),
                                gflops = string.format("%.1f", kernel.gflops),
                                share = string.format("%.0f %%", 100 * kernel.share) }
        end
    end
    return list
end

local function detail_of(problem, kernels, open)
    local rows = {}
    for i, row in ipairs(problem.rows) do
        rows[i] = { code = row.code, note = row.note, cells = results.cells(row), measured = row.median_us ~= nil }
    end
    return {
        id = problem.id, title = problem.title, open = open, model = problem.model, rows = rows,
        light = charts.duration(problem.light_us),
        predicted = problem.predicted_us and charts.duration(problem.predicted_us) or false,
        parts = charts.parts(problem.parts) or false, kernels = kernels_of(problem, kernels),
        plan = report.plan(problem.result),
        division = problem.team_variant and report.division(problem.team_variant) or false,
        step = charts.duration(problem.rows[1].median_us / problem.seq_len),
    }
end

-- page(problems, settings) -> the text of the page. problems: as `rnnc bench` measured them, with `parts` (see
-- breakdown.lua); settings: { machine, origin (see origin.lua), seconds, cpu, threads and cpus or nil }.
return function(problems, settings)
    for i, problem in ipairs(problems) do problem.id = i end
    local kernels, details = charts.kernels(problems, settings.machine), {}
    for i, problem in ipairs(problems) do details[i] = detail_of(problem, kernels, #problems <= 3) end
    return template.render("page.html", escaped {
        title = #problems == 1 and problems[1].title or #problems .. " networks",
        machine = machines.text(settings.machine), origin = settings.origin,
        tiles = tiles_of(problems), bars = charts.bars(problems),
        roofline = charts.roofline(kernels, settings.machine) or false, details = details,
        headings = results.headings(), seconds = string.format("%g", settings.seconds),
        cpu = settings.cpu and "CPU " .. settings.cpu or "one CPU", threads = settings.threads or 1,
        cpus = settings.threads and #settings.cpus == settings.threads and table.concat(settings.cpus, ", ") or false,
    })
end
