/* host.isolated_run */
#include "conditioning.h"
#include "difference.h"
#include "host.h"
#include "isolated_inputs.h"
#include "isolated_run.h"
#include "network.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#define SCRATCH_TYPE "rnnc.scratch"

enum { Y, HN, CN, OUTPUTS = CONDITIONING_OUTPUTS };

static const char *const output_names[OUTPUTS] = {"y", "hn", "cn"};
static const char *const recorded_names[OUTPUTS] = {"recorded_y", "recorded_hn", "recorded_cn"};
static const char *const generic_names[OUTPUTS] = {"generic_y", "generic_hn", "generic_cn"};

/* All that an isolated run allocates; closed by Lua. */
typedef struct scratch {
    isolated_run run;
    const network_weights *weights;
    double *right[OUTPUTS];  /* what y, hn and cn are in double precision */
    double *spread[OUTPUTS]; /* how far rounding moves them */
    int has_spread;          /* it is computed only where an error is large */
    float *prepared, *generic[OUTPUTS];
    double *recorded;
    void *workspace;
    size_t count[OUTPUTS]; /* values; 0: the network has none */
    size_t row[OUTPUTS];   /* of so many values, which are judged by their largest spread */
} scratch;

static int close_scratch(lua_State *L) {
    scratch *const s = luaL_checkudata(L, 1, SCRATCH_TYPE);
    isolated_run *const t = &s->run;
    guard *const guards[] = {&t->x, &t->tokens, &t->lengths, &t->h0, &t->c0, &t->y, &t->hn, &t->cn};
    for (size_t i = 0; i < sizeof guards / sizeof guards[0]; i++)
        guard_close(guards[i]);
    for (int k = 0; k < OUTPUTS; k++) {
        free(s->right[k]);
        free(s->spread[k]);
        free(s->generic[k]);
    }
    free(s->recorded);
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

static guard *output_of(scratch *s, int k) {
    return k == Y ? &s->run.y : k == HN ? &s->run.hn : &s->run.cn;
}

/* Buffers for the outputs, and for what else computes them. -1 if memory is out. */
static int open_outputs(scratch *s) {
    for (int k = 0; k < OUTPUTS; k++) {
        if (s->count[k] == 0)
            continue;
        guard *const f = output_of(s, k);
        s->right[k] = malloc(s->count[k] * sizeof *s->right[k]);
        s->spread[k] = malloc(s->count[k] * sizeof *s->spread[k]);
        s->generic[k] = malloc(s->count[k] * sizeof *s->generic[k]);
        if (!s->right[k] || !s->spread[k] || !s->generic[k] ||
            guard_open(f, s->count[k] * sizeof(float)) != 0)
            return -1;
        memset(f->data, 0xff, f->size); /* NaN */
    }
    return 0;
}

/* What an error may be: so much of outputs up to 1, and more of larger ones; or so many times what
 * rounding does to the output. */
typedef struct tolerance {
    double absolute, spreads;
} tolerance;

static tolerance tolerance_field(lua_State *L, const char *absolute, const char *spreads) {
    lua_getfield(L, 1, absolute);
    lua_getfield(L, 1, spreads);
    const tolerance t = {luaL_checknumber(L, -2), luaL_checknumber(L, -1)};
    lua_pop(L, 2);
    return t;
}

static double largest_of(size_t n, const double *values) {
    double largest = 0;
    for (size_t i = 0; i < n; i++)
        largest = values[i] > largest ? values[i] : largest;
    return largest;
}

static rnnc_status find_spread(scratch *s) {
    if (s->has_spread)
        return RNNC_OK;
    const rnnc_call call = isolated_call(&s->run);
    const rnnc_status status =
        conditioning_of(s->run.network, s->weights, &call, s->count, s->right, s->spread);
    if (status == RNNC_OK)
        conditioning_onwards(s->spread[Y], s->count[Y] / (call.batch * s->row[Y]), call.batch,
                             s->row[Y], s->run.network->batch_first);
    s->has_spread = status == RNNC_OK;
    return status;
}

/* {absolute=, relative=, ulp=, excess= (the largest error over what it may be), spread= (of
 * rounding alone; 0 if no error made it count)} of output k as a field of the table on top of the
 * stack. */
static rnnc_status set_judged(lua_State *L, scratch *s, const char *field, int k, const float *got,
                              const double *reference, tolerance allowed) {
    const size_t n = s->count[k];
    const difference d = difference_of(n, got, reference);
    const double least = allowed.absolute * (d.largest > 1 ? d.largest : 1);
    double spread = 0, excess = d.absolute / least;
    if (!(excess <= 1)) {
        const rnnc_status status = find_spread(s);
        if (status != RNNC_OK)
            return status;
        spread = largest_of(n, s->spread[k]);
        excess =
            conditioning_excess(n, s->row[k], got, reference, s->spread[k], least, allowed.spreads);
    }
    const struct {
        const char *name;
        double value;
    } fields[] = {{"absolute", d.absolute},
                  {"relative", d.relative},
                  {"ulp", d.ulp},
                  {"excess", excess},
                  {"spread", spread}};
    lua_createtable(L, 0, 5);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        lua_pushnumber(L, fields[i].value);
        lua_setfield(L, -2, fields[i].name);
    }
    lua_setfield(L, -2, field);
    return RNNC_OK;
}

