#include "model_oracle.h"
#include "activation.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void expect(bool there) {
    if (!there)
        abort();
}

/* A row of a product with its bias. */
static double dot(const float *w, const float *b, size_t row, const double *v, size_t n) {
    double sum = b ? (double)b[row] : 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)w[row * n + i] * v[i];
    return sum;
}

typedef struct recurrent {
    const rnnc_config *config;
    size_t inputs, outputs;      /* of this direction */
    const float *const *tensors; /* of this chain */
} recurrent;

/* h and c after x, by the formulas of torch.nn.RNN, LSTM and GRU. */
static void advance(const recurrent *r, const double *x, double *h, double *c) {
    const size_t H = r->config->hidden_size, I = r->inputs, S = r->outputs;
    const float *const b_ih = r->config->bias ? r->tensors[2] : NULL;
    const float *const b_hh = r->config->bias ? r->tensors[3] : NULL;
    const size_t biases = r->config->bias ? 4 : 2, peepholes = r->config->peepholes ? 3 : 0;
    const float *const w_hr = r->config->proj_size ? r->tensors[biases + peepholes] : NULL;
    double *const units = calloc(H, sizeof *units);
    expect(units);
#define OPEN(v) activation_of_gate(r->config, v)
#define N(v) activation_of_candidate(r->config, v)
#define X(g) dot(r->tensors[0], b_ih, (g)*H + j, x, I)
#define R(g) dot(r->tensors[1], b_hh, (g)*H + j, h, S)
    for (size_t j = 0; j < H; j++) {
        if (r->config->cell == RNNC_RNN_TANH || r->config->cell == RNNC_RNN_RELU) {
            units[j] = N(X(0) + R(0));
        } else if (r->config->cell == RNNC_LSTM) {
#define P(k) (peepholes ? (double)r->tensors[biases + (k)][j] * c[j] : 0)
            const double keep = OPEN(X(1) + R(1) + P(1)), in = OPEN(X(0) + R(0) + P(0));
            c[j] = keep * c[j] + in * N(X(2) + R(2));
            units[j] = OPEN(X(3) + R(3) + P(2)) * activation_of_state(r->config, c[j]);
#undef P
        } else {
            const double z = OPEN(X(1) + R(1));
            double of_state = OPEN(X(0) + R(0)) * R(2);
            if (r->config->reset_before) {
                double *const kept = calloc(H, sizeof *kept);
                expect(kept);
                const size_t unit = j;
                for (j = 0; j < H; j++)
                    kept[j] = h[j] * OPEN(X(0) + R(0));
                j = unit;
                of_state = dot(r->tensors[1], b_hh, 2 * H + j, kept, H);
                free(kept);
            }
            units[j] = z * h[j] + (1 - z) * N(X(2) + of_state);
        }
    }
#undef X
#undef R
#undef N
#undef OPEN
    for (size_t k = 0; k < S; k++)
        h[k] = w_hr ? dot(w_hr, NULL, k, units, H) : units[k];
    free(units);
}

static void apply(const rnnc_layer *layer, const float *weights, double *v) {
    double sum = 0;
    for (size_t i = 0; i < layer->outputs; i++)
        sum += exp(v[i]);
    for (size_t i = 0; i < layer->outputs; i++)
        v[i] = layer->activation == RNNC_SOFTMAX       ? exp(v[i]) / sum
               : layer->activation == RNNC_LOG_SOFTMAX ? v[i] - log(sum)
               : weights ? activation_of((rnnc_function){layer->activation, weights[i], 0}, v[i])
                         : activation_of_layer(layer, v[i]);
}

/* Where the states of a sequence lie in h0 and hn, c0 and cn, as the layers go by. */
typedef struct place {
    size_t h, c;
} place;

/* All layers of one recurrent network over the rows of a sequence; returns the new rows. */
static double *run_stack(const rnnc_config *config, const float *const **tensors,
                         const rnnc_call *call, size_t b, size_t T, double *rows, place *at,
                         double *hn, double *cn) {
    const size_t D = config->bidirectional ? 2 : 1, H = config->hidden_size, B = call->batch;
    const size_t S = config->proj_size ? config->proj_size : H;
    const size_t chain =
        (config->bias ? 4u : 2u) + (config->peepholes ? 3u : 0u) + (config->proj_size ? 1u : 0u);
    /* h0 and c0 of the weights stand behind those of all chains. */
    const float *const *const first = *tensors + config->num_layers * D * chain;
    size_t width = config->input_size;
    for (size_t layer = 0; layer < config->num_layers; layer++, width = D * S) {
        double *const out = calloc(T * D * S, sizeof *out);
        double *const h = calloc(S, sizeof *h), *const c = calloc(H, sizeof *c);
        expect(out && h && c);
        for (size_t d = 0; d < D; d++) {
            const recurrent r = {config, width, S, *tensors};
            *tensors += chain;
            const size_t h_at = at->h + b * S, c_at = at->c + b * H, row = layer * D + d;
            for (size_t k = 0; k < S; k++)
                h[k] = call->h0                ? (double)call->h0[h_at + k]
                       : config->initial_state ? (double)first[0][row * S + k]
                                               : 0;
            for (size_t k = 0; config->cell == RNNC_LSTM && k < H; k++)
                c[k] = call->c0                ? (double)call->c0[c_at + k]
                       : config->initial_state ? (double)first[1][row * H + k]
                                               : 0;
            for (size_t n = 0; n < T; n++) {
                const size_t t = d == 0 && !config->reverse ? n : T - 1 - n;
                advance(&r, rows + t * width, h, c);
                memcpy(out + t * D * S + d * S, h, S * sizeof *h);
            }
            memcpy(hn + h_at, h, S * sizeof *h);
            at->h += B * S;
            if (config->cell == RNNC_LSTM) {
                memcpy(cn + c_at, c, H * sizeof *c);
                at->c += B * H;
            }
        }
        free(rows);
        free(h);
        free(c);
        rows = out;
    }
    if (config->initial_state)
        *tensors += config->cell == RNNC_LSTM ? 2 : 1;
    return rows;
}

