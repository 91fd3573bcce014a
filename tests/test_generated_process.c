/* NAME_process: what it refuses, and that nothing is done then. That a stream in blocks has the
 * bits of the whole sequence is checked for many models by model_check_stream. */
#define _XOPEN_SOURCE 700
#include "support/generate.h"
#include "support/process.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* Runs a program with the networks `a` and `b` in dir; it exits with the line that is not true. */
static void expect_program(const char *dir, const char *program) {
    char path[PATH_SIZE];
    rnnc_error err;
    path_join(path, dir, "main.c");
    cr_assert(file_write(path, program, strlen(program)));
    cr_assert(compile_c(NULL, "-std=c11 -Wall -Wextra -Werror -O1", dir,
                        "main.c a.c a_weights.c b.c b_weights.c c.c c_weights.c", "program", &err),
              "%s", err.message);
    const char *const argv[] = {"./program", NULL};
    outcome o = process_run(argv, dir, NULL, 10);
    cr_expect_eq(o.code, 0, "line %d of the program is not true: %s", o.code, o.err);
    outcome_free(&o);
}

static const char head[] =
    "#include \"a.h\"\n#include \"b.h\"\n#include \"c.h\"\n#include <string.h>\n"
    "#define TRUE(condition) do { if (!(condition)) return __LINE__; } while (0)\n";

/* Two sequences of tokens; one of amplitudes, in place. */
static const char *const nets[] = {
    "return model { batch = 2, target = \"portable\", weights = \"a.st\", layers = {\n"
    "  embedding { num_embeddings = 5, dim = 3 },\n"
    "  rnn { cell = \"gru\", input_size = 3, hidden_size = 4 } } }\n",
    "return rnn { cell = \"lstm\", input_size = 3, hidden_size = 3, batch = 1, weights = \"b.st\" "
    "}\n",
    "return rnn { input_size = 2, hidden_size = 3, batch = 2, batch_first = true,\n"
    "  target = \"portable\", weights = \"c.st\" }\n",
};

enum { NETS = sizeof nets / sizeof *nets };

static void make_nets(const char *dir) {
    static const char *const names[NETS] = {"a", "b", "c"};
    for (size_t i = 0; i < NETS; i++) {
        char path[PATH_SIZE], file[16], weights_only[40];
        snprintf(file, sizeof file, "%s.lua", names[i]);
        path_join(path, dir, file);
        cr_assert(file_write(path, nets[i], strlen(nets[i])));
        snprintf(weights_only, sizeof weights_only, "--weights-only=%s", file);
        const char *const commands[2][4] = {{rnnc_path(), "init", weights_only, NULL},
                                            {rnnc_path(), "compile", file, NULL}};
        for (size_t c = 0; c < 2; c++) {
            outcome o = process_run(commands[c], dir, NULL, 30);
            cr_assert_eq(o.code, 0, "%s", o.err);
            outcome_free(&o);
        }
    }
}

