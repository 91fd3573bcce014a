/* generic_prepare.c: a network's tensors in the order in which the generic kernels read them. */
#include "generic.h"

#include <string.h>

size_t generic_lay_out(const rnnc_config *config, size_t layer, const float *prepared,
                       generic_chain *c) {
    const rnnc_cell_row *const cell = rnnc_cell_find(config->cell);
    const size_t H = config->hidden_size, S = rnnc_config_state(config), N = cell->gates * H;
    const size_t K = layer == 0 ? config->input_size : (config->bidirectional ? 2 : 1) * S;
    const size_t bias = (K + S) * N, bias_n = bias + N;
    const size_t peepholes = bias_n + rnnc_cell_separate(cell) * H;
    const size_t norms = peepholes + (config->peepholes ? 3 * H : 0);
    const size_t w_hr = norms + (config->layer_norm ? 4 * N + (cell->states > 1 ? 2 * H : 0) : 0);
    const size_t first_h = w_hr + config->proj_size * H;
    const size_t states = config->initial_state ? cell->states : 0;
    if (c)
        *c = (generic_chain){.cell = cell,
                             .config = config,
                             .K = K,
                             .H = H,
                             .S = S,
                             .N = N,
                             .w_ih = prepared,
                             .w_hh = prepared + K * N,
                             .bias = prepared + bias,
                             .bias_n = prepared + bias_n,
                             .peepholes = config->peepholes ? prepared + peepholes : NULL,
                             .norms = config->layer_norm ? prepared + norms : NULL,
                             .w_hr = config->proj_size ? prepared + w_hr : NULL,
                             .first_h = states > 0 ? prepared + first_h : NULL,
                             .first_c = states > 1 ? prepared + first_h + S : NULL};
    return first_h + (states > 0 ? S : 0) + (states > 1 ? H : 0);
}

size_t generic_table_count(const rnnc_layer *layer) {
    return layer->kind == RNNC_ACTIVATION || rnnc_layer_merges(layer)
               ? (rnnc_layer_of_units(layer) ? layer->outputs : 0)
               : (layer->inputs + (layer->kind == RNNC_DENSE)) * layer->outputs;
}

/* The floats of a recurrent layer; 0 if they do not fit. The layer is valid. */
static size_t count_of(const rnnc_layer *layer) {
    const rnnc_config *const config = &layer->recurrent;
    /* Without bias there is more than in the weights that were checked. */
    rnnc_config with_bias = *config;
    with_bias.bias = !config->layer_norm;
    if (rnnc_config_check(&with_bias, NULL) != RNNC_OK)
        return 0;
    const size_t directions = config->bidirectional ? 2 : 1;
    return directions * (generic_lay_out(config, 0, NULL, NULL) +
                         (config->num_layers - 1) * generic_lay_out(config, 1, NULL, NULL));
}

size_t rnnc_generic_prepared_count(const rnnc_network *network) {
    size_t total = 0, bytes;
    if (rnnc_network_measure(network, NULL, NULL) != RNNC_OK)
        return 0;
    for (size_t i = 0; i < network->layer_count; i++) {
        const rnnc_layer *const layer = &network->layer[i];
        const int recurrent = layer->kind == RNNC_RECURRENT;
        const size_t count = recurrent ? count_of(layer) : generic_table_count(layer);
        if ((recurrent && count == 0) || !rnnc_add(total, count, &total) ||
            !rnnc_mul(total, sizeof(double), &bytes))
            return 0;
    }
    return total;
}

/* to (cols, rows) = from (rows, cols) transposed, in squares that stay in the cache. */
static void transpose(size_t rows, size_t cols, const float *from, float *to) {
    enum { SQUARE = 16 };
    for (size_t r0 = 0; r0 < rows; r0 += SQUARE)
        for (size_t c0 = 0; c0 < cols; c0 += SQUARE)
            for (size_t r = r0; r < rows && r < r0 + SQUARE; r++)
                for (size_t c = c0; c < cols && c < c0 + SQUARE; c++)
                    to[c * rows + r] = from[r * cols + c];
}

