@ -- NAME.c: the network.
@ -- p: the plan; head: the opening comment; parameters, arguments: those of NAME_forward
@ local s = p.sizes
@ if p.form.inline then
/* ---- the implementation ----------------------------------------------------------------------- */

#ifdef __clang__
#if defined(__i386__) || defined(__x86_64__)
#pragma float_control(push)
#endif
#elif defined(__GNUC__)
#pragma GCC push_options
#endif
@ else
@{head}
@ end
#ifdef RNNC_NETWORK_IN_THIS_UNIT
#error "two generated networks in one translation unit: compile each .c file by itself, out of unity builds"
#endif
#define RNNC_NETWORK_IN_THIS_UNIT
@ -- Vectors are for x86-64. In a list with `portable` their code is left out elsewhere.
@ local x86 = false
@ for _, v in ipairs(p.variants) do x86 = x86 or v.isa ~= "" end
@ local guarded = x86 and p.variants[1].isa == ""
@ local function only_x86(v) return guarded and v.isa ~= "" end
@ if x86 and not guarded then
#if !defined(__x86_64__) || !defined(__GNUC__)
#error "@{p.name}.c is for x86-64 and gcc or clang: generate it with target = \"portable\""
#endif
@ end
@ include("precise.c", { only_x86 = x86 and not guarded })
@ if not p.form.inline then
#include "@{p.name}.h"
#ifndef @{p.upper}_HEADER_@{header_hash}
#error "@{p.name}.h and @{p.name}.c are not of one run of rnnc: compile the network again"
#endif
@ end

@ local softmax = p.softmax == "softmax" or p.softmax == "log_softmax"
@ if p.softmax == "log_softmax" then
#include <math.h>
@ end
#include <stdint.h>
#include <string.h>
@ if guarded then

#if defined(__x86_64__) && defined(__GNUC__)
#define VECTORS_X86
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif
@ elseif x86 then
#include <immintrin.h>
@ else

#ifdef __SSE2__
#include <emmintrin.h>
#endif
@ end

#ifdef __cplusplus
#define RESTRICT
#else
#define RESTRICT restrict
#endif
@ if p.built_in then

