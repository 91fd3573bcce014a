-- tune: what `rnnc tune` found to be faster than the cost model's choice, in a file beside the spec: model.tune
-- for model.lua. A text:
--
--   rnnc tune 1                     the version of the format
--   network 0123456789abcdef        of the layers and sizes that it was measured for
--   target avx512 kernel batch x 2  what to take for that target, and for each recurrent layer of the model
--   layer 1 rows 10 vectors 2 split 1
--
-- with as many targets as were measured and are better off.
local fail = require "base.fail"
local host = require "host"
local lower = require "passes.lower"
local products = require "kernels.products"
local targets = require "tables.targets"

local tune = {}

local VERSION <const> = 1
local SIZE_MAX <const> = 65536

-- tune.path(spec) -> where its file is.
function tune.path(spec) return (spec.path:gsub("%.lua$", "")) .. ".tune" end

-- tune.network(spec) -> 16 digits that are the same for equal layers and sizes, names and weights aside.
function tune.network(spec)
    local ir = lower.run(spec)
    local text = products.key { ir.stages, ir.stacks, ir.steps, ir.batch, ir.deterministic, ir.lengths, ir.activation }
    return string.format("%016x", products.hash(text))
end

-- tune.text(network, choices) -> the file. choices: { { target =, kernel =, tiles = { layer -> tile } } }.
function tune.text(network, choices)
    local lines = { "rnnc tune " .. VERSION, "network " .. network }
    for _, choice in ipairs(choices) do
        lines[#lines + 1] = "target " .. choice.target .. " kernel " .. choice.kernel
        for layer = 1, choice.layers do
            local tile = choice.tiles[layer]
            if tile then
                lines[#lines + 1] = string.format("layer %d rows %d vectors %d split %d", layer, tile.rows,
                    tile.vectors, tile.split)
            end
        end
    end
    return table.concat(lines, "\n") .. "\n"
end

-- The lines behind the first two, as choices; `wrong(number, what)` ends it.
local function read_choices(lines, path, wrong)
    local choices, current = {}, nil
    for number = 3, #lines do
        local target, kernel = lines[number]:match("^target (%w+) kernel (.+)$")
        local layer, rows, vectors, split = lines[number]:match("^layer (%d+) rows (%d+) vectors (%d+) split (%d+)$")
        if target then
            if not targets[target] or choices[target] then wrong(number, "no such target, or a second time") end
            current = { file = path, kernel = kernel, tiles = {} }
            choices[target] = current
        elseif layer and current then
            local tile = { rows = tonumber(rows), vectors = tonumber(vectors), split = tonumber(split) }
            if tile.rows * tile.vectors * tile.split == 0 then wrong(number, "a tile of nothing") end
            current.tiles[tonumber(layer)] = tile
        else
            wrong(number, "not a line of such a file")
        end
    end
    return choices
end

-- The file of a spec -> target -> choice, as passes/choose.lua takes them; nil if there is no file. One that is
-- damaged is the user's mistake; one of another network or version is stale.
local function read(spec)
    local path = tune.path(spec)
    if not host.exists(path) then return nil end
    local text, message = host.read(path, SIZE_MAX)
    if not text then fail.at(path, message) end
    local function wrong(number, what)
        fail.at(path .. ":" .. number, what .. "; run rnnc tune again, or delete the file")
    end
    local lines = {}
    for line in text:gmatch("[^\n]+") do lines[#lines + 1] = line end
    local version = (lines[1] or ""):match("^rnnc tune (%d+)$")
    if not version then wrong(1, "not a file of rnnc tune") end
    if tonumber(version) ~= VERSION then fail.stale(path .. ":1", "of another version of rnnc") end
    local network = (lines[2] or ""):match("^network (%x+)$")
    if not network then wrong(2, "the network is missing") end
    if network ~= tune.network(spec) then
        fail.stale(path .. ":2", "measured for another network: the spec has changed since")
    end
    return read_choices(lines, path, wrong)
end

-- tune.with(spec, run) -> run(choices), choices being those of the spec's file, or nil without one; and notes. What a
-- file says that is stale is left out, with a warning: the cost model's choice is right as well, if not as fast.
function tune.with(spec, run)
    local fresh, result = pcall(function() return run(read(spec)) end)
    if fresh then return result, {} end
    local stale = type(result) == "table" and result.stale
    if not stale then error(result, 0) end
    return run(nil), { stale.place .. ": warning: " .. stale.message
        .. "; the cost model's choice is taken: run rnnc tune again, or delete the file" }
end

return tune
