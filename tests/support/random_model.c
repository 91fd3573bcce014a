#include "random_model.h"
#include "activation.h"
#include "model_oracle.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void expect(bool fine) {
    if (!fine)
        abort();
}

static rnnc_layer random_recurrent(rng *r, size_t inputs) {
    static const size_t units[] = {1, 3, 5, 8, 13, 17, 21};
    rnnc_config config = {.cell = (rnnc_cell)rng_below(r, 4),
                          .input_size = inputs,
                          .hidden_size = units[rng_below(r, 7)],
                          .num_layers = 1 + rng_below(r, 3),
                          .bias = rng_below(r, 4) > 0,
                          .bidirectional = rng_below(r, 3) == 0};
    config.peepholes = config.cell == RNNC_LSTM && rng_below(r, 3) == 0;
    config.reset_before = config.cell == RNNC_GRU && rng_below(r, 2);
    activation_choose_functions(&config, r);
    config.reverse = !config.bidirectional && rng_below(r, 4) == 0;
    if (config.cell == RNNC_LSTM && config.hidden_size > 1 && rng_below(r, 2))
        config.proj_size = 1 + rng_below(r, config.hidden_size - 1);
    config.initial_state = rng_below(r, 3) == 0;
    return (rnnc_layer){.kind = RNNC_RECURRENT, .recurrent = config};
}

static size_t outputs_of(const rnnc_layer *layer) {
    const rnnc_config *const c = &layer->recurrent;
    return layer->kind != RNNC_RECURRENT
               ? layer->outputs
               : (c->bidirectional ? 2 : 1) * (c->proj_size ? c->proj_size : c->hidden_size);
}

/* A function of the values of the layer before. */
static rnnc_layer random_function(rng *r, size_t width) {
    rnnc_layer layer = {.kind = RNNC_ACTIVATION, .inputs = width, .outputs = width};
    if (rng_below(r, 2))
        activation_choose_of_units(&layer, r);
    else
        activation_choose(&layer, true, r);
    return layer;
}

static void choose_layers(random_model *m, rng *r) {
    size_t n = 0, width = 1 + rng_below(r, 9), input = width;
    m->layer = calloc(RANDOM_MODEL_LAYERS, sizeof *m->layer);
    expect(m->layer);
    const bool embeds = rng_below(r, 4) == 0;
    if (embeds) {
        width = 1 + rng_below(r, 7);
        m->layer[n++] =
            (rnnc_layer){.kind = RNNC_EMBEDDING, .inputs = 2 + rng_below(r, 9), .outputs = width};
    }
    if (!embeds && rng_below(r, 4) == 0)
        m->layer[n++] = random_function(r, width);
    const size_t stacks = rng_below(r, 4), dense = stacks ? rng_below(r, 3) : 1 + rng_below(r, 2);
    for (size_t i = 0; i < stacks; i++, n++) {
        m->layer[n] = random_recurrent(r, width);
        if (embeds && i + 1 == stacks && rng_below(r, 2)) { /* a dense layer can share the table */
            m->layer[n].recurrent.hidden_size = m->layer[0].outputs;
            m->layer[n].recurrent.bidirectional = 0;
            m->layer[n].recurrent.proj_size = 0;
        }
        width = outputs_of(&m->layer[n]);
        if (m->layer[n].recurrent.bidirectional && rng_below(r, 2)) {
            m->layer[n + 1] =
                (rnnc_layer){.kind = (rnnc_layer_kind)(RNNC_MERGE_SUM + rng_below(r, 3)),
                             .inputs = width,
                             .outputs = width / 2,
                             .last_state = i + 1 == stacks && rng_below(r, 3) == 0};
            width /= 2;
            n++;
        }
        if (rng_below(r, 6) == 0)
            m->layer[++n] = random_function(r, width);
    }
    int once = 0; /* a merge of last states, behind which a function may stand */
    for (size_t i = 0; i < n; i++)
        once |= m->layer[i].last_state;
    for (size_t i = 0; i < dense && n < RANDOM_MODEL_LAYERS; i++, n++) {
        const bool tied = embeds && width == m->layer[0].outputs && rng_below(r, 2);
        const size_t outputs = tied                         ? m->layer[0].inputs
                               : rng_below(r, 2) && !embeds ? input
                                                            : 1 + rng_below(r, 19);
        const int last_step = once || rng_below(r, 4) == 0;
        m->layer[n] = (rnnc_layer){.kind = RNNC_DENSE,
                                   .inputs = width,
                                   .outputs = outputs,
                                   .bias = rng_below(r, 3) > 0,
                                   .tied = tied,
                                   .last_step = last_step && rng_below(r, 3) > 0};
        activation_choose(&m->layer[n], true, r);
        const bool on_state = n > 0 && m->layer[n - 1].kind == RNNC_RECURRENT;
        if (on_state && !once && !m->layer[n].last_step)
            m->layer[n].last_state = rng_below(r, 3) == 0;
        once |= m->layer[n].last_step || m->layer[n].last_state;
        width = outputs;
        if (n + 1 < RANDOM_MODEL_LAYERS && rng_below(r, 4) == 0)
            m->layer[++n] = random_function(r, width);
    }
    m->network = (rnnc_network){.layer_count = n,
                                .layer = m->layer,
                                .batch_first = (int)rng_below(r, 2),
                                .residual = embeds || once || rng_below(r, 4) == 0 ? 0
                                            : width == input
                                                ? width
                                                : 1 + rng_below(r, width < input ? width : input)};
}

