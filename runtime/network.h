/* network.h: widths and counts of a network's layers, for those who run one. */
#ifndef RNNC_NETWORK_H
#define RNNC_NETWORK_H

#include "cells.h"

/* Of a config that is valid: values of its hidden state, and layers times directions. */
RNNC_HIDDEN size_t rnnc_config_state(const rnnc_config *config);
RNNC_HIDDEN size_t rnnc_config_chains(const rnnc_config *config);

/* Of a layer that is valid: values that it reads and writes for a step (of an embedding 1, the
 * token), and its tensors. */
RNNC_HIDDEN size_t rnnc_layer_inputs(const rnnc_layer *layer);
RNNC_HIDDEN size_t rnnc_layer_outputs(const rnnc_layer *layer);
RNNC_HIDDEN size_t rnnc_layer_weight_count(const rnnc_layer *layer);

/* Is it an activation with a weight for each unit? */
RNNC_HIDDEN int rnnc_layer_of_units(const rnnc_layer *layer);

/* Does it make one value of both halves of a bidirectional layer? */
RNNC_HIDDEN int rnnc_layer_merges(const rnnc_layer *layer);

/* The steps that it reads side by side, at least 1. */
RNNC_HIDDEN size_t rnnc_layer_steps(const rnnc_layer *layer);

/* Does it run once a sequence, by last_step, last_state or steps? */
RNNC_HIDDEN int rnnc_layer_once(const rnnc_layer *layer);

/* Values of a step's output, the last ones, that come from a direction which goes backwards, and so
 * ends at the first step; 0 if there is none. */
RNNC_HIDDEN size_t rnnc_layer_reverse(const rnnc_layer *layer);

/* Is the call one that the network can run: sizes, lengths, tokens and the pointer of its input. It
 * does not look at outputs, weights and workspace. ARGUMENT, OVERFLOW. */
RNNC_HIDDEN rnnc_status rnnc_call_check(const rnnc_network *network,
                                        const rnnc_network_sizes *sizes, const rnnc_call *call);

#endif
