-- labels: where the texts of a chart go, so that none lies on another.
local labels = {}

-- A letter of 12 px on average, and what stands above and below its line, generously.
local LETTER <const>, ABOVE <const>, BELOW <const> = 6.8, 11, 4

-- labels.box(text, x, y, anchor) -> { left, top, right, bottom } of a text whose "start", "middle" or "end" is x.
function labels.box(text, x, y, anchor)
    local width = utf8.len(text) * LETTER
    local left = anchor == "start" and x or anchor == "end" and x - width or x - width / 2
    return { left, y - ABOVE, left + width, y + BELOW }
end

local function meet(a, b) return a[1] < b[3] and b[1] < a[3] and a[2] < b[4] and b[2] < a[4] end

-- labels.place(boxes, taken) -> the number of the first of the boxes that meets none of `taken`, which it joins; nil
-- if all do.
function labels.place(boxes, taken)
    for i, box in ipairs(boxes) do
        local free = true
        for _, other in ipairs(taken) do free = free and not meet(box, other) end
        if free then
            taken[#taken + 1] = box
            return i
        end
    end
end

-- labels.thin(ticks, box_of) takes away the texts of ticks that would lie on others': the first ones stay, before all
-- those with `keep`. box_of(tick, i) is where a tick's text lies.
function labels.thin(ticks, box_of)
    local taken = {}
    for _, first in ipairs { true, false } do
        for i, tick in ipairs(ticks) do
            if (tick.keep or false) == first and not labels.place({ box_of(tick, i) }, taken) then tick.text = false end
        end
    end
end

return labels
