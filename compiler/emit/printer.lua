-- printer: statements (see statements.lua) as C.
local printer = {}

-- The widest line.
local WIDTH <const> = 120

-- Where a line that is too wide may end: behind commas, rather than in front of operators.
local breaks <const> = { { "[,;] ", 1 }, { " && ", 0 }, { " [?:] ", 0 }, { " %+ ", 0 }, { " %* ", 0 } }

-- printer.broken(line) -> the line, or lines of at most 120 columns.
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

printer.broken = broken

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
    if kind == "call" or kind == "set" or kind == "barrier" or kind == "leave" then return true end
    return nested and (kind == "loop" or kind == "when" and not body[1].otherwise) and lone(body[1].body, true)
end

-- The same of what stands behind an else, of all branches.
local function lone_rest(otherwise)
    local one = #otherwise == 1 and otherwise[1]
    if not one or one.kind ~= "when" then return lone(otherwise, false) end
    return lone(one.body, false) and (not one.otherwise or lone_rest(one.otherwise))
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

function printers.leave(put, indent, node)
    put(indent .. "return" .. (node.value and " " .. node.value or "") .. ";")
end

function printers.directive(put, _, node) put(node.text) end

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
    if not otherwise and #node.body == 1 and node.body[1].kind == "leave" then
        -- What is refused or done already: a line each.
        return printers.leave(put, indent .. "if (" .. node.condition .. ") ", node.body[1])
    end
    local braces = not lone(node.body, not otherwise) or otherwise and not lone_rest(otherwise)
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

-- printer.print(list, indent) -> lines of C of at most 120 columns.
function printer.print(list, indent)
    local lines = {}
    print_list(function(line)
        for one in (line .. "\n"):gmatch("([^\n]*)\n") do lines[#lines + 1] = broken(one) end
    end, indent, list)
    return table.concat(lines, "\n") .. "\n"
end

return printer
