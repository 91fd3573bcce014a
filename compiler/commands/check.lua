-- rnnc check: is the spec right, and does its weights file fit?
local host = require "host"
local models = require "import.models"
local weights = require "weights.weights"

return function(arguments, options)
    local spec, notes = models.load(arguments[1], options)
    local more = {}
    if spec.weights then
        local _
        _, more = weights.load(spec)
    end
    for _, list in ipairs { notes, more } do
        for _, note in ipairs(list) do host.complain(note) end
    end
    host.print(arguments[1] .. ": fine" .. (spec.weights and ", and so is " .. spec.weights_path or ""))
end
