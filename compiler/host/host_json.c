/* host.json */
#include "host.h"

#include <jansson.h>
#include <lauxlib.h>
#include <math.h>

/* Depth of a value that is no tree. */
enum { DEPTH_MAX = 32 };

static json_t *value_of(lua_State *L, int index, int depth);

/* Lists have rows at 1, 2, ...; all other tables are objects with texts as keys. NULL, here and
 * below: there is no memory for it. */
static json_t *table_of(lua_State *L, int index, int depth) {
    const lua_Unsigned count = lua_rawlen(L, index);
    if (count > 0) {
        json_t *const list = json_array();
        for (lua_Unsigned i = 1; i <= count; i++) {
            lua_rawgeti(L, index, (lua_Integer)i);
            if (json_array_append_new(list, value_of(L, lua_gettop(L), depth)) != 0) {
                json_decref(list);
                return NULL;
            }
            lua_pop(L, 1);
        }
        return list;
    }
    json_t *const object = json_object();
    lua_pushnil(L);
    while (lua_next(L, index)) {
        /* lua_tostring would turn a number into a text under the feet of lua_next. */
        if (lua_type(L, -2) == LUA_TSTRING &&
            json_object_set_new(object, lua_tostring(L, -2), value_of(L, lua_gettop(L), depth)) !=
                0) {
            json_decref(object);
            return NULL;
        }
        lua_pop(L, 1);
    }
    return object;
}

static json_t *value_of(lua_State *L, int index, int depth) {
    switch (lua_type(L, index)) {
    case LUA_TBOOLEAN:
        return json_boolean(lua_toboolean(L, index));
    case LUA_TSTRING:
        return json_string(lua_tostring(L, index));
    case LUA_TNUMBER:
        if (lua_isinteger(L, index))
            return json_integer(lua_tointeger(L, index));
        /* JSON has neither infinity nor NaN. */
        return isfinite(lua_tonumber(L, index)) ? json_real(lua_tonumber(L, index)) : json_null();
    case LUA_TTABLE:
        if (depth == DEPTH_MAX)
            luaL_error(L, "the value is no tree");
        return lua_checkstack(L, 4) ? table_of(L, index, depth + 1) : NULL;
    default:
        return json_null();
    }
}

/* host.json(value) -> its text: tables, texts, numbers (8 digits), booleans; keys in sorted order.
 * [value -> text] */
int host_json(lua_State *L) {
    luaL_checkany(L, 1);
    lua_settop(L, 1);
    json_t *const value = value_of(L, 1, 0);
    char *const text = value ? json_dumps(value, JSON_INDENT(1) | JSON_SORT_KEYS |
                                                     JSON_REAL_PRECISION(8) | JSON_ENCODE_ANY)
                             : NULL;
    json_decref(value);
    if (!text)
        return host_unable(L, "there is not enough memory for a text of JSON");
    lua_pushstring(L, text);
    free(text);
    return 1;
}
