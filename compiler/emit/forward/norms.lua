-- norms: the step of a cell with layer normalisation behind its products, row by row: the norms of both sums, the new
-- states, and in between the norm of the cell state. Built as statements.
local host = require "host"
local statements = require "emit.statements"

local call, declare, sum = statements.call, statements.declare, statements.sum
local format = string.format

-- Normalises the groups of gates of a row; first: the place of their weights among the norms.
local function of_gates(map, place, first)
    local list = {}
    for i, group in ipairs(map.groups) do
        local at, gates = group.first * map.row, map.gates * map.row
        list[i] = call(map.normalise, sum(place, at), sum(place, at), sum("norms", first + at),
            sum("norms", first + gates + at), group.count, host.float(map.eps))
    end
    return list
end

-- The statements of part of the update, for all units; states: which are stored.
local function updated(v, map, update_of, pairs_of_update, states)
    local own = setmetatable({ update = pairs_of_update, states = states }, { __index = map })
    local function load(place) return format("%s_load(%s)", v.vec, place) end
    local body = update_of(v, own) {
        suffix = "0",
        sum = function(index)
            local of = map.sums[index + 1]
            local input, recurrent = load(sum("gates", of.gate * map.row, "j")),
                load(sum("sums", of.gate * map.row, "j"))
            return of.part == "input" and input or of.part == "recurrent" and recurrent
                or format("%s_add(%s, %s)", v.vec, input, recurrent)
        end,
        state = function(name) return load(sum(name, "j")) end,
        -- Where the norm of the cell state was put; the sums there have been used.
        normed = function() return load("sums + j") end,
        store = function(name) return sum(name == "h" and "out" or name, "j") end,
    }
    return statements.loop(declare("ptrdiff_t", { "j", "0" }), "j < " .. map.padded, "j += " .. v.lanes, body)
end

-- norms(v, map, update_of) -> the C of the function `map` (kernels/norms.lua) of the variant v; update_of: emit's.
return function(v, map, update_of)
    local all, two = map.gates * map.row, #map.states > 1
    local body = {
        declare("float *const", { "sums", sum("state", map.places.sums) }),
        two and declare("float *const", { "c", sum("state", map.places.c) }),
        of_gates(map, "gates", 0),
        of_gates(map, "sums", 2 * all),
    }
    local function add(node) body[#body + 1] = node end
    if two then
        local weight = 4 * all
        add(updated(v, map, update_of, { map.update[1] }, { "c" }))
        add(call(map.normalise, "c", "sums", sum("norms", weight), sum("norms", weight + map.row), 1,
            host.float(map.eps)))
        local carried = map.carried and { { "c", { "normed", "c" } } } or {}
        carried[#carried + 1] = map.update[2]
        add(updated(v, map, update_of, carried, map.carried and { "c", "h" } or { "h" }))
    else
        add(updated(v, map, update_of, map.update, map.states))
    end
    for _, next_row in ipairs { { "gates", "gates_b" }, { "state", "state_b" }, not two and { "h", "h_b" } or false,
                                { "out", "out_b" } } do
        if next_row then add(statements.set(next_row[1] .. " += " .. next_row[2])) end
    end
    return statements.define("The step of a cell behind its products, with layer normalisation: new states of `rows` "
        .. "rows.\n`gates` has the sums with x, `state` the states and, from " .. map.places.sums
        .. " on, the sums with h.", v.attribute .. " void " .. map.fn,
        "const float *norms, float *gates, ptrdiff_t gates_b, float *state, ptrdiff_t state_b, "
        .. (two and "" or "const float *h, ptrdiff_t h_b, ") .. "float *out, ptrdiff_t out_b, ptrdiff_t rows",
        { statements.count("ptrdiff_t", "row", "rows", body) })
end