@{weights_declaration}
@ end
@ -- What a target's run function takes: as parameters, and as words.
@ local function run_parameters(lengths)
@     return format("const float *weights, size_t seq_len, %s%s, %s%s, float *workspace",
@         p.batch == "any" and "size_t batch, " or "",
@         p.tokens and "const int32_t *tokens" or "const float *x", lengths and "const size_t *lengths, " or "", state_parameters)
@ end
@ local function run_words(lengths)
@     return format("weights, seq_len, %s%s, %s%s", p.batch == "any" and "batch, " or "", p.tokens and "tokens" or "x", lengths and "lengths, " or "", state_arguments)
@ end
@ -- All programs of a target, each behind those of which it uses functions.
@ local function programs(v)
@     local list = { v }
@     for _, other in ipairs(v.others) do list[#list + 1] = other end
@     return list
@ end
@ local function divided(v) return v.division.kind ~= "one" or v.division.slices_from > 0 end
@ -- Do members meet on the way? Those of the two directions of one layer, in one block, do not.
@ local function barriers(v)
@     local several = v.batch ~= "any" and v.batch > v.block
@     local lone = #v.stages == 1 and v.stages[1].kind == "stack" and v.stages[1].sizes.L == 1
@     return v.division.kind == "panels" or v.division.kind == "directions" and (several or not lone)
@ end
@ -- Is a call divided, do members meet; and not on x86-64 only?
@ local teams, any_barriers, all_teams, all_barriers = false, false, false, false
@ for _, target in ipairs(p.variants) do
@ for _, v in ipairs(programs(target)) do
@     teams, any_barriers = teams or divided(v), any_barriers or barriers(v)
@     all_teams, all_barriers = all_teams or divided(v) and not only_x86(v), all_barriers or barriers(v) and not only_x86(v)
@ end
@ end
@ if teams then
@ include("team.c", { p = p, parameters = run_parameters(p.lengths), barriers = any_barriers, only_x86 = not all_barriers })
@ end
@ for _, v in ipairs(p.variants) do

/* ---- @{v.target} @{rep("-", 100 - 11 - #v.target)} */
@ if only_x86(v) then
#ifdef VECTORS_X86
@ end

@ include(v.prelude, v)

@ include("functions.c", { v = v })
@ if softmax then
@ include("softmax.c", { vec = v.vec, lanes = v.lanes, attribute = v.attribute, suffix = v.suffix, name = p.softmax, outputs = p.output })

@ end
@ local target = v
@ for _, v in ipairs(programs(target)) do
@ if v.own_transposes then
@ include(v.beside > 1 and "transpose_groups.c" or "transpose.c", { fn = v.transpose, back = v.transpose_back, vec = v.vec, lanes = v.lanes, beside = v.beside, inline = v.inline, attribute = v.attribute })
@ end
@ for _, one in ipairs(v.products) do
@ put(product(v, one))
@ end
@ for _, one in ipairs(v.maps) do
@ put(map(v, one))
@ end
@ for _, stage in ipairs(v.stages) do
@ if stage.kind == "stack" then
@ for _, layer in ipairs(stage.layers) do
@ if layer.own then put(layers(v, stage, layer)) end
@ end
@ end
@ end
@ if v.lengths then

@ include("chunks.c", { fn = v.next_chunk, chunk = v.division.kind ~= "chunks" and not (v.batch == "any" and v.chunk_rows) and v.chunk })
@ end

@ put(forward(v, p, run_parameters(v.lengths), barriers(v)))
@ if divided(v) then
@ include("members.c", { v = v, words = v.division.kind == "chunks" or barriers(v), arguments = ((run_words(v.lengths) .. ", workspace"):gsub("[%w_]+", "w->%0")) })
@ end
@ end
@ if only_x86(v) then
#endif
@ end
@ end

/* ---- the network @{rep("-", 82)} */

size_t @{p.name}_workspace_size(size_t seq_len, size_t batch)
{
@ if p.steps ~= "any" then
    if (seq_len != @{p.steps}) return 0;
@ end
@ if p.batch ~= "any" then
    if (batch != @{p.batch}) return 0;
@ end
    /* No buffer may exceed the largest object, PTRDIFF_MAX bytes. */
    const size_t most = PTRDIFF_MAX / sizeof(float)@{p.copied and format(" - %d", p.workspace.block * p.workspace.fixed + p.workspace.most_rows * p.workspace.per_chunk_step + p.workspace.more + 32) or ""};
@ local widest = math.max(p.input, p.output)
@ local state = 1
@ for _, name in ipairs(p.states) do state = math.max(state, p.state_counts[name]) end
@ local w = p.workspace
@ if p.batch == "any" then
    if (batch > most / @{math.max(widest, state)}) return 0;
    if (batch > 0 && seq_len > most / @{widest} / batch) return 0;
@ else
@ if p.batch * state >= 0x10000000 then
    if (batch > most / @{state}) return 0;
@ end
    if (seq_len > most / @{widest}@{p.batch > 1 and format(" / %d", p.batch) or ""}) return 0;
@ end
@ assert(not p.copied or w.per_step == 0)
@ local copy = p.copied and format(" + (%s + 15) / 16 * 16", times("seq_len", batch_text, p.input)) or ""
@ if p.batch == "any" then
    const size_t held = batch < @{w.block} ? batch : @{w.block};
@ local most = times("held", w.chunk)
@ if w.rows > w.chunk then
    const size_t most_rows = @{most} > @{w.rows} ? @{most} : @{w.rows};
@ most = "most_rows"
@ end
    const size_t rows = held * seq_len < @{most} ? held * seq_len : @{most};
@ if w.per_step > 0 then
    if (held > 0 && seq_len > (most - held * @{w.fixed} - rows * @{w.per_chunk_step} - @{w.more + 16}) / @{w.per_step} / held) return 0;
    return (held * (@{w.fixed} + seq_len * @{w.per_step}) + rows * @{w.per_chunk_step}@{w.more > 0 and " + " .. w.more or ""}) * sizeof(float) + 64;
@ else
    return (held * @{w.fixed} + rows * @{w.per_chunk_step}@{w.more > 0 and " + " .. w.more or ""}@{copy}) * sizeof(float) + 64;
@ end
@ else
    const size_t room = seq_len < @{w.chunk} ? seq_len : @{w.chunk};
@ if w.per_step > 0 then
    if (seq_len > (most - @{w.fixed + w.chunk * w.per_chunk_step + 16}) / @{w.per_step}) return 0;
    return (@{w.fixed} + room * @{w.per_chunk_step} + seq_len * @{w.per_step}) * sizeof(float) + 64;
@ else
    return (@{w.fixed} + room * @{w.per_chunk_step}@{copy}) * sizeof(float) + 64;
@ end
@ end
}
@ if guarded then
#ifdef VECTORS_X86
@ end
@ for _, v in ipairs(p.variants) do
@ if #v.needs > 0 then

/* Can this CPU run the code for @{v.target}? */
static int supported@{v.suffix}(void)
{
    return @{concat(cpu_checks(v), " && ")};
}
@ end
@ end
@ if guarded then
#endif
@ end

@ for _, state in ipairs(p.first and (p.steps == "any" or p.streaming) and p.states or {}) do
/* The @{state} that the weights have for the start, for each sequence of the batch. */
static void first_@{state}(const float *weights, size_t batch, float *@{state})
{
@ for _, layer in ipairs(p.layers) do
@ if layer.kind == "stack" and layer.before[state] then
@ local s, width = layer.sizes, layer.state_width[state]
    for (size_t chain = 0; chain < @{s.L * s.D}; ++chain)
        for (size_t b = 0; b < batch; ++b)
            memcpy(@{state} + @{layer.before[state] > 0 and format("batch * %d + ", layer.before[state]) or ""}(chain * batch + b) * @{width}, weights + @{p.first[state] + layer.before[state]} + chain * @{width}, @{width} * sizeof(float));
@ end
@ end
}

@ end
@ local input = p.tokens and "tokens" or "x"
@ -- A call of one program, on the sequences `range` of the batch where it runs on a part.
@ local function call(indent, v, range)
@ local words = run_words(v.lengths)
@ if divided(v) then
@{indent}const size_t members = @{v.members}(team, seq_len, @{batch_text});
@{indent}if (members > 1) {
@{indent}    work w = { @{run_words(p.lengths)}, space, team, members };
@{indent}    team->run(team->context, @{v.member}, &w);
@{indent}} else {
@{indent}    @{v.run}(@{words}, space@{(v.division.kind == "chunks" or barriers(v)) and ", NULL" or ""}, 0, 1);
@{indent}}
@ else
@{indent}@{v.run}(@{words}, space@{range and ", " .. range or ""});
@ end
@ end
@ -- The other programs of a target by their role.
@ local function by_role(v)
@     local found = {}
@     for _, other in ipairs(v.others) do found[other.role] = other end
@     return found
@ end
@ -- A call without lengths by all programs of a target.
@ local function call_all(indent, v)
@ local others = by_role(v)
@ if others._rest then
@ call(indent, v, "0, " .. v.batch)
@ call(indent, others._rest, format("%d, %d", v.batch, p.batch))
@ elseif others._one then
@ local from = others._blocks and "done" or "0"
@ if others._blocks then
@ local block, least = others._blocks.block, others._blocks.least
@{indent}/* Whole blocks, and one more for @{least} sequences or more. */
@{indent}const size_t done = batch % @{block} >= @{least} ? batch : batch - batch % @{block};
@{indent}if (done > 0) @{others._blocks.run}(@{run_words(false)}, space, 0, done);
@ end
@{indent}if (batch@{others._blocks and " - done" or ""} == 1)
@ call(indent .. "    ", others._one, from .. ", batch")
@{indent}else@{others._blocks and " if (done < batch)" or ""}
@ call(indent .. "    ", v, from .. ", batch")
@ else
@ call(indent, v)
@ end
@ end
/* Runs on the best target that this CPU has@{p.threads > 1 and ", with the team if it is not NULL" or ""}. */
static rnnc_status run(@{(run_parameters(p.lengths):gsub("float %*workspace", "void *workspace"))}@{p.threads > 1 and ", const rnnc_team *team" or ""})
{
@ if p.tokens then
@ if p.lengths then
    for (size_t b = 0; b < @{batch_text}; ++b)
        for (size_t t = 0; t < (lengths ? lengths[b] : seq_len); ++t) {
            const int32_t token = tokens[@{p.batch_first and "b * seq_len + t" or times("t", batch_text) .. " + b"}];
            if (token < 0 || token >= @{p.vocabulary}) return RNNC_ERR_ARGUMENT;
        }
@ else
    for (size_t i = 0; i < @{times("seq_len", batch_text)}; ++i)
        if (tokens[i] < 0 || tokens[i] >= @{p.vocabulary}) return RNNC_ERR_ARGUMENT;
@ end
@ end
@ if p.batch == "any" then
    if (batch == 0) return RNNC_OK;
@ end
@ if p.steps == "any" then
    if (seq_len == 0) {
        /* No step: the states at the end are those of the start@{p.last_step and ", and y is 0, as nothing came last" or ""}. */
@ for _, state in ipairs(p.states) do
        if (@{state}n && @{state}0)
            memmove(@{state}n, @{state}0, @{times(batch_text, p.state_counts[state])} * sizeof(float));
        else if (@{state}n)
@ if p.first then
            first_@{state}(weights, @{batch_text}, @{state}n);
@ else
            memset(@{state}n, 0, @{times(batch_text, p.state_counts[state])} * sizeof(float));
@ end
@ end
@ if p.last_step then
        memset(y, 0, @{times(batch_text, p.output)} * sizeof(float));
@ end
        return RNNC_OK;
    }
@ end
    const uintptr_t x_begin = (uintptr_t)@{p.tokens and "tokens" or "x"}, y_begin = (uintptr_t)y;
    const size_t x_size = @{times("seq_len", batch_text, p.input)} * sizeof(float);
    const size_t y_size = @{times(p.last_step and 1 or "seq_len", batch_text, p.output)} * sizeof(float);
    if (@{p.in_place and "x_begin != y_begin && " or ""}x_begin < y_begin + y_size && y_begin < x_begin + x_size) return RNNC_ERR_ARGUMENT;
    float *@{p.copied and "" or "const "}space = (float *)(((uintptr_t)workspace + 63) & ~(uintptr_t)63);
@ if p.copied then
    if (x_begin == y_begin) {
        /* One direction would read what the other one has written. */
        memcpy(space, x, x_size);
        x = space;
        space += (@{times("seq_len", batch_text, p.input)} + 15) / 16 * 16;
    }
@ end
@ local open = true
@ if guarded then
#ifdef VECTORS_X86
@ end
@ for i = #p.variants, 1, -1 do
@ local v = p.variants[i]
@ if guarded and i == 1 then
#endif
@ end
@ local indent = #v.needs > 0 and "        " or "    "
@ if open and (not p.only or p.only == v.target) then
@ if #v.needs > 0 then
    if (supported@{v.suffix}()) {
@ else
@ open = false
@ end
@ if p.lengths then
@{indent}if (lengths) {
@ call(indent .. "    ", by_role(v)._lengths)
@{indent}    return RNNC_OK;
@{indent}}
@ end
@ call_all(indent, v)
@{indent}return RNNC_OK;
@ if #v.needs > 0 then
    }
@ end
@ end
@ end
@ if p.threads > 1 and not all_teams then
    (void)team;
@ end
@ if open then
    return RNNC_ERR_TARGET;
@ end
}
@ -- team: C text, or nothing
@ local function forward(name, declared, with_lengths, team)

rnnc_status @{p.name}_@{name}(@{declared})
{
@ if p.steps ~= "any" then
    const size_t seq_len = @{p.steps};
@ end
@ if p.built_in then
    const float *const weights = @{weights_expression};
@ end
    if (@{p.built_in and "" or "!weights || "}!workspace) return RNNC_ERR_ARGUMENT;
@ if p.steps == "any" or p.batch == "any" then
@ local some = p.batch == "any" and " && batch > 0" or ""
@ local steps = p.steps == "any" and " && seq_len > 0" or ""
    /* What holds no values may be NULL. */
    if (!@{input .. steps .. some}) return RNNC_ERR_ARGUMENT;
    if (!y@{(p.last_step and "" or steps) .. some}) return RNNC_ERR_ARGUMENT;
@ else
    if (!@{input} || !y) return RNNC_ERR_ARGUMENT;
@ end
    if (@{p.name}_workspace_size(seq_len, @{batch_text}) == 0) return RNNC_ERR_OVERFLOW;
@ if team then
    if (team && (team->count == 0 || !team->run || !team->post != !team->wait)) return RNNC_ERR_ARGUMENT;
@ end
@ if with_lengths then
    for (size_t b = 0; lengths && b < @{batch_text}; ++b)
        if (lengths[b] > seq_len) return RNNC_ERR_ARGUMENT;
@ end
    return run(weights, seq_len, @{p.batch == "any" and "batch, " or ""}@{input}, @{p.lengths and (with_lengths and "lengths, " or "NULL, ") or ""}@{state_arguments}, workspace@{p.threads > 1 and ", " .. (team or "NULL") or ""});
}
@ end
@ forward("forward", parameters, false)
@ if p.lengths then
@ forward("forward_lengths", long_parameters, true)
@ end
@ if p.threads > 1 then
@ forward("forward_threads", "const rnnc_team *team, " .. long_parameters, p.lengths, "team")
@ end
@ if p.streaming then
@ local carried = {}
@ for _, state in ipairs(p.states) do carried[#carried + 1] = "state->" .. state end
@ local words = { p.lengths and "NULL" or nil }
@ for _, list in ipairs { carried, { "y" }, carried } do
@     for _, word in ipairs(list) do words[#words + 1] = word end
@ end

@ local by_weights = p.first and not p.built_in
void @{p.name}_state_init(@{by_weights and "const float *weights, " or ""}@{p.name}_state *state)
{
@ if p.first and p.built_in then
    const float *const weights = @{weights_expression};
@ end
    if (@{by_weights and "!weights || " or ""}!state) return;
@ for _, state in ipairs(p.states) do
@ if p.first then
    first_@{state}(weights, @{p.batch}, state->@{state});
@ else
    memset(state->@{state}, 0, sizeof state->@{state});
@ end
@ end
}

void @{p.name}_state_reset(@{by_weights and "const float *weights, " or ""}@{p.name}_state *state)
{
    @{p.name}_state_init(@{by_weights and "weights, " or ""}state);
}

rnnc_status @{p.name}_step(@{p.built_in and "" or "const float *weights, "}@{p.name}_state *state, @{p.tokens and "const int32_t *tokens" or "const float *x"}, float *y)
{
@ if p.built_in then
    const float *const weights = @{weights_expression};
@ end
    if (@{p.built_in and "" or "!weights || "}!state || !@{input} || !y) return RNNC_ERR_ARGUMENT;
    return run(weights, 1, @{input}, @{concat(words, ", ")}, state->workspace@{p.threads > 1 and ", NULL" or ""});
}
@ include("process.c", { p = p, input = input, words = input .. ", " .. concat(words, ", "), weights_expression = weights_expression, times = times })
@ end
@ if not p.form.alone then
@ include("model.c", {
@     p = p, fixed = fixed, call_arguments = call_arguments, long_call_arguments = long_call_arguments,
@     rows = model_rows, target_names = concat(target_names, ", "), weights_expression = weights_expression,
@ })
@ end
@ if p.form.inline then

#ifdef __clang__
#if defined(__i386__) || defined(__x86_64__)
#pragma float_control(pop)
#endif
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif
@ end
