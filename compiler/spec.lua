-- spec: from the text of a spec to the table that the compiler works on.
--
-- Everything that is wrong is found in one go and raised as a user's mistake, a line each.
local fail = require "fail"
local fields = require "fields"
local host = require "host"
local nearest = require "nearest"
local readers = require "readers"
local scan = require "scan"
local targets = require "targets"

local TEXT_MAX <const> = 65536

-- Limits on products of sizes: with them every count of bytes stays far inside 64 bits.
local WEIGHT_BYTES_MAX <const> = 1 << 40
local VALUES_MAX <const> = 1 << 40

local spec = {}

-- Names of PyTorch and others for which a spec has no field, and why.
local foreign = {
    proj_size = "projections are not available",
    device = "generated code runs on the CPU that `target` names",
    dtype = "everything is float32",
    output_size = "an output layer is not part of the network; y has hidden_size values in each direction",
    return_sequences = "y always has every step; hn has the last one",
    stateful = "state is passed in as h0 and comes back as hn",
}

local function one_line(text)
    text = text:gsub("%c", function(c)
        return c == "\n" and "\\n" or string.format("\\%d", c:byte())
    end)
    return #text > 500 and text:sub(1, 497) .. "..." or text
end

-- Collects the errors of one file.
local function reporter(file)
    local lines, report = {}, { count = 0 }
    function report.error(line, message)
        report.count = report.count + 1
        lines[report.count] = { line = line or 0, order = report.count,
            text = fail.line(file, line, "error", message) }
    end
    function report.raise()
        if report.count == 0 then return end
        table.sort(lines, function(a, b)
            if a.line ~= b.line then return a.line < b.line end
            return a.order < b.order
        end)
        for i, entry in ipairs(lines) do lines[i] = entry.text end
        fail.with(lines)
    end
    return report
end

