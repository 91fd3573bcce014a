/* reference.c: networks in double, to judge all others by. Nothing here is fast or shared: every
 * sequence runs by itself, one layer after the other, and every product is summed in order. */
#include "activations.h"
#include "network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One row of W v + b: sum over k of w[row][k] * v[k], plus b[row] if there is a bias. */
static double product(const float *w, const float *b, size_t row, size_t cols, const double *v) {
    double sum = b ? (double)b[row] : 0;
    for (size_t k = 0; k < cols; k++)
        sum += (double)w[row * cols + k] * v[k];
    return sum;
}

/* One layer and direction; the biases, w_hr and the state before the first step, first_h (S) and
 * first_c (H), may be NULL. */
typedef struct chain {
    const rnnc_config *config;
    const rnnc_cell_row *cell;
    size_t I, H, S;
    const float *w_ih, *w_hh, *b_ih, *b_hh, *peephole[3], *w_hr, *first_h, *first_c;
    const float *norms[6]; /* weight and bias: of the sums with x, of those with h, of c */
} chain;

/* Takes the chain's tensors off the front of the list. */
static chain take_chain(const rnnc_config *config, size_t inputs, const float *const **tensors) {
    chain c = {.config = config,
               .cell = rnnc_cell_find(config->cell),
               .I = inputs,
               .H = config->hidden_size,
               .S = rnnc_config_state(config)};
    c.w_ih = *(*tensors)++;
    c.w_hh = *(*tensors)++;
    if (config->bias) {
        c.b_ih = *(*tensors)++;
        c.b_hh = *(*tensors)++;
    }
    for (size_t k = 0; config->peepholes && k < 3; k++)
        c.peephole[k] = *(*tensors)++;
    if (config->proj_size)
        c.w_hr = *(*tensors)++;
    for (size_t k = 0; config->layer_norm && k < (c.cell->states > 1 ? 6 : 4); k++)
        c.norms[k] = *(*tensors)++;
    return c;
}

