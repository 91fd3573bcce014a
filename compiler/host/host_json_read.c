/* host.json_read */
#include "host.h"

#include <jansson.h>
#include <lauxlib.h>

/* Depth of values within values; the parser itself, which calls itself, stops at 2048. */
enum { DEPTH_MAX = 32 };

#define OBJECT_TYPE "rnnc.json.object"

static int push_value(lua_State *L, json_t *value, int depth);

static int push_array(lua_State *L, json_t *value, int depth) {
    const size_t count = json_array_size(value);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        if (!push_value(L, json_array_get(value, i), depth))
            return 0;
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int push_object(lua_State *L, json_t *value, int depth) {
    lua_Integer count = 0;
    const char *key;
    json_t *entry;
    lua_createtable(L, (int)json_object_size(value), (int)json_object_size(value));
    luaL_newmetatable(L, OBJECT_TYPE);
    lua_setmetatable(L, -2);
    json_object_foreach(value, key, entry) {
        lua_pushstring(L, key);
        lua_rawseti(L, -2, ++count);
        if (!push_value(L, entry, depth))
            return 0;
        lua_setfield(L, -2, key);
    }
    return 1;
}

/* 0 if the value is too deep.  [ -> value] */
static int push_value(lua_State *L, json_t *value, int depth) {
    if (depth == DEPTH_MAX)
        return 0;
    luaL_checkstack(L, 4, NULL);
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return push_object(L, value, depth + 1);
    case JSON_ARRAY:
        return push_array(L, value, depth + 1);
    case JSON_STRING:
        lua_pushlstring(L, json_string_value(value), json_string_length(value));
        return 1;
    case JSON_INTEGER:
        lua_pushinteger(L, json_integer_value(value));
        return 1;
    case JSON_REAL:
        lua_pushnumber(L, json_real_value(value));
        return 1;
    case JSON_NULL:
    case JSON_FALSE:
        lua_pushboolean(L, 0);
        return 1;
    case JSON_TRUE:
        lua_pushboolean(L, 1);
        return 1;
    }
    return 0;
}

/* [light userdata of a json_t -> value | fail, message] */
static int push_root(lua_State *L) {
    json_t *const root = lua_touserdata(L, 1);
    if (push_value(L, root, 0))
        return 1;
    luaL_pushfail(L);
    lua_pushfstring(L, "nested deeper than %d", DEPTH_MAX);
    return 2;
}

/* host.json_read(text) -> what the JSON says. An object has its values under its keys and its keys
 * at 1, 2, ... in the order of the text, and has a metatable, as an array has not; null is false.
 * Duplicate keys, NaN and numbers beyond a double are errors of the text.
 * [text -> value | fail, message] */
int host_json_read(lua_State *L) {
    size_t size;
    const char *const text = luaL_checklstring(L, 1, &size);
    json_error_t error;
    json_t *const root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        luaL_pushfail(L);
        lua_pushfstring(L, "line %d: %s", error.line, error.text);
        return 2;
    }
    lua_settop(L, 0);
    lua_pushcfunction(L, push_root);
    lua_pushlightuserdata(L, root);
    /* Lua may run out of memory, and root has to be freed then too. */
    const int status = lua_pcall(L, 1, LUA_MULTRET, 0);
    json_decref(root);
    return status == LUA_OK ? lua_gettop(L) : lua_error(L);
}
