/* Random specs: generated C against the double oracle.
 *
 * RNNC_SEED starts another run of specs; RNNC_TEST_FAST=1 makes it 30 instead of 300; RNNC_SPEC=n
 * runs just the spec of number n, as the message of a failure says. Specs are compiled ten at a
 * time, gcc and clang in turn, because starting a compiler costs more than most of them. */
#include "support/check.h"
#include "support/network.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SPECS = 300, FAST_SPECS = 30, GROUP = 10 };

/* What is tried together. `count` is 1 when RNNC_SPEC asks for one spec. */
typedef struct group {
    uint64_t first;
    size_t count;
} group;

/* The number of a spec makes all of it: sizes, options, weights and inputs. */
typedef struct random_spec {
    spec s;
    problem p;
    char name[32];
    char target[32];
    rng r; /* for the sizes of further runs */
} random_spec;

static uint64_t number_from(const char *variable, uint64_t otherwise) {
    const char *const text = getenv(variable);
    return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

ParameterizedTestParameters(differential, random_specs) {
    const uint64_t seed = number_from("RNNC_SEED", 1), only = number_from("RNNC_SPEC", 0);
    const size_t specs = getenv("RNNC_TEST_FAST") ? FAST_SPECS : SPECS;
    const size_t count = only ? 1 : specs / GROUP;
    group *const groups = cr_malloc(count * sizeof *groups);
    for (size_t i = 0; i < count; i++)
        groups[i] =
            (group){.first = only ? only : seed * 1000000 + i * GROUP, .count = only ? 1 : GROUP};
    return cr_make_param_array(group, groups, count, NULL);
}

/* Units around the widths of vectors (4, 8, 16), of register tiles (multiples of those) and primes.
 */
static size_t random_units(rng *r) {
    static const size_t awkward[] = {1,  2,  3,  4,  5,  7,  8,  9,  11, 13, 15,  16,  17,  19, 23,
                                     24, 25, 29, 31, 32, 33, 37, 40, 41, 47, 48,  49,  50,  55, 59,
                                     63, 64, 65, 71, 79, 80, 81, 95, 96, 97, 112, 127, 128, 129};
    enum { COUNT = sizeof awkward / sizeof *awkward };
    return rng_below(r, 4) ? awkward[rng_below(r, COUNT)] : 1 + rng_below(r, 70);
}

static size_t random_seq_len(rng *r) {
    switch (rng_below(r, 8)) {
    case 0:
        return 1;
    case 1:
        return 2;
    case 2:
        return 60 + rng_below(r, 200); /* more than a chunk of time */
    default:
        return 3 + rng_below(r, 30);
    }
}

static size_t random_batch(rng *r) {
    switch (rng_below(r, 8)) {
    case 0:
    case 1:
        return 1;
    case 2:
    case 3:
        return 33 + rng_below(r, 40); /* more than a block of sequences */
    default:
        return 1 + rng_below(r, 33);
    }
}

/* T and B that keep the oracle to some milliseconds. */
static void random_run(const rnnc_config *c, rng *r, size_t *seq_len, size_t *batch) {
    const size_t k = c->hidden_size * (c->bidirectional ? 4 : 1) + c->input_size;
    const size_t step = c->hidden_size * k * c->num_layers * problem_gates(c->cell);
    *seq_len = random_seq_len(r);
    *batch = random_batch(r);
    while (*seq_len * *batch * step > 20000000 && *seq_len > 3)
        *seq_len = (*seq_len + 3) / 2;
    while (*seq_len * *batch * step > 20000000 && *batch > 2)
        *batch = (*batch + 2) / 2;
}

static void random_target(rng *r, char target[32]) {
    static const char *const all[] = {"portable", "avx2", "avx512", "avx2,portable",
                                      "avx512,avx2,portable"};
    do
        strcpy(target, all[rng_below(r, sizeof all / sizeof *all)]);
    while (!strchr(target, ',') && !target_runs(target));
}

static random_spec make_spec(uint64_t number) {
    random_spec one;
    rng r = {.state = number};
    static const rnnc_cell cells[] = {RNNC_RNN_TANH, RNNC_RNN_TANH, RNNC_RNN_RELU, RNNC_LSTM,
                                      RNNC_LSTM,     RNNC_GRU,      RNNC_GRU};
    rnnc_config c = {.cell = cells[rng_below(&r, sizeof cells / sizeof *cells)],
                     .input_size = random_units(&r),
                     .hidden_size = random_units(&r),
                     .num_layers = rng_below(&r, 2) ? 1 : 1 + rng_below(&r, 4),
                     .bias = rng_below(&r, 4) != 0,
                     .batch_first = (int)rng_below(&r, 2),
                     .bidirectional = rng_below(&r, 3) == 0};
    size_t seq_len, batch;
    random_run(&c, &r, &seq_len, &batch);
    one.p = problem_make(&c, seq_len, batch, rng_below(&r, 4) != 0, &r);
    size_t floats = 0;
    for (size_t i = 0; i < one.p.weight_count; i++) {
        const rnnc_weight w = problem_weight(&c, i);
        floats += w.rows * (w.cols ? w.cols : 1);
    }
    snprintf(one.name, sizeof one.name, "n%" PRIu64, number);
    random_target(&r, one.target);
    one.s = (spec){.config = c,
                   .seq_len = rng_below(&r, 2) ? seq_len : 0,
                   .batch = rng_below(&r, 2) ? batch : 0,
                   /* built-in weights cost compile time */
                   .weights_as = floats < 30000 && rng_below(&r, 2) ? "c" : "none",
                   .dropout = c.num_layers > 1 && rng_below(&r, 2) ? 0.5 : 0.0,
                   .lengths = rng_below(&r, 3) == 0,
                   .deterministic = rng_below(&r, 6) == 0,
                   .fast = rng_below(&r, 3) == 0,
                   .threads = rng_below(&r, 2) ? 2 + rng_below(&r, 3) : 0};
    one.r = r;
    return one;
}

/* Largest magnitude of the answers, at least 1: with relu, and in cn, rounding errors grow with it.
 */
static double magnitude(const problem *p) {
    double largest = 1.0;
    for (size_t i = 0; i < problem_y_count(p); i++)
        largest = fmax(largest, fabs(p->y[i]));
    for (size_t i = 0; i < problem_state_count(p); i++)
        largest = fmax(fmax(largest, fabs(p->hn[i])), p->cn ? fabs(p->cn[i]) : 0.0);
    return largest;
}

static void report(const random_spec *one, uint64_t number, const char *cc, const char *message) {
    char *const line = spec_line(&one->s);
    cr_expect(false,
              "%s\n  spec: %s\n  T=%zu B=%zu h0=%d lengths=%d, compiled with %s\n"
              "  repeat: RNNC_SPEC=%" PRIu64 " build/tests/rnnc-tests --filter 'differential/*'\n",
              message, line, one->p.seq_len, one->p.batch, one->p.h0 != NULL,
              one->p.lengths != NULL, cc, number);
    free(line);
}

/* Runs the network in all ways on its problem and, if it was made for any sizes, on others. */
static void try_network(random_spec *one, uint64_t number, void *library, const char *cc) {
    rnnc_error err;
    char context[96];
    snprintf(context, sizeof context, "RNNC_SPEC=%" PRIu64, number);
    crash_context(context);
    const rnnc_model *const model = library_model(library, one->name, &err);
    float *const packed = model ? pack_weights(model, &one->p) : NULL;
    bool ok = model != NULL;
    for (int run = 0; ok && run < 3; run++) {
        if (one->s.lengths && rng_below(&one->r, 4))
            problem_set_lengths(&one->p, &one->r);
        problem_solve(&one->p);
        const double tolerance = (one->s.fast ? 3e-5 : 2e-6) * magnitude(&one->p);
        ok = check_description(model, &one->p, &err) &&
             check_network_all_ways(model, packed, &one->p, tolerance, &err);
        if (!ok || (one->s.seq_len && one->s.batch))
            break;
        size_t seq_len, batch;
        random_run(&one->s.config, &one->r, &seq_len, &batch);
        problem_resize(&one->p, one->s.seq_len ? one->s.seq_len : seq_len,
                       one->s.batch ? one->s.batch : batch, rng_below(&one->r, 2), &one->r);
    }
    crash_context(NULL);
    if (!ok)
        report(one, number, cc, err.message);
    free(packed);
}

/* Generates the spec's C into dir. */
static bool generate_one(random_spec *one, const char *dir, rnnc_error *err) {
    char file[64], path[PATH_SIZE];
    snprintf(file, sizeof file, "%s.safetensors", one->name);
    path_join(path, dir, file);
    one->s.name = one->name;
    one->s.target = one->target;
    one->s.weights = strcmp(one->s.weights_as, "c") == 0 ? file : NULL;
    const bool ok = (!one->s.weights || problem_write_weights(&one->p, path, NULL, err)) &&
                    generate(&one->s, dir, err);
    one->s.weights = NULL;
    return ok;
}

ParameterizedTest(group *g, differential, random_specs, .timeout = 600) {
    /* From the number, so that a spec that is repeated is compiled as it was. */
    const uint64_t turn = g->first / GROUP;
    const char *const cc = sanitized() ? default_cc() : turn % 2 ? "clang" : "gcc";
    const char *const flags = turn % 5 == 4 ? "-O3" : "-O1";
    random_spec specs[GROUP];
    bool generated[GROUP];
    char dir[PATH_SIZE];
    rnnc_error err;
    workdir_make(dir);
    for (size_t i = 0; i < g->count; i++) {
        specs[i] = make_spec(g->first + i);
        generated[i] = generate_one(&specs[i], dir, &err);
        if (!generated[i])
            report(&specs[i], g->first + i, "nothing", err.message);
    }
    void *const library = build_library(cc, flags, dir, NULL, &err);
    workdir_remove(dir);
    cr_expect(library != NULL, "specs %" PRIu64 " to %" PRIu64 ": %s", g->first,
              g->first + g->count - 1, err.message);
    for (size_t i = 0; i < g->count; i++) {
        if (library && generated[i])
            try_network(&specs[i], g->first + i, library, cc);
        problem_free(&specs[i].p);
    }
    close_library(library);
}
