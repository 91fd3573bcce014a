-- entries: the functions of NAME.c that callers see, and what they share: the size of the workspace, the choice of a
-- target, forward, and the network step by step. As data, see statements.lua.
local architectures = require "emit.architectures"
local statements = require "emit.statements"
local targets = require "emit.targets"

local declare, when, call, set = statements.declare, statements.when, statements.call, statements.set
local count, leave, comment = statements.count, statements.leave, statements.comment
local directive, times, sum = statements.directive, statements.times, statements.sum
local format = string.format

local entries = {}

local function refuse(condition, status) return when(condition, { leave(status or "RNNC_ERR_ARGUMENT") }) end

local function floats(text) return text .. " * sizeof(float)" end

-- The batch as C text.
local function batch_of(p) return p.batch == "any" and "batch" or tostring(p.batch) end

-- ---- the workspace ----

-- What a call of an unknown batch needs: for the sequences that are held at a time, and for the rows of a chunk.
local function sized_by_batch(p, copy)
    local w, most = p.workspace, times("held", p.workspace.chunk)
    local list = { declare("const size_t", { "held", format("batch < %d ? batch : %d", w.block, w.block) }) }
    local function add(node) list[#list + 1] = node end
    if w.rows > w.chunk then
        add(declare("const size_t", { "most_rows", format("%s > %d ? %s : %d", most, w.rows, most, w.rows) }))
        most = "most_rows"
    end
    add(declare("const size_t", { "rows", format("held * seq_len < %s ? held * seq_len : %s", most, most) }))
    local held = tostring(w.fixed)
    if w.per_step > 0 then
        add(refuse(format("held > 0 && seq_len > (most - held * %d - rows * %d - %d) / %d / held", w.fixed,
            w.per_chunk_step, w.more + 16, w.per_step), "0"))
        held = format("(%d + seq_len * %d)", w.fixed, w.per_step)
    end
    add(leave(format("(held * %s + rows * %d%s%s) * sizeof(float) + 64", held, w.per_chunk_step,
        w.more > 0 and " + " .. w.more or "", copy)))
    return list
end

-- The same of a known batch, for the steps of a chunk.
local function sized_by_steps(p, copy)
    local w = p.workspace
    local list = { declare("const size_t", { "room", format("seq_len < %d ? seq_len : %d", w.chunk, w.chunk) }) }
    local floats_of = format("%d + room * %d", w.fixed, w.per_chunk_step)
    if w.per_step > 0 then
        list[2] = refuse(format("seq_len > (most - %d) / %d", w.fixed + w.chunk * w.per_chunk_step + 16, w.per_step),
            "0")
        floats_of = floats_of .. " + seq_len * " .. w.per_step
    end
    return { list, leave(format("(%s%s) * sizeof(float) + 64", floats_of, copy)) }
end

-- The largest of the states of a sequence, in floats.
local function largest_state(p)
    local most = 1
    for _, name in ipairs(p.states) do most = math.max(most, p.state_counts[name]) end
    return most
end

local function workspace_size(p)
    local w, list = p.workspace, {}
    local function add(node) list[#list + 1] = node end
    if p.steps ~= "any" then add(refuse("seq_len != " .. p.steps, "0")) end
    if p.batch ~= "any" then add(refuse("batch != " .. p.batch, "0")) end
    add(comment "No buffer may exceed the largest object, PTRDIFF_MAX bytes.")
    local kept = p.copied and w.block * w.fixed + w.most_rows * w.per_chunk_step + w.more + 32
    add(declare("const size_t", { "most", "PTRDIFF_MAX / sizeof(float)" .. (kept and " - " .. kept or "") }))
    local widest, state = math.max(p.input, p.output), largest_state(p)
    if p.batch == "any" then
        add(refuse("batch > most / " .. math.max(widest, state), "0"))
        add(refuse(format("batch > 0 && seq_len > most / %d / batch", widest), "0"))
    else
        if p.batch * state >= 0x10000000 then add(refuse("batch > most / " .. state, "0")) end
        add(refuse(format("seq_len > most / %d%s", widest, p.batch > 1 and " / " .. p.batch or ""), "0"))
    end
    assert(not p.copied or w.per_step == 0)
    local copy = p.copied and format(" + (%s + 15) / 16 * 16", times("seq_len", batch_of(p), p.input)) or ""
    add(p.batch == "any" and sized_by_batch(p, copy) or sized_by_steps(p, copy))
    return statements.plain(nil, format("size_t %s_workspace_size", p.name), "size_t seq_len, size_t batch", list)
end

-- ---- states at the start ----

local function first_state(p, state)
    local list = {}
    for _, layer in ipairs(p.layers) do
        if layer.kind == "stack" and layer.before[state] then
            local s, width, before = layer.sizes, layer.state_width[state], layer.before[state]
            local to = sum(state, before > 0 and times("batch", before), times("(chain * batch + b)", width))
            list[#list + 1] = count("size_t", "chain", s.L * s.D, { count("size_t", "b", "batch", {
                statements.copy(to, sum("weights", p.first[state] + before, times("chain", width)), tostring(width)),
            }) })
        end
    end
    return statements.plain(
        format("The %s that the weights have for the start, for each sequence of the batch.", state),
        "static void first_" .. state, format("const float *weights, size_t batch, float *%s", state), list)
