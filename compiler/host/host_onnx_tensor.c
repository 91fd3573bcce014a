/* Tensors of ONNX models. */
#include "host_onnx.h"

#include <lauxlib.h>
#include <string.h>

void onnx_fail(lua_State *L, const char *message) {
    lua_pushstring(L, message);
    lua_error(L);
}

void onnx_take_room(lua_State *L, onnx_room *room, size_t count) {
    if (count > room->left)
        onnx_fail(L, "lists of more than a million numbers; is it a recurrent network?");
    room->left -= count;
}

/* The types of onnx.proto by number: their name, and the bytes of a value in raw_data. */
static const struct {
    const char *name;
    size_t size;
    int is_integer, is_signed;
} types[] = {
    [ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT] = {"F32", 4, 0, 0},
    [ONNX__TENSOR_PROTO__DATA_TYPE__UINT8] = {"U8", 1, 1, 0},
    [ONNX__TENSOR_PROTO__DATA_TYPE__INT8] = {"I8", 1, 1, 1},
    [ONNX__TENSOR_PROTO__DATA_TYPE__UINT16] = {"U16", 2, 1, 0},
    [ONNX__TENSOR_PROTO__DATA_TYPE__INT16] = {"I16", 2, 1, 1},
    [ONNX__TENSOR_PROTO__DATA_TYPE__INT32] = {"I32", 4, 1, 1},
    [ONNX__TENSOR_PROTO__DATA_TYPE__INT64] = {"I64", 8, 1, 1},
    [ONNX__TENSOR_PROTO__DATA_TYPE__BOOL] = {"BOOL", 1, 1, 0},
    [ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16] = {"F16", 2, 0, 0},
    [ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE] = {"F64", 8, 0, 0},
    [ONNX__TENSOR_PROTO__DATA_TYPE__UINT32] = {"U32", 4, 1, 0},
    [ONNX__TENSOR_PROTO__DATA_TYPE__UINT64] = {"U64", 8, 1, 0},
    [ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16] = {"BF16", 2, 0, 0},
};

enum { TYPES = sizeof types / sizeof *types };

/* An integer of raw_data: `size` bytes, the lowest first. */
static lua_Integer raw_integer(const unsigned char *bytes, size_t size, int is_signed) {
    uint64_t value = 0;
    for (size_t i = size; i-- > 0;)
        value = value << 8 | bytes[i];
    const uint64_t top = (uint64_t)1 << (8 * size - 1);
    if (is_signed && size < 8 && (value & top))
        value |= ~(top - 1);
    lua_Integer result;
    memcpy(&result, &value, sizeof result);
    return result;
}

/* [ -> list] */
static void push_integers(lua_State *L, const Onnx__TensorProto *t, onnx_room *room) {
    const int type = t->data_type;
    const size_t size = types[type].size;
    const size_t count = t->has_raw_data    ? t->raw_data.len / size
                         : t->n_int64_data  ? t->n_int64_data
                         : t->n_uint64_data ? t->n_uint64_data
                                            : t->n_int32_data;
    onnx_take_room(L, room, count);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_Integer value;
        if (t->has_raw_data)
            value = raw_integer(t->raw_data.data + i * size, size, types[type].is_signed);
        else if (t->n_int64_data)
            value = t->int64_data[i];
        else if (t->n_uint64_data)
            value = raw_integer((const unsigned char *)&t->uint64_data[i], 8, 0);
        else
            value = t->int32_data[i];
        lua_pushinteger(L, value);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

/* [ -> bytes] */
static void push_floats(lua_State *L, const Onnx__TensorProto *t) {
    const size_t size = types[t->data_type].size;
    if (t->has_raw_data) {
        lua_pushlstring(L, (const char *)t->raw_data.data, t->raw_data.len);
    } else if (size == 8) {
        lua_pushlstring(L, (const char *)t->double_data, t->n_double_data * size);
    } else if (size == 4) {
        lua_pushlstring(L, (const char *)t->float_data, t->n_float_data * size);
    } else {
        /* The bits of 16 in a number of 32 each. */
        luaL_Buffer buffer;
        char *const bytes = luaL_buffinitsize(L, &buffer, t->n_int32_data * size + 1);
        for (size_t i = 0; i < t->n_int32_data; i++) {
            const uint16_t bits = (uint16_t)t->int32_data[i];
            memcpy(bytes + i * size, &bits, size);
        }
        luaL_pushresultsize(&buffer, t->n_int32_data * size);
    }
}

void onnx_push_tensor(lua_State *L, const Onnx__TensorProto *t, onnx_room *room) {
    const int type = t->has_data_type ? t->data_type : 0;
    const int known = type > 0 && type < TYPES && types[type].name;
    luaL_checkstack(L, 8, NULL);
    lua_createtable(L, 0, 4);
    lua_pushstring(L, t->name ? t->name : "");
    lua_setfield(L, -2, "name");
    if (known)
        lua_pushstring(L, types[type].name);
    else
        lua_pushfstring(L, "type %d", type);
    lua_setfield(L, -2, "dtype");
    onnx_take_room(L, room, t->n_dims);
    lua_createtable(L, (int)t->n_dims, 0);
    for (size_t i = 0; i < t->n_dims; i++) {
        lua_pushinteger(L, t->dims[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "shape");
    if (t->has_data_location && t->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL) {
        lua_createtable(L, 0, 3);
        for (size_t i = 0; i < t->n_external_data; i++) {
            const Onnx__StringStringEntryProto *const entry = t->external_data[i];
            lua_pushstring(L, entry->value ? entry->value : "");
            lua_setfield(L, -2, entry->key ? entry->key : "");
        }
        lua_setfield(L, -2, "external");
    } else if (known && types[type].is_integer) {
        push_integers(L, t, room);
        lua_setfield(L, -2, "ints");
    } else if (known) {
        push_floats(L, t);
        lua_setfield(L, -2, "data");
    }
}
