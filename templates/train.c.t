@ -- NAME_train.c: training of the network: a forward pass that keeps what the backward pass reads.
@ -- forward_text, backward_text: the programs in C; places: lines that say where their buffers are
@{head}
#ifdef RNNC_NETWORK_IN_THIS_UNIT
#error "two generated files in one translation unit: compile each .c file by itself, out of unity builds"
#endif
#define RNNC_NETWORK_IN_THIS_UNIT
@ include("precise.c", { only = false })
#include "@{name}_train.h"

#include <math.h>
#include <string.h>
@ put(architectures.refusal(found, name .. "_train.c"))
@ put(architectures.includes(found, name .. "_train.c"))

const @{name}_tensor @{name}_tensors[@{upper}_TENSORS] = {
@ for _, p in ipairs(facts.parameters) do
    { @{p.literal}, @{p.offset}, @{p.cols > 0 and 2 or 1}, { @{p.rows}, @{p.cols > 0 and p.cols or 1} } },
@ end
};

/* The numbers of a step of Adam. */
typedef struct adam_factors {
    float rate, unbias, kept1, new1, kept2, new2, small, in_gradient, shrink;
} adam_factors;

@{structs}
@ for _, v in ipairs(variants) do
/* ---- @{v.target} @{rep("-", 100 - 11 - #v.target)} */
@ local macro = architectures.macro(found, v)
@ if macro then
#ifdef @{macro}
@ end

@ include(v.prelude, v)

@ include("functions.c", { v = v })
@ include("train_product.c", v)
@ include("train_vectors.c", v)

@{v.forward}
@{v.backward}
@ if macro then
#endif
@ end
@ end
/* ---- calls @{rep("-", 88)} */

/* What stands in front of a tape. */
typedef struct tape_head {
    uint32_t magic[2];
    size_t seq_len, batch;
} tape_head;

enum { HEAD = 16 }; /* floats, of which tape_head takes less */

static const uint32_t magic[2] = { 0x636e6e72, 0x65706174 };

/* Floats of a buffer with what is left of its last line of the cache. */
static size_t padded(size_t floats)
{
    return (floats + 15) & ~(size_t)15;
}

static float *aligned(const void *memory)
{
    return (float *)(((uintptr_t)memory + 63) & ~(uintptr_t)63);
}

/* Can a call of these sizes be run? */
static int fits(size_t seq_len, size_t batch)
{
    /* No buffer may exceed the largest object, PTRDIFF_MAX bytes. */
    const size_t most = PTRDIFF_MAX / sizeof(float) / @{bound};
@ if fixed_seq_len then
    if (seq_len != @{fixed_seq_len}) return 0;
@ end
@ if fixed_batch then
    if (batch != @{fixed_batch}) return 0;
@ end
    return seq_len > 0 && batch > 0 && batch <= most && seq_len < most / batch;
}

@ for _, which in ipairs { { "tape", "HEAD + " .. tape_floats }, { "train_workspace", "" } } do
size_t @{name}_@{which[1]}_size(size_t seq_len, size_t batch)
{
    if (!fits(seq_len, batch)) return 0;
@ if not fixed_seq_len then
    const size_t T = seq_len;
@ end
@ if not fixed_batch then
    const size_t B = batch;
@ end
@ if which[1] == "tape" then
    const size_t floats = @{which[2]};
@ else
    const size_t forward = @{forward_floats}, backward = @{backward_floats};
@ local extra = facts.lengths and " + padded(batch)" .. (facts.tokens and " + padded(seq_len * batch)" or "") or ""
    const size_t floats = (forward > backward ? forward : backward)@{extra};
@ end
@ if not fixed_seq_len then
    (void)T;
@ end
@ if not fixed_batch then
    (void)B;
@ end
    return floats * sizeof(float) + 64;
}

@ end
@ put(architectures.supported(found))
@ local input = facts.tokens and "tokens" or "x"
/* What both calls ask of their arguments. */
static rnnc_status check(const float *parameters, size_t seq_len, size_t batch,
    const @{facts.tokens and "int32_t" or "float"} *@{input},
    @{facts.lengths and "const size_t *lengths, " or ""}const void *tape, const void *workspace)
{
    if (!parameters || !@{input} || !tape || !workspace || seq_len == 0 || batch == 0) return RNNC_ERR_ARGUMENT;
    if (!fits(seq_len, batch)) return RNNC_ERR_OVERFLOW;
@ for _, least in ipairs(lacking) do
@ put(architectures.within(least.macro, format("    if (!supported_%s()) return RNNC_ERR_TARGET;\n", least.target)))
@ end
@ if lacking[1] then
@ end
@ if facts.lengths then
    for (size_t b = 0; lengths && b < batch; ++b)
        if (lengths[b] == 0 || lengths[b] > seq_len) return RNNC_ERR_ARGUMENT;
@ end
@ if facts.tokens and facts.lengths then
    for (size_t b = 0; b < batch; ++b)
        for (size_t t = 0; t < (lengths ? lengths[b] : seq_len); ++t) {
            const int32_t token = tokens[@{batch_first and "b * seq_len + t" or "t * batch + b"}];
            if (token < 0 || token >= @{vocabulary}) return RNNC_ERR_ARGUMENT;
        }
@ elseif facts.tokens then
    for (size_t i = 0; i < seq_len * batch; ++i)
        if (tokens[i] < 0 || tokens[i] >= @{vocabulary}) return RNNC_ERR_ARGUMENT;
@ end
    return RNNC_OK;
}