static float *random_floats(rng *r, size_t count, float scale) {
    float *const values = malloc((count + 1) * sizeof *values);
    expect(values);
    rng_fill(r, values, count, scale);
    return values;
}

/* The tensors' sizes, worked out here from PyTorch's documentation. */
static size_t count_tensors(const random_model *m, size_t floats[RANDOM_MODEL_TENSORS]) {
    size_t n = 0;
    for (size_t i = 0; i < m->network.layer_count; i++) {
        const rnnc_layer *const layer = &m->layer[i];
        const rnnc_config *const c = &layer->recurrent;
        if (layer->kind != RNNC_RECURRENT) {
            if (layer->kind == RNNC_ACTIVATION && activation_has_weights(layer->activation))
                floats[n++] = layer->outputs;
            if ((layer->kind == RNNC_DENSE && !layer->tied) || layer->kind == RNNC_EMBEDDING)
                floats[n++] = layer->inputs * layer->outputs;
            if (layer->kind == RNNC_DENSE && layer->bias)
                floats[n++] = layer->outputs;
            continue;
        }
        const size_t D = c->bidirectional ? 2 : 1, S = c->proj_size ? c->proj_size : c->hidden_size;
        const size_t rows = (c->cell == RNNC_LSTM  ? 4u
                             : c->cell == RNNC_GRU ? 3u
                                                   : 1u) *
                            c->hidden_size;
        for (size_t q = 0; q < c->num_layers * D; q++) {
            floats[n++] = rows * (q < D ? c->input_size : D * S);
            floats[n++] = rows * S;
            for (int k = 0; k < 2 * c->bias; k++)
                floats[n++] = rows;
            for (int k = 0; k < 3 * c->peepholes; k++)
                floats[n++] = c->hidden_size;
            if (c->proj_size)
                floats[n++] = S * c->hidden_size;
        }
        if (c->initial_state)
            floats[n++] = c->num_layers * D * S;
        if (c->initial_state && c->cell == RNNC_LSTM)
            floats[n++] = c->num_layers * D * c->hidden_size;
    }
    return n;
}

