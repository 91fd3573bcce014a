-- limits: the speed of light: how long a network must take on one core of a machine, whatever the code.
--
-- A machine: clock_ghz, peak_gflops (multiply-adds as two), l1_gbs, l2_gbs, l3_gbs (loads from the
-- first, the second and farther caches), l1_bytes, l2_bytes; measured by machine.lua.
--
-- The model, after Williams, Waterman, Patterson, "Roofline", 2009, for each layer and direction, with K
-- inputs, H units, G gates, N = G*H, T steps of B sequences:
--
--   products with the input   2TBNK FLOPs at peak if T*B rows share each weight; with fewer than ROWS
--                             rows each row loads the weights, 4NK bytes
--   products with the state   cannot be batched over time: T times the longer of 2BNH FLOPs at peak and
--                             loading 4NH bytes; with a projection to P values 2BNP and 4NP, and 2BHP and 4HP
--   activations               FUNCTION_CYCLES for LANES values of one function (sigmoid or tanh)
--
-- A dense layer is a product with the input; an embedding loads its rows. Loads run at the rate of the
-- cache that the weights of that product fit in, if they leave it room for something else. The parts add
-- up: in a real program some overlap, so that a little more than 100 per cent is possible.
local activations = require "tables.activations"
local expressions = require "ir.expressions"
local known = require "tables.functions"

local limits = {}

-- Rows of a register tile from which on multiply-adds bind, and loads of weights do not.
local ROWS <const> = 6

-- Cycles of a polynomial of exp, a division and what is around them, for as many values as a vector of
-- AVX-512 has: measured, tanh and sigmoid alike within a fifth.
local FUNCTION_CYCLES <const>, LANES <const> = 14, 16

-- The part of a cache that weights may fill.
local ROOM <const> = 6 / 7

-- The quantities of a machine, in the order in which they are printed.
limits.quantities = { "clock_ghz", "peak_gflops", "l1_gbs", "l2_gbs", "l3_gbs", "l1_bytes", "l2_bytes" }

-- limits.level(machine, bytes) -> "l1", "l2" or "l3": the nearest cache that holds as much.
function limits.level(machine, bytes)
    if bytes <= machine.l1_bytes * ROOM then return "l1" end
    return bytes <= machine.l2_bytes * ROOM and "l2" or "l3"
end

-- Seconds.
local function load_time(machine, bytes)
    return bytes / (machine[limits.level(machine, bytes) .. "_gbs"] * 1e9)
end

-- Seconds of `rows` products of one row with n x k weights, where rows may share what they load.
local function product_time(machine, rows, n, k)
    if rows >= ROWS then return 2 * rows * n * k / (machine.peak_gflops * 1e9) end
    return rows * load_time(machine, 4 * n * k)
end

-- Seconds of `count` values of one function.
local function function_time(machine, count)
    return count * FUNCTION_CYCLES / LANES / (machine.clock_ghz * 1e9)
end

-- Is it one of those that take their time? A few instructions are nothing beside a product.
local function takes_time(name)
    local row = known.rows[name]
    return row ~= nil and row.cost[2] >= 5
end

-- limits.functions(update) -> how many different values of functions like sigmoid and tanh an update (see cells.lua)
-- needs.
function limits.functions(update)
    local seen, count = {}, 0
    local function visit(tree)
        if type(tree) ~= "table" then return end
        local key = expressions.key(tree)
        if takes_time(tree[1]) and not seen[key] then
            seen[key], count = true, count + 1
        end
        for i = 2, #tree do visit(tree[i]) end
    end
    for _, pair in ipairs(update) do visit(pair[2]) end
    return count
end

-- Seconds of the product of `batch` rows with n x k weights in a step, which has to wait for the one before.
local function step_time(machine, batch, n, k)
    return math.max(2 * batch * n * k / (machine.peak_gflops * 1e9), load_time(machine, 4 * n * k))
end

local parts_of = {}

function parts_of.stack(layer, machine, steps, batch, add)
    local s, functions = layer.sizes, limits.functions(layer.formula)
    local n = s.G * s.H
    for index = 0, s.L - 1 do
        local k = index == 0 and s.I or s.D * s.P
        add("input", s.D * product_time(machine, steps * batch, n, k))
        add("recurrent", s.D * steps * step_time(machine, batch, n, s.P))
        if s.P < s.H then add("recurrent", s.D * steps * step_time(machine, batch, s.P, s.H)) end
        add("activation", s.D * function_time(machine, steps * batch * s.H * functions))
    end
end

function parts_of.activation(layer, machine, steps, batch, add)
    local rows = (layer.once and 1 or steps) * batch
    local of = activations.of(layer.activation).of
    -- Those of whole rows take their time.
    if of == "row" or of == "value" and takes_time(layer.activation) then
        add("activation", function_time(machine, rows * (layer.count or layer.outputs)))
    end
end

function parts_of.dense(layer, machine, steps, batch, add)
    local rows = (layer.once and 1 or steps) * batch
    add("input", product_time(machine, rows, layer.outputs, layer.inputs))
    parts_of.activation(layer, machine, steps, batch, add)
end

-- An instruction for each value.
function parts_of.merge() end

function parts_of.embedding(layer, machine, steps, batch, add)
    local row = 4 * layer.outputs
    add("input", steps * batch * row / (machine[limits.level(machine, layer.inputs * row) .. "_gbs"] * 1e9))
end

-- limits.time(layers, seq_len, batch, machine) -> seconds of a call, and its parts { input =, recurrent =,
-- activation = }. layers: those of a plan.
function limits.time(layers, seq_len, batch, machine)
    local total, parts = 0, { input = 0, recurrent = 0, activation = 0 }
    for _, layer in ipairs(layers) do
        parts_of[layer.kind](layer, machine, seq_len, batch, function(part, seconds)
            parts[part] = parts[part] + seconds
            total = total + seconds
        end)
    end
    return total, parts
end

-- limits.work(layers, seq_len, batch) -> FLOPs of the products of a call, and the bytes that it cannot help
-- to move: every weight once in each step, x and y once.
function limits.work(layers, seq_len, batch)
    local flops, bytes, input, output = 0, 0, nil, nil
    for _, layer in ipairs(layers) do
        local steps, rows = layer.once and 1 or seq_len, 0
        if layer.kind == "stack" then
            local s = layer.sizes
            local projection = s.P < s.H and s.P * s.H or 0
            for index = 0, s.L - 1 do
                rows = rows + s.D * (s.G * s.H * ((index == 0 and s.I or s.D * s.P) + s.P) + projection)
            end
            input, output = input or s.I, s.D * s.P
        elseif layer.kind == "dense" then
            rows = layer.inputs * layer.outputs
            input, output = input or layer.inputs, layer.outputs
        elseif layer.kind == "embedding" then
            input, output = layer.outputs, layer.outputs
        else
            input, output = input or layer.inputs, layer.outputs
        end
        flops = flops + 2 * rows * steps * batch
        bytes = bytes + 4 * rows * steps
    end
    return flops, bytes + 4 * seq_len * batch * (input + output)
end

return limits
