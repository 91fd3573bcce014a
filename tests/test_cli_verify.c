/* `rnnc verify`: that it passes what is right, and that it sees and survives what is not. A C
 * compiler that compiles something else than it is given stands for bugs of generated code. */
#define _XOPEN_SOURCE 700
#include "../runtime/rnnc.h"
#include "support/cli.h"
#include "support/generate.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void write_spec(const char *dir, const char *name, const char *text) {
    char path[PATH_SIZE];
    path_join(path, dir, name);
    cr_assert(file_write(path, text, strlen(text)));
}

/* The last line is `verdict`, and the exit code goes with it. */
static void expect_verdict(const outcome *result, const char *verdict) {
    const size_t length = strlen(result->out), tail = strlen(verdict);
    cr_expect_eq(result->code, strcmp(verdict, "PASS\n") == 0 ? 0 : 1, "exit code %d\n%s%s",
                 result->code, result->out, result->err);
    cr_expect(length > tail && strcmp(result->out + length - tail, verdict) == 0, "%s%s",
              result->out, result->err);
}

Test(verify, passes_what_is_right, .timeout = 300) {
    static const char *const specs[] = {
        "return rnn { input_size = 3, hidden_size = 5, target = \"portable\" }\n",
        "return rnn { target = \"native\", input_size = 7, hidden_size = 19, num_layers = 2, "
        "bidirectional = true,\n"
        "  batch = \"any\", batch_first = true, nonlinearity = \"relu\" }\n",
        "return rnn { input_size = 4, hidden_size = 9, batch = 3, seq_len = 6, bias = false,\n"
        "  target = { \"portable\", \"avx2\" } }\n",
        "return rnn { target = \"native\", cell = \"gru\", input_size = 4, hidden_size = 9, batch "
        "= 2, lengths = true "
        "}\n",
        "return rnn { target = \"native\", cell = \"lstm\", input_size = 4, hidden_size = 9, "
        "activation = \"fast\" }\n",
        "return rnn { target = \"native\", input_size = 20, hidden_size = 50, num_layers = 2, "
        "threads = 2 }\n",
    };
    char dir[PATH_SIZE];
    workdir_make(dir);
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        write_spec(dir, "net.lua", specs[i]);
        outcome result = run(dir, "verify", "net.lua", NULL, NULL, NULL);
        expect_verdict(&result, "PASS\n");
        cr_expect(strstr(result.out, "y abs"), "%s", result.out);
        cr_expect(strstr(result.out, "\nulp: the error in units of the last place"), "%s",
                  result.out);
        cr_expect(strstr(result.out, strstr(specs[i], "fast") ? "tolerance 1e-04 absolute"
                                                              : "tolerance 1e-05 absolute"),
                  "%s", result.out);
        outcome_free(&result);
    }
    workdir_remove(dir);
}

/* The network of the tests below, with forward replaced by the body that a test gives. */
static const char sabotaged[] =
    "#include \"rnnc.h\"\n#include <stdlib.h>\n"
    "static size_t size(size_t t, size_t b) { return t * b * 4; }\n"
    "static rnnc_status forward(const rnnc_call *c) {\n"
    "    const size_t n = c->seq_len * c->batch * 2;\n"
    "    (void)n;\n%s\n    return RNNC_OK;\n}\n"
    "static const float weights[1];\n"
    "static const rnnc_layer layer[] = {%s};\n"
    "const rnnc_model net_model = {.abi = RNNC_ABI, .name = \"net\", .target = \"portable\",\n"
    "    .network = {sizeof layer / sizeof *layer, layer, %s}, .threads = 2, .weight_count = 4,\n"
    "    .packed_count = 1, .built_in = weights,\n"
    "    .workspace_size = size, .forward = forward};\n";

/* Into wrong.c of `dir` a network of these layers with that forward, and into cc.sh a compiler that
 * compiles it whatever it is given. flags: batch_first and residual. */
