#include "model_run.h"
#include "check.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool fail(rnnc_error *err, const char *format, ...) {
    va_list args;
    va_start(args, format);
    err->status = RNNC_ERR_ARGUMENT;
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return false;
}

/* ---- results ---- */

model_results results_make(const model *m) {
    const model_sizes s = model_sizes_of(m);
    const size_t y = model_y_count(m), h = s.h * m->batch, c = s.c * m->batch;
    model_results r = {.count = y + h + c};
    r.y = malloc(r.count * sizeof *r.y);
    if (!r.y)
        abort();
    memset(r.y, 0xFF, r.count * sizeof *r.y);
    r.hn = h ? r.y + y : NULL;
    r.cn = c ? r.y + y + h : NULL;
    return r;
}

void results_start(const model_results *r, const model *m) {
    const model_sizes s = model_sizes_of(m);
    const size_t y = model_y_count(m);
    memset(r->y, 0xFF, y * sizeof *r->y);
    memset(r->y + y, 0, (r->count - y) * sizeof *r->y);
    if (m->h0)
        memcpy(r->hn, m->h0, s.h * m->batch * sizeof *r->hn);
    if (m->c0)
        memcpy(r->cn, m->c0, s.c * m->batch * sizeof *r->cn);
}

void results_free(model_results *r) {
    free(r->y);
    *r = (model_results){0};
}

bool results_same(const model_results *a, const model_results *b) {
    return a->count == b->count && memcmp(a->y, b->y, a->count * sizeof *a->y) == 0;
}

/* ---- a call ---- */

enum { GUARDS = 9 };

/* Names of the guards, in the order in which model_run has them. */
static const char *const guard_names[GUARDS] = {"the input", "h0", "c0", "lengths",  "weights",
                                                "y",         "hn", "cn", "workspace"};

/* `size` bytes copied from `from`, not to be written; nothing if from is NULL. */
static guard read_only(const void *from, size_t size) {
    if (!from)
        return (guard){0};
    guard f = guard_make(size, 0);
    memcpy(f.data, from, size);
    guard_protect(&f);
    return f;
}

/* A state at the start: writable if the end goes there too, zeros if that has to be. */
static guard state_at_start(const float *from, size_t count, bool in_place) {
    if (!in_place || !count)
        return read_only(count ? from : NULL, count * sizeof *from);
    guard f = guard_floats(from, count);
    if (!from)
        memset(f.data, 0, f.size);
    return f;
}

static guard lengths_of(const rnnc_model *net, const model *m, const model_way *way) {
    if (m->lengths)
        return read_only(m->lengths, m->batch * sizeof *m->lengths);
    if (!way->full_lengths || !net->lengths)
        return (guard){0};
    guard f = guard_make(m->batch * sizeof(size_t), 0);
    for (size_t b = 0; b < m->batch; b++)
        memcpy((size_t *)f.data + b, &m->seq_len, sizeof(size_t));
    guard_protect(&f);
    return f;
}

static void copy_out(float *to, const float *from, size_t n) {
    if (from && n)
        memcpy(to, from, n * sizeof *to);
}

