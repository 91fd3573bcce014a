/* What holds bit for bit: a sequence in pieces, in single steps, or in a batch of others gives what
 * it gives at once and alone. */
#include "support/check.h"
#include "support/driver.h"
#include "support/problem.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const targets[] = {"scalar", "portable", "avx2", "avx512"};

enum { TARGETS = sizeof targets / sizeof *targets, STEPS = 75 };

static const rnnc_cell cells[] = {RNNC_RNN_TANH, RNNC_GRU, RNNC_LSTM};

enum { CELLS = sizeof cells / sizeof *cells };

typedef struct one_cell {
    rnnc_cell cell;
    int target;
} one_cell;

static struct criterion_test_params all_cells(void) {
    one_cell *const all = cr_malloc(sizeof(one_cell) * CELLS * TARGETS);
    size_t n = 0;
    for (size_t i = 0; i < CELLS; i++)
        for (int t = 0; t < TARGETS; t++)
            if (target_runs(targets[t]))
                all[n++] = (one_cell){.cell = cells[i], .target = t};
    return cr_make_param_array(one_cell, all, n, NULL);
}

ParameterizedTestParameters(generated_stream, pieces_and_steps) { return all_cells(); }

ParameterizedTestParameters(generated_stream, sequences_alone) { return all_cells(); }

/* y, hn and cn of a call. */
typedef struct results {
    float *y, *hn, *cn; /* one allocation, at y; cn NULL unless lstm */
    size_t count;       /* floats of all three */
} results;

static results results_make(const problem *p) {
    const size_t y = problem_y_count(p), states = problem_state_count(p);
    const bool lstm = p->config.cell == RNNC_LSTM;
    results r = {.count = y + (lstm ? 2 : 1) * states};
    r.y = malloc(r.count * sizeof(float));
    cr_assert(r.y);
    memset(r.y, 0xFF, r.count * sizeof(float));
    r.hn = r.y + y;
    r.cn = lstm ? r.hn + states : NULL;
    return r;
}

static bool same(const results *a, const results *b) {
    return a->count == b->count && memcmp(a->y, b->y, a->count * sizeof(float)) == 0;
}

/* A network of the tests' library, with packed weights. */
typedef struct stream_network {
    const rnnc_model *model;
    driver call;
    float *packed;
} stream_network;

static stream_network stream_open(void *library, const char *name, const problem *p) {
    rnnc_error err;
    stream_network n = {.model = library_model(library, name, &err)};
    cr_assert(n.model, "%s", err.message);
    n.call = driver_open(library, name);
    cr_assert(n.call.forward);
    n.packed = pack_weights(n.model, p);
    return n;
}

/* The problem at once through NAME_forward, or NAME_forward_lengths if it has lengths. */
static void run_whole(const stream_network *n, const problem *p, const results *to) {
    void *const workspace = malloc(n->model->workspace_size(p->seq_len, p->batch));
    cr_assert(workspace);
    const rnnc_call call = {.weights = n->packed,
                            .seq_len = p->seq_len,
                            .batch = p->batch,
                            .lengths = p->lengths,
                            .x = p->x,
                            .h0 = p->h0,
                            .c0 = p->c0,
                            .y = to->y,
                            .hn = to->hn,
                            .cn = to->cn,
                            .workspace = workspace};
    cr_assert_eq(p->lengths ? n->call.forward_lengths(&call) : n->call.forward(&call), RNNC_OK);
    free(workspace);
}

static size_t width_of(const problem *p) {
    return (p->config.bidirectional ? 2 : 1) * p->config.hidden_size;
}

/* Steps `first` to `first + count - 1` from the state in to->hn and to->cn, and into it. */
static void run_piece(const stream_network *n, const problem *p, size_t first, size_t count,
                      const results *to) {
    const size_t inputs = p->config.input_size, width = width_of(p);
    problem piece = *p;
    piece.seq_len = count;
    float *const x = malloc(problem_x_count(&piece) * sizeof(float));
    float *const y = malloc(problem_y_count(&piece) * sizeof(float));
    void *const workspace = malloc(n->model->workspace_size(count, p->batch));
    cr_assert(x && y && workspace);
    for (size_t t = 0; t < count; t++)
        for (size_t b = 0; b < p->batch; b++)
            memcpy(x + problem_at(&piece, t, b, inputs), p->x + problem_at(p, first + t, b, inputs),
                   inputs * sizeof(float));
    const rnnc_call call = {.weights = n->packed,
                            .seq_len = count,
                            .batch = p->batch,
                            .x = x,
                            .h0 = to->hn,
                            .c0 = to->cn,
                            .y = y,
                            .hn = to->hn,
                            .cn = to->cn,
                            .workspace = workspace};
    cr_assert_eq(n->call.forward(&call), RNNC_OK);
    for (size_t t = 0; t < count; t++)
        for (size_t b = 0; b < p->batch; b++)
            memcpy(to->y + problem_at(p, first + t, b, width), y + problem_at(&piece, t, b, width),
                   width * sizeof(float));
    free(workspace);
    free(y);
    free(x);
}

