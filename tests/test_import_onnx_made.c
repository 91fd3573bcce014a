/* ONNX models as exporters of PyTorch and Keras arrange them, made here of random networks whose
 * answers the tests' own oracle computes in double. */
#define _XOPEN_SOURCE 700
#include "support/activation.h"
#include "support/cli.h"
#include "support/generate.h"
#include "support/model.h"
#include "support/onnx.h"
#include "support/problem.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How a network is written; bits of a number. */
enum {
    SYMBOLIC = 1,  /* sizes of time and batch are names; the batch is 1 */
    FLATTENED = 2, /* dense layers read (time * batch, values), as of Keras */
    GATHERED = 4,  /* the last step by Gather, last states by Gather and Concat */
    GIVEN = 8,     /* states are inputs of the graph, sliced; otherwise zeros by the shape of x */
    LAYOUT = 16,   /* batch_first by layout = 1 instead of Transpose */
    LENGTHS = 32,
    IN_FILE = 64, /* given states are in the file; the batch is 1 */
    STYLES = 128
};

typedef struct exporter {
    onnx_bytes graph;
    const model *m;
    unsigned style;
    size_t weight; /* the next of m->values */
    size_t h_row, c_row;
    int made; /* values so far */
    char value[32], h[32];
    char hn[256], cn[256]; /* names of final states */
    bool batch_first, once;
} exporter;

/* A new name in `name`. */
static void invent(exporter *e, char name[32]) { snprintf(name, 32, "v%d", e->made++); }

/* A node of one output, which becomes e->value. */
static void step(exporter *e, const char *op, const char *inputs, const char *attributes) {
    char name[32];
    invent(e, name);
    onnx_node(&e->graph, op, inputs, name, attributes);
    memcpy(e->value, name, sizeof name);
}

/* The same of e->value and a second input, which is a vector of whole numbers. */
static void step_by(exporter *e, const char *op, const char *numbers, const char *attributes) {
    char name[32], inputs[80];
    invent(e, name);
    onnx_ints(&e->graph, name, numbers);
    snprintf(inputs, sizeof inputs, "%s %s", e->value, name);
    step(e, op, inputs, attributes);
}

/* ONNX' gates among PyTorch's: i o f c of i f g o; z r h of r z n. */
static size_t torch_gate(rnnc_cell cell, size_t gate) {
    static const size_t lstm[] = {0, 3, 1, 2}, gru[] = {1, 0, 2};
    return cell == RNNC_LSTM ? lstm[gate] : cell == RNNC_GRU ? gru[gate] : 0;
}

/* Tensor number `which` of each direction, side by side, as initialiser `name`. */
static void put_weights(exporter *e, const rnnc_config *c, size_t which, size_t count,
                        size_t directions, size_t columns, char name[32]) {
    const size_t gates = problem_gates(c->cell), H = c->hidden_size, block = H * columns;
    const size_t biases = which >= 2 ? 2 : 1;
    float *const all = malloc(directions * biases * gates * block * sizeof *all);
    char dims[64];
    for (size_t d = 0; d < directions; d++)
        for (size_t b = 0; b < biases; b++)
            for (size_t g = 0; g < gates; g++)
                memcpy(all + ((d * biases + b) * gates + g) * block,
                       e->m->values[e->weight + d * count + which + b] +
                           torch_gate(c->cell, g) * block,
                       block * sizeof *all);
    invent(e, name);
    if (which >= 2)
        snprintf(dims, sizeof dims, "%zu,%zu", directions, 2 * gates * H);
    else
        snprintf(dims, sizeof dims, "%zu,%zu,%zu", directions, gates * H, columns);
    onnx_floats(&e->graph, name, dims, all, directions * biases * gates * block);
    free(all);
}

