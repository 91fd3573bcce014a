/* host.print, host.complain, host.progress, host.getenv, host.float */
#define _POSIX_C_SOURCE 200809L
#include "host.h"
#include "message.h"

#include <lauxlib.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int put_line(lua_State *L, FILE *stream, size_t most) {
    size_t size;
    const char *const text = luaL_checklstring(L, 1, &size);
    message_put(stream, text, size, most);
    fputc('\n', stream);
    return 0;
}

/* host.print(text): a line on stdout. main reports when that could not be written.  [text -> ] */
int host_print(lua_State *L) { return put_line(L, stdout, SIZE_MAX); }

/* host.complain(text): a line on stderr.  [text -> ] */
int host_complain(lua_State *L) { return put_line(L, stderr, MESSAGE_LINE); }

/* host.progress(text): overwrites the last line on stderr, if that is a terminal; "" removes it.
 * What was printed before is written out.
 * [text -> ] */
int host_progress(lua_State *L) {
    const char *const text = luaL_checkstring(L, 1);
    fflush(stdout);
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K%s", text);
    return 0;
}

/* host.getenv(name) -> the value of an environment variable, or nil.  [name -> text | nil] */
int host_getenv(lua_State *L) {
    lua_pushstring(L, getenv(luaL_checkstring(L, 1)));
    return 1;
}

/* host.float(x) -> the shortest decimal C literal that is x rounded to float, bit for bit:
 * 0.1 -> "0.1f", 3 -> "3.0f", -0.0 -> "-0.0f". NaN and infinity have none: an error.
 * [x -> literal] */
int host_float(lua_State *L) {
    const float value = (float)luaL_checknumber(L, 1);
    if (!isfinite(value))
        return luaL_argerror(L, 1, "no finite float");
    char text[32];
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    lua_pushfstring(L, strpbrk(text, ".e") ? "%sf" : "%s.0f", text);
    return 1;
}
