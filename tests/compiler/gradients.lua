-- gradients: forward and backward programs, by the interpreter and as C in double and float, give the results and
-- gradients that PyTorch recorded in tests/cases.
local support = require "tests.compiler.support"

local differentiate = require "passes.program.differentiate"
local fuse = require "passes.program.fuse"
local hoist = require "passes.program.hoist"
local interpret = require "ir.interpret"
local lower = require "passes.program.lower"
local simplify = require "passes.program.simplify"

local fast = os.getenv "RNNC_TEST_FAST" == "1"

-- Multiply-adds up to which the interpreter runs a case: it takes some 100 ns for each.
local INTERPRETED <const> = fast and 30000 or 300000

local count = require "passes.program.count"

local function spec_of(m)
    local cell, nonlinearity = m.cell:match("^(rnn)_(%a+)$")
    return {
        cell = cell or m.cell, nonlinearity = nonlinearity, input_size = math.tointeger(m.I),
        hidden_size = math.tointeger(m.H), num_layers = math.tointeger(m.L), bidirectional = m.D == "2",
            bias = m.bias == "1",
        batch_first = m.batch_first == "1", seq_len = "any", batch = "any",
    }
end

-- All that the programs are given by the tensors of a case.
local function given_of(tensors)
    local given = {}
    for name, values in pairs(tensors) do given[name] = values end
    given.d_y, given.d_hn, given.d_cn = tensors.gy, tensors.ghn, tensors.gcn
    return given
end

local function compare(tensors, values, tolerance, how)
    local gradients = 0
    for _, name in ipairs { "y", "hn", "cn" } do
        if tensors[name] then support.near(values[name], tensors[name], tolerance, how .. ": " .. name) end
    end
    for name, want in pairs(tensors) do
        local of = name:match("^grad%.(.+)$")
        if of then
            gradients = gradients + 1
            support.near(values["d_" .. of], want, tolerance, how .. ": " .. name)
        end
    end
    return gradients
end

local function try(path)
    local tensors, _, metadata = support.read_case(path)
    local symbols = { T = math.tointeger(metadata.T), B = math.tointeger(metadata.B) }
    local forward = lower.run(spec_of(metadata))
    local backward = differentiate.run(forward)
    local programs = { fuse.run(simplify.run(hoist.run(forward))), fuse.run(simplify.run(hoist.run(backward))) }
    local given = given_of(tensors)
    if not given.d_y then programs[2] = nil end
    local double = support.run_c(programs, symbols, given, "double")
    local n = compare(tensors, double, 1e-6, "double")
    assert((n > 0) == (given.d_y ~= nil), "no gradients")
    if not fast then compare(tensors, support.run_c(programs, symbols, given, "float"), 2e-5, "float") end
    if count.run(forward, symbols).multiply_adds <= INTERPRETED and given.d_y then
        local tape = interpret.run(forward, symbols, given)
        for name, values in pairs(given) do tape[name] = tape[name] or values end
        local gradients = interpret.run(backward, symbols, tape)
        for name, values in pairs(tape) do gradients[name] = gradients[name] or values end
        compare(tensors, gradients, 1e-6, "interpreter")
        -- The compiled program is the interpreted one, after passes, to the last digits of double.
        for name, values in pairs(double) do
            if gradients[name] then support.near(values, gradients[name], 1e-12, "compiled " .. name) end
        end
        return true
    end
    return false
end

local interpreted = 0
local list <close> = assert(io.popen("ls tests/cases/*.safetensors"))
for path in list:lines() do
    support.case(path, function()
        if try(path) then interpreted = interpreted + 1 end
    end)
end
support.case("the interpreter ran some", function() assert(interpreted >= 8, interpreted .. " only") end)
support.finish()
