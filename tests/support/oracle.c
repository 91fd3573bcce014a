#include "oracle.h"
#include "activation.h"
#include "problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Where element (t, b, unit) of a sequence of `width` units lies. */
typedef struct layout {
    size_t step, row;
} layout;

static layout sequence_layout(int batch_first, size_t seq_len, size_t batch, size_t width) {
    return batch_first ? (layout){.step = width, .row = seq_len * width}
                       : (layout){.step = batch * width, .row = width};
}

/* sum_k matrix[row][k] * vector[k] */
static double row_product(const float *matrix, size_t row, size_t cols, const double *vector) {
    double sum = 0.0;
    for (size_t k = 0; k < cols; k++)
        sum += (double)matrix[row * cols + k] * vector[k];
    return sum;
}

/* The weights of one layer and direction; biases NULL without. */
typedef struct cell_weights {
    const float *ih, *hh, *bih, *bhh;
    const float *const *peepholes; /* of i, f and o, or NULL */
    const float *const *norms;     /* weight and bias, of x, of h and of c, or NULL */
    size_t inputs, hidden;
} cell_weights;

/* Gate g of unit j before its nonlinearity: the input's part and the state's part. */
static double from_input(const cell_weights *w, size_t g, size_t j, const double *in) {
    const size_t row = g * w->hidden + j;
    return row_product(w->ih, row, w->inputs, in) + (w->bih ? (double)w->bih[row] : 0.0);
}

static double from_state(const cell_weights *w, size_t g, size_t j, const double *h) {
    const size_t row = g * w->hidden + j;
    return row_product(w->hh, row, w->hidden, h) + (w->bhh ? (double)w->bhh[row] : 0.0);
}

/* The sum of n of a gru whose reset gate is applied to the state before the product. */
static double sum_of_reset(const rnnc_config *config, const cell_weights *w, size_t j,
                           const double *in, const double *h) {
    const size_t row = 2 * w->hidden + j;
    double sum = from_input(w, 2, j, in) + (w->bhh ? (double)w->bhh[row] : 0.0);
    for (size_t k = 0; k < w->hidden; k++)
        sum += (double)w->hh[row * w->hidden + k] * h[k] *
               activation_of_gate(config, from_input(w, 0, k, in) + from_state(w, 0, k, h));
    return sum;
}

/* One unit's new state from the old state h of all units (H); c is the unit's cell state. */
static double next_unit(const rnnc_config *config, const cell_weights *w, size_t j,
                        const double *in, const double *h, double *c) {
    double gate[4];
    switch (config->cell) {
    case RNNC_RNN_TANH:
    case RNNC_RNN_RELU:
        return activation_of_candidate(config, from_input(w, 0, j, in) + from_state(w, 0, j, h));
    case RNNC_LSTM:
        for (size_t g = 0; g < 4; g++)
            gate[g] = from_input(w, g, j, in) + from_state(w, g, j, h);
        for (size_t k = 0; w->peepholes && k < 2; k++)
            gate[k] += (double)w->peepholes[k][j] * *c;
        *c = activation_of_gate(config, gate[1]) * *c +
             activation_of_gate(config, gate[0]) * activation_of_candidate(config, gate[2]);
        gate[3] += w->peepholes ? (double)w->peepholes[2][j] * *c : 0;
        return activation_of_gate(config, gate[3]) * activation_of_state(config, *c);
    case RNNC_GRU:
        break;
    }
    for (size_t g = 0; g < 2; g++)
        gate[g] = activation_of_gate(config, from_input(w, g, j, in) + from_state(w, g, j, h));
    const double sum = config->reset_before
                           ? sum_of_reset(config, w, j, in, h)
                           : from_input(w, 2, j, in) + gate[0] * from_state(w, 2, j, h);
    return (1.0 - gate[1]) * activation_of_candidate(config, sum) + gate[1] * h[j];
}

static double *zeros(size_t n);

/* LN of the paper, in place: of n values, with gains and biases from number `first` on. */
static void layer_norm(const rnnc_config *config, double *v, size_t n, const float *const norm[2],
                       size_t first) {
    double mean = 0, square = 0;
    for (size_t i = 0; i < n; i++) {
        mean += v[i];
        square += v[i] * v[i];
    }
    mean /= (double)n;
    const double deviation = sqrt(square / (double)n - mean * mean + (double)config->norm_eps);
    for (size_t i = 0; i < n; i++)
        v[i] = (double)norm[0][first + i] * (v[i] - mean) / deviation + (double)norm[1][first + i];
}

/* The states of all units of a cell with layer normalisation, from the old ones: Ba, Kiros, Hinton
 * 2016, equations 20 to 22, with PyTorch's order of gates; of a gru its supplement, with PyTorch's
 * z, which is what is kept. */
