#define _XOPEN_SOURCE 700
#include "onnx_export.h"
#include "activation.h"
#include "problem.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a layer reads that runs once: (batch, values). */
static void put_last(onnx_exporter *e, const rnnc_layer *l, const rnnc_config *before) {
    char a[32], b[32], inputs[80];
    const size_t directions = before && before->bidirectional ? 2 : 1;
    e->once = true;
    if (l->last_step && e->style & GATHERED) {
        onnx_invent(e, a);
        const int64_t last = -1;
        onnx_initializer(&e->graph, a, ONNX_INT64, "", &last, sizeof last);
        snprintf(inputs, sizeof inputs, "%s %s", e->value, a);
        onnx_step(e, "Gather", inputs, e->batch_first ? "axis=1" : "axis=0");
    } else if (l->last_step) {
        char c[32];
        onnx_invent(e, a);
        onnx_ints(&e->graph, a, "-1");
        onnx_invent(e, b);
        onnx_ints(&e->graph, b, "9223372036854775807");
        onnx_invent(e, c);
        onnx_ints(&e->graph, c, e->batch_first ? "1" : "0");
        char all[160];
        snprintf(all, sizeof all, "%s %s %s %s", e->value, a, b, c);
        onnx_step(e, "Slice", all, "");
        onnx_step_by(e, "Squeeze", e->batch_first ? "1" : "0", "");
    } else if (directions == 1) {
        strcpy(e->value, e->h);
        onnx_step_by(e, "Squeeze", e->style & LAYOUT ? "1" : "0", "");
    } else if (e->style & GATHERED) {
        char part[2][32];
        for (int d = 0; d < 2; d++) {
            const int64_t index = d - 2;
            onnx_invent(e, a);
            onnx_initializer(&e->graph, a, ONNX_INT64, "", &index, sizeof index);
            snprintf(inputs, sizeof inputs, "%s %s", e->h, a);
            onnx_step(e, "Gather", inputs, e->style & LAYOUT ? "axis=1" : "axis=0");
            strcpy(part[d], e->value);
        }
        snprintf(inputs, sizeof inputs, "%s %s", part[0], part[1]);
        onnx_step(e, "Concat", inputs, "axis=1");
    } else {
        strcpy(e->value, e->h);
        if (!(e->style & LAYOUT))
            onnx_step(e, "Transpose", e->value, "perm=1,0,2");
        onnx_step_by(e, "Reshape", "0,-1", "");
    }
}

/* All steps side by side, (batch, steps * values). */
static void put_flat(onnx_exporter *e) {
    if (!e->batch_first)
        onnx_step(e, "Transpose", e->value, "perm=1,0,2");
    if (e->style & GATHERED)
        onnx_step(e, "Flatten", e->value, "");
    else
        onnx_step_by(e, "Reshape", "0,-1", "");
    e->once = true;
}

/* Functions that stand by themselves, with the attribute that an exporter writes or leaves out. */
static const struct {
    rnnc_activation activation;
    float alpha, beta;
    const char *op, *attributes;
} alone[] = {
    {RNNC_RELU, 0, 0, "Relu", ""},
    {RNNC_SIGMOID, 0, 0, "Sigmoid", ""},
    {RNNC_ELU, 1, 0, "Elu", ""},
    {RNNC_ELU, 0.625f, 0, "Elu", "alpha=0.625"},
    {RNNC_LEAKY_RELU, 0.01f, 0, "LeakyRelu", ""},
    {RNNC_HARD_SIGMOID, 0.2f, 0.5f, "HardSigmoid", ""},
    {RNNC_HARD_SIGMOID, 0.25f, 0.375f, "HardSigmoid", "alpha=0.25 beta=0.375"},
    {RNNC_SOFTPLUS, 0, 0, "Softplus", ""},
    {RNNC_SOFTSIGN, 0, 0, "Softsign", ""},
    {RNNC_HARD_TANH, -0.25f, 0.625f, "Clip", ""},
};

_Static_assert(sizeof alone / sizeof *alone == ONNX_FUNCTIONS, "all are counted");

rnnc_function onnx_function(size_t k) {
    return (rnnc_function){alone[k].activation, alone[k].alpha, alone[k].beta};
}

