-- targets: what stands in NAME.c for each target: its functions and, one after the other, the programs that use them;
-- and how one of these is called.
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
    local list, plain = {}, p.softmax == "softmax" or p.softmax == "log_softmax"
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
--   only_x86      are all targets of x86-64? guarded: is one, beside one that is not, so that its code is left out
--                 elsewhere?
--   teams         is a call of any divided; barriers: do members meet, and barriers_x86: on x86-64 only?
--   teams_x86     is none divided elsewhere?
--   list          { v, only_x86, programs = C text } of each
-- print: the functions product, map and heads of emit.lua.
function targets.of(p, words, print)
    local result = { teams = false, teams_x86 = true, barriers = false, barriers_x86 = true, list = {} }
    local x86 = false
    for _, v in ipairs(p.variants) do x86 = x86 or v.isa ~= "" end
    result.guarded = x86 and p.variants[1].isa == ""
    result.only_x86 = x86 and not result.guarded
    result.libm = p.logarithm
    for _, layer in ipairs(p.layers) do result.libm = result.libm or layer.norm and true or false end
    for i, target in ipairs(p.variants) do
        local only_x86, texts = result.guarded and target.isa ~= "", { functions_of_rows(target, p, print) }
        for _, v in ipairs(programs(target)) do
            local divided, meet = targets.divided(v), targets.barriers(v)
            result.teams, result.barriers = result.teams or divided, result.barriers or meet
            result.teams_x86 = result.teams_x86 and (only_x86 or not divided)
            result.barriers_x86 = result.barriers_x86 and (only_x86 or not meet)
            texts[#texts + 1] = program_of(v, p, words, print)
        end
        result.list[i] = { v = target, only_x86 = only_x86, programs = table.concat(texts) }
    end
    return result
end

return targets
