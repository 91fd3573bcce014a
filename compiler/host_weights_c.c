/* host.weights_c, host.weights_declaration, host.weights_expression: weights as C.
 *
 * Two forms. Few weights are an array of floats, which people can read. Compilers take long for
 * many of those, so more than READABLE_MAX are one text with the bytes of the floats, in a union
 * with them. For 10 MB of weights (2.5 million), seconds and MB of memory that gcc 12 and clang 14
 * needed:
 *
 *     decimal floats   14.4 s  584     17.3 s 1326
 *     hex floats       14.1 s  701     15.3 s 1328
 *     uint32_t         11.4 s  475      4.3 s  481
 *     uint64_t          5.7 s  280      2.1 s  302
 *     text              1.1 s  145      0.5 s  147
 *
 * and for 50 MB as a text 8.5 s and 651 MB, 2.9 s and 436 MB: 13 bytes of memory for each byte of
 * weights. READABLE_MAX floats take less than 0.1 s. */
#include "host.h"
#include "network.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READABLE_MAX = 16384, FLOATS_PER_LINE = 8, BYTES_PER_LINE = 128 };

/* host.weights_declaration(name, count) -> what C says to use the weights of NAME_weights.c.
 * [name, count -> text] */
int host_weights_declaration(lua_State *L) {
    const char *const name = luaL_checkstring(L, 1);
    const lua_Integer count = luaL_checkinteger(L, 2);
    if (count <= READABLE_MAX)
        lua_pushfstring(L, "extern const float %s_weights[%I];", name, count);
    else
        lua_pushfstring(L,
                        "union %s_weights {\n    char bytes[%I]; /* and a terminator */\n"
                        "    float values[%I];\n};\nextern const union %s_weights %s_weights;",
                        name, 4 * count + 1, count, name, name);
    return 1;
}

/* host.weights_expression(name, count) -> the weights as a C expression of type const float *.
 * [name, count -> text] */
int host_weights_expression(lua_State *L) {
    const char *const name = luaL_checkstring(L, 1);
    lua_pushfstring(L, luaL_checkinteger(L, 2) <= READABLE_MAX ? "%s_weights" : "%s_weights.values",
                    name);
    return 1;
}

/* The shortest decimal literal of that float. Room for 32 characters; returns how many it took. */
static size_t put_float(char *text, float value) {
    int length = 0;
    if (isnan(value))
        return (size_t)sprintf(text, "NAN");
    if (isinf(value))
        return (size_t)sprintf(text, value < 0 ? "-INFINITY" : "INFINITY");
    for (int digits = 6; digits <= 9; digits++) {
        length = sprintf(text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    return (size_t)(length + sprintf(text + length, strpbrk(text, ".e") ? "f" : ".0f"));
}

static void put_floats(luaL_Buffer *buffer, const network_packed *packed) {
    for (size_t i = 0; i < packed->count; i++) {
        luaL_addstring(buffer, i % FLOATS_PER_LINE == 0 ? "\n    " : " ");
        char *const text = luaL_prepbuffsize(buffer, 32);
        luaL_addsize(buffer, put_float(text, packed->values[i]));
        luaL_addchar(buffer, ',');
    }
}

/* One byte inside a C text. Octal escapes have three digits, so that a digit may follow them. */
static size_t put_byte(char *text, unsigned byte) {
    if (byte >= ' ' && byte <= '~' && byte != '"' && byte != '\\' && byte != '?') {
        text[0] = (char)byte;
        return 1;
    }
    text[0] = '\\';
    text[1] = (char)('0' + (byte >> 6));
    text[2] = (char)('0' + (byte >> 3 & 7));
    text[3] = (char)('0' + (byte & 7));
    return 4;
}

static void put_text(luaL_Buffer *buffer, const network_packed *packed) {
    for (size_t i = 0; i < packed->count; i++) {
        uint32_t bits;
        memcpy(&bits, &packed->values[i], sizeof bits);
        const int begins = i % (BYTES_PER_LINE / 4) == 0;
        const int ends = (i + 1) % (BYTES_PER_LINE / 4) == 0 || i + 1 == packed->count;
        luaL_addstring(buffer, begins ? "\n    \"" : "");
        for (unsigned k = 0; k < 4; k++) {
            char *const text = luaL_prepbuffsize(buffer, 4);
            luaL_addsize(buffer, put_byte(text, bits >> 8 * k & 0xff));
        }
        luaL_addstring(buffer, ends ? "\"" : "");
    }
}

static int all_finite(const network_packed *packed) {
    for (size_t i = 0; i < packed->count; i++)
        if (!isfinite(packed->values[i]))
            return 0;
    return 1;
}

/* The declaration again and the beginning of the definition. */
static void put_opening(lua_State *L, luaL_Buffer *buffer, const char *name, lua_Integer count,
                        int readable) {
    lua_pushcfunction(L, host_weights_declaration);
    lua_pushstring(L, name);
    lua_pushinteger(L, count);
    lua_call(L, 2, 1);
    luaL_addvalue(buffer);
    luaL_addstring(buffer, "\n\n/* For loads of whole cache lines. */\n"
                           "#ifdef __cplusplus\nalignas(64)\n#else\n_Alignas(64)\n#endif\n");
    if (readable)
        lua_pushfstring(L, "const float %s_weights[%I] = {", name, count);
    else
        lua_pushfstring(L, "const union %s_weights %s_weights = {", name, name);
    luaL_addvalue(buffer);
}

/* host.weights_c(packed, name) -> NAME_weights.c without the comment on top of it: packed weights,
 * exact to the bit (except that any NaN is just NAN), aligned to 64 bytes.
 * [packed, name -> text] */
int host_weights_c(lua_State *L) {
    const network_packed *const packed = network_check_packed(L, 1);
    const char *const name = luaL_checkstring(L, 2);
    const int readable = packed->count <= READABLE_MAX;
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    if (readable && !all_finite(packed))
        luaL_addstring(&buffer, "#include <math.h>\n\n");
    if (!readable)
        luaL_addstring(&buffer,
                       "#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__\n"
                       "#error the bytes below are little-endian; use rnnc --weights-as=none\n"
                       "#endif\n"
                       "#ifdef __GNUC__\n"
                       "#pragma GCC diagnostic ignored \"-Woverlength-strings\"\n"
                       "#endif\n\n");
    put_opening(L, &buffer, name, (lua_Integer)packed->count, readable);
    if (readable)
        put_floats(&buffer, packed);
    else
        put_text(&buffer, packed);
    luaL_addstring(&buffer, "\n};\n");
    luaL_pushresult(&buffer);
    return 1;
}
