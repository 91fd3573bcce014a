-- pickle: what torch.save and TorchScript pickle, as data. Opcodes are those that their picklers write
-- (pickletools.py of CPython describes them); a global is a name and nothing else, and calling one is a row of
-- pickle_calls.lua. Whatever is neither is an error that names it. Nothing is imported, called or run.
--
-- Values: nil is pickle.NONE; texts and bytes are strings; numbers and booleans are themselves; the rest are tables,
-- told by their metatables:
--   LIST, TUPLE, SET   1, 2, ... are the entries
--   DICT               { key, value, key, value, ... } in the order of the file
--   GLOBAL             { name = "torch FloatStorage" }
--   OBJECT             { class = "__torch__.policy.Net", state = what BUILD gave it, or nil }
--   STORAGE            { type = "FloatStorage", key, count (elements) }
--   TENSOR             { storage, offset, shape, strides, quantizer (nil: none) }, sizes in elements
local calls = require "import.pickle_calls"
local kinds = require "import.pickle_kinds"
local fail = require "base.fail"

local NONE <const>, LIST <const>, TUPLE <const> = kinds.NONE, kinds.LIST, kinds.TUPLE
local DICT <const>, SET <const>, GLOBAL <const> = kinds.DICT, kinds.SET, kinds.GLOBAL

-- A state_dict has some 30 opcodes for each tensor. Together these hold reading a bad file below 100 MB and a second.
local STEPS_MAX <const>, BYTES_MAX <const> = 400000, 16 << 20

local pickle = {}

-- The stack of a machine: values, and where the marks lie.
local function push(m, value)
    m.top = m.top + 1
    m.stack[m.top] = value
end