end

-- ---- the run of the best target ----

-- A call of one program, on the sequences `range` of the batch where it runs on a part.
local function run_of(p, words, v, range)
    local given = targets.words(p, words, v.lengths)
    if not targets.divided(v) then return { call(v.run, given, "space", range) } end
    return {
        declare("const size_t", { "members", format("%s(team, seq_len, %s)", v.members, batch_of(p)) }),
        when("members > 1", {
            declare("work", { "w", format("{ %s, space, team, members }", targets.words(p, words, p.lengths)) }),
            call("team->run", "team->context", v.member, "&w"),
        }, { call(v.run, given, "space", (v.division.kind == "chunks" or targets.barriers(v)) and "NULL", 0, 1) }),
    }
end

-- The other programs of a target by their role.
local function by_role(v)
    local found = {}
    for _, other in ipairs(v.others) do found[other.role] = other end
    return found
end

-- A call without lengths by all programs of a target.
local function run_all(p, words, v)
    local others = by_role(v)
    if others._rest then
        return { run_of(p, words, v, "0, " .. v.batch),
                 run_of(p, words, others._rest, format("%d, %d", v.batch, p.batch)) }
    end
    if not others._one then return run_of(p, words, v) end
    local blocks, list, from, left = others._blocks, {}, "0", "batch"
    if blocks then
        list = {
            comment(format("Whole blocks, and one more for %d sequences or more.", blocks.least)),
            declare("const size_t", { "done", format("batch %% %d >= %d ? batch : batch - batch %% %d", blocks.block,
                blocks.least, blocks.block) }),
            when("done > 0", { call(blocks.run, targets.words(p, words, false), "space", 0, "done") }),
        }
        from, left = "done", "batch - done"
    end
    local rest = run_of(p, words, v, from .. ", batch")
    return { list, when(left .. " == 1", run_of(p, words, others._one, from .. ", batch"),
                        blocks and { when("done < batch", rest) } or rest) }
end

-- Tokens outside the vocabulary are refused. steps: how many there are; with_lengths: some may have fewer.
local function check_tokens(p, steps, with_lengths)
    if not p.tokens then return {} end
    local outside = "%s < 0 || %s >= " .. p.vocabulary
    if not with_lengths then
        return { count("size_t", "i", times(steps, batch_of(p)), { refuse(outside:format("tokens[i]", "tokens[i]")) }) }
    end
    local at = p.batch_first and "b * seq_len + t" or times("t", batch_of(p)) .. " + b"
    return { count("size_t", "b", batch_of(p), { count("size_t", "t", "(lengths ? lengths[b] : seq_len)", {
        declare("const int32_t", { "token", "tokens[" .. at .. "]" }),
        refuse(outside:format("token", "token")),
    }) }) }
end

-- Does the program of a call come to nothing without steps, the states apart, which it takes and gives? One layer in
-- one direction has no place to look for in x and y outside of its steps, which may be NULL.
local function runs_without_steps(p)
    local lone = #p.layers == 1 and p.layers[1].kind == "stack" and p.layers[1].sizes
    return lone and lone.L * lone.D == 1 and p.batch == 1 and p.threads == 1
        and not (p.lengths or p.last_step or p.first or p.copied)
end

