/* generic_layers.c: the layers of a generic network. The inputs of all steps of a chain go through
 * one product; each step is one product with the state and one pass over the gates, which writes
 * the new state straight into the output, where the next step reads it. */
#include "activations.h"
#include "generic.h"

#include <math.h>
#include <string.h>

/* out (B, n) = in (B, k) w (k, n) + beta * out; ld in floats. */
static void multiply(const generic_run *r, size_t k, size_t n, const float *in, size_t ld_in,
                     const float *w, size_t ld_w, float beta, float *out, size_t ld_out) {
    if (r->B == 1)
        r->blas->sgemv(1, k, n, 1, w, ld_w, in, beta, out);
    else
        r->blas->sgemm(0, 0, r->B, n, k, 1, in, ld_in, w, ld_w, beta, out, ld_out);
}

/* The step of a cell for which no kernels are written. */
static void step_any(const generic_chain *chain, const rnnc_step *s) {
    const rnnc_cell_row *const cell = chain->cell;
    for (size_t row = 0; row < s->rows; row++)
        for (size_t j = 0; j < s->H; j++) {
            float input[RNNC_GATES_MAX], recurrent[RNNC_GATES_MAX], c = 0;
            const int separate = cell->separate || chain->norms;
            const float *bias_n = s->bias_n + j;
            for (size_t g = 0; g < cell->gates; g++) {
                const size_t at = g * s->H + j;
                input[g] = s->gates[row * s->ld_gates + at] + s->bias[at];
                recurrent[g] = separate ? s->hidden[row * cell->gates * s->H + at] : 0;
                if (cell->separate >> g & 1u) {
                    recurrent[g] += *bias_n;
                    bias_n += s->H;
                }
            }
            /* What is projected has fewer values than units, and no unit of an lstm reads it. */
            float h = chain->w_hr ? 0 : s->h_prev[row * s->ld_h_prev + j];
            cell->update_float(chain->config, input, recurrent,
                               chain->peepholes ? chain->peepholes + 3 * j : NULL, &h,
                               cell->states > 1 ? &s->c[row * s->H + j] : &c);
            s->h[row * s->ld_h + j] = h;
        }
}

/* v (n) = (v - mean) / sqrt(variance + eps) * weight + bias, as torch.nn.LayerNorm. */
static void normalise(size_t n, float *v, const float *weight, const float *bias, float eps) {
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)v[i];
    const double mean = sum / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += ((double)v[i] - mean) * ((double)v[i] - mean);
    const double scale = 1 / sqrt(squares / (double)n + (double)eps);
    for (size_t i = 0; i < n; i++)
        v[i] = (float)(((double)v[i] - mean) * scale) * weight[i] + bias[i];
}

/* The sums of all gates: those that are added up together, separate ones each for itself. */
static void normalise_gates(const generic_chain *c, float *sums, const float *weight) {
    const size_t together = c->cell->gates - rnnc_cell_separate(c->cell);
    const float *const bias = weight + c->N;
    for (size_t g = 0; g < c->cell->gates;) {
        const size_t gates = g < together ? together : 1, at = g * c->H;
        normalise(gates * c->H, sums + at, weight + at, bias + at, c->config->norm_eps);
        g += gates;
    }
}

/* Both sums of a step, in their place, before its cell. */
static void normalise_sums(const generic_run *r, const generic_chain *c, float *gates) {
    for (size_t row = 0; row < r->B; row++) {
        normalise_gates(c, gates + row * r->row_b * c->N, c->norms);
        normalise_gates(c, r->hidden + row * c->N, c->norms + 2 * c->N);
    }
}

/* The step of a cell whose sums have been normalised, and whose cell state is. */
static void step_normalised(const generic_chain *chain, const rnnc_step *s) {
    const size_t N = chain->N, H = chain->H;
    const float *const weight = chain->norms + 4 * N;
    step_any(chain, s);
    for (size_t row = 0; chain->cell->states > 1 && row < s->rows; row++) {
        const float *const o = s->gates + row * s->ld_gates + 3 * H;
        const float *const o_hidden = s->hidden + row * N + 3 * H;
        float *const h = s->h + row * s->ld_h, *const c = s->c + row * H;
        memcpy(h, c, H * sizeof *h);
        normalise(H, h, weight, weight + H, chain->config->norm_eps);
        if (chain->config->norm_state)
            memcpy(c, h, H * sizeof *c);
        for (size_t j = 0; j < H; j++)
            h[j] = rnnc_cell_gate_float(chain->config, o[j] + o_hidden[j]) *
                   rnnc_cell_output_float(chain->config, h[j]);
    }
}

/* Of a gru: W_hn (r h) in place of W_hn h. */
static void multiply_reset(const generic_run *r, const generic_chain *c, const rnnc_step *s) {
    const size_t H = c->H, N = c->N;
    for (size_t row = 0; row < s->rows; row++)
        for (size_t j = 0; j < H; j++) {
            const float gate =
                s->gates[row * s->ld_gates + j] + s->bias[j] + s->hidden[row * N + j];
            r->fresh[row * H + j] =
                s->h_prev[row * s->ld_h_prev + j] * rnnc_cell_gate_float(c->config, gate);
        }
    multiply(r, H, H, r->fresh, H, c->w_hh + 2 * H, N, 0, r->hidden + 2 * H, N);
}

static void step(const generic_run *r, const generic_chain *c, const rnnc_step *s) {
    const size_t number = (size_t)c->config->cell;
    if (c->norms)
        step_normalised(c, s);
    else if (number < sizeof r->kernels->step / sizeof r->kernels->step[0] &&
             !c->config->reset_before && !c->peepholes && !c->config->own_functions &&
             !(c->config->clip > 0))
        r->kernels->step[number](s);
    else
        step_any(c, s);
}

