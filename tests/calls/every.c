/* Every call of a generated network, net_model, whose weights are built in, against calls of it for
 * one sequence alone: batches around the sizes of blocks, few steps or none, lengths, teams; and
 * steps (STEP: how many sequences net_step takes) against the whole sequence. Buffers are of
 * exactly the sizes that net.h asks for, at every alignment that it allows, so that
 * AddressSanitizer sees what goes beyond; and the stack holds old values, which nobody may read. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net.h"

#define TOLERANCE 3e-5

enum { STEPS_MAX = 20, ROWS_MAX = 32 };

static int failed, checked;

/* ---- buffers ---- */

/* `size` bytes that begin `off` bytes behind a multiple of 64, and end with what was asked for. */
typedef struct buffer {
    unsigned char *base;
    void *data;
} buffer;

static buffer room(size_t size, size_t off) {
    void *base;
    if (posix_memalign(&base, 64, off + size + !(off + size)) != 0)
        abort();
    memset(base, 0xc3, off + size);
    return (buffer){base, (unsigned char *)base + off};
}

static buffer floats(size_t count) { return room(count * sizeof(float), 4 * (count % 16)); }

/* In (-3, 3), the same for the same place in the same sequence. */
static float value(size_t b, size_t t, size_t i) {
    size_t bits = (b * 1000003 + t) * 1000003 + i + 1;
    bits ^= bits >> 15;
    bits *= 0x2c1b3c6d;
    bits ^= bits >> 12;
    bits *= 0x297a2d39;
    bits ^= bits >> 15;
    return (float)(bits % 6001) / 1000.0F - 3.0F;
}

/* Leaves values in the stack that are no lengths, no floats and no places. */
static void __attribute__((noinline)) soil(unsigned char what) {
    volatile unsigned char old[20000];
    for (size_t i = 0; i < sizeof old; i++)
        old[i] = what;
}

/* ---- states ---- */

/* The widths of the rows of h0 (is_c: of c0) for one sequence; returns how many there are. */
static size_t rows_of(const rnnc_model *net, int is_c, size_t widths[ROWS_MAX]) {
    size_t count = 0;
    for (size_t i = 0; i < net->network.layer_count; i++) {
        const rnnc_layer *const layer = &net->network.layer[i];
        const rnnc_config *const c = &layer->recurrent;
        if (layer->kind != RNNC_RECURRENT || (is_c && c->cell != RNNC_LSTM))
            continue;
        for (size_t row = 0; row < c->num_layers * (c->bidirectional ? 2 : 1); row++)
            widths[count++] = !is_c && c->proj_size ? c->proj_size : c->hidden_size;
    }
    return count;
}

typedef struct state {
    size_t rows, widths[ROWS_MAX], total;
} state;

static state state_of(const rnnc_model *net, int is_c) {
    state s = {0};
    s.rows = rows_of(net, is_c, s.widths);
    for (size_t row = 0; row < s.rows; row++)
        s.total += s.widths[row];
    return s;
}

/* The place of value i of a row of sequence b among B. */
static size_t place(const state *s, size_t row, size_t B, size_t b, size_t i) {
    size_t before = 0;
    for (size_t r = 0; r < row; r++)
        before += s->widths[r];
    return before * B + b * s->widths[row] + i;
}

static void put_state(const state *s, float *to, size_t B, size_t first) {
    for (size_t row = 0; row < s->rows; row++)
        for (size_t b = 0; b < B; b++)
            for (size_t i = 0; i < s->widths[row]; i++)
                to[place(s, row, B, b, i)] = value(first + b, 777 + row, i) / 4;
}

/* ---- a call ---- */

typedef struct made {
    size_t T, B;
    buffer x, tokens, h0, c0, y, hn, cn;
} made;

static int once(const rnnc_model *net) {
    for (size_t i = 0; i < net->network.layer_count; i++)
        if (net->network.layer[i].last_step || net->network.layer[i].last_state)
            return 1;
    return 0;
}

static size_t row_of(const rnnc_model *net, const made *m, size_t t, size_t b) {
    return net->network.batch_first ? b * m->T + t : t * m->B + b;
}

static void expect(int holds, const char *what, const char *where) {
    checked++;
    if (!holds) {
        failed++;
        if (failed < 20)
            printf("%s: %s\n", where, what);
    }
}

