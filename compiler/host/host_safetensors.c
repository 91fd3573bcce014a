/* host.safetensors, host.safetensors_memory, host.safetensors_text, host.safetensors_bytes */
#include "files.h"
#include "host.h"
#include "network.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_TYPE "rnnc.safetensors"

rnnc_safetensors *network_check_file(lua_State *L, int index) {
    rnnc_safetensors **const file = luaL_checkudata(L, index, FILE_TYPE);
    luaL_argcheck(L, *file, index, "the file is closed");
    return *file;
}

/* file:list() -> {{name=, dtype=, shape={...}}, ...} in the order of the file.  [file -> list] */
static int list(lua_State *L) {
    const rnnc_safetensors *const file = network_check_file(L, 1);
    const size_t count = rnnc_safetensors_count(file);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        const rnnc_entry *const entry = rnnc_safetensors_get(file, i);
        lua_createtable(L, 0, 3);
        lua_pushstring(L, entry->name);
        lua_setfield(L, -2, "name");
        lua_pushstring(L, entry->dtype);
        lua_setfield(L, -2, "dtype");
        lua_createtable(L, entry->tensor.rank, 0);
        for (int axis = 0; axis < entry->tensor.rank; axis++) {
            lua_pushinteger(L, (lua_Integer)entry->tensor.shape[axis]);
            lua_rawseti(L, -2, axis + 1);
        }
        lua_setfield(L, -2, "shape");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* file:metadata(key) -> the text, or nil.  [file, key -> text | nil] */
static int metadata(lua_State *L) {
    lua_pushstring(L, rnnc_safetensors_metadata(network_check_file(L, 1), luaL_checkstring(L, 2)));
    return 1;
}

/* file:floats(name) -> the values of a tensor of the file as float32, in row-major order; an error
 * if it is not readable so.  [file, name -> bytes] */
static int floats(lua_State *L) {
    const rnnc_safetensors *const file = network_check_file(L, 1);
    const char *const name = luaL_checkstring(L, 2);
    rnnc_tensor tensor;
    size_t count;
    rnnc_error error = {.message = "no such tensor"};
    luaL_Buffer buffer;
    if (rnnc_safetensors_find(file, name, &tensor) != RNNC_OK ||
        rnnc_tensor_count(&tensor, &count) != RNNC_OK)
        return luaL_error(L, "%s: %s", name, error.message);
    float *const values = (float *)(void *)luaL_buffinitsize(L, &buffer, count * sizeof *values);
    if (rnnc_safetensors_read_f32(file, name, values, count, &error) != RNNC_OK)
        return luaL_error(L, "%s: %s", name, error.message);
    luaL_pushresultsize(&buffer, count * sizeof *values);
    return 1;
}

/* An element of an integer type, or 0 of none. */
static float number_at(const char *dtype, const unsigned char *at) {
    int64_t wide = 0;
    int32_t narrow = 0;
    if (strcmp(dtype, "I64") == 0)
        return (float)(memcpy(&wide, at, sizeof wide), wide);
    if (strcmp(dtype, "I32") == 0)
        return (float)(memcpy(&narrow, at, sizeof narrow), narrow);
    return (float)*at;
}

/* file:numbers(name) -> as floats(name), also of tensors of I64, I32, U8 and BOOL; fail: the tensor
 * is of another type.  [file, name -> bytes | fail] */
static int numbers(lua_State *L) {
    static const struct {
        const char *dtype;
        size_t size;
    } types[] = {{"I64", 8}, {"I32", 4}, {"U8", 1}, {"BOOL", 1}};
    const rnnc_safetensors *const file = network_check_file(L, 1);
    const char *const name = luaL_checkstring(L, 2);
    for (size_t i = 0; i < rnnc_safetensors_count(file); i++) {
        const rnnc_entry *const entry = rnnc_safetensors_get(file, i);
        if (strcmp(entry->name, name) != 0)
            continue;
        if (entry->tensor.dtype != RNNC_OPAQUE)
            return floats(L);
        for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
            if (strcmp(types[k].dtype, entry->dtype) != 0)
                continue;
            const size_t count = entry->size / types[k].size;
            const unsigned char *const from = entry->tensor.data;
            luaL_Buffer buffer;
            char *const to = luaL_buffinitsize(L, &buffer, count * sizeof(float));
            for (size_t j = 0; j < count; j++) {
                const float value = number_at(entry->dtype, from + j * types[k].size);
                memcpy(to + j * sizeof value, &value, sizeof value);
            }
            luaL_pushresultsize(&buffer, count * sizeof(float));
            return 1;
        }
        luaL_pushfail(L);
        return 1;
    }
    return luaL_error(L, "%s: no such tensor", name);
}

static int close_file(lua_State *L) {
    rnnc_safetensors **const file = luaL_checkudata(L, 1, FILE_TYPE);
    rnnc_safetensors_close(*file);
    *file = NULL;
    return 0;
}

static const luaL_Reg methods[] = {{"list", list},       {"metadata", metadata}, {"floats", floats},
                                   {"numbers", numbers}, {"__gc", close_file},   {NULL, NULL}};

/* A handle without a file.  [ -> file] */
static rnnc_safetensors **push_file(lua_State *L) {
    /* The bytes of a file in memory go into its user value, so that they live as long. */
    rnnc_safetensors **const file = lua_newuserdatauv(L, sizeof(rnnc_safetensors *), 1);
    *file = NULL;
    if (luaL_newmetatable(L, FILE_TYPE)) {
        luaL_setfuncs(L, methods, 0);
        lua_pushvalue(L, -1);
        lua_setfield(L, -2, "__index");
    }
    lua_setmetatable(L, -2);
    return file;
}

