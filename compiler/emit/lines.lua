-- lines: how lines of C stand on the page, whichever template or program they come from.
local statements = require "emit.statements"

local lines = {}

local WIDTH <const> = 120

local function quotes(text) return select(2, text:gsub('"', "")) end

-- A line of at most 120 columns, or several. Comments and what the preprocessor reads stay as they are, and so does a
-- line that would end in a string.
local function fitted(line)
    if #line <= WIDTH or line:find("^%s*[#/*]") then return line end
    local several = statements.broken(line)
    for one in several:gmatch("[^\n]+") do
        if quotes(one) % 2 == 1 then return line end
    end
    return several
end

-- lines.laid_out(text) -> C with an inline function of one statement on one line, where it fits, several of them
-- without empty lines between, no two empty lines behind each other, and lines of at most 120 columns.
function lines.laid_out(text)
    local list, out = {}, {}
    for line in text:gmatch("([^\n]*)\n") do list[#list + 1] = line end
    local i = 1
    while i <= #list do
        local line, inner = list[i], (list[i + 2] or ""):match("^    (%S[^{}]*;)$")
        local one = inner and list[i + 1] == "{" and list[i + 3] == "}" and line:find("^INLINE_.*%)$")
            and line .. " { " .. inner .. " }"
        if one and #one <= WIDTH then
            -- What has no comment of its own goes with the one before.
            if out[#out] == "" and (out[#out - 1] or ""):find "^INLINE_.*}$" then out[#out] = nil end
            out[#out + 1] = one
            i = i + 4
        else
            if line ~= "" or out[#out] ~= "" then out[#out + 1] = fitted(line) end
            i = i + 1
        end
    end
    return table.concat(out, "\n") .. "\n"
end

return lines
