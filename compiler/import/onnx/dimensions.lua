-- dimensions: sizes of axes, of which some are known when the network runs only, such as steps and sequences.
--
-- A dimension is an integer or { factor, atoms, plus }: factor * the sizes of the atoms + plus. An atom is an axis of
-- an input of the graph, { size (nil: not known), role ("time", "batch"; nil: not known yet) }; two axes have the same
-- size for sure only if they are the same atom.
local dimensions = {}

local function made(factor, atoms, plus)
    if #atoms == 0 or factor == 0 then return factor + plus end
    return { factor = factor, atoms = atoms, plus = plus }
end

-- dimensions.of(atoms) -> the product of their sizes.
function dimensions.of(atoms)
    local factor, unknown = 1, {}
    for _, atom in ipairs(atoms) do
        if atom.size then
            factor = factor * atom.size
        else
            unknown[#unknown + 1] = atom
        end
    end
    return made(factor, unknown, 0)
end

local function is_number(dimension) return math.type(dimension) == "integer" end

-- dimensions.equal(a, b) -> are they the same for sure?
function dimensions.equal(a, b)
    if is_number(a) or is_number(b) then return a == b end
    if a.factor ~= b.factor or a.plus ~= b.plus or #a.atoms ~= #b.atoms then return false end
    local left = {}
    for _, atom in ipairs(a.atoms) do left[atom] = (left[atom] or 0) + 1 end
    for _, atom in ipairs(b.atoms) do
        if (left[atom] or 0) == 0 then return false end
        left[atom] = left[atom] - 1
    end
    return true
end

-- dimensions.add(a, b), subtract, multiply, divide (rounded to zero, as of integers in ONNX) -> the result; nil: it is
-- no dimension that can be told.
function dimensions.add(a, b)
    if is_number(a) and is_number(b) then return a + b end
    if is_number(a) then a, b = b, a end
    return is_number(b) and made(a.factor, a.atoms, a.plus + b) or nil
end

function dimensions.subtract(a, b)
    if is_number(b) then return dimensions.add(a, -b) end
    if is_number(a) then return nil end
    return dimensions.equal(a, made(b.factor, b.atoms, a.plus)) and a.plus - b.plus or nil
end

function dimensions.multiply(a, b)
    if is_number(a) and is_number(b) then return a * b end
    if is_number(a) then a, b = b, a end
    if is_number(b) then return made(a.factor * b, a.atoms, a.plus * b) end
    if a.plus ~= 0 or b.plus ~= 0 then return nil end
    return made(a.factor * b.factor, table.move(b.atoms, 1, #b.atoms, #a.atoms + 1, { table.unpack(a.atoms) }), 0)
end

function dimensions.divide(a, b)
    if b == 0 then return nil end
    if is_number(a) and is_number(b) then
        local quotient = a // b
        return quotient < 0 and quotient * b ~= a and quotient + 1 or quotient
    end
    if is_number(b) then
        if is_number(a) or a.factor % b ~= 0 or a.plus % b ~= 0 then return nil end
        return made(a.factor // b, a.atoms, a.plus // b)
    end
    return dimensions.equal(a, b) and 1 or nil
end

-- dimensions.text(dimension) -> "5", "time", "?".
function dimensions.text(dimension)
    if is_number(dimension) then return tostring(dimension) end
    local parts = { dimension.factor ~= 1 and tostring(dimension.factor) or nil }
    for _, atom in ipairs(dimension.atoms) do parts[#parts + 1] = atom.role or atom.name or "?" end
    return table.concat(parts, " * ") .. (dimension.plus ~= 0 and string.format(" %+d", dimension.plus) or "")
end

return dimensions
