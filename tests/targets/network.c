/* network.c: the network in net.h on the processor that it is for, against what shares no code with
 * it.
 *
 *     network          random weights and inputs of which some are large, against the reference in
 *                      double precision; twice, the second call in place of the first one's memory,
 *                      and a team's where the network has use for one: the same bits
 *     network FOLDER   inputs recorded with PyTorch, FOLDER/x and so on, plain floats, against the
 *                      outputs recorded; the weights are built in
 *
 * Exit status 0: all values agree. */
#include "net.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef TOLERANCE
#define TOLERANCE 2e-5 /* of functions that are exact */
#endif

enum { GUARD = 16 };

static const rnnc_model *const net = &net_model;

static void fail(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(1);
}

/* ---- memory ---- */

/* Room for `count` values of 4 bytes, NaN as floats, within guards. */
static void *room(size_t count) {
    unsigned char *const p = malloc((count + 2 * GUARD) * 4);
    if (!p)
        fail("no memory");
    memset(p, 0xff, (count + 2 * GUARD) * 4);
    return p + GUARD * 4;
}

static void check_guards(const void *data, size_t count, const char *what) {
    const unsigned char *const p = data;
    for (size_t i = 0; i < GUARD * 4; i++)
        if (p[-1 - (ptrdiff_t)i] != 0xff || p[count * 4 + i] != 0xff)
            fail(what);
}

/* ---- values ---- */

static uint64_t seed = 1;

/* In [-1, 1). */
static float uniform(void) {
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    return (float)((int32_t)(uint32_t)(seed >> 32)) / 2147483648.0F;
}

static void fill(float *to, size_t count, float scale) {
    for (size_t i = 0; i < count; i++)
        to[i] = uniform() * scale;
}

/* The same with some that are eight times as large. */
static void fill_far(float *to, size_t count, float scale) {
    for (size_t i = 0; i < count; i++)
        to[i] = uniform() * scale * (i % 11 == 5 ? 8.0F : 1.0F);
}

typedef struct buffers {
    rnnc_network_sizes sizes;
    size_t T, B, y_count, h_count, c_count;
    float *x, *h0, *c0;
    int32_t *tokens;
    size_t *lengths;
} buffers;

static void size_up(buffers *b) {
    if (rnnc_network_measure(&net->network, &b->sizes, NULL) != RNNC_OK)
        fail("the network has no sizes");
    b->y_count = (b->sizes.last_step ? 1 : b->T) * b->B * b->sizes.output;
    b->h_count = b->B * b->sizes.h;
    b->c_count = b->B * b->sizes.c;
}

/* ---- a call ---- */

typedef struct result {
    float *y, *hn, *cn;
} result;

static result run(const buffers *b, const float *weights, const rnnc_team *team) {
    const size_t bytes = net->workspace_size(b->T, b->B);
    result r = {room(b->y_count), room(b->h_count), room(b->c_count)};
    void *const workspace = room(bytes / 4 + 1);
    const rnnc_call call = {.weights = weights,
                            .seq_len = b->T,
                            .batch = b->B,
                            .tokens = b->tokens,
                            .lengths = b->lengths,
                            .x = b->x,
                            .h0 = b->h0,
                            .c0 = b->c0,
                            .y = r.y,
                            .hn = b->h_count ? r.hn : NULL,
                            .cn = b->c_count ? r.cn : NULL,
                            .workspace = workspace,
                            .team = team};
    if (!bytes || net->forward(&call) != RNNC_OK)
        fail("the call fails");
    check_guards(r.y, b->y_count, "written beside y");
    check_guards(r.hn, b->h_count, "written beside hn");
    check_guards(r.cn, b->c_count, "written beside cn");
    free((float *)workspace - GUARD);
    return r;
}

static void same_bits(const buffers *b, const result *one, const result *other, const char *what) {
    if (memcmp(one->y, other->y, b->y_count * 4) != 0 ||
        memcmp(one->hn, other->hn, b->h_count * 4) != 0 ||
        memcmp(one->cn, other->cn, b->c_count * 4) != 0)
        fail(what);
}

static double worst;

/* Is `got` as near to `wanted` as rounding alone, of which `spread` is an example, has it? Errors
 * grow with the largest of the values. */
static void near(const float *got, const double *wanted, const double *spread, size_t count,
                 const char *what) {
    double size = 1;
    for (size_t i = 0; i < count; i++)
        size = fmax(size, fabs(wanted[i]));
    for (size_t i = 0; i < count; i++) {
        const double apart = fabs((double)got[i] - wanted[i]) / size;
        const double allowed = TOLERANCE + (spread ? 30 * fabs(spread[i] - wanted[i]) / size : 0.0);
        if (!(apart <= allowed)) {
            fprintf(stderr, "%s: value %zu is %.9g, not %.9g\n", what, i, (double)got[i],
                    wanted[i]);
            exit(1);
        }
        worst = fmax(worst, apart);
    }
}

/* ---- random ---- */

static const float *const *random_tensors(void) {
    const float **const list = calloc(net->weight_count + 1, sizeof *list);
    for (size_t i = 0; list && i < net->weight_count; i++) {
        const size_t cols = net->weight[i].cols ? net->weight[i].cols : 1;
        const size_t count = net->weight[i].rows * cols;
        float *const values = room(count);
        /* As PyTorch begins: with larger ones networks without bounds leave float's range. */
        fill(values, count, cols > 1 ? 1.0F / sqrtf((float)cols) : 0.25F);
        list[i] = values;
    }
    return list ? list : (fail("no memory"), NULL);
}

