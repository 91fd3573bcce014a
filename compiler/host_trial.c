/* host.random_weights, host.trial */
#include "difference.h"
#include "host.h"
#include "network.h"
#include "trial.h"
#include "uniform.h"

#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SCRATCH_TYPE "rnnc.scratch"

/* host.random_weights(config, seed) -> weights, uniform within 1/sqrt(hidden_size) as PyTorch draws
 * them.  [config, seed -> weights | fail, message] */
int host_random_weights(lua_State *L) {
    const rnnc_config config = network_config(L, 1);
    uint64_t state = (uint64_t)luaL_checkinteger(L, 2);
    network_weights *const weights = network_new_weights(L, &config);
    const size_t count = rnnc_config_weight_count(&config);
    const size_t floats = rnnc_config_weight_floats(&config);
    weights->owned = malloc((floats + 1) * sizeof(float));
    weights->tensors = weights->owned ? malloc(count * sizeof *weights->tensors) : NULL;
    if (!weights->tensors) {
        luaL_pushfail(L);
        lua_pushstring(L, "not enough memory for the weights");
        return 2;
    }
    const double bound = 1.0 / sqrt((double)config.hidden_size);
    for (size_t i = 0; i < floats; i++)
        weights->owned[i] = (float)(bound * uniform(&state));
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        rnnc_weight weight;
        rnnc_config_weight(&config, i, &weight);
        weights->tensors[i] = weights->owned + at;
        at += weight.rows * (weight.cols ? weight.cols : 1);
    }
    return 1;
}

/* All that a trial allocates; closed by Lua. */
typedef struct scratch {
    trial trial;
    double *y, *hn, *cn;
} scratch;

static int close_scratch(lua_State *L) {
    scratch *const s = luaL_checkudata(L, 1, SCRATCH_TYPE);
    fence_close(&s->trial.x);
    fence_close(&s->trial.h0);
    fence_close(&s->trial.c0);
    fence_close(&s->trial.y);
    fence_close(&s->trial.hn);
    fence_close(&s->trial.cn);
    free(s->y);
    free(s->hn);
    free(s->cn);
    s->y = s->hn = s->cn = NULL;
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

static int push_failure(lua_State *L, const char *message) {
    luaL_pushfail(L);
    lua_pushstring(L, message);
    return 2;
}

static lua_Integer integer_field(lua_State *L, const char *name) {
    lua_getfield(L, 1, name);
    const lua_Integer value = luaL_checkinteger(L, -1);
    lua_pop(L, 1);
    return value;
}

/* {absolute=, relative=, ulp=, largest=}.  [ -> table] */
static void push_difference(lua_State *L, size_t n, const fence *got, const double *reference) {
    const difference d = difference_of(n, (const float *)(const void *)got->data, reference);
    lua_createtable(L, 0, 4);
    lua_pushnumber(L, d.absolute);
    lua_setfield(L, -2, "absolute");
    lua_pushnumber(L, d.relative);
    lua_setfield(L, -2, "relative");
    lua_pushnumber(L, d.ulp);
    lua_setfield(L, -2, "ulp");
    lua_pushnumber(L, d.largest);
    lua_setfield(L, -2, "largest");
}

/* Values uniform in [-1, 1), or the tensor `name` of the recorded case. */
static rnnc_status fill(fence *buffer, size_t count, uint64_t *state, const rnnc_safetensors *file,
                        const char *name, rnnc_error *error) {
    float *const values = (float *)(void *)buffer->data;
    if (file)
        return rnnc_safetensors_read_f32(file, name, values, count, error);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)uniform(state);
    return RNNC_OK;
}

/* What the case says y, hn and cn are, against what the network says: fields recorded_y,
 * recorded_hn, recorded_cn of the table on top of the stack. */
static rnnc_status compare_recorded(lua_State *L, scratch *s, const rnnc_safetensors *file,
                                    rnnc_error *error) {
    const char *const names[] = {"y", "hn", "cn"};
    const char *const fields[] = {"recorded_y", "recorded_hn", "recorded_cn"};
    const fence *const got[] = {&s->trial.y, &s->trial.hn, &s->trial.cn};
    double *const values[] = {s->y, s->hn, s->cn};
    for (int k = 0; k < 3 && got[k]->data; k++) {
        const size_t n = got[k]->size / sizeof(float);
        float *const recorded = lua_newuserdatauv(L, got[k]->size, 0);
        const rnnc_status status = rnnc_safetensors_read_f32(file, names[k], recorded, n, error);
        if (status != RNNC_OK)
            return status;
        for (size_t i = 0; i < n; i++)
            values[k][i] = (double)recorded[i];
        push_difference(L, n, got[k], values[k]);
        lua_setfield(L, -3, fields[k]);
        lua_pop(L, 1);
    }
    return RNNC_OK;
}

