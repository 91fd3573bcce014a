-- norms: the program of cells with layer normalisation against the formulas of the paper, written out.
local support = require "tests.compiler.support"

local interpret = require "ir.interpret"
local lower = require "passes.program.lower"

local B <const> = 2

-- LN of the values from number `first` + 1 on, in place.
local function layer_norm(v, first, count, weight, bias, eps)
    local mean, squares = 0, 0
    for i = first + 1, first + count do
        mean, squares = mean + v[i] / count, squares + v[i] * v[i] / count
    end
    local deviation = math.sqrt(squares - mean * mean + eps)
    for i = first + 1, first + count do v[i] = weight[i] * (v[i] - mean) / deviation + bias[i] end
    return v
end

local function sigmoid(a) return 1 / (1 + math.exp(-a)) end

local function tanh(a) return 2 * sigmoid(2 * a) - 1 end

-- y, and the last states, of one layer of 4 units from 3 inputs.
local function normalised_layer(item, T, given)
    local H, lstm, y, hn, cn, gates = 4, item.cell == "lstm", {}, {}, {}, item.cell == "lstm" and 4 or 3
    local backward = item.direction == "reverse"
    local function product(name, norm, values, from)
        local rows, weight, columns = {}, given[name], #given[name] // (gates * H)
        for i = 1, gates * H do
            rows[i] = 0
            for k = 1, columns do rows[i] = rows[i] + weight[(i - 1) * columns + k] * values[from + k] end
        end
        local gain, bias = given["norm_weight_" .. norm], given["norm_bias_" .. norm]
        layer_norm(rows, 0, (lstm and 4 or 2) * H, gain, bias, item.layer_norm_eps)
        return lstm and rows or layer_norm(rows, 2 * H, H, gain, bias, item.layer_norm_eps)
    end
    for b = 0, B - 1 do
        local h, c = { table.unpack(given.h0, b * H + 1, (b + 1) * H) }, {}
        if lstm then c = { table.unpack(given.c0, b * H + 1, (b + 1) * H) } end
        for step = 0, T - 1 do
            local t = backward and T - 1 - step or step
            local x = product("weight_ih_l0", "ih_l0", given.x, (t * B + b) * 3)
            local r, shown = product("weight_hh_l0", "hh_l0", h, 0), {}
            local function open(g, j) return sigmoid(x[g * H + j] + r[g * H + j]) end
            for j = 1, lstm and H or 0 do
                c[j] = open(1, j) * c[j] + open(0, j) * tanh(x[2 * H + j] + r[2 * H + j])
                shown[j] = c[j]
            end
            if lstm then
                layer_norm(shown, 0, H, given["norm_weight_c_l0"], given["norm_bias_c_l0"],
                    item.layer_norm_eps)
                c = item.layer_norm_state and shown or c
            end
            for j = 1, H do
                local z = open(1, j)
                h[j] = lstm and open(3, j) * tanh(shown[j])
                    or z * h[j] + (1 - z) * tanh(x[2 * H + j] + open(0, j) * r[2 * H + j])
            end
            table.move(h, 1, H, (t * B + b) * H + 1, y)
        end
        table.move(h, 1, H, b * H + 1, hn)
        table.move(c, 1, #c, b * H + 1, cn)
    end
    return y, hn, cn
end

for _, fields in ipairs { { cell = "lstm" }, { cell = "lstm", layer_norm_state = true }, { cell = "gru" } } do
    for _, direction in ipairs { "forward", "reverse" } do
        for _, T in ipairs { 1, 4 } do
            local what = string.format("%s%s, %s, %d steps", fields.cell,
                fields.layer_norm_state and " with layer_norm_state" or "", direction, T)
            support.case("layer_norm of " .. what, function()
                local item = { cell = fields.cell, layer_norm_state = fields.layer_norm_state, direction = direction,
                               hidden_size = 4, num_layers = 1, layer_norm = true, layer_norm_eps = 0.1, bias = false,
                               input_size = 3, seq_len = "any", batch = "any" }
                local forward, symbols = lower.run(item), { T = T, B = B }
                local given = support.values(forward, symbols, support.rng(7))
                local tape = interpret.run(forward, symbols, given)
                local y, hn, cn = normalised_layer(item, T, given)
                support.near(tape.y, y, 1e-12, "y")
                support.near(tape.hn, hn, 1e-12, "hn")
                if tape.cn then support.near(tape.cn, cn, 1e-12, "cn") end
            end)
        end
    end
end

support.finish()
