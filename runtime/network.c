/* network.c: is a list of layers a network that can be run, and what its calls have to know. */
#include "network.h"
#include "activations.h"

#include <math.h>

size_t rnnc_config_state(const rnnc_config *config) {
    return config->proj_size ? config->proj_size : config->hidden_size;
}

size_t rnnc_config_chains(const rnnc_config *config) {
    return config->num_layers * (config->bidirectional ? 2 : 1);
}

size_t rnnc_layer_inputs(const rnnc_layer *layer) {
    return layer->kind == RNNC_RECURRENT   ? layer->recurrent.input_size
           : layer->kind == RNNC_EMBEDDING ? 1
                                           : layer->inputs;
}

size_t rnnc_layer_outputs(const rnnc_layer *layer) {
    return layer->kind == RNNC_RECURRENT
               ? (layer->recurrent.bidirectional ? 2 : 1) * rnnc_config_state(&layer->recurrent)
               : layer->outputs;
}

size_t rnnc_layer_steps(const rnnc_layer *layer) {
    return layer->kind == RNNC_DENSE && layer->steps ? layer->steps : 1;
}

int rnnc_layer_merges(const rnnc_layer *layer) {
    return layer->kind == RNNC_MERGE_SUM || layer->kind == RNNC_MERGE_MUL ||
           layer->kind == RNNC_MERGE_AVE;
}

int rnnc_layer_once(const rnnc_layer *layer) {
    return (layer->kind == RNNC_DENSE && (layer->last_step || layer->steps)) ||
           ((layer->kind == RNNC_DENSE || rnnc_layer_merges(layer)) && layer->last_state);
}

size_t rnnc_layer_reverse(const rnnc_layer *layer) {
    return layer->kind == RNNC_RECURRENT &&
                   (layer->recurrent.bidirectional || layer->recurrent.reverse)
               ? rnnc_config_state(&layer->recurrent)
               : 0;
}

size_t rnnc_layer_weight_count(const rnnc_layer *layer) {
    return layer->kind == RNNC_RECURRENT   ? rnnc_config_weight_count(&layer->recurrent)
           : layer->kind == RNNC_EMBEDDING ? 1
           : layer->kind == RNNC_DENSE     ? (size_t)(!layer->tied + layer->bias)
                                           : (size_t)rnnc_layer_of_units(layer);
}

int rnnc_layer_of_units(const rnnc_layer *layer) {
    return layer->kind == RNNC_ACTIVATION && rnnc_activation_find(layer->activation)->of_units;
}

/* A layer that is not recurrent: sizes and flags in range. */
static rnnc_status check_table(const rnnc_layer *layer, size_t number, rnnc_error *error) {
    size_t values, bytes;
    if (layer->inputs == 0 || layer->outputs == 0)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "layer %zu has %zu inputs and %zu outputs: give 1 or more", number,
                         layer->inputs, layer->outputs);
    if (layer->kind != RNNC_EMBEDDING && !rnnc_activation_name(layer->activation))
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "the activation of layer %zu is %d: give one of rnnc_activation", number,
                         (int)layer->activation);
    if (layer->kind != RNNC_EMBEDDING && !(isfinite(layer->alpha) && isfinite(layer->beta)))
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "the alpha of layer %zu is %g, and its beta %g: give numbers", number,
                         (double)layer->alpha, (double)layer->beta);
    if (layer->kind != RNNC_EMBEDDING &&
        rnnc_activation_out_of_order((rnnc_function){layer->activation, layer->alpha, layer->beta}))
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "layer %zu is bounded by an alpha of %g and a beta of %g: give a larger "
                         "beta",
                         number, (double)layer->alpha, (double)layer->beta);
    if (layer->kind == RNNC_ACTIVATION && (layer->inputs != layer->outputs || layer->bias ||
                                           layer->last_step || layer->last_state || layer->tied))
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "layer %zu is an activation of %zu values with %zu outputs: they are as "
                         "many, and its flags are 0",
                         number, layer->inputs, layer->outputs);
    if (layer->kind == RNNC_ACTIVATION
            ? layer->first > layer->outputs || layer->count > layer->outputs - layer->first ||
                  (layer->count ? rnnc_layer_of_units(layer) : layer->first != 0)
            : layer->first || layer->count)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "layer %zu is of %zu of its %zu values, from %zu on: give those of an "
                         "activation without weights, or 0 and 0",
                         number, layer->count, layer->outputs, layer->first);
    if (layer->kind == RNNC_DENSE && rnnc_activation_find(layer->activation)->of_units)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "layer %zu is dense and has the activation %s, which has weights: give it "
                         "a layer of its own",
                         number, rnnc_activation_name(layer->activation));
    if (layer->kind == RNNC_DENSE &&
        ((layer->bias | layer->last_step | layer->last_state | layer->tied) & ~1) != 0)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "bias, last_step, last_state and tied of layer %zu are %d, %d, %d and %d: "
                         "give 0 or 1",
                         number, layer->bias, layer->last_step, layer->last_state, layer->tied);
    if (!rnnc_add(layer->inputs, 1, &values) || !rnnc_mul(values, layer->outputs, &values) ||
        !rnnc_mul(values, sizeof(double), &bytes))
        return rnnc_fail(error, RNNC_ERR_OVERFLOW,
                         "the weights of layer %zu do not fit in memory: give smaller sizes",
                         number);
    return RNNC_OK;
}