/* Runs sequences `first` on, B of them; the caller frees what is made. */
static made run(const rnnc_model *net, size_t T, size_t B, size_t first, const size_t *lengths,
                int with_states, const rnnc_team *team, const char *where) {
    static size_t off;
    const state h = state_of(net, 0), c = state_of(net, 1);
    const int embeds = net->network.layer[0].kind == RNNC_EMBEDDING;
    made m = {.T = T, .B = B};
    m.x = floats(embeds ? 0 : T * B * net->input);
    m.tokens = room(embeds ? T * B * sizeof(int32_t) : 0, 4);
    m.h0 = floats(B * h.total);
    m.c0 = floats(B * c.total);
    m.y = floats((once(net) ? B : T * B) * net->output);
    m.hn = floats(B * h.total);
    m.cn = floats(B * c.total);
    put_state(&h, m.h0.data, B, first);
    put_state(&c, m.c0.data, B, first);
    for (size_t t = 0; t < T; t++)
        for (size_t b = 0; b < B; b++) {
            const size_t row = row_of(net, &m, t, b);
            for (size_t i = 0; !embeds && i < net->input; i++)
                ((float *)m.x.data)[row * net->input + i] =
                    lengths && t >= lengths[b] ? NAN : value(first + b, t, i);
            if (embeds)
                ((int32_t *)m.tokens.data)[row] =
                    lengths && t >= lengths[b]
                        ? -1
                        : (int32_t)((first + b + 3 * t) % net->network.layer[0].inputs);
        }
    const size_t size = net->workspace_size(T, B);
    const buffer workspace = room(size, off++ % 64);
    const rnnc_call call = {.seq_len = T,
                            .batch = B,
                            .tokens = embeds ? m.tokens.data : NULL,
                            .lengths = lengths,
                            .x = embeds ? NULL : m.x.data,
                            .h0 = with_states && h.total ? m.h0.data : NULL,
                            .c0 = with_states && c.total ? m.c0.data : NULL,
                            .y = m.y.data,
                            .hn = h.total ? m.hn.data : NULL,
                            .cn = c.total ? m.cn.data : NULL,
                            .workspace = workspace.data,
                            .team = team};
    expect(size > 0, "no size of the workspace", where);
    soil(off % 2 ? 0x3b : 2);
    expect(net->forward(&call) == RNNC_OK, "no OK", where);
    free(workspace.base);
    return m;
}

static void release(made *m) {
    free(m->x.base);
    free(m->tokens.base);
    free(m->h0.base);
    free(m->c0.base);
    free(m->y.base);
    free(m->hn.base);
    free(m->cn.base);
}

static int near(float got, float wanted) {
    return fabs((double)got - (double)wanted) <= TOLERANCE * fmax(1, fabs((double)wanted));
}

/* Row `row` of y of `all` and row `own` of `one`. */
static int same_row(const rnnc_model *net, const made *all, size_t row, const made *one,
                    size_t own) {
    for (size_t i = 0; i < net->output; i++)
        if (!near(((const float *)all->y.data)[row * net->output + i],
                  ((const float *)one->y.data)[own * net->output + i]))
            return 0;
    return 1;
}

static int is_zero(const rnnc_model *net, const made *all, size_t row) {
    for (size_t i = 0; i < net->output; i++)
        if (!(((const float *)all->y.data)[row * net->output + i] == 0))
            return 0;
    return 1;
}

static int same_state(const state *s, const float *all, size_t B, size_t b, const float *one) {
    for (size_t row = 0; row < s->rows; row++)
        for (size_t i = 0; i < s->widths[row]; i++)
            if (!near(all[place(s, row, B, b, i)], one[place(s, row, 1, 0, i)]))
                return 0;
    return 1;
}

/* ---- batches ---- */

/* Sequence b of a call, against a call of its own. */
static void compare(const rnnc_model *net, const made *all, size_t b, size_t steps, int with_states,
                    const char *where) {
    const state h = state_of(net, 0), c = state_of(net, 1);
    made one = run(net, steps, 1, b, NULL, with_states, NULL, where);
    if (once(net)) {
        expect(same_row(net, all, b, &one, 0), "y", where);
    } else {
        for (size_t t = 0; t < all->T; t++) {
            const size_t row = row_of(net, all, t, b);
            if (t < steps)
                expect(same_row(net, all, row, &one, t), "y", where);
            else
                expect(is_zero(net, all, row), "y behind a length", where);
        }
    }
    expect(same_state(&h, all->hn.data, all->B, b, one.hn.data), "hn", where);
    expect(same_state(&c, all->cn.data, all->B, b, one.cn.data), "cn", where);
    release(&one);
}

/* Lengths of B sequences: 0: none is given; others are patterns, 1 to 4. */
static void lengths_of(size_t pattern, size_t T, size_t B, size_t *lengths) {
    for (size_t b = 0; b < B; b++)
        lengths[b] = pattern == 1   ? (b * 7 + 3) % (T + 1)
                     : pattern == 2 ? T - b % (T < 2 ? 1 : 2)
                     : pattern == 3 ? b == B / 2 ? T : 0
                     : b % 3 == 0   ? T
                                    : (T + 1) / 2;
}

