-- places: where a network's values lie while it runs, as C text: strides of its arguments, parts of the workspace,
-- buffers between stages, states, weights.
local statements = require "emit.statements"

local sum, times = statements.sum, statements.times
local format = string.format

-- What the program of a variant is made of:
--
--     v, p           the variant and the plan
--     units          lanes carry units; else the batch kernel, whose rows are blocks of sequences
--     growing        the batch is not known: the workspace holds `held` sequences, those of a block or all of the call
--     imported       the input is copied before it is read
--     sliced, parted do members of a team have slices of the batch, or parts of a slice's work?
--     by_direction, by_chunk, by_panel   what a part is, at most one of them
--     by_stage       does a stage run over the whole sequence before the next one begins? else over a chunk
--     rows           of a chunk, sequences by steps, where fewer sequences have more steps; else false
--     most, chunk    C text: steps of a chunk at the most, and of this member's chunks
--     long           do buffers between stages hold the whole sequence?
--     all, sequence  C text: the sequences of a block, and the place of row b's
local places = {}
places.__index = places

function places.of(v, p, barriers)
    local kind, units = v.division.kind, v.in_lanes == "units"
    local self = {
        v = v, p = p, units = units, barriers = barriers, stages = v.stages, last = v.stages[#v.stages],
        growing = v.batch == "any", imported = not units or v.lengths or v.stages[1].kind == "activation",
        sliced = v.division.slices_from > 0,
        by_direction = kind == "directions", by_chunk = kind == "chunks", by_panel = kind == "panels",
        by_stage = v.schedule.outer == "stages", long = v.schedule.slots == "steps", direct = v.schedule.direct,
        all = v.lengths and "all" or "rows", sequence = v.lengths and "order[b]" or "((ptrdiff_t)first + b)",
    }
    self.parted = self.by_direction or self.by_chunk or self.by_panel
    -- Parts that go their own ways for a while have what is as long as a chunk for themselves.
    self.concurrent = self.by_direction or self.by_chunk
    -- In front of the condition of what part 0 does alone, where members have panels; and of what is done last.
    self.first_part = self.by_panel and "part == 0" or nil
    self.rows = self.growing and v.chunk_rows
    self.most = self.rows and "most" or tostring(v.chunk)
    self.chunk = self.by_chunk and "chunk" or self.most
    self.finisher = self.by_chunk and "last" or "part == 0"
    self.span = self.growing and "room * held" or "room"
    self.many = self.growing and "(ptrdiff_t)held" or tostring(v.block)
    return setmetatable(self, places)
end

-- Floats between two steps and between two sequences of an argument with rows of `width` floats.
function places:strides(width, one_step)
    if one_step then return "0", tostring(width) end
    local across = times("(ptrdiff_t)" .. (self.p.batch_first and "seq_len" or "batch"), width)
    if self.p.batch_first then return tostring(width), across end
    return across, tostring(width)
end

-- Floats of the workspace, n for a block or for each sequence that is held, and so many more.
function places:floats(n, more)
    if not self.growing or n == 0 then return tostring(n + (more or 0)) end
    return sum(times("held", n), more)
end

-- The floats of a step, signed, of rows of `row` floats.
function places:row_stride(row)
    return self.growing and times("(ptrdiff_t)held", row) or tostring(self.v.block * row)
end

function places:step_of(stage) return self:row_stride(stage.output.row) end

-- Where step t of a buffer between stages is, if it holds all of them; output: the stage's that fills it.
function places:at_t(output)
    if not self.long then return nil end
    return self.growing and times("t", "held", output.row) or times("t", self:row_stride(output.row))
end

-- Buffer number k between stages, at step t if `output` is given; nil: there is none.
function places:buffer(k, output)
    if self.v.schedule.between == 0 then return nil end
    return sum(format("between[%d]", k % self.v.schedule.between), output and self:at_t(output))
end

-- Where the last stage leaves its rows, and strides over steps and sequences.
function places:top()
    if self.direct then return "y + (ptrdiff_t)t * y_t + (ptrdiff_t)first * y_b", "y_t", "y_b" end
    return "top", self:step_of(self.last), tostring(self.last.output.row)
end

-- The same of any stage; once: of one step of all sequences, without a time.
function places:target(stage, once)
    if stage.last then return self:top() end
    return self:buffer(stage.first_output, not once and stage.output), self:step_of(stage), tostring(stage.output.row)
end

-- Where a stage reads, and strides over steps and rows.
function places:source(stage)
    if stage.input then
        return self:buffer(stage.first_output - 1, stage.input), self:row_stride(stage.input.row),
            tostring(stage.input.row)
    end
    if self.imported then return "input", self:row_stride(self.v.input_row), tostring(self.v.input_row) end
    return "x + (ptrdiff_t)t * x_t + (ptrdiff_t)first * x_b", "x_t", "x_b"
end

-- Where a chain has its states; chain: a number or C text, unsigned.
function places:states_of(stage, chain)
    return sum("states", self:floats(stage.state_offset), times(chain, self:floats(stage.state_count)))
end

-- Where unit i of sequence b is in a block of the batch kernel, where groups of `beside` units lie beside each other.
-- i: the name of a variable, "i" without one.
function places:beside(b, i)
    local v = self.v
    i = i or "i"
    if v.beside > 1 then
        return sum(format("%s / %d * %d + %s %% %d", i, v.beside, v.beside * v.block, i, v.beside),
            b and times(b, v.beside))
    end
    return sum(times(i, v.block), b)
end

return places
