/* host.onnx, host.onnx_tensor: the messages of onnx.proto as tables. What they mean is for Lua. */
#include "host_onnx.h"
#include "host.h"
#include "protobuf.h"

#include <lauxlib.h>
#include <string.h>

/* A list of texts of the table on top of the stack.  [table -> table] */
static void set_texts(lua_State *L, const char *key, size_t count, char *const *texts) {
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_pushstring(L, texts[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, key);
}

/* [table -> table] */
static void set_text(lua_State *L, const char *key, const char *text) {
    lua_pushstring(L, text ? text : "");
    lua_setfield(L, -2, key);
}

/* {type =, i =, f =, s =, ints = {}, floats = {}, strings = {}, t = tensor, g = graph}: what the
 * attribute has.  [ -> attribute] */
static void push_attribute(lua_State *L, const Onnx__AttributeProto *a, onnx_room *room) {
    lua_createtable(L, 0, 2);
    lua_pushinteger(L, a->has_type ? (lua_Integer)a->type : 0);
    lua_setfield(L, -2, "type");
    if (a->has_i) {
        lua_pushinteger(L, a->i);
        lua_setfield(L, -2, "i");
    }
    if (a->has_f) {
        lua_pushnumber(L, (lua_Number)a->f);
        lua_setfield(L, -2, "f");
    }
    if (a->has_s) {
        lua_pushlstring(L, (const char *)a->s.data, a->s.len);
        lua_setfield(L, -2, "s");
    }
    if (a->n_ints > 0) {
        onnx_take_room(L, room, a->n_ints);
        lua_createtable(L, (int)a->n_ints, 0);
        for (size_t i = 0; i < a->n_ints; i++) {
            lua_pushinteger(L, a->ints[i]);
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        lua_setfield(L, -2, "ints");
    }
    if (a->n_floats > 0) {
        onnx_take_room(L, room, a->n_floats);
        lua_createtable(L, (int)a->n_floats, 0);
        for (size_t i = 0; i < a->n_floats; i++) {
            lua_pushnumber(L, (lua_Number)a->floats[i]);
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        lua_setfield(L, -2, "floats");
    }
    if (a->n_strings > 0) {
        onnx_take_room(L, room, a->n_strings);
        lua_createtable(L, (int)a->n_strings, 0);
        for (size_t i = 0; i < a->n_strings; i++) {
            lua_pushlstring(L, (const char *)a->strings[i].data, a->strings[i].len);
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        lua_setfield(L, -2, "strings");
    }
    if (a->t) {
        onnx_push_tensor(L, a->t, room);
        lua_setfield(L, -2, "t");
    }
    if (a->g) {
        onnx_push_graph(L, a->g, room);
        lua_setfield(L, -2, "g");
    }
}

/* {op =, name =, domain =, inputs = {name}, outputs = {name}, attributes = {[name] = attribute}}
 * [ -> node] */
static void push_node(lua_State *L, const Onnx__NodeProto *node, onnx_room *room) {
    lua_createtable(L, 0, 6);
    set_text(L, "op", node->op_type);
    set_text(L, "name", node->name);
    set_text(L, "domain", node->domain);
    set_texts(L, "inputs", node->n_input, node->input);
    set_texts(L, "outputs", node->n_output, node->output);
    lua_createtable(L, 0, (int)node->n_attribute);
    for (size_t i = 0; i < node->n_attribute; i++) {
        const Onnx__AttributeProto *const a = node->attribute[i];
        const char *const name = a->name ? a->name : "";
        if (lua_getfield(L, -1, name) != LUA_TNIL)
            onnx_fail(L, "a node has two attributes of one name");
        lua_pop(L, 1);
        push_attribute(L, a, room);
        lua_setfield(L, -2, name);
    }
    lua_setfield(L, -2, "attributes");
}

/* {name =, type = (TensorProto.DataType, or 0), shape = {integer | name | false}, or none}
 * [ -> value] */
static void push_value(lua_State *L, const Onnx__ValueInfoProto *value) {
    lua_createtable(L, 0, 3);
    set_text(L, "name", value->name);
    const Onnx__TypeProto__Tensor *const tensor =
        value->type && value->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE
            ? value->type->tensor_type
            : NULL;
    lua_pushinteger(L, tensor && tensor->has_elem_type ? tensor->elem_type : 0);
    lua_setfield(L, -2, "type");
    if (!tensor || !tensor->shape)
        return;
    lua_createtable(L, (int)tensor->shape->n_dim, 0);
    for (size_t i = 0; i < tensor->shape->n_dim; i++) {
        const Onnx__TensorShapeProto__Dimension *const dim = tensor->shape->dim[i];
        if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE)
            lua_pushinteger(L, dim->dim_value);
        else if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM)
            lua_pushstring(L, dim->dim_param);
        else
            lua_pushboolean(L, 0);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "shape");
}

/* [table -> table] */
static void set_values(lua_State *L, const char *key, size_t count,
                       Onnx__ValueInfoProto *const *values) {
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        push_value(L, values[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, key);
}

void onnx_push_graph(lua_State *L, const Onnx__GraphProto *graph, onnx_room *room) {
    luaL_checkstack(L, 8, NULL);
    lua_createtable(L, 0, 5);
    lua_createtable(L, (int)graph->n_node, 0);
    for (size_t i = 0; i < graph->n_node; i++) {
        push_node(L, graph->node[i], room);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "nodes");
    lua_createtable(L, (int)graph->n_initializer, 0);
    for (size_t i = 0; i < graph->n_initializer; i++) {
        onnx_push_tensor(L, graph->initializer[i], room);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "initializers");
    set_values(L, "inputs", graph->n_input, graph->input);
    set_values(L, "outputs", graph->n_output, graph->output);
    lua_pushinteger(L, (lua_Integer)graph->n_sparse_initializer);
    lua_setfield(L, -2, "sparse");
}

/* {ir_version =, producer =, opsets = {[domain] = version}, graph = graph, or none}
 * [ -> model] */
static void push_model(lua_State *L, const ProtobufCMessage *message, onnx_room *room) {
    const Onnx__ModelProto *const model = (const Onnx__ModelProto *)message;
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, model->has_ir_version ? model->ir_version : 0);
    lua_setfield(L, -2, "ir_version");
    set_text(L, "producer", model->producer_name);
    lua_createtable(L, 0, (int)model->n_opset_import);
    for (size_t i = 0; i < model->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *const set = model->opset_import[i];
        lua_pushinteger(L, set->has_version ? set->version : 0);
        lua_setfield(L, -2, set->domain ? set->domain : "");
    }
    lua_setfield(L, -2, "opsets");
    if (model->graph) {
        onnx_push_graph(L, model->graph, room);
        lua_setfield(L, -2, "graph");
    }
}

static void push_tensor(lua_State *L, const ProtobufCMessage *message, onnx_room *room) {
    onnx_push_tensor(L, (const Onnx__TensorProto *)message, room);
}

typedef void push_function(lua_State *L, const ProtobufCMessage *message, onnx_room *room);

/* What push_root hands on, so that an error of Lua, such as no memory, leaves nothing behind. */
typedef struct root {
    const ProtobufCMessage *message;
    push_function *push;
} root;

/* [light userdata of a root -> table] */
static int push_root(lua_State *L) {
    const root *const r = lua_touserdata(L, 1);
    onnx_room room = {ONNX_ROOM};
    lua_settop(L, 0);
    r->push(L, r->message, &room);
    return 1;
}

/* [bytes -> table | fail, message] */
static int read_message(lua_State *L, const ProtobufCMessageDescriptor *type, push_function *push) {
    size_t size;
    const char *const bytes = luaL_checklstring(L, 1, &size);
    char error[PROTOBUF_MESSAGE];
    protobuf_memory memory;
    ProtobufCMessage *const message = protobuf_unpack(type, bytes, size, &memory, error);
    if (!message) {
        luaL_pushfail(L);
        lua_pushstring(L, error);
        return 2;
    }
    root r = {message, push};
    lua_pushcfunction(L, push_root);
    lua_pushlightuserdata(L, &r);
    const int status = lua_pcall(L, 1, 1, 0);
    protobuf_c_message_free_unpacked(message, &memory.allocator);
    if (status == LUA_OK)
        return 1;
    if (!lua_isstring(L, -1) || status == LUA_ERRMEM)
        return lua_error(L);
    luaL_pushfail(L);
    lua_insert(L, -2);
    return 2;
}

/* host.onnx(bytes) -> a ModelProto, see push_model.  [bytes -> model | fail, message] */
int host_onnx(lua_State *L) { return read_message(L, &onnx__model_proto__descriptor, push_model); }

/* host.onnx_tensor(bytes) -> a TensorProto, see onnx_push_tensor.
 * [bytes -> tensor | fail, message] */
int host_onnx_tensor(lua_State *L) {
    return read_message(L, &onnx__tensor_proto__descriptor, push_tensor);
}
