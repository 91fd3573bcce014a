-- targets: what stands in NAME.c for each target: its functions and, one after the other, the programs that use them;
-- and how one of these is called.
local activations = require "tables.activations"
local architectures = require "emit.architectures"
local forward = require "emit.forward.forward"
local heads = require "emit.forward.heads"
local layers = require "emit.forward.layers"
local template = require "emit.template"

local format = string.format

local targets = {}

-- targets.parameters(p, words, lengths), targets.words(p, words, lengths): what the run function of a program takes,
-- but for its workspace, as parameters and as words. words: the states and y, as emit.lua has them.
function targets.parameters(p, words, lengths)
    return format("const float *weights, size_t seq_len, %s%s, %s%s", p.batch == "any" and "size_t batch, " or "",
        p.tokens and "const int32_t *tokens" or "const float *x", lengths and "const size_t *lengths, " or "",
        words.state_parameters)
end

function targets.words(p, words, lengths)
    return format("weights, seq_len, %s%s, %s%s", p.batch == "any" and "batch, " or "", p.tokens and "tokens" or "x",
        lengths and "lengths, " or "", words.state_arguments)
end

-- All programs of a target, each behind those of which it uses functions.
local function programs(v)
    local list = { v }
    for _, other in ipairs(v.others) do list[#list + 1] = other end
    return list
end

-- targets.divided(v): is a call of the program divided among the members of a team?
function targets.divided(v) return v.division.kind ~= "one" or v.division.slices_from > 0 end

-- targets.barriers(v): do members meet on the way? Those of the two directions of one layer, in one block, do not.
function targets.barriers(v)
    local several = v.batch ~= "any" and v.batch > v.block
    local lone = #v.stages == 1 and v.stages[1].kind == "stack" and v.stages[1].sizes.L == 1
    return v.division.kind == "panels" or v.division.kind == "directions" and (several or not lone)
end

-- The functions of rows of y: a softmax, or those of heads.
local function functions_of_rows(v, p, print)
    local list, plain = {}, activations.is(p.softmax, "of", "row")
    local whole = { name = p.softmax, outputs = p.output, suffix = v.suffix }
    for _, one in ipairs(v.by_head and heads.softmaxes(v.by_head, v.suffix) or plain and { whole } or {}) do
        list[#list + 1] = template.render("softmax.c", {
            vec = v.vec, lanes = v.lanes, attribute = v.attribute, suffix = one.suffix, name = one.name,
            outputs = one.outputs,
        }) .. "\n"
    end
    return table.concat(list) .. (v.by_head and print.heads(v) or "")
end

-- The functions of a program, and it.
local function program_of(v, p, words, print)
    local list = {}
    local function add(text) list[#list + 1] = text end
    if v.own_transposes then
        add(template.render(v.beside > 1 and "transpose_groups.c" or "transpose.c", {
            fn = v.transpose, back = v.transpose_back, vec = v.vec, lanes = v.lanes, beside = v.beside,
            inline = v.inline, attribute = v.attribute,
        }))
    end
    for _, one in ipairs(v.products) do add(print.product(v, one)) end
    for _, one in ipairs(v.maps) do add(print.map(v, one)) end
    for _, stage in ipairs(v.stages) do
        for _, layer in ipairs(stage.kind == "stack" and stage.layers or {}) do
            if layer.own then add(layers(v, stage, layer)) end
        end
    end
    if v.lengths then
        local fixed = v.division.kind ~= "chunks" and not (v.batch == "any" and v.chunk_rows)
        add("\n" .. template.render("chunks.c", { fn = v.next_chunk, chunk = fixed and v.chunk }))
    end
    local meet = targets.barriers(v)
    add(forward(v, p, targets.parameters(p, words, v.lengths) .. ", float *workspace", meet))
    if targets.divided(v) then
        add(template.render("members.c", {
            v = v, words = v.division.kind == "chunks" or meet,
            arguments = (targets.words(p, words, v.lengths) .. ", workspace"):gsub("[%w_]+", "w->%0"),
        }))
    end
    return table.concat(list)
end

-- targets.of(p, words, print) -> what the templates ask of targets:
--   libm          is a function of libm called?
--   architectures what architectures.of finds
--   teams         is a call of any divided? unused_team: is one not divided anywhere that the file compiles?
--   barriers      do members meet? where_barriers: the line of the preprocessor before what they need for that, or nil
--   list          { name, text } of each, C
-- print: the functions product, map and heads of emit.lua.
function targets.of(p, words, print)
    local here = architectures.of(p.variants)
    local result = { architectures = here, teams = false, barriers = false, libm = p.logarithm, list = {} }
    local dividing, meeting = {}, {}
    for _, layer in ipairs(p.layers) do result.libm = result.libm or layer.norm and true or false end
    for i, target in ipairs(p.variants) do
        local texts = { functions_of_rows(target, p, print) }
        for _, v in ipairs(programs(target)) do
            if targets.divided(v) then dividing[#dividing + 1] = target end
            if targets.barriers(v) then meeting[#meeting + 1] = target end
            texts[#texts + 1] = program_of(v, p, words, print)
        end
        local text = string.format("\n%s\n%s%s", template.render(target.prelude, target),
            template.render("functions.c", { v = target }), table.concat(texts))
        result.list[i] = { name = target.target, text = architectures.within(architectures.macro(here, target), text) }
    end
    result.teams, result.barriers = #dividing > 0, #meeting > 0
    result.unused_team = not result.teams or architectures.where(here, dividing) ~= nil
    result.where_barriers = architectures.where(here, meeting)
    return result
end

return targets
