-- statements: C as data. A program is a list of nodes, built by the functions here, checked, and printed.
--
--     { kind = "declare", type, entries = { { name, value, dims }, ... }, kept }   value: C text, or nil; kept: a name
--                                                        for people, which stays where its value is another name
--     { kind = "loop", first (a declare node, or nil), condition, step, body }
--     { kind = "when", condition, body, otherwise }      otherwise: a list of nodes, or nil
--     { kind = "block", body }
--     { kind = "call", fn, arguments }
--     { kind = "set", text }                              an assignment, or continue
--     { kind = "barrier", passed }, { kind = "post" }        of a team, see templates/team.c.t
--     { kind = "comment", text }
--     { kind = "text", text, names }                      lines of a template that declare `names`
--
-- Expressions are C text; `sum` and `times` make them and leave out what adds 0 or multiplies by 1. A list may hold
-- lists, and `false` for nothing.
local fold = require "emit.fold"

local statements = {}

-- The widest line.
local WIDTH <const> = 120

-- ---- expressions ----

-- sum(...) -> the C text of a sum of texts and integers; false, nil and 0 are left out.
function statements.sum(...)
    local list = {}
    for i = 1, select("#", ...) do
        local term = select(i, ...)
        if term and tostring(term) ~= "0" then list[#list + 1] = tostring(term) end
    end
    return #list == 0 and "0" or table.concat(list, " + ")
end

-- times(...) -> the C text of a product of factors, which have brackets if they need them.
function statements.times(...)
    local list = {}
    for i = 1, select("#", ...) do
        local factor = tostring((select(i, ...)))
        if factor == "0" then return "0" end
        if factor ~= "1" then list[#list + 1] = factor end
    end
    return #list == 0 and "1" or table.concat(list, " * ")
end

-- ---- nodes ----

-- declare(type, { name, value }, ...): variables of one type. dims behind the name, as in "[]", is a third entry.
function statements.declare(type, ...) return { kind = "declare", type = type, entries = { ... } } end

-- loop(first, condition, step, body): first is a declare node or nil; without a step too it is a while.
function statements.loop(first, condition, step, body)
    return { kind = "loop", first = first or nil, condition = condition, step = step, body = body }
end

-- count(type, name, extent, body, from, also): for (type name = from; also && name < extent; ++name)
function statements.count(type, name, extent, body, from, also)
    return statements.loop(statements.declare(type, { name, from or "0" }),
        (also and also .. " && " or "") .. name .. " < " .. extent, "++" .. name, body)
end

function statements.when(condition, body, otherwise)
    return { kind = "when", condition = condition, body = body, otherwise = otherwise }
end

function statements.block(body) return { kind = "block", body = body } end

function statements.call(fn, ...)
    local arguments = {}
    for i = 1, select("#", ...) do
        local word = select(i, ...)
        if word then arguments[#arguments + 1] = tostring(word) end
    end
    return { kind = "call", fn = fn, arguments = arguments }
end

-- copy(to, from, count), zero(to, count): of `count` floats, C text.
function statements.copy(to, from, count) return statements.call("memcpy", to, from, count .. " * sizeof(float)") end
function statements.zero(to, count) return statements.call("memset", to, "0", count .. " * sizeof(float)") end

function statements.set(text) return { kind = "set", text = text } end
function statements.comment(text) return { kind = "comment", text = text } end
-- passed: C text of the address of the count of barriers passed.
function statements.barrier(passed) return { kind = "barrier", passed = passed or "&passed" } end
function statements.post() return { kind = "post" } end
function statements.text(text, names) return { kind = "text", text = text, names = names } end

-- flat(list) -> the nodes of a list of nodes, lists and false.
local function flat(list, into)
    into = into or {}
    if list.kind then
        into[#into + 1] = list
        return into
    end
    for i = 1, #list do
        if list[i] then flat(list[i], into) end
    end
    return into
end

-- ---- names ----

-- Words of C that are no variables.
local words = {}
for word in ("sizeof float int size_t ptrdiff_t const NULL continue rnnc_team"):gmatch("%S+") do words[word] = true end

-- Calls see(name) for each variable in C text: no functions, members of structs, or letters of numbers.
local function variables(text, see)
    local first, last = text:find("[%a_][%w_]*")
    while first do
        local name, before = text:sub(first, last), text:sub(1, first - 1)
        local other = before:find("[%w.]$") or before:find("%->$") or text:find("^%(", last + 1)
        if not other and not words[name] then see(name) end
        first, last = text:find("[%a_][%w_]*", last + 1)
    end
end

-- What a node reads by itself, without its body.
local function reads(node, see)
    local function all(...)
        for i = 1, select("#", ...) do
            local text = select(i, ...)
            if text then variables(text, see) end
        end
    end
    if node.kind == "declare" then
        for _, entry in ipairs(node.entries) do all(entry[2]) end
    elseif node.kind == "loop" then
        if node.first then reads(node.first, see) end
        all(node.condition, node.step)
    elseif node.kind == "when" then
        all(node.condition)
    elseif node.kind == "call" then
        all(table.unpack(node.arguments))
    elseif node.kind == "set" or node.kind == "text" then
        all(node.text)
    elseif node.kind == "barrier" then
        all("team", "part", "parts", node.passed)
    elseif node.kind == "post" then
        all("team", "part", "parts")
    end
end

local function each(list, visit)
    for _, node in ipairs(list) do
        visit(node)
        if node.body then each(node.body, visit) end
        if node.otherwise then each(node.otherwise, visit) end
    end
end

-- statements.simplified(list) -> the same program without lists in lists, empty loops and conditions, and constants
-- that nothing reads.
function statements.simplified(list)
    local result = {}
    for _, node in ipairs(flat(list)) do
        local copy = {}
        for k, value in pairs(node) do copy[k] = value end
        copy.body = node.body and statements.simplified(node.body)
        copy.otherwise = node.otherwise and statements.simplified(node.otherwise)
        if not (copy.body and #copy.body == 0 and (not copy.otherwise or #copy.otherwise == 0)) then
            result[#result + 1] = copy
        end
    end
    return result
end

-- Takes away constants that nothing behind them in their block reads, from the end, so that what only they read
-- goes, too.
local function prune(nodes)
    for i = #nodes, 1, -1 do
        local node = nodes[i]
        if node.body then prune(node.body) end
        if node.otherwise then prune(node.otherwise) end
        if node.kind == "declare" and node.type:find "^const " then
            local read = {}
            local function mark(name) read[name] = true end
            each(table.move(nodes, i + 1, #nodes, 1, {}), function(later) reads(later, mark) end)
            local kept = {}
            for k = #node.entries, 1, -1 do
                local entry = node.entries[k]
                if read[entry[1]] then
                    table.insert(kept, 1, entry)
                    if entry[2] then variables(entry[2], mark) end
                end
            end
            node.entries = kept
            if #kept == 0 then table.remove(nodes, i) end
        end
    end
    return nodes
end

-- statements.check(list, parameters): an error unless every variable is declared where it is read and every one that
-- is declared is read, and all parts of a team come to every barrier. parameters: names.
function statements.check(list, parameters)
    local known = {}
    for _, name in ipairs(parameters) do known[name] = { used = true } end
    -- alone: are they for some parts only?
    local function visit(nodes, outer, alone)
        local scope = setmetatable({}, { __index = outer })
        local function see(name)
            if not scope[name] then error("forward program: " .. name .. " is read and not declared", 0) end
            scope[name].used = true
        end
        local own, some = {}, alone
        local function divides(name) some = some or name == "part" or name == "last" end
        local function declare(name)
            if rawget(scope, name) then error("forward program: " .. name .. " is declared twice", 0) end
            scope[name] = { name = name }
            own[#own + 1] = scope[name]
        end
        for _, node in ipairs(nodes) do
            if node.kind == "declare" then
                for _, entry in ipairs(node.entries) do
                    if entry[2] then variables(entry[2], see) end
                    declare(entry[1])
                end
            elseif node.kind == "text" then
                -- It has variables of its own.
                variables(node.text, function(name) if scope[name] then scope[name].used = true end end)
                for _, name in ipairs(node.names) do declare(name) end
            elseif node.kind == "loop" then
                local head = node.first and { node.first } or {}
                some = alone
                for _, entry in ipairs(node.first and node.first.entries or {}) do
                    if entry[2] then variables(entry[2], divides) end
                end
                head[#head + 1] = { kind = "when", condition = node.condition, body = node.body, step = node.step }
                visit(head, scope, some)
            else
                reads(node, see)
                if node.kind == "barrier" and alone then
                    error("forward program: a barrier that some parts do not come to", 0)
                end
                if node.kind == "block" then visit(node.body, scope, alone) end
                if node.kind == "when" then
                    if node.step then variables(node.step, see) end
                    some = alone
                    variables(node.condition, divides)
                    visit(node.body, scope, some)
                    if node.otherwise then visit(node.otherwise, scope, some) end
                end
            end
        end
        for _, entry in ipairs(own) do
            if not entry.used then error("forward program: " .. entry.name .. " is declared and not read", 0) end
        end
    end
    visit(list, known, false)
end

-- ---- printing ----

-- Where a line that is too wide may end: behind commas, rather than in front of operators.
local breaks <const> = { { "[,;] ", 1 }, { " && ", 0 }, { " [?:] ", 0 }, { " %+ ", 0 }, { " %* ", 0 } }

-- statements.broken(line) -> the line, or lines of at most 120 columns.
local function broken(line)
    if #line <= WIDTH then return line end
    local indent = line:match("^ *")
    for _, one in ipairs(breaks) do
        local best, at = nil, line:find(one[1], #indent + 16)
        while at and at + one[2] <= WIDTH do
            best, at = at + one[2], line:find(one[1], at + 1)
        end
        if best then return line:sub(1, best - 1) .. "\n" .. broken(indent .. "    " .. line:sub(best + 1)) end
    end
    return line
end

statements.broken = broken

local function declaration(node)
    local parts = {}
    for i, entry in ipairs(node.entries) do
        parts[i] = entry[1] .. (entry[3] or "") .. (entry[2] and " = " .. entry[2] or "")
    end
    return node.type .. (node.type:find "%*c?o?n?s?t?$" and (node.type:find "%*$" and "" or " ") or " ")
        .. table.concat(parts, ", ")
end

local print_list

local function head(node)
    if not node.first and not node.step then return "while (" .. node.condition .. ")" end
    return string.format("for (%s; %s; %s)", node.first and declaration(node.first) or "", node.condition, node.step)
end

-- Is a body one statement that needs no braces? nested: may it be a loop or condition with such a body?
local function lone(body, nested)
    if #body ~= 1 then return false end
    local kind = body[1].kind
    if kind == "call" or kind == "set" or kind == "barrier" then return true end
    return nested and (kind == "loop" or kind == "when" and not body[1].otherwise) and lone(body[1].body, true)
end

local function block(put, indent, text, body, braces)
    put(indent .. text .. (braces and " {" or ""))
    print_list(put, indent .. "    ", body)
end

local printers = {}

function printers.block(put, indent, node)
    put(indent .. "{")
    print_list(put, indent .. "    ", node.body)
    put(indent .. "}")
end

function printers.declare(put, indent, node) put(indent .. declaration(node) .. ";") end
function printers.set(put, indent, node) put(indent .. node.text .. ";") end
function printers.barrier(put, indent, node) put(indent .. "barrier(team, part, parts, " .. node.passed .. ");") end
function printers.post(put, indent) put(indent .. "if (parts > 1) team->post(team->context, part);") end

function printers.comment(put, indent, node)
    put(indent .. "/* " .. node.text:gsub("\n", "\n" .. indent .. " * ") .. " */")
end

function printers.text(put, indent, node)
    for line in node.text:gmatch("([^\n]*)\n") do put(line == "" and "" or indent .. line) end
end

function printers.call(put, indent, node)
    put(indent .. node.fn .. "(" .. table.concat(node.arguments, ", ") .. ");")
end

function printers.loop(put, indent, node)
    local braces = not lone(node.body, true)
    block(put, indent, head(node), node.body, braces)
    if braces then put(indent .. "}") end
end

function printers.when(put, indent, node)
    local otherwise = node.otherwise
    local braces = not lone(node.body, not otherwise) or otherwise and not lone(otherwise, false)
    block(put, indent, "if (" .. node.condition .. ")", node.body, braces)
    while otherwise do
        local next_one = #otherwise == 1 and otherwise[1].kind == "when" and otherwise[1]
        local condition = next_one and " if (" .. next_one.condition .. ")" or ""
        local body = next_one and next_one.body or otherwise
        block(put, indent, (braces and "} else" or "else") .. condition, body, braces)
        otherwise = next_one and next_one.otherwise
    end
    if braces then put(indent .. "}") end
end

function print_list(put, indent, list)
    for _, node in ipairs(list) do printers[node.kind](put, indent, node) end
end

-- statements.print(list, indent) -> lines of C of at most 120 columns.
function statements.print(list, indent)
    local lines = {}
    print_list(function(line)
        for one in (line .. "\n"):gmatch("([^\n]*)\n") do lines[#lines + 1] = broken(one) end
    end, indent, list)
    return table.concat(lines, "\n") .. "\n"
end

-- statements.program(list, parameters) -> the program folded (see fold.lua), simplified and checked.
function statements.program(list, parameters)
    local program = prune(statements.simplified(fold.program(statements.simplified(list))))
    statements.check(program, parameters)
    return program
end

-- statements.define(doc, name, parameters, list) -> the C of a function, with a comment in front of it. doc: its lines;
-- name: all that stands in front of the parameters, which are C text.
function statements.define(doc, name, parameters, list)
    local names = {}
    for one in (parameters .. ","):gmatch("([%w_]+),") do names[#names + 1] = one end
    local body, unread = statements.print(statements.program(list, names), "    "), {}
    -- Programs for the parts of a batch have one list of parameters.
    for _, one in ipairs(names) do
        if not body:find("%f[%w_]" .. one .. "%f[^%w_]") then unread[#unread + 1] = "    (void)" .. one .. ";\n" end
    end
    return table.concat {
        "\n/* ", doc:gsub("\n", "\n * ") .. (doc:find "\n" and "\n */\n" or " */\n"),
        broken(name .. "(" .. parameters .. ")"), "\n{\n", table.concat(unread), body, "}\n",
    }
end

return statements
