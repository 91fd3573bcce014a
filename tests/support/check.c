#include "check.h"
#include "team.h"

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

static double difference(float got, double want) {
    if (isnan(want))
        return isnan(got) ? 0.0 : (double)INFINITY;
    if (isinf(want))
        return (double)got == want ? 0.0 : (double)INFINITY;
    return fabs((double)got - want); /* NaN if got is */
}

bool compare(const comparison *c, const float *got, const double *want, rnnc_error *err) {
    const size_t n = c->dims[0] * c->dims[1] * c->dims[2];
    size_t bad = 0, first = 0;
    double worst = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double e = difference(got[i], want[i]);
        if (!(e <= c->tolerance) && bad++ == 0)
            first = i;
        if (!(e <= worst))
            worst = isnan(e) ? (double)INFINITY : e;
    }
    if (bad == 0)
        return true;
    return fail(err,
                "%s[%c=%zu,%c=%zu,%c=%zu] is %.9g, not %.9g; %zu of %zu are wrong, by up to %g",
                c->what, c->axes[0], first / (c->dims[1] * c->dims[2]), c->axes[1],
                first / c->dims[2] % c->dims[1], c->axes[2], first % c->dims[2], (double)got[first],
                want[first], bad, n, worst);
}

double max_error(const float *got, const double *want, size_t n) {
    double worst = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double e = difference(got[i], want[i]);
        if (!(e <= worst))
            worst = isnan(e) ? (double)INFINITY : e;
    }
    return worst;
}

/* All the memory of one call. */
typedef struct buffers {
    guard x, h0, c0, lengths, weights, y, hn, cn, workspace;
} buffers;

enum { GUARDS = 9 };

static void buffers_list(buffers *b, guard *all[GUARDS]) {
    guard *const list[GUARDS] = {&b->x, &b->h0, &b->c0, &b->lengths,  &b->weights,
                                 &b->y, &b->hn, &b->cn, &b->workspace};
    memcpy(all, list, sizeof list);
}

static void buffers_free(buffers *b) {
    guard *all[GUARDS];
    buffers_list(b, all);
    for (size_t i = 0; i < GUARDS; i++)
        guard_free(all[i]);
}

/* A state at the start: the problem's, zeros, or none. */
static guard initial_state(const float *from, size_t count, const variation *v) {
    if (!from && !v->zero_h0)
        return (guard){0};
    guard state = guard_floats(from, count);
    if (!from)
        memset(state.data, 0, state.size);
    if (!v->in_place)
        guard_protect(&state);
    return state;
}

static guard lengths_of(const rnnc_model *model, const problem *p, const variation *v) {
    if (!p->lengths && !(v->full_lengths && model->lengths))
        return (guard){0};
    guard f = guard_make(p->batch * sizeof(size_t), 0);
    for (size_t b = 0; b < p->batch; b++)
        memcpy((size_t *)f.data + b, p->lengths ? &p->lengths[b] : &p->seq_len, sizeof(size_t));
    guard_protect(&f);
    return f;
}

static void buffers_make(buffers *b, const rnnc_model *model, const float *packed, const problem *p,
                         const variation *v, size_t workspace_size) {
    const size_t states = problem_state_count(p);
    const bool lstm = p->config.cell == RNNC_LSTM;
    b->x = guard_floats(p->x, problem_x_count(p));
    guard_protect(&b->x);
    if (packed) {
        b->weights = guard_floats(packed, model->packed_count);
        guard_protect(&b->weights);
    }
    b->h0 = initial_state(p->h0, states, v);
    if (lstm)
        b->c0 = initial_state(p->c0, states, v);
    b->lengths = lengths_of(model, p, v);
    b->y = guard_floats(NULL, problem_y_count(p));
    if (!v->without_hn && !v->in_place)
        b->hn = guard_floats(NULL, states);
    if (lstm && !v->without_cn && !v->in_place)
        b->cn = guard_floats(NULL, states);
    b->workspace = guard_make(workspace_size, v->misalign);
    if (v->garbage_workspace)
        for (size_t i = 0; i < workspace_size; i++)
            ((unsigned char *)b->workspace.data)[i] = (unsigned char)(i * 151 + 77);
}

