-- hoist: takes the input products out of the recurrence. They do not wait for the state, so one product
-- serves all steps of a chunk of time; a chunk's gate inputs are to stay in the nearest cache. A narrow
-- input, the input of a single step, and every input of the batch kernel (where each weight serves a whole
-- vector already), stays in the step.

local hoist = {}

hoist.doc = "input products out of the time loop, by chunks of time"

-- Steps whose so many outputs of a dense layer stay in the second cache until they are used, but enough for tiles
-- of rows. An unknown batch may be one.
local function head_length(ir, target, outputs)
    local least = ir.batch == "any" and 8 or (23 + ir.block) // ir.block
    return math.max(target.l2 // 2 // (4 * outputs * (ir.batch == "any" and 1 or ir.block)), least)
end

-- Rows of a chunk that fill row tiles and outlast the panel of weights that they share.
local ENOUGH <const> = 128

-- Steps whose gate inputs of that many floats a row fit in the cache, but enough for a tile of rows.
local function chunk_length(ir, target, row)
    -- Nothing is shared by the steps of a chunk.
    if target.lanes == 1 then return 1 end
    -- An unknown batch may be large or one: its chunk is sized for the second cache.
    local room = ir.batch == "any" and target.l2 // 4 or target.l1 // 2
    local enough = (ENOUGH + ir.block - 1) // ir.block
    local length = ir.most_steps or math.min(math.max(room // (4 * row * ir.block), enough), 128)
    for _, stage in ipairs(ir.stages) do
        if stage.kind == "dense" and not stage.once then
            length = math.min(length, head_length(ir, target, stage.units))
        end
    end
    return length
end

-- Rows of a chunk, sequences by steps, of an unknown batch that is smaller than a block: of two sequences four steps
-- fill no tile of six rows twice. nil: a chunk has as many steps for every batch.
local function chunk_rows(ir, target, row)
    if ir.batch ~= "any" or target.lanes == 1 or ir.chunk == ir.steps then return nil end
    local rows = math.max(target.l1 // 2 // (4 * row), ENOUGH)
    for _, stage in ipairs(ir.stages) do
        if stage.kind == "dense" and not stage.once then rows = math.min(rows, head_length(ir, target, stage.units)) end
    end
    return rows >= 2 * ir.chunk and rows or nil
end

function hoist.run(ir, target)
    local widest = 1
    for _, stage in ipairs(ir.stages) do
        if stage.kind == "stack" then
            local stack = ir.stacks[stage.stack]
            local s = stack.sizes
            widest = math.max(widest, s.G * (s.H + target.lanes - 1) // target.lanes * target.lanes)
            stack.hoisted = stage.choice.hoisted
        end
    end
    local given = ir.chunk
    ir.chunk = given or chunk_length(ir, target, widest)
    if ir.steps ~= "any" then ir.chunk = math.min(ir.chunk, ir.steps) end
    ir.chunk_rows = not given and chunk_rows(ir, target, widest) or nil
    return ir
end

return hoist