static void write_network(const char *dir, const char *layers, const char *flags,
                          const char *body) {
    static const char cc[] = "#!/bin/sh\n"
                             "for word; do case $word in -I*) include=$word ;; esac; done\n"
                             "while [ \"$1\" != -o ]; do shift; done\n"
                             "exec cc -shared -fPIC $include -o \"$2\" wrong.c\n";
    char path[PATH_SIZE], text[2048];
    snprintf(text, sizeof text, sabotaged, body, layers, flags);
    write_spec(dir, "wrong.c", text);
    write_spec(dir, "cc.sh", cc);
    path_join(path, dir, "cc.sh");
    cr_assert_eq(chmod(path, 0700), 0);
}

/* The same for one recurrent layer with that input size. */
static void write_wrong(const char *dir, const char *constant, const char *input_size,
                        const char *body) {
    char layer[128];
    snprintf(layer, sizeof layer, "{.recurrent = {%s, %s, 2, 1, 1, 0, 0, 0}}", constant,
             input_size);
    write_network(dir, layer, "0, 0", body);
}

/* What verify says when the compiled network has that input size and that forward. */
static void expect_seen_in(const char *cell, const char *constant, const char *input_size,
                           const char *body, const char *says) {
    char dir[PATH_SIZE], text[256];
    workdir_make(dir);
    snprintf(text, sizeof text,
             "return rnn { target = \"native\", name = \"net\", cell = \"%s\", input_size = 3, "
             "hidden_size = 2 }\n",
             cell);
    write_spec(dir, "net.lua", text);
    write_wrong(dir, constant, input_size, body);
    outcome result = run(dir, "verify", "net.lua", "--cc=./cc.sh", "--seconds=1", NULL);
    expect_verdict(&result, "FAIL\n");
    cr_expect(strstr(result.out, says), "should say \"%s\", says\n%s%s", says, result.out,
              result.err);
    outcome_free(&result);
    workdir_remove(dir);
}

static void expect_seen(const char *input_size, const char *body, const char *says) {
    expect_seen_in("rnn", "RNNC_RNN_TANH", input_size, body, says);
}

Test(verify, sees_a_crash, .timeout = 60) { expect_seen("3", "abort();", "crashes: Aborted"); }

Test(verify, sees_a_hang, .timeout = 60) {
    expect_seen("3", "for (volatile int i = 0; i < 1;) { }", "still running after 1 seconds");
}

/* What forward has started ends with it: it would leave a file behind. */
Test(verify, ends_the_group_of_a_hang, .timeout = 60) {
    char dir[PATH_SIZE], path[PATH_SIZE], body[1024];
    workdir_make(dir);
    path_join(path, dir, "survived");
    snprintf(body, sizeof body,
             "int fork(void); unsigned sleep(unsigned); int creat(const char *, unsigned);\n"
             "if (fork() == 0) { sleep(4); creat(\"%.500s\", 0600); exit(0); }\n"
             "for (volatile int i = 0; i < 1;) { }",
             path);
    expect_seen("3", body, "still running after 1 seconds");
    sleep(5);
    cr_expect_neq(access(path, F_OK), 0, "a process of forward is still there");
    workdir_remove(dir);
}

Test(verify, sees_an_exit, .timeout = 60) {
    expect_seen("3", "exit(7);", "ends the process with exit code 7");
}

Test(verify, sees_an_error, .timeout = 60) {
    expect_seen("3", "return RNNC_ERR_TARGET;", "forward fails: ");
}

Test(verify, sees_writing_behind_y, .timeout = 60) {
    expect_seen("3", "c->y[n] = 0;", "crashes: Segmentation fault (beyond a buffer");
}

Test(verify, sees_writing_in_front_of_y, .timeout = 60) {
    expect_seen("3", "c->y[-1] = 0;", "writes in front of y or hn");
}

Test(verify, sees_writing_in_front_of_hn, .timeout = 60) {
    expect_seen("3", "c->hn[-1] = 0;", "writes in front of y or hn");
}

Test(verify, sees_writing_around_the_workspace, .timeout = 60) {
    expect_seen("3", "((char *)c->workspace)[-1] = 0;", "in front of the workspace");
    expect_seen("3", "((char *)c->workspace)[n * 2] = 0;", "crashes");
}

Test(verify, sees_reading_behind_x, .timeout = 60) {
    expect_seen("3", "c->y[0] = c->x[c->seq_len * c->batch * 3];", "crashes");
}