/* The handle on top of the stack, or why there is none.  [file -> file | fail, message] */
static int opened(lua_State *L, rnnc_safetensors **file, rnnc_status status,
                  const rnnc_error *error) {
    if (status == RNNC_OK)
        return 1;
    *file = NULL;
    luaL_pushfail(L);
    lua_pushstring(L, error->message);
    return 2;
}

/* host.safetensors(path) -> a handle with list(), metadata(key), floats(name) and numbers(name).
 * [path -> file | fail, message] */
int host_safetensors(lua_State *L) {
    const char *const path = luaL_checkstring(L, 1);
    rnnc_safetensors **const file = push_file(L);
    rnnc_error error;
    return opened(L, file, rnnc_safetensors_open(path, file, &error), &error);
}

/* host.safetensors_memory(bytes) -> the same of the bytes of a file.
 * [bytes -> file | fail, message] */
int host_safetensors_memory(lua_State *L) {
    size_t size;
    const char *const bytes = luaL_checklstring(L, 1, &size);
    rnnc_safetensors **const file = push_file(L);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    rnnc_error error;
    return opened(L, file, rnnc_safetensors_open_memory(bytes, size, file, &error), &error);
}

/* Writes a file with the tensors and one key of metadata into a temporary directory and leaves its
 * text on top of the stack. The directory is there only meanwhile; what cannot be written is
 * raised. [ -> text] */
static int push_text(lua_State *L, size_t count, const char *const *names,
                     const rnnc_tensor *tensors, const char *key, const char *value) {
    char message[FILES_MESSAGE];
    char *const directory = files_temporary(message);
    if (!directory)
        return host_unable(L, "%s", message);
    char path[FILES_MESSAGE];
    snprintf(path, sizeof path, "%s/weights.safetensors", directory);
    rnnc_error error;
    char *text = NULL;
    size_t size = 0;
    const int written =
        rnnc_safetensors_write(path, count, names, tensors, 1, &key, &value, &error) == RNNC_OK;
    if (written)
        text = files_read(path, (size_t)-1, &size, message);
    files_remove_tree(directory);
    free(directory);
    if (!written)
        return host_unable(L, "%s", error.message);
    if (!text)
        return host_unable(L, "%s: %s", path, message);
    lua_pushlstring(L, text, size);
    free(text);
    return 1;
}

/* host.safetensors_text(weights) -> the bytes of a safetensors file with them, whose metadata says
 * weights = random.
 * [weights -> bytes] */
int host_safetensors_text(lua_State *L) {
    const network_weights *const weights = network_check_weights(L, 1);
    const size_t count = weights->count;
    const rnnc_weight *const shapes = weights->list;
    rnnc_tensor *const tensors = lua_newuserdatauv(L, count * sizeof *tensors, 0);
    const char **const names = lua_newuserdatauv(L, count * sizeof *names, 0);
    for (size_t i = 0; i < count; i++) {
        const size_t shape[] = {shapes[i].rows, shapes[i].cols};
        const size_t values = shapes[i].rows * (shapes[i].cols ? shapes[i].cols : 1);
        names[i] = shapes[i].name;
        rnnc_tensor_make(&tensors[i], RNNC_F32, shapes[i].cols ? 2 : 1, shape,
                         (void *)weights->tensors[i], values * sizeof(float));
    }
    return push_text(L, count, names, tensors, "weights", "random");
}

/* host.safetensors_bytes(list, value, key) -> the bytes of a safetensors file of the tensors
 * { name, shape (one or two sizes), data (float32 as host.floats makes them) }, whose metadata has
 * the value under `key` ("from": what file they are from). Two of one name, or data that are not as
 * many as the shape says, are rnnc's own mistake.  [list, value, key | nil -> bytes] */
int host_safetensors_bytes(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    const char *const value = luaL_checkstring(L, 2);
    const char *const key = luaL_optstring(L, 3, "from");
    const size_t count = (size_t)lua_rawlen(L, 1);
    rnnc_tensor *const tensors = lua_newuserdatauv(L, (count + 1) * sizeof *tensors, 0);
    const char **const names = lua_newuserdatauv(L, (count + 1) * sizeof *names, 0);
    for (size_t i = 0; i < count; i++) {
        size_t shape[RNNC_MAX_RANK], size;
        lua_rawgeti(L, 1, (lua_Integer)i + 1);
        lua_getfield(L, -1, "name");
        names[i] = luaL_checkstring(L, -1);
        lua_getfield(L, -2, "data");
        const char *const data = luaL_checklstring(L, -1, &size);
        lua_getfield(L, -3, "shape");
        const lua_Unsigned rank = lua_rawlen(L, -1);
        for (lua_Unsigned axis = 0; axis < rank && axis < RNNC_MAX_RANK; axis++) {
            lua_rawgeti(L, -1, (lua_Integer)axis + 1);
            shape[axis] = (size_t)luaL_checkinteger(L, -1);
            lua_pop(L, 1);
        }
        size_t values;
        if (rank > RNNC_MAX_RANK ||
            rnnc_tensor_make(&tensors[i], RNNC_F32, (int)rank, shape, (void *)data, size) !=
                RNNC_OK ||
            rnnc_tensor_count(&tensors[i], &values) != RNNC_OK || values * sizeof(float) != size)
            return luaL_error(L, "the data of %s are not of its shape", names[i]);
        lua_pop(L, 4);
    }
    return push_text(L, count, names, tensors, key, value);
}
