-- limits: the speed of light and the work of layers, against sums by hand.
local support = require "tests.compiler.support"

local cells = require "tables.cells"
local limits = require "measure.limits"

local machine <const> = { clock_ghz = 2, peak_gflops = 100, l1_gbs = 200, l2_gbs = 100, l3_gbs = 50, l1_bytes = 32768,
                          l2_bytes = 1048576 }

-- Seconds of one value of a function: 14 cycles of half a nanosecond for 16 of them.
local FUNCTION <const> = 14 / 16 * 0.5e-9

local function near(got, want, what)
    local close = math.abs(got - want) <= 1e-9 * math.abs(want)
    if not close then
        error(string.format("%s is %.9g, wanted %.9g", what, got, want), 2)
    end
end

local lstm <const> = cells.of { cell = "lstm" }

local function stack(fields)
    local sizes = { G = 4, H = 8, P = 8, I = 3, L = 1, D = 1 }
    for name, value in pairs(fields) do sizes[name] = value end
    return { kind = "stack", formula = lstm.update, sizes = sizes }
end

local function dense(fields)
    local layer = { kind = "dense", inputs = 10, outputs = 4, activation = "none" }
    for name, value in pairs(fields or {}) do layer[name] = value end
    return layer
end

support.case("weights lie in the cache of which they leave a seventh", function()
    for bytes, level in pairs { [28086] = "l1", [28087] = "l2", [898779] = "l2", [898780] = "l3" } do
        assert(limits.level(machine, bytes) == level, bytes)
    end
end)

support.case("functions that an update needs, each once", function()
    assert(limits.functions(lstm.update) == 5, limits.functions(lstm.update))
    assert(limits.functions(cells.of { cell = "gru" }.update) == 3)
    local gates <const> = { cell = "lstm", gate_activation = "hard_sigmoid", candidate_activation = "softplus" }
    assert(limits.functions(cells.of(gates).update) == 2)
end)

support.case("work of a stack", function()
    local flops, bytes = limits.work({ stack {} }, 2, 1)
    near(flops, 2 * 32 * (3 + 8) * 2, "FLOPs")
    near(bytes, 4 * 32 * (3 + 8) * 2 + 4 * 2 * (3 + 8), "bytes")
end)

support.case("work of a stack with a projection", function()
    local flops, bytes = limits.work({ stack { P = 4 } }, 2, 3)
    near(flops, 2 * (32 * (3 + 4) + 32) * 2 * 3, "FLOPs")
    near(bytes, 4 * (32 * (3 + 4) + 32) * 2 + 4 * 2 * 3 * (3 + 4), "bytes")
end)

support.case("work of two layers in two directions", function()
    near(limits.work({ stack { L = 2, D = 2 } }, 5, 1), 2 * 2 * (32 * (3 + 8) + 32 * (16 + 8)) * 5, "FLOPs")
end)

support.case("work of a dense layer on all steps, and once", function()
    near(limits.work({ dense() }, 5, 2), 2 * 40 * 5 * 2, "FLOPs")
    near(limits.work({ dense { once = true } }, 5, 2), 2 * 40 * 2, "FLOPs of once")
end)

support.case("time of a dense layer whose rows share weights", function()
    local seconds, parts = limits.time({ dense() }, 5, 2, machine)
    near(seconds, 2 * 10 * 40 / 100e9, "all")
    assert(parts.activation == 0 and parts.recurrent == 0)
end)

support.case("time of a dense layer that runs once", function()
    near(limits.time({ dense { once = true } }, 5, 2, machine), 2 * 160 / 200e9, "all")
end)

support.case("time of a function of a dense layer", function()
    for name, times in pairs { none = 0, relu = 0, tanh = 1, sigmoid = 1, softmax = 1 } do
        local _, parts = limits.time({ dense { activation = name } }, 5, 2, machine)
        if times > 0 then near(parts.activation, 40 * FUNCTION, name) else assert(parts.activation == 0, name) end
    end
end)

support.case("time of the parts of a stack with a projection", function()
    local seconds, parts = limits.time({ stack { P = 4 } }, 2, 1, machine)
    near(parts.input, 2 * 4 * 32 * 3 / 200e9, "input")
    near(parts.recurrent, 2 * (4 * 32 * 4 + 4 * 4 * 8) / 200e9, "recurrent")
    near(parts.activation, 2 * 8 * 5 * FUNCTION, "activation")
    near(seconds, parts.input + parts.recurrent + parts.activation, "all")
end)

support.case("a step of many sequences is bound by arithmetic", function()
    local _, parts = limits.time({ stack {} }, 3, 50, machine)
    near(parts.recurrent, 3 * 2 * 50 * 32 * 8 / 100e9, "recurrent")
end)

support.case("an embedding loads rows from where its table lies", function()
    near(limits.time({ { kind = "embedding", inputs = 10, outputs = 6 } }, 5, 2, machine), 10 * 24 / 200e9, "small")
    near(limits.time({ { kind = "embedding", inputs = 100000, outputs = 6 } }, 5, 2, machine), 10 * 24 / 50e9, "large")
end)

support.finish()
