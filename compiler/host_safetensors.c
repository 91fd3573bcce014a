/* host.safetensors */
#include "host.h"
#include "network.h"

#include <lauxlib.h>

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