@ if facts.lengths then
/* The lengths as the programs read them. */
static void take_lengths(size_t seq_len, size_t batch, const size_t *lengths, int32_t *to)
{
    for (size_t b = 0; b < batch; ++b) to[b] = (int32_t)(lengths ? lengths[b] : seq_len);
}

@ if facts.tokens then
/* The tokens, and 0 beyond the lengths. */
static void take_tokens(size_t seq_len, size_t batch, const int32_t *lengths, const int32_t *tokens, int32_t *to)
{
    for (size_t b = 0; b < batch; ++b)
        for (size_t t = 0; t < seq_len; ++t) {
            const size_t at = @{batch_first and "b * seq_len + t" or "t * batch + b"};
            to[at] = t < (size_t)lengths[b] ? tokens[at] : 0;
        }
}

@ end
@ end
@ include("philox.c", {})

@ include("train_dropout.c", { name = name, drops = facts.drops })
@ local function live()
@ if facts.lengths then
    int32_t *const live_lengths = (int32_t *)(void *)space;
    space += padded(batch);
    take_lengths(seq_len, batch, lengths, live_lengths);
@ if facts.tokens then
    int32_t *const live_tokens = (int32_t *)(void *)space;
    space += padded(seq_len * batch);
    take_tokens(seq_len, batch, live_lengths, tokens, live_tokens);
@ end
@ end
@ end
@ local function fixed()
@ if fixed_seq_len then
    const size_t seq_len = @{fixed_seq_len};
@ end
@ if fixed_batch then
    const size_t batch = @{fixed_batch};
@ end
@ end
@ local function sizes()
@ if not fixed_seq_len then
    const size_t T = seq_len;
    (void)T;
@ end
@ if not fixed_batch then
    const size_t B = batch;
    (void)B;
@ end
@ end
@ -- Where the buffers of a pass lie in tape and workspace, and the pass itself; which: "forward" or "backward".
@ local function run_on(which, places, symbols)
@ live(); sizes()
    @{name}_run_@{which}_buffers b;
@ for i, part in ipairs(tape) do
@ if which == "forward" and part.mask then
    draw_mask(dropout, @{part.mask}, seq_len, batch, next);
@ end
    b.@{part.c} = next;
@ if i < #tape then
    next += padded(@{part.count});
@ end
@ end
@ for _, line in ipairs(places) do
    @{line}
@ end
    (void)space;
@ local function call(v) return { format("%s_run_%s%s(&b%s);", name, which, v.suffix, symbols), "return RNNC_OK;" } end
@ put(architectures.best(found, call, "return RNNC_ERR_TARGET;"))
@ end
rnnc_status @{name}_train_forward(@{forward_parameters})
{
@ fixed()
    const rnnc_status status = check(parameters, seq_len, batch, @{input}, @{facts.lengths and "lengths, " or ""}tape,
        workspace);
    if (status != RNNC_OK) return status;
    tape_head head = { { magic[0], magic[1] }, seq_len, batch };
    float *next = aligned(tape), *space = aligned(workspace);
    memcpy(next, &head, sizeof head);
    next += HEAD;
@ run_on("forward", forward_places, forward_symbols)
}

rnnc_status @{name}_gradients(@{backward_parameters})
{
@ fixed()
    const rnnc_status status = check(parameters, seq_len, batch, @{input}, @{facts.lengths and "lengths, " or ""}tape,
        workspace);
    if (status != RNNC_OK) return status;
    tape_head head;
    const float *next = aligned(tape);
    float *space = aligned(workspace);
    memcpy(&head, next, sizeof head);
    if (memcmp(head.magic, magic, sizeof magic) != 0 || head.seq_len != seq_len || head.batch != batch)
        return RNNC_ERR_ARGUMENT;
    next += HEAD;
@ run_on("backward", backward_places, backward_symbols)
}

@ include("train_loss.c", { name = name })

@ if architectures.open(found) then
@ include("train_vectors.c", { vec = "f32", lanes = 1, inline = "static inline", attribute = "static",
@     intrinsic = "", suffix = "_plain" })

@ end
static double squares(size_t count, const float *p)
{
@ local function squares(v) return { format("return squares%s(count, p);", v.suffix) } end
@ put(architectures.best(found, squares, squares({ suffix = "_plain" })[1]))
}

static void run_adam(const adam_factors *f, float *p, const float *gradient, float *first, float *second)
{
@ local words = upper .. "_PARAMETERS, f, p, gradient, first, second"
@ local function call(v) return { format("adam%s(%s);", v.suffix, words), "return;" } end
@ put(architectures.best(found, call, call({ suffix = "_plain" })[1]))
}

@ include("train_update.c", { name = name, upper = upper, facts = facts })