-- Without steps the states at the end are those of the start.
local function without_steps(p)
    if p.steps ~= "any" or runs_without_steps(p) then return {} end
    local list = { comment("No step: the states at the end are those of the start"
        .. (p.last_step and ", and y is 0, as nothing came last" or "") .. ".") }
    for _, state in ipairs(p.states) do
        local size = times(batch_of(p), p.state_counts[state])
        list[#list + 1] = when(format("%sn && %s0", state, state),
            { when(format("%sn != %s0", state, state), { call("memcpy", state .. "n", state .. "0", floats(size)) }) },
            { when(state .. "n", { p.first and call("first_" .. state, "weights", batch_of(p), state .. "n")
                or statements.zero(state .. "n", size) }) })
    end
    if p.last_step then list[#list + 1] = statements.zero("y", times(batch_of(p), p.output)) end
    list[#list + 1] = leave "RNNC_OK"
    return { when("seq_len == 0", list) }
end

-- x and y of so many steps are disjoint or, where the network may run in place, the same.
local function check_overlap(p, steps)
    local batch = batch_of(p)
    return {
        declare("const uintptr_t", { "x_begin", p.tokens and "(uintptr_t)tokens" or "(uintptr_t)x" },
            { "y_begin", "(uintptr_t)y" }),
        declare("const size_t", { "x_size", floats(times(steps, batch, p.input)) }),
        declare("const size_t", { "y_size", floats(times(p.last_step and 1 or steps, batch, p.output)) }),
        refuse((p.in_place and "x_begin != y_begin && " or "")
            .. "x_begin < y_begin + y_size && y_begin < x_begin + x_size"),
    }
end

-- The workspace from its alignment on; behind a copy of x, if the network needs one to run in place.
local function align_workspace(p)
    local x_floats = times("seq_len", batch_of(p), p.input)
    local list = {
        declare(p.copied and "float *" or "float *const",
            { "space", "(float *)(((uintptr_t)workspace + 63) & ~(uintptr_t)63)" }),
    }
    if p.copied then
        list[#list + 1] = when("x_begin == y_begin", {
            comment "One direction would read what the other one has written.",
            call("memcpy", "space", "x", "x_size"),
            set "x = space",
            set(format("space += (%s + 15) / 16 * 16", x_floats)),
        })
    end
    return list
end

-- The best target first; behind one that every CPU has, none is asked for. Is a CPU left that has none?
local function by_target(p, words, blocks)
    local list, open = {}, true
    local function add(node) list[#list + 1] = node end
    for _, block in ipairs(blocks) do
        local left = open
        if block.macro then add(directive("#ifdef " .. block.macro)) end
        for _, v in ipairs(block.variants) do
            if left and (not p.only or p.only == v.target) then
                local body = {
                    p.lengths and when("lengths", { run_of(p, words, by_role(v)._lengths), leave "RNNC_OK" }),
                    run_all(p, words, v),
                    leave "RNNC_OK",
                }
                left = v.isa ~= ""
                add(left and when(format("supported%s()", v.suffix), body)
                    or block.macro and statements.block(body) or body)
            end
        end
        if block.macro then add(directive "#endif") else open = left end
    end
    return list, open
end

local function run(p, words, found)
    local threads = p.threads > 1
    local chosen, open = by_target(p, words, found.architectures.blocks)
    return statements.plain("Runs on the best target that this CPU has"
            .. (threads and ", with the team if it is not NULL" or "") .. ".", "static rnnc_status run",
        targets.parameters(p, words, p.lengths) .. ", void *workspace" .. (threads and ", const rnnc_team *team" or ""),
        {
            check_tokens(p, "seq_len", p.lengths),
            p.batch == "any" and refuse("batch == 0", "RNNC_OK"),
            without_steps(p),
            check_overlap(p, "seq_len"),
            align_workspace(p),
            chosen,
            threads and found.unused_team and set "(void)team",
            open and leave "RNNC_ERR_TARGET",
        })
end

-- ---- what callers see ----

local function own_weights(p, words)
    return p.built_in and declare("const float *const", { "weights", words.weights_expression })
end

-- rnnc_status NAME_<name>(declared); team: C text, or nothing.
local function forward(p, words, name, declared, with_lengths, team)
    local input, batch = p.tokens and "tokens" or "x", batch_of(p)
    local steps, some = p.steps == "any" and " && seq_len > 0" or "", p.batch == "any" and " && batch > 0" or ""
    local list = {
        p.steps ~= "any" and declare("const size_t", { "seq_len", tostring(p.steps) }),
        own_weights(p, words),
        refuse((p.built_in and "" or "!weights || ") .. "!workspace"),
    }
    local function add(node) list[#list + 1] = node end
    if steps .. some ~= "" then
        add(comment "What holds no values may be NULL.")
        if p.last_step then
            add(refuse("!" .. input .. steps .. some))
            add(refuse("!y" .. some))
        else
            add(refuse(format("(!%s || !y)%s%s", input, steps, some)))
        end
    else
        add(refuse(format("!%s || !y", input)))
    end
    add(refuse(format("%s_workspace_size(seq_len, %s) == 0", p.name, batch), "RNNC_ERR_OVERFLOW"))
    if team then add(refuse "team && (team->count == 0 || !team->run || !team->post != !team->wait)") end
    if with_lengths then
        add(count("size_t", "b", batch, { refuse "lengths[b] > seq_len" }, nil, "lengths"))
    end
    add(leave(format("run(weights, seq_len, %s%s, %s%s, workspace%s)", p.batch == "any" and "batch, " or "", input,
        p.lengths and (with_lengths and "lengths, " or "NULL, ") or "", words.state_arguments,
        p.threads > 1 and ", " .. (team or "NULL") or "")))
    return statements.plain(nil, format("rnnc_status %s_%s", p.name, name), declared, list)
end

-- NAME_process: a block of a stream, in pieces for which its state has room. passed: what `run` takes from x on.
local function process(p, words, passed)
    local input, piece, weights = p.tokens and "tokens" or "x", p.stream.steps, p.built_in and "" or "!weights || "
    local row_in, row_out, steps = p.batch * p.input, p.batch * p.output, piece == 1 and "1" or "count"
    return statements.plain(nil, format("rnnc_status %s_process", p.name),
        format("%s%s_state *state, size_t steps, %s, float *y", p.built_in and "" or "const float *weights, ", p.name,
            p.tokens and "const int32_t *tokens" or "const float *x"),
        {
            own_weights(p, words) or false,
            refuse(format("%s!state || (steps > 0 && (!%s || !y))", weights, input)),
            refuse(format("steps > PTRDIFF_MAX / sizeof(float) / %d", math.max(row_in, row_out)), "RNNC_ERR_OVERFLOW"),
            check_overlap(p, "steps"),
            check_tokens(p, "steps", false),
            statements.loop(declare("size_t", { "t", "0" }, piece > 1 and { "count" } or nil), "t < steps",
                piece > 1 and "t += count" or "++t", {
                    piece > 1 and set(format("count = steps - t < %d ? steps - t : %d", piece, piece)),
                    declare("const rnnc_status", { "status", format("run(weights, %s, %s, state->workspace%s)", steps,
                        passed, p.threads > 1 and ", NULL" or "") }),
                    when("status != RNNC_OK", { leave "status" }),
                    set(format("%s += %s", input, times(steps, row_in))),
                    set(format("y += %s", times(steps, row_out))),
                }),
            leave "RNNC_OK",
        })
end

-- The network step by step: NAME_state_init, NAME_state_reset, NAME_step, NAME_process.
local function streaming(p, words)
    local by_weights = p.first and not p.built_in
    local weights = by_weights and "const float *weights, " or ""
    local list = { p.first and own_weights(p, words) or false,
                   when((by_weights and "!weights || " or "") .. "!state", { leave() }) }
    for _, state in ipairs(p.states) do
        local to = "state->" .. state
        list[#list + 1] = p.first and call("first_" .. state, "weights", p.batch, to)
            or call("memset", to, "0", "sizeof " .. to)
    end
    local input = p.tokens and "tokens" or "x"
    local carried = {}
    for i, state in ipairs(p.states) do carried[i] = "state->" .. state .. ", " end
    carried = table.concat(carried)
    local passed = format("%s, %s%sy, %s", input, p.lengths and "NULL, " or "", carried, carried):gsub(", $", "")
    return table.concat {
        statements.plain(nil, format("void %s_state_init", p.name), format("%s%s_state *state", weights, p.name), list),
        statements.plain(nil, format("void %s_state_reset", p.name), format("%s%s_state *state", weights, p.name),
            { call(p.name .. "_state_init", by_weights and "weights", "state") }),
        statements.plain(nil, format("rnnc_status %s_step", p.name),
            format("%s%s_state *state, %s, float *y", p.built_in and "" or "const float *weights, ", p.name,
                p.tokens and "const int32_t *tokens" or "const float *x"),
            {
                own_weights(p, words),
                refuse(format("%s!state || !%s || !y", p.built_in and "" or "!weights || ", input)),
                leave(format("run(weights, 1, %s, state->workspace%s)", passed, p.threads > 1 and ", NULL" or "")),
            }),
        process(p, words, passed),
    }
end

-- ---- all of them ----

-- entries.of(p, words, found) -> their C. words: fields that emit.lua gives the templates, names and lists of
-- parameters in C; found: what targets.of found.
function entries.of(p, words, found)
    local list = { workspace_size(p), architectures.supported(found.architectures) }
    local function add(text) list[#list + 1] = text end
    for _, state in ipairs(p.first and (p.steps == "any" or p.streaming) and p.states or {}) do
        add(first_state(p, state))
    end
    add(run(p, words, found))
    add(forward(p, words, "forward", words.parameters, false))
    if p.lengths then add(forward(p, words, "forward_lengths", words.long_parameters, true)) end
    if p.threads > 1 then
        add(forward(p, words, "forward_threads", "const rnnc_team *team, " .. words.long_parameters, p.lengths, "team"))
    end
    if p.streaming then add(streaming(p, words)) end
    return table.concat(list)
end

return entries