static bool guards_intact(buffers *b, rnnc_error *err) {
    static const char *const names[GUARDS] = {"x", "h0", "c0", "lengths",  "weights",
                                              "y", "hn", "cn", "workspace"};
    guard *all[GUARDS];
    buffers_list(b, all);
    for (size_t i = 0; i < GUARDS; i++)
        if (all[i]->map && !guard_intact(all[i]))
            return fail(err, "bytes around %s were written", names[i]);
    return true;
}

/* y beyond the lengths is not nearly 0 but 0. */
static bool zero_beyond(const problem *p, const float *y, rnnc_error *err) {
    const size_t width = (p->config.bidirectional ? 2 : 1) * p->config.hidden_size;
    for (size_t b = 0; p->lengths && b < p->batch; b++)
        for (size_t t = p->lengths[b]; t < p->seq_len; t++)
            for (size_t i = 0; i < width; i++)
                if (!(y[problem_at(p, t, b, width) + i] == 0.0f))
                    return fail(err, "y[t=%zu,b=%zu,u=%zu] is not 0 behind a length of %zu", t, b,
                                i, p->lengths[b]);
    return true;
}

static bool compare_results(const problem *p, const rnnc_call *call, double tolerance,
                            rnnc_error *err) {
    const size_t directions = p->config.bidirectional ? 2 : 1, hidden = p->config.hidden_size;
    const bool batch_first = p->config.batch_first;
    const comparison of_y = {.what = "y",
                             .axes = batch_first ? "btu" : "tbu",
                             .dims = {batch_first ? p->batch : p->seq_len,
                                      batch_first ? p->seq_len : p->batch, directions * hidden},
                             .tolerance = tolerance};
    comparison of_state = {.what = "hn",
                           .axes = "qbu", /* q = layer*D + direction */
                           .dims = {p->config.num_layers * directions, p->batch, hidden},
                           .tolerance = tolerance};
    if (!compare(&of_y, call->y, p->y, err) || !zero_beyond(p, call->y, err) ||
        (call->hn && !compare(&of_state, call->hn, p->hn, err)))
        return false;
    of_state.what = "cn";
    return !call->cn || compare(&of_state, call->cn, p->cn, err);
}

/* n floats, or NaN if there are none. */
static float *append(float *to, const float *from, size_t n) {
    if (from)
        memcpy(to, from, n * sizeof(float));
    else
        memset(to, 0xFF, n * sizeof(float));
    return to + n;
}

bool check_network(const rnnc_model *model, const float *packed, const problem *p,
                   const variation *v, double tolerance, float *y_out, rnnc_error *err) {
    const size_t workspace_size = model->workspace_size(p->seq_len, p->batch);
    if (workspace_size == 0)
        return fail(err, "workspace_size(%zu, %zu) is 0", p->seq_len, p->batch);
    buffers b = {0};
    buffers_make(&b, model, packed, p, v, workspace_size);
    const bool in_place = v->in_place;
    const rnnc_call call = {.weights = b.weights.data,
                            .seq_len = p->seq_len,
                            .batch = p->batch,
                            .lengths = b.lengths.data,
                            .x = b.x.data,
                            .h0 = b.h0.data,
                            .c0 = b.c0.data,
                            .y = b.y.data,
                            .hn = in_place ? b.h0.data : b.hn.data,
                            .cn = in_place ? b.c0.data : b.cn.data,
                            .workspace = b.workspace.data,
                            .team = v->team};
    const rnnc_status status = model->forward(&call);
    bool ok = status == RNNC_OK;
    if (!ok)
        fail(err, "forward returns status %d", (int)status);
    ok = ok && compare_results(p, &call, tolerance, err) && guards_intact(&b, err);
    if (ok && y_out) {
        float *const hn = append(y_out, call.y, problem_y_count(p));
        float *const cn = append(hn, call.hn, problem_state_count(p));
        if (p->cn)
            append(cn, call.cn, problem_state_count(p));
    }
    buffers_free(&b);
    return ok;
}

