/* network.h: the userdata that stand for a network's data, shared by the functions that use them.
 */
#ifndef RNNC_HOST_NETWORK_H
#define RNNC_HOST_NETWORK_H

#include "rnnc.h"

#include <lua.h>

/* Tensors in the order of a network's weights; closed by Lua. */
typedef struct network_weights {
    size_t count;
    rnnc_weight *list; /* their names (in messages and files) and shapes */
    const float **tensors;
    float *values; /* what they point into */
} network_weights;

/* Packed weights, as generated code reads them. */
typedef struct network_packed {
    size_t count;
    float values[];
} network_packed;

/* The field of the table at `index`; raise an error if it is none. A missing flag is 0. */
size_t network_size_field(lua_State *L, int index, const char *name);
int network_flag_field(lua_State *L, int index, const char *name);

/* The network of the table at `index`: {batch_first=, residual=, layers= a list of
 *   {kind="recurrent", cell= "lstm", input_size=, hidden_size=, num_layers=, bias=, bidirectional=,
 *    proj_size=, ..., clip=, own_functions=, gate=, candidate=, output= each
 *    {activation=, alpha=, beta=}},
 *   {kind="embedding", inputs=, outputs=}, or
 *   {kind="dense", inputs=, outputs=, activation= "none", alpha=, beta=, bias=, tied=, last_step=,
 *    last_state=, steps=}, or {kind="merge_sum" (_mul, _ave), inputs=, outputs=, last_state=}},
 * on top of the stack as a userdata, and its sizes. Raises an error if it is not one.
 * [ -> network] */
const rnnc_network *network_read(lua_State *L, int index, rnnc_network_sizes *sizes);

/* Do both compute the same? What a layer's kind does not use is not looked at. */
int network_same(const rnnc_network *a, const rnnc_network *b);

/* The userdata at `index`; raise an error if it is of another type. */
rnnc_safetensors *network_check_file(lua_State *L, int index);
network_weights *network_check_weights(lua_State *L, int index);
network_packed *network_check_packed(lua_State *L, int index);

#endif
