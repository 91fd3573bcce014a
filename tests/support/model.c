#define _XOPEN_SOURCE 700
#include "model.h"
#include "activation.h"
#include "oracle.h"
#include "problem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *model_allocate(size_t count, size_t size) {
    void *p = calloc(count ? count : 1, size);
    if (!p)
        abort();
    return p;
}

static size_t directions(const rnnc_layer *l) { return l->recurrent.bidirectional ? 2 : 1; }

static size_t inputs_of(const rnnc_layer *l) {
    return l->kind == RNNC_RECURRENT ? l->recurrent.input_size : l->inputs;
}

static size_t outputs_of(const rnnc_layer *l) {
    return l->kind == RNNC_RECURRENT ? directions(l) * l->recurrent.hidden_size : l->outputs;
}

/* Floats of the states of a stack for one sequence. */
static size_t states_of(const rnnc_layer *l) {
    if (l->kind != RNNC_RECURRENT)
        return 0;
    return l->recurrent.num_layers * directions(l) * l->recurrent.hidden_size;
}

static bool has_c(const rnnc_layer *l) {
    return l->kind == RNNC_RECURRENT && l->recurrent.cell == RNNC_LSTM;
}

model_sizes model_sizes_of(const model *m) {
    const rnnc_layer *const first = &m->layer[0], *const last = &m->layer[m->layer_count - 1];
    model_sizes s = {.tokens = first->kind == RNNC_EMBEDDING, .output = outputs_of(last)};
    s.input = s.tokens ? 1 : inputs_of(first);
    for (size_t i = 0; i < m->layer_count; i++) {
        const rnnc_layer *const l = &m->layer[i];
        s.h += states_of(l);
        s.c += has_c(l) ? states_of(l) : 0;
        s.last_step = s.last_step || l->last_step || l->last_state || l->steps;
        s.backwards = s.backwards || (l->kind == RNNC_RECURRENT &&
                                      (l->recurrent.bidirectional || l->recurrent.reverse));
    }
    return s;
}

size_t model_y_count(const model *m) {
    const model_sizes s = model_sizes_of(m);
    return (s.last_step ? 1 : m->seq_len) * m->batch * s.output;
}

size_t model_at(const model *m, size_t t, size_t b, size_t width) {
    return (m->batch_first ? b * m->seq_len + t : t * m->batch + b) * width;
}

size_t model_weight_floats(const rnnc_weight *w) { return w->rows * (w->cols ? w->cols : 1); }

bool model_merges(const rnnc_layer *layer) {
    return layer->kind == RNNC_MERGE_SUM || layer->kind == RNNC_MERGE_MUL ||
           layer->kind == RNNC_MERGE_AVE;
}

/* How many tensors a layer has. */
static size_t tensors_of(const rnnc_layer *l) {
    if (l->kind == RNNC_RECURRENT)
        return l->recurrent.num_layers * directions(l) * problem_tensors(&l->recurrent);
    if (l->kind == RNNC_ACTIVATION)
        return activation_has_weights(l->activation);
    return l->kind == RNNC_DENSE ? (size_t)(!l->tied + l->bias) : l->kind == RNNC_EMBEDDING;
}

/* Tensor `index` of layer number `i`. */
static rnnc_weight tensor_of(const rnnc_layer *l, size_t i, size_t index) {
    index += l->kind == RNNC_DENSE && l->tied; /* which begins with its bias */
    rnnc_weight w = {.rows = l->outputs, .cols = l->inputs};
    char name[100];
    snprintf(name, sizeof name, "%s", index ? "bias" : "weight");
    if (l->kind == RNNC_ACTIVATION) {
        w.cols = 0;
        snprintf(name, sizeof name, "%s",
                 l->activation == RNNC_PRELU ? "weight" : rnnc_activation_name(l->activation));
    } else if (l->kind == RNNC_EMBEDDING) {
        w.rows = l->inputs;
        w.cols = l->outputs;
    } else if (l->kind == RNNC_RECURRENT) {
        const rnnc_weight own = problem_weight(&l->recurrent, index);
        w.rows = own.rows;
        w.cols = own.cols;
        snprintf(name, sizeof name, "%.99s", own.name);
    } else if (index) {
        w.cols = 0;
    }
    snprintf(w.name, sizeof w.name, "L%zu.%.90s", i, name);
    return w;
}

/* Everything that depends on T and B. */
static void allocate_sequence(model *m, bool with_states) {
    const model_sizes s = model_sizes_of(m);
    const size_t steps = m->seq_len * m->batch;
    m->tokens = s.tokens ? model_allocate(steps, sizeof *m->tokens) : NULL;
    m->x = s.tokens ? NULL : model_allocate(steps * s.input, sizeof *m->x);
    m->h0 = with_states && s.h ? model_allocate(s.h * m->batch, sizeof *m->h0) : NULL;
    m->c0 = with_states && s.c ? model_allocate(s.c * m->batch, sizeof *m->c0) : NULL;
    m->y = model_allocate(model_y_count(m), sizeof *m->y);
    m->hn = model_allocate(s.h * m->batch, sizeof *m->hn);
    m->cn = model_allocate(s.c * m->batch, sizeof *m->cn);
}

