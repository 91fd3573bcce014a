-- heads: a function of a row of y whose heads have functions of their own, side by side. Built as statements.
local statements = require "emit.statements"

local sum, copy = statements.sum, statements.copy
local format = string.format

-- heads.softmax(part, suffix) -> the name in C of the function of a head over all its values.
local function softmax(part, suffix) return format("%s_of_%d%s", part.activation, part.width, suffix) end

-- The function of each value of a head: whole vectors, and what is left with zeros behind it.
local function of_values(v, part, number, update)
    local rest = part.width % v.lanes
    local function with(from, to, suffix)
        return update {
            suffix = suffix,
            sum = function() return format("%s_load(%s)", v.vec, from) end,
            store = function() return to end,
        }
    end
    local function at(name, offset) return sum(name, part.first, offset) end
    return {
        part.width > rest and statements.loop(statements.declare("ptrdiff_t", { "i", "0" }),
            "i < " .. part.width - rest, v.lanes == 1 and "++i" or "i += " .. v.lanes,
            with(at("from", "i"), at("to", "i"), "0")),
        rest > 0 and statements.block {
            statements.declare("float", { "rest", "{ 0.0f }", "[" .. v.lanes .. "]" }),
            copy("rest", at("from", part.width - rest), rest),
            with("rest", "rest", tostring(number)),
            copy(at("to", part.width - rest), "rest", rest),
        },
    }
end

local heads = {}

-- heads.softmaxes(by_head, suffix) -> those functions over all values of a head, each once: { name ("softmax" or
-- "log_softmax"), outputs, suffix (of the name in C) }.
function heads.softmaxes(by_head, suffix)
    local list, seen = {}, {}
    for _, part in ipairs(by_head) do
        local fn = part.of == "row" and softmax(part, suffix)
        if fn and not seen[fn] then
            seen[fn] = true
            list[#list + 1] = { name = part.activation, outputs = part.width, suffix = format("_of_%d%s", part.width,
                suffix) }
        end
    end
    return list
end

-- heads.of(v, by_head, update_of) -> the C of heads_TARGET(from, to), of a row of y; to may be from. by_head: of the
-- plan; update_of(part) -> the statements of a function of each value, as emit.lua makes them.
function heads.of(v, by_head, update_of)
    local list = {}
    for number, part in ipairs(by_head) do
        local from, to = sum("from", part.first), sum("to", part.first)
        list[#list + 1] = statements.comment(part.name .. ": " .. part.text)
        if part.of == "row" then
            list[#list + 1] = statements.call(softmax(part, v.suffix), from, to)
        elseif part.of == "none" then
            list[#list + 1] = statements.when("to != from", { copy(to, from, part.width) })
        else
            list[#list + 1] = of_values(v, part, number, update_of(part))
        end
    end
    return statements.define("The functions of the heads, of a row of y; to may be from.",
        v.attribute .. " void heads" .. v.suffix, "const float *from, float *to", list)
end

return heads
