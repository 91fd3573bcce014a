-- program.update: how a step of a cell (cells.lua) makes its new states, as maps.
--
-- chain, of one layer and direction: cell, H, B, id, lengths, projects, eps (of norms, or nil), before and after (the
-- step that is read and the one that is written), at(state, time, unit, is_new) and weight, a function from a tensor's
-- base name to its name. from: what messages say of it.
local expressions = require "ir.expressions"
local grammar = require "ir.grammar"
local norms = require "passes.program.norms"

local read, statement = grammar.read, grammar.statement

local update = {}

-- update.is_live() -> { "index", t } < lengths[b]: is the step one of the sequence's own?
function update.is_live() return { "less", { "index", { 0, { "t", 1 } } }, read("lengths", "b") } end

-- update.filler(chain, from, made) -> a function that gives a tree of the cell's row with reads in place of its leaves.
-- made: the states of which the new value is there.
function update.filler(chain, from, made)
    local cell, H = chain.cell, chain.H
    local number, separate = {}, {}
    for g, name in ipairs(cell.gates) do number[name] = g - 1 end
    for _, name in ipairs(cell.separate) do separate[name] = true end
    local function at(buffer, gate)
        local g = number[gate] or error(from .. ": no gate " .. tostring(gate), 0)
        return read(buffer .. chain.id, "t", "b", g * H .. " + j")
    end
    local function sum(gate)
        if chain.eps then return { "add", at("normed_x", gate), at("normed_h", gate) } end
        return at("sums", gate)
    end
    local leaves = {
        gate = function(gate)
            if separate[gate] then error(from .. ": gate " .. gate .. " is separate", 0) end
            return sum(gate)
        end,
        input = function(gate) return at(chain.eps and "normed_x" or "sums", gate) end,
        recurrent = function(gate)
            if not separate[gate] then error(from .. ": gate " .. tostring(gate) .. " is not separate", 0) end
            if chain.eps then return at("normed_h", gate) end
            return read("from_h" .. chain.id, "t", "b", (number[gate] - (#cell.gates - #cell.separate)) * H .. " + j")
        end,
        state = function(state) return chain.at(state, chain.before, "j") end,
        new = function(state)
            if not made[state] then error(string.format("%s: the new %s is used above its update", from, state), 0) end
            return chain.at(state, chain.after, "j", true)
        end,
        weight = function(name) return read(chain.weight(name), "j") end,
        normed = function(state) return read("normed_" .. state .. chain.id, "t", "b", "j") end,
    }
    local function filled(tree)
        if type(tree) ~= "table" then return tree end
        if leaves[tree[1]] then return leaves[tree[1]](tree[2]) end
        return expressions.rebuilt(tree, filled)
    end
    return filled
end

-- update.of(chain, from) -> the cell's update: a map over b and j for each new state.
function update.of(chain, from)
    local cell, H, list, made = chain.cell, chain.H, {}, {}
    local filled = update.filler(chain, from, made)
    local function stored(state, value)
        -- What is projected stays by itself, and h, which it becomes, is not the size of it.
        if chain.lengths and not (chain.projects and state == cell.states[1]) then
            value = { "select", update.is_live(), value, chain.at(state, chain.before, "j") }
        end
        return statement { op = "map", from = from, over = { { "b", chain.B }, { "j", H } },
                           sets = { { chain.at(state, chain.after, "j", true)[2], value } } }
    end
    for _, pair in ipairs(cell.update) do
        local state, value = pair[1], filled(pair[2])
        if chain.eps and state ~= cell.states[1] then
            local more = norms.state(chain, from, state, value, function(new) return stored(state, new) end)
            table.move(more, 1, #more, #list + 1, list)
        else
            list[#list + 1] = stored(state, value)
        end
        made[state] = true
    end
    return list
end

return update
