-- forms: reads what a spec gives to `rnn`, `model` or a layer, a form of fields (see fields.lua).
local fail = require "base.fail"
local fields = require "spec.fields"
local nearest = require "base.nearest"
local readers = require "spec.readers"

local forms = {}

-- Names of PyTorch and others for which a spec has no field, and why.
local foreign = {
    device = "generated code runs on the CPU that `target` names",
    dtype = "everything is float32",
    output_size = "y has hidden_size values in each direction; model { layers = { ..., dense { units = ... } } } "
        .. "has an output layer",
    return_sequences = "y always has every step; hn has the last one",
    stateful = "state is passed in as h0 and comes back as hn",
}

-- The text for a message: one line, not too long.
local function one_line(text)
    text = text:gsub("%c", function(c)
        return c == "\n" and "\\n" or string.format("\\%d", c:byte())
    end)
    return #text > 500 and text:sub(1, 497) .. "..." or text
end

forms.one_line = one_line

-- forms.reporter(file) -> what collects the errors of one file: report.error(line, message),
-- report.option_error(message), report.raise().
function forms.reporter(file)
    local lines, report = {}, { count = 0 }
    function report.error(line, message)
        report.count = report.count + 1
        lines[report.count] = { line = line or 0, order = report.count,
            text = fail.line(file, line, "error", message) }
    end
    -- Of the command line.
    function report.option_error(message)
        report.count = report.count + 1
        lines[report.count] = { line = 0, order = report.count, text = fail.line("rnnc", nil, "error", message) }
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

-- The names of a form's fields, what others call them, and the rows of the latter.
local function known_names(rows)
    local names, aliases, meant = {}, {}, {}
    for i, row in ipairs(rows) do
        names[i] = row.name
        for _, other in ipairs(row.also or {}) do
            aliases[#aliases + 1], meant[other] = other, row
        end
    end
    return names, aliases, meant
end

local function has(rows, name)
    for _, row in ipairs(rows) do
        if row.name == name then return true end
    end
end

-- Where a field of that name would be right, if not in this form.
local function elsewhere(rows, name)
    if rows == fields.model then
        for _, layer in ipairs { "rnn", "dense", "embedding", "activation", "scale", "flatten" } do
            if has(fields.layer[layer], name) then
                return "it is a field of a layer: layers = { " .. layer .. " { " .. name .. " = ... } }"
            end
        end
    elseif rows ~= fields.rnn and has(fields.model, name) then
        return "it is a field of the model: model { " .. name .. " = ..., layers = ... }"
    elseif rows == fields.rnn and has(fields.model, name) then
        return "it is a field of a model: model { " .. name .. " = ... }"
    end
end

-- What to do about a field that there is not, and the field that is meant, if that is clear.
local function advice_for(name, form, names, aliases, rows)
    if foreign[name] and not rows[name] then return foreign[name] end
    local other = not rows[name] and elsewhere(form, name)
    if other then return other end
    local near, row = nearest(name, names), rows[name]
    if near and not row then return "did you mean " .. near .. "?", near end
    row = row or rows[nearest(name, aliases)]
    if row then return "here it is " .. row.name .. " (" .. readers[row.type].allowed(row) .. ")", row.name end
    return "`rnnc help spec` lists them"
end

-- Fields that there are not, of which each is told.
local UNKNOWN_MAX <const> = 20

-- Reports fields that there are not or that are given twice; returns the set of fields that are meant.
local function check_names(form, given, placed, line_of, report)
    local names, aliases, rows = known_names(form)
    local is_known, meant, unknown = {}, {}, 0
    for _, name in ipairs(names) do is_known[name] = true end
    for _, name in ipairs(given_names(given, placed)) do
        unknown = unknown + (is_known[name] and 0 or 1)
        if unknown > UNKNOWN_MAX then
            report.error(line_of[name], "more such fields are not listed")
            break
        end
        if not is_known[name] then
            local advice, field = advice_for(name, form, names, aliases, rows)
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
local function read_fields(form, given, context, line_of, report)
    local result = {}
    for _, row in ipairs(form) do
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
            local message
            if read == nil then
                local instead = row.instead and type(value) == "string" and row.instead[value:lower()]
                hint = instead or hint or row.advice and row.advice(value)
                message = "expected " .. reader.allowed(row) .. (hint and "; " .. hint or "")
            else
                message = row.check and row.check(read, result, given)
            end
            if message then
                if context.options[row.name] then
                    local text = readers.show(context.options[row.name])
                    report.option_error("--" .. row.name .. "=" .. text .. ": " .. message)
                else
                    report.error(line_of[row.name], row.name .. " = " .. readers.show(value) .. ": " .. message)
                end
            else
                result[row.name] = read
            end
        end
    end
    return result
end

-- forms.read(rows, given, place, context, report) -> the values of a form, and the lines of its fields.
--   place    { line, fields = list of { name, line } }: where the text gives them
--   context  { file, options = what overrides fields from outside, label = in front of every message }
function forms.read(rows, given, place, context, report)
    local line_of = setmetatable({}, { __index = function() return place.line end })
    for _, field in ipairs(place.fields) do
        if not context.options[field.name] then line_of[field.name] = field.line end
    end
    local labelled = {
        error = function(line, message) report.error(line, context.label .. message) end,
        option_error = report.option_error,
    }
    local meant = check_names(rows, given, place.fields, line_of, labelled)
    local own = { file = context.file, options = context.options, form = context.form, meant = meant }
    return read_fields(rows, given, own, line_of, labelled), line_of
end

return forms