/* A few random splits, one of them into single steps. */
static void check_pieces(const stream_network *n, const problem *p, rng *r) {
    const results whole = results_make(p), parts = results_make(p);
    run_whole(n, p, &whole);
    for (size_t longest = 1; longest <= p->seq_len; longest = longest * 3 + 1) {
        memset(parts.y, 0xFF, parts.count * sizeof(float));
        memcpy(parts.hn, p->h0, problem_state_count(p) * sizeof(float));
        if (p->c0)
            memcpy(parts.cn, p->c0, problem_state_count(p) * sizeof(float));
        for (size_t t = 0, count; t < p->seq_len; t += count) {
            count = 1 + rng_below(r, longest);
            if (count > p->seq_len - t)
                count = p->seq_len - t;
            run_piece(n, p, t, count, &parts);
        }
        cr_expect(same(&whole, &parts), "%s, %s: pieces of up to %zu steps give other bits",
                  n->model->name, n->model->target, longest);
    }
    free(whole.y);
    free(parts.y);
}

/* Steps first .. last - 1 of the problem through NAME_step; batch_first or not, a step is (B, I).
 */
static void run_steps(const stream_network *n, const problem *p, void *state, size_t first,
                      size_t last, const results *to) {
    const size_t inputs = p->config.input_size, width = width_of(p);
    float *const x = malloc(p->batch * inputs * sizeof(float));
    float *const y = malloc(p->batch * width * sizeof(float));
    cr_assert(x && y);
    for (size_t t = first; t < last; t++) {
        for (size_t b = 0; b < p->batch; b++)
            memcpy(x + b * inputs, p->x + problem_at(p, t, b, inputs), inputs * sizeof(float));
        cr_assert_eq(n->call.step(n->packed, state, x, y), RNNC_OK);
        for (size_t b = 0; b < p->batch; b++)
            memcpy(to->y + problem_at(p, t, b, width), y + b * width, width * sizeof(float));
    }
    memcpy(to->hn, n->call.state_h(state), problem_state_count(p) * sizeof(float));
    if (to->cn)
        memcpy(to->cn, n->call.state_c(state), problem_state_count(p) * sizeof(float));
    free(y);
    free(x);
}

/* A stream from zero, one that branches off it by a copy, one that goes on in NAME_forward, and one
 * after a reset are all the whole sequence. */
static void check_steps(const stream_network *n, problem *p) {
    const size_t size = n->call.state_size(), half = p->seq_len / 2;
    void *const state = malloc(size), *const branch = malloc(size);
    const results whole = results_make(p), got = results_make(p);
    float *const h0 = p->h0, *const c0 = p->c0;
    cr_assert(state && branch);
    p->h0 = p->c0 = NULL;
    run_whole(n, p, &whole);
    memset(state, 0xFF, size);
    n->call.state_init(state);
    run_steps(n, p, state, 0, half, &got);
    memcpy(branch, state, size);
    run_steps(n, p, state, half, p->seq_len, &got);
    cr_expect(same(&whole, &got), "%s, %s: steps give other bits", n->model->name,
              n->model->target);

    memset(got.y + problem_at(p, half, 0, width_of(p)), 0xFF, sizeof(float));
    memset(state, 0xFF, size); /* what branched off needs nothing of it */
    run_steps(n, p, branch, half, p->seq_len, &got);
    cr_expect(same(&whole, &got), "%s, %s: a copied state gives other bits", n->model->name,
              n->model->target);

    n->call.state_reset(branch);
    run_steps(n, p, branch, 0, half, &got);
    run_piece(n, p, half, p->seq_len - half, &got);
    cr_expect(same(&whole, &got), "%s, %s: steps, then forward, give other bits", n->model->name,
              n->model->target);
    p->h0 = h0;
    p->c0 = c0;
    free(state);
    free(branch);
    free(whole.y);
    free(got.y);
}

static void generate_with_driver(const spec *s, const char *dir) {
    rnnc_error err;
    cr_assert(generate(s, dir, &err) && driver_write(s, dir, &err), "%s: %s", spec_line(s),
              err.message);
}