static const float *floats_of(const guard *f) { return (const float *)(const void *)f->data; }

/* The generic network on the same inputs, into s->generic. */
static rnnc_status run_generic(scratch *s) {
    const isolated_run *const t = &s->run;
    const size_t count = rnnc_generic_prepared_count(t->network);
    const size_t size = rnnc_generic_workspace_size(t->network, t->seq_len, t->batch);
    s->prepared = count ? malloc(count * sizeof *s->prepared) : NULL;
    s->workspace = size ? malloc(size) : NULL;
    if (!s->prepared || !s->workspace)
        return RNNC_ERR_MEMORY;
    rnnc_call call = isolated_call(t);
    call.weights = s->prepared;
    call.workspace = s->workspace;
    call.y = s->generic[Y];
    call.hn = s->generic[HN];
    call.cn = s->generic[CN];
    const rnnc_status status = rnnc_generic_prepare(t->network, t->tensors, s->prepared);
    return status == RNNC_OK ? rnnc_generic_forward(t->network, NULL, &call) : status;
}

/* What the case says that the outputs are, as far as it does. */
static rnnc_status compare_recorded(lua_State *L, scratch *s, const rnnc_safetensors *file,
                                    tolerance allowed, rnnc_error *error) {
    rnnc_status status = RNNC_OK;
    for (int k = 0; k < OUTPUTS && status == RNNC_OK; k++) {
        rnnc_tensor tensor;
        if (s->count[k] == 0 || rnnc_safetensors_find(file, output_names[k], &tensor) != RNNC_OK)
            continue;
        float *const values = s->generic[k]; /* done with */
        status = rnnc_safetensors_read_f32(file, output_names[k], values, s->count[k], error);
        free(s->recorded);
        s->recorded = malloc(s->count[k] * sizeof *s->recorded);
        if (status == RNNC_OK && !s->recorded)
            status = RNNC_ERR_MEMORY;
        for (size_t i = 0; i < s->count[k] && status == RNNC_OK; i++)
            s->recorded[i] = (double)values[i];
        if (status == RNNC_OK)
            status = set_judged(L, s, recorded_names[k], k, floats_of(output_of(s, k)), s->recorded,
                                allowed);
    }
    return status;
}

static int fail_with(lua_State *L, rnnc_status status, const char *message) {
    luaL_pushfail(L);
    lua_pushstring(L, status == RNNC_ERR_MEMORY
                          ? "not enough memory for this many steps and sequences"
                          : message);
    return 2;
}

/* The sizes of the run and of its outputs, by the options. They are within the limits of the spec
 * language, so that none of these overflows. */
