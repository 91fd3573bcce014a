/* import.h: any bytes as a file that a reader of compiler/import takes, such as one of a network,
 * from its first byte to a spec with weights that are checked. */
#ifndef FUZZ_IMPORT_H
#define FUZZ_IMPORT_H

#include "state.h"

#include <lauxlib.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Calls a function of [name, bytes -> ] with the bytes as a file of that name: they are what it
 * reads, or the user's mistake. A crash, a hang, or an error of any other kind is a bug. */
static inline void fuzz_call(lua_CFunction function, const char *name, const void *bytes,
                             size_t size) {
    static lua_State *L;
    if (!L && !(L = state_open()))
        abort();
    lua_pushcfunction(L, function);
    lua_pushstring(L, name);
    lua_pushlstring(L, bytes, size);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK &&
        !(lua_istable(L, -1) && lua_getfield(L, -1, "user_errors") == LUA_TTABLE)) {
        fprintf(stderr, "not the user's mistake: %s\n", luaL_tolstring(L, -1, NULL));
        abort();
    }
    lua_settop(L, 0);
    lua_gc(L, LUA_GCCOLLECT);
}

/* require("import.models").from_bytes(name, bytes), and weights.check of the spec.
 * [name, bytes -> ] */
static inline int fuzz_import(lua_State *L) {
    lua_getglobal(L, "require");
    lua_pushstring(L, "import.models");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "from_bytes");
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    lua_call(L, 2, 1);
    if (lua_isnil(L, -1))
        return 0;
    lua_getglobal(L, "require");
    lua_pushstring(L, "weights.weights");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "load");
    lua_pushvalue(L, -3);
    lua_call(L, 1, 0);
    return 0;
}

/* The bytes as the file of a network. */
static inline void fuzz_file(const char *name, const void *bytes, size_t size) {
    fuzz_call(fuzz_import, name, bytes, size);
}

#endif
