/* Generated networks read nothing that nobody wrote, and raise no floating-point exception on
 * ordinary data: a random sample of all options, called by tests/padding/calls.c. */
#define _XOPEN_SOURCE 700
#include "support/generate.h"
#include "support/random_options.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Compiles the network in `dir` with the program that calls it, and runs that. */
static void run_calls(const char *cc, const char *flags, const char *dir, const char *text) {
    char calls[4096], sources[4200], path[PATH_SIZE];
    rnnc_error err;
    cr_assert(realpath("tests/padding/calls.c", calls));
    snprintf(sources, sizeof sources, "%s net.c net_weights.c", calls);
    cr_assert(compile_c(cc, flags, dir, sources, "calls", &err), "%s: %s", text, err.message);
    path_join(path, dir, "calls");
    const char *const argv[] = {path, NULL};
    outcome o = process_run(argv, dir, NULL, 300);
    cr_expect_eq(o.code, 0, "%s: %s %s\n%.1000s%.3000s", text, cc, flags, o.out, o.err);
    outcome_free(&o);
}

static void check_padding(const char *text, size_t number) {
    static const char *const levels[] = {"-O1", "-O2", "-O3"};
    char dir[PATH_SIZE], path[PATH_SIZE], flags[128];
    rnnc_error err;
    workdir_make(dir);
    path_join(path, dir, "net.lua");
    cr_assert(file_write(path, text, strlen(text)));
    const char *const argv[] = {rnnc_path(), "init", "--weights-only", "net.lua", NULL};
    outcome o = process_run(argv, dir, NULL, 30);
    cr_assert_eq(o.code, 0, "%s: %s", text, o.err);
    outcome_free(&o);
    cr_assert(generate_text("net", text, "c", dir, &err), "%s: %s", text, err.message);
    run_calls("clang",
              "-std=c11 -D_GNU_SOURCE -O1 -g -I. -pthread -fsanitize=memory "
              "-fsanitize-memory-track-origins -fno-sanitize-recover=all",
              dir, text);
    snprintf(flags, sizeof flags, "-std=c11 -D_GNU_SOURCE %s -I. -pthread", levels[number % 3]);
    run_calls("gcc", flags, dir, text);
    workdir_remove(dir);
}

/* Padding of each kind: units that fill no vector, with projections; blocks that the batch does
 * not fill, of inputs and of embeddings; groups of units that an odd size does not fill. */
Test(generated_padding, of_every_kind, .timeout = 900) {
    static const char *const specs[] = {
        "return rnn { name = \"net\", weights = \"net.safetensors\", cell = \"lstm\", "
        "input_size = 5, hidden_size = 13, num_layers = 2, proj_size = 6, batch = \"any\", "
        "lengths = true, threads = 3, target = { \"portable\", \"avx2\", \"avx512\" } }",
        "return rnn { name = \"net\", weights = \"net.safetensors\", cell = \"gru\", "
        "input_size = 3, hidden_size = 5, bidirectional = true, batch = 11, "
        "target = \"avx512\" }",
        "return model { name = \"net\", weights = \"net.safetensors\", batch = 13, "
        "target = \"avx512\", layers = { embedding { num_embeddings = 9, dim = 3, prefix = \"e.\" "
        "}, "
        "rnn { cell = \"gru\", hidden_size = 20, prefix = \"a.\" } } }",
        "return rnn { name = \"net\", weights = \"net.safetensors\", cell = \"lstm\", "
        "input_size = 3, hidden_size = 21, batch = 4, target = \"avx2\" }",
        "return rnn { name = \"net\", weights = \"net.safetensors\", cell = \"rnn\", "
        "input_size = 3, hidden_size = 9, batch = 7, threads = 2, target = \"avx512\" }"};
    if (sanitized())
        cr_skip_test("MemorySanitizer does not go with another sanitizer\n");
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        if (target_runs("avx512") || !strstr(specs[i], "target = \"avx"))
            check_padding(specs[i], i);
}

Test(generated_padding, random_options, .timeout = 900) {
    rng random = {.state = 77};
    const size_t count = getenv("RNNC_TEST_FAST") ? 3 : 16;
    if (sanitized())
        cr_skip_test("MemorySanitizer does not go with another sanitizer\n");
    for (size_t i = 0; i < count; i++) {
        char text[1024];
        random_options(&random, "weights = \"net.safetensors\",", text, sizeof text);
        if (target_runs("avx512") || !strstr(text, "target = \"avx"))
            check_padding(text, i);
    }
}
