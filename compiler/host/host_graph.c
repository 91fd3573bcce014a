/* host.graph: a GraphDef of TensorFlow (graph.proto) as tables. What it means is for Lua. */
#include "host.h"
#include "protobuf.h"

#include <graph.pb-c.h>
#include <lauxlib.h>
#include <string.h>

enum { FLOAT = 1, INT32 = 3 }; /* DataType of types.proto */

/* [table -> table] */
static void set_text(lua_State *L, const char *key, const char *text) {
    lua_pushstring(L, text ? text : "");
    lua_setfield(L, -2, key);
}

/* {dtype =, shape = {}, data = its values as bytes, little-endian}: of floats and of int32, of
 * which nothing says that they are as many as the shape has; of other types data is none.  [ ->
 * tensor] */
static void push_tensor(lua_State *L, const Tf__Tensor *t) {
    const int dtype = t->has_dtype ? t->dtype : 0;
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, dtype);
    lua_setfield(L, -2, "dtype");
    const size_t rank = t->shape ? t->shape->n_dim : 0;
    lua_createtable(L, (int)rank, 0);
    for (size_t i = 0; i < rank; i++) {
        const Tf__Dim *const dim = t->shape->dim[i];
        lua_pushinteger(L, dim->has_size ? dim->size : 0);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "shape");
    if (dtype != FLOAT && dtype != INT32)
        return;
    if (t->has_content)
        lua_pushlstring(L, (const char *)t->content.data, t->content.len);
    else if (dtype == FLOAT)
        lua_pushlstring(L, (const char *)t->float_val, t->n_float_val * sizeof *t->float_val);
    else
        lua_pushlstring(L, (const char *)t->int_val, t->n_int_val * sizeof *t->int_val);
    lua_setfield(L, -2, "data");
}

/* {name =, op =, inputs = {name}, value = tensor of the attribute of that name, or none, flags =
 * {[name of an attribute that is true] = true}}  [ -> node] */
static void push_node(lua_State *L, const Tf__Node *node) {
    lua_createtable(L, 0, 5);
    set_text(L, "name", node->name);
    set_text(L, "op", node->op);
    lua_createtable(L, (int)node->n_input, 0);
    for (size_t i = 0; i < node->n_input; i++) {
        lua_pushstring(L, node->input[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "inputs");
    lua_createtable(L, 0, 0);
    for (size_t i = 0; i < node->n_attribute; i++) {
        const Tf__Attribute *const a = node->attribute[i];
        if (!a->key || !a->value || !a->value->has_b || !a->value->b)
            continue;
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, a->key);
    }
    lua_setfield(L, -2, "flags");
    for (size_t i = 0; i < node->n_attribute; i++) {
        const Tf__Attribute *const a = node->attribute[i];
        if (a->key && strcmp(a->key, "value") == 0 && a->value && a->value->tensor) {
            push_tensor(L, a->value->tensor);
            lua_setfield(L, -2, "value");
        }
    }
}

/* [light userdata of a Tf__Graph -> list] */
static int push_graph(lua_State *L) {
    const Tf__Graph *const graph = lua_touserdata(L, 1);
    lua_createtable(L, (int)graph->n_node, 0);
    for (size_t i = 0; i < graph->n_node; i++) {
        push_node(L, graph->node[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* host.graph(bytes) -> the nodes, see push_node.  [bytes -> list | fail, message] */
int host_graph(lua_State *L) {
    size_t size;
    const char *const bytes = luaL_checklstring(L, 1, &size);
    char error[PROTOBUF_MESSAGE];
    protobuf_memory memory;
    ProtobufCMessage *const message =
        protobuf_unpack(&tf__graph__descriptor, bytes, size, &memory, error);
    if (!message) {
        luaL_pushfail(L);
        lua_pushstring(L, error);
        return 2;
    }
    /* An error of Lua, such as no memory, leaves nothing behind. */
    lua_pushcfunction(L, push_graph);
    lua_pushlightuserdata(L, message);
    const int status = lua_pcall(L, 1, 1, 0);
    protobuf_c_message_free_unpacked(message, &memory.allocator);
    return status == LUA_OK ? 1 : lua_error(L);
}