-- Field names in a fixed order: as in the text, then the others sorted.
local function given_names(given, placed)
    local listed, order, rest = {}, {}, {}
    for _, field in ipairs(placed) do
        if given[field.name] ~= nil and not listed[field.name] then
            listed[field.name] = true
            order[#order + 1] = field.name
        end
    end
    for key in pairs(given) do
        if type(key) == "string" and not listed[key] then rest[#rest + 1] = key end
    end
    table.sort(rest)
    return table.move(rest, 1, #rest, #order + 1, order)
end

-- The names of all fields, what others call them, and the rows of the latter.
local function known_names()
    local names, aliases, rows = {}, {}, {}
    for i, row in ipairs(fields) do
        names[i] = row.name
        for _, other in ipairs(row.also or {}) do
            aliases[#aliases + 1], rows[other] = other, row
        end
    end
    return names, aliases, rows
end

-- What to do about a field that there is not, and the field that is meant, if that is clear.
local function advice_for(name, names, aliases, rows)
    if foreign[name] then return foreign[name] end
    local near, row = nearest(name, names), rows[name]
    if near and not row then return "did you mean " .. near .. "?", near end
    row = row or rows[nearest(name, aliases)]
    if row then return "here it is " .. row.name .. " (" .. readers[row.type].allowed(row) .. ")", row.name end
    return "`rnnc help spec` lists them"
end

-- Reports fields that there are not or that are given twice; returns the set of fields that are meant.
local function check_names(given, placed, line_of, report)
    local names, aliases, rows = known_names()
    local is_known, meant = {}, {}
    for _, name in ipairs(names) do is_known[name] = true end
    for _, name in ipairs(given_names(given, placed)) do
        if not is_known[name] then
            local advice, field = advice_for(name, names, aliases, rows)
            if field then meant[field] = true end
            report.error(line_of[name], one_line(name) .. ": there is no such field; " .. advice)
        end
    end
    for key in pairs(given) do
        if type(key) ~= "string" then
            report.error(line_of[""], "the table has an entry without a name; a field is given as name = value")
            break
        end
    end
    local seen = {}
    for _, field in ipairs(placed) do
        if seen[field.name] and given[field.name] ~= nil then
            report.error(field.line, field.name .. ": given twice (first in line " .. seen[field.name] .. ")")
        end
        seen[field.name] = seen[field.name] or field.line
    end
    return meant
end

-- The values of all rows, defaults filled in. A field with an error stays nil. context: {file=,
-- meant= (fields that are given under another name), options= (the options that override fields)}
local function read_fields(given, context, line_of, report)
    local result = {}
    for _, row in ipairs(fields) do
        local value, reader = given[row.name], readers[row.type]
        if value == nil then
            local default = row.default
            if type(default) == "function" then default = default(result, context) end
            if default ~= nil then
                result[row.name] = reader.read(default, row)
            elseif not row.optional and row.default == nil and not context.meant[row.name] then
                report.error(line_of[""], row.name .. " is missing: " .. row.doc[1] .. "; expected "
                    .. reader.allowed(row))
            end
        else
            local read, hint = reader.read(value, row)
            local problem
            if read == nil then
                hint = hint or row.advice and row.advice(value)
                problem = "expected " .. reader.allowed(row) .. (hint and "; " .. hint or "")
            else
                problem = row.check and row.check(read, result)
            end
            if problem then
                local given_as = context.options[row.name] and "--" .. row.name or row.name
                report.error(line_of[row.name], given_as .. " = " .. readers.show(value) .. ": " .. problem)
            else
                result[row.name] = read
            end
        end
    end
    return result
end

-- What one field alone cannot tell. Sizes are within the limits of their rows, so nothing here
-- overflows 64 bits.
local function check_products(result, line_of, report)
    local directions = result.bidirectional and 2 or 1
    local h, i, layers = result.hidden_size, result.input_size, result.num_layers
    if h and i and layers then
        local bytes = 4 * 4 * directions * (h * (i + h + 2) + (layers - 1) * h * ((directions + 1) * h + 2))
        if bytes > WEIGHT_BYTES_MAX then
            report.error(line_of.hidden_size or line_of[""], string.format(
                "the network is too large: its weights could take %d GB, and the limit is %d GB",
                bytes >> 30, WEIGHT_BYTES_MAX >> 30))
        end
    end
    if h and i and math.type(result.seq_len) == "integer" and math.type(result.batch) == "integer" then
        local values = result.seq_len * result.batch * math.max(i, directions * h)
        if values > VALUES_MAX then
            report.error(line_of.seq_len or line_of[""], string.format(
                "a call is too large: x or y would have %d values, and the limit is %d", values, VALUES_MAX))
        end
    end
end

-- The best target that this machine can run, in place of "native".
local function resolve(list)
    if list[1] ~= "native" then return list end
    local cpu, best = host.cpu(), nil
    for _, name in ipairs(targets.order) do
        local runs = true
        for _, need in ipairs(targets[name].needs) do runs = runs and cpu[need] end
        if runs then best = name end
    end
    return { best }
end

-- The value of an option in place of the field: "a,b" is a list.
local function override(given, options)
    if options.target then
        local list = {}
        for name in (options.target .. ","):gmatch("([^,]*),") do list[#list + 1] = name end
        given.target = #list == 1 and list[1] or list
    end
    if options.weights then given.weights = options.weights end
end

local function directory_of(path) return path:match("^(.*/)[^/]*$") or "" end

-- spec.from_text(text, file, options) -> spec, notes. `file` is the path for messages, and what
-- weights are relative to; options may override `target` and `weights` (relative to the current
-- directory then). notes are lines for the user that are no errors.
function spec.from_text(text, file, options)
    options = options or {}
    text = text:gsub("^\239\187\191", "")
    if text:sub(1, 1) == "\27" then fail.at(file, "this is compiled Lua; a spec is a text") end
    local given, message, line = host.sandbox(text, host.resource("compiler/sandbox.lua"))
    local placed, place = scan(text)
    if not given then
        -- 0: in the line of `rnn`, if there is one.
        if line == 0 then line = place end
        fail.with { fail.line(file, line, "error", one_line(message)) }
    end
    local line_of, report = {}, reporter(file)
    for _, field in ipairs(placed) do
        if not options[field.name] then line_of[field.name] = field.line end
    end
    setmetatable(line_of, { __index = function() return place end })
    override(given, options)
    local meant = check_names(given, placed, line_of, report)
    local result = read_fields(given, { file = file, meant = meant, options = options }, line_of, report)
    check_products(result, line_of, report)
    report.raise()

    local notes = {}
    if result.dropout > 0 and result.num_layers == 1 then
        notes[1] = fail.line(file, line_of.dropout, "note",
            "dropout acts between layers and there is one layer, so it had no effect in training either")
    end
    result.target = resolve(result.target)
    result.source = file:match("([^/]*)$")
    if result.weights then
        local relative = not options.weights and result.weights:sub(1, 1) ~= "/"
        result.weights_path = (relative and directory_of(file) or "") .. result.weights
    end
    return result, notes
end

-- spec.load(path, options) -> as spec.from_text, from a file.
function spec.load(path, options)
    local text, message = host.read(path, TEXT_MAX)
    if not text then
        local hint = message:find("more than", 1, true) and "; is this a spec? A spec is a few lines of Lua" or ""
        fail.at(path, message .. hint)
    end
    return spec.from_text(text, path, options)
end

return spec
