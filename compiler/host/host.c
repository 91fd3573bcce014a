#include "host.h"

#include <lauxlib.h>
#include <stdarg.h>

static const luaL_Reg functions[] = {
    {"template", host_template},
    {"resource", host_resource},
    {"read", host_read},
    {"exists", host_exists},
    {"head", host_head},
    {"file_kind", host_file_kind},
    {"write", host_write},
    {"temporary", host_temporary},
    {"remove_tree", host_remove_tree},
    {"print", host_print},
    {"complain", host_complain},
    {"getenv", host_getenv},
    {"cpu", host_cpu},
    {"float", host_float},
    {"sandbox", host_sandbox},
    {"safetensors", host_safetensors},
    {"safetensors_memory", host_safetensors_memory},
    {"safetensors_text", host_safetensors_text},
    {"safetensors_bytes", host_safetensors_bytes},
    {"floats", host_floats},
    {"strided", host_strided},
    {"weights", host_weights},
    {"pack", host_pack},
    {"weights_blob", host_weights_blob},
    {"weights_c", host_weights_c},
    {"weights_hash", host_weights_hash},
    {"weights_declaration", host_weights_declaration},
    {"weights_expression", host_weights_expression},
    {"random_weights", host_random_weights},
    {"run", host_run},
    {"interrupted", host_interrupted},
    {"isolated_run", host_isolated_run},
    {"problem", host_problem},
    {"candidate", host_candidate},
    {"start", host_start},
    {"cores", host_cores},
    {"pin", host_pin},
    {"progress", host_progress},
    {"json", host_json},
    {"json_read", host_json_read},
    {"onnx", host_onnx},
    {"onnx_tensor", host_onnx_tensor},
    {"graph", host_graph},
    {"zip", host_zip},
    {"hdf5", host_hdf5},
    {NULL, NULL},
};

int host_unable(lua_State *L, const char *format, ...) {
    lua_createtable(L, 0, 1);
    lua_createtable(L, 1, 0);
    lua_pushliteral(L, "rnnc: error: ");
    va_list args;
    va_start(args, format);
    lua_pushvfstring(L, format, args);
    va_end(args);
    lua_concat(L, 2);
    lua_rawseti(L, -2, 1);
    lua_setfield(L, -2, "user_errors");
    return lua_error(L);
}

int host_open(lua_State *L) {
    luaL_newlib(L, functions);
    return 1;
}