/* The same values for each of the rows, zeros for NULL. */
static void fill_rows(float *to, size_t rows, size_t width, const float *values) {
    for (size_t b = 0; values && b < rows; b++)
        memcpy(to + b * width, values, width * sizeof *to);
    if (!values)
        memset(to, 0, rows * width * sizeof *to);
}

void generic_run_chain(const generic_run *r, const generic_chain *c, int reverse, const float *in,
                       size_t ld_in, generic_flow out, const float *h0, const float *c0, float *hn,
                       float *cn) {
    const size_t H = c->H, S = c->S, N = c->N, B = r->B, T = r->T;
    const int has_c = c->cell->states > 1, separate = c->cell->separate != 0 || c->norms;
    if (T > 0 && B > 0)
        r->blas->sgemm(0, 0, T * B, N, c->K, 1, in, ld_in, c->w_ih, N, 0, r->gates, N);
    if (has_c && c0)
        memcpy(r->state, c0, B * H * sizeof *c0);
    else
        fill_rows(r->state, B, H, c->first_c);
    if (!h0)
        fill_rows(r->first, B, S, c->first_h);
    const float *h = h0 ? h0 : r->first;
    size_t ld_h = S;
    for (size_t n = 0; n < T && B > 0; n++) {
        const size_t t = reverse ? T - 1 - n : n;
        float *const gates = r->gates + t * r->row_t * N;
        float *const to = out.data + t * r->row_t * out.ld;
        /* A state of zeros too: NaN and infinite weights make NaN of them. */
        if (separate)
            multiply(r, S, N, h, ld_h, c->w_hh, N, 0, r->hidden, N);
        else
            multiply(r, S, N, h, ld_h, c->w_hh, N, 1, gates, r->row_b * N);
        const rnnc_step now = {
            .rows = B,
            .H = H,
            .gates = gates,
            .ld_gates = r->row_b * N,
            .bias = c->bias,
            .hidden = r->hidden,
            .bias_n = c->bias_n,
            .h_prev = h,
            .ld_h_prev = ld_h,
            .c = r->state,
            .h = c->w_hr ? r->fresh : to,
            .ld_h = c->w_hr ? H : r->row_b * out.ld,
        };
        if (c->norms)
            normalise_sums(r, c, gates);
        if (c->config->reset_before)
            multiply_reset(r, c, &now);
        step(r, c, &now);
        if (c->w_hr)
            multiply(r, H, S, r->fresh, H, c->w_hr, S, 0, to, r->row_b * out.ld);
        h = to;
        ld_h = r->row_b * out.ld;
    }
    if (hn && hn != h)
        for (size_t b = 0; b < B; b++)
            memcpy(hn + b * S, h + b * ld_h, S * sizeof *h);
    if (cn && has_c)
        memcpy(cn, r->state, B * H * sizeof *cn);
}

/* weights: of the units, of an activation that has them. */
static void activate(const rnnc_kernels *kernels, const rnnc_layer *layer, const float *weights,
                     float *row) {
    const size_t n = layer->count ? layer->count : layer->outputs;
    row += layer->first;
    switch (layer->activation) {
    case RNNC_IDENTITY:
        return;
    case RNNC_TANH:
        kernels->tanh(n, row, row);
        return;
    case RNNC_SIGMOID:
        kernels->sigmoid(n, row, row);
        return;
    case RNNC_SOFTMAX:
        kernels->softmax(n, row);
        return;
    case RNNC_LOG_SOFTMAX:
        kernels->log_softmax(n, row);
        return;
    default:
        break;
    }
    float (*const of)(float, float, float) = rnnc_activation_find(layer->activation)->of_float;
    for (size_t i = 0; i < n; i++)
        row[i] = of(row[i], rnnc_layer_of_units(layer) ? weights[i] : layer->alpha, layer->beta);
}

void generic_run_activation(const generic_run *r, const rnnc_layer *layer, const float *prepared,
                            size_t rows, const float *in, size_t ld_in, generic_flow out) {
    for (size_t i = 0; i < rows; i++) {
        float *const row = out.data + i * out.ld;
        memmove(row, in + i * ld_in, layer->outputs * sizeof *row); /* which may be y and x */
        activate(r->kernels, layer, prepared, row);
    }
}

void generic_run_merge(const rnnc_layer *layer, size_t rows, const float *in, size_t ld_in,
                       generic_flow out) {
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < layer->outputs; j++) {
            const float a = in[i * ld_in + j], b = in[i * ld_in + layer->outputs + j];
            out.data[i * out.ld + j] = layer->kind == RNNC_MERGE_SUM   ? a + b
                                       : layer->kind == RNNC_MERGE_MUL ? a * b
                                                                       : (a + b) / 2;
        }
}

void generic_run_dense(const generic_run *r, const rnnc_layer *layer, const float *prepared,
                       size_t rows, const float *in, size_t ld_in, size_t step, generic_flow out) {
    const size_t steps = rnnc_layer_steps(layer), K = layer->inputs / steps, N = layer->outputs;
    const float *const bias = prepared + layer->inputs * N;
    if (rows == 0)
        return;
    for (size_t t = 0; t < steps; t++) {
        const float *const x = in + t * step, *const w = prepared + t * K * N;
        const float sum = t > 0 ? 1 : 0;
        if (rows == 1)
            r->blas->sgemv(1, K, N, 1, w, N, x, sum, out.data);
        else
            r->blas->sgemm(0, 0, rows, N, K, 1, x, ld_in, w, N, sum, out.data, out.ld);
    }
    for (size_t i = 0; i < rows; i++) {
        float *const row = out.data + i * out.ld;
        for (size_t j = 0; j < N; j++)
            row[j] += bias[j];
        activate(r->kernels, layer, NULL, row);
    }
}
