-- charts: where things lie in the charts of a page: numbers and texts only, so that the template just prints.
local bounds = require "kernels.bounds"
local labels = require "report.labels"

local charts = {}

-- Numbers of a decade at which an axis has marks; of a long and narrow one, only the first.
local marks <const>, LONG <const> = { 1, 2, 5 }, 50

-- The marks from `least` to `most`, both included if they are marks.
local function marks_between(least, most, narrow)
    local list, decade = {}, 10.0 ^ math.floor(math.log(least, 10))
    while decade <= most do
        for _, mark in ipairs(narrow and most / least > LONG and { marks[1] } or marks) do
            local value = mark * decade
            if value >= least * 0.999 and value <= most * 1.001 then list[#list + 1] = value end
        end
        decade = decade * 10
    end
    return list
end

-- The nearest mark that is at least, or at most, so much.
local function mark_above(value)
    local list = marks_between(value, value * 10)
    return list[1]
end

local function mark_below(value)
    local list = marks_between(value / 10, value)
    return list[#list]
end

-- A position on a logarithmic axis, from 0 to `length`.
local function position(value, least, most, length)
    local at = math.log(value / least) / math.log(most / least)
    return length * math.min(1, math.max(0, at))
end

local function short(value) return (string.format("%.4g", value)) end

-- charts.duration(us) -> a time for people.
function charts.duration(us)
    if us < 1 then return string.format("%.0f ns", us * 1000) end
    if us < 10 then return string.format("%.2f us", us) end
    if us < 10000 then return string.format(us < 1000 and "%.1f us" or "%.0f us", us) end
    return string.format("%.1f ms", us / 1000)
end

local function times(value) return string.format(value < 100 and "%.2f×" or "%.0f×", value) end

-- Pixels of the narrowest axis of bars by page.css: half a page of 64 rem less its margins and other columns.
local NARROW <const> = 150

local function thin(ticks)
    labels.thin(ticks, function(tick, i)
        local anchor = i == 1 and "start" or i == #ticks and "end" or "middle"
        return labels.box(tick.text, tick.at / 100 * NARROW, 0, anchor)
    end)
end

-- charts.bars(problems) -> { ticks, groups }: for each problem bars of how many times the speed of light of one core
-- each code takes (median), positions in per cent on one logarithmic axis for all.
function charts.bars(problems)
    local least, most = 1, 2
    for _, problem in ipairs(problems) do
        for _, row in ipairs(problem.rows) do
            if row.median_us then
                least = math.min(least, row.min_us / problem.light_us)
                most = math.max(most, row.median_us / problem.light_us)
            end
        end
    end
    least, most = least < 1 and mark_below(least * 0.98) or 1, mark_above(most * 1.02)
    local function at(value) return string.format("%.2f", position(value, least, most, 100)) end
    local ticks, groups = {}, {}
    for i, value in ipairs(marks_between(least, most, true)) do
        local light = value > 0.99 and value < 1.01
        ticks[i] = { at = at(value), text = short(value) .. "×", name = light and "grid one" or "grid", keep = light }
    end
    thin(ticks)
    for i, problem in ipairs(problems) do
        local bars = {}
        for k, row in ipairs(problem.rows) do
            local own = k == 1 and "own" or row.threads > 1 and "team" or "other"
            local bar = { code = row.code, note = row.note, own = own }
            if row.median_us then
                bar.width, bar.least = at(row.median_us / problem.light_us), at(row.min_us / problem.light_us)
                bar.text = charts.duration(row.median_us)
                bar.times = times(row.median_us / problem.light_us)
            end
            bars[k] = bar
        end
        groups[i] = { title = problem.title, id = i, bars = bars, light = charts.duration(problem.light_us),
                      predicted = problem.predicted_us and at(problem.predicted_us / problem.light_us) or false,
                      predicted_text = problem.predicted_us and charts.duration(problem.predicted_us) or false }
    end
    return { ticks = ticks, groups = groups }
end

-- Nanoseconds of a step that a product needs on a machine, of the resource of which it needs most.
local function least_time(product, machine)
    local b = product.bounds
    local cycles, bytes = math.max(b.fma, b.l1, b.latency or 0), 0
    for _, level in ipairs { "l2", "l3" } do
        if b[level] then bytes = b.bytes / machine[level .. "_gbs"] end
    end
    return math.max(cycles / machine.clock_ghz, bytes)
end

-- charts.kernels(problems, machine) -> every kernel of every problem { problem, id, fn, limit, intensity (FLOP a
-- byte), gflops, share }. A kernel's share of the measured time of all products is that of the least that they
-- would need on the machine.
function charts.kernels(problems, machine)
    local list = {}
    for index, problem in ipairs(problems) do
        local all = 0
        for _, product in ipairs(problem.variant.products) do all = all + least_time(product, machine) end
        for _, product in ipairs(problem.variant.products) do
            local share = least_time(product, machine) / all
            local ns = problem.parts and problem.parts.product * share
            if ns and ns > 0 then
                list[#list + 1] = {
                    problem = problem.title, id = index, fn = product.fn, limit = product.limit, share = share,
                    intensity = product.bounds.flops / product.bounds.bytes, gflops = product.bounds.flops / ns,
                }
            end
        end
    end
    return list
end

-- The plot of the roofline, in units of its view box.
local LABELS <const> = 8 -- more points than that have no names beside them
local plot = { left = 56, top = 16, width = 760, height = 400 }

-- Places of a name below and above its point; where along a roof its own may stand; the radius of a point.
local offsets <const>, POINT <const> = { 20, -10, 34, -24, 48, -38 }, 5
local shares <const> = { 0.1, 0.35, 0.6, 0.8, 0, 0.2, 0.5, 0.7, 0.28, 0.43, 0.05 }

local function box_of_point(point) return { point.x - POINT, point.y - POINT, point.x + POINT, point.y + POINT } end

-- Gives each point with a name the first place, (name_x, name_y), where it lies on nothing else, or no name.
local function place_names(points, taken)
    for _, point in ipairs(points) do
        local boxes, places = {}, {}
        for _, dy in ipairs(point.name and offsets or {}) do
            local box = labels.box(point.name, point.x, point.y + dy, "middle")
            local inside = math.max(0, plot.left - box[1]) - math.max(0, box[3] - plot.left - plot.width)
            if box[2] >= 0 and box[4] <= plot.top + plot.height then
                boxes[#boxes + 1] = { box[1] + inside, box[2], box[3] + inside, box[4] }
                places[#boxes] = { point.x + inside, point.y + dy }
            end
        end
        local place = places[labels.place(boxes, taken)]
        point.name = place and point.name or false
        if place then
            point.name_x, point.name_y = string.format("%.1f", place[1]), string.format("%.1f", place[2])
        end
    end
end

-- Gives each roof's name a place beside it, below, if there is one; it is told of the line anyway.
local function place_roofs(roofs, taken)
    for _, roof in ipairs(roofs) do
        local boxes, places = {}, {}
        for i, share in ipairs(shares) do
            local x = roof.x1 + (roof.x2 - roof.x1) * share + 7
            local y = roof.y1 + (roof.y2 - roof.y1) * share + 11
            places[i], boxes[i] = { x, y }, labels.box(roof.text, x, y, "start")
        end
        local place = places[labels.place(boxes, taken)]
        roof.named = place ~= nil
        if place then
            roof.label_x, roof.label_y = string.format("%.1f", place[1]), string.format("%.1f", place[2])
        end
    end
end

charts.limit_names = { fma = "FMA", l1 = "L1", l2 = "L2", l3 = "L3", latency = "latency" }

-- charts.roofline(kernels, machine) -> the chart: ticks of both axes, roofs as lines, a point for each kernel;
-- nil without kernels.
function charts.roofline(kernels, machine)
    if #kernels == 0 then return nil end
    local x0, x1, y0 = math.huge, machine.peak_gflops / machine.l3_gbs, machine.peak_gflops / 10
    for _, kernel in ipairs(kernels) do
        x0, x1 = math.min(x0, kernel.intensity), math.max(x1, kernel.intensity)
        y0 = math.min(y0, kernel.gflops)
    end
    x0, x1 = mark_below(x0 * 0.8), mark_above(x1 * 1.3)
    y0 = mark_below(y0 * 0.8)
    local y1 = mark_above(machine.peak_gflops * 1.2)
    local function x_of(value) return string.format("%.1f", plot.left + position(value, x0, x1, plot.width)) end
    local function y_of(value)
        return string.format("%.1f", plot.top + plot.height - position(value, y0, y1, plot.height))
    end
    local chart = { plot = plot, x_ticks = {}, y_ticks = {}, roofs = {}, points = {}, limits = {} }
    for i, value in ipairs(marks_between(x0, x1)) do chart.x_ticks[i] = { at = x_of(value), text = short(value) } end
    for i, value in ipairs(marks_between(y0, y1)) do chart.y_ticks[i] = { at = y_of(value), text = short(value) } end
    labels.thin(chart.x_ticks, function(tick) return labels.box(tick.text, tick.at, 0, "middle") end)
    labels.thin(chart.y_ticks, function(tick) return labels.box(tick.text, 0, tick.at, "end") end)
    local peak = machine.peak_gflops
    for _, level in ipairs { "l1", "l2", "l3" } do
        local rate = machine[level .. "_gbs"]
        local from = math.max(x0, y0 / rate)
        local to = math.min(x1, peak / rate)
        if to > from then
            chart.roofs[#chart.roofs + 1] = {
                x1 = x_of(from), y1 = y_of(from * rate), x2 = x_of(to), y2 = y_of(to * rate),
                text = string.format("%s %.0f GB/s", level:upper(), rate),
            }
        end
    end
    chart.peak = { x1 = x_of(math.max(x0, peak / machine.l1_gbs)), x2 = x_of(x1), y = y_of(peak),
                   text = string.format("FMA %.0f GFLOP/s", peak) }
    local used = {}
    for i, kernel in ipairs(kernels) do
        used[kernel.limit] = true
        chart.points[i] = {
            x = x_of(kernel.intensity), y = y_of(kernel.gflops), limit = kernel.limit, id = kernel.id,
            name = #kernels <= LABELS and kernel.fn or false,
            text = string.format("%s, %s: %.1f GFLOP/s at %.2f FLOP a byte, bound by %s", kernel.problem, kernel.fn,
                kernel.gflops, kernel.intensity, charts.limit_names[kernel.limit]),
        }
    end
    local taken = { labels.box(chart.peak.text, chart.peak.x2, chart.peak.y - 6, "end") }
    for _, point in ipairs(chart.points) do taken[#taken + 1] = box_of_point(point) end
    place_roofs(chart.roofs, taken)
    place_names(chart.points, taken)
    for _, name in ipairs(bounds.resources) do
        if used[name] then chart.limits[#chart.limits + 1] = { name = name, text = charts.limit_names[name] } end
    end
    return chart
end

-- charts.parts(parts) -> the parts of a step in per cent, in their order; nil if they were not measured.
function charts.parts(parts)
    if not parts then return nil end
    local list, total = {}, parts.product + parts.activation + parts.update
    for i, part in ipairs { { "product", "product" }, { "activation", "activation" }, { "update", "state update" } } do
        local ns = parts[part[1]]
        list[i] = { name = part[1], text = part[2], width = string.format("%.2f", 100 * ns / total),
                    value = charts.duration(ns / 1000), percent = string.format("%.0f %%", 100 * ns / total) }
    end
    return list
end

return charts
