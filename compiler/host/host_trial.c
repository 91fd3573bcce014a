/* host.trial */
#include "difference.h"
#include "host.h"
#include "network.h"
#include "trial.h"
#include "uniform.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#define SCRATCH_TYPE "rnnc.scratch"

enum { Y, HN, CN, OUTPUTS };

static const char *const output_names[OUTPUTS] = {"y", "hn", "cn"};
static const char *const recorded_names[OUTPUTS] = {"recorded_y", "recorded_hn", "recorded_cn"};
static const char *const generic_names[OUTPUTS] = {"generic_y", "generic_hn", "generic_cn"};

/* All that a trial allocates; closed by Lua. */
typedef struct scratch {
    trial trial;
    double *right[OUTPUTS]; /* what y, hn and cn are in double precision */
    float *prepared, *generic[OUTPUTS];
    void *workspace;
    size_t count[OUTPUTS]; /* values; 0: the network has none */
} scratch;

static int close_scratch(lua_State *L) {
    scratch *const s = luaL_checkudata(L, 1, SCRATCH_TYPE);
    trial *const t = &s->trial;
    fence *const fences[] = {&t->x, &t->tokens, &t->lengths, &t->h0, &t->c0, &t->y, &t->hn, &t->cn};
    for (size_t i = 0; i < sizeof fences / sizeof fences[0]; i++)
        fence_close(fences[i]);
    for (int k = 0; k < OUTPUTS; k++) {
        free(s->right[k]);
        free(s->generic[k]);
    }
    free(s->prepared);
    free(s->workspace);
    memset(s, 0, sizeof *s);
    return 0;
}

static scratch *new_scratch(lua_State *L) {
    scratch *const s = lua_newuserdatauv(L, sizeof *s, 0);
    memset(s, 0, sizeof *s);
    if (luaL_newmetatable(L, SCRATCH_TYPE)) {
        lua_pushcfunction(L, close_scratch);
        lua_setfield(L, -2, "__gc");
        lua_pushcfunction(L, close_scratch);
        lua_setfield(L, -2, "__close");
    }
    lua_setmetatable(L, -2);
    lua_toclose(L, -1);
    return s;
}

static fence *output_of(scratch *s, int k) {
    return k == Y ? &s->trial.y : k == HN ? &s->trial.hn : &s->trial.cn;
}

/* Buffers for the outputs, and for what else computes them. -1 if memory is out. */
static int open_outputs(scratch *s) {
    for (int k = 0; k < OUTPUTS; k++) {
        if (s->count[k] == 0)
            continue;
        fence *const f = output_of(s, k);
        s->right[k] = malloc(s->count[k] * sizeof *s->right[k]);
        s->generic[k] = malloc(s->count[k] * sizeof *s->generic[k]);
        if (!s->right[k] || !s->generic[k] || fence_open(f, s->count[k] * sizeof(float)) != 0)
            return -1;
        memset(f->data, 0xff, f->size); /* NaN */
    }
    return 0;
}

/* Opens a buffer of floats, uniform in [-1, 1) or the tensor `name` of the recorded case. */
static rnnc_status fill(fence *buffer, size_t count, uint64_t *state, const rnnc_safetensors *file,
                        const char *name, rnnc_error *error) {
    if (fence_open(buffer, count * sizeof(float)) != 0)
        return RNNC_ERR_MEMORY;
    float *const values = (float *)(void *)buffer->data;
    if (file)
        return rnnc_safetensors_read_f32(file, name, values, count, error);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)uniform(state);
    return RNNC_OK;
}

/* Element i of a tensor of integers, I32 or I64; one that does not fit becomes -1, which is no
 * token. */
static int32_t integer_at(const rnnc_entry *entry, size_t i, size_t size) {
    const unsigned char *const from = entry->tensor.data;
    int32_t narrow;
    int64_t wide;
    if (size == 4) {
        memcpy(&narrow, from + 4 * i, 4);
        return narrow;
    }
    memcpy(&wide, from + 8 * i, 8);
    return wide >= 0 && wide <= INT32_MAX ? (int32_t)wide : -1;
}

/* The tensor `tokens` of a recorded case. Which tokens there may be is for forward to find out. */
static rnnc_status read_tokens(const rnnc_safetensors *file, int32_t *to, size_t count,
                               rnnc_error *error) {
    const rnnc_entry *entry;
    size_t at = 0;
    while ((entry = rnnc_safetensors_get(file, at)) != NULL && strcmp(entry->name, "tokens") != 0)
        at++;
    const size_t size = entry && strcmp(entry->dtype, "I32") == 0   ? 4
                        : entry && strcmp(entry->dtype, "I64") == 0 ? 8
                                                                    : 0;
    if (entry && size && entry->size == count * size) {
        for (size_t i = 0; i < count; i++)
            to[i] = integer_at(entry, i, size);
        return RNNC_OK;
    }
    float *const values = malloc((count + 1) * sizeof *values);
    rnnc_status status = values ? RNNC_OK : RNNC_ERR_MEMORY;
    if (status == RNNC_OK)
        status = rnnc_safetensors_read_f32(file, "tokens", values, count, error);
    for (size_t i = 0; status == RNNC_OK && i < count; i++)
        to[i] = values[i] >= 0 && values[i] < 0x1p31f ? (int32_t)values[i] : -1;
    free(values);
    return status;
}

