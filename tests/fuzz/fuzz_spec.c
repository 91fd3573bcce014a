/* Any text as a spec: it is accepted, or refused as the user's mistake. A crash, a hang, or an
 * error of any other kind is a bug. */
#define _POSIX_C_SOURCE 200809L
#include "state.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* require("spec.spec").from_text(text, "fuzz.lua").  [text -> spec] */
static int load_spec(lua_State *L) {
    lua_getglobal(L, "require");
    lua_pushstring(L, "spec.spec");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "from_text");
    lua_pushvalue(L, 1);
    lua_pushstring(L, "fuzz.lua");
    lua_call(L, 2, 1);
    return 1;
}

static void check_mistake(lua_State *L) {
    if (lua_istable(L, -1) && lua_getfield(L, -1, "user_errors") == LUA_TTABLE)
        return;
    fprintf(stderr, "not the user's mistake: %s\n", luaL_tolstring(L, -1, NULL));
    abort();
}

/* Pieces of specs, in the order of what an odd input chooses. */
static const char *const pieces[] = {
    "return rnn {\n",
    "}\n",
    "input_size = ",
    "hidden_size = ",
    "num_layers = ",
    "cell = ",
    "name = ",
    "bias = ",
    "batch = ",
    "seq_len = ",
    "target = ",
    "dropout = ",
    "weights = ",
    "prefix = ",
    "activation = ",
    "nonlinearity = ",
    "batch_first",
    "bidirectional",
    "hiden_size = ",
    "[\"batch\"] = ",
    " = ",
    ",\n",
    "3",
    "0",
    "-1",
    "1e300",
    "0/0",
    "\"any\"",
    "\"tanh\"",
    "\"avx2\"",
    "\"portable\"",
    "true",
    "false",
    "nil",
    "{ ",
    " }",
    "\"x\"",
    "'int'",
    "[[a\nb]]",
    "-- x\n",
    "--[[ ",
    "]]",
    "function() ",
    " end",
    "local t = {}\n",
    "t[1 << 62] = 1 ",
    "while true do ",
    "string.rep(",
    "(",
    ")",
    "..",
    "table.insert(",
    "rnn(",
    "return ",
    "string.format(",
};

/* The chosen pieces, allocated; *size is their length. */
static char *put_together(const uint8_t *data, size_t count, size_t *size) {
    char *text = NULL;
    FILE *const out = open_memstream(&text, size);
    if (!out)
        abort();
    for (size_t i = 0; i < count; i++)
        fputs(pieces[data[i] % (sizeof pieces / sizeof *pieces)], out);
    fclose(out);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static lua_State *L;
    if (!L && !(L = state_open()))
        abort();
    lua_pushcfunction(L, load_spec);
    if (size > 0 && data[0] % 2 == 1) {
        size_t length;
        char *const text = put_together(data + 1, size - 1, &length);
        lua_pushlstring(L, text, length);
        free(text);
    } else {
        lua_pushlstring(L, (const char *)data, size);
    }
    if (lua_pcall(L, 1, 1, 0) != LUA_OK)
        check_mistake(L);
    lua_settop(L, 0);
    lua_gc(L, LUA_GCCOLLECT);
    return 0;
}
