-- template: renders the C templates.
--
-- A line whose first non-blank is `@` is Lua; elsewhere `@{expression}` is a value. One template line
-- becomes one line of the Lua chunk, so an error names the template's own file and line. What a
-- template may use is closed: the fields it is given, a few pure functions and `include`. A name
-- that is not there is an error, and so is a value that is nil, a table, or a float (exact C
-- literals come from `float`).
local host = require "host"

local template = {}

local tools = {
    ipairs = ipairs, assert = assert, math = { min = math.min, max = math.max, tointeger = math.tointeger },
    format = string.format, rep = string.rep, upper = string.upper, concat = table.concat,
    tostring = tostring, float = host.float,
}

local function value_text(value, where)
    local kind = math.type(value) or type(value)
    if kind == "string" then return value end
    if kind == "integer" then return string.format("%d", value) end
    error(where .. ": a template value is " .. kind
        .. (kind == "float" and "; print it with float(x)" or ""), 0)
end

-- The Lua source of one line of C text: pieces of it and values, gathered by `put`.
local function compile_text(line, where)
    local code, at = {}, 1
    while true do
        local open, close = line:find("@%b{}", at)
        if not open then break end
        if open > at then code[#code + 1] = string.format("put(%q)", line:sub(at, open - 1)) end
        code[#code + 1] = string.format("value((%s), %q)", line:sub(open + 2, close - 1), where)
        at = close + 1
    end
    if line:find("@{", at, true) then error(where .. ": a value does not end on its line", 0) end
    code[#code + 1] = string.format("put(%q)", line:sub(at) .. "\n")
    return (table.concat(code, " "):gsub("\\\n", "\\n"))
end

local function compile(name, text)
    local code, number = {}, 0
    for line in text:gmatch("([^\n]*)\n") do
        number = number + 1
        local lua = line:match("^%s*@(.*)$")
        if lua and lua:sub(1, 1) ~= "{" then
            code[#code + 1] = lua
        else
            code[#code + 1] = compile_text(line, name .. ":" .. number)
        end
    end
    return table.concat(code, "\n")
end

local function closed(fields, extra)
    return setmetatable({}, {
        __index = function(_, key)
            local found = extra[key]
            if found == nil then found = fields[key] end
            if found == nil then found = tools[key] end
            if found == nil then error("the template uses '" .. key .. "', which it was not given", 2) end
            return found
        end,
        __newindex = function(_, key) error("the template sets a global, '" .. key .. "'", 2) end,
    })
end

-- template.render(name, fields) -> text. `name` is a file of templates/ without `.t`; `fields` holds
-- everything the template may see. `include(name, fields)` inside a template puts another template's
-- text there, and `indented(n, name, fields)` the same with n more spaces in front of each line.
function template.render(name, fields)
    local pieces = {}
    local function put(text) pieces[#pieces + 1] = text end
    local function include(other, its_fields) put(template.render(other, its_fields)) end
    local function indented(n, other, its_fields)
        local text = template.render(other, its_fields)
        put((text:gsub("([^\n]+)", string.rep(" ", n) .. "%1")))
    end
    local extra = {
        put = put, include = include, indented = indented,
        value = function(v, where) put(value_text(v, where)) end,
    }
    local file = name .. ".t"
    local chunk, message = load(compile(file, host.template(file)), "=" .. file, "t", closed(fields, extra))
    if not chunk then error(message, 0) end
    chunk()
    return table.concat(pieces)
end

return template