static void fill_sequence(model *m, rng *r) {
    const model_sizes s = model_sizes_of(m);
    for (size_t i = 0; i < m->seq_len * m->batch; i++) {
        if (s.tokens)
            m->tokens[i] = (int32_t)rng_below(r, m->layer[0].inputs);
        else
            rng_fill(r, m->x + i * s.input, s.input, 1.0f);
    }
    if (m->h0)
        rng_fill(r, m->h0, s.h * m->batch, 1.0f);
    if (m->c0)
        rng_fill(r, m->c0, s.c * m->batch, 1.0f);
}

static void free_sequence(model *m) {
    free(m->tokens);
    free(m->x);
    free(m->lengths);
    free(m->h0);
    free(m->c0);
    free(m->y);
    free(m->hn);
    free(m->cn);
}

/* Weights as PyTorch initialises them: uniform in 1 / sqrt of the units, or of a dense layer's
 * inputs; an embedding's in +-1. */
static float scale_of(const rnnc_layer *l) {
    if (l->kind == RNNC_EMBEDDING || l->kind == RNNC_ACTIVATION)
        return 1.0f;
    const size_t n = l->kind == RNNC_RECURRENT ? l->recurrent.hidden_size : l->inputs;
    return (float)(1.0 / sqrt((double)n));
}

model model_make(const rnnc_layer *layer, size_t layer_count, bool batch_first, size_t residual,
                 size_t seq_len, size_t batch, bool with_states, rng *r) {
    model m = {.layer_count = layer_count,
               .batch_first = batch_first,
               .residual = residual,
               .seq_len = seq_len,
               .batch = batch};
    memcpy(m.layer, layer, layer_count * sizeof *layer);
    for (size_t i = 0; i < layer_count; i++)
        m.weight_count += tensors_of(&layer[i]);
    m.weight = model_allocate(m.weight_count, sizeof *m.weight);
    m.values = model_allocate(m.weight_count, sizeof *m.values);
    size_t n = 0;
    for (size_t i = 0; i < layer_count; i++) {
        for (size_t k = 0; k < tensors_of(&layer[i]); k++, n++) {
            m.weight[n] = tensor_of(&layer[i], i, k);
            m.values[n] = model_allocate(model_weight_floats(&m.weight[n]), sizeof(float));
            rng_fill(r, m.values[n], model_weight_floats(&m.weight[n]), scale_of(&layer[i]));
        }
    }
    allocate_sequence(&m, with_states);
    fill_sequence(&m, r);
    return m;
}

void model_resize(model *m, size_t seq_len, size_t batch, bool with_states, rng *r) {
    free_sequence(m);
    m->lengths = NULL;
    m->seq_len = seq_len;
    m->batch = batch;
    allocate_sequence(m, with_states);
    fill_sequence(m, r);
}

void model_set_lengths(model *m, rng *r) {
    const model_sizes s = model_sizes_of(m);
    m->lengths = model_allocate(m->batch, sizeof *m->lengths);
    const size_t longest = rng_below(r, m->batch), shortest = (longest + 1) % m->batch;
    for (size_t b = 0; b < m->batch; b++)
        m->lengths[b] = 1 + rng_below(r, m->seq_len);
    m->lengths[shortest] = 1;
    m->lengths[longest] = m->seq_len;
    for (size_t b = 0; b < m->batch; b++) {
        for (size_t t = m->lengths[b]; t < m->seq_len; t++) {
            if (s.tokens)
                m->tokens[model_at(m, t, b, 1)] = INT32_MIN;
            for (size_t i = 0; !s.tokens && i < s.input; i++)
                m->x[model_at(m, t, b, s.input) + i] = NAN;
        }
    }
}

/* ---- one sequence, and the answers ---- */

/* Copies the states of sequence b out of all, or of all ones into those of b. */
static void copy_states(const model *m, size_t b, bool cells, void *all, void *one, size_t size,
                        bool into_all) {
    size_t before = 0;
    for (size_t i = 0; i < m->layer_count; i++) {
        const rnnc_layer *const l = &m->layer[i];
        if (l->kind != RNNC_RECURRENT || (cells && !has_c(l)))
            continue;
        const size_t hidden = l->recurrent.hidden_size;
        for (size_t chain = 0; chain < states_of(l) / hidden; chain++) {
            const size_t at = before * m->batch + (chain * m->batch + b) * hidden;
            unsigned char *const in_all = (unsigned char *)all + at * size;
            unsigned char *const in_one = (unsigned char *)one + (before + chain * hidden) * size;
            memcpy(into_all ? in_all : in_one, into_all ? in_one : in_all, hidden * size);
        }
        before += states_of(l);
    }
}