/* The peepholes of i, o and f, which stand behind the others of a direction as i, f and o. */
static void put_peepholes(exporter *e, const rnnc_config *c, size_t count, size_t directions,
                          char name[32]) {
    static const size_t order[] = {0, 2, 1};
    const size_t H = c->hidden_size;
    float *const all = malloc(directions * 3 * H * sizeof *all);
    char dims[64];
    for (size_t d = 0; d < directions; d++)
        for (size_t k = 0; k < 3; k++)
            memcpy(all + (d * 3 + k) * H, e->m->values[e->weight + (d + 1) * count - 3 + order[k]],
                   H * sizeof *all);
    invent(e, name);
    snprintf(dims, sizeof dims, "%zu,%zu", directions, 3 * H);
    onnx_floats(&e->graph, name, dims, all, directions * 3 * H);
    free(all);
}

/* The initial state "h" or "c" of one level: a part of an input, numbers, or zeros. */
static void put_state(exporter *e, char what, size_t row, size_t directions, size_t hidden,
                      char name[32]) {
    const model *const m = e->m;
    char numbers[64], inputs[160], size[32];
    if (e->style & IN_FILE) {
        char dims[64];
        invent(e, name);
        if (e->style & LAYOUT)
            snprintf(dims, sizeof dims, "1,%zu,%zu", directions, hidden);
        else
            snprintf(dims, sizeof dims, "%zu,1,%zu", directions, hidden);
        onnx_floats(&e->graph, name, dims, (what == 'h' ? m->h0 : m->c0) + row * hidden,
                    directions * hidden);
        return;
    }
    if (e->style & GIVEN) {
        char from[32], to[32], axis[32];
        invent(e, from);
        invent(e, to);
        invent(e, axis);
        snprintf(numbers, sizeof numbers, "%zu", row);
        onnx_ints(&e->graph, from, numbers);
        snprintf(numbers, sizeof numbers, "%zu", row + directions);
        onnx_ints(&e->graph, to, numbers);
        onnx_ints(&e->graph, axis, "0");
        invent(e, name);
        snprintf(inputs, sizeof inputs, "%c0 %s %s %s", what, from, to, axis);
        onnx_node(&e->graph, "Slice", inputs, name, "");
        return;
    }
    /* shape = (directions, shape(x)[batch], hidden), as PyTorch's exporter puts it. */
    char shape[32], index[32], batch[32], unsqueezed[32], zero[32], first[32], last[32], all[32];
    const bool tokens = m->tokens != NULL;
    invent(e, shape);
    onnx_node(&e->graph, "Shape", tokens ? "tokens" : "x", shape, "");
    invent(e, index);
    const int64_t place = m->batch_first ? 0 : 1;
    onnx_initializer(&e->graph, index, ONNX_INT64, "", &place, sizeof place);
    invent(e, batch);
    snprintf(inputs, sizeof inputs, "%s %s", shape, index);
    onnx_node(&e->graph, "Gather", inputs, batch, "axis=0");
    invent(e, zero);
    onnx_ints(&e->graph, zero, "0");
    invent(e, unsqueezed);
    snprintf(inputs, sizeof inputs, "%s %s", batch, zero);
    onnx_node(&e->graph, "Unsqueeze", inputs, unsqueezed, "");
    invent(e, first);
    snprintf(size, sizeof size, "%zu", directions);
    onnx_ints(&e->graph, first, size);
    invent(e, last);
    snprintf(size, sizeof size, "%zu", hidden);
    onnx_ints(&e->graph, last, size);
    invent(e, all);
    if (e->style & LAYOUT)
        snprintf(inputs, sizeof inputs, "%s %s %s", unsqueezed, first, last);
    else
        snprintf(inputs, sizeof inputs, "%s %s %s", first, unsqueezed, last);
    onnx_node(&e->graph, "Concat", inputs, all, "axis=0");
    invent(e, name);
    onnx_node(&e->graph, "ConstantOfShape", all, name, "");
}