static void random_inputs(buffers *b) {
    b->T = net->seq_len ? net->seq_len : 7;
    b->B = net->batch ? net->batch : 5;
    size_up(b);
    if (b->sizes.vocabulary) {
        b->tokens = room(b->T * b->B);
        for (size_t i = 0; i < b->T * b->B; i++)
            b->tokens[i] = (int32_t)((i * 7 + 3) % b->sizes.vocabulary);
    } else {
        b->x = room(b->T * b->B * b->sizes.input);
        fill_far(b->x, b->T * b->B * b->sizes.input, 2.0F);
    }
    if (b->h_count)
        fill_far(b->h0 = room(b->h_count), b->h_count, 0.5F);
    if (b->c_count)
        fill_far(b->c0 = room(b->c_count), b->c_count, 0.5F);
    if (net->lengths) {
        b->lengths = calloc(b->B + 1, sizeof *b->lengths);
        for (size_t i = 0; b->lengths && i < b->B; i++)
            b->lengths[i] = b->T - (i * 2) % (b->T + 1);
    }
}

static double *doubles(size_t count) {
    double *const p = calloc(count + 1, sizeof *p);
    return p ? p : (fail("no memory"), NULL);
}

static void check_random(void) {
    buffers b = {0};
    random_inputs(&b);
    const float *const *const tensors = random_tensors();
    float *const packed = aligned_alloc(64, (net->packed_count * 4 + 64) / 64 * 64 + 64);
    if (!packed || rnnc_model_pack(net, tensors, packed) != RNNC_OK)
        fail("the weights cannot be packed");
    double *const y = doubles(b.y_count), *const hn = doubles(b.h_count),
                  *const cn = doubles(b.c_count), *const y2 = doubles(b.y_count),
                  *const hn2 = doubles(b.h_count), *const cn2 = doubles(b.c_count);
    const rnnc_call inputs = {.seq_len = b.T,
                              .batch = b.B,
                              .tokens = b.tokens,
                              .lengths = b.lengths,
                              .x = b.x,
                              .h0 = b.h0,
                              .c0 = b.c0};
    if (rnnc_reference_forward(&net->network, tensors, &inputs, y, hn, cn) != RNNC_OK ||
        rnnc_reference_rounded(&net->network, tensors, &inputs, y2, hn2, cn2) != RNNC_OK)
        fail("the reference fails");
    const result one = run(&b, packed, NULL), again = run(&b, packed, NULL);
    near(one.y, y, y2, b.y_count, "y");
    near(one.hn, hn, hn2, b.h_count, "hn");
    near(one.cn, cn, cn2, b.c_count, "cn");
    same_bits(&b, &one, &again, "a second call gives other bits");
    rnnc_team *team = NULL;
    if (net->threads > 1 && rnnc_team_create(net->threads, &team, NULL) == RNNC_OK) {
        team->latency = 0;
        const result shared = run(&b, packed, team);
        near(shared.y, y, y2, b.y_count, "y of a team");
        near(shared.hn, hn, hn2, b.h_count, "hn of a team");
        near(shared.cn, cn, cn2, b.c_count, "cn of a team");
        rnnc_team_destroy(team);
    }
}

/* ---- recorded ---- */

/* The values of 4 bytes in FOLDER/name, NULL if there is no such file; their number if it is not
 * NULL. */
static void *recorded(const char *folder, const char *name, size_t *count) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *const f = fopen(path, "rb");
    if (!f)
        return NULL;
    if (fseek(f, 0, SEEK_END) != 0)
        fail(path);
    const size_t n = (size_t)ftell(f) / 4;
    rewind(f);
    void *const p = room(n);
    if (fread(p, 4, n, f) != n)
        fail(path);
    fclose(f);
    if (count)
        *count = n;
    return p;
}

static void near_recorded(const char *folder, const char *name, const float *got, size_t count) {
    size_t found = 0;
    const float *const values = recorded(folder, name, &found);
    if (!values)
        return;
    if (found != count)
        fail("a recorded tensor of another size");
    double *const wanted = doubles(count);
    for (size_t i = 0; i < count; i++)
        wanted[i] = values[i];
    near(got, wanted, NULL, count, name);
}

static void check_recorded(const char *folder) {
    size_t count = 0;
    buffers b = {0};
    const int32_t *const shape = recorded(folder, "shape", NULL);
    if (!shape)
        fail("FOLDER/shape is missing");
    b.T = (size_t)shape[0];
    b.B = (size_t)shape[1];
    size_up(&b);
    b.x = recorded(folder, "x", NULL);
    b.tokens = recorded(folder, "tokens", NULL);
    b.h0 = recorded(folder, "h0", NULL);
    b.c0 = recorded(folder, "c0", NULL);
    const int32_t *const lengths = recorded(folder, "lengths", &count);
    if (lengths) {
        b.lengths = calloc(count + 1, sizeof *b.lengths);
        for (size_t i = 0; b.lengths && i < count; i++)
            b.lengths[i] = (size_t)lengths[i];
    }
    const result r = run(&b, NULL, NULL);
    near_recorded(folder, "y", r.y, b.y_count);
    near_recorded(folder, "hn", r.hn, b.h_count);
    near_recorded(folder, "cn", r.cn, b.c_count);
}

int main(int argc, char **argv) {
    if (argc > 1)
        check_recorded(argv[1]);
    else
        check_random();
    printf("%.2g\n", worst);
    return 0;
}
