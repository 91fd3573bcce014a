-- reparametrised: weights that a file keeps as factors, multiplied out: weight norm (Salimans and Kingma 2016), w = g
-- v / |v|, as torch.nn.utils.weight_norm and torch.nn.utils.parametrizations.weight_norm name them, and masks of
-- torch.nn.utils.prune.
local fail = require "base.fail"
local host = require "host"
local tensors = require "import.tensors"

-- The values of a tensor as a list.
local function values_of(tensor)
    local values = {}
    for i = 1, #tensor.data // 4 do values[i] = string.unpack("<f", tensor.data, 4 * i - 3) end
    return values
end

-- |v| over all axes but that on which g has more than one value, and v times g over it. g: (n, 1, ...) as a rule.
local function normed(g, v)
    local rows, inner = 1, 1
    local gains, values = values_of(g), values_of(v)
    for axis, size in ipairs(g.shape) do
        if size ~= 1 then
            rows = size
            for later = axis + 1, #v.shape do inner = inner * v.shape[later] end
        end
    end
    local function row(i) return (i - 1) // inner % rows + 1 end
    local squares = {}
    for i = 1, rows do squares[i] = 0 end
    for i, value in ipairs(values) do squares[row(i)] = squares[row(i)] + value * value end
    for i, value in ipairs(values) do values[i] = value * gains[row(i)] / math.sqrt(squares[row(i)]) end
    return values
end

-- Does g have a value for each entry of at most one axis of v?
local function fits(g, v)
    local differing = 0
    for axis, size in ipairs(g.shape) do
        if size ~= 1 then
            differing = differing + 1
            if size ~= v.shape[axis] then return false end
        end
    end
    return differing <= 1 and (#g.shape == 0 or #g.shape == #v.shape)
end

local function masked(weight, mask)
    local values, factors = values_of(weight), values_of(mask)
    for i, factor in ipairs(factors) do values[i] = values[i] * factor end
    return values
end

-- A row for each way: the names of the two factors around the weight's own name, and what is made of them.
local ways <const> = {
    { first = "^(.*)_g$", second = "%s_v", fits = fits, make = normed, what = "weight norm, multiplied out" },
    { first = "^(.*)parametrizations%.([^.]+)%.original0$", second = "%sparametrizations.%s.original1", fits = fits,
      make = normed, what = "weight norm, multiplied out" },
    { first = "^(.*)_mask$", second = "%s_orig",
      fits = function(mask, weight) return tensors.shape_text(mask.shape) == tensors.shape_text(weight.shape) end,
      make = function(mask, weight) return masked(weight, mask) end, what = "pruned, multiplied by its mask" },
}

-- Factors of which no product is known are none that may be left out.
local function check(list, path)
    for _, tensor in ipairs(list) do
        local name = tensor.name
        if name:find("weight[^.]*_orig$") or name:find "parametrizations%.weight[^.]*%.original%d*$" then
            fail.at(path, name .. " is a factor of a weight in a way that rnnc does not know (spectral norm?); remove "
                .. "it before saving: torch.nn.utils.parametrize.remove_parametrizations or remove_spectral_norm")
        end
    end
end

-- reparametrised(list, record, path): puts the products where the factors stood. list: { name, shape, data }, which it
-- changes; record: what became of them is told there. Errors: factors that rnnc cannot multiply out.
return function(list, record, path)
    local by_name, gone = {}, {}
    for _, tensor in ipairs(list) do by_name[tensor.name] = tensor end
    for _, tensor in ipairs(list) do
        for _, way in ipairs(ways) do
            local stem, own = tensor.name:match(way.first)
            local other = stem and by_name[string.format(way.second, stem, own)]
            if other and (own or stem:find "weight[^.]*$") then
                if not way.fits(tensor, other) then
                    fail.at(path, string.format("%s %s and %s %s do not fit together", tensor.name,
                        tensors.shape_text(tensor.shape), other.name, tensors.shape_text(other.shape)))
                end
                local name = stem .. (own or "")
                other.data, other.name = host.floats(way.make(tensor, other)), name
                gone[tensor] = true
                record.became[#record.became + 1] = { name, way.what }
            end
        end
    end
    local kept = 0
    for i = 1, #list do
        local tensor = list[i]
        list[i] = nil
        if not gone[tensor] then
            kept = kept + 1
            list[kept] = tensor
        end
    end
    check(list, path)
end
