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
    fence x, h0, weights, y, hn, workspace;
} buffers;

static void buffers_free(buffers *b) {
    fence_free(&b->x);
    fence_free(&b->h0);
    fence_free(&b->weights);
    fence_free(&b->y);
    fence_free(&b->hn);
    fence_free(&b->workspace);
}

static void buffers_make(buffers *b, const rnnc_model *model, const float *packed, const problem *p,
                         const variation *v, size_t workspace_size) {
    const size_t states = problem_state_count(p);
    b->x = fence_floats(p->x, problem_x_count(p));
    fence_protect(&b->x);
    if (packed) {
        b->weights = fence_floats(packed, model->packed_count);
        fence_protect(&b->weights);
    }
    if (p->h0 || v->zero_h0) {
        b->h0 = fence_floats(p->h0, states);
        if (!p->h0)
            memset(b->h0.data, 0, b->h0.size);
        if (!v->in_place)
            fence_protect(&b->h0);
    }
    b->y = fence_floats(NULL, problem_y_count(p));
    b->hn = fence_floats(NULL, v->without_hn ? 0 : states);
    b->workspace = fence_make(workspace_size, v->misalign);
    if (v->garbage_workspace)
        for (size_t i = 0; i < workspace_size; i++)
            ((unsigned char *)b->workspace.data)[i] = (unsigned char)(i * 151 + 77);
}

static bool guards_intact(const buffers *b, rnnc_error *err) {
    const struct {
        const fence *fence;
        const char *name;
    } all[] = {{&b->x, "x"}, {&b->h0, "h0"}, {&b->weights, "weights"},
               {&b->y, "y"}, {&b->hn, "hn"}, {&b->workspace, "workspace"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].fence->map && !fence_intact(all[i].fence))
            return fail(err, "bytes around %s were written", all[i].name);
    return true;
}

static bool compare_results(const problem *p, const float *y, const float *hn, double tolerance,
                            rnnc_error *err) {
    const size_t directions = p->config.bidirectional ? 2 : 1, hidden = p->config.hidden_size;
    const bool batch_first = p->config.batch_first;
    const comparison of_y = {.what = "y",
                             .axes = batch_first ? "btu" : "tbu",
                             .dims = {batch_first ? p->batch : p->seq_len,
                                      batch_first ? p->seq_len : p->batch, directions * hidden},
                             .tolerance = tolerance};
    const comparison of_hn = {.what = "hn",
                              .axes = "qbu", /* q = layer*D + direction */
                              .dims = {p->config.num_layers * directions, p->batch, hidden},
                              .tolerance = tolerance};
    return compare(&of_y, y, p->y, err) && (!hn || compare(&of_hn, hn, p->hn, err));
}

bool check_network(const rnnc_model *model, const float *packed, const problem *p,
                   const variation *v, double tolerance, float *y_out, rnnc_error *err) {
    const size_t workspace_size = model->workspace_size(p->seq_len, p->batch);
    if (workspace_size == 0)
        return fail(err, "workspace_size(%zu, %zu) is 0", p->seq_len, p->batch);
    buffers b = {0};
    buffers_make(&b, model, packed, p, v, workspace_size);
    const rnnc_call call = {.weights = b.weights.data,
                            .seq_len = p->seq_len,
                            .batch = p->batch,
                            .x = b.x.data,
                            .h0 = b.h0.data,
                            .y = b.y.data,
                            .hn = v->without_hn ? NULL
                                  : v->in_place ? b.h0.data
                                                : b.hn.data,
                            .workspace = b.workspace.data};
    const rnnc_status status = model->forward(&call);
    bool ok = status == RNNC_OK;
    if (!ok)
        fail(err, "forward returns status %d", (int)status);
    ok = ok && compare_results(p, call.y, call.hn, tolerance, err) && guards_intact(&b, err);
    if (ok && y_out) {
        memcpy(y_out, call.y, problem_y_count(p) * sizeof(float));
        if (call.hn)
            memcpy(y_out + problem_y_count(p), call.hn, problem_state_count(p) * sizeof(float));
    }
    buffers_free(&b);
    return ok;
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
        {"hn == h0", {.in_place = true, .zero_h0 = true}},
        {"h0 of zeros", {.zero_h0 = true}},
    };
    const size_t y_count = problem_y_count(p), count = y_count + problem_state_count(p);
    float *const first = malloc(count * sizeof *first), *const now = malloc(count * sizeof *now);
    if (!first || !now)
        abort();
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof ways / sizeof *ways; i++) {
        rnnc_error why;
        const size_t compared = ways[i].v.without_hn ? y_count : count;
        ok = check_network(model, packed, p, &ways[i].v, tolerance, i ? now : first, &why);
        if (!ok)
            fail(err, "%s: %.1800s", ways[i].what, why.message);
        else if (i && memcmp(first, now, compared * sizeof *now) != 0)
            ok = fail(err, "%s: not the bits of the plain call", ways[i].what);
    }
    free(first);
    free(now);
    return ok;
}

bool check_description(const rnnc_model *model, const problem *p, rnnc_error *err) {
    const rnnc_config *const a = &model->config, *const b = &p->config;
    if (model->abi != RNNC_ABI)
        return fail(err, "abi %u", (unsigned)model->abi);
    if (a->cell != b->cell || a->input_size != b->input_size || a->hidden_size != b->hidden_size ||
        a->num_layers != b->num_layers || a->bias != b->bias || a->batch_first != b->batch_first ||
        a->bidirectional != b->bidirectional)
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
