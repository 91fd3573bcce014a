/* host.h: the module `host`, all that scripts can do beyond computing. A function per row of
 * host.c's table; each is described where it is defined, with its stack effect
 * [arguments -> results]. Functions that can fail for a reason outside rnnc return nil and a
 * message (fail, "luaL_fail" in Lua's manual); a wrong argument raises an error, which is rnnc's
 * own bug. What the system refuses where nobody can go on, such as a place for temporary files, is
 * raised by host_unable. */
#ifndef RNNC_HOST_H
#define RNNC_HOST_H

#include <lua.h>

/* Opens the library `host`: a table of the functions below.  [ -> host] */
int host_open(lua_State *L);

/* Raises "rnnc: error: MESSAGE" as a mistake that the user sees (base/fail.lua), not as a bug.
 * Never returns; the int is for `return host_unable(...)`. */
int host_unable(lua_State *L, const char *format, ...);

int host_template(lua_State *L);
int host_resource(lua_State *L);
int host_read(lua_State *L);
int host_exists(lua_State *L);
int host_head(lua_State *L);
int host_file_kind(lua_State *L);
int host_write(lua_State *L);
int host_temporary(lua_State *L);
int host_remove_tree(lua_State *L);
int host_print(lua_State *L);
int host_complain(lua_State *L);
int host_getenv(lua_State *L);
int host_cpu(lua_State *L);
int host_float(lua_State *L);
int host_sandbox(lua_State *L);
int host_safetensors(lua_State *L);
int host_safetensors_memory(lua_State *L);
int host_safetensors_text(lua_State *L);
int host_safetensors_bytes(lua_State *L);
int host_floats(lua_State *L);
int host_strided(lua_State *L);
int host_weights(lua_State *L);
int host_pack(lua_State *L);
int host_weights_hash(lua_State *L);
int host_weights_blob(lua_State *L);
int host_weights_c(lua_State *L);
int host_weights_declaration(lua_State *L);
int host_weights_expression(lua_State *L);
int host_random_weights(lua_State *L);
int host_run(lua_State *L);
int host_interrupted(lua_State *L);
int host_isolated_run(lua_State *L);
int host_problem(lua_State *L);
int host_candidate(lua_State *L);
int host_start(lua_State *L);
int host_cores(lua_State *L);
int host_pin(lua_State *L);
int host_progress(lua_State *L);
int host_json(lua_State *L);
int host_json_read(lua_State *L);
int host_onnx(lua_State *L);
int host_onnx_tensor(lua_State *L);
int host_graph(lua_State *L);
int host_zip(lua_State *L);
int host_hdf5(lua_State *L);

#endif
