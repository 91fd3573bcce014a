#include "activation.h"

#include <math.h>
#include <stdlib.h>

static double logistic(double v) { return 1.0 / (1.0 + exp(-v)); }

static double clamp(double v, double least, double most) {
    if (isnan(v))
        return v;
    return fmin(fmax(v, least), most);
}

/* Beyond 30 it is v to within 1e-13. */
static double softplus(double v) { return v > 30.0 ? v : log1p(exp(v)); }

/* Phi, by its complement where it is small. */
static double normal(double v) {
    return v < 0.0 ? erfc(-v / sqrt(2.0)) / 2.0 : (1.0 + erf(v / sqrt(2.0))) / 2.0;
}

double activation_of(rnnc_activation activation, double alpha, double v) {
    switch (activation) {
    case RNNC_IDENTITY:
        return v;
    case RNNC_TANH:
        return tanh(v);
    case RNNC_RELU:
        return v <= 0.0 ? 0.0 : v;
    case RNNC_SIGMOID:
        return logistic(v);
    case RNNC_ELU:
        return v > 0.0 ? v : alpha * expm1(v);
    case RNNC_LEAKY_RELU:
        return v >= 0.0 ? v : v * alpha;
    case RNNC_SOFTPLUS:
        return softplus(v);
    case RNNC_GELU:
        return v * normal(v);
    case RNNC_GELU_TANH:
        return 0.5 * v * (1.0 + tanh(sqrt(2.0 / acos(-1.0)) * (v + 0.044715 * v * v * v)));
    case RNNC_SILU:
        return v * logistic(v);
    case RNNC_HARD_SIGMOID:
        return clamp(v * alpha + 0.5, 0.0, 1.0);
    case RNNC_HARD_TANH:
        return clamp(v, -1.0, 1.0);
    case RNNC_SOFTSIGN:
        return v / (fabs(v) + 1.0);
    case RNNC_SELU:
        return 1.0507009873554805 * (v > 0.0 ? v : 1.6732632423543773 * expm1(v));
    case RNNC_RELU6:
        return clamp(v, 0.0, 6.0);
    case RNNC_HARD_SWISH:
        return v * clamp(v + 3.0, 0.0, 6.0) / 6.0;
    case RNNC_MISH:
        return v * tanh(softplus(v));
    case RNNC_SOFTMAX:
    case RNNC_LOG_SOFTMAX:
        break;
    }
    abort();
}

bool activation_has_alpha(rnnc_activation activation) {
    return activation == RNNC_ELU || activation == RNNC_LEAKY_RELU ||
           activation == RNNC_HARD_SIGMOID;
}

void activation_choose(rnnc_layer *layer, bool rows, rng *r) {
    static const float alphas[] = {1.0f, 0.01f, 0.2f, 0.625f, -0.375f};
    do
        layer->activation = (rnnc_activation)rng_below(r, RNNC_MISH + 1);
    while (!rows && (layer->activation == RNNC_SOFTMAX || layer->activation == RNNC_LOG_SOFTMAX));
    layer->alpha = activation_has_alpha(layer->activation) ? alphas[rng_below(r, 5)] : 0.0f;
}
