#include "model_stream.h"
#include "guard.h"
#include "process.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const model_way plain = {0};

void *model_library(const model *m, const char *fields, const driver_shape *shape) {
    char dir[PATH_SIZE];
    rnnc_error err;
    workdir_make(dir);
    char *const text = model_text(m, fields);
    cr_assert(generate_text("net", text, "none", dir, &err) && driver_write_shape(shape, dir, &err),
              "%s: %s", text, err.message);
    void *const library = build_library(NULL, "-O1", dir, NULL, &err);
    cr_assert(library, "%s: %s", text, err.message);
    workdir_remove(dir);
    free(text);
    return library;
}

/* Steps first .. last - 1 of m as a model of their own, which starts from `from`. */
static model piece_of(const model *m, size_t first, size_t last, const model_results *from) {
    const model_sizes s = model_sizes_of(m);
    rng r = {.state = 1};
    model piece = *m;
    piece.tokens = NULL, piece.x = NULL, piece.h0 = piece.c0 = NULL, piece.lengths = NULL;
    piece.y = piece.hn = piece.cn = NULL;
    model_resize(&piece, last - first, m->batch, true, &r);
    for (size_t t = first; t < last; t++) {
        for (size_t b = 0; b < m->batch; b++) {
            const size_t to = model_at(&piece, t - first, b, s.input);
            const size_t at = model_at(m, t, b, s.input);
            if (s.tokens)
                piece.tokens[to] = m->tokens[at];
            else
                memcpy(piece.x + to, m->x + at, s.input * sizeof *m->x);
        }
    }
    if (piece.h0)
        memcpy(piece.h0, from->hn, s.h * m->batch * sizeof *from->hn);
    if (piece.c0)
        memcpy(piece.c0, from->cn, s.c * m->batch * sizeof *from->cn);
    return piece;
}

/* y of a piece, which begins at step `first`, and its states to their places in the whole. */
static void keep_piece(const model *m, const model *piece, size_t first, const float *y,
                       const model_results *to) {
    const size_t width = model_sizes_of(m).output;
    for (size_t t = 0; t < piece->seq_len; t++)
        for (size_t b = 0; b < m->batch; b++)
            memcpy(to->y + model_at(m, first + t, b, width), y + model_at(piece, t, b, width),
                   width * sizeof *y);
}

/* NAME_process of a block, whose steps lie behind each other whatever batch_first says; in place
 * where x and y have one size. */
static rnnc_status process_block(const driver *d, const float *packed, void *state,
                                 const model *block, float *y) {
    const model_sizes s = model_sizes_of(block);
    const size_t rows = block->seq_len * block->batch,
                 widest = s.input > s.output ? s.input : s.output;
    float *const x = malloc(rows * widest * sizeof *x);
    int32_t *const tokens = malloc(rows * sizeof *tokens);
    float *const out = s.input == s.output && !s.tokens ? x : malloc(rows * s.output * sizeof *out);
    if (!x || !tokens || !out)
        abort();
    for (size_t t = 0; t < block->seq_len; t++)
        for (size_t b = 0; b < block->batch; b++) {
            const size_t row = t * block->batch + b;
            if (s.tokens)
                tokens[row] = block->tokens[model_at(block, t, b, 1)];
            else
                memcpy(x + row * s.input, block->x + model_at(block, t, b, s.input),
                       s.input * sizeof *x);
        }
    const void *const input = s.tokens ? (const void *)tokens : x;
    const rnnc_status status = d->process(packed, state, block->seq_len, input, out);
    for (size_t t = 0; t < block->seq_len; t++)
        for (size_t b = 0; b < block->batch; b++)
            memcpy(y + model_at(block, t, b, s.output), out + (t * block->batch + b) * s.output,
                   s.output * sizeof *y);
    if (out != x)
        free(out);
    free(tokens);
    free(x);
    return status;
}

