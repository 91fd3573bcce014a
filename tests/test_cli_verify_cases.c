/* `rnnc verify --case`: recorded cases that are not whole, and what several targets say together.
 */
#define _XOPEN_SOURCE 700
#include "../runtime/rnnc.h"
#include "support/cli.h"
#include "support/generate.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char dir[PATH_SIZE], path[PATH_SIZE];

static void setup(void) { workdir_make(dir); }
static void teardown(void) { workdir_remove(dir); }
TestSuite(verify_cases, .init = setup, .fini = teardown, .timeout = 120);

static void write_text(const char *name, const char *text) {
    path_join(path, dir, name);
    cr_assert(file_write(path, text, strlen(text)));
}

static bool ends_in(const char *text, const char *tail) {
    const size_t length = strlen(text), size = strlen(tail);
    return length >= size && strcmp(text + length - size, tail) == 0;
}

#define CASE "tests/cases/rnn_relu_5_7_3_2_0_0_4_1.safetensors"

Test(verify_cases, compares_with_a_recorded_case) {
    /* The names and the file of the spec's own weights are not those of the case. */
    static const char right[] =
        "return rnn { input_size = 5, hidden_size = 7, num_layers = 3, bidirectional = true,\n"
        "  bias = false, nonlinearity = \"relu\", target = \"portable\", prefix = \"net.\",\n"
        "  weights = \"none.safetensors\", map = { { \"^w\", \"v\" } } }\n";
    write_text("net.lua", right);
    outcome result = run(NULL, "verify", path, "--case=" CASE, NULL, NULL);
    cr_expect(result.code == 0 && ends_in(result.out, "\nPASS\n"), "%s%s", result.out, result.err);
    cr_expect(strstr(result.out, "\nagainst the recorded outputs\n"), "%s", result.out);
    outcome_free(&result);
    write_text(
        "net.lua",
        "return rnn { target = \"native\", input_size = 5, hidden_size = 8, num_layers = 3,\n"
        "  bidirectional = true, bias = false, batch = 2 }\n");
    result = run(NULL, "verify", path, "--case=" CASE, NULL, NULL);
    cr_expect_eq(result.code, 1);
    cr_expect_str_eq(result.err,
                     CASE ": error: the case has cell = rnn_relu, the spec rnn_tanh\n" CASE
                          ": error: the case has H = 7, the spec 8\n" CASE
                          ": error: the case has batch = 1, the spec 2\n");
    outcome_free(&result);
}

Test(verify_cases, compares_the_cell_state_too) {
    static const char file[] = "tests/cases/lstm_5_7_3_2_0_0_4_1.safetensors";
    char option[PATH_SIZE + 8];
    write_text("net.lua",
               "return rnn { cell = \"lstm\", input_size = 5, hidden_size = 7, num_layers = 3,\n"
               "  bidirectional = true, bias = false, target = \"portable\" }\n");
    outcome result = run(NULL, "verify", path, NULL, NULL, NULL);
    cr_expect(result.code == 0 && ends_in(result.out, "\nPASS\n"), "%s%s", result.out, result.err);
    cr_expect(strstr(result.out, " h0,c0 ") && strstr(result.out, " cn abs "), "%s", result.out);
    outcome_free(&result);
    snprintf(option, sizeof option, "--case=%s", file);
    result = run(NULL, "verify", path, option, NULL, NULL);
    cr_expect(result.code == 0 && ends_in(result.out, "\nPASS\n"), "%s%s", result.out, result.err);
    cr_expect(strstr(result.out, "\nagainst the recorded outputs\n"), "%s", result.out);
    outcome_free(&result);
}

/* Copies a recorded case to case.safetensors, without the tensor `left_out` (NULL: with all) and
 * with `value` under `key` in its metadata (NULL: nothing). */
static void copy_with(const char *from, const char *left_out, const char *key, const char *value) {
    enum { MOST = 64 };
    rnnc_safetensors *file;
    rnnc_error error = {.message = ""};
    rnnc_tensor tensors[MOST];
    const char *names[MOST];
    cr_assert_eq(rnnc_safetensors_open(from, &file, &error), RNNC_OK, "%s", error.message);
    size_t count = 0;
    const rnnc_entry *entry;
    for (size_t i = 0; (entry = rnnc_safetensors_get(file, i)) != NULL; i++) {
        if (left_out && strcmp(entry->name, left_out) == 0)
            continue;
        cr_assert(count < MOST);
        names[count] = entry->name;
        tensors[count++] = entry->tensor;
    }
    path_join(path, dir, "case.safetensors");
    cr_assert_eq(
        rnnc_safetensors_write(path, count, names, tensors, value ? 1 : 0, &key, &value, &error),
        RNNC_OK, "%s", error.message);
    rnnc_safetensors_close(file);
}

static void copy_case(const char *from, const char *left_out, const char *lengths) {
    copy_with(from, left_out, "lengths", lengths);
}

static void expect_refused(const char *says) {
    outcome result = run(dir, "verify", "net.lua", "--case=case.safetensors", NULL, NULL);
    cr_expect(result.code == 1 && strstr(result.err, says), "should say %s:\n%s%s", says,
              result.out, result.err);
    outcome_free(&result);
}

