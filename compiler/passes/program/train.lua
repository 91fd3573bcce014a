-- program.train: the two programs that train a network: forward, which keeps what the other one reads (the tape), and
-- backward, from the adjoints of y, hn and cn to those of parameters and inputs.
local accesses = require "ir.accesses"
local assign = require "passes.program.assign"
local differentiate = require "passes.program.differentiate"
local fuse = require "passes.program.fuse"
local grammar = require "ir.grammar"
local hoist = require "passes.program.hoist"
local keep = require "passes.program.keep"
local lower = require "passes.program.lower"
local simplify = require "passes.program.simplify"
local sink = require "passes.program.sink"

local train = {}

-- A network of one layer as a model of one: the prefix of a file is no prefix of a layer.
local function as_model(spec)
    if spec.layers then return spec end
    local only = setmetatable({ layer = "rnn", prefix = "" }, { __index = spec })
    return setmetatable({ layers = { only } }, { __index = spec })
end

-- Without buffers that no statement touches.
local function pruned(program)
    local used, buffers = {}, {}
    for _, s in ipairs(program.body) do
        for _, list in ipairs { accesses.of(s) } do
            for _, access in ipairs(list) do used[access[1]] = true end
        end
    end
    for _, b in ipairs(program.buffers) do
        if used[b.name] then buffers[#buffers + 1] = b end
    end
    return { name = program.name, symbols = program.symbols, buffers = buffers, body = program.body }
end

-- train.plain(spec) -> forward, backward as lowered and differentiated, without any pass, to compare with. Errors:
-- a text, where a spec has what no program is for.
function train.plain(spec)
    local forward = lower.run(as_model(spec))
    return forward, differentiate.run(forward)
end

-- train.run(spec) -> forward, backward after all passes. Buffers of forward that backward reads have the role workspace
-- in forward and tape in backward. Errors: as train.plain.
function train.run(spec)
    local lowered, derivative = train.plain(spec)
    local kept = keep.run(lowered)
    local backward = keep.recall(derivative, kept)
    -- What fuse puts together, sink would find in one statement with what has to stay.
    backward = fuse.run(assign.run(sink.run(simplify.run(backward))))
    return pruned(fuse.run(hoist.run(simplify.run(kept)))), pruned(backward)
end

-- train.tape(forward, backward) -> the set of names of buffers that forward leaves to backward, masks among them.
function train.tape(forward, backward)
    local set = {}
    for _, b in ipairs(backward.buffers) do
        if (b.role == "tape" or b.role == "mask") and grammar.find(forward, b.name) then set[b.name] = true end
    end
    return set
end

return train
