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
--     { kind = "leave", value }                           return; value: C text, or nil
--     { kind = "directive", text }                        a line of the preprocessor
--     { kind = "comment", text }
--     { kind = "text", text, names }                      lines of a template that declare `names`
--
-- Expressions are C text; `sum` and `times` make them and leave out what adds 0 or multiplies by 1. A list may hold
-- lists, and `false` for nothing.
local fold = require "emit.fold"
local printer = require "emit.printer"

local statements = { broken = printer.broken, print = printer.print }

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
function statements.leave(value) return { kind = "leave", value = value } end
function statements.directive(text) return { kind = "directive", text = text } end
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
    local body, unread = printer.print(statements.program(list, names), "    "), {}
    -- Programs for the parts of a batch have one list of parameters.
    for _, one in ipairs(names) do
        if not body:find("%f[%w_]" .. one .. "%f[^%w_]") then unread[#unread + 1] = "    (void)" .. one .. ";\n" end
    end
    return table.concat {
        "\n/* ", doc:gsub("\n", "\n * ") .. (doc:find "\n" and "\n */\n" or " */\n"),
        printer.broken(name .. "(" .. parameters .. ")"), "\n{\n", table.concat(unread), body, "}\n",
    }
end

-- statements.plain(doc, name, parameters, list) -> the same as it stands, neither folded nor checked: of functions that
-- ask the processor, refuse what is wrong and call others. doc may be nil.
function statements.plain(doc, name, parameters, list)
    return table.concat {
        "\n", doc and "/* " .. doc .. " */\n" or "", printer.broken(name .. "(" .. parameters .. ")"), "\n{\n",
        printer.print(statements.simplified(list), "    "), "}\n",
    }
end

return statements
