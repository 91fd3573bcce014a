#define _XOPEN_SOURCE 700
#include "activation.h"
#include "onnx_export.h"
#include "problem.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void onnx_invent(onnx_exporter *e, char name[32]) { snprintf(name, 32, "v%d", e->made++); }

void onnx_step(onnx_exporter *e, const char *op, const char *inputs, const char *attributes) {
    char name[32];
    onnx_invent(e, name);
    onnx_node(&e->graph, op, inputs, name, attributes);
    memcpy(e->value, name, sizeof name);
}

void onnx_step_by(onnx_exporter *e, const char *op, const char *numbers, const char *attributes) {
    char name[32], inputs[80];
    onnx_invent(e, name);
    onnx_ints(&e->graph, name, numbers);
    snprintf(inputs, sizeof inputs, "%s %s", e->value, name);
    onnx_step(e, op, inputs, attributes);
}

/* ONNX' gates among PyTorch's: i o f c of i f g o; z r h of r z n. */
static size_t torch_gate(rnnc_cell cell, size_t gate) {
    static const size_t lstm[] = {0, 3, 1, 2}, gru[] = {1, 0, 2};
    return cell == RNNC_LSTM ? lstm[gate] : cell == RNNC_GRU ? gru[gate] : 0;
}

/* Tensor number `which` of each direction, side by side, as initialiser `name`. */
static void put_weights(onnx_exporter *e, const rnnc_config *c, size_t which, size_t count,
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
    onnx_invent(e, name);
    if (which >= 2)
        snprintf(dims, sizeof dims, "%zu,%zu", directions, 2 * gates * H);
    else
        snprintf(dims, sizeof dims, "%zu,%zu,%zu", directions, gates * H, columns);
    onnx_floats(&e->graph, name, dims, all, directions * biases * gates * block);
    free(all);
}

/* The peepholes of i, o and f, which stand behind the others of a direction as i, f and o. */
static void put_peepholes(onnx_exporter *e, const rnnc_config *c, size_t count, size_t directions,
                          char name[32]) {
    static const size_t order[] = {0, 2, 1};
    const size_t H = c->hidden_size;
    float *const all = malloc(directions * 3 * H * sizeof *all);
    char dims[64];
    for (size_t d = 0; d < directions; d++)
        for (size_t k = 0; k < 3; k++)
            memcpy(all + (d * 3 + k) * H, e->m->values[e->weight + (d + 1) * count - 3 + order[k]],
                   H * sizeof *all);
    onnx_invent(e, name);
    snprintf(dims, sizeof dims, "%zu,%zu", directions, 3 * H);
    onnx_floats(&e->graph, name, dims, all, directions * 3 * H);
    free(all);
}

/* The initial state "h" or "c" of one level: a part of an input, numbers, or zeros. */
static void put_state(onnx_exporter *e, char what, size_t row, size_t directions, size_t hidden,
                      char name[32]) {
    const model *const m = e->m;
    char numbers[64], inputs[160], size[32];
    if (e->style & IN_FILE) {
        char dims[64];
        onnx_invent(e, name);
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
        onnx_invent(e, from);
        onnx_invent(e, to);
        onnx_invent(e, axis);
        snprintf(numbers, sizeof numbers, "%zu", row);
        onnx_ints(&e->graph, from, numbers);
        snprintf(numbers, sizeof numbers, "%zu", row + directions);
        onnx_ints(&e->graph, to, numbers);
        onnx_ints(&e->graph, axis, "0");
        onnx_invent(e, name);
        snprintf(inputs, sizeof inputs, "%c0 %s %s %s", what, from, to, axis);
        onnx_node(&e->graph, "Slice", inputs, name, "");
        return;
    }
    /* shape = (directions, shape(x)[batch], hidden), as PyTorch's exporter puts it. */
    char shape[32], index[32], batch[32], unsqueezed[32], zero[32], first[32], last[32], all[32];
    const bool tokens = m->tokens != NULL;
    onnx_invent(e, shape);
    onnx_node(&e->graph, "Shape", tokens ? "tokens" : "x", shape, "");
    onnx_invent(e, index);
    const int64_t place = m->batch_first ? 0 : 1;
    onnx_initializer(&e->graph, index, ONNX_INT64, "", &place, sizeof place);
    onnx_invent(e, batch);
    snprintf(inputs, sizeof inputs, "%s %s", shape, index);
    onnx_node(&e->graph, "Gather", inputs, batch, "axis=0");
    onnx_invent(e, zero);
    onnx_ints(&e->graph, zero, "0");
    onnx_invent(e, unsqueezed);
    snprintf(inputs, sizeof inputs, "%s %s", batch, zero);
    onnx_node(&e->graph, "Unsqueeze", inputs, unsqueezed, "");
    onnx_invent(e, first);
    snprintf(size, sizeof size, "%zu", directions);
    onnx_ints(&e->graph, first, size);
    onnx_invent(e, last);
    snprintf(size, sizeof size, "%zu", hidden);
    onnx_ints(&e->graph, last, size);
    onnx_invent(e, all);
    if (e->style & LAYOUT)
        snprintf(inputs, sizeof inputs, "%s %s %s", unsqueezed, first, last);
    else
        snprintf(inputs, sizeof inputs, "%s %s %s", first, unsqueezed, last);
    onnx_node(&e->graph, "Concat", inputs, all, "axis=0");
    onnx_invent(e, name);
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
static void put_functions(const onnx_exporter *e, const rnnc_config *c, char *text) {
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
static void put_level(onnx_exporter *e, const rnnc_config *c, size_t columns) {
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
    onnx_invent(e, y);
    onnx_invent(e, h);
    if (c->cell == RNNC_LSTM)
        onnx_invent(e, cn);
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
        onnx_step_by(e, "Reshape", "0,0,-1", "");
    } else if (directions == 1) {
        onnx_step_by(e, "Squeeze", "1", "");
    } else {
        onnx_step(e, "Transpose", e->value, "perm=0,2,1,3");
        onnx_step_by(e, "Reshape", "0,0,-1", "");
    }
}

void onnx_put_stack(onnx_exporter *e, const rnnc_config *c) {
    const bool turn = e->batch_first && !(e->style & LAYOUT);
    if (turn)
        onnx_step(e, "Transpose", e->value, "perm=1,0,2");
    for (size_t level = 0; level < c->num_layers; level++)
        put_level(e, c, level == 0 ? c->input_size : c->hidden_size * (c->bidirectional ? 2 : 1));
    if (turn)
        onnx_step(e, "Transpose", e->value, "perm=1,0,2");
}