model model_one(const model *m, size_t b) {
    const model_sizes s = model_sizes_of(m);
    model one = *m;
    one.batch = 1;
    one.seq_len = m->lengths ? m->lengths[b] : m->seq_len;
    one.lengths = NULL;
    allocate_sequence(&one, m->h0 != NULL);
    for (size_t t = 0; t < one.seq_len; t++) {
        if (s.tokens)
            one.tokens[t] = m->tokens[model_at(m, t, b, 1)];
        else
            memcpy(one.x + t * s.input, m->x + model_at(m, t, b, s.input), s.input * sizeof *one.x);
    }
    if (one.h0)
        copy_states(m, b, false, m->h0, one.h0, sizeof(float), false);
    if (one.c0)
        copy_states(m, b, true, m->c0, one.c0, sizeof(float), false);
    return one;
}

void model_free_one(model *one) { free_sequence(one); }

/* One layer of one sequence: in (T, inputs) to a new (T, outputs). */
static double *run_layer(model *one, const rnnc_layer *l, const float *const *values,
                         const double *in, size_t steps, size_t h, size_t c) {
    const size_t outputs = outputs_of(l);
    double *const out = model_allocate(steps * outputs, sizeof *out);
    if (l->kind == RNNC_RECURRENT) {
        const bool lstm = has_c(l);
        oracle_stack(&l->recurrent, values, steps, 1, in, one->h0 ? one->h0 + h : NULL,
                     lstm && one->c0 ? one->c0 + c : NULL, out, one->hn + h,
                     lstm ? one->cn + c : NULL);
    }
    for (size_t t = 0; l->kind == RNNC_DENSE && t < steps; t++)
        oracle_dense(l, l->tied ? one->values[0] : values[0], l->bias ? values[!l->tied] : NULL,
                     in + t * l->inputs, out + t * outputs);
    for (size_t t = 0; model_merges(l) && t < steps; t++)
        for (size_t i = 0; i < outputs; i++) {
            const double there = in[t * l->inputs + i], back = in[t * l->inputs + outputs + i];
            out[t * outputs + i] = l->kind == RNNC_MERGE_SUM   ? there + back
                                   : l->kind == RNNC_MERGE_MUL ? there * back
                                                               : there / 2 + back / 2;
        }
    for (size_t t = 0; l->kind == RNNC_ACTIVATION && t < steps; t++) {
        memcpy(out + t * outputs, in + t * outputs, outputs * sizeof *out);
        oracle_activation(l, tensors_of(l) ? values[0] : NULL, out + t * outputs);
    }
    for (size_t t = 0; l->kind == RNNC_EMBEDDING && t < steps; t++)
        for (size_t i = 0; i < outputs; i++)
            out[t * outputs + i] = (double)values[0][(size_t)one->tokens[t] * outputs + i];
    return out;
}

static void solve_one(model *one) {
    const model_sizes s = model_sizes_of(one);
    const float *const *values = (const float *const *)one->values;
    size_t steps = one->seq_len, h = 0, c = 0;
    double *now = model_allocate(steps * s.input, sizeof *now);
    for (size_t i = 0; one->x && i < steps * s.input; i++)
        now[i] = (double)one->x[i];
    for (size_t i = 0; i < one->layer_count; i++) {
        const rnnc_layer *const l = &one->layer[i];
        if (l->last_step || l->last_state) {
            memmove(now, now + (steps - 1) * l->inputs, l->inputs * sizeof *now);
            steps = 1;
        }
        if (l->steps)
            steps = 1; /* as they lie they are one row */
        /* cat(h_n[-2], h_n[-1]) or h_n[-1]: the last rows of hn are as wide as what is read. */
        if (l->last_state)
            memcpy(now, one->hn + h - l->inputs, l->inputs * sizeof *now);
        double *const out = run_layer(one, l, values, now, steps, h, c);
        free(now);
        now = out;
        h += states_of(l);
        c += has_c(l) ? states_of(l) : 0;
        values += tensors_of(l);
    }
    for (size_t i = 0; i < steps * s.output; i++)
        one->y[i] = now[i];
    for (size_t t = 0; one->residual && t < steps; t++)
        for (size_t i = 0; i < one->residual; i++)
            one->y[t * s.output + i] += (double)one->x[t * s.input + i];
    free(now);
}

void model_solve(model *m) {
    const model_sizes s = model_sizes_of(m);
    memset(m->y, 0, model_y_count(m) * sizeof *m->y); /* 0 beyond a length */
    for (size_t b = 0; b < m->batch; b++) {
        model one = model_one(m, b);
        solve_one(&one);
        if (s.last_step)
            memcpy(m->y + b * s.output, one.y, s.output * sizeof *m->y);
        for (size_t t = 0; !s.last_step && t < one.seq_len; t++)
            memcpy(m->y + model_at(m, t, b, s.output), one.y + t * s.output,
                   s.output * sizeof *m->y);
        copy_states(m, b, false, m->hn, one.hn, sizeof(double), true);
        copy_states(m, b, true, m->cn, one.cn, sizeof(double), true);
        model_free_one(&one);
    }
}

void model_free(model *m) {
    for (size_t i = 0; i < m->weight_count; i++)
        free(m->values[i]);
    free(m->values);
    free(m->weight);
    free_sequence(m);
    *m = (model){0};
}
