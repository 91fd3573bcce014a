/* state.h: the Lua state that rnnc's own scripts run in. */
#ifndef RNNC_STATE_H
#define RNNC_STATE_H

#include <lua.h>

/* What rnnc exits with. */
enum { EXIT_DONE = 0, EXIT_USER = 1, EXIT_BUG = 2 };

/* A state in which `require "x.y"` finds compiler/x/y.lua, and `require "host"` what the host
 * offers. There is no io and no os: host.write is the only way to a file. NULL if memory is out. */
lua_State *state_open(void);

/* Calls the function that `module` returns with the `count` values on top of the stack, which it
 * takes off. Its result, an integer or nil for 0, is the exit code. A user's mistake that it raises
 * (see fail.lua) is printed, a line for each error: EXIT_USER. Anything else raised is a bug of
 * ours and printed with a traceback: EXIT_BUG. */
int state_run(lua_State *L, const char *module, int count);

#endif
