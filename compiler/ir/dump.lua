-- dump: a program as readable pseudo-code.
--
--     forward(T, B)
--       weight     weight_ih_l0    f32 (12, 3)
--       ...
--     for t in T:
--         gates_x[t, b, i] = sum(k in 3) weight_ih_l0[i, k] * x[t, b, k]   for b in B, i in 12
local affine = require "ir.affine"

local dump = {}

local infix = { add = " + ", sub = " - ", mul = " * ", div = " / ", less = " < ", equal = " == " }

local function access_text(access)
    local words = {}
    for i = 2, #access do
        local index = access[i]
        local text = affine.text(index)
        if index.lookup then
            text = access_text(index.lookup) .. (index[1] == 0 and "" or (index[1] < 0 and " - "
                or " + ") .. math.abs(index[1]))
        end
        words[i - 1] = text
    end
    return access[1] .. "[" .. table.concat(words, ", ") .. "]"
end

-- dump.expression(tree) -> one line.
function dump.expression(tree, inner)
    if type(tree) == "number" then return string.format("%.17g", tree) end
    if type(tree) ~= "table" then return "?" end
    if tree[1] == "read" then return access_text(tree[2]) end
    if tree[1] == "index" then return affine.text(tree[2]) end
    if tree[1] == "local" then return tree[2] end
    if tree[1] == "let" then
        return string.format("let %s = %s in %s", tree[2], dump.expression(tree[3]), dump.expression(tree[4]))
    end
    local words = {}
    local sign = #tree == 3 and infix[tree[1]]
    for i = 2, #tree do words[i - 1] = dump.expression(tree[i], sign) end
    if not sign then return tostring(tree[1]) .. "(" .. table.concat(words, ", ") .. ")" end
    local text = table.concat(words, sign)
    return inner and "(" .. text .. ")" or text
end

local function ranges_text(ranges)
    local words = {}
    for i, range in ipairs(ranges) do words[i] = range[1] .. " in " .. affine.text(range[2]) end
    return table.concat(words, ", ")
end

local function over_text(ranges) return #ranges == 0 and "" or "   for " .. ranges_text(ranges) end

-- By op, the lines of a statement.
local lines_of = {
    ["for"] = function(s)
        return { string.format("for %s in %s%s:", s.var, affine.text(s.extent), s.step == -1 and ", backwards" or "") }
    end,
    product = function(s)
        return { string.format("%s %s sum(%s) %s * %s%s", access_text(s.out), s.accumulate and "+=" or "=",
            ranges_text(s.sum), access_text(s.a), access_text(s.b), over_text(s.over)) }
    end,
    map = function(s)
        local lines = {}
        for i, set in ipairs(s.sets) do
            lines[i] = string.format("%s %s %s%s", access_text(set[1]), s.accumulate and "+=" or "=",
                dump.expression(set[2]), over_text(s.over))
        end
        return lines
    end,
    reduce = function(s)
        return { string.format("%s = %s(%s) %s%s", access_text(s.out), s.kind, ranges_text(s.sum),
            dump.expression(s.value), over_text(s.over)) }
    end,
}

-- dump.head(statement) -> its first line, cut short: for messages, also of statements that are none.
function dump.head(s)
    local ok, lines = pcall(function() return lines_of[s.op](s) end)
    local text = ok and lines[1] or tostring(s.op)
    return #text > 100 and text:sub(1, 97) .. "..." or text
end

-- dump.text(program) -> all of it.
function dump.text(program)
    local out = { string.format("%s(%s)", program.name, table.concat(program.symbols, ", ")) }
    for _, b in ipairs(program.buffers) do
        local dims = {}
        for i, dim in ipairs(b.dims) do dims[i] = affine.text(dim) end
        out[#out + 1] = string.format("  %-10s %-20s %s (%s)%s", b.role, b.name, b.dtype, table.concat(dims, ", "),
            b.order and " in memory by " .. table.concat(b.order, ", ") or "")
    end
    local function put(body, depth)
        for _, s in ipairs(body) do
            for _, line in ipairs(lines_of[s.op](s)) do out[#out + 1] = ("    "):rep(depth) .. line end
            if s.body then put(s.body, depth + 1) end
        end
    end
    put(program.body, 0)
    return table.concat(out, "\n") .. "\n"
end

return dump