/* b_ih + b_hh, but for separate gates b_ih, and b_hh of these behind it. */
static void prepare_biases(const generic_chain *c, const float *b_ih, const float *b_hh,
                           float *to) {
    float *separate = to + c->N;
    for (size_t g = 0; g < c->cell->gates; g++) {
        const int is_separate = c->cell->separate >> g & 1u;
        for (size_t j = g * c->H; j < (g + 1) * c->H; j++)
            to[j] = b_ih ? b_ih[j] + (is_separate ? 0 : b_hh[j]) : 0;
        for (size_t j = 0; is_separate && j < c->H; j++)
            *separate++ = b_hh ? b_hh[g * c->H + j] : 0;
    }
}

static float *prepare_recurrent(const rnnc_config *config, const float *const **tensors,
                                float *prepared) {
    const size_t directions = config->bidirectional ? 2 : 1;
    const size_t states = config->initial_state ? rnnc_cell_find(config->cell)->states : 0;
    const float *const *const first = *tensors + rnnc_config_weight_count(config) - states;
    for (size_t q = 0; q < rnnc_config_chains(config); q++) {
        generic_chain c;
        const size_t size = generic_lay_out(config, q / directions, prepared, &c);
        transpose(c.N, c.K, *(*tensors)++, prepared);
        transpose(c.N, c.S, *(*tensors)++, prepared + c.K * c.N);
        const float *const b_ih = config->bias ? *(*tensors)++ : NULL;
        const float *const b_hh = config->bias ? *(*tensors)++ : NULL;
        prepare_biases(&c, b_ih, b_hh, prepared + (c.K + c.S) * c.N);
        for (size_t k = 0; c.peepholes && k < 3; k++) {
            const float *const of_units = *(*tensors)++;
            for (size_t j = 0; j < c.H; j++)
                prepared[(size_t)(c.peepholes - prepared) + 3 * j + k] = of_units[j];
        }
        float *norms = prepared + (c.norms ? c.norms - prepared : 0);
        for (size_t k = 0; c.norms && k < (c.cell->states > 1 ? 6 : 4); k++) {
            const size_t count = k < 4 ? c.N : c.H;
            memcpy(norms, *(*tensors)++, count * sizeof *norms);
            norms += count;
        }
        if (c.w_hr)
            transpose(c.S, c.H, *(*tensors)++, prepared + (c.w_hr - prepared));
        if (c.first_h)
            memcpy(prepared + (c.first_h - prepared), first[0] + q * c.S, c.S * sizeof **first);
        if (c.first_c)
            memcpy(prepared + (c.first_c - prepared), first[1] + q * c.H, c.H * sizeof **first);
        prepared += size;
    }
    *tensors += states;
    return prepared;
}

/* table: that of the embedding, for a layer that shares it. */
static float *prepare_dense(const rnnc_layer *layer, const float *table,
                            const float *const **tensors, float *prepared) {
    float *const bias = prepared + layer->inputs * layer->outputs;
    transpose(layer->outputs, layer->inputs, layer->tied ? table : *(*tensors)++, prepared);
    if (layer->bias)
        memcpy(bias, *(*tensors)++, layer->outputs * sizeof *bias);
    else
        memset(bias, 0, layer->outputs * sizeof *bias);
    return bias + layer->outputs;
}

rnnc_status rnnc_generic_prepare(const rnnc_network *network, const float *const *tensors,
                                 float *prepared) {
    const rnnc_status status = rnnc_network_measure(network, NULL, NULL);
    if (status != RNNC_OK)
        return status;
    if (rnnc_generic_prepared_count(network) == 0)
        return RNNC_ERR_OVERFLOW;
    if (!tensors || !prepared)
        return RNNC_ERR_ARGUMENT;
    const float *const table = tensors[0];
    for (size_t i = 0; i < network->layer_count; i++) {
        const rnnc_layer *const layer = &network->layer[i];
        if (layer->kind == RNNC_RECURRENT) {
            prepared = prepare_recurrent(&layer->recurrent, &tensors, prepared);
        } else if (layer->kind == RNNC_DENSE) {
            prepared = prepare_dense(layer, table, &tensors, prepared);
        } else if (layer->kind == RNNC_EMBEDDING) {
            const size_t count = layer->inputs * layer->outputs;
            memcpy(prepared, *tensors++, count * sizeof *prepared);
            prepared += count;
        } else if (rnnc_layer_of_units(layer)) {
            memcpy(prepared, *tensors++, layer->outputs * sizeof *prepared);
            prepared += layer->outputs;
        }
    }
    return RNNC_OK;
}
