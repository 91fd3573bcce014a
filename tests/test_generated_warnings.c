/* No option, and no combination of them, makes gcc or clang warn about what is generated: a random
 * sample of all, more of it without RNNC_TEST_FAST, and those that once did. As C11 and as C++17.
 */
#include "support/generate.h"
#include "support/random_options.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* At -O2 compilers follow values, and see what is not initialised. */
static void compile(const char *cc, const char *language, int level, const char *dir,
                    const char *file, const char *text) {
    char flags[128];
    rnnc_error err;
    snprintf(flags, sizeof flags, "%s -O%d -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wunused",
             language, level);
    cr_expect(compile_c(cc, flags, dir, file, "net.o", &err), "%s: %s: %s", text, cc, err.message);
}

/* New random weights for the spec that is to be dir/net.lua. */
static void make_weights(const char *text, const char *dir) {
    char path[PATH_SIZE];
    path_join(path, dir, "net.lua");
    FILE *const out = fopen(path, "w");
    cr_assert(out);
    fprintf(out, "%s\n", text);
    cr_assert_eq(fclose(out), 0);
    const char *const argv[] = {rnnc_path(), "init", "--weights-only", "net.lua", NULL};
    outcome o = process_run(argv, dir, NULL, 30);
    cr_assert_eq(o.code, 0, "%s: %s", text, o.err);
    outcome_free(&o);
}

static void expect_silence(const char *text, const char *weights_as, int level) {
    static const char *const c = "-std=c11", *const cpp = "-x c++ -std=c++17";
    char dir[PATH_SIZE];
    rnnc_error err;
    workdir_make(dir);
    if (strcmp(weights_as, "none") != 0)
        make_weights(text, dir);
    cr_assert(generate_text("net", text, weights_as, dir, &err), "%s: %s", text, err.message);
    static const char *const files[] = {"net.c", "net_weights.c"};
    const bool built_in = strcmp(weights_as, "c") == 0 || strcmp(weights_as, "floats") == 0;
    for (size_t i = 0; i < 1 + (size_t)built_in; i++) {
        compile("gcc", c, level, dir, files[i], text);
        compile("clang", c, level, dir, files[i], text);
        compile("g++", cpp, level, dir, files[i], text);
        compile("clang++", cpp, level, dir, files[i], text);
    }
    workdir_remove(dir);
}

Test(generated_warnings, threads_that_share_little, .timeout = 240) {
    expect_silence("return rnn { name = \"net\", batch = 16, seq_len = 5, threads = 3, "
                   "target = \"avx2\", activation = \"fast\", cell = \"lstm\", input_size = 3, "
                   "hidden_size = 48, bias = false }",
                   "none", 0);
    expect_silence("return rnn { name = \"net\", batch = \"any\", threads = 2, target = \"avx2\", "
                   "cell = \"gru\", input_size = 3, hidden_size = 4, bidirectional = true }",
                   "none", 0);
}

/* A function alone has the helpers that it calls, and no other. */
Test(generated_warnings, functions_alone, .timeout = 240) {
    static const char *const names[] = {
        "tanh",     "relu",  "sigmoid",    "elu",  "selu",         "leaky_relu",
        "softplus", "gelu",  "gelu_tanh",  "silu", "hard_sigmoid", "hard_tanh",
        "softsign", "relu6", "hard_swish", "mish", "affine",
    };
    char dir[PATH_SIZE], text[256];
    rnnc_error err;
    workdir_make(dir);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(
            text, sizeof text,
            "return rnn { name = \"net\", target = \"portable\", input_size = 3, hidden_size = "
            "5, nonlinearity = \"%s\" }",
            names[i]);
        cr_assert(generate_text("net", text, "none", dir, &err), "%s: %s", text, err.message);
        compile("clang", "-std=c11", 0, dir, "net.c", text);
    }
    workdir_remove(dir);
}

Test(generated_warnings, random_options, .timeout = 900) {
    static const char *const ways[] = {"none", "c", "blob", "floats"};
    rng random = {.state = 20};
    const int count = getenv("RNNC_TEST_FAST") ? 6 : 60;
    for (int i = 0; i < count; i++) {
        char text[1024];
        const char *const way = ways[rng_below(&random, 4)];
        random_options(&random, strcmp(way, "none") ? "weights = \"net.safetensors\"," : "", text,
                       sizeof text);
        expect_silence(text, way, i % 2 * 2);
    }
}
