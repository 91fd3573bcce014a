-- keras_scales: layers of Keras that multiply and shift each value of a step, or have a slope for each, a row a class:
-- kind (the variables by number), read(found, config, state, check) -> the layer { form, fields }, its tensors, what
-- became of it. found: see keras_weights.of; state, check: as keras_layers has them.
local tensors = require "import.tensors"

local function number(config, name, default, check)
    local value = config[name]
    if value == nil then return default end
    check(type(value) == "number", "its %s is a list; rnnc reads one number for all values", name)
    return value
end

-- Is the layer one of each value of a step, those of the last axis?
local function check_axis(config, check)
    local axis = type(config.axis) == "table" and #config.axis == 1 and config.axis[1] or config.axis
    check(axis == nil or axis == -1 or axis == 2, "it is along another axis than the last one")
end

-- The variables of these names, each of `width` values.
local function variables(found, names, width, check)
    local list = {}
    for i, name in ipairs(names) do
        local own = found[name]
        check(own, "there is no %s of it in the file%s", name, found.missing)
        check(tensors.is(own, width), "its %s is %s, and (%d) is expected", name, tensors.shape_text(own.shape), width)
        list[i] = own
    end
    return table.unpack(list)
end

local function value_of(tensor, index) return (string.unpack("<f", tensor.data, 4 * index - 3)) end

-- The scale and shift of (x - mean) * factor(index) + more(index), in double precision until the end.
local function scaled(mean, prefix, factor, more)
    local scale = tensors.mapped(mean, function(_, i) return factor(i) end)
    local shift = tensors.mapped(mean, function(value, i) return more(i) - value * factor(i) end)
    return { form = "scale", fields = { scale = true, shift = true, prefix = prefix } },
        { tensors.named(scale, prefix .. "scale"), tensors.named(shift, prefix .. "shift") }
end

return {
    Rescaling = {
        kind = {},
        read = function(_, config, _, check)
            local fields = { scale = number(config, "scale", 1, check), shift = number(config, "offset", 0, check) }
            if fields.scale == 1 and fields.shift == 0 then return nil, {}, "left out: it does nothing" end
            return { form = "scale", fields = fields }, {}, "scale"
        end,
    },
    Normalization = {
        kind = { "mean", "variance", "count" },
        read = function(found, config, state, check)
            check_axis(config, check)
            check(not config.invert, "an inverse one, which rnnc does not read")
            local mean, variance = variables(found, { "mean", "variance" }, state.width, check)
            local layer, list = scaled(mean, state.prefix, function(i)
                return 1 / math.max(math.sqrt(value_of(variance, i)), 1e-7)
            end, function() return 0.0 end)
            return layer, list, "scale and shift of mean and variance"
        end,
    },
    BatchNormalization = {
        kind = function(config)
            local list = { "moving_mean", "moving_variance" }
            if config.center ~= false then table.insert(list, 1, "beta") end
            if config.scale ~= false then table.insert(list, 1, "gamma") end
            return list
        end,
        read = function(found, config, state, check)
            check_axis(config, check)
            local mean, variance = variables(found, { "moving_mean", "moving_variance" }, state.width, check)
            local gamma = config.scale ~= false and variables(found, { "gamma" }, state.width, check)
            local beta = config.center ~= false and variables(found, { "beta" }, state.width, check)
            local epsilon = number(config, "epsilon", 1e-3, check)
            local layer, list = scaled(mean, state.prefix, function(i)
                return (gamma and value_of(gamma, i) or 1) / math.sqrt(value_of(variance, i) + epsilon)
            end, function(i) return beta and value_of(beta, i) or 0.0 end)
            return layer, list, "scale and shift of running means"
        end,
    },
    PReLU = {
        kind = { "alpha" },
        read = function(found, _, state, check)
            local alpha = found.alpha
            check(alpha, "there is no alpha of it in the file%s", found.missing)
            local flat = (tensors.is(alpha, state.width) or tensors.is(alpha, 1, state.width))
                and tensors.reshaped(alpha, state.width)
            check(flat, "its alpha is %s, and (1, %d) is expected, shared_axes = [1]",
                tensors.shape_text(alpha.shape), state.width)
            return { form = "activation", fields = { activation = "prelu", prefix = state.prefix } },
                { tensors.named(flat, state.prefix .. "weight") }, "activation"
        end,
    },
}
