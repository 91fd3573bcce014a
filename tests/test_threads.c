/* Two threads with an instance each of one generated network: nothing is shared but constants.
 * `make sanitize` builds this under ThreadSanitizer, and the network with it. */
#include "support/check.h"
#include "support/network.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { CALLS = 1000, THREADS = 2 };

/* What one thread works on: its own input, its own buffers. */
typedef struct worker {
    const network *n;
    problem p;
    float *first, *now; /* y, then hn */
    void *workspace;
    size_t different; /* calls whose result was not that of the first, bit for bit */
    int failed;
} worker;

static void call_once(worker *w, float *out) {
    const rnnc_call call = {.weights = w->n->packed,
                            .seq_len = w->p.seq_len,
                            .batch = w->p.batch,
                            .x = w->p.x,
                            .h0 = w->p.h0,
                            .y = out,
                            .hn = out + problem_y_count(&w->p),
                            .workspace = w->workspace};
    w->failed |= w->n->model->forward(&call) != RNNC_OK;
}

static size_t result_count(const worker *w) {
    return problem_y_count(&w->p) + problem_state_count(&w->p);
}

static void *work(void *argument) {
    worker *const w = argument;
    for (int i = 0; i < CALLS; i++) {
        memset(w->now, 0xFF, result_count(w) * sizeof(float));
        call_once(w, w->now);
        w->different += memcmp(w->first, w->now, result_count(w) * sizeof(float)) != 0;
    }
    return NULL;
}

static void run_threads(const char *target, size_t seq_len, size_t batch, const char *weights_as) {
    const rnnc_config config = {RNNC_RNN_TANH, 6, 21, 2, 1, 0, 1, 0};
    worker workers[THREADS];
    pthread_t threads[THREADS];
    network n;
    rnnc_error err;
    for (size_t i = 0; i < THREADS; i++) {
        rng r = {.state = 1}; /* the same weights */
        workers[i] = (worker){.n = &n, .p = problem_make(&config, seq_len, batch, true, &r)};
        r.state = 100 + i; /* other inputs, of another length */
        problem_resize(&workers[i].p, seq_len + i, batch, true, &r);
    }
    const spec s = spec_for(&workers[0].p, "shared", target, false, false, weights_as);
    cr_assert(network_open(&n, &s, &workers[0].p, NULL, "-O1", &err), "%s", err.message);
    for (size_t i = 0; i < THREADS; i++) {
        worker *const w = &workers[i];
        const size_t size = n.model->workspace_size(w->p.seq_len, batch);
        w->first = malloc(result_count(w) * sizeof(float));
        w->now = malloc(result_count(w) * sizeof(float));
        w->workspace = malloc(size);
        cr_assert(size && w->first && w->now && w->workspace);
        call_once(w, w->first); /* alone: what the threads must repeat */
        problem_solve(&w->p);
        cr_assert(max_error(w->first, w->p.y, problem_y_count(&w->p)) <= 2e-6);
    }
    for (size_t i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    for (size_t i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
    for (size_t i = 0; i < THREADS; i++) {
        cr_expect(!workers[i].failed, "%s: a call of thread %zu failed", target, i);
        cr_expect_eq(workers[i].different, 0, "%s: %zu calls of thread %zu differ", target,
                     workers[i].different, i);
        free(workers[i].first);
        free(workers[i].now);
        free(workers[i].workspace);
        problem_free(&workers[i].p);
    }
    network_close(&n);
}

/* One call divided among a team of the runtime: everything that two members touch is ordered. */
static void run_team(const rnnc_config *config, size_t seq_len, size_t batch, bool lengths) {
    rng r = {.state = 1};
    problem p = problem_make(config, seq_len, batch, true, &r);
    network n;
    rnnc_error err;
    spec s = spec_for(&p, "divided", "avx512,avx2,portable", false, batch > 1, "none");
    s.threads = 2;
    s.lengths = lengths;
    if (lengths)
        problem_set_lengths(&p, &r);
    problem_solve(&p);
    cr_assert(network_open(&n, &s, &p, NULL, "-O1", &err), "%s", err.message);
    cr_expect(check_network_all_ways(n.model, n.packed, &p, 4e-6, &err), "%s", err.message);
    rnnc_team *team;
    cr_assert_eq(rnnc_team_create(2, &team, &err), RNNC_OK, "%s", err.message);
    const variation v = {.team = team};
    for (int i = 0; i < CALLS / 20; i++)
        cr_assert(check_network(n.model, n.packed, &p, &v, 4e-6, NULL, &err), "%s", err.message);
    rnnc_team_destroy(team);
    network_close(&n);
    problem_free(&p);
}

Test(threads, team_by_directions, .timeout = 300) {
    const rnnc_config config = {RNNC_GRU, 20, 50, 3, 1, 0, 1, 0};
    run_team(&config, 40, 1, false);
    run_team(&config, 40, 1, true);
}

Test(threads, team_by_chunks, .timeout = 300) {
    const rnnc_config config = {RNNC_LSTM, 20, 50, 3, 1, 0, 0, 0};
    run_team(&config, 80, 1, false);
    run_team(&config, 80, 1, true);
}

Test(threads, team_by_slices, .timeout = 300) {
    const rnnc_config config = {RNNC_RNN_TANH, 20, 50, 2, 1, 0, 0, 0};
    run_team(&config, 20, 9, false);
    run_team(&config, 20, 33, true);
}

Test(threads, team_by_panels, .timeout = 300) {
    const rnnc_config config = {RNNC_GRU, 20, 200, 2, 1, 0, 0, 0};
    const rnnc_config projected = {RNNC_LSTM, 20, 240, 1, 1, 0, 0, 70};
    run_team(&config, 20, 1, false);
    run_team(&config, 20, 1, true);
    run_team(&projected, 9, 1, false);
}

Test(threads, two_instances_batch_1, .timeout = 300) {
    run_threads("avx512,avx2,portable", 9, 1, "c");
}

Test(threads, two_instances_of_a_batch, .timeout = 300) {
    run_threads("avx512,avx2,portable", 7, 5, "none");
}

Test(threads, two_instances_portable, .timeout = 300) { run_threads("portable", 5, 3, "c"); }
