-- lower: from the validated spec to the IR.
--
-- The IR says what is computed and nothing of how:
--
--   sizes      I, H, L, D, G (inputs, units, layers, directions, gates)
--   steps, batch   an integer, or "any"
--   weights    the tensors in PyTorch's order: { name, rows, cols } (cols 0: a vector)
--   sequences  name -> { width, dims }; dims are the sequence's axes, slowest first
--   scans      one per layer and direction, in the order in which they depend on each other:
--              { layer, direction, backward, input, output = { sequence, column },
--                initial = { tensor, row }, final = { tensor, row }, body = { op, ... } }
--
-- The ops of a body, for one time step t:
--   { op = "product", of = "input" | "state", weight, columns }    gates += W v
--   { op = "bias", tensors }                                       gates += b
--   { op = "update", trees }                                       new states from the gates
-- Weights are indices (from 1) into `weights`.
local cells = require "cells"

local lower = {}

local function weight_list(spec, gates, directions)
    local weights, index = {}, {}
    local function add(name, rows, cols)
        weights[#weights + 1] = { name = name, rows = rows, cols = cols }
        index[name] = #weights
    end
    for layer = 0, spec.num_layers - 1 do
        local columns = layer == 0 and spec.input_size or spec.hidden_size * directions
        for direction = 0, directions - 1 do
            local suffix = "_l" .. layer .. (direction == 1 and "_reverse" or "")
            add("weight_ih" .. suffix, gates * spec.hidden_size, columns)
            add("weight_hh" .. suffix, gates * spec.hidden_size, spec.hidden_size)
            if spec.bias then
                add("bias_ih" .. suffix, gates * spec.hidden_size, 0)
                add("bias_hh" .. suffix, gates * spec.hidden_size, 0)
            end
        end
    end
    return weights, index
end

-- lower.run(spec) -> ir
function lower.run(spec)
    local cell = cells.of(spec)
    local D = spec.bidirectional and 2 or 1
    local L, H = spec.num_layers, spec.hidden_size
    local weights, index = weight_list(spec, #cell.gates, D)
    local outer = spec.batch_first and { "batch", "time" } or { "time", "batch" }
    local ir = {
        name = spec.name, cell = cell.constant, gates = cell.gates, activations = cell.activations,
        sizes = { I = spec.input_size, H = H, L = L, D = D, G = #cell.gates },
        bias = spec.bias, batch_first = spec.batch_first, dropout = spec.dropout,
        steps = spec.seq_len, batch = spec.batch,
        weights = weights, sequences = { x = { width = spec.input_size, dims = outer } }, scans = {},
    }
    for layer = 0, L - 1 do
        local input = layer == 0 and "x" or "layer" .. layer - 1
        local output = layer == L - 1 and "y" or "layer" .. layer
        ir.sequences[output] = {
            width = D * H, dims = output == "y" and outer or { "time", "batch" },
        }
        for direction = 0, D - 1 do
            local suffix = "_l" .. layer .. (direction == 1 and "_reverse" or "")
            local body = {
                { op = "product", of = "input", weight = index["weight_ih" .. suffix],
                  columns = ir.sequences[input].width },
                { op = "product", of = "state", weight = index["weight_hh" .. suffix], columns = H },
            }
            if spec.bias then
                body[#body + 1] = { op = "bias",
                    tensors = { index["bias_ih" .. suffix], index["bias_hh" .. suffix] } }
            end
            body[#body + 1] = { op = "update", trees = cell.update }
            ir.scans[#ir.scans + 1] = {
                layer = layer, direction = direction, backward = direction == 1, input = input,
                output = { sequence = output, column = direction * H },
                initial = { tensor = "h0", row = layer * D + direction },
                final = { tensor = "hn", row = layer * D + direction }, body = body,
            }
        end
    end
    return ir
end

return lower