Test(verify, sees_writing_to_an_input, .timeout = 60) {
    expect_seen("3", "((float *)c->x)[0] = 0;", "crashes");
}

Test(verify, sees_outputs_that_are_not_written, .timeout = 60) {
    expect_seen("3", "", "inf");
    expect_seen("3", "for (size_t i = 0; i < n; i++) c->y[i] = 0;", "<- too large");
}

/* What stood in the workspace is NaN. */
Test(verify, sees_what_the_workspace_held, .timeout = 60) {
    expect_seen("3",
                "for (size_t i = 0; i < n; i++) c->y[i] = *(float *)c->workspace;\n"
                "for (size_t i = 0; i < c->batch * 2; i++) c->hn[i] = 0;",
                "inf");
}

/* A call by a team, which is another one. */
Test(verify, sees_what_is_wrong_with_threads, .timeout = 60) {
    static const char other_bits[] = "for (size_t i = 0; i < n; i++) c->y[i] = 0;\n"
                                     "for (size_t i = 0; i < c->batch * 2; i++) c->hn[i] = 0;\n"
                                     "if (c->team) c->%s[1] = -0.0f;";
    char body[256];
    snprintf(body, sizeof body, other_bits, "y");
    expect_seen("3", body, "forward with 2 threads gives other bits than with one");
    snprintf(body, sizeof body, other_bits, "hn");
    expect_seen("3", body, "forward with 2 threads gives other bits than with one");
    /* What the first call wrote is not there any more. */
    expect_seen("3",
                "if (c->team) return RNNC_OK;\n"
                "for (size_t i = 0; i < n; i++) c->y[i] = 0;\n"
                "for (size_t i = 0; i < c->batch * 2; i++) c->hn[i] = 0;",
                "forward with 2 threads gives other bits than with one");
    expect_seen("3", "if (c->team) return RNNC_ERR_TARGET;", "forward with 2 threads fails: ");
}

/* A network of biases alone, two cells that give `value` whatever x is. */
static void write_biases(const char *dir, float value) {
    static const char *const names[] = {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"};
    static const size_t shapes[][2] = {{2, 3}, {2, 2}, {2}, {2}};
    float values[4][6] = {{0}};
    rnnc_tensor tensors[4];
    char path[PATH_SIZE];
    values[2][0] = values[2][1] = value;
    for (size_t i = 0; i < 4; i++)
        cr_assert_eq(rnnc_tensor_make(&tensors[i], RNNC_F32, i < 2 ? 2 : 1, shapes[i], values[i],
                                      sizeof values[i]),
                     RNNC_OK);
    path_join(path, dir, "w.safetensors");
    cr_assert_eq(rnnc_safetensors_write(path, 4, names, tensors, 0, NULL, NULL, NULL), RNNC_OK);
}

/* The tolerance is what the last lines of verify say, of y and of hn, for outputs up to 1 and for
 * larger ones, and infinities are never near anything. */
Test(verify, passes_up_to_the_tolerance, .timeout = 120) {
    static const struct {
        const char *activation;
        float value;
        const char *y, *hn, *verdict;
    } rows[] = {
        {"exact", 0, "9e-6f", "-9e-6f", "PASS\n"},    {"exact", 0, "1.2e-5f", "0", "FAIL\n"},
        {"exact", 0, "0", "-1.2e-5f", "FAIL\n"},      {"fast", 0, "9e-5f", "-9e-5f", "PASS\n"},
        {"fast", 0, "0", "1.2e-4f", "FAIL\n"},        {"fast", 0, "-1.2e-4f", "0", "FAIL\n"},
        {"exact", 40, "3e-4f", "-3e-4f", "PASS\n"},   {"exact", 40, "5e-4f", "0", "FAIL\n"},
        {"exact", 0, "1e30f * 1e30f", "0", "FAIL\n"},
    };
    char dir[PATH_SIZE], text[256];
    workdir_make(dir);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_biases(dir, rows[i].value);
        snprintf(text, sizeof text,
                 "return rnn { target = \"native\", name = \"net\", nonlinearity = \"relu\", "
                 "input_size = 3, "
                 "hidden_size = 2,\n  weights = \"w.safetensors\", activation = \"%s\" }\n",
                 rows[i].activation);
        write_spec(dir, "net.lua", text);
        snprintf(text, sizeof text,
                 "for (size_t i = 0; i < n; i++) c->y[i] = %.1ff + (i == 1 ? %s : 0);\n"
                 "c->hn[0] = %.1ff;\nc->hn[1] = %.1ff + %s;",
                 (double)rows[i].value, rows[i].y, (double)rows[i].value, (double)rows[i].value,
                 rows[i].hn);
        write_wrong(dir, "RNNC_RNN_RELU", "3", text);
        outcome result = run(dir, "verify", "net.lua", "--cc=./cc.sh", NULL, NULL);
        expect_verdict(&result, rows[i].verdict);
        outcome_free(&result);
    }
    workdir_remove(dir);
}