static size_t row_at(const rnnc_network *network, const rnnc_call *call, size_t t, size_t b) {
    return network->batch_first ? b * call->seq_len + t : t * call->batch + b;
}

static void solve_one(const rnnc_network *network, const rnnc_network_sizes *sizes,
                      const float *const *tensors, const rnnc_call *call, size_t b, double *y,
                      double *hn, double *cn) {
    const rnnc_layer *const first = &network->layer[0];
    size_t T = call->lengths ? call->lengths[b] : call->seq_len, i = 0;
    size_t width = first->kind == RNNC_EMBEDDING ? first->outputs : sizes->input;
    double *rows = malloc(T * width * sizeof *rows);
    expect(rows);
    for (size_t t = 0; t < T; t++)
        for (size_t k = 0; k < width; k++) {
            const size_t row = row_at(network, call, t, b);
            rows[t * width + k] = first->kind == RNNC_EMBEDDING
                                      ? (double)tensors[0][(size_t)call->tokens[row] * width + k]
                                      : (double)call->x[row * width + k];
        }
    place at = {0, 0};
    const float *const table = tensors[0];
    if (first->kind == RNNC_EMBEDDING) {
        tensors++;
        i = 1;
    }
    for (; i < network->layer_count; i++) {
        const rnnc_layer *const layer = &network->layer[i];
        if (layer->kind == RNNC_RECURRENT) {
            rows = run_stack(&layer->recurrent, &tensors, call, b, T, rows, &at, hn, cn);
            continue;
        }
        const size_t I = layer->inputs, O = layer->outputs;
        const bool of_units =
            layer->kind == RNNC_ACTIVATION && activation_has_weights(layer->activation);
        const bool merges = layer->kind == RNNC_MERGE_SUM || layer->kind == RNNC_MERGE_MUL ||
                            layer->kind == RNNC_MERGE_AVE;
        const size_t skipped = layer->last_step || layer->last_state ? T - 1 : 0;
        const rnnc_config *const below = &layer[-1].recurrent;
        if (layer->last_state && below->bidirectional)
            for (size_t k = I / 2; k < I; k++)
                rows[skipped * I + k] = rows[k];
        if (layer->last_state && below->reverse)
            memcpy(rows + skipped * I, rows, I * sizeof *rows);
        T -= skipped;
        double *const out = malloc(T * O * sizeof *out);
        expect(out);
        for (size_t t = 0; t < T; t++) {
            for (size_t o = 0; merges && o < O; o++) {
                const double *const both = rows + (skipped + t) * I;
                out[t * O + o] = layer->kind == RNNC_MERGE_SUM   ? both[o] + both[O + o]
                                 : layer->kind == RNNC_MERGE_MUL ? both[o] * both[O + o]
                                                                 : (both[o] + both[O + o]) / 2;
            }
            for (size_t o = 0; !merges && o < O; o++)
                out[t * O + o] = layer->kind == RNNC_ACTIVATION
                                     ? rows[t * I + o]
                                     : dot(layer->tied ? table : tensors[0],
                                           layer->bias ? tensors[!layer->tied] : NULL, o,
                                           rows + (skipped + t) * I, I);
            apply(layer, of_units ? tensors[0] : NULL, out + t * O);
        }
        tensors += layer->kind == RNNC_DENSE ? !layer->tied + layer->bias : of_units;
        free(rows);
        rows = out;
    }
    const size_t O = sizes->output;
    for (size_t t = 0; t < (sizes->last_step ? 1 : call->seq_len); t++)
        for (size_t o = 0; o < O; o++) {
            const size_t row = sizes->last_step ? b : row_at(network, call, t, b);
            y[row * O + o] = t >= T ? 0 : rows[t * O + o];
            if (t < T && o < network->residual)
                y[row * O + o] += (double)call->x[row * sizes->input + o];
        }
    free(rows);
}

void model_oracle(const rnnc_network *network, const rnnc_network_sizes *sizes,
                  const float *const *tensors, const rnnc_call *call, double *y, double *hn,
                  double *cn) {
    for (size_t b = 0; b < call->batch; b++)
        solve_one(network, sizes, tensors, call, b, y, hn, cn);
}
