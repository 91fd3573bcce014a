/* NAME_weights.c: it links with NAME.c of the same run only, and it holds the same floats in every
 * form, for C and for C++. */
#include "support/check.h"
#include "support/cli.h"
#include "support/generate.h"
#include "support/problem.h"
#include "support/process.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char dir[PATH_SIZE];
static rnnc_error err;

static void setup(void) { workdir_make(dir); }
static void teardown(void) { workdir_remove(dir); }

TestSuite(generated_weights, .init = setup, .fini = teardown, .timeout = 300);

/* Generates network net with random weights of that seed into dir/run; returns the problem that has
 * these weights. */
static problem generate_sizes(const char *run, size_t input, size_t hidden, uint64_t seed,
                              const char *target, const char *form) {
    char into[PATH_SIZE], weights[PATH_SIZE];
    const rnnc_config config = {RNNC_GRU, input, hidden, 1, 1, 0, 0, 0};
    rng r = {.state = seed};
    problem p = problem_make(&config, 3, 2, false, &r);
    /* What is no ordinary number, or close to the ends of what there is. */
    static const float special[] = {-0.0f,   FLT_MAX,     -FLT_MAX, FLT_MIN, 1e-45f,
                                    -3e-42f, 16777217.0f, 0.1f,     1e10f,   9.99999e-5f};
    for (size_t i = 0; i < sizeof special / sizeof special[0]; i++)
        p.weight[i % 2][i * 3] = special[i];
    const spec s = {.name = "net",
                    .config = config,
                    .target = target,
                    .weights = "w.safetensors",
                    .weights_as = form};
    path_join(into, dir, run);
    mkdir(into, 0777);
    path_join(weights, into, "w.safetensors");
    cr_assert(problem_write_weights(&p, weights, NULL, &err) && generate(&s, into, &err), "%s",
              err.message);
    return p;
}

static problem generate_run(const char *run, size_t hidden, uint64_t seed, const char *target,
                            const char *form) {
    return generate_sizes(run, 5, hidden, seed, target, form);
}

/* Does NAME.c of one run link with the weights of another? */
static bool link_runs(const char *code, const char *weights) {
    char sources[PATH_SIZE];
    snprintf(sources, sizeof sources, "%s/net.c %s/net_weights.c", code, weights);
    return compile_c("gcc", "-O0 -shared -fPIC -Wl,-z,defs", dir, sources, "net.so", &err);
}

/* Other values, another layout of the same values, another form: each with few weights and many. */
Test(generated_weights, of_two_runs_do_not_link) {
    static const char *const runs[] = {"first", "values", "layout"};
    for (size_t hidden = 8; hidden <= 96; hidden += 88) {
        for (size_t i = 0; i < 3; i++) {
            problem p =
                generate_run(runs[i], hidden, i == 1 ? 2 : 1, i == 2 ? "avx2" : "portable", "c");
            problem_free(&p);
        }
        for (size_t i = 0; i < 3; i++)
            for (size_t k = 0; k < 3; k++) {
                cr_expect_eq(link_runs(runs[i], runs[k]), i == k, "%s with %s, hidden_size %zu",
                             runs[i], runs[k], hidden);
                cr_expect(i == k || strstr(err.message, "net_weights_of_the_same_run_"), "%s",
                          err.message);
            }
    }
}

/* The same run twice is the same: a file that is old, but right, may stay. */
Test(generated_weights, of_equal_runs_link) {
    problem p = generate_run("once", 8, 1, "portable", "c");
    problem_free(&p);
    p = generate_run("twice", 8, 1, "portable", "c");
    cr_expect(link_runs("once", "twice"), "%s", err.message);
    problem_free(&p);
}

/* Loads a built library of dir/run and compares its weights with those that the model packs. */
static void expect_weights(const char *run, const problem *p, const char *cc, const char *flags) {
    char at[PATH_SIZE], into[PATH_SIZE];
    path_join(into, dir, run);
    void *const library = build_library(cc, flags, into, "net.c net_weights.c", &err);
    cr_assert(library, "%s, %s: %s", run, cc, err.message);
    const rnnc_model *const model = library_model(library, "net", &err);
    cr_assert(model && model->built_in, "%s", err.message);
    problem none = generate_run("none", p->config.hidden_size, 1, "portable", "none");
    path_join(at, dir, "none");
    void *const other = build_library(NULL, "-O0", at, "net.c", &err);
    const rnnc_model *const packs = other ? library_model(other, "net", &err) : NULL;
    cr_assert(packs && packs->packed_count == model->packed_count, "%s", err.message);
    float *const want = pack_weights(packs, p);
    cr_expect(memcmp(want, model->built_in, packs->packed_count * sizeof *want) == 0,
              "%s, hidden_size %zu, as %s", cc, p->config.hidden_size, run);
    cr_expect_eq((uintptr_t)model->built_in % 64, 0);
    free(want);
    problem_free(&none);
    close_library(other);
    close_library(library);
}

