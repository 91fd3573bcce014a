/* host.weights, host.weights_hash, host.random_weights, host.pack, host.weights_blob */
#include "host.h"
#include "network.h"
#include "rng.h"

#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WEIGHTS_TYPE "rnnc.weights"
#define PACKED_TYPE "rnnc.packed"

network_weights *network_check_weights(lua_State *L, int index) {
    return luaL_checkudata(L, index, WEIGHTS_TYPE);
}

static int free_weights(lua_State *L) {
    network_weights *const weights = network_check_weights(L, 1);
    free(weights->list);
    free((void *)weights->tensors);
    free(weights->values);
    *weights = (network_weights){0};
    return 0;
}

static size_t values_of(const rnnc_weight *weight) {
    return weight->rows * (weight->cols ? weight->cols : 1);
}

/* A userdata that has nothing yet.  [ -> weights] */
static network_weights *push_weights(lua_State *L) {
    network_weights *const weights = lua_newuserdatauv(L, sizeof *weights, 0);
    *weights = (network_weights){0};
    if (luaL_newmetatable(L, WEIGHTS_TYPE)) {
        lua_pushcfunction(L, free_weights);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return weights;
}

/* Reads {name=, rows=, cols=} on top of the stack and takes it off. */
static rnnc_weight read_weight(lua_State *L) {
    const int index = lua_gettop(L);
    rnnc_weight weight = {.rows = network_size_field(L, index, "rows"),
                          .cols = network_size_field(L, index, "cols")};
    lua_getfield(L, index, "name");
    const char *const name = luaL_checkstring(L, -1);
    if (strlen(name) >= sizeof weight.name)
        luaL_error(L, "the name '%s' is too long", name);
    strcpy(weight.name, name);
    lua_settop(L, index - 1);
    return weight;
}

/* Allocates the tensors of the list at `index`, without values. 0 if memory is out. Sizes are
 * within the limits of the spec language, so that their sum does not overflow.  [ -> weights] */
static network_weights *new_weights(lua_State *L, int index) {
    luaL_checktype(L, index, LUA_TTABLE);
    network_weights *const weights = push_weights(L);
    const size_t count = (size_t)lua_rawlen(L, index);
    weights->list = calloc(count + 1, sizeof *weights->list);
    weights->tensors = calloc(count + 1, sizeof *weights->tensors);
    size_t floats = 0;
    for (; weights->list && weights->count < count; weights->count++) {
        lua_rawgeti(L, index, (lua_Integer)weights->count + 1);
        weights->list[weights->count] = read_weight(L);
        floats += values_of(&weights->list[weights->count]);
    }
    weights->values = malloc((floats + 1) * sizeof *weights->values);
    if (!weights->list || !weights->tensors || !weights->values)
        return NULL;
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        weights->tensors[i] = weights->values + at;
        at += values_of(&weights->list[i]);
    }
    return weights;
}

static int push_failure(lua_State *L, const char *message) {
    luaL_pushfail(L);
    lua_pushstring(L, message);
    return 2;
}

/* The text of a field of entry `i` of the list at `index`, which has to be there; it stays referred
 * to by the list. */
static const char *text_of(lua_State *L, int index, size_t i, const char *field) {
    lua_rawgeti(L, index, (lua_Integer)i + 1);
    lua_getfield(L, -1, field);
    const char *const text = luaL_checkstring(L, -1);
    lua_pop(L, 2);
    return text;
}

/* The tensors of the list `parts` on top of the stack, each {file_name=, rows=, cols= (0: a
 * vector), row=, column= (of its first value)}, as values of a tensor `to` that has zeros. 0 and a
 * message if one cannot be read.  [list -> ] */
static int read_parts(lua_State *L, const rnnc_safetensors *file, const rnnc_weight *weight,
                      float *to, rnnc_error *error) {
    const int list = lua_gettop(L);
    const size_t stride = weight->cols ? weight->cols : 1, count = (size_t)lua_rawlen(L, list);
    for (size_t i = 0; i < count; i++) {
        const char *const name = text_of(L, list, i, "file_name");
        lua_rawgeti(L, list, (lua_Integer)i + 1);
        const int part = lua_gettop(L);
        const size_t rows = network_size_field(L, part, "rows");
        const size_t given = network_size_field(L, part, "cols"), cols = given ? given : 1;
        const size_t row = network_size_field(L, part, "row");
        const size_t column = network_size_field(L, part, "column");
        luaL_argcheck(L, row + rows <= weight->rows && column + cols <= stride, 2, "a part beyond");
        float *const values = lua_newuserdatauv(L, rows * cols * sizeof *values, 0);
        if (rnnc_safetensors_read_f32(file, name, values, rows * cols, error) != RNNC_OK)
            return 0;
        for (size_t k = 0; k < rows; k++)
            memcpy(to + (row + k) * stride + column, values + k * cols, cols * sizeof *values);
        lua_settop(L, list);
    }
    lua_pop(L, 1);
    return 1;
}