static void put_function(onnx_exporter *e, const rnnc_layer *l) {
    /* In front of all steps side by side or behind them it is the same. */
    if (l[1].steps && e->style & FLATTENED)
        put_flat(e);
    for (size_t i = 0; i < ONNX_FUNCTIONS; i++)
        if (alone[i].activation == l->activation && !(alone[i].alpha < l->alpha) &&
            !(alone[i].alpha > l->alpha)) {
            char inputs[96], bounds[2][32];
            snprintf(inputs, sizeof inputs, "%s", e->value);
            if (l->activation == RNNC_HARD_TANH) {
                for (size_t k = 0; k < 2; k++) {
                    onnx_invent(e, bounds[k]);
                    onnx_floats(&e->graph, bounds[k], "", k ? &l->beta : &l->alpha, 1);
                }
                snprintf(inputs, sizeof inputs, "%s %s %s", e->value, bounds[0], bounds[1]);
            }
            onnx_step(e, alone[i].op, inputs, alone[i].attributes);
            return;
        }
    abort();
}

static void put_dense(onnx_exporter *e, const rnnc_layer *l, const rnnc_config *before) {
    static const char *const functions[] = {[RNNC_TANH] = "Tanh",
                                            [RNNC_RELU] = "Relu",
                                            [RNNC_SIGMOID] = "Sigmoid",
                                            [RNNC_SOFTMAX] = "Softmax",
                                            [RNNC_LOG_SOFTMAX] = "LogSoftmax"};
    const float *const weight = e->m->values[e->weight++];
    const float *const bias = l->bias ? e->m->values[e->weight++] : NULL;
    char w[32], b[32] = "", shape[32], inputs[128], dims[64];
    if (l->last_step || l->last_state)
        put_last(e, l, before);
    else if (l->steps && !e->once)
        put_flat(e);
    onnx_invent(e, w);
    if (bias) {
        onnx_invent(e, b);
        snprintf(dims, sizeof dims, "%zu", l->outputs);
        onnx_floats(&e->graph, b, dims, bias, l->outputs);
    }
    const bool flat = e->style & FLATTENED && !e->once;
    if (e->once || flat) {
        char numbers[32];
        if (flat) {
            onnx_invent(e, shape);
            onnx_node(&e->graph, "Shape", e->value, shape, "end=2");
            snprintf(numbers, sizeof numbers, "-1,%zu", l->inputs);
            onnx_step_by(e, "Reshape", numbers, "");
        }
        snprintf(dims, sizeof dims, "%zu,%zu", l->outputs, l->inputs);
        onnx_floats(&e->graph, w, dims, weight, l->outputs * l->inputs);
        snprintf(inputs, sizeof inputs, "%s %s%s%s", e->value, w, b[0] ? " " : "", b);
        onnx_step(e, "Gemm", inputs, "transB=1 alpha=1.0 beta=1.0");
        if (flat) { /* (shape(value)[:2], outputs) */
            char size[32], all[32];
            onnx_invent(e, size);
            snprintf(numbers, sizeof numbers, "%zu", l->outputs);
            onnx_ints(&e->graph, size, numbers);
            onnx_invent(e, all);
            snprintf(inputs, sizeof inputs, "%s %s", shape, size);
            onnx_node(&e->graph, "Concat", inputs, all, "axis=0");
            snprintf(inputs, sizeof inputs, "%s %s", e->value, all);
            onnx_step(e, "Reshape", inputs, "");
        }
    } else {
        float *const turned = malloc(l->outputs * l->inputs * sizeof *turned);
        for (size_t i = 0; i < l->inputs; i++)
            for (size_t o = 0; o < l->outputs; o++)
                turned[i * l->outputs + o] = weight[o * l->inputs + i];
        snprintf(dims, sizeof dims, "%zu,%zu", l->inputs, l->outputs);
        onnx_floats(&e->graph, w, dims, turned, l->outputs * l->inputs);
        free(turned);
        snprintf(inputs, sizeof inputs, "%s %s", e->value, w);
        onnx_step(e, "MatMul", inputs, "");
        if (bias) {
            snprintf(inputs, sizeof inputs, "%s %s", b, e->value);
            onnx_step(e, "Add", inputs, "");
        }
    }
    if (functions[l->activation])
        onnx_step(e, functions[l->activation], e->value,
                  l->activation >= RNNC_SOFTMAX ? "axis=-1" : "");
}

