-- pickle_calls: what the pickle of a checkpoint may call, by name, and the data that come of it. torch/_utils.py and
-- torch/serialization.py of PyTorch say what the arguments are.
local kinds = require "import.pickle_kinds"

local calls = {}

-- Elements of a tensor, and sizes and strides by which they are found: integers, which Lua would wrap beyond 2^62.
local SIZE_MAX <const>, RANK_MAX <const> = 1 << 40, 8

local function sizes(value)
    if not kinds.is(value, "TUPLE") or #value > RANK_MAX then return nil end
    for _, size in ipairs(value) do
        if math.type(size) ~= "integer" or size < 0 or size > SIZE_MAX then return nil end
    end
    return table.move(value, 1, #value, 1, {})
end

local function tensor(arguments, fail)
    local storage, offset, shape, strides = arguments[1], arguments[2], sizes(arguments[3]), sizes(arguments[4])
    if not kinds.is(storage, "STORAGE") or math.type(offset) ~= "integer" or offset < 0 or offset > SIZE_MAX
        or not shape or not strides or #shape ~= #strides then
        fail "makes a tensor of other things than a storage, an offset, sizes and strides"
    end
    return setmetatable({ storage = storage, offset = offset, shape = shape, strides = strides }, kinds.TENSOR)
end

-- (storage, offset, sizes, strides, (scheme, scale, zero point[, axis]), ...)
local function quantised(arguments, fail)
    local made, given = tensor(arguments, fail), arguments[5]
    local scheme = kinds.is(given, "TUPLE") and kinds.is(given[1], "GLOBAL") and given[1].name
    if scheme == "torch per_tensor_affine" and type(given[2]) == "number" and type(given[3]) == "number" then
        made.quantizer = { scale = given[2], zero_point = given[3] }
    elseif scheme == "torch per_channel_affine" and kinds.is(given[2], "TENSOR") and kinds.is(given[3], "TENSOR")
        and math.type(given[4]) == "integer" then
        made.quantizer = { scale = given[2], zero_point = given[3], axis = given[4] }
    else
        fail "makes a tensor that is quantised in an unknown way"
    end
    return made
end

local function first(arguments, fail)
    if arguments[1] == nil then fail "calls with no argument what needs one" end
    return arguments[1]
end

-- () or ({{key, value}, ...}); a function that makes missing values is not needed.
local function dict(arguments, fail)
    local made = setmetatable({}, kinds.DICT)
    for _, pair in ipairs(kinds.is(arguments[1], "LIST") and arguments[1] or {}) do
        if not kinds.is(pair, "LIST") and not kinds.is(pair, "TUPLE") or #pair ~= 2 then
            fail "makes a dict of what are no pairs"
        end
        made[#made + 1], made[#made + 2] = pair[1], pair[2]
    end
    return made
end

-- Things beside the weights, of which nothing is needed: their arguments are not looked at.
local function other(name)
    return function() return setmetatable({ class = name }, kinds.OBJECT) end
end

local known <const> = {
    ["torch._utils _rebuild_tensor"] = tensor, ["torch._utils _rebuild_tensor_v2"] = tensor,
    ["torch._utils _rebuild_qtensor"] = quantised,
    ["torch._utils _rebuild_parameter"] = first, ["torch._utils _rebuild_parameter_with_state"] = first,
    ["torch._tensor _rebuild_from_type_v2"] = function(arguments, fail)
        -- (function, class, arguments, state): of subclasses of Tensor, as Parameter was.
        local callee, inner = arguments[1], arguments[3]
        if not kinds.is(callee, "GLOBAL") or not kinds.is(inner, "TUPLE")
            or callee.name == "torch._tensor _rebuild_from_type_v2" then
            fail "makes a tensor by what is no function"
        end
        return calls.call(callee.name, inner, fail)
    end,
    ["collections OrderedDict"] = dict, ["collections defaultdict"] = dict, ["collections Counter"] = dict,
    ["torch.jit._pickle build_intlist"] = first, ["torch.jit._pickle build_doublelist"] = first,
    ["torch.jit._pickle build_boollist"] = first, ["torch.jit._pickle build_tensorlist"] = first,
    ["torch.jit._pickle restore_type_tag"] = first,
}

for _, name in ipairs {
    "torch Size", "torch device", "argparse Namespace", "__builtin__ set", "builtins set", "builtins slice",
    "_codecs encode", "builtins complex", "numpy dtype", "numpy.core.multiarray scalar",
    "numpy.core.multiarray _reconstruct", "numpy._core.multiarray scalar", "numpy._core.multiarray _reconstruct",
    "pathlib PosixPath", "pathlib Path",
} do
    known[name] = other(name)
end

-- calls.call(name, arguments, fail) -> the value of a call of the global `name`, "module name", with a TUPLE.
function calls.call(name, arguments, fail)
    local run = known[name] or fail("calls " .. name:gsub(" ([^ ]*)$", ".%1") .. ", which has no place among weights; "
        .. "save the state_dict alone: torch.save(model.state_dict(), ...)")
    return run(arguments, fail)
end

-- calls.object(name, fail) -> an OBJECT without a state. Modules of TorchScript are data: their class is a name.
function calls.object(name, fail)
    if name == "torch ScriptObject" then
        fail("has weights of quantize_dynamic, which only PyTorch's own code unpacks; save the state_dict of the "
            .. "network before it is quantised")
    elseif not name:find("^__torch__") and name ~= "argparse Namespace" then
        fail("makes an object of class " .. name:gsub(" ([^ ]*)$", ".%1")
            .. ", which is a program's own; save the state_dict alone: torch.save(model.state_dict(), ...)")
    end
    return setmetatable({ class = name:gsub(" ([^ ]*)$", ".%1") }, kinds.OBJECT)
end

-- calls.build(object, state, fail): gives an object its state. That of a tensor or a dict is not needed.
function calls.build(object, state, fail)
    if kinds.is(object, "OBJECT") then
        object.state = state
    elseif not kinds.is(object, "TENSOR") and not kinds.is(object, "DICT") then
        fail "gives a state to what has none"
    end
end

-- calls.persistent(id, fail) -> the STORAGE that ("storage", class, key, location, elements) names.
function calls.persistent(id, fail)
    local given = kinds.is(id, "TUPLE") and id or {}
    local class, key, count = given[2], given[3], given[5]
    local kind = kinds.is(class, "GLOBAL") and (class.name:match("^torch (%w+Storage)$")
        or class.name:match("^torch.storage (UntypedStorage)$"))
    if not kind or given[1] ~= "storage" or type(key) ~= "string" or math.type(count) ~= "integer" or count < 0
        or count > SIZE_MAX then
        fail "names a storage in an unknown way"
    end
    return setmetatable({ type = kind, key = key, count = count }, kinds.STORAGE)
end

return calls