/* v (n) = (v - mean) / sqrt(variance + eps) * weight + bias. */
static void normalise(const chain *w, size_t n, double *v, const float *weight, const float *bias) {
    double mean = 0, variance = 0;
    for (size_t i = 0; i < n; i++)
        mean += v[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        variance += (v[i] - mean) * (v[i] - mean) / (double)n;
    for (size_t i = 0; i < n; i++)
        v[i] = (v[i] - mean) / sqrt(variance + (double)w->config->norm_eps) * (double)weight[i] +
               (double)bias[i];
}

/* W v of all gates (N), normalised: those of n of a gru for itself. */
static void normalised_product(const chain *w, const float *matrix, size_t cols, const double *v,
                               const float *const norm[2], double *sums) {
    const size_t N = w->cell->gates * w->H, separate = rnnc_cell_separate(w->cell) * w->H;
    for (size_t i = 0; i < N; i++)
        sums[i] = product(matrix, NULL, i, cols, v);
    normalise(w, N - separate, sums, norm[0], norm[1]);
    if (separate)
        normalise(w, separate, sums + N - separate, norm[0] + N - separate, norm[1] + N - separate);
}

/* One step with layer_norm; fresh (3*H + 2*N) is scratch. */
static void normalised_step(const chain *w, const double *x, double *h, double *c, double *fresh) {
    const size_t H = w->H, N = w->cell->gates * H;
    double *const shown = fresh + 2 * H, *const of_x = shown + H, *const of_h = of_x + N;
    normalised_product(w, w->w_ih, w->I, x, w->norms, of_x);
    normalised_product(w, w->w_hh, w->S, h, w->norms + 2, of_h);
    for (size_t j = 0; j < H; j++) {
        double input[RNNC_GATES_MAX], recurrent[RNNC_GATES_MAX];
        for (size_t g = 0; g < w->cell->gates; g++) {
            input[g] = of_x[g * H + j];
            recurrent[g] = of_h[g * H + j];
        }
        w->cell->update(w->config, input, recurrent, NULL, &h[j], &c[j]);
    }
    if (w->cell->states < 2)
        return;
    memcpy(shown, c, H * sizeof *shown);
    normalise(w, H, shown, w->norms[4], w->norms[5]);
    for (size_t j = 0; j < H; j++)
        h[j] = rnnc_cell_gate(w->config, of_x[3 * H + j] + of_h[3 * H + j]) *
               rnnc_cell_output(w->config, shown[j]);
    if (w->config->norm_state)
        memcpy(c, shown, H * sizeof *shown);
}

/* One step: h (S) and c (H) from x (I). fresh is scratch: 2*H, see also normalised_step. */
static void step(const chain *w, const double *x, double *h, double *c, double *fresh) {
    if (w->config->layer_norm) {
        normalised_step(w, x, h, c, fresh);
        return;
    }
    /* What the candidate of a gru multiplies with W_hn. */
    double *const candidate = w->config->reset_before ? fresh + w->H : h;
    for (size_t j = 0; w->config->reset_before && j < w->H; j++)
        candidate[j] = h[j] * rnnc_cell_gate(w->config, product(w->w_ih, w->b_ih, j, w->I, x) +
                                                            product(w->w_hh, w->b_hh, j, w->S, h));
    for (size_t j = 0; j < w->H; j++) {
        double input[RNNC_GATES_MAX], recurrent[RNNC_GATES_MAX];
        float unit[3] = {0};
        for (size_t k = 0; w->config->peepholes && k < 3; k++)
            unit[k] = w->peephole[k][j];
        for (size_t g = 0; g < w->cell->gates; g++) {
            input[g] = product(w->w_ih, w->b_ih, g * w->H + j, w->I, x);
            recurrent[g] = product(w->w_hh, w->b_hh, g * w->H + j, w->S, g == 2 ? candidate : h);
        }
        fresh[j] = w->w_hr ? 0 : h[j];
        w->cell->update(w->config, input, recurrent, unit, &fresh[j], &c[j]);
    }
    for (size_t k = 0; k < w->S; k++)
        h[k] = w->w_hr ? product(w->w_hr, NULL, k, w->H, fresh) : fresh[k];
}

/* What all layers work on: one sequence. */
typedef struct sequence {
    size_t b, batch, steps;
    double *in, *out; /* (steps, values of a layer) */
    double *h, *c, *fresh;
    const float *h0, *c0; /* what is left of the call's states, chain by chain */
    double *hn, *cn;
    int rounds; /* are states floats after every step? */
} sequence;

static void round_all(double *values, size_t count) {
    for (size_t i = 0; i < count; i++)
        values[i] = (double)(float)values[i];
}

static void advance(const float **states, size_t count) {
    if (*states)
        *states += count;
}

static void run_chain(sequence *s, const chain *w, int reverse, size_t column, size_t width) {
    const int has_c = w->cell->states > 1;
    for (size_t k = 0; k < w->S; k++)
        s->h[k] = s->h0 ? (double)s->h0[s->b * w->S + k] : w->first_h ? (double)w->first_h[k] : 0;
    for (size_t j = 0; j < w->H; j++)
        s->c[j] = has_c && s->c0 ? (double)s->c0[s->b * w->H + j]
                  : w->first_c   ? (double)w->first_c[j]
                                 : 0;
    for (size_t n = 0; n < s->steps; n++) {
        const size_t t = reverse ? s->steps - 1 - n : n;
        step(w, s->in + t * w->I, s->h, s->c, s->fresh);
        if (s->rounds) {
            round_all(s->h, w->S);
            round_all(s->c, has_c ? w->H : 0);
        }
        memcpy(s->out + t * width + column, s->h, w->S * sizeof *s->h);
    }
    if (s->hn) {
        memcpy(s->hn + s->b * w->S, s->h, w->S * sizeof *s->h);
        s->hn += s->batch * w->S;
    }
    advance(&s->h0, s->batch * w->S);
    if (!has_c)
        return;
    if (s->cn) {
        memcpy(s->cn + s->b * w->H, s->c, w->H * sizeof *s->c);
        s->cn += s->batch * w->H;
    }
    advance(&s->c0, s->batch * w->H);
}

static void swap_buffers(sequence *s) {
    double *const in = s->in;
    s->in = s->out;
    s->out = in;
}

static void run_recurrent(sequence *s, const rnnc_config *config, const float *const **tensors) {
    const size_t directions = config->bidirectional ? 2 : 1, S = rnnc_config_state(config);
    const size_t states = config->initial_state ? rnnc_cell_find(config->cell)->states : 0;
    const float *const *const first = *tensors + rnnc_config_weight_count(config) - states;
    for (size_t layer = 0; layer < config->num_layers; layer++) {
        const size_t inputs = layer == 0 ? config->input_size : directions * S;
        for (size_t d = 0; d < directions; d++) {
            chain w = take_chain(config, inputs, tensors);
            const size_t row = layer * directions + d;
            w.first_h = states > 0 ? first[0] + row * S : NULL;
            w.first_c = states > 1 ? first[1] + row * w.H : NULL;
            run_chain(s, &w, d == 1 || config->reverse, d * S, directions * S);
        }
        swap_buffers(s);
    }
    *tensors += states;
}

static void softmax(double *row, size_t n, int is_log) {
    double most = row[0], sum = 0;
    for (size_t i = 1; i < n; i++)
        most = row[i] > most ? row[i] : most;
    for (size_t i = 0; i < n; i++)
        sum += exp(row[i] - most);
    for (size_t i = 0; i < n; i++)
        row[i] = is_log ? row[i] - most - log(sum) : exp(row[i] - most) / sum;
}

/* weights: of the units, of an activation that has them. */
static void activate(const rnnc_layer *layer, const float *weights, double *row) {
    const rnnc_activation_row *const activation = rnnc_activation_find(layer->activation);
    const size_t count = layer->count ? layer->count : layer->outputs;
    row += layer->first;
    if (layer->activation == RNNC_SOFTMAX || layer->activation == RNNC_LOG_SOFTMAX) {
        softmax(row, count, layer->activation == RNNC_LOG_SOFTMAX);
        return;
    }
    for (size_t i = 0; i < count; i++)
        row[i] = activation->of(row[i], (double)(weights ? weights[i] : layer->alpha),
                                (double)layer->beta);
}

/* Where a layer reads: all steps, or the last one with the last states of all directions in it.
 * before: the layer that gave them. */
static const double *take_input(sequence *s, const rnnc_layer *before, const rnnc_layer *layer) {
    if (!rnnc_layer_once(layer) || s->steps == 0)
        return s->in;
    if (layer->kind == RNNC_DENSE && layer->steps) {
        s->steps = 1; /* all of them, which lie side by side */
        return s->in;
    }
    const size_t reverse = layer->last_state ? rnnc_layer_reverse(before) : 0;
    double *const end = s->in + s->steps * layer->inputs;
    /* The reverse direction's last state is what it gave for the first step. */
    memmove(end - reverse, s->in + layer->inputs - reverse, reverse * sizeof *end);
    s->steps = 1;
    return end - layer->inputs;
}

static void run_merge(sequence *s, const rnnc_layer *layer) {
    const size_t n = layer->outputs;
    const double *const from = take_input(s, layer - 1, layer);
    for (size_t t = 0; t < s->steps; t++)
        for (size_t i = 0; i < n; i++) {
            const double a = from[2 * t * n + i], b = from[(2 * t + 1) * n + i];
            s->out[t * n + i] = layer->kind == RNNC_MERGE_SUM   ? a + b
                                : layer->kind == RNNC_MERGE_MUL ? a * b
                                                                : 0.5 * (a + b);
        }
    swap_buffers(s);
}

/* before: the layer whose output is read; table: that of the embedding, if it is shared. */
static void run_dense(sequence *s, const rnnc_layer *before, const rnnc_layer *layer,
                      const float *table, const float *const **tensors) {
    const float *const weight = layer->tied ? table : *(*tensors)++;
    const float *const bias = layer->bias ? *(*tensors)++ : NULL;
    const double *const from = take_input(s, before, layer);
    for (size_t t = 0; t < s->steps; t++) {
        double *const row = s->out + t * layer->outputs;
        for (size_t i = 0; i < layer->outputs; i++)
            row[i] = product(weight, bias, i, layer->inputs, from + t * layer->inputs);
        activate(layer, NULL, row);
    }
    swap_buffers(s);
}

static void run_activation(sequence *s, const rnnc_layer *layer, const float *const **tensors) {
    const float *const weights = rnnc_layer_of_units(layer) ? *(*tensors)++ : NULL;
    for (size_t t = 0; t < s->steps; t++)
        activate(layer, weights, s->in + t * layer->outputs);
}

/* The row of step t of sequence b in x, tokens or y. */
static size_t row_of(const rnnc_network *network, const rnnc_call *call, size_t t, size_t b) {
    return network->batch_first ? b * call->seq_len + t : t * call->batch + b;
}

/* Into s->in what the first layer reads, or, if that is an embedding, what it gives. */
static void read_input(sequence *s, const rnnc_network *network, const rnnc_call *call,
                       const float *const **tensors) {
    const rnnc_layer *const first = &network->layer[0];
    const int embeds = first->kind == RNNC_EMBEDDING;
    const size_t width = embeds ? first->outputs : rnnc_layer_inputs(first);
    const float *const table = embeds ? *(*tensors)++ : NULL;
    for (size_t t = 0; t < s->steps; t++) {
        const size_t row = row_of(network, call, t, s->b);
        const float *const from =
            embeds ? table + (size_t)call->tokens[row] * width : call->x + row * width;
        for (size_t i = 0; i < width; i++)
            s->in[t * width + i] = (double)from[i];
    }
}

static void run_sequence(sequence *s, const rnnc_network *network, const rnnc_network_sizes *sizes,
                         const float *const *tensors, const rnnc_call *call, double *y) {
    const float *const table = tensors[0];
    read_input(s, network, call, &tensors);
    for (size_t i = 0; i < network->layer_count; i++) {
        const rnnc_layer *const layer = &network->layer[i];
        if (layer->kind == RNNC_RECURRENT)
            run_recurrent(s, &layer->recurrent, &tensors);
        else if (layer->kind == RNNC_DENSE)
            run_dense(s, layer - 1, layer, table, &tensors);
        else if (layer->kind == RNNC_ACTIVATION)
            run_activation(s, layer, &tensors);
        else if (rnnc_layer_merges(layer))
            run_merge(s, layer);
    }
    if (sizes->last_step) {
        for (size_t i = 0; i < sizes->output; i++)
            y[s->b * sizes->output + i] = s->steps > 0 ? s->in[i] : 0;
        return;
    }
    for (size_t t = 0; t < call->seq_len; t++) {
        const size_t row = row_of(network, call, t, s->b);
        for (size_t i = 0; i < sizes->output; i++)
            y[row * sizes->output + i] =
                t >= s->steps
                    ? 0
                    : s->in[t * sizes->output + i] +
                          (i < network->residual ? (double)call->x[row * sizes->input + i] : 0);
    }
}

/* The widest row of any layer's input or output, and of its states. */
static size_t widest_of(const rnnc_network *network) {
    size_t widest = 1;
    for (size_t i = 0; i < network->layer_count; i++) {
        const rnnc_layer *const layer = &network->layer[i];
        const size_t widths[] = {rnnc_layer_inputs(layer) / rnnc_layer_steps(layer),
                                 rnnc_layer_outputs(layer),
                                 layer->kind == RNNC_RECURRENT ? layer->recurrent.hidden_size : 0};
        for (size_t k = 0; k < 3; k++)
            widest = widths[k] > widest ? widths[k] : widest;
    }
    return widest;
}

static rnnc_status forward(const rnnc_network *network, const float *const *tensors,
                           const rnnc_call *call, int rounds, double *y, double *hn, double *cn) {
    rnnc_network_sizes sizes;
    rnnc_status status = rnnc_network_measure(network, &sizes, NULL);
    if (status == RNNC_OK)
        status = rnnc_call_check(network, &sizes, call);
    if (status != RNNC_OK)
        return status;
    const int has_y = call->batch > 0 && (call->seq_len > 0 || sizes.last_step);
    if (!tensors || (has_y && !y))
        return RNNC_ERR_ARGUMENT;
    const size_t widest = widest_of(network);
    size_t flow, count, bytes;
    if (!rnnc_mul(call->seq_len, widest, &flow) || !rnnc_add(flow, flow, &count) ||
        !rnnc_add(count, (5 + 2 * RNNC_GATES_MAX) * widest, &count) ||
        !rnnc_mul(count, sizeof(double), &bytes))
        return RNNC_ERR_OVERFLOW;
    double *const space = malloc(bytes);
    if (!space)
        return RNNC_ERR_MEMORY;
    double *const states = space + 2 * flow;
    for (size_t b = 0; b < call->batch; b++) {
        sequence s = {.b = b,
                      .batch = call->batch,
                      .steps = call->lengths ? call->lengths[b] : call->seq_len,
                      .in = space,
                      .out = space + flow,
                      .h = states,
                      .c = states + widest,
                      .fresh = states + 2 * widest,
                      .h0 = call->h0,
                      .c0 = call->c0,
                      .hn = hn,
                      .cn = cn,
                      .rounds = rounds};
        run_sequence(&s, network, &sizes, tensors, call, y);
    }
    free(space);
    return RNNC_OK;
}

rnnc_status rnnc_reference_forward(const rnnc_network *network, const float *const *tensors,
                                   const rnnc_call *call, double *y, double *hn, double *cn) {
    return forward(network, tensors, call, 0, y, hn, cn);
}

rnnc_status rnnc_reference_rounded(const rnnc_network *network, const float *const *tensors,
                                   const rnnc_call *call, double *y, double *hn, double *cn) {
    return forward(network, tensors, call, 1, y, hn, cn);
}
