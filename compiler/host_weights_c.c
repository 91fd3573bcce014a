/* host.weights_c, host.weights_declaration, host.weights_expression */
#include "host.h"
#include "network.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* host.weights_declaration(name, count) -> what NAME.c says to use NAME_weights.c's weights.
 * [name, count -> text] */
int host_weights_declaration(lua_State *L) {
    const char *const name = luaL_checkstring(L, 1);
    lua_pushfstring(L, "extern const float %s_weights[%I];", name, luaL_checkinteger(L, 2));
    return 1;
}

/* host.weights_expression(name) -> the weights as a value of type const float *.
 * [name -> text] */
int host_weights_expression(lua_State *L) {
    lua_pushfstring(L, "%s_weights", luaL_checkstring(L, 1));
    return 1;
}

static int put_float(char *text, float value) {
    for (int digits = 6; digits <= 9; digits++) {
        const int length = snprintf(text, 32, "%.*g", digits, (double)value);
        if (digits == 9 || strtof(text, NULL) == value)
            return length + sprintf(text + length, strpbrk(text, ".e") ? "f" : ".0f");
    }
    return 0;
}

/* host.weights_c(packed, name) -> the text of NAME_weights.c below its opening comment.
 * [packed, name -> text] */
int host_weights_c(lua_State *L) {
    const network_packed *const packed = network_check_packed(L, 1);
    const char *const name = luaL_checkstring(L, 2);
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    lua_pushfstring(L,
                    "#ifdef __cplusplus\n#define ALIGNED alignas(64)\nextern \"C\" const float "
                    "%s_weights[%I];\n#else\n#define ALIGNED _Alignas(64)\nextern const float "
                    "%s_weights[%I];\n#endif\n\nALIGNED const float %s_weights[%I] = {",
                    name, (lua_Integer)packed->count, name, (lua_Integer)packed->count, name,
                    (lua_Integer)packed->count);
    luaL_addvalue(&buffer);
    for (size_t i = 0; i < packed->count; i++) {
        luaL_addstring(&buffer, i % 8 == 0 ? "\n    " : " ");
        char *const text = luaL_prepbuffsize(&buffer, 40);
        luaL_addsize(&buffer, (size_t)put_float(text, packed->values[i]));
        luaL_addchar(&buffer, ',');
    }
    luaL_addstring(&buffer, "\n};\n");
    luaL_pushresult(&buffer);
    return 1;
}