Test(verify_cases, both_states_or_none) {
    static const char lstm[] = "tests/cases/lstm_6_8_2_2_1_1_7_3.safetensors";
    write_text("net.lua",
               "return rnn { cell = \"lstm\", input_size = 6, hidden_size = 8, num_layers "
               "= 2,\n  bidirectional = true, batch_first = true, batch = \"any\", "
               "target = \"portable\" }\n");
    copy_case(lstm, "c0", NULL);
    expect_refused("a recorded case of lstm needs both h0 and c0, or neither");
    copy_case(lstm, "h0", NULL);
    expect_refused("a recorded case of lstm needs both h0 and c0, or neither");
    copy_case(lstm, "y", NULL);
    expect_refused("a recorded case needs a tensor y");
    copy_case(lstm, "x", NULL);
    expect_refused("a recorded case needs a tensor x (T, B, 6) or (T, 6)");
    /* What it leaves in hn and cn need not be there. */
    copy_case(lstm, "cn", NULL);
    outcome result = run(dir, "verify", "net.lua", "--case=case.safetensors", NULL, NULL);
    cr_expect_eq(result.code, 0, "%s%s", result.out, result.err);
    outcome_free(&result);
    copy_case(lstm, NULL, NULL);
    result = run(dir, "verify", "net.lua", "--case=case.safetensors", NULL, NULL);
    cr_expect_eq(result.code, 0, "%s%s", result.out, result.err);
    outcome_free(&result);
}

/* What a case says of the network that made it is compared with the spec. */
Test(verify_cases, of_another_network) {
    static const char *const said[][3] = {
        {"cell", "gru", "lstm"}, {"I", "7", "6"},    {"H", "80", "8"},         {"L", "1", "2"},
        {"D", "1", "2"},         {"bias", "0", "1"}, {"batch_first", "0", "1"}};
    write_text("net.lua",
               "return rnn { cell = \"lstm\", input_size = 6, hidden_size = 8, num_layers "
               "= 2,\n  bidirectional = true, batch_first = true, batch = \"any\", "
               "target = \"portable\" }\n");
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        char line[128];
        snprintf(line, sizeof line, "the case has %s = %s, the spec %s\n", said[i][0], said[i][1],
                 said[i][2]);
        copy_with("tests/cases/lstm_6_8_2_2_1_1_7_3.safetensors", NULL, said[i][0], said[i][1]);
        expect_refused(line);
    }
}

Test(verify_cases, a_length_for_each_sequence) {
    static const char tagger[] = "tests/cases/models/tagger.safetensors";
    write_text("net.lua",
               "return model { batch_first = true, batch = \"any\", lengths = true,\n"
               "  target = \"portable\", layers = {\n"
               "  embedding { num_embeddings = 9, dim = 5, prefix = \"l0.\" },\n"
               "  rnn { cell = \"lstm\", hidden_size = 6, prefix = \"l1.\",\n"
               "    bidirectional = true, num_layers = 2 },\n"
               "  dense { units = 3, activation = \"softmax\", prefix = \"l2.\" } } }\n");
    copy_case(tagger, NULL, "4 9 1");
    expect_refused("the case has 3 lengths for 4 sequences");
    copy_case(tagger, NULL, "4 9 1 6 2");
    expect_refused("the case has 5 lengths for 4 sequences");
    copy_case(tagger, NULL, "4 9 1 6");
    outcome result = run(dir, "verify", "net.lua", "--case=case.safetensors", NULL, NULL);
    cr_expect_eq(result.code, 0, "%s%s", result.out, result.err);
    outcome_free(&result);
}

/* One target of several that is wrong, not the one that this CPU would take, is a failure of all.
 */
Test(verify_cases, no_target_may_fail) {
    if (!target_runs("avx2"))
        cr_skip_test("this needs two targets");
    write_text("net.lua", "return rnn { input_size = 3, hidden_size = 4, batch = 2, seq_len = 2,\n"
                          "  target = { \"portable\", \"avx2\" } }\n");
    write_text("cc.sh", "#!/bin/sh\n"
                        "for word; do case $word in *net.c)\n"
                        "  sed -i '/void run_portable(/,/^}/s/^{/{ memset(y, 0, 32); return;/' "
                        "\"$word\" ;;\n"
                        "esac; done\n"
                        "exec cc -w \"$@\"\n");
    cr_assert_eq(chmod(path, 0700), 0);
    outcome result = run(dir, "verify", "net.lua", "--cc=./cc.sh", NULL, NULL);
    const char *const wrong = strstr(result.out, "<- too large");
    cr_expect(result.code == 1 && wrong && strstr(wrong, "net for avx2 of portable, avx2,") &&
                  strstr(wrong, "\nFAIL\n"),
              "exit code %d\n%s%s", result.code, result.out, result.err);
    cr_expect(wrong && !strstr(strstr(wrong, "net for avx2"), "<- too large"), "%s", result.out);
    outcome_free(&result);
}