/* Appends a list of numbers, one for each function that has one, or (`all`) for each function. */
static void put_numbers(char *text, const char *name, const rnnc_function *functions, size_t count,
                        size_t directions, bool all, bool is_beta) {
    bool first = true;
    for (size_t i = 0; i < count * directions; i++) {
        const rnnc_function f = functions[i % count];
        const bool affine = f.activation == RNNC_IDENTITY;
        if (!all && !affine &&
            !(is_beta ? activation_has_beta(f.activation) : activation_has_alpha(f.activation)))
            continue;
        const double alpha = affine ? 1 : (double)f.alpha, beta = (double)f.beta;
        if (first)
            sprintf(text + strlen(text), " %s=[", name);
        sprintf(text + strlen(text), "%s%#.9g", first ? "" : ",", is_beta ? beta : alpha);
        first = false;
    }
}

/* The attributes of functions and the clip: nothing where they are the operator's own. */
static void put_functions(const exporter *e, const rnnc_config *c, char *text) {
    static const char *const names[] = {
        [RNNC_IDENTITY] = "Affine",   [RNNC_TANH] = "Tanh",
        [RNNC_RELU] = "Relu",         [RNNC_SIGMOID] = "Sigmoid",
        [RNNC_ELU] = "Elu",           [RNNC_LEAKY_RELU] = "LeakyRelu",
        [RNNC_SOFTPLUS] = "Softplus", [RNNC_HARD_SIGMOID] = "HardSigmoid",
        [RNNC_SOFTSIGN] = "Softsign", [RNNC_AFFINE] = "Affine"};
    const bool gated = c->cell == RNNC_LSTM || c->cell == RNNC_GRU;
    const size_t directions = c->bidirectional ? 2 : 1;
    const size_t count = c->cell == RNNC_LSTM ? 3 : gated ? 2 : 1;
    rnnc_function functions[3] = {c->gate, c->candidate, c->output};
    if (!gated)
        functions[0] = c->own_functions           ? c->candidate
                       : c->cell == RNNC_RNN_RELU ? (rnnc_function){RNNC_RELU, 0, 0}
                                                  : (rnnc_function){RNNC_TANH, 0, 0};
    if (c->clip > 0)
        sprintf(text + strlen(text), " clip=%#.9g", (double)c->clip);
    if (!c->own_functions && c->cell != RNNC_RNN_RELU)
        return;
    for (size_t i = 0; i < count * directions; i++)
        sprintf(text + strlen(text), "%s%s", i ? "," : " activations=[",
                names[functions[i % count].activation]);
    put_numbers(text, "activation_alpha", functions, count, directions, e->style & GATHERED, false);
    put_numbers(text, "activation_beta", functions, count, directions, e->style & GATHERED, true);
}

