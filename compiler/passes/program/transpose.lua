-- program.transpose: products along the rows of a weight get a copy of it with rows and columns exchanged, made once in
-- front of all, so that what they sum up lies side by side for all outputs: vectors across outputs need no sums of
-- their lanes.
local accesses = require "ir.accesses"
local affine = require "ir.affine"
local check = require "ir.check"
local grammar = require "ir.grammar"

local transpose = {}

local function names(list, var)
    for _, range in ipairs(list) do
        if range[1] == var then return range end
    end
end

local function variable(index)
    return #index == 2 and index[2][2] == 1 and not index.lookup and index[2][1] or nil
end

-- transpose.run(program) -> program, checked.
function transpose.run(program)
    local copies, buffers, body = {}, table.move(program.buffers, 1, #program.buffers, 1, {}), {}
    local function copy_of(buffer)
        local name = buffer.name .. "_columns"
        if not copies[name] then
            copies[name] = true
            buffers[#buffers + 1] = grammar.buffer(name, "workspace", { buffer.dims[2], buffer.dims[1] })
            body[#body + 1] = grammar.statement { op = "map", from = "weights by columns",
                over = { { "k", buffer.dims[2] }, { "i", buffer.dims[1] } },
                sets = { { grammar.access(name, "k", "i"), grammar.read(buffer.name, "i", "k") } } }
        end
        return name
    end
    local function change(s)
        if s.op ~= "product" then return { s } end
        local buffer = grammar.find(program, s.a[1])
        if buffer.role ~= "weight" or #buffer.dims ~= 2 then return { s } end
        local row, column = variable(s.a[2]), variable(s.a[3])
        if not (row and column and names(s.over, row) and names(s.sum, column)) then return { s } end
        return { accesses.changed(s, { a = { copy_of(buffer), s.a[3], affine.of(s.a[2]) } }) }
    end
    local rest = accesses.map_body(program.body, change)
    table.move(rest, 1, #rest, #body + 1, body)
    return check { name = program.name, symbols = program.symbols, buffers = buffers, body = body }
end

return transpose
