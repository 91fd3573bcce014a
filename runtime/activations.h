/* activations.h: the functions of single values that a dense layer may have behind its product. A
 * new one is a row of activation_rows.h and a name at the end of rnnc_activation. */
#ifndef RNNC_ACTIVATIONS_H
#define RNNC_ACTIVATIONS_H

#include "internal.h"

/* The functions of an activation that is in range: of a value and the layer's alpha
 * and beta. */
typedef struct rnnc_activation_row {
    const char *name;
    double (*of)(double v, double alpha, double beta);
    float (*of_float)(float v, float alpha, float beta);
    int of_units; /* 1: alpha is a weight of the unit, of a tensor of the layer */
} rnnc_activation_row;

/* The row of an activation; NULL if there is no such one. */
RNNC_HIDDEN const rnnc_activation_row *rnnc_activation_find(rnnc_activation activation);

/* 1: alpha and beta of that function are its bounds, and the lower one is not less. */
RNNC_HIDDEN int rnnc_activation_out_of_order(rnnc_function function);

#endif
