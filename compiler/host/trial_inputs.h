/* trial_inputs.h: what goes into the call of a trial. */
#ifndef RNNC_TRIAL_INPUTS_H
#define RNNC_TRIAL_INPUTS_H

#include "trial.h"

#include <lua.h>

/* Opens and fills x or tokens, lengths, h0 and c0 of options on the stack at 1, see host_trial:
 * `seed`, `initial`, `lengths`, `inputs`. recorded: where they come from instead, or NULL. MEMORY,
 * or what is wrong with the recorded ones. */
rnnc_status trial_open_inputs(lua_State *L, trial *t, const rnnc_network_sizes *sizes,
                              const rnnc_safetensors *recorded, rnnc_error *error);

#endif
