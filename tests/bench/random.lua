-- random.lua SEED FOLDER: writes 40 specs of networks that nobody tuned for and prints their paths. The same seed gives
-- the same ones. Sizes are log-uniform over what real models have; of ten networks two have a head, one a projection.
local COUNT <const> = 40

-- Multiply-adds of a call at the most, so that every network gets its samples in a second.
local MOST_WORK <const> = 2e8

local cells <const> = { "rnn_tanh", "rnn_relu", "lstm", "gru" }
local gates <const> = { rnn_tanh = 1, rnn_relu = 1, lstm = 4, gru = 3 }

local function log_uniform(least, most)
    return math.floor(least * ((most + 1) / least) ^ math.random())
end

local function draw(number)
    local cell = cells[math.random(#cells)]
    local n = { cell = cell, I = log_uniform(1, 512), H = log_uniform(4, 512), L = log_uniform(1, 3), D = 1,
                B = log_uniform(1, 128), T = log_uniform(1, 200), head = 0, P = 0 }
    if math.random() < 0.25 then n.D = 2 end
    if number % 5 == 0 then n.head = log_uniform(1, 64) end
    if number % 10 == 7 then
        n.cell = "lstm"
        n.P = math.max(n.H // 2, 1)
    end
    local width = n.P > 0 and n.P or n.H
    local work = n.B * n.D * gates[n.cell] * n.H * (n.I + width + (n.L - 1) * (n.D + 1) * width)
    n.T = math.max(1, math.min(n.T, math.floor(MOST_WORK / work)))
    return n
end

local function spec_of(n)
    local cell = n.cell:match("^rnn_(.*)")
    local words = { string.format("%s_%d_%d_%d_%d_%d_%d", n.cell, n.I, n.H, n.L, n.D, n.B, n.T) }
    local layer = string.format("%s, input_size = %d, hidden_size = %d, num_layers = %d, bidirectional = %s",
        cell and 'cell = "rnn", nonlinearity = "' .. cell .. '"' or 'cell = "' .. n.cell .. '"', n.I, n.H, n.L,
        n.D == 2 and "true" or "false")
    if n.P > 0 then
        words[#words + 1] = "projected_" .. n.P
        layer = layer .. ", proj_size = " .. n.P
    end
    if n.head > 0 then words[#words + 1] = "head_" .. n.head end
    local name = table.concat(words, "_")
    local facts = string.format('name = "%s", target = "native", batch = %d, seq_len = %d', name, n.B, n.T)
    if n.head == 0 then return name, string.format("return rnn { %s, %s }\n", facts, layer) end
    return name, string.format("return model { %s, layers = { rnn { %s }, dense { units = %d } } }\n", facts, layer,
        n.head)
end

local seed = math.tointeger(tonumber(arg[1] or ""))
local folder = assert(seed and arg[2], "usage: random.lua SEED FOLDER; SEED is an integer")
math.randomseed(seed, 0)
for number = 1, COUNT do
    local name, text = spec_of(draw(number))
    local path = string.format("%s/%02d_%s.lua", folder, number, name)
    local file = assert(io.open(path, "w"))
    assert(file:write(text))
    assert(file:close())
    print(path)
end