/* One level of a stack: (time, batch, values) to the same, and its states. */
static void put_level(exporter *e, const rnnc_config *c, size_t columns) {
    static const char *const ops[] = {
        [RNNC_RNN_TANH] = "RNN", [RNNC_RNN_RELU] = "RNN", [RNNC_LSTM] = "LSTM", [RNNC_GRU] = "GRU"};
    const size_t directions = c->bidirectional ? 2 : 1, count = problem_tensors(c);
    const int layout = (e->style & LAYOUT) != 0;
    char w[32], r[32], b[32] = "-", h0[32] = "-", c0[32] = "-", p[32] = "-", y[32], h[32],
                       cn[32] = "";
    char inputs[256], outputs[128], attributes[512];
    put_weights(e, c, 0, count, directions, columns, w);
    put_weights(e, c, 1, count, directions, c->hidden_size, r);
    if (c->bias)
        put_weights(e, c, 2, count, directions, 1, b);
    if (c->peepholes)
        put_peepholes(e, c, count, directions, p);
    e->weight += count * directions;
    if (!layout || e->style & IN_FILE || !(e->style & GIVEN)) {
        put_state(e, 'h', e->h_row, directions, c->hidden_size, h0);
        if (c->cell == RNNC_LSTM)
            put_state(e, 'c', e->c_row, directions, c->hidden_size, c0);
    }
    e->h_row += directions;
    e->c_row += c->cell == RNNC_LSTM ? directions : 0;
    invent(e, y);
    invent(e, h);
    if (c->cell == RNNC_LSTM)
        invent(e, cn);
    snprintf(inputs, sizeof inputs, "%s %s %s %s %s %s %s %s", e->value, w, r, b,
             e->style & LENGTHS ? "lengths" : "-", h0, c0, p);
    snprintf(outputs, sizeof outputs, "%s %s %s", y, h, cn);
    snprintf(attributes, sizeof attributes, "hidden_size=%zu direction=%s%s%s", c->hidden_size,
             c->bidirectional ? "bidirectional"
             : c->reverse     ? "reverse"
                              : "forward",
             layout ? " layout=1" : "",
             c->cell == RNNC_GRU && !c->reset_before ? " linear_before_reset=1" : "");
    put_functions(e, c, attributes);
    onnx_node(&e->graph, ops[c->cell], inputs, outputs, attributes);
    snprintf(e->hn + strlen(e->hn), 64, "%s%s", e->hn[0] ? " " : "", h);
    if (cn[0])
        snprintf(e->cn + strlen(e->cn), 64, "%s%s", e->cn[0] ? " " : "", cn);
    strcpy(e->h, h);
    strcpy(e->value, y);
    if (layout) { /* (batch, time, directions, hidden) */
        step_by(e, "Reshape", "0,0,-1", "");
    } else if (directions == 1) {
        step_by(e, "Squeeze", "1", "");
    } else {
        step(e, "Transpose", e->value, "perm=0,2,1,3");
        step_by(e, "Reshape", "0,0,-1", "");
    }
}

static void put_stack(exporter *e, const rnnc_config *c) {
    const bool turn = e->batch_first && !(e->style & LAYOUT);
    if (turn)
        step(e, "Transpose", e->value, "perm=1,0,2");
    for (size_t level = 0; level < c->num_layers; level++)
        put_level(e, c, level == 0 ? c->input_size : c->hidden_size * (c->bidirectional ? 2 : 1));
    if (turn)
        step(e, "Transpose", e->value, "perm=1,0,2");
}

/* What a layer reads that runs once: (batch, values). */
static void put_last(exporter *e, const rnnc_layer *l, const rnnc_config *before) {
    char a[32], b[32], inputs[80];
    const size_t directions = before && before->bidirectional ? 2 : 1;
    e->once = true;
    if (l->last_step && e->style & GATHERED) {
        invent(e, a);
        const int64_t last = -1;
        onnx_initializer(&e->graph, a, ONNX_INT64, "", &last, sizeof last);
        snprintf(inputs, sizeof inputs, "%s %s", e->value, a);
        step(e, "Gather", inputs, e->batch_first ? "axis=1" : "axis=0");
    } else if (l->last_step) {
        char c[32];
        invent(e, a);
        onnx_ints(&e->graph, a, "-1");
        invent(e, b);
        onnx_ints(&e->graph, b, "9223372036854775807");
        invent(e, c);
        onnx_ints(&e->graph, c, e->batch_first ? "1" : "0");
        char all[160];
        snprintf(all, sizeof all, "%s %s %s %s", e->value, a, b, c);
        step(e, "Slice", all, "");
        step_by(e, "Squeeze", e->batch_first ? "1" : "0", "");
    } else if (directions == 1) {
        strcpy(e->value, e->h);
        step_by(e, "Squeeze", e->style & LAYOUT ? "1" : "0", "");
    } else if (e->style & GATHERED) {
        char part[2][32];
        for (int d = 0; d < 2; d++) {
            const int64_t index = d - 2;
            invent(e, a);
            onnx_initializer(&e->graph, a, ONNX_INT64, "", &index, sizeof index);
            snprintf(inputs, sizeof inputs, "%s %s", e->h, a);
            step(e, "Gather", inputs, e->style & LAYOUT ? "axis=1" : "axis=0");
            strcpy(part[d], e->value);
        }
        snprintf(inputs, sizeof inputs, "%s %s", part[0], part[1]);
        step(e, "Concat", inputs, "axis=1");
    } else {
        strcpy(e->value, e->h);
        if (!(e->style & LAYOUT))
            step(e, "Transpose", e->value, "perm=1,0,2");
        step_by(e, "Reshape", "0,-1", "");
    }
}

