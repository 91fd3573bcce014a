/* From a table to a network: no function of `host`, but what several of them read. */
#include "network.h"

#include <lauxlib.h>
#include <string.h>

size_t network_size_field(lua_State *L, int index, const char *name) {
    lua_getfield(L, index, name);
    int valid;
    const lua_Integer value = lua_tointegerx(L, -1, &valid);
    if (!valid || value < 0)
        luaL_error(L, "'%s' is no size", name);
    lua_pop(L, 1);
    return (size_t)value;
}

int network_flag_field(lua_State *L, int index, const char *name) {
    lua_getfield(L, index, name);
    const int value = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

/* The field, which is one of `names`, as its number. */
static int choice_field(lua_State *L, int index, const char *field, const char *const names[]) {
    lua_getfield(L, index, field);
    const int number = luaL_checkoption(L, -1, NULL, names);
    lua_pop(L, 1);
    return number;
}

static rnnc_cell cell_field(lua_State *L, int index) {
    lua_getfield(L, index, "cell");
    const char *const wanted = luaL_checkstring(L, -1);
    const char *name;
    for (int cell = 0; (name = rnnc_cell_name((rnnc_cell)cell)) != NULL; cell++)
        if (strcmp(name, wanted) == 0) {
            lua_pop(L, 1);
            return (rnnc_cell)cell;
        }
    return (rnnc_cell)luaL_error(L, "the runtime has no cell '%s'", wanted);
}

static rnnc_activation activation_field(lua_State *L, int index) {
    lua_getfield(L, index, "activation");
    const char *const wanted = luaL_checkstring(L, -1);
    const char *name;
    for (int number = 0; (name = rnnc_activation_name((rnnc_activation)number)) != NULL; number++)
        if (strcmp(name, wanted) == 0) {
            lua_pop(L, 1);
            return (rnnc_activation)number;
        }
    return (rnnc_activation)luaL_error(L, "the runtime has no activation '%s'", wanted);
}

static float number_field(lua_State *L, int index, const char *name) {
    lua_getfield(L, index, name);
    const float value = (float)luaL_checknumber(L, -1);
    lua_pop(L, 1);
    return value;
}

/* The function {activation=, alpha=, beta=} in that field of the table at `index`. */
static rnnc_function function_field(lua_State *L, int index, const char *name) {
    lua_getfield(L, index, name);
    const int at = lua_gettop(L);
    luaL_checktype(L, at, LUA_TTABLE);
    const rnnc_function function = {activation_field(L, at), number_field(L, at, "alpha"),
                                    number_field(L, at, "beta")};
    lua_pop(L, 1);
    return function;
}

/* The layer of the table on top of the stack. */
static rnnc_layer read_layer(lua_State *L, int batch_first) {
    static const char *const kinds[] = {"recurrent", "embedding", "dense",     "activation",
                                        "merge_sum", "merge_mul", "merge_ave", NULL};
    const int index = lua_gettop(L);
    luaL_checktype(L, index, LUA_TTABLE);
    rnnc_layer layer = {.kind = (rnnc_layer_kind)choice_field(L, index, "kind", kinds)};
    if (layer.kind == RNNC_RECURRENT) {
        layer.recurrent =
            (rnnc_config){.cell = cell_field(L, index),
                          .input_size = network_size_field(L, index, "input_size"),
                          .hidden_size = network_size_field(L, index, "hidden_size"),
                          .num_layers = network_size_field(L, index, "num_layers"),
                          .bias = network_flag_field(L, index, "bias"),
                          .batch_first = batch_first,
                          .bidirectional = network_flag_field(L, index, "bidirectional"),
                          .proj_size = network_size_field(L, index, "proj_size"),
                          .reverse = network_flag_field(L, index, "reverse"),
                          .reset_before = network_flag_field(L, index, "reset_before"),
                          .peepholes = network_flag_field(L, index, "peepholes"),
                          .initial_state = network_flag_field(L, index, "initial_state"),
                          .layer_norm = network_flag_field(L, index, "layer_norm"),
                          .norm_state = network_flag_field(L, index, "norm_state"),
                          .norm_eps = number_field(L, index, "norm_eps"),
                          .clip = number_field(L, index, "clip"),
                          .own_functions = network_flag_field(L, index, "own_functions"),
                          .gate = function_field(L, index, "gate"),
                          .candidate = function_field(L, index, "candidate"),
                          .output = function_field(L, index, "output")};
        return layer;
    }
    layer.inputs = network_size_field(L, index, "inputs");
    layer.outputs = network_size_field(L, index, "outputs");
    if (layer.kind == RNNC_DENSE || layer.kind == RNNC_ACTIVATION) {
        layer.activation = activation_field(L, index);
        layer.alpha = number_field(L, index, "alpha");
        layer.beta = number_field(L, index, "beta");
    }
    if (layer.kind == RNNC_ACTIVATION) {
        layer.first = network_size_field(L, index, "first");
        layer.count = network_size_field(L, index, "count");
    }
    if (layer.kind == RNNC_DENSE) {
        layer.bias = network_flag_field(L, index, "bias");
        layer.tied = network_flag_field(L, index, "tied");
        layer.last_step = network_flag_field(L, index, "last_step");
        layer.steps = network_size_field(L, index, "steps");
    }
    layer.last_state = network_flag_field(L, index, "last_state");
    return layer;
}

const rnnc_network *network_read(lua_State *L, int index, rnnc_network_sizes *sizes) {
    luaL_checktype(L, index, LUA_TTABLE);
    const int type = lua_getfield(L, index, "layers");
    const int layers = lua_gettop(L);
    if (type != LUA_TTABLE)
        luaL_error(L, "a network needs layers");
    const size_t count = (size_t)lua_rawlen(L, layers);
    rnnc_network *const network =
        lua_newuserdatauv(L, sizeof *network + count * sizeof(rnnc_layer), 0);
    rnnc_layer *const list = (rnnc_layer *)(void *)(network + 1);
    *network = (rnnc_network){.layer_count = count,
                              .layer = list,
                              .batch_first = network_flag_field(L, index, "batch_first"),
                              .residual = network_size_field(L, index, "residual")};
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, layers, (lua_Integer)i + 1);
        list[i] = read_layer(L, network->batch_first);
        lua_pop(L, 1);
    }
    rnnc_error error;
    if (rnnc_network_measure(network, sizes, &error) != RNNC_OK)
        luaL_error(L, "%s", error.message);
    lua_remove(L, layers);
    return network;
}