/* A layer by itself, and where it stands in the network's list: `width` values come from the layer
 * before it, 0 for the first; `once` if a layer before it runs once. */
static rnnc_status check_layer(const rnnc_layer *layer, size_t number, size_t width, int once,
                               rnnc_error *error) {
    if ((int)layer->kind < RNNC_RECURRENT || (int)layer->kind > RNNC_MERGE_AVE)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "the kind of layer %zu is %d: give one of rnnc_layer_kind", number,
                         (int)layer->kind);
    if (layer->kind == RNNC_EMBEDDING && number > 0)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "layer %zu is an embedding, which only the first layer can be", number);
    if (layer->kind == RNNC_DENSE && layer->last_state &&
        (layer->last_step || number == 0 || (layer - 1)->kind != RNNC_RECURRENT))
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "layer %zu has last_state, which has to stand behind a recurrent layer, "
                         "without last_step",
                         number);
    if (rnnc_layer_merges(layer) &&
        (number == 0 || (layer - 1)->kind != RNNC_RECURRENT ||
         !(layer - 1)->recurrent.bidirectional || layer->inputs % 2 != 0 ||
         layer->outputs != layer->inputs / 2 || layer->bias || layer->last_step || layer->tied ||
         (layer->last_state & ~1) != 0))
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "layer %zu merges %zu values to %zu: it has to stand behind a "
                         "bidirectional layer and give half as many, with no flag but last_state",
                         number, layer->inputs, layer->outputs);
    if (layer->kind == RNNC_DENSE && layer->steps &&
        (number == 0 || once || layer->last_step || layer->last_state || layer->tied ||
         layer->inputs % layer->steps != 0))
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "layer %zu reads %zu steps side by side: it has to stand behind one that "
                         "runs on each step, without last_step, last_state and tied, and its %zu "
                         "inputs are as many for each step",
                         number, layer->steps, layer->inputs);
    const rnnc_layer *const first = layer - number;
    if (layer->kind == RNNC_DENSE && layer->tied &&
        (first->kind != RNNC_EMBEDDING || first->inputs != layer->outputs ||
         first->outputs != layer->inputs))
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "layer %zu is tied, for which the first layer has to be an embedding of "
                         "%zu rows and %zu columns",
                         number, layer->outputs, layer->inputs);
    if (layer->kind == RNNC_RECURRENT && once)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "layer %zu is recurrent and stands behind last_step: only dense layers "
                         "can",
                         number);
    const rnnc_status status = layer->kind == RNNC_RECURRENT
                                   ? rnnc_config_check(&layer->recurrent, error)
                                   : check_table(layer, number, error);
    if (status != RNNC_OK)
        return status;
    const size_t taken = rnnc_layer_inputs(layer) / rnnc_layer_steps(layer);
    if (width && taken != width)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "layer %zu takes %zu values, and the layer before it gives %zu", number,
                         taken, width);
    return RNNC_OK;
}