static rnnc_status fill_tokens(trial *t, size_t vocabulary, uint64_t *state,
                               const rnnc_safetensors *file, rnnc_error *error) {
    const size_t count = t->seq_len * t->batch;
    if (fence_open(&t->tokens, count * sizeof(int32_t)) != 0)
        return RNNC_ERR_MEMORY;
    int32_t *const tokens = (int32_t *)(void *)t->tokens.data;
    if (file)
        return read_tokens(file, tokens, count, error);
    for (size_t i = 0; i < count; i++)
        tokens[i] = (int32_t)uniform_below(state, vocabulary);
    return RNNC_OK;
}

/* The option `lengths`: a list, or true for a random number of steps for each sequence; of several,
 * the longest and the shortest are there. Nothing if it is false. */
static rnnc_status fill_lengths(lua_State *L, trial *t, uint64_t *state) {
    const int type = lua_getfield(L, 1, "lengths");
    const int wanted = lua_toboolean(L, -1);
    if (wanted && fence_open(&t->lengths, t->batch * sizeof(size_t)) != 0)
        return RNNC_ERR_MEMORY;
    size_t *const lengths = (size_t *)(void *)t->lengths.data;
    for (size_t b = 0; wanted && b < t->batch; b++) {
        lengths[b] = 1 + uniform_below(state, t->seq_len);
        if (type == LUA_TTABLE) {
            lua_rawgeti(L, -1, (lua_Integer)b + 1);
            lengths[b] = (size_t)luaL_checkinteger(L, -1);
            lua_pop(L, 1);
        }
    }
    if (wanted && type != LUA_TTABLE && t->batch > 1) {
        lengths[t->batch / 2] = t->seq_len;
        lengths[t->batch / 2 - 1] = 1;
    }
    lua_pop(L, 1);
    return RNNC_OK;
}

/* {absolute=, relative=, ulp=, largest=} as a field of the table on top of the stack. */
static void set_difference(lua_State *L, const char *field, size_t n, const float *got,
                           const double *reference) {
    const difference d = difference_of(n, got, reference);
    lua_createtable(L, 0, 4);
    lua_pushnumber(L, d.absolute);
    lua_setfield(L, -2, "absolute");
    lua_pushnumber(L, d.relative);
    lua_setfield(L, -2, "relative");
    lua_pushnumber(L, d.ulp);
    lua_setfield(L, -2, "ulp");
    lua_pushnumber(L, d.largest);
    lua_setfield(L, -2, "largest");
    lua_setfield(L, -2, field);
}

static const float *floats_of(const fence *f) { return (const float *)(const void *)f->data; }

/* The generic network on the same inputs, into s->generic. */
static rnnc_status run_generic(scratch *s) {
    const trial *const t = &s->trial;
    const size_t count = rnnc_generic_prepared_count(t->network);
    const size_t size = rnnc_generic_workspace_size(t->network, t->seq_len, t->batch);
    s->prepared = count ? malloc(count * sizeof *s->prepared) : NULL;
    s->workspace = size ? malloc(size) : NULL;
    if (!s->prepared || !s->workspace)
        return RNNC_ERR_MEMORY;
    rnnc_call call = trial_call(t);
    call.weights = s->prepared;
    call.workspace = s->workspace;
    call.y = s->generic[Y];
    call.hn = s->generic[HN];
    call.cn = s->generic[CN];
    const rnnc_status status = rnnc_generic_prepare(t->network, t->tensors, s->prepared);
    return status == RNNC_OK ? rnnc_generic_forward(t->network, NULL, &call) : status;
}

/* What the case says the outputs are, against what the network says. */
static rnnc_status compare_recorded(lua_State *L, scratch *s, const rnnc_safetensors *file,
                                    rnnc_error *error) {
    for (int k = 0; k < OUTPUTS; k++) {
        if (s->count[k] == 0)
            continue;
        /* Both are done with. */
        const rnnc_status status =
            rnnc_safetensors_read_f32(file, output_names[k], s->generic[k], s->count[k], error);
        if (status != RNNC_OK)
            return status;
        for (size_t i = 0; i < s->count[k]; i++)
            s->right[k][i] = (double)s->generic[k][i];
        set_difference(L, recorded_names[k], s->count[k], floats_of(output_of(s, k)), s->right[k]);
    }
    return RNNC_OK;
}

