/* config.c: the sizes of a recurrent layer and the names and shapes of its weights, as PyTorch has
 * them. */
#include "activations.h"
#include "cells.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

size_t rnnc_config_gates(const rnnc_config *config) {
    const rnnc_cell_row *const cell = rnnc_cell_find(config->cell);
    return cell ? cell->gates : 0;
}

static size_t states_of(const rnnc_config *config) {
    const rnnc_cell_row *const cell = rnnc_cell_find(config->cell);
    return cell ? cell->states : 0;
}

/* Weights and biases of norms of one layer and direction: of both sums and of a cell state. */
static size_t norms_of(const rnnc_config *config) {
    return !config->layer_norm ? 0 : states_of(config) > 1 ? 6 : 4;
}

/* Tensors of one layer and direction. */
static size_t kinds_of(const rnnc_config *config) {
    return (config->bias ? 4u : 2u) + (config->peepholes ? 3u : 0u) +
           (config->proj_size ? 1u : 0u) + norms_of(config);
}

/* Tensors of the chains, layers and directions. */
static size_t chain_weights(const rnnc_config *config) {
    return config->num_layers * (config->bidirectional ? 2 : 1) * kinds_of(config);
}

size_t rnnc_config_weight_count(const rnnc_config *config) {
    return chain_weights(config) + (config->initial_state ? states_of(config) : 0);
}

static size_t state_of(const rnnc_config *config) {
    return config->proj_size ? config->proj_size : config->hidden_size;
}

/* L * D * (values of a layer above the first) + what the first has more or less, 0 on overflow. */
static size_t weight_floats(const rnnc_config *config) {
    const size_t directions = config->bidirectional ? 2 : 1, state = state_of(config);
    size_t rows, total = 0, projection;
    if (!rnnc_mul(rnnc_config_gates(config), config->hidden_size, &rows) ||
        !rnnc_mul(config->proj_size, config->hidden_size, &projection))
        return 0;
    for (int upper = 0; upper < 2; upper++) {
        size_t cols = config->input_size, values;
        const size_t chains = upper ? (config->num_layers - 1) * directions : directions;
        if (upper && !rnnc_mul(directions, state, &cols))
            return 0;
        if (!rnnc_add(cols, state, &cols) || !rnnc_add(cols, config->bias ? 2 : 0, &cols) ||
            !rnnc_add(cols, config->peepholes ? 1 : 0, &cols) ||
            !rnnc_add(cols, config->layer_norm ? 4 : 0, &cols) || !rnnc_mul(rows, cols, &values) ||
            !rnnc_add(values, projection, &values) ||
            !rnnc_add(values, norms_of(config) > 4 ? 2 * config->hidden_size : 0, &values) ||
            (config->initial_state &&
             (!rnnc_add(values, state, &values) ||
              !rnnc_add(values, states_of(config) > 1 ? config->hidden_size : 0, &values))) ||
            !rnnc_mul(values, chains, &values) || !rnnc_add(total, values, &total))
            return 0;
    }
    return total;
}

/* proj_size is what torch.nn.LSTM takes, and no other module does. */
static rnnc_status check_projection(const rnnc_config *config, rnnc_error *error) {
    if (config->proj_size && config->cell != RNNC_LSTM)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "proj_size is %zu: only a cell lstm has projections, give 0",
                         config->proj_size);
    if (config->proj_size >= config->hidden_size)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "proj_size is %zu: give less than hidden_size, which is %zu",
                         config->proj_size, config->hidden_size);
    return RNNC_OK;
}

static rnnc_status check_norms(const rnnc_config *config, rnnc_error *error) {
    if (!config->layer_norm && (config->norm_state || !(fabsf(config->norm_eps) <= 0)))
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "norm_state is %d and norm_eps %g: without layer_norm give 0",
                         config->norm_state, (double)config->norm_eps);
    if (!config->layer_norm)
        return RNNC_OK;
    if (config->cell != RNNC_LSTM && config->cell != RNNC_GRU)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "layer_norm is 1: only cells lstm and gru have it, give 0");
    if (config->bias || config->peepholes || config->reset_before || config->proj_size)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "layer_norm is 1: give 0 for bias, peepholes, reset_before and proj_size");
    if (config->norm_state && states_of(config) < 2)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "norm_state is 1: only a cell lstm has a cell state, give 0");
    if (!(config->norm_eps >= 0 && config->norm_eps <= FLT_MAX))
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "norm_eps is %g: give a finite number, 0 or more",
                         (double)config->norm_eps);
    return RNNC_OK;
}

static rnnc_status check_functions(const rnnc_config *config, rnnc_error *error) {
    const struct {
        const char *name;
        rnnc_function function;
    } roles[] = {
        {"gate", config->gate}, {"candidate", config->candidate}, {"output", config->output}};
    if (!(config->clip >= 0 && config->clip <= FLT_MAX))
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "clip is %g: give a finite number above 0, or 0 for none",
                         (double)config->clip);
    for (size_t i = 0; config->own_functions && i < 3; i++) {
        const rnnc_function function = roles[i].function;
        const rnnc_activation_row *const row = rnnc_activation_find(function.activation);
        if (!row || row->of_units || function.activation == RNNC_SOFTMAX ||
            function.activation == RNNC_LOG_SOFTMAX)
            return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                             "%s is activation %d: give one of single values", roles[i].name,
                             (int)function.activation);
        if (!isfinite(function.alpha) || !isfinite(function.beta))
            return rnnc_fail(error, RNNC_ERR_ARGUMENT, "the %s of %s is not finite",
                             isfinite(function.alpha) ? "beta" : "alpha", roles[i].name);
        if (rnnc_activation_out_of_order(function))
            return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                             "%s is bounded by an alpha of %g and a beta of %g: give a larger beta",
                             roles[i].name, (double)function.alpha, (double)function.beta);
    }
    return RNNC_OK;
}