/* Adds a recurrent layer's states and any layer's tensors to the sizes; 0 if they do not fit. */
static int add_layer(const rnnc_layer *layer, rnnc_network_sizes *sizes) {
    const rnnc_config *const config = &layer->recurrent;
    size_t h = 0, c = 0;
    if (layer->kind == RNNC_RECURRENT) {
        if (!rnnc_mul(rnnc_config_chains(config), rnnc_config_state(config), &h))
            return 0;
        if (rnnc_cell_find(config->cell)->states > 1 &&
            !rnnc_mul(rnnc_config_chains(config), config->hidden_size, &c))
            return 0;
    }
    return rnnc_add(sizes->h, h, &sizes->h) && rnnc_add(sizes->c, c, &sizes->c) &&
           rnnc_add(sizes->weight_count, rnnc_layer_weight_count(layer), &sizes->weight_count);
}

rnnc_status rnnc_network_measure(const rnnc_network *network, rnnc_network_sizes *sizes,
                                 rnnc_error *error) {
    if (!network || !network->layer || network->layer_count == 0)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT, "the network is NULL or has no layers");
    if (network->batch_first != 0 && network->batch_first != 1)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT, "batch_first is %d: give 0 or 1",
                         network->batch_first);
    rnnc_network_sizes found = {.input = 0};
    for (size_t i = 0; i < network->layer_count; i++) {
        const rnnc_layer *const layer = &network->layer[i];
        const rnnc_status status = check_layer(layer, i, found.output, found.last_step, error);
        if (status != RNNC_OK)
            return status;
        if (i == 0)
            found.input = rnnc_layer_inputs(layer);
        found.output = rnnc_layer_outputs(layer);
        found.vocabulary = layer->kind == RNNC_EMBEDDING ? layer->inputs : found.vocabulary;
        found.last_step |= rnnc_layer_once(layer);
        if (layer->kind == RNNC_DENSE && layer->steps)
            found.steps = layer->steps;
        if (!add_layer(layer, &found))
            return rnnc_fail(error, RNNC_ERR_OVERFLOW,
                             "the states of the network do not fit in memory: give smaller sizes");
    }
    if (network->residual && (found.vocabulary || found.last_step ||
                              network->residual > found.input || network->residual > found.output))
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "residual adds %zu values of x to y, of every step: %zu values come in as "
                         "%s, and %zu go out %s",
                         network->residual, found.input, found.vocabulary ? "tokens" : "x",
                         found.output, found.last_step ? "for a sequence" : "for a step");
    if (sizes)
        *sizes = found;
    return RNNC_OK;
}

/* Each token that is read has its row in the table. */
static int tokens_within(const rnnc_network *network, size_t vocabulary, const rnnc_call *call) {
    const size_t T = call->seq_len, B = call->batch;
    for (size_t b = 0; b < B; b++)
        for (size_t t = 0; t < (call->lengths ? call->lengths[b] : T); t++) {
            const int32_t token = call->tokens[network->batch_first ? b * T + t : t * B + b];
            if (token < 0 || (size_t)token >= vocabulary)
                return 0;
        }
    return 1;
}

rnnc_status rnnc_call_check(const rnnc_network *network, const rnnc_network_sizes *sizes,
                            const rnnc_call *call) {
    if (!call || (call->seq_len > 0 && call->batch > 0 &&
                  !(sizes->vocabulary ? (const void *)call->tokens : (const void *)call->x)))
        return RNNC_ERR_ARGUMENT;
    /* x and y are objects: neither has more bytes than fit. */
    const size_t widest = sizes->input > sizes->output ? sizes->input : sizes->output;
    size_t rows, values, bytes;
    if (!rnnc_mul(call->seq_len, call->batch, &rows) || !rnnc_mul(rows, widest, &values) ||
        !rnnc_mul(values, sizeof(double), &bytes))
        return RNNC_ERR_OVERFLOW;
    if (sizes->steps && call->seq_len != sizes->steps)
        return RNNC_ERR_ARGUMENT;
    for (size_t b = 0; call->lengths && b < call->batch; b++)
        if (call->lengths[b] > call->seq_len || (sizes->steps && call->lengths[b] != sizes->steps))
            return RNNC_ERR_ARGUMENT;
    return sizes->vocabulary && !tokens_within(network, sizes->vocabulary, call) ? RNNC_ERR_ARGUMENT
                                                                                 : RNNC_OK;
}