bool model_check_stream(const rnnc_model *net, const float *packed, const driver *d, bool pieces,
                        const model *m, rng *r, rnnc_error *err) {
    const model_sizes s = model_sizes_of(m);
    model_results whole = results_make(m), parts = results_make(m);
    bool ok = model_run(net, packed, m, &plain, &whole, err);
    const size_t state_size = d->step ? d->state_size() : 0;
    guard guarded = guard_make(state_size, 0);
    void *const state = guarded.data;
    results_start(&parts, m);
    for (size_t t = 0; ok && t < m->seq_len;) {
        const bool steps = d->step && (!pieces || rng_below(r, 2));
        const bool block = steps && rng_below(r, 2);
        const size_t count = steps && !block ? 1 : 1 + rng_below(r, m->seq_len - t);
        model piece = piece_of(m, t, t + count, &parts);
        model_results got = results_make(&piece);
        if (steps) {
            /* A state that has been somewhere else before. */
            memset(state, 0xFF, state_size);
            d->state_init(state);
            if (s.h)
                memcpy((float *)(uintptr_t)d->state_h(state), piece.h0,
                       s.h * m->batch * sizeof(float));
            if (s.c)
                memcpy((float *)(uintptr_t)d->state_c(state), piece.c0,
                       s.c * m->batch * sizeof(float));
            const void *const input = s.tokens ? (const void *)piece.tokens : piece.x;
            ok = (block ? process_block(d, packed, state, &piece, got.y)
                        : d->step(packed, state, input, got.y)) == RNNC_OK &&
                 guard_intact(&guarded);
            if (s.h)
                memcpy(got.hn, d->state_h(state), s.h * m->batch * sizeof(float));
            if (s.c)
                memcpy(got.cn, d->state_c(state), s.c * m->batch * sizeof(float));
        } else {
            ok = model_run(net, packed, &piece, &plain, &got, err);
        }
        keep_piece(m, &piece, t, got.y, &parts);
        if (s.h)
            memcpy(parts.hn, got.hn, s.h * m->batch * sizeof(float));
        if (s.c)
            memcpy(parts.cn, got.cn, s.c * m->batch * sizeof(float));
        results_free(&got);
        model_free_one(&piece);
        t += count;
    }
    if (ok && !results_same(&whole, &parts)) {
        snprintf(err->message, sizeof err->message, "pieces and steps give other bits");
        ok = false;
    }
    guard_free(&guarded);
    results_free(&whole);
    results_free(&parts);
    return ok;
}

bool model_check_alone(const rnnc_model *net, const rnnc_model *other, const float *packed,
                       const float *other_packed, const model *m, rnnc_error *err) {
    const model_sizes s = model_sizes_of(m);
    model_results all = results_make(m);
    bool ok = model_run(net, packed, m, &plain, &all, err);
    for (size_t b = 0; ok && b < m->batch; b++) {
        model one = model_one(m, b);
        model_results own = results_make(&one);
        ok = model_run(other, other_packed, &one, &plain, &own, err);
        bool same = true;
        for (size_t t = 0; t < (s.last_step ? 1 : one.seq_len); t++)
            same =
                same && memcmp(own.y + t * s.output,
                               all.y + (s.last_step ? b * s.output : model_at(m, t, b, s.output)),
                               s.output * sizeof *own.y) == 0;
        /* The states of all, as if they were a sequence's start. */
        model from_all = *m;
        from_all.h0 = all.hn;
        from_all.c0 = all.cn;
        model states = model_one(&from_all, b);
        same = same && (!own.hn || memcmp(own.hn, states.h0, s.h * sizeof *own.hn) == 0) &&
               (!own.cn || memcmp(own.cn, states.c0, s.c * sizeof *own.cn) == 0);
        model_free_one(&states);
        results_free(&own);
        model_free_one(&one);
        if (ok && !same) {
            snprintf(err->message, sizeof err->message,
                     "sequence %zu of %zu has other bits alone, in %s", b, m->batch, other->name);
            ok = false;
        }
    }
    results_free(&all);
    return ok;
}
