/* activation = "fast": the stated bounds, over one of every RNNC_TEST_STRIDE floats (`make
 * exhaustive` is over all) and all neighbourhoods of edges; and where the constants come from. */
#include "support/generate.h"
#include "support/process.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Runs a program in the root of the tree, which says by its exit status whether all is well. */
static void expect_success(const char *const argv[], const char *const env[]) {
    outcome result = process_run(argv, NULL, env, 400);
    cr_expect_eq(result.code, 0, "%s: exit code %d\n%s%s", argv[0], result.code, result.out,
                 result.err);
    outcome_free(&result);
}

static void expect_bounds(const char *cc) {
    const char *const asked = getenv("RNNC_TEST_STRIDE");
    const char *const stride = asked && *asked ? asked : "1009";
    char compiler[32];
    snprintf(compiler, sizeof compiler, "CC=%s", cc);
    const char *const argv[] = {"tests/exhaustive/run", stride, NULL};
    const char *const env[] = {compiler, NULL};
    expect_success(argv, env);
}

Test(generated_fast, bounds_hold_with_gcc, .timeout = 450) { expect_bounds("gcc"); }

Test(generated_fast, bounds_hold_with_clang, .timeout = 450) { expect_bounds("clang"); }

/* The script computes them anew. */
Test(generated_fast, constants_are_minimax, .timeout = 120) {
    static const char *const tables[][2] = {{"templates/fast_lookup.c.t", "lookup"},
                                            {"templates/fast_rational.c.t", "rational"}};
    for (size_t i = 0; i < 2; i++) {
        const char *const argv[] = {"lua5.4", "tests/minimax/minimax.lua", tables[i][0],
                                    tables[i][1], NULL};
        expect_success(argv, NULL);
    }
}

/* The text of NAME.c for a spec. */
static char *source_of(const spec *s, char dir[PATH_SIZE]) {
    char file[64], path[PATH_SIZE];
    rnnc_error err;
    workdir_make(dir);
    cr_assert(generate(s, dir, &err), "%s", err.message);
    snprintf(file, sizeof file, "%s.c", s->name);
    path_join(path, dir, file);
    char *const text = file_read(path, NULL);
    cr_assert(text);
    workdir_remove(dir);
    return text;
}

/* Each of the two has its own functions and none of the other's; relu has neither. */
Test(generated_fast, is_what_the_spec_asks_for, .timeout = 60) {
    static const rnnc_cell cells[] = {RNNC_RNN_TANH, RNNC_RNN_RELU, RNNC_LSTM, RNNC_GRU};
    static const char *const targets[] = {"scalar", "portable", "avx2", "avx512"};
    enum { CELLS = sizeof cells / sizeof *cells, TARGETS = sizeof targets / sizeof *targets };
    for (size_t i = 0; i < CELLS * TARGETS * 2; i++) {
        const rnnc_cell cell = cells[i / 2 / TARGETS];
        const bool fast = i % 2, relu = cell == RNNC_RNN_RELU;
        const spec s = {.name = "net",
                        .config = {cell, 3, 5, 1, 1, 0, 0, 0},
                        .batch = 1,
                        .target = targets[i / 2 % TARGETS],
                        .fast = fast};
        char dir[PATH_SIZE];
        char *const text = source_of(&s, dir);
        char *const line = spec_line(&s);
        cr_expect_eq(strstr(text, "Fast activations: ") != NULL, fast && !relu, "%s", line);
        cr_expect_eq(strstr(text, "_expm1_twice(") != NULL, !fast && !relu, "%s", line);
        cr_expect(strstr(text, fast ? "Activations: fast." : "Activations: exact."), "%s", line);
        free(line);
        free(text);
    }
}
