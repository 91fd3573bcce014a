/* host.safetensors, host.safetensors_text */
#include "files.h"
#include "host.h"
#include "network.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

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

static int close_file(lua_State *L) {
    rnnc_safetensors **const file = luaL_checkudata(L, 1, FILE_TYPE);
    rnnc_safetensors_close(*file);
    *file = NULL;
    return 0;
}

static const luaL_Reg methods[] = {
    {"list", list}, {"metadata", metadata}, {"__gc", close_file}, {NULL, NULL}};

/* host.safetensors(path) -> a handle with list() and metadata(key).
 * [path -> file | fail, message] */
int host_safetensors(lua_State *L) {
    const char *const path = luaL_checkstring(L, 1);
    rnnc_safetensors **const file = lua_newuserdatauv(L, sizeof(rnnc_safetensors *), 0);
    *file = NULL;
    if (luaL_newmetatable(L, FILE_TYPE)) {
        luaL_setfuncs(L, methods, 0);
        lua_pushvalue(L, -1);
        lua_setfield(L, -2, "__index");
    }
    lua_setmetatable(L, -2);
    rnnc_error error;
    if (rnnc_safetensors_open(path, file, &error) == RNNC_OK)
        return 1;
    *file = NULL;
    luaL_pushfail(L);
    lua_pushstring(L, error.message);
    return 2;
}

/* Writes the weights into a file of `directory` and leaves its text on top of the stack; 0 if that
 * fails.  [ -> text], or nothing */
static int through_file(lua_State *L, const network_weights *weights, const char *directory,
                        char message[FILES_MESSAGE]) {
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
    const char *const path = lua_pushfstring(L, "%s/weights.safetensors", directory);
    static const char *const key = "weights", *const value = "random";
    rnnc_error error;
    if (rnnc_safetensors_write(path, count, names, tensors, 1, &key, &value, &error) != RNNC_OK) {
        snprintf(message, FILES_MESSAGE, "%.*s", FILES_MESSAGE - 1, error.message);
        return 0;
    }
    size_t size;
    char *const text = files_read(path, (size_t)-1, &size, message);
    if (!text)
        return 0;
    lua_pushlstring(L, text, size);
    free(text);
    return 1;
}

/* host.safetensors_text(weights) -> the bytes of a safetensors file with them, whose metadata says
 * weights = random.
 * [weights -> bytes] */
int host_safetensors_text(lua_State *L) {
    const network_weights *const weights = network_check_weights(L, 1);
    char message[FILES_MESSAGE];
    char *const directory = files_temporary(message);
    if (!directory)
        return luaL_error(L, "%s", message);
    const int done = through_file(L, weights, directory, message);
    files_remove_tree(directory);
    free(directory);
    return done ? 1 : luaL_error(L, "%s", message);
}
