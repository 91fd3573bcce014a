/* No option, and no combination of them, makes gcc or clang warn about what is generated: a random
 * sample of all, more of it without RNNC_TEST_FAST, and those that once did. */
#include "support/generate.h"
#include "support/rng.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define PICK(random, list) ((list)[rng_below(random, sizeof(list) / sizeof *(list))])

static const char *const flags = "-O0 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wunused";

static void expect_silence(const char *text) {
    static const char *const compilers[] = {"gcc", "clang"};
    char dir[PATH_SIZE];
    rnnc_error err;
    workdir_make(dir);
    cr_assert(generate_text("net", text, "none", dir, &err), "%s: %s", text, err.message);
    for (size_t i = 0; i < 2; i++)
        cr_expect(compile_c(compilers[i], flags, dir, "net.c", "net.o", &err), "%s: %s: %s", text,
                  compilers[i], err.message);
    workdir_remove(dir);
}

Test(generated_warnings, threads_that_share_little, .timeout = 240) {
    expect_silence("return rnn { name = \"net\", batch = 16, seq_len = 5, threads = 3, "
                   "target = \"avx2\", activation = \"fast\", cell = \"lstm\", input_size = 3, "
                   "hidden_size = 48, bias = false }");
    expect_silence("return rnn { name = \"net\", batch = \"any\", threads = 2, target = \"avx2\", "
                   "cell = \"gru\", input_size = 3, hidden_size = 4, bidirectional = true }");
}

static const char *flag(rng *random) { return rng_below(random, 2) ? "true" : "false"; }

Test(generated_warnings, random_options, .timeout = 900) {
    static const char *const cells[] = {"lstm", "gru", "rnn"};
    static const char *const batches[] = {"1", "\"any\"", "5", "16", "40"};
    static const char *const steps[] = {"1", "\"any\"", "5", "70"};
    static const char *const targets[] = {"\"portable\"", "\"avx2\"", "\"avx512\"",
                                          "{\"portable\", \"avx2\"}"};
    static const char *const activations[] = {"none",    "tanh",    "relu",
                                              "sigmoid", "softmax", "log_softmax"};
    static const int units[] = {1, 4, 6, 16, 48, 64};
    rng random = {.state = 20};
    const int count = getenv("RNNC_TEST_FAST") ? 6 : 60;
    for (int i = 0; i < count; i++) {
        char text[1024];
        const int heads = (int)rng_below(&random, 3), width = PICK(&random, units);
        int n = snprintf(
            text, sizeof text,
            "return model { name = \"net\", batch = %s, seq_len = %s, threads = %d, target = %s, "
            "activation = \"%s\", lengths = %s, batch_first = %s, deterministic = %s, layers = { "
            "rnn { cell = \"%s\", input_size = 3, hidden_size = %d, num_layers = %d, "
            "bidirectional = %s, bias = %s, prefix = \"a.\" }",
            PICK(&random, batches), PICK(&random, steps), 1 + (int)rng_below(&random, 4),
            PICK(&random, targets), rng_below(&random, 2) ? "fast" : "exact", flag(&random),
            flag(&random), flag(&random), PICK(&random, cells), width,
            1 + (int)rng_below(&random, 3), flag(&random), flag(&random));
        if (heads > 0)
            n += snprintf(text + n, sizeof text - (size_t)n,
                          ", dense { units = 3, activation = \"%s\", last_step = %s, "
                          "prefix = \"b.\" }",
                          PICK(&random, activations), heads > 1 ? "true" : "false");
        snprintf(text + n, sizeof text - (size_t)n, " }%s }",
                 heads == 1 && rng_below(&random, 2) ? ", residual = true" : "");
        expect_silence(text);
    }
}