static void next_normalised(const rnnc_config *config, const cell_weights *w, const double *in,
                            double *h, double *c) {
    const size_t H = w->hidden;
    const bool lstm = config->cell == RNNC_LSTM;
    double *const a = zeros(4 * H), *const b = zeros(4 * H), *const m = zeros(H);
    for (size_t g = 0; g < (lstm ? 4u : 3u); g++)
        for (size_t j = 0; j < H; j++) {
            a[g * H + j] = from_input(w, g, j, in);
            b[g * H + j] = from_state(w, g, j, h);
        }
    layer_norm(config, a, (lstm ? 4 : 2) * H, w->norms, 0);
    layer_norm(config, b, (lstm ? 4 : 2) * H, w->norms + 2, 0);
    if (!lstm) {
        layer_norm(config, a + 2 * H, H, w->norms, 2 * H);
        layer_norm(config, b + 2 * H, H, w->norms + 2, 2 * H);
    }
    for (size_t j = 0; j < H; j++) {
        const double first = activation_of_gate(config, a[j] + b[j]);
        const double second = activation_of_gate(config, a[H + j] + b[H + j]);
        const double n = a[2 * H + j] + (lstm ? 1 : first) * b[2 * H + j];
        const double candidate = activation_of_candidate(config, n);
        if (lstm)
            c[j] = second * c[j] + first * candidate;
        else
            h[j] = second * h[j] + (1 - second) * candidate;
        m[j] = c[j];
    }
    if (lstm)
        layer_norm(config, m, H, w->norms + 4, 0);
    for (size_t j = 0; lstm && j < H; j++) {
        c[j] = config->norm_state ? m[j] : c[j];
        h[j] = activation_of_gate(config, a[3 * H + j] + b[3 * H + j]) *
               activation_of_state(config, m[j]);
    }
    free(a);
    free(b);
    free(m);
}

static double *zeros(size_t n) {
    double *p = calloc(n ? n : 1, sizeof *p);
    if (!p)
        abort();
    return p;
}

void oracle_stack(const rnnc_config *config, const float *const weight[], size_t seq_len,
                  size_t batch, const double *x, const float *h0, const float *c0, double *y,
                  double *hn, double *cn) {
    const size_t hidden = config->hidden_size;
    const size_t directions = config->bidirectional ? 2 : 1;
    const size_t per_cell = problem_tensors(config);
    size_t width = config->input_size;
    double *below = zeros(seq_len * batch * width);
    memcpy(below, x, seq_len * batch * width * sizeof *below);
    double *old = zeros(hidden), *now = zeros(hidden), *c = zeros(hidden);

    for (size_t layer = 0; layer < config->num_layers; layer++) {
        const size_t out_width = directions * hidden;
        const layout in = sequence_layout(config->batch_first, seq_len, batch, width);
        const layout out = sequence_layout(config->batch_first, seq_len, batch, out_width);
        double *above = zeros(seq_len * batch * out_width);
        for (size_t direction = 0; direction < directions; direction++) {
            const size_t chain = layer * directions + direction;
            const float *const *const tensors = weight + chain * per_cell;
            const cell_weights w = {.ih = tensors[0],
                                    .hh = tensors[1],
                                    .bih = config->bias ? tensors[2] : NULL,
                                    .bhh = config->bias ? tensors[3] : NULL,
                                    .peepholes = config->peepholes ? tensors + per_cell - 3 : NULL,
                                    .norms = config->layer_norm ? tensors + 2 : NULL,
                                    .inputs = width,
                                    .hidden = hidden};
            for (size_t b = 0; b < batch; b++) {
                const size_t state = (chain * batch + b) * hidden;
                for (size_t j = 0; j < hidden; j++) {
                    old[j] = h0 ? (double)h0[state + j] : 0.0;
                    c[j] = c0 ? (double)c0[state + j] : 0.0;
                }
                for (size_t i = 0; i < seq_len; i++) {
                    const size_t t = direction == 1 || config->reverse ? seq_len - 1 - i : i;
                    const double *const input = below + t * in.step + b * in.row;
                    double *const result = above + t * out.step + b * out.row + direction * hidden;
                    for (size_t j = 0; !config->layer_norm && j < hidden; j++)
                        now[j] = next_unit(config, &w, j, input, old, &c[j]);
                    if (config->layer_norm)
                        next_normalised(config, &w, input, old, c);
                    else
                        memcpy(old, now, hidden * sizeof *old);
                    memcpy(result, old, hidden * sizeof *old);
                }
                for (size_t j = 0; j < hidden; j++) {
                    if (hn)
                        hn[state + j] = old[j];
                    if (cn)
                        cn[state + j] = c[j];
                }
            }
        }
        free(below);
        below = above;
        width = out_width;
    }
    memcpy(y, below, seq_len * batch * width * sizeof *y);
    free(below);
    free(old);
    free(now);
    free(c);
}

void oracle_forward(const rnnc_config *config, const float *const weight[], size_t seq_len,
                    size_t batch, const float *x, const float *h0, const float *c0, double *y,
                    double *hn, double *cn) {
    const size_t count = seq_len * batch * config->input_size;
    double *const exact = zeros(count);
    for (size_t i = 0; i < count; i++)
        exact[i] = (double)x[i];
    oracle_stack(config, weight, seq_len, batch, exact, h0, c0, y, hn, cn);
    free(exact);
}

void oracle_activation(const rnnc_layer *layer, const float *weights, double *y) {
    const size_t outputs = layer->outputs;
    double most = -INFINITY, sum = 0.0;
    for (size_t i = 0; i < outputs; i++)
        most = fmax(most, y[i]);
    for (size_t i = 0; i < outputs; i++)
        sum += exp(y[i] - most);
    for (size_t i = 0; i < outputs; i++) {
        if (layer->activation == RNNC_SOFTMAX)
            y[i] = exp(y[i] - most) / sum;
        else if (layer->activation == RNNC_LOG_SOFTMAX)
            y[i] -= most + log(sum);
        else if (weights)
            y[i] = activation_of((rnnc_function){layer->activation, weights[i], 0}, y[i]);
        else
            y[i] = activation_of_layer(layer, y[i]);
    }
}

void oracle_dense(const rnnc_layer *layer, const float *weight, const float *bias, const double *x,
                  double *y) {
    for (size_t i = 0; i < layer->outputs; i++)
        y[i] = row_product(weight, i, layer->inputs, x) + (bias ? (double)bias[i] : 0.0);
    oracle_activation(layer, NULL, y);
}
