/* NAME_forward_threads: one call divided among the members of a team, bit for bit as one thread. */
#include "support/check.h"
#include "support/driver.h"
#include "support/network.h"
#include "support/team.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How a call is divided, as far as a team notices. */
typedef enum division { ONE, NO_WORDS, WITH_WORDS, EVERY_STEP } division;

typedef struct divided {
    rnnc_config config;
    size_t seq_len, batch;
    bool fixed;   /* seq_len and batch are numbers in the spec, too */
    bool lengths; /* of their own for the sequences */
    size_t threads;
    division expected; /* for avx512; it depends on the cost model */
} divided;

static const divided table[] = {
    /* directions */
    {{RNNC_RNN_TANH, 20, 50, 2, 1, 0, 1, 0}, 30, 1, true, false, 2, WITH_WORDS},
    {{RNNC_GRU, 7, 33, 3, 1, 0, 1, 0}, 140, 1, false, false, 2, WITH_WORDS},
    {{RNNC_LSTM, 5, 21, 1, 1, 1, 1, 0}, 60, 1, false, true, 2, NO_WORDS}, /* of one layer */
    {{RNNC_LSTM, 5, 21, 4, 0, 0, 1, 0}, 40, 2, false, true, 3, WITH_WORDS},
    /* chunks of time in turns */
    {{RNNC_RNN_TANH, 20, 50, 2, 1, 0, 0, 0}, 101, 1, true, false, 2, WITH_WORDS},
    {{RNNC_LSTM, 20, 50, 3, 1, 0, 0, 0}, 57, 1, false, false, 2, WITH_WORDS},
    {{RNNC_GRU, 64, 70, 5, 1, 1, 0, 0}, 61, 1, false, false, 3, WITH_WORDS},
    {{RNNC_LSTM, 40, 90, 2, 1, 0, 0, 0}, 120, 2, false, true, 2, WITH_WORDS},
    /* slices of the batch */
    {{RNNC_RNN_TANH, 20, 50, 2, 1, 0, 0, 0}, 12, 32, true, false, 2, NO_WORDS},
    {{RNNC_RNN_TANH, 20, 50, 1, 1, 1, 1, 0}, 11, 8, true, false, 2, NO_WORDS},
    {{RNNC_LSTM, 20, 50, 2, 1, 0, 0, 0}, 23, 9, true, false, 2, NO_WORDS},
    {{RNNC_LSTM, 20, 50, 2, 1, 0, 1, 0}, 23, 37, false, false, 4, NO_WORDS},
    {{RNNC_GRU, 33, 65, 1, 1, 0, 0, 0}, 13, 70, true, true, 3, NO_WORDS},
    {{RNNC_RNN_RELU, 16, 33, 2, 1, 0, 0, 0}, 9, 100, true, false, 3, NO_WORDS},
    /* panels of the weights */
    {{RNNC_RNN_TANH, 24, 256, 1, 1, 0, 0, 0}, 140, 1, true, false, 2, EVERY_STEP},
    {{RNNC_LSTM, 40, 203, 1, 1, 0, 0, 0}, 21, 1, false, false, 2, EVERY_STEP},
    {{RNNC_GRU, 50, 150, 2, 0, 1, 0, 0}, 9, 1, false, false, 3, EVERY_STEP},
    {{RNNC_RNN_RELU, 3, 301, 1, 1, 0, 0, 0}, 5, 3, true, false, 2, EVERY_STEP}, /* no input product
                                                                                 */
    {{RNNC_LSTM, 30, 240, 1, 1, 0, 0, 77}, 12, 2, false, false, 2, EVERY_STEP}, /* a projection */
    {{RNNC_LSTM, 64, 130, 3, 1, 0, 1, 0}, 7, 1, false, false, 4, EVERY_STEP}, /* both directions */
    {{RNNC_GRU, 20, 256, 1, 1, 0, 0, 0}, 11, 3, true, true, 2, EVERY_STEP},
    {{RNNC_LSTM, 20, 300, 1, 1, 0, 0, 0}, 1, 1, true, false, 2, EVERY_STEP}, /* chunks of one step
                                                                              */
    /* nothing to gain */
    {{RNNC_LSTM, 1, 20, 1, 1, 0, 0, 0}, 64, 1, true, false, 2, ONE},
    {{RNNC_RNN_TANH, 8, 8, 1, 1, 0, 0, 0}, 1, 2, false, false, 2, ONE},
    /* of `portable` three panels, the last one the only one of its kind: nobody else's */
    {{RNNC_LSTM, 8, 20, 1, 1, 0, 0, 0}, 30, 1, true, false, 3, ONE},
};

static double magnitude(const problem *p) {
    double largest = 1.0;
    for (size_t i = 0; i < problem_y_count(p); i++)
        largest = fmax(largest, fabs(p->y[i]));
    for (size_t i = 0; p->cn && i < problem_state_count(p); i++)
        largest = fmax(largest, fabs(p->cn[i]));
    return largest;
}

/* What a team of enough members was asked for, whose latency takes so many nanoseconds. Member
 * `late` - 1 is always the last one (0: none is), so that nobody may read what it has not written
 * yet, or write over what it still reads. */