Test(verify, sees_what_is_wrong_with_the_cell_state, .timeout = 60) {
    static const char *const lstm = "RNNC_LSTM";
    expect_seen_in("lstm", lstm, "3", "c->cn[-1] = 0;", "writes in front of cn");
    expect_seen_in("lstm", lstm, "3", "c->cn[2] = 0;", "crashes");
    expect_seen_in("lstm", lstm, "3", "((float *)c->c0)[0] = 0;", "crashes");
    /* y and hn are finite, if wrong, so that this is the column of cn. */
    expect_seen_in("lstm", lstm, "3",
                   "for (size_t i = 0; i < n; i++) c->y[i] = 0; c->hn[0] = c->hn[1] = 0;",
                   "inf       inf     inf  <- too large");
}

Test(verify, sees_another_network, .timeout = 60) {
    expect_seen("4", "", "has other sizes than the spec");
}

/* Whatever it is in which the network is another one. */
Test(verify, sees_each_difference, .timeout = 120) {
#define RECURRENT "{.recurrent = {RNNC_LSTM, 3, 5, 2, 1, 0, 1, 4}}"
#define HEAD "{RNNC_DENSE, {.hidden_size = 0}, 8, 3, RNNC_ELU, 1, 0, 1, 0, 0, 0.5f}"
    static const struct {
        const char *layers, *flags;
        int same;
    } rows[] = {
        {RECURRENT ", " HEAD, "1, 0", 1},
        {RECURRENT ", " HEAD, "0, 0", 0},
        {RECURRENT ", " HEAD, "1, 2", 0},
        {RECURRENT, "1, 0", 0},
        {RECURRENT ", " HEAD ", " HEAD, "1, 0", 0},
        {"{.recurrent = {RNNC_GRU, 3, 5, 2, 1, 0, 1, 4}}, " HEAD, "1, 0", 0},
        {"{.recurrent = {RNNC_LSTM, 2, 5, 2, 1, 0, 1, 4}}, " HEAD, "1, 0", 0},
        {"{.recurrent = {RNNC_LSTM, 3, 6, 2, 1, 0, 1, 4}}, " HEAD, "1, 0", 0},
        {"{.recurrent = {RNNC_LSTM, 3, 5, 1, 1, 0, 1, 4}}, " HEAD, "1, 0", 0},
        {"{.recurrent = {RNNC_LSTM, 3, 5, 2, 0, 0, 1, 4}}, " HEAD, "1, 0", 0},
        {"{.recurrent = {RNNC_LSTM, 3, 5, 2, 1, 0, 0, 4}}, " HEAD, "1, 0", 0},
        {"{.recurrent = {RNNC_LSTM, 3, 5, 2, 1, 0, 1, 0}}, " HEAD, "1, 0", 0},
        {"{.recurrent = {RNNC_LSTM, 3, 5, 2, 1, 0, 1, 4, .clip = 2}}, " HEAD, "1, 0", 0},
        {"{.recurrent = {RNNC_LSTM, 3, 5, 2, 1, 0, 1, 4, .layer_norm = 1}}, " HEAD, "1, 0", 0},
        {"{.recurrent = {RNNC_LSTM, 3, 5, 2, 1, 0, 1, 4, .norm_state = 1}}, " HEAD, "1, 0", 0},
        {"{.recurrent = {RNNC_LSTM, 3, 5, 2, 1, 0, 1, 4, .norm_eps = 1}}, " HEAD, "1, 0", 0},
        {"{.recurrent = {RNNC_LSTM, 3, 5, 2, 1, 0, 1, 4, .own_functions = 1}}, " HEAD, "1, 0", 0},
        {RECURRENT ", {RNNC_DENSE, {.hidden_size = 0}, 7, 3, RNNC_ELU, 1, 0, 1, 0, 0, 0.5f}",
         "1, 0", 0},
        {RECURRENT ", {RNNC_DENSE, {.hidden_size = 0}, 8, 2, RNNC_ELU, 1, 0, 1, 0, 0, 0.5f}",
         "1, 0", 0},
        {RECURRENT ", {RNNC_DENSE, {.hidden_size = 0}, 8, 3, RNNC_LEAKY_RELU, 1, 0, 1, 0, 0, 0.5f}",
         "1, 0", 0},
        {RECURRENT ", {RNNC_DENSE, {.hidden_size = 0}, 8, 3, RNNC_ELU, 0, 0, 1, 0, 0, 0.5f}",
         "1, 0", 0},
        {RECURRENT ", {RNNC_DENSE, {.hidden_size = 0}, 8, 3, RNNC_ELU, 1, 1, 0, 0, 0, 0.5f}",
         "1, 0", 0},
        {RECURRENT ", {RNNC_DENSE, {.hidden_size = 0}, 8, 3, RNNC_ELU, 1, 0, 0, 0, 0, 0.5f}",
         "1, 0", 0},
        {RECURRENT ", {RNNC_DENSE, {.hidden_size = 0}, 8, 3, RNNC_ELU, 1, 0, 1, 0, 0, 0.25f}",
         "1, 0", 0},
        {RECURRENT ", {RNNC_DENSE, {.hidden_size = 0}, 8, 3, RNNC_ELU, 1, 0, 1, 0, 0, 0.5f, 1.0f}",
         "1, 0", 0},
        {RECURRENT ", {RNNC_DENSE, {.hidden_size = 0}, 8, 3, RNNC_ELU, 1, 0, 1, 0, 2, 0.5f}",
         "1, 0", 0},
        {RECURRENT ", {RNNC_EMBEDDING, {.hidden_size = 0}, 8, 3, RNNC_TANH, 1, 0, 1}", "1, 0", 0},
    };
    char dir[PATH_SIZE];
    workdir_make(dir);
    write_spec(dir, "net.lua",
               "return model { target = \"native\", batch_first = true, layers = {\n"
               "  rnn { cell = \"lstm\", input_size = 3, hidden_size = 5, num_layers = 2,\n"
               "    bidirectional = true, proj_size = 4, prefix = \"a.\" },\n"
               "  dense { units = 3, activation = \"elu\", alpha = 0.5, last_state = true, prefix "
               "= \"b.\" } "
               "} }\n");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_network(dir, rows[i].layers, rows[i].flags, "return RNNC_ERR_FILE;");
        outcome result = run(dir, "verify", "net.lua", "--cc=./cc.sh", NULL, NULL);
        cr_expect(
            strstr(result.out, rows[i].same ? "forward fails: " : "has other sizes than the spec"),
            "%s, %s:\n%s%s", rows[i].layers, rows[i].flags, result.out, result.err);
        outcome_free(&result);
    }
    workdir_remove(dir);
}

Test(verify, says_what_the_compiler_said, .timeout = 60) {
    char dir[PATH_SIZE];
    workdir_make(dir);
    write_spec(dir, "net.lua",
               "return rnn { target = \"native\", input_size = 3, hidden_size = 2 }\n");
    expect(dir, 1, "",
           "rnnc verify: error: no-such-cc cannot be run: No such file or directory; "
           "name another with --cc\n",
           "verify", "net.lua", "--cc=no-such-cc", NULL);
    expect(dir, 1, "", "rnnc verify: error: false fails:\n\n", "verify", "net.lua", "--cc=false",
           NULL);
    workdir_remove(dir);
}
