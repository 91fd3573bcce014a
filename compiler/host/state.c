#include "state.h"

#include "host.h"
#include "message.h"
#include "resources.h"
#include "rnnc.h"

#include <errno.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The libraries that scripts get: those that only compute. */
static const luaL_Reg libraries[] = {
    {LUA_GNAME, luaopen_base},          {LUA_LOADLIBNAME, luaopen_package},
    {LUA_TABLIBNAME, luaopen_table},    {LUA_STRLIBNAME, luaopen_string},
    {LUA_MATHLIBNAME, luaopen_math},    {LUA_UTF8LIBNAME, luaopen_utf8},
    {LUA_COLIBNAME, luaopen_coroutine}, {NULL, NULL},
};

/* The searcher of `require`: "x.y" is compiler/x/y.lua.  [name -> loader | message] */
static int search(lua_State *L) {
    const char *const name = luaL_checkstring(L, 1);
    luaL_gsub(L, name, ".", "/");
    const char *const path = lua_pushfstring(L, "compiler/%s.lua", lua_tostring(L, -1));
    size_t size;
    errno = 0;
    char *const text = resource_read(path, &size);
    if (!text && errno == ENOMEM)
        return host_unable(L, "there is not enough memory for this");
    if (!text) {
        lua_pushfstring(L, "no %s in rnnc", path);
        return 1;
    }
    const char *const chunk = lua_pushfstring(L, "@%s", path);
    const int status = luaL_loadbufferx(L, text, size, chunk, "t");
    free(text);
    if (status != LUA_OK)
        return lua_error(L);
    /* No path beside it: `require` would hand it on, as a second value that nobody expects. */
    return 1;
}

/* Everything that can raise for want of memory.  [ -> ] */
static int set_up(lua_State *L) {
    for (const luaL_Reg *library = libraries; library->func; library++) {
        luaL_requiref(L, library->name, library->func, 1);
        lua_pop(L, 1);
    }
    luaL_requiref(L, "host", host_open, 0);
    lua_pop(L, 1);
    lua_getglobal(L, LUA_LOADLIBNAME);
    lua_createtable(L, 1, 0);
    lua_pushcfunction(L, search);
    lua_rawseti(L, -2, 1);
    lua_setfield(L, -2, "searchers");
    /* dofile and loadfile read files by themselves. */
    lua_pushnil(L);
    lua_setglobal(L, "dofile");
    lua_pushnil(L);
    lua_setglobal(L, "loadfile");
    return 0;
}

lua_State *state_open(void) {
    lua_State *const L = luaL_newstate();
    if (!L)
        return NULL;
    lua_pushcfunction(L, set_up);
    if (lua_pcall(L, 0, 0, 0) == LUA_OK)
        return L;
    lua_close(L);
    return NULL;
}

/* The message handler: a user's mistake stays a table, the rest gets a traceback.
 * [error -> error] */
static int handle(lua_State *L) {
    if (lua_istable(L, 1) && lua_getfield(L, 1, "user_errors") == LUA_TTABLE) {
        lua_settop(L, 1);
        return 1;
    }
    luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
    return 1;
}

enum { MISTAKES_MAX = 200 }; /* more than anybody reads */

/* [user's mistake -> user's mistake] */
static void print_mistakes(lua_State *L) {
    lua_getfield(L, -1, "user_errors");
    const lua_Unsigned count = lua_rawlen(L, -1);
    for (lua_Unsigned i = 1; i <= count && i <= MISTAKES_MAX; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i);
        size_t size;
        const char *const text = lua_tolstring(L, -1, &size);
        message_put(stderr, text, size, MESSAGE_LINE);
        fputc('\n', stderr);
        lua_pop(L, 1);
    }
    if (count > MISTAKES_MAX)
        fprintf(stderr, "rnnc: %zu more errors are not shown\n", (size_t)count - MISTAKES_MAX);
    lua_pop(L, 1);
}

/* require(module)(...).  [module, ... -> code] */
static int call_module(lua_State *L) {
    lua_getglobal(L, "require");
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    lua_replace(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

int state_run(lua_State *L, const char *module, int count) {
    const int handler = lua_gettop(L) - count + 1;
    lua_pushcfunction(L, handle);
    lua_insert(L, handler);
    lua_pushcfunction(L, call_module);
    lua_insert(L, handler + 1);
    lua_pushstring(L, module);
    lua_insert(L, handler + 2);
    const int status = lua_pcall(L, count + 1, 1, handler);
    int code = EXIT_BUG;
    if (status == LUA_OK) {
        code = (int)lua_tointeger(L, -1);
    } else if (lua_istable(L, -1)) {
        print_mistakes(L);
        code = EXIT_USER;
    } else if (status == LUA_ERRMEM) {
        fprintf(stderr, "rnnc: error: there is not enough memory for this\n");
        code = EXIT_USER;
    } else {
        const char *const text = lua_tostring(L, -1);
        fputs("rnnc: internal error: ", stderr);
        message_put(stderr, text ? text : "(no message)", text ? strlen(text) : 12, MESSAGE_LINE);
        fprintf(
            stderr,
            "\nThis is a bug of rnnc %s, not of your model. Please report it with the lines above "
            "and the spec.\n",
            RNNC_VERSION);
    }
    lua_settop(L, handler - 1);
    return code;
}