Test(generated_process, refuses_without_a_trace, .timeout = 60) {
    char dir[PATH_SIZE], program[4096];
    workdir_make(dir);
    make_nets(dir);
    snprintf(
        program, sizeof program, "%s%s", head,
        "int main(void) {\n"
        "    enum { N = 40 };\n"
        "    a_state a, a_before; b_state b, b_before;\n"
        "    int32_t tokens[N][2] = {{4, 1}, {0, 3}};\n"
        "    float y[N][2][4], y_before[N][2][4], x[N * 3 + 3], x_before[N * 3 + 3];\n"
        "    memset(&a, 7, sizeof a); memset(&b, 7, sizeof b);\n"
        "    a_state_init(&a); b_state_init(&b);\n"
        "    TRUE(a_process(&a, 2, tokens[0], y[0][0]) == RNNC_OK);\n"
        "    for (int i = 0; i < N * 3 + 3; i++) x[i] = (float)(i % 7) - 3.0f;\n"
        "    TRUE(b_process(&b, 2, x, x) == RNNC_OK);\n"
        "    memset(y, 0x55, sizeof y);\n"
        "    memcpy(&a_before, &a, sizeof a); memcpy(&b_before, &b, sizeof b);\n"
        "    memcpy(y_before, y, sizeof y); memcpy(x_before, x, sizeof x);\n"
        /* The last token, far behind the first piece. */
        "    tokens[N - 1][1] = 5;\n"
        "    TRUE(a_process(&a, N, tokens[0], y[0][0]) == RNNC_ERR_ARGUMENT);\n"
        "    tokens[N - 1][1] = -1;\n"
        "    TRUE(a_process(&a, N, tokens[0], y[0][0]) == RNNC_ERR_ARGUMENT);\n"
        "    TRUE(a_process(NULL, N, tokens[0], y[0][0]) == RNNC_ERR_ARGUMENT);\n"
        "    TRUE(a_process(&a, 1, NULL, y[0][0]) == RNNC_ERR_ARGUMENT);\n"
        "    TRUE(a_process(&a, 1, tokens[0], NULL) == RNNC_ERR_ARGUMENT);\n"
        /* Eight floats of y for a step: the bound is that of the wider row. */
        "    TRUE(a_process(&a, PTRDIFF_MAX / 32 + 1, tokens[0], y[0][0]) == RNNC_ERR_OVERFLOW);\n"
        "    TRUE(b_process(&b, SIZE_MAX, x, x) == RNNC_ERR_OVERFLOW);\n"
        /* Behind each other by one value, and by all pieces but the last. */
        "    TRUE(b_process(&b, N, x, x + 1) == RNNC_ERR_ARGUMENT);\n"
        "    TRUE(b_process(&b, N, x + 1, x) == RNNC_ERR_ARGUMENT);\n"
        "    TRUE(b_process(&b, N / 2 + 1, x, x + N / 2 * 3) == RNNC_ERR_ARGUMENT);\n"
        "    TRUE(a_process(&a, 0, NULL, NULL) == RNNC_OK);\n"
        "    TRUE(b_process(&b, 0, NULL, NULL) == RNNC_OK);\n"
        "    TRUE(memcmp(&a, &a_before, sizeof a) == 0 && memcmp(&b, &b_before, sizeof b) == 0);\n"
        "    TRUE(memcmp(y, y_before, sizeof y) == 0 && memcmp(x, x_before, sizeof x) == 0);\n"
        /* Side by side is no overlap. */
        "    TRUE(b_process(&b, N / 2, x, x + N / 2 * 3) == RNNC_OK);\n"
        "    return 0;\n}\n");
    expect_program(dir, program);
    workdir_remove(dir);
}

/* Steps of several sequences lie one behind the other whatever batch_first says of whole calls. */
Test(generated_process, batch_first_is_of_whole_calls, .timeout = 60) {
    char dir[PATH_SIZE], program[2048];
    workdir_make(dir);
    make_nets(dir);
    snprintf(program, sizeof program, "%s%s", head,
             "int main(void) {\n"
             "    enum { N = 37 };\n"
             "    static float x[N][2][2], y[N][2][3], one[2][3];\n"
             "    c_state block, steps;\n"
             "    c_state_init(&block); c_state_init(&steps);\n"
             "    for (int t = 0; t < N; t++)\n"
             "        for (int i = 0; i < 4; i++) x[t][i / 2][i % 2] = (float)((7 * t + 3 * i) % "
             "11) - 5.0f;\n"
             "    TRUE(c_process(&block, N, x[0][0], y[0][0]) == RNNC_OK);\n"
             "    for (int t = 0; t < N; t++) {\n"
             "        TRUE(c_step(&steps, x[t][0], one[0]) == RNNC_OK);\n"
             "        TRUE(memcmp(one, y[t], sizeof one) == 0);\n"
             "    }\n"
             "    TRUE(memcmp(block.h, steps.h, sizeof block.h) == 0);\n"
             "    return 0;\n}\n");
    expect_program(dir, program);
    workdir_remove(dir);
}
