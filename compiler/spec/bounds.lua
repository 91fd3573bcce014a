-- bounds: the order of the two numbers of a function that has a least and a most value (activations.lua).
local activations = require "tables.activations"

local bounds = {}

-- bounds.check(activation, name, value, alpha, beta, other) -> what is wrong and what to do, or nil. name: the number
-- that is looked at, "alpha" or "beta", and its value. alpha: the one in front of a beta. beta: what is given for the
-- one behind an alpha, which is looked at by itself; nil: its default. other: how that is called.
function bounds.check(activation, name, value, alpha, beta, other)
    if name == "alpha" and beta == nil and activations.out_of_order(activation, value) then
        return string.format("has to be less than %s, which is %.6g", other,
            activations.number(activation, "beta"))
    elseif name == "beta" and activations.out_of_order(activation, alpha, value) then
        return string.format("has to be more than the least value, %.6g", alpha or 0)
    end
end

return bounds