static void choose_inputs(random_model *m, rng *r, bool with_lengths) {
    rnnc_call *const call = &m->call;
    const size_t T = 1 + rng_below(r, 7), B = 1 + rng_below(r, 6), count = T * B * m->sizes.input;
    *call = (rnnc_call){.seq_len = T, .batch = B};
    if (m->sizes.vocabulary) {
        m->tokens = malloc(count * sizeof *m->tokens);
        expect(m->tokens);
        for (size_t i = 0; i < count; i++)
            m->tokens[i] = (int32_t)rng_below(r, m->sizes.vocabulary);
    } else {
        m->x = random_floats(r, count, 1);
    }
    if (with_lengths) {
        m->lengths = malloc(B * sizeof *m->lengths);
        expect(m->lengths);
        for (size_t b = 0; b < B; b++) {
            m->lengths[b] = 1 + rng_below(r, T);
            /* What lies beyond must not be read: NaN, and tokens that are none. */
            for (size_t t = m->lengths[b]; t < T; t++) {
                const size_t row = (m->network.batch_first ? b * T + t : t * B + b);
                for (size_t k = 0; k < m->sizes.input; k++)
                    m->x ? (void)(m->x[row * m->sizes.input + k] = NAN)
                         : (void)(m->tokens[row] = -77);
            }
        }
    }
    if (rng_below(r, 3)) {
        m->h0 = random_floats(r, B * m->sizes.h, 1);
        m->c0 = m->sizes.c ? random_floats(r, B * m->sizes.c, 1) : NULL;
    }
    call->x = m->x;
    call->tokens = m->tokens;
    call->lengths = m->lengths;
    call->h0 = m->h0;
    call->c0 = m->c0;
    m->y_count = (m->sizes.last_step ? 1 : T) * B * m->sizes.output;
    m->h_count = B * m->sizes.h;
    m->c_count = B * m->sizes.c;
}

random_model random_model_make(rng *r, bool with_lengths) {
    random_model m = {.network = {0}};
    choose_layers(&m, r);
    expect(rnnc_network_measure(&m.network, &m.sizes, NULL) == RNNC_OK);
    const size_t count = count_tensors(&m, m.floats);
    expect(count <= RANDOM_MODEL_TENSORS && m.sizes.weight_count == count);
    for (size_t i = 0; i < count; i++)
        m.tensor[i] = random_floats(r, m.floats[i], 0.5f);
    choose_inputs(&m, r, with_lengths);
    return m;
}

void random_model_solve(random_model *m) {
    m->y = malloc(m->y_count * sizeof *m->y);
    m->hn = malloc((m->h_count + 1) * sizeof *m->hn);
    m->cn = malloc((m->c_count + 1) * sizeof *m->cn);
    expect(m->y && m->hn && m->cn);
    model_oracle(&m->network, &m->sizes, (const float *const *)m->tensor, &m->call, m->y, m->hn,
                 m->cn);
}

void random_model_free(random_model *m) {
    for (size_t i = 0; i < m->sizes.weight_count; i++)
        free(m->tensor[i]);
    free(m->layer);
    free(m->x);
    free(m->tokens);
    free(m->lengths);
    free(m->h0);
    free(m->c0);
    free(m->y);
    free(m->hn);
    free(m->cn);
}

void random_model_describe(const random_model *m, int number, char text[512]) {
    int n = snprintf(text, 512, "model %d: T %zu, B %zu%s%s%s;", number, m->call.seq_len,
                     m->call.batch, m->network.batch_first ? ", batch first" : "",
                     m->network.residual ? ", residual" : "", m->lengths ? ", lengths" : "");
    for (size_t i = 0; i < m->network.layer_count && n < 400; i++) {
        const rnnc_layer *const l = &m->layer[i];
        const rnnc_config *const c = &l->recurrent;
        if (l->kind == RNNC_RECURRENT)
            n += snprintf(text + n, 512 - (size_t)n, " cell %d %zu-%zu P %zu L %zu D %d%s%s,",
                          (int)c->cell, c->input_size, c->hidden_size, c->proj_size, c->num_layers,
                          1 + c->bidirectional, c->reverse ? " reverse" : "",
                          c->reset_before ? " reset_before" : "");
        else
            n += snprintf(text + n, 512 - (size_t)n, " kind %d %zu-%zu act %d last %d,",
                          (int)l->kind, l->inputs, l->outputs, (int)l->activation, l->last_step);
    }
}
