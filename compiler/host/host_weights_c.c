/* host.weights_c, host.weights_declaration, host.weights_expression: weights as C.
 *
 * Two forms. Few weights are an array of floats, which people can read. Compilers take long for
 * many of those, so more than READABLE_MAX are literals of char32_t, whose escapes are the bits of
 * a float each, in a union with floats. These are numbers and not bytes, so that they are right on
 * a machine of any byte order. For 10 MB of weights (2.5 million), seconds and MB of memory that
 * gcc 12 and clang 14 needed:
 *
 *     decimal floats   14.4 s  584     17.3 s 1326
 *     hex floats       14.1 s  701     15.3 s 1328
 *     uint32_t         11.4 s  475      4.3 s  481
 *     uint64_t          5.7 s  280      2.1 s  302
 *     text of bytes     1.1 s  145      0.5 s  147
 *     char32_t          0.7 s  134      0.3 s  143
 *
 * and for 50 MB as char32_t 3.6 s and 629 MB, 1.2 s and 374 MB. READABLE_MAX floats take less than
 * 0.1 s. In C a literal is a row of an array, which has no room for terminators, so that none is
 * longer than the 4095 characters that every compiler takes. C++ insists on terminators; there the
 * literals are one. Reading the floats of a union whose words were set is C; C++ leaves it to the
 * compiler, and gcc, clang and MSVC promise it. --weights-as=floats needs no promise. */
#include "host.h"
#include "network.h"

#include <inttypes.h>
#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READABLE_MAX = 16384, FLOATS_PER_LINE = 8, WORDS_PER_LINE = 8, ROW_WORDS = 4000 };

/* Are the weights floats rather than words?  form: that of --weights-as. */
static int are_floats(const char *form, lua_Integer count) {
    return strcmp(form, "floats") == 0 || count <= READABLE_MAX;
}

/* Rows of words with room for a terminator, for C++. */
static lua_Integer rows_of(lua_Integer count) { return count / ROW_WORDS + 1; }

/* host.weights_declaration(symbol, count, form) -> what C says to use the weights of
 * NAME_weights.c.  [symbol, count, form -> text] */
int host_weights_declaration(lua_State *L) {
    const char *const symbol = luaL_checkstring(L, 1);
    const lua_Integer count = luaL_checkinteger(L, 2), rows = rows_of(count);
    if (are_floats(luaL_checkstring(L, 3), count))
        lua_pushfstring(L, "extern const float %s[%I];", symbol, count);
    else
        lua_pushfstring(L,
                        "union %s {\n#ifdef __cplusplus\n    char32_t words[%I];\n#else\n"
                        "    uint_least32_t words[%I][%d]; /* what C has for char32_t */\n#endif\n"
                        "    float values[%I];\n};\nextern const union %s %s;",
                        symbol, rows * ROW_WORDS, rows, ROW_WORDS, count, symbol, symbol);
    return 1;
}

/* host.weights_expression(symbol, count, form) -> the weights as a C expression of type
 * const float *.  [symbol, count, form -> text] */
int host_weights_expression(lua_State *L) {
    const char *const symbol = luaL_checkstring(L, 1);
    const int floats = are_floats(luaL_checkstring(L, 3), luaL_checkinteger(L, 2));
    lua_pushfstring(L, floats ? "%s" : "%s.values", symbol);
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

/* Literals of ROW_WORDS words, with NEXT between them. */
static void put_words(luaL_Buffer *buffer, const network_packed *packed) {
    for (size_t i = 0; i < packed->count; i++) {
        uint32_t bits;
        memcpy(&bits, &packed->values[i], sizeof bits);
        if (i % WORDS_PER_LINE == 0)
            luaL_addstring(buffer, i == 0               ? "\n    U\""
                                   : i % ROW_WORDS == 0 ? "\"\n    NEXT\n    U\""
                                                        : "\"\n    U\"");
        char *const text = luaL_prepbuffsize(buffer, 16);
        luaL_addsize(buffer, (size_t)sprintf(text, "\\x%" PRIx32, bits));
    }
    luaL_addstring(buffer, "\"");
}

static int all_finite(const network_packed *packed) {
    for (size_t i = 0; i < packed->count; i++)
        if (!isfinite(packed->values[i]))
            return 0;
    return 1;
}

/* The declaration again and the beginning of the definition. */
static void put_opening(lua_State *L, luaL_Buffer *buffer, lua_Integer count, int floats) {
    const char *const symbol = lua_tostring(L, 2);
    lua_pushcfunction(L, host_weights_declaration);
    lua_pushvalue(L, 2);
    lua_pushinteger(L, count);
    lua_pushvalue(L, 3);
    lua_call(L, 3, 1);
    luaL_addvalue(buffer);
    luaL_addstring(buffer, "\n\n/* For loads of whole cache lines. */\n"
                           "#ifdef __cplusplus\nalignas(64)\n#else\n_Alignas(64)\n#endif\n");
    if (floats)
        lua_pushfstring(L, "const float %s[%I] = {", symbol, count);
    else
        lua_pushfstring(L, "const union %s %s = { {", symbol, symbol);
    luaL_addvalue(buffer);
}

/* host.weights_c(packed, symbol, form) -> NAME_weights.c without the comment on top of it: packed
 * weights, exact to the bit (except that any NaN is just NAN where they are floats), aligned to 64
 * bytes.  [packed, symbol, form -> text] */
int host_weights_c(lua_State *L) {
    const network_packed *const packed = network_check_packed(L, 1);
    luaL_checkstring(L, 2);
    const int floats = are_floats(luaL_checkstring(L, 3), (lua_Integer)packed->count);
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    if (floats && !all_finite(packed))
        luaL_addstring(&buffer, "#include <math.h>\n\n");
    if (!floats)
        luaL_addstring(
            &buffer,
            "#include <stdint.h>\n\n"
            "/* The bits of a float each. Rows of C have no terminators. */\n"
            "#ifdef __cplusplus\n#define NEXT\n"
            "#ifdef __GNUC__\n#pragma GCC diagnostic ignored \"-Woverlength-strings\"\n#endif\n"
            "#else\n#define NEXT ,\n"
            "#if defined(__clang__) ? __clang_major__ >= 21 : __GNUC__ >= 15\n"
            "#pragma GCC diagnostic ignored \"-Wunterminated-string-initialization\"\n"
            "#endif\n#endif\n\n");
    put_opening(L, &buffer, (lua_Integer)packed->count, floats);
    if (floats)
        put_floats(&buffer, packed);
    else
        put_words(&buffer, packed);
    luaL_addstring(&buffer, floats ? "\n};\n" : "\n} };\n");
    luaL_pushresult(&buffer);
    return 1;
}
