/* isolated_inputs.h: what goes into the call of an isolated run. */
#ifndef RNNC_ISOLATED_INPUTS_H
#define RNNC_ISOLATED_INPUTS_H

#include "isolated_run.h"

#include <lua.h>

/* Opens and fills x or tokens, lengths, h0 and c0 of options on the stack at 1, see
 * host_isolated_run: `seed`, `initial`, `lengths`, `inputs`. recorded: where they come from
 * instead, or NULL. MEMORY, or what is wrong with the recorded ones. */
rnnc_status isolated_open_inputs(lua_State *L, isolated_run *t, const rnnc_network_sizes *sizes,
                                 const rnnc_safetensors *recorded, rnnc_error *error);

#endif