static void put_embedding(onnx_exporter *e, const rnnc_layer *l) {
    char table[32], dims[64], inputs[80];
    onnx_invent(e, table);
    snprintf(dims, sizeof dims, "%zu,%zu", l->inputs, l->outputs);
    onnx_floats(&e->graph, table, dims, e->m->values[e->weight++], l->inputs * l->outputs);
    snprintf(inputs, sizeof inputs, "%s %s", table, e->value);
    onnx_step(e, "Gather", inputs, "");
}

static void put_states(onnx_exporter *e, const char *name, const char *list) {
    const int layout = (e->style & LAYOUT) != 0;
    onnx_node(&e->graph, "Concat", list, name, layout ? "axis=1" : "axis=0");
    onnx_value(&e->graph, 12, name, ONNX_FLOAT, "n,batch,hidden");
}

onnx_bytes onnx_export(const model *m, unsigned style) {
    onnx_exporter e = {.m = m, .style = style, .batch_first = m->batch_first};
    const model_sizes sizes = model_sizes_of(m);
    char dims[96], time[24], batch[24];
    snprintf(time, sizeof time, "%zu", m->seq_len);
    snprintf(batch, sizeof batch, "%zu", m->batch);
    if (style & SYMBOLIC) {
        strcpy(time, "time");
        strcpy(batch, "batch");
    }
    snprintf(dims, sizeof dims, "%s,%s,%zu", m->batch_first ? batch : time,
             m->batch_first ? time : batch, sizes.input);
    if (m->tokens)
        *strrchr(dims, ',') = '\0';
    strcpy(e.value, m->tokens ? "tokens" : "x");
    onnx_value(&e.graph, 11, e.value, m->tokens ? ONNX_INT64 : ONNX_FLOAT, dims);
    size_t h_rows = 0, c_rows = 0, hidden = 0;
    for (size_t i = 0; i < m->layer_count; i++) {
        const rnnc_config *const c = &m->layer[i].recurrent;
        if (m->layer[i].kind != RNNC_RECURRENT)
            continue;
        hidden = c->hidden_size;
        h_rows += c->num_layers * (c->bidirectional ? 2 : 1);
        c_rows += c->cell == RNNC_LSTM ? c->num_layers * (c->bidirectional ? 2 : 1) : 0;
    }
    if (style & GIVEN && !(style & IN_FILE)) {
        snprintf(dims, sizeof dims, "%zu,%s,%zu", h_rows, batch, hidden);
        onnx_value(&e.graph, 11, "h0", ONNX_FLOAT, dims);
        snprintf(dims, sizeof dims, "%zu,%s,%zu", c_rows, batch, hidden);
        if (c_rows)
            onnx_value(&e.graph, 11, "c0", ONNX_FLOAT, dims);
    }
    if (style & LENGTHS)
        onnx_value(&e.graph, 11, "lengths", ONNX_INT32, batch);
    const rnnc_config *before = NULL;
    for (size_t i = 0; i < m->layer_count; i++) {
        const rnnc_layer *const l = &m->layer[i];
        if (l->kind == RNNC_EMBEDDING)
            put_embedding(&e, l);
        else if (l->kind == RNNC_DENSE)
            put_dense(&e, l, before);
        else if (l->kind == RNNC_ACTIVATION)
            put_function(&e, l);
        else
            onnx_put_stack(&e, before = &l->recurrent);
    }
    if (m->residual) {
        char inputs[80];
        snprintf(inputs, sizeof inputs, "%s x", e.value);
        onnx_step(&e, "Add", inputs, "");
    }
    /* A chain of nodes of no effect, and one of no use. */
    onnx_node(&e.graph, "Dropout", e.value, "dropped", "");
    onnx_node(&e.graph, "Cast", "dropped", "y", "to=1");
    onnx_node(&e.graph, "Erf", "dropped", "unused", "");
    onnx_value(&e.graph, 12, "y", ONNX_FLOAT, "a,b,c");
    put_states(&e, "hn", e.hn);
    if (c_rows)
        put_states(&e, "cn", e.cn);
    cr_assert_eq(e.weight, m->weight_count);
    return onnx_model(&e.graph, 17);
}