static void size_isolated_run(lua_State *L, scratch *s, const rnnc_network_sizes *sizes) {
    isolated_run *const t = &s->run;
    t->seq_len = network_size_field(L, 1, "seq_len");
    t->batch = network_size_field(L, 1, "batch");
    t->call_len = network_size_field(L, 1, "call_len");
    t->call_batch = network_size_field(L, 1, "call_batch");
    t->seconds = (int)network_size_field(L, 1, "seconds");
    if (t->call_len == 0 || t->call_batch == 0 || t->seq_len % t->call_len != 0 ||
        t->batch % t->call_batch != 0)
        luaL_error(L, "calls of %d steps and %d sequences do not make up the run", (int)t->call_len,
                   (int)t->call_batch);
    s->count[Y] = (sizes->last_step ? 1 : t->seq_len) * t->batch * sizes->output;
    s->count[HN] = t->batch * sizes->h;
    s->count[CN] = t->batch * sizes->c;
    s->row[Y] = sizes->output;
    s->row[HN] = s->count[HN];
    s->row[CN] = s->count[CN];
}

/* host.isolated_run{library=, symbol=, network= (see network_read), weights=, seq_len=, batch=,
 * call_len=, call_batch= (what one call takes of them: if not all, there are several, and the
 * states are carried), seed=, initial= (with h0 and c0?), lengths= (a list, or true for sequences
 * of random lengths), inputs= ("near", "far" or "each"; tokens: "near" or "each"), seconds=,
 * tolerance= and spreads= (see struct tolerance), generic_tolerance=, generic_spreads=, case= (a
 * safetensors file with x or tokens, y and what it has of h0, c0, hn, cn, or nil)} -> {y=, hn=,
 * cn=} against double precision, see set_judged; generic_y= and so on of the generic network, and
 * recorded_y= of a case; only those that the network, or the case, has. [options -> result | fail,
 * message] */
int host_isolated_run(lua_State *L) {
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
    isolated_run *const t = &s->run;
    t->library = luaL_checkstring(L, 2);
    t->symbol = luaL_checkstring(L, 3);
    t->network = network;
    t->tensors = weights->tensors;
    s->weights = weights;
    if (weights->count != sizes.weight_count)
        return luaL_error(L, "the network has other weights");
    size_isolated_run(L, s, &sizes);
    const tolerance own = tolerance_field(L, "tolerance", "spreads");
    const tolerance generic = tolerance_field(L, "generic_tolerance", "generic_spreads");

    rnnc_error error = {.message = ""};
    rnnc_status status = open_outputs(s) == 0 ? RNNC_OK : RNNC_ERR_MEMORY;
    if (status == RNNC_OK)
        status = isolated_open_inputs(L, t, &sizes, recorded, &error);
    if (status != RNNC_OK)
        return fail_with(L, status, error.message);
    char message[ISOLATED_MESSAGE];
    if (run_isolated(t, message) != 0)
        return fail_with(L, RNNC_OK, message);
    const rnnc_call call = isolated_call(t);
    status =
        rnnc_reference_forward(network, t->tensors, &call, s->right[Y], s->right[HN], s->right[CN]);
    if (status == RNNC_OK)
        status = run_generic(s);
    lua_createtable(L, 0, 3 * OUTPUTS);
    for (int k = 0; k < OUTPUTS && status == RNNC_OK; k++) {
        if (s->count[k] == 0)
            continue;
        status = set_judged(L, s, output_names[k], k, floats_of(output_of(s, k)), s->right[k], own);
        if (status == RNNC_OK)
            status = set_judged(L, s, generic_names[k], k, s->generic[k], s->right[k], generic);
    }
    if (status != RNNC_OK)
        return fail_with(L, status, rnnc_status_message(status));
    status = recorded ? compare_recorded(L, s, recorded, own, &error) : RNNC_OK;
    return status == RNNC_OK ? 1 : fail_with(L, status, error.message);
}