/* All steps side by side, (batch, steps * values). */
static void put_flat(exporter *e) {
    if (!e->batch_first)
        step(e, "Transpose", e->value, "perm=1,0,2");
    if (e->style & GATHERED)
        step(e, "Flatten", e->value, "");
    else
        step_by(e, "Reshape", "0,-1", "");
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

enum { ALONE = sizeof alone / sizeof *alone };

static void put_function(exporter *e, const rnnc_layer *l) {
    /* In front of all steps side by side or behind them it is the same. */
    if (l[1].steps && e->style & FLATTENED)
        put_flat(e);
    for (size_t i = 0; i < ALONE; i++)
        if (alone[i].activation == l->activation && !(alone[i].alpha < l->alpha) &&
            !(alone[i].alpha > l->alpha)) {
            char inputs[96], bounds[2][32];
            snprintf(inputs, sizeof inputs, "%s", e->value);
            if (l->activation == RNNC_HARD_TANH) {
                for (size_t k = 0; k < 2; k++) {
                    invent(e, bounds[k]);
                    onnx_floats(&e->graph, bounds[k], "", k ? &l->beta : &l->alpha, 1);
                }
                snprintf(inputs, sizeof inputs, "%s %s %s", e->value, bounds[0], bounds[1]);
            }
            step(e, alone[i].op, inputs, alone[i].attributes);
            return;
        }
    abort();
}

static void put_dense(exporter *e, const rnnc_layer *l, const rnnc_config *before) {
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
    invent(e, w);
    if (bias) {
        invent(e, b);
        snprintf(dims, sizeof dims, "%zu", l->outputs);
        onnx_floats(&e->graph, b, dims, bias, l->outputs);
    }
    const bool flat = e->style & FLATTENED && !e->once;
    if (e->once || flat) {
        char numbers[32];
        if (flat) {
            invent(e, shape);
            onnx_node(&e->graph, "Shape", e->value, shape, "end=2");
            snprintf(numbers, sizeof numbers, "-1,%zu", l->inputs);
            step_by(e, "Reshape", numbers, "");
        }
        snprintf(dims, sizeof dims, "%zu,%zu", l->outputs, l->inputs);
        onnx_floats(&e->graph, w, dims, weight, l->outputs * l->inputs);
        snprintf(inputs, sizeof inputs, "%s %s%s%s", e->value, w, b[0] ? " " : "", b);
        step(e, "Gemm", inputs, "transB=1 alpha=1.0 beta=1.0");
        if (flat) { /* (shape(value)[:2], outputs) */
            char size[32], all[32];
            invent(e, size);
            snprintf(numbers, sizeof numbers, "%zu", l->outputs);
            onnx_ints(&e->graph, size, numbers);
            invent(e, all);
            snprintf(inputs, sizeof inputs, "%s %s", shape, size);
            onnx_node(&e->graph, "Concat", inputs, all, "axis=0");
            snprintf(inputs, sizeof inputs, "%s %s", e->value, all);
            step(e, "Reshape", inputs, "");
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
        step(e, "MatMul", inputs, "");
        if (bias) {
            snprintf(inputs, sizeof inputs, "%s %s", b, e->value);
            step(e, "Add", inputs, "");
        }
    }
    if (functions[l->activation])
        step(e, functions[l->activation], e->value, l->activation >= RNNC_SOFTMAX ? "axis=-1" : "");
}

static void put_embedding(exporter *e, const rnnc_layer *l) {
    char table[32], dims[64], inputs[80];
    invent(e, table);
    snprintf(dims, sizeof dims, "%zu,%zu", l->inputs, l->outputs);
    onnx_floats(&e->graph, table, dims, e->m->values[e->weight++], l->inputs * l->outputs);
    snprintf(inputs, sizeof inputs, "%s %s", table, e->value);
    step(e, "Gather", inputs, "");
}

static void put_states(exporter *e, const char *name, const char *list) {
    const int layout = (e->style & LAYOUT) != 0;
    onnx_node(&e->graph, "Concat", list, name, layout ? "axis=1" : "axis=0");
    onnx_value(&e->graph, 12, name, ONNX_FLOAT, "n,batch,hidden");
}

static onnx_bytes export_model(const model *m, unsigned style) {
    exporter e = {.m = m, .style = style, .batch_first = m->batch_first};
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
            put_stack(&e, before = &l->recurrent);
    }
    if (m->residual) {
        char inputs[80];
        snprintf(inputs, sizeof inputs, "%s x", e.value);
        step(&e, "Add", inputs, "");
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

static void expect_near(const char *what, size_t count, const float *got, const double *want,
                        unsigned seed) {
    double largest = 0;
    for (size_t i = 0; i < count; i++) {
        const double error = fabs((double)got[i] - want[i]);
        largest = error <= largest ? largest : error;
    }
    cr_expect(largest <= 1e-5, "case %u: %s differs by %g", seed, what, largest);
}

static float *nan_floats(size_t count) {
    float *const list = malloc((count + 1) * sizeof *list);
    for (size_t i = 0; i < count; i++)
        list[i] = NAN;
    return list;
}

/* Imports, compiles and runs the model, and compares all that it gives. */
static void expect_answers(const model *m, unsigned style, unsigned seed) {
    char dir[PATH_SIZE], path[PATH_SIZE];
    const model_sizes sizes = model_sizes_of(m);
    rnnc_error err;
    workdir_make(dir);
    path_join(path, dir, "net.onnx");
    onnx_bytes bytes = export_model(m, style);
    cr_assert(file_write(path, (const char *)bytes.data, bytes.size));
    free(bytes.data);
    outcome o = run(dir, "import", "net.onnx", "--name=net", NULL, NULL);
    cr_assert_eq(o.code, 0, "case %u: %s", seed, o.err);
    cr_expect(strstr(o.out, "(Erf), on which no output depends"), "%s", o.out);
    outcome_free(&o);
    o = run(dir, "compile", "net.lua", NULL, NULL, NULL);
    cr_assert_eq(o.code, 0, "case %u: %s", seed, o.err);
    outcome_free(&o);
    void *const library = build_library(NULL, "-O0", dir, NULL, &err);
    cr_assert(library, "%s", err.message);
    const rnnc_model *const made = library_model(library, "net", &err);
    cr_assert(made, "%s", err.message);
    cr_assert_eq(made->input, sizes.input);
    cr_assert_eq(made->output, sizes.output);
    cr_assert_eq(made->lengths != 0, m->lengths != NULL);
    const size_t y_count = model_y_count(m), h = sizes.h * m->batch, c = sizes.c * m->batch;
    float *const y = nan_floats(y_count), *const hn = nan_floats(h), *const cn = nan_floats(c);
    void *const workspace = malloc(rnnc_model_workspace_size(made, m->seq_len, m->batch));
    const rnnc_call call = {.seq_len = m->seq_len,
                            .batch = m->batch,
                            .tokens = m->tokens,
                            .lengths = m->lengths,
                            .x = m->x,
                            .h0 = style & IN_FILE ? NULL : m->h0,
                            .c0 = style & IN_FILE ? NULL : m->c0,
                            .y = y,
                            .hn = hn,
                            .cn = c ? cn : NULL,
                            .workspace = workspace};
    cr_assert(workspace && rnnc_model_forward(made, &call, &err) == RNNC_OK, "case %u: %s", seed,
              err.message);
    expect_near("y", y_count, y, m->y, seed);
    expect_near("hn", h, hn, m->hn, seed);
    expect_near("cn", c, cn, m->cn, seed);
    free(workspace);
    free(y);
    free(hn);
    free(cn);
    close_library(library);
    workdir_remove(dir);
}

static bool is_of_onnx(rnnc_function f) {
    return f.activation <= RNNC_SIGMOID || f.activation == RNNC_ELU ||
           f.activation == RNNC_LEAKY_RELU || f.activation == RNNC_SOFTPLUS ||
           f.activation == RNNC_HARD_SIGMOID || f.activation == RNNC_SOFTSIGN ||
           f.activation == RNNC_AFFINE;
}

/* A stack of a random kind. */
static rnnc_layer random_stack(rng *r, size_t inputs, size_t hidden) {
    rnnc_layer l = {.kind = RNNC_RECURRENT};
    rnnc_config *const c = &l.recurrent;
    static const rnnc_cell cells[] = {RNNC_RNN_TANH, RNNC_RNN_RELU, RNNC_LSTM, RNNC_GRU};
    c->cell = cells[rng_below(r, 4)];
    c->input_size = inputs;
    c->hidden_size = hidden;
    c->num_layers = 1 + rng_below(r, 2);
    c->bias = rng_below(r, 4) != 0;
    c->bidirectional = rng_below(r, 2) != 0;
    c->reverse = !c->bidirectional && rng_below(r, 3) == 0;
    c->reset_before = c->cell == RNNC_GRU && rng_below(r, 2);
    c->peepholes = c->cell == RNNC_LSTM && rng_below(r, 3) == 0;
    /* Functions that ONNX has. */
    do
        activation_choose_functions(c, r);
    while (c->own_functions &&
           !(is_of_onnx(c->gate) && is_of_onnx(c->candidate) && is_of_onnx(c->output)));
    return l;
}

static size_t width_of(const rnnc_layer *l) {
    return l->kind == RNNC_RECURRENT
               ? l->recurrent.hidden_size * (l->recurrent.bidirectional ? 2 : 1)
               : l->outputs;
}

static void check_case(unsigned seed) {
    rng r = {seed * 7919u + 5};
    rnnc_layer layers[MODEL_LAYERS] = {0};
    size_t count = 0, width = 3;
    const size_t hidden = 2 + rng_below(&r, 5);
    unsigned style = (unsigned)rng_below(&r, STYLES);
    const bool batch_first = rng_below(&r, 2) != 0, lengths = (style & LENGTHS) != 0;
    if (rng_below(&r, 4) == 0) {
        layers[count++] = (rnnc_layer){.kind = RNNC_EMBEDDING, .inputs = 11, .outputs = 4};
        width = 4;
    } else if (rng_below(&r, 4) == 0 && !lengths) {
        layers[count++] = (rnnc_layer){
            .kind = RNNC_DENSE, .inputs = width, .outputs = 4, .bias = 1, .activation = RNNC_RELU};
        width = 4;
    }
    for (size_t n = 1 + rng_below(&r, 2); n > 0; n--) {
        layers[count] = random_stack(&r, width, hidden);
        width = width_of(&layers[count++]);
        if (rng_below(&r, 3) == 0) {
            const size_t k = rng_below(&r, ALONE);
            layers[count++] = (rnnc_layer){.kind = RNNC_ACTIVATION,
                                           .inputs = width,
                                           .outputs = width,
                                           .activation = alone[k].activation,
                                           .alpha = alone[k].alpha,
                                           .beta = alone[k].beta};
        }
    }
    for (size_t n = lengths ? 0 : rng_below(&r, 3); n > 0; n--) {
        rnnc_layer d = {.kind = RNNC_DENSE, .inputs = width, .outputs = 3 + n};
        const bool first = layers[count - 1].kind == RNNC_RECURRENT;
        d.bias = rng_below(&r, 3) != 0;
        d.activation = (rnnc_activation)rng_below(&r, n == 1 ? 6 : 4);
        d.last_step = first && rng_below(&r, 3) == 0;
        d.last_state = first && !d.last_step && rng_below(&r, 2) == 0;
        layers[count++] = d;
        width = d.outputs;
    }
    if (!batch_first)
        style &= ~(unsigned)LAYOUT;
    /* Names of states in that order are not those of rnnc. */
    if (style & LAYOUT && !(style & IN_FILE))
        style &= ~(unsigned)GIVEN;
    if (!(style & GIVEN))
        style &= ~(unsigned)IN_FILE;
    const size_t batch = style & (SYMBOLIC | LAYOUT | IN_FILE) ? 1 : 3;
    const bool with_states = (style & GIVEN) != 0;
    model m = model_make(layers, count, batch_first, 0, 5, batch, with_states, &r);
    if (lengths)
        model_set_lengths(&m, &r);
    model_solve(&m);
    expect_answers(&m, style, seed);
    model_free(&m);
}

enum { SEEDS = 40, FAST_SEEDS = 24 };

ParameterizedTestParameters(import_onnx_made, has_the_answers) {
    static unsigned seeds[SEEDS];
    for (unsigned i = 0; i < SEEDS; i++)
        seeds[i] = i;
    return cr_make_param_array(unsigned, seeds, getenv("RNNC_TEST_FAST") ? FAST_SEEDS : SEEDS,
                               NULL);
}

ParameterizedTest(const unsigned *seed, import_onnx_made, has_the_answers, .timeout = 120) {
    check_case(*seed);
}

/* y = dense(lstm(x)) + x. */
Test(import_onnx_made, sum_with_x, .timeout = 120) {
    rng r = {77};
    const rnnc_layer layers[] = {
        {.kind = RNNC_RECURRENT,
         .recurrent =
             {.cell = RNNC_LSTM, .input_size = 3, .hidden_size = 5, .num_layers = 1, .bias = 1}},
        {.kind = RNNC_DENSE, .inputs = 5, .outputs = 3, .bias = 1},
    };
    model m = model_make(layers, 2, true, 3, 5, 2, false, &r);
    model_solve(&m);
    expect_answers(&m, 0, 1000);
    model_free(&m);
}

/* Dense layers that read all steps of what an LSTM gives, of a function between them, and of a
 * dense layer of each step. */
Test(import_onnx_made, all_steps_side_by_side, .timeout = 120) {
    enum { STEPS = 5, HIDDEN = 4 };
    for (unsigned seed = 0; seed < 4; seed++) {
        rng r = {seed + 90};
        const int both = seed & 1;
        const size_t width = both ? 2 * HIDDEN : HIDDEN;
        const rnnc_layer lstm = {.kind = RNNC_RECURRENT,
                                 .recurrent = {.cell = RNNC_LSTM,
                                               .input_size = 3,
                                               .hidden_size = HIDDEN,
                                               .num_layers = 1,
                                               .bias = 1,
                                               .bidirectional = both}};
        const rnnc_layer between =
            seed < 2
                ? (rnnc_layer){.kind = RNNC_ACTIVATION,
                               .inputs = width,
                               .outputs = width,
                               .activation = RNNC_RELU}
                : (rnnc_layer){.kind = RNNC_DENSE, .inputs = width, .outputs = width, .bias = 1};
        const rnnc_layer layers[] = {
            lstm,
            between,
            {.kind = RNNC_DENSE,
             .inputs = STEPS * width,
             .outputs = 3,
             .bias = 1,
             .steps = STEPS,
             .activation = RNNC_TANH},
            {.kind = RNNC_DENSE, .inputs = 3, .outputs = 2},
        };
        model m = model_make(layers, 4, seed < 3, 0, STEPS, 3, false, &r);
        model_solve(&m);
        expect_answers(&m, (seed & 1 ? GATHERED : 0) | (seed < 2 ? FLATTENED : 0), 2000 + seed);
        model_free(&m);
    }
}