bool model_run(const rnnc_model *net, const float *packed, const model *m, const model_way *way,
               const model_results *to, rnnc_error *err) {
    const model_sizes s = model_sizes_of(m);
    const size_t h = s.h * m->batch, c = s.c * m->batch, steps = m->seq_len * m->batch;
    const size_t workspace = net->workspace_size(m->seq_len, m->batch);
    if (workspace == 0)
        return fail(err, "workspace_size(%zu, %zu) is 0", m->seq_len, m->batch);
    const bool ends = !way->without_ends && !way->in_place;
    guard f[GUARDS] = {
        s.tokens ? read_only(m->tokens, steps * sizeof *m->tokens)
                 : read_only(m->x, steps * s.input * sizeof *m->x),
        state_at_start(m->h0, h, way->in_place),
        state_at_start(m->c0, c, way->in_place),
        lengths_of(net, m, way),
        read_only(packed, net->packed_count * sizeof *packed),
        guard_floats(NULL, model_y_count(m)),
        ends && h ? guard_floats(NULL, h) : (guard){0},
        ends && c ? guard_floats(NULL, c) : (guard){0},
        guard_make(workspace, way->misalign),
    };
    for (size_t i = 0; way->garbage && i < workspace; i++)
        ((unsigned char *)f[8].data)[i] = (unsigned char)(i * 151 + 77);
    const rnnc_call call = {.weights = f[4].data,
                            .seq_len = m->seq_len,
                            .batch = m->batch,
                            .tokens = s.tokens ? f[0].data : NULL,
                            .lengths = f[3].data,
                            .x = s.tokens ? NULL : f[0].data,
                            .h0 = f[1].data,
                            .c0 = f[2].data,
                            .y = f[5].data,
                            .hn = way->in_place ? f[1].data : f[6].data,
                            .cn = way->in_place ? f[2].data : f[7].data,
                            .workspace = f[8].data};
    rnnc_error why = {RNNC_OK, ""};
    const rnnc_status status =
        way->by_runtime ? rnnc_model_forward(net, &call, &why) : net->forward(&call);
    bool ok = status == RNNC_OK || fail(err, "status %d %.1000s", (int)status, why.message);
    for (size_t i = 0; i < GUARDS; i++)
        if (ok && f[i].map && !guard_intact(&f[i]))
            ok = fail(err, "bytes around %s were written", guard_names[i]);
    memset(to->y, 0xFF, to->count * sizeof *to->y);
    copy_out(to->y, call.y, model_y_count(m));
    copy_out(to->hn, call.hn, h);
    copy_out(to->cn, call.cn, c);
    for (size_t i = 0; i < GUARDS; i++)
        guard_free(&f[i]);
    return ok;
}

/* ---- what is right ---- */

bool model_compare(const model *m, const model_results *got, double tolerance, rnnc_error *err) {
    const model_sizes s = model_sizes_of(m);
    const size_t outer = s.last_step ? 1 : m->batch_first ? m->batch : m->seq_len;
    const size_t inner = s.last_step || !m->batch_first ? m->batch : m->seq_len;
    const comparison of_y = {.what = "y",
                             .axes = m->batch_first && !s.last_step ? "btu" : "tbu",
                             .dims = {outer, inner, s.output},
                             .tolerance = tolerance};
    const comparison of_h = {
        .what = "hn", .axes = "00i", .dims = {1, 1, s.h * m->batch}, .tolerance = tolerance};
    const comparison of_c = {
        .what = "cn", .axes = "00i", .dims = {1, 1, s.c * m->batch}, .tolerance = tolerance};
    if (!compare(&of_y, got->y, m->y, err) || (got->hn && !compare(&of_h, got->hn, m->hn, err)) ||
        (got->cn && !compare(&of_c, got->cn, m->cn, err)))
        return false;
    for (size_t b = 0; m->lengths && !s.last_step && b < m->batch; b++)
        for (size_t t = m->lengths[b]; t < m->seq_len; t++)
            for (size_t i = 0; i < s.output; i++)
                if (!(got->y[model_at(m, t, b, s.output) + i] == 0.0f))
                    return fail(err, "y[t=%zu,b=%zu,u=%zu] is not 0 behind a length of %zu", t, b,
                                i, m->lengths[b]);
    return true;
}

bool model_run_all_ways(const rnnc_model *net, const float *packed, const model *m,
                        double tolerance, rnnc_error *err) {
    static const struct {
        const char *what;
        model_way way;
    } ways[] = {
        {"plain", {0}},
        {"rnnc_model_forward", {.by_runtime = true}},
        {"a workspace that ends 1 byte early", {.misalign = 1}},
        {"a workspace that ends 20 bytes early, full of garbage",
         {.misalign = 20, .garbage = true}},
        {"hn == h0", {.in_place = true}},
        {"hn NULL", {.without_ends = true}},
        {"lengths of T", {.full_lengths = true}},
    };
    model_results first = results_make(m), now = results_make(m);
    const size_t y = model_y_count(m);
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof ways / sizeof *ways; i++) {
        rnnc_error why = {RNNC_OK, ""};
        ok = model_run(net, packed, m, &ways[i].way, i ? &now : &first, &why) &&
             ((i && !ways[i].way.full_lengths) ||
              model_compare(m, i ? &now : &first, tolerance, &why));
        if (!ok)
            fail(err, "%s: %.1800s", ways[i].what, why.message);
        const size_t count = ways[i].way.without_ends ? y : first.count;
        /* Calls with lengths run a program of their own, which may add in another order. */
        if (ok && i && !ways[i].way.full_lengths &&
            memcmp(first.y, now.y, count * sizeof *now.y) != 0)
            ok = fail(err, "%s: not the bits of the plain call", ways[i].what);
    }
    results_free(&first);
    results_free(&now);
    return ok;
}