static int fail_with(lua_State *L, rnnc_status status, const char *message) {
    luaL_pushfail(L);
    lua_pushstring(L, status == RNNC_ERR_MEMORY
                          ? "not enough memory for this many steps and sequences"
                          : message);
    return 2;
}

/* Everything that goes into the call, of options that are on the stack. */
static rnnc_status open_inputs(lua_State *L, scratch *s, const rnnc_network_sizes *sizes,
                               const rnnc_safetensors *recorded, rnnc_error *error) {
    trial *const t = &s->trial;
    uint64_t state = network_size_field(L, 1, "seed");
    const int initial = network_flag_field(L, 1, "initial");
    rnnc_status status =
        sizes->vocabulary
            ? fill_tokens(t, sizes->vocabulary, &state, recorded, error)
            : fill(&t->x, t->seq_len * t->batch * sizes->input, &state, recorded, "x", error);
    if (status == RNNC_OK && initial && sizes->h)
        status = fill(&t->h0, t->batch * sizes->h, &state, recorded, "h0", error);
    if (status == RNNC_OK && initial && sizes->c)
        status = fill(&t->c0, t->batch * sizes->c, &state, recorded, "c0", error);
    if (status == RNNC_OK)
        status = fill_lengths(L, t, &state);
    return status;
}

/* host.trial{library=, symbol=, network= (see network_read), weights=, seq_len=, batch=, seed=,
 * initial= (with h0 and c0?), lengths= (a list, or true for sequences of random lengths), seconds=,
 * case= (a safetensors file with x or tokens, y and what else the network has of h0, c0, hn, cn, or
 * nil)} -> {y=, hn=, cn=} against double precision, each {absolute=, relative=, ulp=, largest=};
 * generic_y= and so on of the generic network, and recorded_y= of a case; only those that the
 * network has. [options -> result | fail, message] */
int host_trial(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_getfield(L, 1, "library");
    lua_getfield(L, 1, "symbol");
    lua_getfield(L, 1, "weights");
    lua_getfield(L, 1, "case");
    lua_getfield(L, 1, "network");
    const network_weights *const weights = network_check_weights(L, 4);
    const rnnc_safetensors *const recorded = lua_isnil(L, 5) ? NULL : network_check_file(L, 5);
    rnnc_network_sizes sizes;
    const rnnc_network *const network = network_read(L, 6, &sizes);
    scratch *const s = new_scratch(L);
    trial *const t = &s->trial;
    t->library = luaL_checkstring(L, 2);
    t->symbol = luaL_checkstring(L, 3);
    t->network = network;
    t->tensors = weights->tensors;
    if (weights->count != sizes.weight_count)
        return luaL_error(L, "the network has other weights");
    t->seq_len = network_size_field(L, 1, "seq_len");
    t->batch = network_size_field(L, 1, "batch");
    t->seconds = (int)network_size_field(L, 1, "seconds");

    /* Sizes are within the limits of the spec language, so that none of these overflows. */
    s->count[Y] = (sizes.last_step ? 1 : t->seq_len) * t->batch * sizes.output;
    s->count[HN] = t->batch * sizes.h;
    s->count[CN] = t->batch * sizes.c;
    rnnc_error error = {.message = ""};
    rnnc_status status = open_outputs(s) == 0 ? RNNC_OK : RNNC_ERR_MEMORY;
    if (status == RNNC_OK)
        status = open_inputs(L, s, &sizes, recorded, &error);
    if (status != RNNC_OK)
        return fail_with(L, status, error.message);
    char message[TRIAL_MESSAGE];
    if (trial_run(t, message) != 0)
        return fail_with(L, RNNC_OK, message);
    const rnnc_call call = trial_call(t);
    status =
        rnnc_reference_forward(network, t->tensors, &call, s->right[Y], s->right[HN], s->right[CN]);
    if (status == RNNC_OK)
        status = run_generic(s);
    if (status != RNNC_OK)
        return fail_with(L, status, rnnc_status_message(status));
    lua_createtable(L, 0, 3 * OUTPUTS);
    for (int k = 0; k < OUTPUTS; k++) {
        if (s->count[k] == 0)
            continue;
        const float *const got = floats_of(output_of(s, k));
        set_difference(L, output_names[k], s->count[k], got, s->right[k]);
        set_difference(L, generic_names[k], s->count[k], s->generic[k], s->right[k]);
    }
    status = recorded ? compare_recorded(L, s, recorded, &error) : RNNC_OK;
    return status == RNNC_OK ? 1 : fail_with(L, status, error.message);
}
