-- scan: in which lines of its text a spec gives its fields.
--
-- Lua does not keep the lines of table fields, so the text is read once more, as far as that takes:
-- names, texts, comments and brackets. The result is used in messages only; a spec that builds its
-- table in another way than `rnn { field = value, ... }` works too, with less exact places.
local constructors = require "spec.constructors"

-- Skips what is neither name nor bracket; returns kind, text and the position behind.
--   kinds: "name", "text", "number", or the character itself; nil at the end
local function token(text, at)
    at = text:find("%S", at)
    if not at then return nil end
    local equals = text:match("^%-%-%[(=*)%[", at) or text:match("^%[(=*)%[", at)
    if equals then
        local _, last = text:find("]" .. equals .. "]", at, true)
        local comment = text:sub(at, at) == "-"
        return comment and "comment" or "text", nil, (last or #text) + 1
    end
    if text:sub(at, at + 1) == "--" then
        return "comment", nil, text:find("\n", at, true) or #text + 1
    end
    local quote = text:match("^[\"']", at)
    if quote then
        local first = at
        repeat
            at = text:find("[\\" .. quote .. "\n]", at + 1)
            local escaped = at and text:sub(at, at) == "\\"
            if escaped then at = at + 1 end
        until not escaped
        return "text", at and text:sub(first + 1, at - 1), (at or #text) + 1
    end
    local name = text:match("^[%a_][%w_]*", at)
    if name then return "name", name, at + #name end
    local number = text:match("^%.?%d[%w.]*", at)
    if number then return "number", number, at + #number end
    return text:sub(at, at), nil, at + 1
end

-- All tokens but comments, with their lines.
local function tokens_of(text)
    local list, at, line, counted = {}, 1, 1, 1
    while true do
        local kind, value, behind = token(text, at)
        if not kind then return list end
        local start = text:find("%S", at)
        for _ in text:sub(counted, start - 1):gmatch("\n") do line = line + 1 end
        counted = start
        if kind ~= "comment" then list[#list + 1] = { kind = kind, value = value, line = line } end
        at = behind
    end
end

-- Tokens that are looked at for fields: calls within calls within calls would take for ever.
local STEPS_MAX <const> = 200000

-- The fields of the table behind the call at token i, as `name = ...` and `["name"] = ...`, from at most
-- `most` tokens; and how many these were.
local function fields_at(tokens, i, most)
    local fields = {}
    local function kind(k) return tokens[k] and tokens[k].kind end
    i = i + 1
    if kind(i) == "(" then i = i + 1 end
    if kind(i) ~= "{" then return fields, 0 end
    local depth, blocks, steps = 0, 0, 0
    for k = i, math.min(#tokens, i + most - 1) do
        steps = steps + 1
        local t = tokens[k]
        local opens = t.kind == "{" or t.kind == "(" or t.kind == "["
        local closes = t.kind == "}" or t.kind == ")" or t.kind == "]"
        -- Inside a function's body there are assignments that look like fields.
        if t.value == "function" and t.kind == "name" then blocks = blocks + 1 end
        if blocks == 0 and depth == 1 and kind(k + 1) == "=" and kind(k + 2) ~= "=" then
            local before = kind(k - 1)
            if t.kind == "name" and (before == "{" or before == "," or before == ";") then
                fields[#fields + 1] = { name = t.value, line = t.line }
            end
        elseif blocks == 0 and depth == 2 and t.kind == "text" and kind(k - 1) == "["
            and kind(k + 1) == "]" and kind(k + 2) == "=" then
            fields[#fields + 1] = { name = t.value, line = t.line }
        end
        depth = depth + (opens and 1 or 0) - (closes and 1 or 0)
        if depth == 0 then break end
    end
    return fields, steps
end

local known = {}
for _, row in ipairs(constructors.rows) do known[row.form] = true end

-- scan(text) -> the calls of constructors in the order of the text: a list of
-- { form = the constructor's name, line, fields = list of { name, line } }.
return function(text)
    local tokens, calls, most = tokens_of(text), {}, STEPS_MAX
    for i, t in ipairs(tokens) do
        local after = tokens[i + 1] and tokens[i + 1].kind
        if t.kind == "name" and known[t.value] and (after == "{" or after == "(") then
            local fields, steps = fields_at(tokens, i, most)
            calls[#calls + 1], most = { form = t.value, line = t.line, fields = fields }, most - steps
        end
    end
    return calls
end