/* host.weights(file, list) -> tensors as floats, and how many of their values are not finite. The
 * list has {name=, rows=, cols= (0: a vector), file_name= (its name in the file)} for each, or
 * instead of file_name `parts`, see read_parts.  [file, list -> weights, count | fail, message] */
int host_weights(lua_State *L) {
    const rnnc_safetensors *const file = network_check_file(L, 1);
    const network_weights *const weights = new_weights(L, 2);
    if (!weights)
        return push_failure(L, "not enough memory for the weights");
    lua_Integer not_finite = 0;
    float *to = weights->values;
    for (size_t i = 0; i < weights->count; i++) {
        const size_t count = values_of(&weights->list[i]);
        rnnc_error error;
        lua_rawgeti(L, 2, (lua_Integer)i + 1);
        if (lua_getfield(L, -1, "parts") != LUA_TNIL) {
            memset(to, 0, count * sizeof *to);
            if (!read_parts(L, file, &weights->list[i], to, &error))
                return push_failure(L, error.message);
            lua_pop(L, 1);
        } else {
            lua_pop(L, 2);
            if (rnnc_safetensors_read_f32(file, text_of(L, 2, i, "file_name"), to, count, &error) !=
                RNNC_OK)
                return push_failure(L, error.message);
        }
        for (size_t k = 0; k < count; k++)
            not_finite += !isfinite(to[k]);
        to += count;
    }
    lua_pushinteger(L, not_finite);
    return 2;
}

/* host.weights_hash(weights) -> a fingerprint of their values: FNV-1a by words of 32 bits.
 * [weights -> integer] */
int host_weights_hash(lua_State *L) {
    const network_weights *const weights = network_check_weights(L, 1);
    size_t count = 0;
    for (size_t i = 0; i < weights->count; i++)
        count += values_of(&weights->list[i]);
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &weights->values[i], sizeof bits);
        hash = (hash ^ bits) * 0x100000001b3;
    }
    lua_pushinteger(L, (lua_Integer)hash);
    return 1;
}

/* host.random_weights(list, seed) -> weights; the list has {name=, rows=, cols=, bound=} for each,
 * whose values are uniform within -bound and bound.  [list, seed -> weights | fail, message] */
int host_random_weights(lua_State *L) {
    uint64_t state = (uint64_t)luaL_checkinteger(L, 2);
    const network_weights *const weights = new_weights(L, 1);
    if (!weights)
        return push_failure(L, "not enough memory for the weights");
    float *to = weights->values;
    for (size_t i = 0; i < weights->count; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i + 1);
        lua_getfield(L, -1, "bound");
        const double bound = luaL_checknumber(L, -1);
        lua_pop(L, 2);
        for (const float *const end = to + values_of(&weights->list[i]); to < end; to++)
            *to = (float)(bound * rng_uniform(&state));
    }
    return 1;
}

/* The step at the top of the stack; its fields are those of rnnc_pack_step, `plus` may be nil. */
static rnnc_pack_step read_step(lua_State *L) {
    const int index = lua_gettop(L);
    const int has_plus = lua_getfield(L, index, "plus") != LUA_TNIL;
    lua_pop(L, 1);
    return (rnnc_pack_step){
        .tensor = (uint32_t)network_size_field(L, index, "tensor"),
        .plus = has_plus ? (uint32_t)network_size_field(L, index, "plus") : RNNC_NONE,
        .dst = network_size_field(L, index, "dst"),
        .units = network_size_field(L, index, "units"),
        .cols = network_size_field(L, index, "cols"),
        .first_gate = network_size_field(L, index, "first_gate"),
        .gates = network_size_field(L, index, "gates"),
        .width = network_size_field(L, index, "width"),
        .stride = network_size_field(L, index, "stride"),
        .repeat = network_size_field(L, index, "repeat"),
        .tensor_step = network_size_field(L, index, "tensor_step"),
        .dst_step = network_size_field(L, index, "dst_step"),
    };
}

/* host.pack(weights, steps, packed_count) -> the weights in the order of the kernels; checks that
 * the steps fit.  [weights, steps, count -> packed] */
int host_pack(lua_State *L) {
    const network_weights *const weights = network_check_weights(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    const size_t packed_count = (size_t)luaL_checkinteger(L, 3);
    const size_t count = (size_t)lua_rawlen(L, 2);
    rnnc_pack_step *const steps = lua_newuserdatauv(L, (count + 1) * sizeof *steps, 0);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, 2, (lua_Integer)i + 1);
        steps[i] = read_step(L);
        lua_pop(L, 1);
    }
    rnnc_error error;
    if (rnnc_pack_check(count, steps, packed_count, weights->count, weights->list, &error) !=
        RNNC_OK)
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