static bool same_function(rnnc_function a, rnnc_function b) {
    return a.activation == b.activation && !(a.alpha < b.alpha || a.alpha > b.alpha) &&
           !(a.beta < b.beta || a.beta > b.beta);
}

/* Those that the cell has. */
static bool same_functions(const rnnc_config *a, const rnnc_config *b) {
    const bool gated = a->cell == RNNC_LSTM || a->cell == RNNC_GRU;
    return !a->own_functions || (same_function(a->candidate, b->candidate) &&
                                 (!gated || same_function(a->gate, b->gate)) &&
                                 (a->cell != RNNC_LSTM || same_function(a->output, b->output)));
}

static bool same_layer(const rnnc_layer *a, const rnnc_layer *b) {
    if (a->kind != b->kind)
        return false;
    const rnnc_config *const x = &a->recurrent, *const y = &b->recurrent;
    if (a->kind == RNNC_RECURRENT)
        return x->cell == y->cell && x->input_size == y->input_size &&
               x->hidden_size == y->hidden_size && x->num_layers == y->num_layers &&
               x->bias == y->bias && x->bidirectional == y->bidirectional &&
               x->proj_size == y->proj_size && x->reverse == y->reverse &&
               x->reset_before == y->reset_before && x->peepholes == y->peepholes &&
               x->layer_norm == y->layer_norm && x->norm_state == y->norm_state &&
               memcmp(&x->norm_eps, &y->norm_eps, sizeof x->norm_eps) == 0 &&
               x->initial_state == y->initial_state && !(x->clip < y->clip || x->clip > y->clip) &&
               x->own_functions == y->own_functions && same_functions(x, y);
    if (a->inputs != b->inputs || a->outputs != b->outputs)
        return false;
    return a->kind == RNNC_EMBEDDING ||
           (a->activation == b->activation && memcmp(&a->alpha, &b->alpha, sizeof a->alpha) == 0 &&
            memcmp(&a->beta, &b->beta, sizeof a->beta) == 0 && a->bias == b->bias &&
            a->last_step == b->last_step && a->last_state == b->last_state && a->tied == b->tied &&
            a->steps == b->steps);
}

bool model_described(const rnnc_model *net, const model *m, rnnc_error *err) {
    const model_sizes s = model_sizes_of(m);
    const rnnc_network *const own = &net->network;
    if (net->abi != RNNC_ABI || own->layer_count != m->layer_count)
        return fail(err, "abi %u, %zu layers", (unsigned)net->abi, own->layer_count);
    for (size_t i = 0; i < m->layer_count; i++)
        if (!same_layer(&own->layer[i], &m->layer[i]))
            return fail(err, "layer %zu is described as another", i);
    if (net->input != s.input || net->output != s.output ||
        own->batch_first != (m->batch_first ? 1 : 0) || own->residual != m->residual)
        return fail(err, "input %zu, output %zu, batch_first %d, residual %zu", net->input,
                    net->output, own->batch_first, own->residual);
    if (net->weight_count != m->weight_count)
        return fail(err, "%zu weights, not %zu", net->weight_count, m->weight_count);
    for (size_t i = 0; i < m->weight_count; i++) {
        const rnnc_weight *const want = &m->weight[i], *const got = &net->weight[i];
        if (strcmp(got->name, want->name) != 0 || got->rows != want->rows ||
            got->cols != want->cols)
            return fail(err, "weight %zu is %s (%zu, %zu), not %s (%zu, %zu)", i, got->name,
                        got->rows, got->cols, want->name, want->rows, want->cols);
    }
    return true;
}

float *model_pack(const rnnc_model *net, const model *m) {
    if (net->built_in)
        return NULL;
    float *const packed = malloc(net->packed_count * sizeof *packed);
    if (!packed || rnnc_model_pack(net, (const float *const *)m->values, packed))
        abort();
    return packed;
}
