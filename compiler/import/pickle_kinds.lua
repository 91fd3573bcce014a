-- pickle_kinds: what the values of a pickle are told by; see pickle.lua.
local kinds = { NONE = setmetatable({}, {}) }

for _, name in ipairs { "LIST", "TUPLE", "DICT", "SET", "GLOBAL", "OBJECT", "STORAGE", "TENSOR" } do
    kinds[name] = {}
end

-- kinds.is(value, "DICT") -> is the value of that kind?
function kinds.is(value, name) return type(value) == "table" and getmetatable(value) == kinds[name] end

-- kinds.each(dict) -> an iterator over key, value in the order of the file.
function kinds.each(dict)
    local i = -1
    return function()
        i = i + 2
        if i < #dict then return dict[i], dict[i + 1] end
    end
end

-- kinds.get(dict, key) -> the last value under a key, as Python keeps it; nil: there is none.
function kinds.get(dict, key)
    for i = #dict - 1, 1, -2 do
        if dict[i] == key then return dict[i + 1] end
    end
    return nil
end

return kinds
