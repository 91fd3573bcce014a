/* network.h: the userdata that stand for a network's data, shared by the functions that use them.
 */
#ifndef RNNC_NETWORK_H
#define RNNC_NETWORK_H

#include "rnnc.h"

#include <lua.h>

/* Tensors in the order of rnnc_config_weight; closed by Lua. */
typedef struct network_weights {
    rnnc_config config;
    const float **tensors;
    float *owned; /* what they point into, if it did not come from rnnc_weights_load */
} network_weights;

/* Packed weights, as generated code reads them. */
typedef struct network_packed {
    size_t count;
    float values[];
} network_packed;

/* The config of the table at `index`: {constant= (rnnc.h's name of the cell), input_size=,
 * hidden_size=, num_layers=, bias=, batch_first=, bidirectional=}. Raises an error if it is not
 * one. */
rnnc_config network_config(lua_State *L, int index);

/* The userdata at `index`; raise an error if it is of another type. */
rnnc_safetensors *network_check_file(lua_State *L, int index);
network_weights *network_check_weights(lua_State *L, int index);
network_packed *network_check_packed(lua_State *L, int index);

/* A userdata whose tensors are still NULL.  [ -> weights] */
network_weights *network_new_weights(lua_State *L, const rnnc_config *config);

#endif
