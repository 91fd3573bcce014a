/* Random specs: generated C against the double oracle.
 *
 * RNNC_SEED starts another run of specs; RNNC_TEST_FAST=1 makes it 30 instead of 300; RNNC_SPEC=n
 * runs just the spec of number n, as the message of a failure says. Specs are compiled ten at a
 * time, gcc and clang in turn, because starting a compiler costs more than most of them. */
#include "support/check.h"
#include "support/network.h"
#include "support/random_spec.h"

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
        random_spec_run(&one->s.config, &one->r, &seq_len, &batch);
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
        specs[i] = random_spec_make(g->first + i);
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
