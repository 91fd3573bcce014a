-- other_functions(ending) -> names that other tools have for functions, or of functions that rnnc has not, and what to
-- do about each: the `instead` of a field that names one. ending: what else to say of one that rnnc has not.
return function(ending)
    local list = {}
    for other, name in pairs { linear = "none", identity = "none", logsoftmax = "log_softmax", swish = "silu",
                               leakyrelu = "leaky_relu", hardtanh = "hard_tanh", hardsigmoid = "hard_sigmoid",
                               hardswish = "hard_swish", hard_silu = "hard_swish" } do
        list[other] = string.format('write "%s"', name)
    end
    list.prelu = 'its slopes are weights, which a layer of its own has: activation { activation = "prelu" }'
    for name in ("celu glu softmin softshrink hardshrink tanhshrink logsigmoid exponential"):gmatch("%S+") do
        list[name] = "rnnc has no " .. name .. ending
    end
    return list
end