/* Around the numbers at which a row of words, and the floats, end: 3 * 16 * 5 + 3 * 16 * 16 + ...
 */
Test(generated_weights, forms_hold_the_same_floats) {
    static const size_t sizes[] = {8, 64, 96};
    static const char *const forms[] = {"c", "floats"};
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 2; k++) {
            problem p = generate_run(forms[k], sizes[i], 1, "portable", forms[k]);
            expect_weights(forms[k], &p, "gcc", "-std=c11 -O1 -Wall -Wextra -Wpedantic -Werror");
            expect_weights(forms[k], &p, "clang", "-std=c11 -O1 -Wall -Wextra -Wpedantic -Werror");
            expect_weights(forms[k], &p, "g++",
                           "-std=c++17 -O1 -Wno-deprecated -Wall -Wextra -Wpedantic -Werror");
            expect_weights(forms[k], &p, "clang++",
                           "-std=c++17 -O1 -Wno-deprecated -Wall -Wextra -Wpedantic -Werror");
            problem_free(&p);
        }
}

/* NaN and infinities, of which rnnc says how many there are. */
Test(generated_weights, forms_hold_what_is_not_finite) {
    static const char *const forms[] = {"c", "floats"};
    for (size_t hidden = 8; hidden <= 96; hidden += 88)
        for (size_t k = 0; k < 2; k++) {
            char into[PATH_SIZE], path[PATH_SIZE], option[32];
            problem p = generate_run(forms[k], hidden, 1, "portable", forms[k]);
            p.weight[0][0] = p.weight[1][4] = INFINITY;
            p.weight[0][1] = p.weight[1][9] = -INFINITY;
            p.weight[0][2] = NAN;
            path_join(into, dir, forms[k]);
            path_join(path, into, "w.safetensors");
            cr_assert(problem_write_weights(&p, path, NULL, &err), "%s", err.message);
            snprintf(option, sizeof option, "--weights-as=%s", forms[k]);
            outcome made = run(into, "compile", "net.lua", option, NULL, NULL);
            cr_expect(made.code == 0 && strstr(made.err, "5 of the weights are NaN or infinite"),
                      "%s", made.err);
            outcome_free(&made);
            expect_weights(forms[k], &p, "gcc", "-std=c11 -O1");
            expect_weights(forms[k], &p, "clang++", "-std=c++17 -O1 -Wno-deprecated");
            problem_free(&p);
        }
}

/* Literals that every compiler takes: none of more than 4,095 characters in C; and no union where
 * floats are asked for. */
Test(generated_weights, literals_are_short) {
    char path[PATH_SIZE];
    problem p = generate_run("c", 96, 1, "portable", "c");
    problem_free(&p);
    path_join(path, dir, "c/net_weights.c");
    char *const text = file_read(path, NULL);
    size_t words = 0, most = 0, all = 0;
    for (const char *at = text; *at; at++) {
        if (strncmp(at, "NEXT", 4) == 0 && at[-1] == ' ' && at[4] == '\n')
            words = 0;
        if (at[0] == '\\' && at[1] == 'x')
            words++, all++;
        most = words > most ? words : most;
    }
    free(text);
    cr_expect(all > 16384 && most <= 4095, "%zu words, at most %zu in a literal", all, most);
    p = generate_run("floats", 96, 1, "portable", "floats");
    problem_free(&p);
    path_join(path, dir, "floats/net_weights.c");
    char *const floats = file_read(path, NULL);
    cr_expect(!strstr(floats, "union") && !strstr(floats, "\\x"));
    free(floats);
}

/* Words that fill whole rows of 4000: C++ needs room for a terminator behind them. */
Test(generated_weights, whole_rows_have_their_terminator) {
    problem p = generate_sizes("c", 2, 80, 1, "portable", "c");
    problem_free(&p);
    char path[PATH_SIZE], into[PATH_SIZE];
    path_join(path, dir, "c/net_weights.c");
    char *const text = file_read(path, NULL);
    size_t words = 0;
    for (const char *at = text; (at = strstr(at, "\\x")); at++)
        words++;
    free(text);
    cr_assert(words > 16384 && words % 4000 == 0, "%zu", words);
    path_join(into, dir, "c");
    cr_expect(compile_c("g++", "-std=c++17 -O0 -Wno-deprecated -shared -fPIC", into,
                        "net_weights.c", "net.so", &err),
              "%s", err.message);
}