ParameterizedTest(one_cell *param, generated_stream, pieces_and_steps, .timeout = 300) {
    static const struct {
        const char *name;
        size_t input_size, hidden_size, num_layers, batch;
        int batch_first;
    } shapes[] = {
        {"alone", 5, 19, 2, 1, 0}, {"plain", 3, 50, 1, 1, 0},  {"three", 6, 21, 3, 3, 0},
        {"rows", 7, 33, 2, 3, 1},  {"block", 5, 17, 2, 32, 0}, {"pairs", 5, 51, 2, 8, 1},
    };
    enum { SHAPES = sizeof shapes / sizeof *shapes };
    problem problems[SHAPES];
    char dir[PATH_SIZE];
    rng r = {.state = 17};
    rnnc_error err;
    workdir_make(dir);
    for (size_t i = 0; i < SHAPES; i++) {
        const rnnc_config c = {.cell = param->cell,
                               .input_size = shapes[i].input_size,
                               .hidden_size = shapes[i].hidden_size,
                               .num_layers = shapes[i].num_layers,
                               .bias = i != 1,
                               .batch_first = shapes[i].batch_first};
        /* More steps than a chunk of time, which is longer for a batch of one. */
        problems[i] =
            problem_make(&c, shapes[i].batch == 1 ? 3 * STEPS : STEPS, shapes[i].batch, true, &r);
        const spec s = {.name = shapes[i].name,
                        .config = c,
                        .batch = shapes[i].batch,
                        .target = targets[param->target],
                        .weights_as = "none",
                        .lengths = i == 2,
                        .fast = i == 3};
        generate_with_driver(&s, dir);
    }
    void *const library = build_library(NULL, "-O1", dir, NULL, &err);
    workdir_remove(dir);
    cr_assert(library, "%s", err.message);
    for (size_t i = 0; i < SHAPES; i++) {
        const stream_network n = stream_open(library, shapes[i].name, &problems[i]);
        cr_assert(n.call.step, "no %s_step", shapes[i].name);
        check_pieces(&n, &problems[i], &r);
        check_steps(&n, &problems[i]);
        free(n.packed);
        problem_free(&problems[i]);
    }
    close_library(library);
}

/* Each sequence of the problem by `batched` at once, and by `alone` one by one. */
static void check_alone(const stream_network *batched, const stream_network *alone,
                        const problem *p) {
    const size_t width = width_of(p), hidden = p->config.hidden_size;
    const results all = results_make(p);
    run_whole(batched, p, &all);
    for (size_t b = 0; b < p->batch; b++) {
        problem one = problem_one(p, b);
        const results own = results_make(&one);
        run_whole(alone, &one, &own);
        bool equal = true;
        for (size_t t = 0; t < one.seq_len; t++)
            equal = equal && memcmp(own.y + t * width, all.y + problem_at(p, t, b, width),
                                    width * sizeof(float)) == 0;
        for (size_t q = 0; q < problem_state_count(&one) / hidden; q++) {
            const size_t at = (q * p->batch + b) * hidden, size = hidden * sizeof(float);
            equal = equal && memcmp(own.hn + q * hidden, all.hn + at, size) == 0 &&
                    (!own.cn || memcmp(own.cn + q * hidden, all.cn + at, size) == 0);
        }
        cr_expect(equal, "%s, %s: sequence %zu of %zu has other bits than alone in %s",
                  batched->model->name, batched->model->target, b, p->batch, alone->model->name);
        free(own.y);
        problem_free_one(&one);
        if (!equal)
            break;
    }
    free(all.y);
}

ParameterizedTest(one_cell *param, generated_stream, sequences_alone, .timeout = 300) {
    static const rnnc_config shapes[] = {{0, 6, 37, 2, 1, 0, 0, 0}, {0, 5, 18, 2, 1, 1, 1, 0}};
    static const struct {
        const char *name;
        size_t batch;
        bool lengths;
    } networks[] = {
        {"any", 0, false}, {"any_lengths", 0, true}, {"one", 1, false}, {"block", 32, false}};
    enum { NETWORKS = sizeof networks / sizeof *networks, BATCH = 32 };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        rnnc_config c = shapes[i];
        c.cell = param->cell;
        rng r = {.state = i + 5};
        rnnc_error err;
        char dir[PATH_SIZE];
        problem p = problem_make(&c, STEPS, BATCH, true, &r);
        workdir_make(dir);
        for (size_t k = 0; k < NETWORKS; k++) {
            const spec s = {.name = networks[k].name,
                            .config = c,
                            .batch = networks[k].batch,
                            .target = targets[param->target],
                            .weights_as = "none",
                            .lengths = networks[k].lengths,
                            .deterministic = true,
                            .fast = i == 1};
            generate_with_driver(&s, dir);
        }
        void *const library = build_library(NULL, "-O1", dir, NULL, &err);
        workdir_remove(dir);
        cr_assert(library, "%s", err.message);
        stream_network n[NETWORKS];
        for (size_t k = 0; k < NETWORKS; k++)
            n[k] = stream_open(library, networks[k].name, &p);
        check_alone(&n[3], &n[2], &p);
        check_alone(&n[0], &n[2], &p);
        problem_resize(&p, STEPS, BATCH + 5, true, &r); /* more than a block */
        check_alone(&n[0], &n[0], &p);
        check_alone(&n[1], &n[1], &p);
        problem_set_lengths(&p, &r);
        check_alone(&n[1], &n[1], &p);
        for (size_t k = 0; k < NETWORKS; k++)
            free(n[k].packed);
        close_library(library);
        problem_free(&p);
    }
}