/* The same bits in y and, where both were asked for, in hn and cn. */
static bool same_bits(const problem *p, const variation *v, const float *a, const float *b) {
    const size_t y = problem_y_count(p), states = problem_state_count(p);
    return memcmp(a, b, y * sizeof *a) == 0 &&
           (v->without_hn || memcmp(a + y, b + y, states * sizeof *a) == 0) &&
           (v->without_cn || !p->cn ||
            memcmp(a + y + states, b + y + states, states * sizeof *a) == 0);
}

bool check_network_all_ways(const rnnc_model *model, const float *packed, const problem *p,
                            double tolerance, rnnc_error *err) {
    static const struct {
        const char *what;
        variation v;
    } ways[] = {
        {"plain", {0}},
        {"repeated", {0}},
        {"a workspace that ends 1 byte early", {.misalign = 1}},
        {"a workspace that ends 20 bytes early, full of garbage",
         {.misalign = 20, .garbage_workspace = true}},
        {"hn NULL", {.without_hn = true}},
        {"cn NULL", {.without_cn = true}},
        {"hn == h0", {.in_place = true, .zero_h0 = true}},
        {"h0 of zeros", {.zero_h0 = true}},
        {"lengths of T", {.full_lengths = true}},
    };
    const size_t count = problem_y_count(p) + (p->cn ? 2 : 1) * problem_state_count(p);
    float *const first = malloc(count * sizeof *first), *const now = malloc(count * sizeof *now);
    if (!first || !now)
        abort();
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof ways / sizeof *ways; i++) {
        if ((ways[i].v.without_cn && !p->cn) ||
            (ways[i].v.full_lengths && (p->lengths || !model->lengths)))
            continue;
        rnnc_error why;
        ok = check_network(model, packed, p, &ways[i].v, tolerance, i ? now : first, &why);
        if (!ok)
            fail(err, "%s: %.1800s", ways[i].what, why.message);
        /* Calls with lengths run a program of their own, which may add in another order. */
        else if (i && !ways[i].v.full_lengths && !same_bits(p, &ways[i].v, first, now))
            ok = fail(err, "%s: not the bits of the plain call", ways[i].what);
    }
    if (ok && model->threads > 1)
        ok = check_teams(model, packed, p, tolerance, first, err);
    free(first);
    free(now);
    return ok;
}

bool check_description(const rnnc_model *model, const problem *p, rnnc_error *err) {
    if (model->abi != RNNC_ABI)
        return fail(err, "abi %u", (unsigned)model->abi);
    const rnnc_network *const network = &model->network;
    if (network->layer_count != 1 || network->layer[0].kind != RNNC_RECURRENT ||
        network->batch_first != p->config.batch_first || network->residual)
        return fail(err, "the model is not one recurrent network in that order");
    const rnnc_config *const a = &network->layer[0].recurrent, *const b = &p->config;
    if (a->cell != b->cell || a->input_size != b->input_size || a->hidden_size != b->hidden_size ||
        a->num_layers != b->num_layers || a->bias != b->bias || a->batch_first != b->batch_first ||
        a->bidirectional != b->bidirectional || a->clip < b->clip || a->clip > b->clip ||
        a->own_functions != b->own_functions ||
        (a->own_functions && a->candidate.activation != b->candidate.activation))
        return fail(err, "the model's config is not the spec's");
    if ((model->seq_len && model->seq_len != p->seq_len) ||
        (model->batch && model->batch != p->batch))
        return fail(err, "seq_len %zu, batch %zu", model->seq_len, model->batch);
    if (model->weight_count != p->weight_count)
        return fail(err, "%zu weights, not %zu", model->weight_count, p->weight_count);
    for (size_t i = 0; i < p->weight_count; i++) {
        const rnnc_weight want = problem_weight(b, i), *const got = &model->weight[i];
        if (strcmp(got->name, want.name) != 0 || got->rows != want.rows || got->cols != want.cols)
            return fail(err, "weight %zu is %s (%zu, %zu), not %s (%zu, %zu)", i, got->name,
                        got->rows, got->cols, want.name, want.rows, want.cols);
    }
    return true;
}

float *pack_weights(const rnnc_model *model, const problem *p) {
    if (model->built_in)
        return NULL;
    float *const packed = malloc(model->packed_count * sizeof *packed);
    if (!packed || rnnc_model_pack(model, (const float *const *)p->weight, packed))
        abort();
    return packed;
}
