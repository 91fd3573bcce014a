/* cells.h: what the library knows of a recurrent cell. A new cell is a row of cell_rows.h and a
 * name at the end of rnnc_cell; kernels_elementwise.h may give it a faster step. */
#ifndef RNNC_CELLS_H
#define RNNC_CELLS_H

#include "internal.h"

enum { RNNC_GATES_MAX = 8 };

typedef struct rnnc_cell_row {
    const char *name; /* "lstm" */
    size_t gates;
    unsigned separate; /* bit g: gate g's two sums, with x and with h, are needed each on its own */
    size_t states;     /* 1: h; 2: h and c */

    /* The new states of one unit, from the sums of each gate with x and with h, biases included;
     * unit: its values of weight_ci, weight_cf and weight_co, if there are peepholes. */
    void (*update)(const rnnc_config *config, const double *input, const double *recurrent,
                   const float *unit, double *h, double *c);
    void (*update_float)(const rnnc_config *config, const float *input, const float *recurrent,
                         const float *unit, float *h, float *c);
} rnnc_cell_row;

/* A gate from its sum, as the config's clip and functions say. */
RNNC_HIDDEN double rnnc_cell_gate(const rnnc_config *config, double sum);
RNNC_HIDDEN float rnnc_cell_gate_float(const rnnc_config *config, float sum);

/* What the config's function makes of a cell state on its way out. */
RNNC_HIDDEN double rnnc_cell_output(const rnnc_config *config, double state);
RNNC_HIDDEN float rnnc_cell_output_float(const rnnc_config *config, float state);

/* The row of a cell; NULL if there is no such cell. */
RNNC_HIDDEN const rnnc_cell_row *rnnc_cell_find(rnnc_cell cell);

/* How many gates of it are separate: by themselves, in layer normalisation, where the others, which
 * come first, are normalised together. */
RNNC_HIDDEN size_t rnnc_cell_separate(const rnnc_cell_row *row);

#endif