/* host.trial{library=, symbol=, weights=, seq_len=, batch=, seed=, initial= (with h0 and c0?),
 * seconds=, case= (a safetensors file with x, h0, y, hn, for lstm c0 and cn too, or nil)} -> {y=,
 * hn=, cn=, recorded_y=, recorded_hn=, recorded_cn=}, each {absolute=, relative=, ulp=, largest=}
 * against double precision or what is recorded; cn and recorded_cn nil unless lstm, recorded_...
 * without a case. [options -> result | fail, message] */
int host_trial(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_getfield(L, 1, "library");
    lua_getfield(L, 1, "symbol");
    lua_getfield(L, 1, "weights");
    lua_getfield(L, 1, "case");
    lua_getfield(L, 1, "initial");
    const network_weights *const weights = network_check_weights(L, 4);
    const rnnc_safetensors *const recorded = lua_isnil(L, 5) ? NULL : network_check_file(L, 5);
    const int initial = lua_toboolean(L, 6);
    uint64_t state = (uint64_t)integer_field(L, "seed");
    scratch *const s = new_scratch(L);
    trial *const t = &s->trial;
    t->library = luaL_checkstring(L, 2);
    t->symbol = luaL_checkstring(L, 3);
    t->config = weights->config;
    t->tensors = weights->tensors;
    t->seq_len = (size_t)integer_field(L, "seq_len");
    t->batch = (size_t)integer_field(L, "batch");
    t->seconds = (int)integer_field(L, "seconds");

    /* Sizes are within the limits of the spec language, so that none of these overflows. */
    const size_t directions = t->config.bidirectional ? 2 : 1, hidden = t->config.hidden_size;
    const size_t x_count = t->seq_len * t->batch * t->config.input_size;
    const size_t y_count = t->seq_len * t->batch * directions * hidden;
    const size_t h_count = t->config.num_layers * directions * t->batch * hidden;
    s->y = malloc(y_count * sizeof *s->y);
    const int lstm = t->config.cell == RNNC_LSTM;
    s->hn = malloc(h_count * sizeof *s->hn);
    s->cn = lstm ? malloc(h_count * sizeof *s->cn) : NULL;
    if (!s->y || !s->hn || (lstm && !s->cn) || fence_open(&t->x, x_count * sizeof(float)) != 0 ||
        fence_open(&t->y, y_count * sizeof(float)) != 0 ||
        fence_open(&t->hn, h_count * sizeof(float)) != 0 ||
        (lstm && fence_open(&t->cn, h_count * sizeof(float)) != 0) ||
        (initial && fence_open(&t->h0, h_count * sizeof(float)) != 0) ||
        (initial && lstm && fence_open(&t->c0, h_count * sizeof(float)) != 0))
        return push_failure(L, "not enough memory for this many steps and sequences");
    memset(t->y.data, 0xff, t->y.size);
    memset(t->hn.data, 0xff, t->hn.size);
    if (lstm)
        memset(t->cn.data, 0xff, t->cn.size);
    rnnc_error error;
    if (fill(&t->x, x_count, &state, recorded, "x", &error) != RNNC_OK ||
        (initial && fill(&t->h0, h_count, &state, recorded, "h0", &error) != RNNC_OK) ||
        (initial && lstm && fill(&t->c0, h_count, &state, recorded, "c0", &error) != RNNC_OK))
        return push_failure(L, error.message);
    char message[TRIAL_MESSAGE];
    if (trial_run(t, message) != 0)
        return push_failure(L, message);
    const rnnc_status status = rnnc_reference_forward(
        &t->config, t->tensors, t->seq_len, t->batch, (const float *)(const void *)t->x.data,
        (const float *)(const void *)t->h0.data, (const float *)(const void *)t->c0.data, s->y,
        s->hn, s->cn);
    if (status != RNNC_OK)
        return push_failure(L, rnnc_status_message(status));
    lua_createtable(L, 0, 6);
    push_difference(L, y_count, &t->y, s->y);
    lua_setfield(L, -2, "y");
    push_difference(L, h_count, &t->hn, s->hn);
    lua_setfield(L, -2, "hn");
    if (lstm) {
        push_difference(L, h_count, &t->cn, s->cn);
        lua_setfield(L, -2, "cn");
    }
    if (recorded && compare_recorded(L, s, recorded, &error) != RNNC_OK)
        return push_failure(L, error.message);
    return 1;
}
