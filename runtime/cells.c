/* cells.c: the rows of cell_rows.h as functions, in double and in float, and as a table. */
#include "cells.h"
#include "activations.h"

#define INPUT(g) input[g]
#define RECURRENT(g) recurrent[g]
#define RESET_BEFORE config->reset_before
#define PEEPHOLE(k, v) (config->peepholes ? (real)unit[k] * (v) : 0)
#define GATE(g) (input[g] + recurrent[g])

/* The functions that a config without its own has. */
static const rnnc_function sigmoid = {RNNC_SIGMOID, 0, 0}, of_state = {RNNC_TANH, 0, 0};

static rnnc_function gate_of(const rnnc_config *config) {
    return config->own_functions ? config->gate : sigmoid;
}

static rnnc_function candidate_of(const rnnc_config *config) {
    static const rnnc_function rectifier = {RNNC_RELU, 0, 0};
    if (config->own_functions)
        return config->candidate;
    return config->cell == RNNC_RNN_RELU ? rectifier : of_state;
}

static rnnc_function output_of(const rnnc_config *config) {
    return config->own_functions ? config->output : of_state;
}

/* Both keep NaN. */
static double clipped(const rnnc_config *config, double sum) {
    const double most = (double)config->clip;
    return most > 0 && sum > most ? most : most > 0 && sum < -most ? -most : sum;
}

static double apply(rnnc_function function, double v) {
    return rnnc_activation_find(function.activation)
        ->of(v, (double)function.alpha, (double)function.beta);
}

static float clipped_float(const rnnc_config *config, float sum) {
    const float most = config->clip;
    return most > 0 && sum > most ? most : most > 0 && sum < -most ? -most : sum;
}

static float apply_float(rnnc_function function, float v) {
    return rnnc_activation_find(function.activation)->of_float(v, function.alpha, function.beta);
}

double rnnc_cell_gate(const rnnc_config *config, double sum) {
    return apply(gate_of(config), clipped(config, sum));
}

float rnnc_cell_gate_float(const rnnc_config *config, float sum) {
    return apply_float(gate_of(config), clipped_float(config, sum));
}

double rnnc_cell_output(const rnnc_config *config, double state) {
    return apply(output_of(config), state);
}

float rnnc_cell_output_float(const rnnc_config *config, float state) {
    return apply_float(output_of(config), state);
}

#define UPDATE(name, ...)                                                                          \
    static void name(const rnnc_config *config, const real *input, const real *recurrent,          \
                     const float *unit, real *h_out, real *c_out) {                                \
        real h = *h_out, c = *c_out;                                                               \
        (void)config, (void)unit;                                                                  \
        __VA_ARGS__                                                                                \
        *h_out = h;                                                                                \
        *c_out = c;                                                                                \
    }

#define real double
#define OPEN(v) rnnc_cell_gate(config, v)
#define CANDIDATE(v) apply(candidate_of(config), clipped(config, v))
#define OUTPUT(v) rnnc_cell_output(config, v)
#define CELL(constant, name, gates, separate, states, ...) UPDATE(name##_double, __VA_ARGS__)
#include "cell_rows.h"
#undef CELL
#undef OUTPUT
#undef CANDIDATE
#undef OPEN
#undef real

#define real float
#define OPEN(v) rnnc_cell_gate_float(config, v)
#define CANDIDATE(v) apply_float(candidate_of(config), clipped_float(config, v))
#define OUTPUT(v) rnnc_cell_output_float(config, v)
#define CELL(constant, name, gates, separate, states, ...) UPDATE(name##_float, __VA_ARGS__)
#include "cell_rows.h"
#undef CELL
#undef OUTPUT
#undef CANDIDATE
#undef OPEN
#undef real

#define CELL(constant, name, gates, separate, states, ...)                                         \
    _Static_assert((gates) <= RNNC_GATES_MAX && (separate) < 1u << (gates), #name);
#include "cell_rows.h"
#undef CELL

static const rnnc_cell_row rows[] = {
#define CELL(constant, name, gates, separate, states, ...)                                         \
    [constant] = {#name, gates, separate, states, name##_double, name##_float},
#include "cell_rows.h"
#undef CELL
};

const rnnc_cell_row *rnnc_cell_find(rnnc_cell cell) {
    const int index = (int)cell;
    return index >= 0 && (size_t)index < sizeof rows / sizeof rows[0] ? &rows[index] : NULL;
}

size_t rnnc_cell_separate(const rnnc_cell_row *row) {
    size_t count = 0;
    for (size_t g = 0; g < row->gates; g++)
        count += row->separate >> g & 1u;
    return count;
}

const char *rnnc_cell_name(rnnc_cell cell) {
    const rnnc_cell_row *const row = rnnc_cell_find(cell);
    return row ? row->name : NULL;
}
