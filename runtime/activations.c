/* activations.c: the rows of activation_rows.h as functions, in double and in float, and as a
 * table. */
#include "activations.h"

#include <tgmath.h>

#define BETWEEN(least, value, most) between(least, value, most)
#define HALF ((real)0.5)
#define HALF_ROOT ((real)0.70710678118654752440)             /* sqrt(1/2) */
#define TWO_ROOTS ((real)1.59576912160573071176)             /* 2 sqrt(2/pi) */
#define CUBIC ((real)0.044715)                               /* D. Hendrycks, K. Gimpel 2016 */
#define SELU_SCALE ((real)1.0507009873554804934193349852946) /* G. Klambauer et al. 2017 */
#define SELU_ALPHA ((real)1.6732632423543772848170429916717)

#define ACTIVATION_OF_UNITS ACTIVATION

/* Of those that are of no alpha or beta they are not used. */
#define ACTIVATION(constant, name, value)                                                          \
    static real OF(name)(real v, real alpha, real beta) {                                          \
        (void)alpha, (void)beta;                                                                   \
        return value;                                                                              \
    }

#define real double
#define OF(name) name##_double
#define between between_double
static real between(real least, real v, real most) {
    return v < least ? least : v > most ? most : v;
}
#include "activation_rows.h"
#undef real
#undef OF
#undef between

#define real float
#define OF(name) name##_float
#define between between_float
static real between(real least, real v, real most) {
    return v < least ? least : v > most ? most : v;
}
#include "activation_rows.h"
#undef ACTIVATION
#undef ACTIVATION_OF_UNITS

static const rnnc_activation_row rows[] = {
#define ACTIVATION(constant, name, value) [constant] = {#name, name##_double, name##_float, 0},
#define ACTIVATION_OF_UNITS(constant, name, value)                                                 \
    [constant] = {#name, name##_double, name##_float, 1},
#include "activation_rows.h"
};

const rnnc_activation_row *rnnc_activation_find(rnnc_activation activation) {
    const int index = (int)activation;
    return index >= 0 && (size_t)index < sizeof rows / sizeof rows[0] ? &rows[index] : NULL;
}

int rnnc_activation_out_of_order(rnnc_function function) {
    return function.activation == RNNC_HARD_TANH && !(function.alpha < function.beta);
}

const char *rnnc_activation_name(rnnc_activation activation) {
    const rnnc_activation_row *const row = rnnc_activation_find(activation);
    return row ? row->name : NULL;
}
