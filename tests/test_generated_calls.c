/* Every call of a generated network against calls of one sequence alone, and its steps against the
 * whole sequence, in buffers of exactly their sizes under AddressSanitizer and UBSan:
 * tests/calls/every.c. */
#define _XOPEN_SOURCE 700
#include "support/generate.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NET "name = \"net\", weights = \"net.safetensors\", "

/* No -g: gcc 12 spends minutes on variables of code that is both unrolled and instrumented. */
#define FLAGS                                                                                      \
    "-std=c11 -D_GNU_SOURCE -O1 -I. -fsanitize=address,undefined -fno-sanitize-recover=all"

/* `steps`: sequences of net_step, 0: batches are tried. */
static void check_calls(const char *text, int steps, bool tokens) {
    char dir[PATH_SIZE], path[PATH_SIZE], program[4096], build[4096], sources[9000], flags[300];
    rnnc_error err;
    const char *const folder = getenv("BUILD");
    if (sanitized())
        cr_skip_test("the programs have a sanitizer of their own\n");
    workdir_make(dir);
    path_join(path, dir, "net.lua");
    cr_assert(file_write(path, text, strlen(text)));
    const char *const init[] = {rnnc_path(), "init", "--weights-only", "net.lua", NULL};
    outcome o = process_run(init, dir, NULL, 30);
    cr_assert_eq(o.code, 0, "%s: %s", text, o.err);
    outcome_free(&o);
    cr_assert(generate_text("net", text, "c", dir, &err), "%s: %s", text, err.message);
    cr_assert(realpath("tests/calls/every.c", program));
    cr_assert(realpath(folder && *folder ? folder : "build", build));
    snprintf(sources, sizeof sources, "%s net.c net_weights.c %s/librnnc.a -lpthread", program,
             build);
    snprintf(flags, sizeof flags, FLAGS);
    if (steps)
        snprintf(flags, sizeof flags, FLAGS " -DSTEP=%d%s", steps, tokens ? " -DSTEP_TOKENS" : "");
    cr_assert(compile_c("gcc", flags, dir, sources, "every", &err), "%s: %s", text, err.message);
    path_join(path, dir, "every");
    const char *const argv[] = {path, NULL};
    o = process_run(argv, dir, NULL, 120);
    cr_expect_eq(o.code, 0, "%s\n%.2000s%.3000s", text, o.out, o.err);
    outcome_free(&o);
    workdir_remove(dir);
}

static bool runs(const char *text) { return target_runs("avx512") || !strstr(text, "avx512"); }

/* Blocks of sequences: both directions and backwards alone, lengths, members, layers by chunks;
 * states of projected and of peephole cells, layers of several widths, groups of units. */
Test(generated_calls, batches, .timeout = 600) {
    static const char *const specs[] = {
        "return rnn { " NET "cell = \"lstm\", input_size = 3, hidden_size = 5, proj_size = 2, "
        "num_layers = 2, bidirectional = true, batch = \"any\", seq_len = \"any\", lengths = true, "
        "threads = 3, chunk = 4, target = \"avx2\" }",
        "return rnn { " NET
        "cell = \"gru\", input_size = 5, hidden_size = 20, direction = \"reverse\", "
        "batch = \"any\", seq_len = \"any\", lengths = true, chunk = 2, batch_first = true, "
        "target = \"avx512\" }",
        "return model { " NET
        "batch = \"any\", seq_len = \"any\", target = \"portable\", lengths = "
        "true, layers = { embedding { num_embeddings = 9, dim = 3, prefix = \"e.\" }, "
        "rnn { cell = \"rnn\", hidden_size = 6, bidirectional = true, prefix = \"a.\" }, "
        "rnn { cell = \"lstm\", hidden_size = 3, peepholes = true, prefix = \"b.\" }, "
        "dense { units = 2, last_state = true, prefix = \"c.\" } } }",
        "return model { " NET
        "batch = \"any\", seq_len = \"any\", target = \"avx512\", threads = 2, "
        "batch_first = true, residual = true, layers = { "
        "rnn { cell = \"lstm\", input_size = 4, hidden_size = 9, prefix = \"a.\" }, "
        "rnn { cell = \"gru\", hidden_size = 33, bidirectional = true, merge = \"sum\", prefix = "
        "\"b.\" "
        "}, dense { units = 4, activation = \"softmax\", prefix = \"c.\" } } }",
    };
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        if (runs(specs[i]))
            check_calls(specs[i], 0, false);
}

/* Batches of one size, of which sequences change their places; streams where there are some. */
Test(generated_calls, steps, .timeout = 600) {
    static const struct {
        const char *text;
        int batch; /* sequences of net_step; 0: there is none */
        bool tokens;
    } specs[] = {
        {"return rnn { " NET "cell = \"lstm\", input_size = 3, hidden_size = 16, num_layers = 2, "
         "batch = 1, target = \"portable\" }",
         1, false},
        {"return model { " NET "batch = 3, target = \"avx512\", layers = { embedding { "
         "num_embeddings = 9, dim = 3, prefix = \"e.\" }, rnn { cell = \"gru\", hidden_size = 16, "
         "prefix = \"a.\" }, dense { units = 2, activation = \"softmax\", prefix = \"b.\" } } }",
         3, true},
        {"return rnn { " NET "cell = \"lstm\", input_size = 20, hidden_size = 35, bidirectional = "
         "true, batch = 7, target = \"avx512\" }",
         0, false},
    };
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        if (runs(specs[i].text))
            check_calls(specs[i].text, specs[i].batch, specs[i].tokens);
}
