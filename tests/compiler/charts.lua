-- charts: no text of a chart lies on another, on a point, or outside, whatever lies there. From figures that are
-- made up.
local support = require "tests.compiler.support"

local charts = require "report.charts"

-- A letter of 12 px is about half as wide as high. As narrow as an axis of the page may be.
local LETTER <const>, HEIGHT <const>, NARROW <const> = 6.4, 12, 150

local function box_of(text, x, y, anchor)
    local width = utf8.len(text) * LETTER
    local left = x - (anchor == "start" and 0 or anchor == "end" and width or width / 2)
    return { left, y - HEIGHT + 2, left + width, y + 2, text = text }
end

local function disjoint(boxes)
    for i, a in ipairs(boxes) do
        for k = 1, i - 1 do
            local b = boxes[k]
            if a[1] < b[3] and b[1] < a[3] and a[2] < b[4] and b[2] < a[4] then
                error(string.format("%q lies on %q", a.text, b.text), 2)
            end
        end
    end
end

local function inside(boxes, right, bottom)
    for _, box in ipairs(boxes) do
        if not (box[1] >= 0 and box[2] >= -1 and box[3] <= right and box[4] <= bottom) then
            error(string.format("%q is at %g, %g to %g, %g", box.text, table.unpack(box)), 2)
        end
    end
end

-- ---- bars ----

local function ticks_for(least, most)
    local rows = { { code = "own", threads = 1, min_us = least, median_us = least },
                   { code = "other", threads = 1, min_us = most, median_us = most } }
    return charts.bars({ { title = "p", light_us = 1, rows = rows } }).ticks
end

