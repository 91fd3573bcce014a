/* A long run as calls of a fixed size, with the states carried from call to call. All of it runs
 * in the child of run_isolated. */
#include "isolated_run.h"

#include <stdio.h>
#include <string.h>

/* The steps and sequences of one call. */
typedef struct piece {
    size_t step, steps, sequence, sequences;
} piece;

static void copy(unsigned char *whole, unsigned char *part, size_t size, int back) {
    memcpy(back ? whole : part, back ? part : whole, size);
}

/* Rows of `size` bytes, one for each step of each sequence, from the whole into the part, or back.
 */
static void copy_steps(const isolated_run *t, const piece *p, const guard *whole, const guard *part,
                       size_t size, int back) {
    for (size_t s = 0; s < p->steps; s++)
        for (size_t b = 0; b < p->sequences; b++) {
            const size_t step = p->step + s, sequence = p->sequence + b;
            const int batch_first = t->network->batch_first;
            const size_t from =
                batch_first ? sequence * t->seq_len + step : step * t->batch + sequence;
            const size_t to = batch_first ? b * p->steps + s : s * p->sequences + b;
            copy(whole->data + from * size, part->data + to * size, size, back);
        }
}

/* The states of the piece's sequences: a chain has its values of all sequences behind each other,
 * then comes the next chain. */
static void copy_states(const isolated_run *t, const piece *p, const guard *whole,
                        const guard *part, int is_c, int back) {
    unsigned char *from = whole->data, *to = part->data;
    for (size_t i = 0; i < t->network->layer_count; i++) {
        const rnnc_layer *const layer = &t->network->layer[i];
        const rnnc_network alone = {.layer_count = 1, .layer = layer};
        rnnc_network_sizes sizes;
        if (layer->kind != RNNC_RECURRENT || rnnc_network_measure(&alone, &sizes, NULL) != RNNC_OK)
            continue;
        const size_t chains =
            layer->recurrent.num_layers * (layer->recurrent.bidirectional ? 2 : 1);
        const size_t size = (is_c ? sizes.c : sizes.h) / chains * sizeof(float);
        for (size_t chain = 0; chain < chains; chain++) {
            copy(from + p->sequence * size, to, p->sequences * size, back);
            from += t->batch * size;
            to += p->sequences * size;
        }
    }
}

/* The whole's bytes for one sequence. */
static size_t share(const isolated_run *t, const guard *whole) { return whole->size / t->batch; }

/* Opens the buffer of a piece if the whole has one. */
static int open_part(const guard *whole, guard *part, size_t size) {
    if (!whole->data)
        return 0;
    if (guard_open(part, size) != 0)
        return -1;
    memset(part->data, 0xff, size);
    return 0;
}

/* The states that the piece starts from: those of the call, or those that the one before left. */
static int open_states(const isolated_run *t, const piece *p, isolated_run *part) {
    const guard *const h = p->step > 0 ? &t->hn : &t->h0, *const c = p->step > 0 ? &t->cn : &t->c0;
    if (open_part(h, &part->h0, share(t, h) * p->sequences) != 0 ||
        open_part(c, &part->c0, share(t, c) * p->sequences) != 0)
        return -1;
    if (h->data)
        copy_states(t, p, h, &part->h0, 0, 0);
    if (c->data)
        copy_states(t, p, c, &part->c0, 1, 0);
    return 0;
}

static int open_piece(const isolated_run *t, const piece *p, size_t y_size, isolated_run *part) {
    const size_t rows = p->steps * p->sequences, all = t->seq_len * t->batch;
    if (open_states(t, p, part) != 0 || open_part(&t->x, &part->x, rows * (t->x.size / all)) != 0 ||
        open_part(&t->tokens, &part->tokens, rows * sizeof(int32_t)) != 0 ||
        open_part(&t->lengths, &part->lengths, p->sequences * sizeof(size_t)) != 0 ||
        open_part(&t->y, &part->y, y_size) != 0 ||
        open_part(&t->hn, &part->hn, share(t, &t->hn) * p->sequences) != 0 ||
        open_part(&t->cn, &part->cn, share(t, &t->cn) * p->sequences) != 0)
        return -1;
    if (t->x.data)
        copy_steps(t, p, &t->x, &part->x, t->x.size / all, 0);
    if (t->tokens.data)
        copy_steps(t, p, &t->tokens, &part->tokens, sizeof(int32_t), 0);
    if (t->lengths.data)
        memcpy(part->lengths.data, t->lengths.data + p->sequence * sizeof(size_t),
               p->sequences * sizeof(size_t));
    return 0;
}

static void take_outputs(const isolated_run *t, const piece *p, int once,
                         const isolated_run *part) {
    if (once)
        memcpy(t->y.data + p->sequence * share(t, &t->y), part->y.data, part->y.size);
    else
        copy_steps(t, p, &t->y, &part->y, share(t, &t->y) / t->seq_len, 1);
    if (t->hn.data)
        copy_states(t, p, &t->hn, &part->hn, 0, 1);
    if (t->cn.data)
        copy_states(t, p, &t->cn, &part->cn, 1, 1);
}

static int run_piece(const isolated_run *t, const piece *p, int once, const rnnc_model *model,
                     const float *packed, char message[ISOLATED_MESSAGE]) {
    isolated_run part = *t;
    guard *const guards[] = {&part.x,  &part.tokens, &part.lengths, &part.h0,
                             &part.c0, &part.y,      &part.hn,      &part.cn};
    for (size_t i = 0; i < sizeof guards / sizeof guards[0]; i++)
        *guards[i] = (guard){0};
    part.seq_len = p->steps;
    part.batch = p->sequences;
    const size_t y_size = share(t, &t->y) / (once ? 1 : t->seq_len / p->steps) * p->sequences;
    int result = open_piece(t, p, y_size, &part);
    if (result != 0)
        snprintf(message, ISOLATED_MESSAGE, "not enough memory for one call");
    if (result == 0)
        result = isolated_call_once(&part, model, packed, message);
    if (result == 0)
        result = isolated_check_outputs(&part, message);
    if (result == 0)
        take_outputs(t, p, once, &part);
    for (size_t i = 0; i < sizeof guards / sizeof guards[0]; i++)
        guard_close(guards[i]);
    return result;
}

int isolated_call_pieces(isolated_run *t, const rnnc_model *model, const float *packed,
                         char message[ISOLATED_MESSAGE]) {
    rnnc_network_sizes sizes;
    if (rnnc_network_measure(t->network, &sizes, NULL) != RNNC_OK)
        return -1; /* not of a network that was read */
    piece p = {.steps = t->call_len, .sequences = t->call_batch};
    for (; p.sequence < t->batch; p.sequence += p.sequences)
        for (p.step = 0; p.step < t->seq_len; p.step += p.steps)
            if (run_piece(t, &p, sizes.last_step, model, packed, message) != 0)
                return -1;
    return 0;
}