static void batches(const rnnc_model *net) {
    static const size_t counts[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 33}, steps[] = {0, 1, 2, 9};
    rnnc_team *teams[4] = {NULL, NULL, NULL, NULL};
    rnnc_error error;
    if (net->threads > 1)
        for (size_t members = 1; members < 4; members++) {
            if (rnnc_team_create(members, &teams[members], &error) != RNNC_OK)
                abort();
            teams[members]->latency = 0; /* one CPU will do here */
        }
    size_t turn = 0;
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++)
        for (size_t j = 0; j < sizeof steps / sizeof *steps; j++)
            for (size_t pattern = 0; pattern < (net->lengths ? 5 : 1); pattern++) {
                char where[100];
                const size_t T = steps[j], B = counts[k], members = turn++ % 4;
                const int with_states = turn % 3 != 0;
                size_t lengths[64];
                snprintf(where, sizeof where, "T = %zu, B = %zu, lengths %zu, %zu threads%s", T, B,
                         pattern, members, with_states ? ", states" : "");
                lengths_of(pattern, T, B, lengths);
                /* Lengths end where the list does. */
                const buffer list = room(B * sizeof *lengths, 0);
                memcpy(list.data, lengths, B * sizeof *lengths);
                made all = run(net, T, B, 0, pattern ? list.data : NULL, with_states,
                               teams[members], where);
                for (size_t b = 0; b < B; b++)
                    compare(net, &all, b, pattern ? lengths[b] : T, with_states, where);
                release(&all);
                free(list.base);
            }
    for (size_t members = 1; members < 4; members++)
        rnnc_team_destroy(teams[members]);
}

/* ---- batches of one size ---- */

/* What sequence b + 1 gives is what it gives as sequence b. */
static void turned(const rnnc_model *net) {
    const state h = state_of(net, 0), c = state_of(net, 1);
    const size_t B = net->batch;
    made all = run(net, STEPS_MAX, B, 0, NULL, 1, NULL, "turned");
    made next = run(net, STEPS_MAX, B, 1, NULL, 1, NULL, "turned");
    for (size_t b = 0; b + 1 < B; b++) {
        for (size_t t = 0; t < (once(net) ? 1 : STEPS_MAX); t++) {
            const size_t row = once(net) ? b : row_of(net, &all, t, b);
            const size_t other = once(net) ? b + 1 : row_of(net, &all, t, b + 1);
            expect(same_row(net, &next, row, &all, other), "y", "turned");
        }
        for (int is_c = 0; is_c < 2; is_c++) {
            const state *const s = is_c ? &c : &h;
            const float *const from = is_c ? all.cn.data : all.hn.data;
            const float *const to = is_c ? next.cn.data : next.hn.data;
            for (size_t row = 0; row < s->rows; row++)
                for (size_t i = 0; i < s->widths[row]; i++)
                    expect(near(to[place(s, row, B, b, i)], from[place(s, row, B, b + 1, i)]),
                           is_c ? "cn" : "hn", "turned");
        }
    }
    release(&all);
    release(&next);
}

/* ---- steps ---- */
/* ---- steps ---- */

#ifdef STEP
/* The whole sequence, and the same step by step, by a stream that stands at `off`: the same bits.
 */
static void steps(const rnnc_model *net, size_t off) {
    char where[60];
    const state h = state_of(net, 0);
    const buffer place_of = room(sizeof(net_state), off), y = floats(STEP * net->output);
    net_state *const stream = place_of.data;
    snprintf(where, sizeof where, "steps at %zu", off);
    made all = run(net, STEPS_MAX, STEP, 0, NULL, 0, NULL, where);
    net_state_init(stream);
    for (size_t t = 0; t < STEPS_MAX; t++) {
        const size_t row = t * STEP;
#ifdef STEP_TOKENS
        expect(net_step(stream, (const int32_t *)all.tokens.data + row, y.data) == RNNC_OK, "no OK",
               where);
#else
        expect(net_step(stream, (const float *)all.x.data + row * net->input, y.data) == RNNC_OK,
               "no OK", where);
#endif
        expect(memcmp(y.data, (const float *)all.y.data + row * net->output,
                      STEP * net->output * sizeof(float)) == 0,
               "bits of y", where);
    }
    expect(memcmp(stream->h, all.hn.data, STEP * h.total * sizeof(float)) == 0, "bits of h", where);
    net_state_reset(stream);
    for (size_t i = 0; i < STEP * h.total; i++)
        expect(stream->h[i] == 0, "reset", where);
    /* As one block: pieces of as many steps as the state has room for. */
    const size_t values = STEPS_MAX * STEP * net->output;
    const buffer block = floats(values);
    snprintf(where, sizeof where, "a block at %zu", off);
#ifdef STEP_TOKENS
    const void *const inputs = all.tokens.data;
#else
    const void *const inputs = all.x.data;
#endif
    expect(net_process(stream, STEPS_MAX, inputs, block.data) == RNNC_OK, "no OK", where);
    expect(memcmp(block.data, all.y.data, values * sizeof(float)) == 0, "bits of y", where);
    expect(memcmp(stream->h, all.hn.data, STEP * h.total * sizeof(float)) == 0, "bits of h", where);
    free(block.base);
    free(place_of.base);
    free(y.base);
    release(&all);
}
#endif

int main(void) {
    const rnnc_model *const net = &net_model;
#ifdef STEP
    for (size_t off = 0; off < 64; off += 4)
        steps(net, off);
#endif
    if (net->batch)
        turned(net);
    else
        batches(net);
    printf("%d checks, %d failed\n", checked, failed);
    return failed != 0 || checked < 100;
}
