-- serve: the programs by which one target serves the calls of a network.
--
-- One serves calls of whole sequences. Where sequences may have different lengths, another one serves those: it gathers
-- its rows anew for every chunk, which the first one is not to pay for, and its kernel may be another.
local serve = {}

-- The network with another fact.
local function with(ir, name, value)
    local own = {}
    for key, fact in pairs(ir) do own[key] = fact end
    own[name] = value
    return own
end

-- serve.programs(ir) -> { { role, ir }, ... }: role is the end of the names of its functions in C; of the last it is
-- "", which serves what no other one does.
function serve.programs(ir)
    if not ir.lengths then return { { role = "", ir = ir } } end
    return { { role = "_lengths", ir = ir }, { role = "", ir = with(ir, "lengths", false) } }
end

return serve