local function pop(m)
    local top = m.top
    if top <= (m.marks[#m.marks] or 0) then m.fail("takes more from the stack than there is") end
    local value = m.stack[top]
    m.stack[top] = nil
    m.top = top - 1
    return value
end

local function peek(m, metatable, what)
    local value = m.top > (m.marks[#m.marks] or 0) and m.stack[m.top] or nil
    if getmetatable(value) ~= metatable then m.fail("changes what is no " .. what) end
    return value
end

-- The values above the topmost mark, appended to `to`.
local function pop_mark(m, to)
    local mark = table.remove(m.marks) or m.fail("needs a mark where there is none")
    table.move(m.stack, mark + 1, m.top, #to + 1, to)
    for i = mark + 1, m.top do m.stack[i] = nil end
    m.top = mark
    return to
end

local function take(m, count)
    if count < 0 or count > #m.bytes - m.at + 1 then m.fail("is longer than the pickle") end
    m.at = m.at + count
    return m.bytes:sub(m.at - count, m.at - 1)
end

local function number(m, format) return (string.unpack(format, take(m, string.packsize(format)))) end

local function line(m)
    local finish = m.bytes:find("\n", m.at, true) or m.fail "is longer than the pickle"
    local text = m.bytes:sub(m.at, finish - 1)
    m.at = finish + 1
    return text
end

local function tuple_of(count)
    return function(m)
        local tuple = setmetatable({}, TUPLE)
        for i = count, 1, -1 do tuple[i] = pop(m) end
        push(m, tuple)
    end
end

local function text_of(format) return function(m) push(m, take(m, number(m, format))) end end

local function number_of(format) return function(m) push(m, number(m, format)) end end

local function get_of(format)
    return function(m)
        local value = m.memo[number(m, format)]
        if value == nil then m.fail("asks for what was not remembered") end
        push(m, value)
    end
end

local function remember(m, number_in_memo)
    if m.top <= (m.marks[#m.marks] or 0) then m.fail("remembers what is not there") end
    m.memo[number_in_memo] = m.stack[m.top]
    m.remembered = m.remembered + 1
end

local function put_of(format) return function(m) remember(m, number(m, format)) end end

local function empty_of(metatable) return function(m) push(m, setmetatable({}, metatable)) end end

-- A two's complement number of `size` bytes; of more than 8, such as a random state, its text.
local function long_of(format)
    return function(m)
        local size = number(m, format)
        local bytes = take(m, size)
        push(m, size == 0 and 0 or size <= 8 and string.unpack("<i" .. size, bytes) or bytes)
    end
end

local function set_items(m)
    local items = pop_mark(m, {})
    if #items % 2 == 1 then m.fail "sets a key without a value" end
    local dict = peek(m, DICT, "dict")
    table.move(items, 1, #items, #dict + 1, dict)
end

local function set_item(m)
    local value, key = pop(m), pop(m)
    local dict = peek(m, DICT, "dict")
    dict[#dict + 1], dict[#dict + 2] = key, value
end

local function append(m)
    local value = pop(m)
    local list = peek(m, LIST, "list")
    list[#list + 1] = value
end

local function append_all(m)
    local items = pop_mark(m, {})
    local list = peek(m, LIST, "list")
    table.move(items, 1, #items, #list + 1, list)
end

local function add_items(m)
    local items = pop_mark(m, {})
    local set = peek(m, SET, "set")
    table.move(items, 1, #items, #set + 1, set)
end

local function global(m)
    local module, name = line(m), line(m)
    push(m, setmetatable({ name = module .. " " .. name }, GLOBAL))
end

local function stack_global(m)
    local name, module = pop(m), pop(m)
    if type(name) ~= "string" or type(module) ~= "string" then m.fail "names a global by what is no text" end
    push(m, setmetatable({ name = module .. " " .. name }, GLOBAL))
end

local function reduce(m)
    local arguments, callee = pop(m), pop(m)
    if getmetatable(callee) ~= GLOBAL or getmetatable(arguments) ~= TUPLE then m.fail "calls what is no global" end
    push(m, calls.call(callee.name, arguments, m.fail))
end

local function new_object(m)
    local arguments, class = pop(m), pop(m)
    if getmetatable(class) ~= GLOBAL or getmetatable(arguments) ~= TUPLE then m.fail "makes an object of no class" end
    push(m, calls.object(class.name, m.fail))
end

local function build(m)
    local state = pop(m)
    local object = m.top > (m.marks[#m.marks] or 0) and m.stack[m.top] or nil
    calls.build(object, state, m.fail)
end

local function persistent(m) push(m, calls.persistent(pop(m), m.fail)) end

-- By opcode; "." ends the loop.
local opcodes <const> = {
    ["\x80"] = function(m)
        local protocol = number(m, "B")
        if protocol > 5 then m.fail(string.format("is of protocol %d; 2 to 5 are known", protocol)) end
    end,
    ["\x95"] = function(m) take(m, 8) end, -- the length of a frame
    ["("] = function(m) m.marks[#m.marks + 1] = m.top end,
    ["0"] = pop, ["1"] = function(m) pop_mark(m, {}) end,
    N = function(m) push(m, NONE) end,
    ["\x88"] = function(m) push(m, true) end, ["\x89"] = function(m) push(m, false) end,
    J = number_of "<i4", K = number_of "B", M = number_of "<I2", G = number_of ">d",
    ["\x8a"] = long_of "B", ["\x8b"] = long_of "<i4",
    X = text_of "<I4", ["\x8c"] = text_of "B", ["\x8d"] = text_of "<i8",
    T = text_of "<i4", U = text_of "B", B = text_of "<I4", C = text_of "B", ["\x8e"] = text_of "<i8",
    [")"] = empty_of(TUPLE), ["]"] = empty_of(LIST), ["}"] = empty_of(DICT), ["\x8f"] = empty_of(SET),
    t = function(m) push(m, setmetatable(pop_mark(m, {}), TUPLE)) end,
    ["\x85"] = tuple_of(1), ["\x86"] = tuple_of(2), ["\x87"] = tuple_of(3),
    s = set_item, u = set_items, a = append, e = append_all, ["\x90"] = add_items,
    ["\x91"] = function(m) push(m, setmetatable(pop_mark(m, {}), SET)) end,
    c = global, ["\x93"] = stack_global, R = reduce, ["\x81"] = new_object, b = build, Q = persistent,
    q = put_of "B", r = put_of "<I4", ["\x94"] = function(m) remember(m, m.remembered) end,
    h = get_of "B", j = get_of "<I4",
}

-- pickle.load(bytes, path, member) -> the value. path: of the file, member: of the pickle in it, for errors, which name
-- the byte of the pickle that is wrong.
function pickle.load(bytes, path, member)
    local m = { bytes = bytes, at = 1, stack = {}, top = 0, marks = {}, memo = {}, remembered = 0 }
    local opcode, started
    function m.fail(message)
        fail.at(path, string.format("%s, byte %d (opcode %s): %s", member, started - 1,
            opcode:find("^%g$") and opcode or string.format("0x%02x", opcode:byte()), message))
    end
    if #bytes > BYTES_MAX then
        fail.at(path, string.format("%s has more than %d MB", member, BYTES_MAX >> 20))
    end
    for _ = 1, STEPS_MAX do
        started, opcode = m.at, bytes:sub(m.at, m.at)
        if opcode == "" then fail.at(path, member .. " ends before its last opcode; it is cut off") end
        m.at = m.at + 1
        if opcode == "." then
            if m.top ~= 1 or #m.marks > 0 then m.fail "ends with more or less than one value" end
            return m.stack[1]
        end
        local run = opcodes[opcode] or m.fail "is none that torch.save writes"
        run(m)
    end
    fail.at(path, string.format("%s has more than %d opcodes; save the state_dict alone", member, STEPS_MAX))
end

pickle.NONE = NONE

return pickle
