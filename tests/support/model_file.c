#define _XOPEN_SOURCE 700
#include "activation.h"
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_layer(FILE *out, const model *m, size_t i) {
    const rnnc_layer *const l = &m->layer[i];
    static const char *const cells[] = {"rnn", "rnn", "lstm", "gru"};
    const rnnc_config *const c = &l->recurrent;
    const rnnc_function f = {l->activation, l->alpha, l->beta};
    if (model_merges(l))
        return;
    fputs("    ", out);
    if (l->kind == RNNC_ACTIVATION) {
        const char *const name = rnnc_activation_name(l->activation);
        if (l->activation == RNNC_SCALE || l->activation == RNNC_SHIFT)
            fprintf(out, "scale { %s = true", name);
        else
            fprintf(out, "activation { activation = \"%s\"", name);
        activation_put_numbers(out, "alpha", "beta", f);
    } else if (l->kind == RNNC_EMBEDDING) {
        fprintf(out, "embedding { num_embeddings = %zu, dim = %zu", l->inputs, l->outputs);
    } else if (l->kind == RNNC_DENSE) {
        if (l->steps)
            fputs("flatten { },\n    ", out);
        fprintf(out, "dense { units = %zu, activation = \"%s\", bias = %s", l->outputs,
                rnnc_activation_name(l->activation), l->bias ? "true" : "false");
        activation_put_numbers(out, "alpha", "beta", f);
        /* What reads last states that are merged stands behind what merges them. */
        const bool ends = l->last_state || (i > 0 && model_merges(&l[-1]) && l[-1].last_state);
        if (l->last_step || ends)
            fprintf(out, ", %s = true", l->last_step ? "last_step" : "last_state");
        if (l->tied)
            fputs(", tied = true", out);
    } else {
        fprintf(out, "rnn { cell = \"%s\", hidden_size = %zu, num_layers = %zu", cells[c->cell],
                c->hidden_size, c->num_layers);
        activation_put_functions(out, c);
        fprintf(out, ", bias = %s, bidirectional = %s", c->bias ? "true" : "false",
                c->bidirectional ? "true" : "false");
        if (c->layer_norm)
            fprintf(out, ", layer_norm = true, layer_norm_eps = %.9g%s", (double)c->norm_eps,
                    c->norm_state ? ", layer_norm_state = true" : "");
        if (c->peepholes)
            fputs(", peepholes = true", out);
        if (c->reset_before)
            fputs(", reset_after = false", out);
        if (i + 1 < m->layer_count && model_merges(&l[1]))
            fprintf(out, ", merge = \"%s\"",
                    l[1].kind == RNNC_MERGE_SUM   ? "sum"
                    : l[1].kind == RNNC_MERGE_MUL ? "mul"
                                                  : "ave");
        if (c->reverse)
            fputs(", direction = \"reverse\"", out);
    }
    if (i == 0 && l->kind != RNNC_EMBEDDING)
        fprintf(out, ", input_size = %zu", l->kind == RNNC_RECURRENT ? c->input_size : l->inputs);
    fprintf(out, ", prefix = \"L%zu.\" },\n", i);
}

char *model_text(const model *m, const char *fields) {
    char *text = NULL;
    size_t size = 0;
    FILE *const out = open_memstream(&text, &size);
    if (!out)
        abort();
    const model_sizes s = model_sizes_of(m);
    fprintf(out, "return model {\n  batch_first = %s, ", m->batch_first ? "true" : "false");
    if (m->residual && (m->residual < s.input || m->residual < s.output))
        fprintf(out, "residual = %zu", m->residual);
    else
        fprintf(out, "residual = %s", m->residual ? "true" : "false");
    fprintf(out, ",\n  %s\n  layers = {\n", fields);
    for (size_t i = 0; i < m->layer_count; i++)
        put_layer(out, m, i);
    fputs("  },\n}\n", out);
    fclose(out);
    return text;
}

bool model_write_weights(const model *m, const char *path, const char *prefix, rnnc_error *err) {
    char(*names)[160] = model_allocate(m->weight_count, sizeof *names);
    const char **name = model_allocate(m->weight_count, sizeof *name);
    rnnc_tensor *tensors = model_allocate(m->weight_count, sizeof *tensors);
    rnnc_status status = RNNC_OK;
    for (size_t i = 0; i < m->weight_count && !status; i++) {
        const rnnc_weight *const w = &m->weight[i];
        const size_t shape[2] = {w->rows, w->cols};
        snprintf(names[i], sizeof names[i], "%s%s", prefix, w->name);
        name[i] = names[i];
        status = rnnc_tensor_make(&tensors[i], RNNC_F32, w->cols ? 2 : 1, shape, m->values[i],
                                  model_weight_floats(w) * sizeof(float));
    }
    if (!status)
        status = rnnc_safetensors_write(path, m->weight_count, name, tensors, 0, NULL, NULL, err);
    free(tensors);
    free(name);
    free(names);
    return status == RNNC_OK;
}
