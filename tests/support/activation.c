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

double activation_of(rnnc_function function, double v) {
    const double alpha = (double)function.alpha, beta = (double)function.beta;
    switch (function.activation) {
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
        return clamp(v * alpha + beta, 0.0, 1.0);
    case RNNC_HARD_TANH:
        return clamp(v, alpha, beta);
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
    case RNNC_AFFINE:
        return v * alpha + beta;
    case RNNC_PRELU:
        return v >= 0.0 ? v : v * alpha;
    case RNNC_SCALE:
        return v * alpha;
    case RNNC_SHIFT:
        return v + alpha;
    case RNNC_SOFTMAX:
    case RNNC_LOG_SOFTMAX:
        break;
    }
    abort();
}

bool activation_has_alpha(rnnc_activation activation) {
    return activation == RNNC_ELU || activation == RNNC_LEAKY_RELU ||
           activation_has_beta(activation);
}

bool activation_has_weights(rnnc_activation activation) {
    return activation == RNNC_PRELU || activation == RNNC_SCALE || activation == RNNC_SHIFT;
}

void activation_choose_of_units(rnnc_layer *layer, rng *r) {
    static const rnnc_activation all[] = {RNNC_PRELU, RNNC_SCALE, RNNC_SHIFT};
    layer->activation = all[rng_below(r, 3)];
    layer->alpha = layer->beta = 0;
}

bool activation_has_beta(rnnc_activation activation) {
    return activation == RNNC_HARD_SIGMOID || activation == RNNC_HARD_TANH ||
           activation == RNNC_AFFINE;
}

double activation_of_layer(const rnnc_layer *layer, double v) {
    return activation_of((rnnc_function){layer->activation, layer->alpha, layer->beta}, v);
}

void activation_choose(rnnc_layer *layer, bool rows, rng *r) {
    static const float alphas[] = {1.0f, 0.01f, 0.2f, 0.625f, -0.375f};
    static const float betas[] = {0.5f, 0.25f, 0.0f, -0.125f};
    do
        layer->activation = (rnnc_activation)rng_below(r, RNNC_AFFINE + 1);
    while (!rows && (layer->activation == RNNC_SOFTMAX || layer->activation == RNNC_LOG_SOFTMAX));
    layer->alpha = activation_has_alpha(layer->activation) ? alphas[rng_below(r, 5)] : 0.0f;
    layer->beta = activation_has_beta(layer->activation) ? betas[rng_below(r, 4)] : 0.0f;
    /* Two bounds, the least first. */
    if (layer->activation == RNNC_HARD_TANH && layer->beta <= layer->alpha)
        layer->beta += 2.0f;
}

static double clipped(const rnnc_config *config, double sum) {
    const double most = (double)config->clip;
    return most > 0.0 ? clamp(sum, -most, most) : sum;
}

double activation_of_gate(const rnnc_config *config, double sum) {
    const double v = clipped(config, sum);
    return config->own_functions ? activation_of(config->gate, v) : logistic(v);
}

double activation_of_candidate(const rnnc_config *config, double sum) {
    const double v = clipped(config, sum);
    if (config->own_functions)
        return activation_of(config->candidate, v);
    return config->cell == RNNC_RNN_RELU ? activation_of((rnnc_function){RNNC_RELU, 0, 0}, v)
                                         : tanh(v);
}

double activation_of_state(const rnnc_config *config, double state) {
    return config->own_functions ? activation_of(config->output, state) : tanh(state);
}

static rnnc_function choose_function(rng *r) {
    rnnc_layer layer = {.kind = RNNC_DENSE};
    activation_choose(&layer, false, r);
    return (rnnc_function){layer.activation, layer.alpha, layer.beta};
}

void activation_choose_functions(rnnc_config *config, rng *r) {
    static const rnnc_function gates[] = {{RNNC_SIGMOID, 0, 0},
                                          {RNNC_HARD_SIGMOID, 0.2f, 0.5f},
                                          {RNNC_HARD_SIGMOID, 0.5f, 0.375f},
                                          {RNNC_IDENTITY, 0, 0}};
    if (rng_below(r, 4) == 0)
        config->clip = rng_below(r, 2) ? 0.5f : 2.0f;
    if (rng_below(r, 2))
        return;
    config->own_functions = 1;
    config->gate = gates[rng_below(r, config->clip > 0 && config->clip < 1 ? 4 : 3)];
    config->candidate = choose_function(r);
    config->output = choose_function(r);
    /* A relu is a cell of its own, and functions that are PyTorch's are none. */
    const bool gated = config->cell == RNNC_LSTM || config->cell == RNNC_GRU;
    if (!gated)
        config->cell = config->candidate.activation == RNNC_RELU ? RNNC_RNN_RELU : RNNC_RNN_TANH;
    config->own_functions =
        gated ? config->gate.activation != RNNC_SIGMOID ||
                    config->candidate.activation != RNNC_TANH ||
                    (config->cell == RNNC_LSTM && config->output.activation != RNNC_TANH)
              : config->candidate.activation != RNNC_RELU &&
                    config->candidate.activation != RNNC_TANH;
}

void activation_put_numbers(FILE *out, const char *alpha, const char *beta, rnnc_function f) {
    if (activation_has_alpha(f.activation))
        fprintf(out, ", %s = %.9g", alpha, (double)f.alpha);
    if (activation_has_beta(f.activation))
        fprintf(out, ", %s = %.9g", beta, (double)f.beta);
}

static void put_function(FILE *out, const char *role, const char *alpha, const char *beta,
                         rnnc_function f) {
    fprintf(out, ", %s = \"%s\"", role, rnnc_activation_name(f.activation));
    activation_put_numbers(out, alpha, beta, f);
}

void activation_put_functions(FILE *out, const rnnc_config *config) {
    const bool gated = config->cell == RNNC_LSTM || config->cell == RNNC_GRU;
    if (config->clip > 0)
        fprintf(out, ", clip = %.9g", (double)config->clip);
    if (!config->own_functions) {
        if (config->cell == RNNC_RNN_RELU)
            fputs(", nonlinearity = \"relu\"", out);
        return;
    }
    if (!gated) {
        put_function(out, "nonlinearity", "alpha", "beta", config->candidate);
        return;
    }
    put_function(out, "gate_activation", "gate_alpha", "gate_beta", config->gate);
    put_function(out, "candidate_activation", "candidate_alpha", "candidate_beta",
                 config->candidate);
    if (config->cell == RNNC_LSTM)
        put_function(out, "output_activation", "output_alpha", "output_beta", config->output);
}
