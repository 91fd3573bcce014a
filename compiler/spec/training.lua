-- training: what a spec says of how its network is trained, read by its forms and held against the network.
local activations = require "tables.activations"
local fields = require "spec.fields"
local forms = require "spec.forms"
local layers = require "spec.layers"

local training = {}

-- Where the text gives a part; what is given twice, or by a variable, is told at the place of the whole.
local function place_of(calls, form, line)
    local found, count = nil, 0
    for _, call in ipairs(calls) do
        if call.form == form then found, count = call, count + 1 end
    end
    return count == 1 and found or { line = line, fields = {} }
end

-- The fields of a form, with its name as `form`; part: { form, fields } as the sandbox makes it.
local function read(rows, part, calls, line, label, report)
    local context = { file = "", options = {}, label = label, form = part.form }
    local result, lines = forms.read(rows, part.fields, place_of(calls, part.form, line), context, report)
    result.form = part.form
    return result, lines
end

-- Networks whose state at the end of a piece is that at the start of the next one.
local function runs_forward(layer)
    return not layer.bidirectional and layer.direction ~= "reverse" and not layers.once(layer)
end

local function check(result, network, lines, report)
    local list = network.layers or { network }
    local last = list[#list]
    local function error_at(field, message) report.error(lines[field], "training: " .. field .. message) end
    if result.loss == "cross_entropy" and activations.is(last.activation, "probable", true) and last.layer then
        error_at("loss", ' = "cross_entropy": it makes the softmax itself; leave that of the last layer out while the '
            .. 'network learns, or write "log_softmax"')
    end
    if result.class_weights and result.loss ~= "cross_entropy" then
        error_at("class_weights", ': only loss = "cross_entropy" has classes')
    elseif result.class_weights and #result.class_weights ~= layers.outputs_of(last) then
        error_at("class_weights", string.format(": there are %d, and the network has %d outputs, one for each class",
            #result.class_weights, layers.outputs_of(last)))
    end
    if result.piece then
        for _, layer in ipairs(list) do
            if not runs_forward(layer) then
                error_at("piece", ": the network needs the sequence as a whole; only networks whose layers all run "
                    .. "forward in time, on each step, can learn from pieces")
                break
            end
        end
        if network.lengths then error_at("piece", ": it goes with lengths = false only") end
    end
    local held_out = 0
    for _, name in ipairs { "validation", "test" } do
        if type(result[name]) == "number" then held_out = held_out + result[name] end
    end
    if held_out >= 1 then error_at("test", ": with validation nothing is left to learn from") end
end

-- training.read(result, calls, place, line, report) -> the training of the network `result`, whose field `training` is
-- as the sandbox made it: its fields, optimiser and schedule with their form as `form`; nil: it has none. calls: what
-- scan found; line: where the field stands. What is wrong goes to the report.
function training.read(network, calls, place, line, report)
    local part = network.training
    if not part then return nil end
    local at = line or place.line
    local result, lines = read(fields.training, part, calls, at, "training: ", report)
    for _, name in ipairs { "optimiser", "schedule" } do
        local own = result[name] or name == "optimiser" and { form = "adam", fields = {} } or nil
        if own then
            result[name] = read(fields.part[own.form], own, calls, lines[name] or at, "training: " .. own.form .. ": ",
                report)
        end
    end
    check(result, network, lines, report)
    return result
end

return training