rnnc_status rnnc_config_check(const rnnc_config *config, rnnc_error *error) {
    if (!config)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT, "config is NULL");
    if (!rnnc_cell_find(config->cell))
        return rnnc_fail(error, RNNC_ERR_ARGUMENT, "cell is %d: give one of rnnc_cell",
                         (int)config->cell);
    const struct {
        const char *name;
        size_t value;
    } sizes[] = {{"input_size", config->input_size},
                 {"hidden_size", config->hidden_size},
                 {"num_layers", config->num_layers}};
    for (size_t i = 0; i < 3; i++)
        if (sizes[i].value == 0)
            return rnnc_fail(error, RNNC_ERR_ARGUMENT, "%s is 0: give 1 or more", sizes[i].name);
    const struct {
        const char *name;
        int value;
    } flags[] = {{"bias", config->bias},
                 {"batch_first", config->batch_first},
                 {"bidirectional", config->bidirectional},
                 {"reverse", config->reverse},
                 {"reset_before", config->reset_before},
                 {"peepholes", config->peepholes},
                 {"initial_state", config->initial_state},
                 {"layer_norm", config->layer_norm},
                 {"norm_state", config->norm_state},
                 {"own_functions", config->own_functions}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (flags[i].value != 0 && flags[i].value != 1)
            return rnnc_fail(error, RNNC_ERR_ARGUMENT, "%s is %d: give 0 or 1", flags[i].name,
                             flags[i].value);
    if (config->reset_before && config->cell != RNNC_GRU)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "reset_before is 1: only a cell gru has a reset gate, give 0");
    if (config->peepholes && states_of(config) < 2)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "peepholes is 1: only a cell lstm has them, give 0");
    if (config->reverse && config->bidirectional)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "reverse and bidirectional are 1: a bidirectional layer has a reverse "
                         "direction, give one of them");
    rnnc_status status = check_projection(config, error);
    if (status == RNNC_OK)
        status = check_norms(config, error);
    if (status == RNNC_OK)
        status = check_functions(config, error);
    if (status != RNNC_OK)
        return status;
    size_t count, bytes;
    if (!rnnc_mul(config->num_layers, 24, &count) ||
        !rnnc_mul(weight_floats(config), sizeof(double), &bytes) || bytes == 0)
        return rnnc_fail(error, RNNC_ERR_OVERFLOW,
                         "the weights of input_size %zu, hidden_size %zu, num_layers %zu do not "
                         "fit in memory: give smaller sizes",
                         config->input_size, config->hidden_size, config->num_layers);
    return RNNC_OK;
}

size_t rnnc_config_weight_floats(const rnnc_config *config) {
    return rnnc_config_check(config, NULL) == RNNC_OK ? weight_floats(config) : 0;
}

rnnc_status rnnc_config_weight(const rnnc_config *config, size_t index, rnnc_weight *weight) {
    enum { WEIGHT_IH, WEIGHT_HH, BIAS_IH, BIAS_HH, WEIGHT_CI, WEIGHT_CF, WEIGHT_CO, WEIGHT_HR };
    enum { NORM_IH = WEIGHT_HR + 1, NORM_C = NORM_IH + 4 };
    static const char *const names[] = {
        "weight_ih",      "weight_hh",    "bias_ih",       "bias_hh",        "weight_ci",
        "weight_cf",      "weight_co",    "weight_hr",     "norm_weight_ih", "norm_bias_ih",
        "norm_weight_hh", "norm_bias_hh", "norm_weight_c", "norm_bias_c"};
    if (!weight || rnnc_config_check(config, NULL) != RNNC_OK ||
        index >= rnnc_config_weight_count(config))
        return RNNC_ERR_ARGUMENT;
    const size_t kinds = kinds_of(config), directions = config->bidirectional ? 2 : 1;
    const size_t chain = index / kinds, layer = chain / directions, direction = chain % directions;
    const size_t H = config->hidden_size, S = state_of(config);
    if (index >= chain_weights(config)) {
        const int is_cell = index > chain_weights(config);
        snprintf(weight->name, sizeof weight->name, "%s", is_cell ? "c0" : "h0");
        weight->rows = config->num_layers * directions;
        weight->cols = is_cell ? H : S;
        return RNNC_OK;
    }
    size_t kind = index % kinds;
    if (kind >= BIAS_IH && !config->bias)
        kind += WEIGHT_CI - BIAS_IH;
    if (kind >= WEIGHT_CI && !config->peepholes)
        kind += WEIGHT_HR - WEIGHT_CI;
    if (kind >= WEIGHT_HR && !config->proj_size)
        kind += NORM_IH - WEIGHT_HR;
    const int of_units = (kind >= WEIGHT_CI && kind <= WEIGHT_CO) || kind >= NORM_C;
    const int of_gates = kind == BIAS_IH || kind == BIAS_HH || (kind >= NORM_IH && kind < NORM_C);
    snprintf(weight->name, sizeof weight->name, "%s_l%zu%s", names[kind], layer,
             direction ? "_reverse" : "");
    weight->rows = kind == WEIGHT_HR ? S : of_units ? H : rnnc_config_gates(config) * H;
    weight->cols = of_gates || of_units ? 0
                   : kind == WEIGHT_HR  ? H
                   : kind == WEIGHT_HH  ? S
                   : layer              ? directions * S
                                        : config->input_size;
    return RNNC_OK;
}
