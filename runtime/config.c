/* config.c: the sizes of a network and the names and shapes of its weights, as PyTorch has them. */
#include "internal.h"

#include <stdio.h>

size_t rnnc_config_gates(const rnnc_config *config) {
    return config->cell == RNNC_LSTM ? 4 : config->cell == RNNC_GRU ? 3 : 1;
}

size_t rnnc_config_weight_count(const rnnc_config *config) {
    return config->num_layers * (config->bidirectional ? 2 : 1) * (config->bias ? 4 : 2);
}

/* L * D * (values of a layer above the first) + what the first has more or less, 0 on overflow. */
static size_t weight_floats(const rnnc_config *config) {
    const size_t directions = config->bidirectional ? 2 : 1;
    size_t rows, total = 0;
    if (!rnnc_mul(rnnc_config_gates(config), config->hidden_size, &rows))
        return 0;
    for (int upper = 0; upper < 2; upper++) {
        size_t cols = config->input_size, values;
        const size_t chains = upper ? (config->num_layers - 1) * directions : directions;
        if (upper && !rnnc_mul(directions, config->hidden_size, &cols))
            return 0;
        if (!rnnc_add(cols, config->hidden_size, &cols) ||
            !rnnc_add(cols, config->bias ? 2 : 0, &cols) || !rnnc_mul(rows, cols, &values) ||
            !rnnc_mul(values, chains, &values) || !rnnc_add(total, values, &total))
            return 0;
    }
    return total;
}

rnnc_status rnnc_config_check(const rnnc_config *config, rnnc_error *error) {
    if (!config)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT, "config is NULL");
    if ((int)config->cell < RNNC_RNN_TANH || (int)config->cell > RNNC_GRU)
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
                 {"bidirectional", config->bidirectional}};
    for (size_t i = 0; i < 3; i++)
        if (flags[i].value != 0 && flags[i].value != 1)
            return rnnc_fail(error, RNNC_ERR_ARGUMENT, "%s is %d: give 0 or 1", flags[i].name,
                             flags[i].value);
    size_t count, bytes;
    if (!rnnc_mul(config->num_layers, 8, &count) ||
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
    static const char *const kinds[] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"};
    if (!weight || rnnc_config_check(config, NULL) != RNNC_OK ||
        index >= rnnc_config_weight_count(config))
        return RNNC_ERR_ARGUMENT;
    const size_t kinds_each = config->bias ? 4 : 2, directions = config->bidirectional ? 2 : 1;
    const size_t kind = index % kinds_each, chain = index / kinds_each;
    const size_t layer = chain / directions, direction = chain % directions;
    snprintf(weight->name, sizeof weight->name, "%s_l%zu%s", kinds[kind], layer,
             direction ? "_reverse" : "");
    weight->rows = rnnc_config_gates(config) * config->hidden_size;
    weight->cols = kind >= 2   ? 0
                   : kind == 1 ? config->hidden_size
                   : layer     ? directions * config->hidden_size
                               : config->input_size;
    return RNNC_OK;
}
