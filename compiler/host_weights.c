/* host.expected_weights, host.weights, host.pack, host.weights_blob */
#include "host.h"
#include "network.h"

#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WEIGHTS_TYPE "rnnc.weights"
#define PACKED_TYPE "rnnc.packed"

static size_t size_field(lua_State *L, int index, const char *name) {
    lua_getfield(L, index, name);
    int valid;
    const lua_Integer value = lua_tointegerx(L, -1, &valid);
    if (!valid || value < 0)
        luaL_error(L, "'%s' is no size", name);
    lua_pop(L, 1);
    return (size_t)value;
}

static int flag_field(lua_State *L, int index, const char *name) {
    lua_getfield(L, index, name);
    const int value = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

rnnc_config network_config(lua_State *L, int index) {
    static const char *const constants[] = {"RNNC_RNN_TANH", "RNNC_RNN_RELU", "RNNC_LSTM",
                                            "RNNC_GRU", NULL};
    luaL_checktype(L, index, LUA_TTABLE);
    lua_getfield(L, index, "constant");
    const rnnc_cell cell = (rnnc_cell)luaL_checkoption(L, -1, NULL, constants);
    lua_pop(L, 1);
    const rnnc_config config = {
        .cell = cell,
        .input_size = size_field(L, index, "input_size"),
        .hidden_size = size_field(L, index, "hidden_size"),
        .num_layers = size_field(L, index, "num_layers"),
        .bias = flag_field(L, index, "bias"),
        .batch_first = flag_field(L, index, "batch_first"),
        .bidirectional = flag_field(L, index, "bidirectional"),
    };
    rnnc_error error;
    if (rnnc_config_check(&config, &error) != RNNC_OK)
        luaL_error(L, "%s", error.message);
    return config;
}

/* host.expected_weights(config) -> {{name=, rows=, cols=}, ...} in PyTorch's order; cols is absent
 * for biases.  [config -> list] */
int host_expected_weights(lua_State *L) {
    const rnnc_config config = network_config(L, 1);
    const size_t count = rnnc_config_weight_count(&config);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        rnnc_weight weight;
        if (rnnc_config_weight(&config, i, &weight) != RNNC_OK)
            return luaL_error(L, "there is no weight %d", (int)i);
        lua_createtable(L, 0, 3);
        lua_pushstring(L, weight.name);
        lua_setfield(L, -2, "name");
        lua_pushinteger(L, (lua_Integer)weight.rows);
        lua_setfield(L, -2, "rows");
        if (weight.cols != 0) {
            lua_pushinteger(L, (lua_Integer)weight.cols);
            lua_setfield(L, -2, "cols");
        }
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

network_weights *network_check_weights(lua_State *L, int index) {
    return luaL_checkudata(L, index, WEIGHTS_TYPE);
}

static int free_weights(lua_State *L) {
    network_weights *const weights = network_check_weights(L, 1);
    if (weights->owned)
        free((void *)weights->tensors);
    else
        rnnc_weights_free(weights->tensors);
    free(weights->owned);
    weights->tensors = NULL;
    weights->owned = NULL;
    return 0;
}

network_weights *network_new_weights(lua_State *L, const rnnc_config *config) {
    network_weights *const weights = lua_newuserdatauv(L, sizeof *weights, 0);
    *weights = (network_weights){.config = *config};
    if (luaL_newmetatable(L, WEIGHTS_TYPE)) {
        lua_pushcfunction(L, free_weights);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return weights;
}

/* How many of the weights are NaN or infinite. */
static lua_Integer count_non_finite(const network_weights *weights) {
    lua_Integer found = 0;
    for (size_t i = 0; i < rnnc_config_weight_count(&weights->config); i++) {
        rnnc_weight weight;
        if (rnnc_config_weight(&weights->config, i, &weight) != RNNC_OK)
            continue;
        const size_t count = weight.rows * (weight.cols ? weight.cols : 1);
        for (size_t k = 0; k < count; k++)
            found += !isfinite(weights->tensors[i][k]);
    }
    return found;
}

/* host.weights(file, config, prefix) -> all tensors of the network as floats, and how many of their
 * values are not finite.  [file, config, prefix -> weights, count | fail, message] */
int host_weights(lua_State *L) {
    const rnnc_safetensors *const file = network_check_file(L, 1);
    const rnnc_config config = network_config(L, 2);
    network_weights *const weights = network_new_weights(L, &config);
    rnnc_error error;
    if (rnnc_weights_load(&config, luaL_checkstring(L, 3), file, &weights->tensors, &error) !=
        RNNC_OK) {
        luaL_pushfail(L);
        lua_pushstring(L, error.message);
        return 2;
    }
    lua_pushinteger(L, count_non_finite(weights));
    return 2;
}

/* The step at the top of the stack; its fields are those of rnnc_pack_step, `plus` may be nil. */
static rnnc_pack_step read_step(lua_State *L) {
    const int index = lua_gettop(L);
    const int has_plus = lua_getfield(L, index, "plus") != LUA_TNIL;
    lua_pop(L, 1);
    return (rnnc_pack_step){
        .tensor = (uint32_t)size_field(L, index, "tensor"),
        .plus = has_plus ? (uint32_t)size_field(L, index, "plus") : RNNC_NONE,
        .dst = size_field(L, index, "dst"),
        .units = size_field(L, index, "units"),
        .cols = size_field(L, index, "cols"),
        .first_gate = size_field(L, index, "first_gate"),
        .gates = size_field(L, index, "gates"),
        .width = size_field(L, index, "width"),
        .stride = size_field(L, index, "stride"),
        .repeat = size_field(L, index, "repeat"),
        .tensor_step = size_field(L, index, "tensor_step"),
        .dst_step = size_field(L, index, "dst_step"),
    };
}

/* host.pack(weights, steps, packed_count) -> the weights in the order of the kernels; checks that
 * the steps fit.  [weights, steps, count -> packed] */
int host_pack(lua_State *L) {
    const network_weights *const weights = network_check_weights(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    const size_t packed_count = (size_t)luaL_checkinteger(L, 3);
    const size_t weight_count = rnnc_config_weight_count(&weights->config);
    const size_t count = (size_t)lua_rawlen(L, 2);
    rnnc_pack_step *const steps = lua_newuserdatauv(L, (count + 1) * sizeof *steps, 0);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, 2, (lua_Integer)i + 1);
        steps[i] = read_step(L);
        lua_pop(L, 1);
    }
    rnnc_weight *const shapes = lua_newuserdatauv(L, weight_count * sizeof *shapes, 0);
    for (size_t i = 0; i < weight_count; i++)
        rnnc_config_weight(&weights->config, i, &shapes[i]);
    rnnc_error error;
    if (rnnc_pack_check(count, steps, packed_count, weight_count, shapes, &error) != RNNC_OK)
        return luaL_error(L, "the plan packs wrongly: %s", error.message);
    network_packed *const packed =
        lua_newuserdatauv(L, sizeof *packed + packed_count * sizeof(float), 0);
    luaL_newmetatable(L, PACKED_TYPE);
    lua_setmetatable(L, -2);
    packed->count = packed_count;
    if (rnnc_pack(count, steps, packed_count, weights->tensors, packed->values) != RNNC_OK)
        return luaL_error(L, "the plan packs beyond its end");
    return 1;
}

network_packed *network_check_packed(lua_State *L, int index) {
    return luaL_checkudata(L, index, PACKED_TYPE);
}

/* host.weights_blob(packed, fingerprint) -> the bytes of NAME.weights: the header that rnnc.h
 * describes, then the floats, little-endian.  [packed, fingerprint -> bytes] */
int host_weights_blob(lua_State *L) {
    const network_packed *const packed = network_check_packed(L, 1);
    const uint64_t fingerprint = (uint64_t)luaL_checkinteger(L, 2);
    luaL_Buffer buffer;
    char *const bytes =
        luaL_buffinitsize(L, &buffer, RNNC_BLOB_HEADER_SIZE + packed->count * sizeof(float));
    rnnc_blob_header(fingerprint, packed->count, (unsigned char *)bytes);
    for (size_t i = 0; i < packed->count; i++) {
        uint32_t bits;
        memcpy(&bits, &packed->values[i], sizeof bits);
        for (size_t k = 0; k < 4; k++)
            bytes[RNNC_BLOB_HEADER_SIZE + 4 * i + k] = (char)(bits >> 8 * k & 0xff);
    }
    luaL_pushresultsize(&buffer, RNNC_BLOB_HEADER_SIZE + packed->count * sizeof(float));
    return 1;
}
