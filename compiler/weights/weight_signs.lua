-- weight_signs: what names in a file say about where it comes from, a row per sign, and what to do.
local signs = {}

local KERAS <const> = "a matrix of Keras, which is transposed and, in a GRU, has its gates in another order; "
    .. "map only renames, so write the file anew with PyTorch's names and order"
local ONNX <const> = "a matrix of ONNX, which has its gates in another order; map only renames, so write the file anew "
    .. "from the PyTorch model"

-- Longer names are nobody's, and patterns would take long.
local NAME_MAX <const> = 200

-- Names within a layer that are another tool's matrices.
local foreign <const> = { kernel = KERAS, recurrent_kernel = KERAS, W = ONNX, R = ONNX }

-- signs.order(name) -> why the matrix `name` of a file would be wrong under any other name, or nil.
function signs.order(name) return foreign[name:gsub(":%d+$", ""):match("[^./]*$")] end

-- pattern   of a name in the file
-- unless    a pattern of names that are another row's
-- with      a function of that name: another that has to be there as well
-- says      a function of the name and what the pattern captures: the hint
local rows = {
    { pattern = "^(.-%.)(%d+)%.weight_ih$",
      says = function(_, prefix)
          return string.format("the file has cells by themselves (%s0.weight_ih): map = { { %q, \"%%2_l%%1\" } } "
              .. "makes layers of them", prefix, "^" .. prefix:gsub("%p", "%%%0") .. "(%d+)%.(.*)$")
      end },
    { pattern = "^(.-)weight_ih$", unless = "%.%d+%.weight_ih$",
      says = function(name)
          return "the file has a cell by itself (" .. name
              .. '): map = { { "_([ih]h)$", "_%1_l0" } } makes a layer of it'
      end },
    { pattern = "^.*weight[%w_]*_v$", with = function(name) return (name:gsub("_v$", "_g")) end,
      says = function(name)
          return "the file has weights that are normalised (" .. name .. " and _g); call "
              .. "torch.nn.utils.remove_weight_norm on the layer before it is saved"
      end },
    { pattern = "^.*parametrizations%..*original[%d]*$",
      says = function(name)
          return "the file has parametrised weights (" .. name .. "); call "
              .. "torch.nn.utils.parametrize.remove_parametrizations on the layer before it is saved"
      end },
    { pattern = "^.*input_input_weights$",
      with = function(name) return (name:gsub("input_weights$", "hidden_weights")) end,
      says = function(name)
          return "the file has arrays of CMSIS-NN, one for each gate (" .. name .. "); `rnnc import` puts them into "
              .. "PyTorch's order"
      end },
    { pattern = "^layer%d+_recur_weights$",
      says = function(name)
          return "the file has arrays of Opus' mlp.c (" .. name .. "): multiples of 1/128, transposed, of a GRU with "
              .. "its gates in another order; `rnnc import` puts them into PyTorch's"
      end },
    { pattern = "^.*recurrent_kernel[:%d]*$",
      says = function(name) return name .. " is " .. KERAS end },
}

-- signs.of_file(list) -> hints about a file that lacks weights, at most one a row. list: its tensors.
function signs.of_file(list)
    local present, hints = {}, {}
    for _, tensor in ipairs(list) do present[tensor.file_name] = true end
    for _, row in ipairs(rows) do
        for _, tensor in ipairs(list) do
            local name = tensor.file_name
            if #name <= NAME_MAX and name:find(row.pattern) and not (row.unless and name:find(row.unless))
                and (not row.with or present[row.with(name)]) then
                hints[#hints + 1] = row.says(name, name:match(row.pattern))
                break
            end
        end
    end
    return hints
end

return signs
