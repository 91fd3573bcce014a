/* cells.c: the rows of cell_rows.h as functions, in double and in float, and as a table. */
#include "cells.h"

#include <math.h>

#define INPUT(g) input[g]
#define RECURRENT(g) recurrent[g]
#define RESET_BEFORE config->reset_before
#define PEEPHOLE(k, v) (config->peepholes ? (real)unit[k] * (v) : 0)
#define GATE(g) (input[g] + recurrent[g])
#define RELU(v) ((v) < 0 ? 0 : (v)) /* NaN stays NaN */

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
#define TANH(v) tanh(v)
#define SIGMOID(v) (1 / (1 + exp(-(v))))
#define CELL(constant, name, gates, apart, states, ...) UPDATE(name##_double, __VA_ARGS__)
#include "cell_rows.h"
#undef CELL
#undef SIGMOID
#undef TANH
#undef real

#define real float
#define TANH(v) tanhf(v)
#define SIGMOID(v) (1 / (1 + expf(-(v))))
#define CELL(constant, name, gates, apart, states, ...) UPDATE(name##_float, __VA_ARGS__)
#include "cell_rows.h"
#undef CELL
#undef SIGMOID
#undef TANH
#undef real

#define CELL(constant, name, gates, apart, states, ...)                                            \
    _Static_assert((gates) <= RNNC_GATES_MAX && (apart) < 1u << (gates), #name);
#include "cell_rows.h"
#undef CELL

static const rnnc_cell_row rows[] = {
#define CELL(constant, name, gates, apart, states, ...)                                            \
    [constant] = {#name, gates, apart, states, name##_double, name##_float},
#include "cell_rows.h"
#undef CELL
};

const rnnc_cell_row *rnnc_cell_find(rnnc_cell cell) {
    const int index = (int)cell;
    return index >= 0 && (size_t)index < sizeof rows / sizeof rows[0] ? &rows[index] : NULL;
}

size_t rnnc_cell_apart(const rnnc_cell_row *row) {
    size_t count = 0;
    for (size_t g = 0; g < row->gates; g++)
        count += row->apart >> g & 1u;
    return count;
}

const char *rnnc_cell_name(rnnc_cell cell) {
    const rnnc_cell_row *const row = rnnc_cell_find(cell);
    return row ? row->name : NULL;
}