local function check_ticks(ticks)
    local boxes, ones = {}, 0
    for i, tick in ipairs(ticks) do
        local anchor = i == 1 and "start" or i == #ticks and "end" or "middle"
        if tick.text then boxes[#boxes + 1] = box_of(tick.text, tick.at / 100 * NARROW, 0, anchor) end
        if tick.text == "1×" then ones = ones + 1 end
    end
    disjoint(boxes)
    if ones ~= 1 then error("1× is there " .. ones .. " times", 2) end
    if #boxes < 2 then error("an axis with " .. #boxes .. " texts", 2) end
end

for _, range in ipairs { { 1.01, 1.5 }, { 1.2, 9 }, { 2, 44 }, { 3, 60 }, { 1, 700 }, { 1.5, 123456 },
                         { 0.9, 1.1 }, { 0.3, 12 }, { 0.04, 1.5 }, { 0.001, 2 } } do
    support.case(string.format("ticks of bars from %g to %g are apart", range[1], range[2]), function()
        check_ticks(ticks_for(range[1], range[2]))
    end)
end

support.case("many times as long is said without digits that nobody reads", function()
    local rows = { { code = "own", threads = 1, min_us = 2, median_us = 2.5 },
                   { code = "other", threads = 1, min_us = 12345, median_us = 12345.6 } }
    local bars = charts.bars({ { title = "p", light_us = 1, rows = rows } }).groups[1].bars
    assert(bars[1].times == "2.50×" and bars[2].times == "12346×", bars[1].times .. " " .. bars[2].times)
end)

-- A team, or a machine that is described too slow, may be faster than the light of one core.
support.case("bars end where the axis of all says, below one times the light, too", function()
    local rows = { { code = "own", threads = 2, min_us = 0.3, median_us = 0.4 },
                   { code = "other", threads = 1, min_us = 2, median_us = 3 } }
    local chart = charts.bars({ { title = "p", light_us = 1, rows = rows } })
    local bars, axis = chart.groups[1].bars, math.log(5 / 0.2)
    local function check(got, value)
        local want = 100 * math.log(value / 0.2) / axis
        assert(math.abs(got - want) <= 0.01, string.format("%s, wanted %.2f", got, want))
    end
    check(bars[1].least, 0.3)
    check(bars[1].width, 0.4)
    check(bars[2].least, 2)
    check(bars[2].width, 3)
    local at = {}
    for _, tick in ipairs(chart.ticks) do at[tick.name] = tick.at end
    check(at["grid one"], 1)
end)

-- ---- roofline ----

local function machine_of(l1, l2, l3)
    return { clock_ghz = 2, peak_gflops = 100, l1_gbs = l1, l2_gbs = l2, l3_gbs = l3, l1_bytes = 32768,
             l2_bytes = 1048576 }
end

local function kernels_of(points)
    local list = {}
    for i, point in ipairs(points) do
        list[i] = { problem = "p", id = 1, fn = point[3] or "layer_" .. i .. "_input_avx512", limit = "fma", share = 1,
                    intensity = point[1], gflops = point[2] }
    end
    return list
end

-- The names that stand beside points.
local function check_roofline(points, machine)
    local chart = charts.roofline(kernels_of(points), machine)
    local plot, boxes, names = chart.plot, {}, {}
    local right, bottom = plot.left + plot.width + 24, plot.top + plot.height + 48
    for i, point in ipairs(chart.points) do
        -- Points may lie on each other; a text on any of them may not.
        if point.name then
            names[#names + 1] = point.name
            boxes[#boxes + 1] = box_of(point.name, point.name_x, point.name_y, "middle")
        end
        for _, other in ipairs(chart.points) do
            local box = point.name and boxes[#boxes]
            if box and box[1] < other.x + 4 and other.x - 4 < box[3] and box[2] < other.y + 4
                and other.y - 4 < box[4] then
                error(string.format("the name of point %d lies on a point", i), 2)
            end
        end
    end
    for _, roof in ipairs(chart.roofs) do
        if roof.named then boxes[#boxes + 1] = box_of(roof.text, roof.label_x, roof.label_y, "start") end
    end
    boxes[#boxes + 1] = box_of(chart.peak.text, chart.peak.x2, chart.peak.y - 6, "end")
    for _, tick in ipairs(chart.x_ticks) do
        if tick.text then boxes[#boxes + 1] = box_of(tick.text, tick.at, plot.top + plot.height + 16, "middle") end
    end
    for _, tick in ipairs(chart.y_ticks) do
        if tick.text then boxes[#boxes + 1] = box_of(tick.text, plot.left - 6, tick.at + 4, "end") end
    end
    disjoint(boxes)
    inside(boxes, right, bottom)
    return names
end

support.case("one point has its name", function()
    assert(#check_roofline({ { 0.5, 20 } }, machine_of(200, 100, 50)) == 1)
end)

support.case("caches that are alike have names apart", function()
    local machine = machine_of(200, 199, 198)
    check_roofline({ { 0.5, 20 } }, machine)
    local roofs = charts.roofline(kernels_of { { 0.5, 20 } }, machine).roofs
    for _, roof in ipairs(roofs) do assert(roof.named, roof.text) end
end)

support.case("points that lie on each other have names above and below", function()
    assert(#check_roofline({ { 0.5, 20 }, { 0.5, 20 }, { 0.51, 20.1 } }, machine_of(200, 100, 50)) == 3)
end)

support.case("names at the edges are inside", function()
    local long = "layer_3_input_backward_4096_avx512"
    assert(#check_roofline({ { 0.01, 30, long }, { 50, 99, long }, { 3, 0.01, long }, { 5, 150, long } },
        machine_of(200, 100, 50)) >= 3)
end)

support.case("points at all places of a grid", function()
    local rng = support.rng(5)
    for _ = 1, 200 do
        local points = {}
        for i = 1, rng.integer(1, 8) do
            points[i] = { 2 ^ (rng.integer(0, 90) / 10 - 4), 2 ^ (rng.integer(0, 120) / 10 - 5) }
        end
        check_roofline(points, machine_of(rng.integer(20, 400), rng.integer(10, 200), rng.integer(5, 100)))
    end
end)

support.finish()