static division division_seen(const network *n, const problem *p, size_t latency, size_t late) {
    own_team own;
    rnnc_error err;
    const variation v = {.team = &own.team};
    own_team_make(&own, n->model->threads, false);
    own.team.latency = latency;
    own.late = late;
    const bool ok = check_network(n->model, n->packed, p, &v, 2e-6 * magnitude(p), NULL, &err);
    own_team_free(&own);
    cr_assert(ok, "%s", err.message);
    cr_assert(own.runs <= 1);
    if (own.runs == 0 || own.posts == 0)
        return own.runs == 0 ? ONE : NO_WORDS;
    return own.posts >= p->seq_len * n->model->threads ? EVERY_STEP : WITH_WORDS;
}

static void try_divided(const divided *d, const char *target, bool as_expected) {
    rng r = {.state = 7};
    problem p = problem_make(&d->config, d->seq_len, d->batch, true, &r);
    network n;
    rnnc_error err;
    spec s = spec_for(&p, "divided", target, d->fixed, d->fixed, "none");
    s.threads = d->threads;
    s.lengths = d->lengths;
    if (d->lengths)
        problem_set_lengths(&p, &r);
    problem_solve(&p);
    char *const line = spec_line(&s);
    cr_assert(network_open(&n, &s, &p, NULL, "-O1", &err), "%s: %s", line, err.message);
    cr_expect_eq(n.model->threads, d->threads);
    cr_expect(check_network_all_ways(n.model, n.packed, &p, 2e-6 * magnitude(&p), &err), "%s: %s",
              line, err.message);
    const division seen = division_seen(&n, &p, 0, 0), far = division_seen(&n, &p, 10000, 0);
    for (size_t late = 1; late <= 2; late++)
        cr_expect_eq(division_seen(&n, &p, 0, late), seen, "%s: member %zu is late", line, late);
    cr_expect(!as_expected || seen == d->expected, "%s: divided as %d, not %d", line, (int)seen,
              (int)d->expected);
    /* Members that are too far from each other to wait for each other do not. */
    cr_expect(far == ONE || (far == NO_WORDS && seen == NO_WORDS), "%s: divided as %d from afar",
              line, (int)far);
    free(line);
    network_close(&n);
    problem_free(&p);
}

Test(generated_threads, bits_of_one_thread, .timeout = 600) {
    const bool wide = target_runs("avx512");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        try_divided(&table[i], wide ? "avx512" : "portable", wide);
}

Test(generated_threads, bits_of_one_thread_portable, .timeout = 600) {
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        try_divided(&table[i], "portable", false);
}

/* Lengths of a batch that is longer than one chunk and one block. */
Test(generated_threads, any_batch, .timeout = 600) {
    static const size_t batches[] = {1, 2, 3, 5, 31, 32, 33, 64, 65};
    const rnnc_config configs[] = {{RNNC_RNN_TANH, 20, 50, 2, 1, 0, 0, 0},
                                   {RNNC_GRU, 9, 40, 2, 1, 1, 1, 0}};
    for (size_t k = 0; k < sizeof configs / sizeof *configs; k++) {
        rng r = {.state = k};
        network n;
        rnnc_error err;
        problem p = problem_make(&configs[k], 35, 1, true, &r);
        spec s = spec_for(&p, "any", "avx512,portable", false, false, "none");
        s.threads = 2 + k;
        cr_assert(network_open(&n, &s, &p, NULL, "-O1", &err), "%s", err.message);
        for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
            problem_resize(&p, i % 2 ? 35 : 70, batches[i], true, &r);
            problem_solve(&p);
            cr_expect(check_network_all_ways(n.model, n.packed, &p, 4e-6, &err), "batch %zu: %s",
                      batches[i], err.message);
        }
        network_close(&n);
        problem_free(&p);
    }
}

/* The prototype of NAME.h, and what is no team. */
Test(generated_threads, wrong_teams_are_refused, .timeout = 120) {
    const rnnc_config config = {RNNC_LSTM, 6, 40, 2, 1, 0, 0, 0};
    rng r = {.state = 3};
    network n;
    rnnc_error err;
    problem p = problem_make(&config, 40, 2, true, &r);
    spec s = spec_for(&p, "teams", "portable", false, false, "none");
    s.threads = 2;
    cr_assert(network_open(&n, &s, &p, NULL, "-O1", &err), "%s", err.message);
    own_team own;
    own_team_make(&own, 2, true);
    rnnc_team empty = own.team, idle = own.team, mute = own.team, deaf = own.team;
    empty.count = 0;
    idle.run = NULL;
    own_team both;
    own_team_make(&both, 2, false);
    mute.wait = both.team.wait;
    deaf.post = both.team.post;
    const rnnc_team *const wrong[] = {&empty, &idle, &mute, &deaf};
    const size_t count = problem_y_count(&p), size = n.model->workspace_size(40, 2);
    float *const y = malloc(count * sizeof *y), *const workspace = malloc(size);
    cr_assert(y && workspace && size);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        memset(y, 0xFF, count * sizeof *y);
        memset(workspace, 0xFF, size);
        const rnnc_call call = {.weights = n.packed,
                                .seq_len = 40,
                                .batch = 2,
                                .x = p.x,
                                .y = y,
                                .workspace = workspace,
                                .team = wrong[i]};
        cr_expect_eq(n.model->forward(&call), RNNC_ERR_ARGUMENT);
        for (size_t k = 0; k < count; k++)
            cr_assert(isnan(y[k]), "y was written");
    }
    own_team_free(&both);
    own_team_free(&own);
    free(y);
    free(workspace);
    network_close(&n);
    problem_free(&p);
}
