/* reference.c: recurrent networks in double, to judge all others by. Nothing here is fast or
 * shared; the formulas stand as in the documentation of torch.nn.RNN, LSTM and GRU. */
#include "rnnc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double sigmoid(double v) { return 1 / (1 + exp(-v)); }

/* *size *= factor, or 0 if that does not fit. */
static int times(size_t *size, size_t factor) {
    if (factor != 0 && *size > SIZE_MAX / factor)
        return 0;
    *size *= factor;
    return 1;
}

/* One row of W v + b: sum over k of w[row][k] * v[k], plus b[row] if there is a bias. */
static double product(const float *w, const float *b, size_t row, size_t cols, const double *v) {
    double sum = b ? (double)b[row] : 0;
    for (size_t k = 0; k < cols; k++)
        sum += (double)w[row * cols + k] * v[k];
    return sum;
}

/* The four tensors of one layer and direction; the biases may be NULL. */
typedef struct weights {
    const float *w_ih, *w_hh, *b_ih, *b_hh;
} weights;

/* One step for one sequence: h (H) and, in an LSTM, c (H) from x (I). h_new (H) is scratch. */
static void step(rnnc_cell cell, const weights *w, size_t I, size_t H, const double *x, double *h,
                 double *c, double *h_new) {
    for (size_t j = 0; j < H; j++) {
        double in[4] = {0}, rec[4] = {0}; /* W_ih x + b_ih and W_hh h + b_hh of every gate */
        const size_t gates = cell == RNNC_LSTM ? 4 : cell == RNNC_GRU ? 3 : 1;
        for (size_t g = 0; g < gates; g++) {
            in[g] = product(w->w_ih, w->b_ih, g * H + j, I, x);
            rec[g] = product(w->w_hh, w->b_hh, g * H + j, H, h);
        }
        if (cell == RNNC_RNN_TANH) {
            h_new[j] = tanh(in[0] + rec[0]);
        } else if (cell == RNNC_RNN_RELU) {
            const double sum = in[0] + rec[0];
            h_new[j] = sum < 0 ? 0 : sum; /* NaN stays NaN */
        } else if (cell == RNNC_LSTM) {
            const double i_t = sigmoid(in[0] + rec[0]);
            const double f_t = sigmoid(in[1] + rec[1]);
            const double g_t = tanh(in[2] + rec[2]);
            const double o_t = sigmoid(in[3] + rec[3]);
            c[j] = f_t * c[j] + i_t * g_t;
            h_new[j] = o_t * tanh(c[j]);
        } else {
            const double r_t = sigmoid(in[0] + rec[0]);
            const double z_t = sigmoid(in[1] + rec[1]);
            const double n_t = tanh(in[2] + r_t * rec[2]);
            h_new[j] = (1 - z_t) * n_t + z_t * h[j];
        }
    }
    memcpy(h, h_new, H * sizeof *h);
}

rnnc_status rnnc_reference_forward(const rnnc_config *config, const float *const *tensors,
                                   size_t seq_len, size_t batch, const float *x, const float *h0,
                                   const float *c0, double *y, double *hn, double *cn) {
    if (!config || !tensors || seq_len == 0 || batch == 0 || !x || !y || config->input_size == 0 ||
        config->hidden_size == 0 || config->num_layers == 0)
        return RNNC_ERR_ARGUMENT;
    const size_t I = config->input_size, H = config->hidden_size, T = seq_len, B = batch;
    const size_t L = config->num_layers, D = config->bidirectional ? 2 : 1;
    const size_t width = D * H > I ? D * H : I;

    /* The values that flow from layer to layer, (T, B, width of the layer). */
    size_t flow = sizeof(double), state = sizeof(double);
    if (H > SIZE_MAX / 2 || !times(&flow, T) || !times(&flow, B) || !times(&flow, width) ||
        !times(&state, 3) || !times(&state, H))
        return RNNC_ERR_OVERFLOW;
    double *in = malloc(flow), *out = malloc(flow), *h = malloc(state);
    if (!in || !out || !h) {
        free(in);
        free(out);
        free(h);
        return RNNC_ERR_MEMORY;
    }
    double *const c = h + H, *const h_new = h + 2 * H;

    for (size_t t = 0; t < T; t++)
        for (size_t b = 0; b < B; b++)
            for (size_t i = 0; i < I; i++)
                in[(t * B + b) * I + i] =
                    (double)x[(config->batch_first ? b * T + t : t * B + b) * I + i];

    for (size_t layer = 0; layer < L; layer++) {
        const size_t cols = layer == 0 ? I : D * H;
        for (size_t direction = 0; direction < D; direction++) {
            const size_t chain = layer * D + direction;
            const float *const *const mine = tensors + chain * (config->bias ? 4 : 2);
            const weights w = {mine[0], mine[1], config->bias ? mine[2] : NULL,
                               config->bias ? mine[3] : NULL};
            for (size_t b = 0; b < B; b++) {
                const size_t row = (chain * B + b) * H; /* in h0, c0, hn and cn */
                for (size_t j = 0; j < H; j++) {
                    h[j] = h0 ? (double)h0[row + j] : 0;
                    c[j] = c0 ? (double)c0[row + j] : 0;
                }
                for (size_t n = 0; n < T; n++) {
                    const size_t t = direction == 0 ? n : T - 1 - n;
                    step(config->cell, &w, cols, H, in + (t * B + b) * cols, h, c, h_new);
                    memcpy(out + (t * B + b) * D * H + direction * H, h, H * sizeof *h);
                }
                if (hn)
                    memcpy(hn + row, h, H * sizeof *h);
                if (cn && config->cell == RNNC_LSTM)
                    memcpy(cn + row, c, H * sizeof *c);
            }
        }
        double *const swap = in;
        in = out;
        out = swap;
    }

    for (size_t t = 0; t < T; t++)
        for (size_t b = 0; b < B; b++)
            memcpy(y + (config->batch_first ? b * T + t : t * B + b) * D * H,
                   in + (t * B + b) * D * H, D * H * sizeof *y);
    free(in);
    free(out);
    free(h);
    return RNNC_OK;
}
