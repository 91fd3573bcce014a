-- program.dropout: what a layer hands on to the next one while the network is trained: each value times one of a mask,
-- which is drawn before the program runs (Srivastava and others 2014; inverted, as torch.nn.Dropout: what is kept is
-- scaled by 1 / (1 - p), and a network that runs needs nothing).
local grammar = require "ir.grammar"

local dropout = {}

-- dropout.apply(program, put, output, p, from) -> the name of the buffer (T, B, units) with what is left of `output`,
-- itself where p is 0. put: as lower's; from: the row or layer, for messages.
function dropout.apply(program, put, output, p, from)
    if p == 0 then return output end
    local dims = grammar.find(program, output).dims
    local mask = put(program, output .. "_mask", "mask", dims, { drops = p })
    local left = put(program, output .. "_left", "workspace", dims)
    program.body[#program.body + 1] = grammar.statement { op = "map", from = from .. ", dropout",
        over = { { "t", dims[1] }, { "b", dims[2] }, { "j", dims[3] } },
        sets = { { grammar.access(left, "t", "b", "j"), { "mul", grammar.read(output, "t", "b", "j"),
                                                          grammar.read(mask, "t", "b", "j") } } } }
    return left
end

return dropout
