/* `rnnc verify` and `rnnc check` of whole models: what is recorded, what is wrong with a file of
 * weights, names that are mapped; and what a signal leaves behind. */
#define _XOPEN_SOURCE 700
#include "../runtime/rnnc.h"
#include "support/cli.h"
#include "support/generate.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MODELS "tests/cases/models/"

static void write_file(const char *dir, const char *name, const char *text) {
    char path[PATH_SIZE];
    path_join(path, dir, name);
    cr_assert(file_write(path, text, strlen(text)));
}

static void write_script(const char *dir, const char *name, const char *text) {
    char path[PATH_SIZE];
    write_file(dir, name, text);
    path_join(path, dir, name);
    cr_assert_eq(chmod(path, 0700), 0);
}

static void expect_pass(const outcome *result, const char *says) {
    const size_t length = strlen(result->out);
    cr_expect(result->code == 0 && length > 5 && strcmp(result->out + length - 5, "PASS\n") == 0,
              "exit code %d\n%s%s", result->code, result->out, result->err);
    cr_expect(strstr(result->out, says), "should say \"%s\":\n%s", says, result->out);
}

Test(verify_models, passes_what_is_right, .timeout = 300) {
    static const struct {
        const char *spec, *says;
    } models[] = {
        {"batch = \"any\", seq_len = 6, lengths = true, layers = {\n"
         "  embedding { num_embeddings = 11, dim = 4, prefix = \"e.\" },\n"
         "  rnn { cell = \"gru\", hidden_size = 7, bidirectional = true, prefix = \"g.\" },\n"
         "  dense { units = 6, activation = \"tanh\", last_step = true, prefix = \"a.\" },\n"
         "  dense { units = 3, activation = \"softmax\", prefix = \"b.\" } }",
         "       6     17  yes   yes  "},
        /* Blocks of a batch one after the other, by two threads. */
        {"batch = 33, threads = 2, layers = {\n"
         "  rnn { cell = \"gru\", input_size = 5, hidden_size = 19, num_layers = 2,\n"
         "    bidirectional = true, prefix = \"g.\" },\n"
         "  dense { units = 9, last_step = true, prefix = \"a.\" },\n"
         "  dense { units = 3, prefix = \"b.\" } }",
         "     33  yes  "},
        {"batch = \"any\", seq_len = 6, lengths = true, layers = {\n"
         "  rnn { cell = \"lstm\", input_size = 4, hidden_size = 7, num_layers = 2, proj_size = "
         "5,\n"
         "    bidirectional = true, prefix = \"g.\" },\n"
         "  dense { units = 3, last_state = true, prefix = \"b.\" } }",
         "       6     17  yes   yes  "},
        /* Both kernels look tokens up in the panels of the dense layer. */
        {"batch = 37, layers = {\n"
         "  embedding { num_embeddings = 29, dim = 5, prefix = \"e.\" },\n"
         "  rnn { cell = \"gru\", hidden_size = 5, prefix = \"g.\" },\n"
         "  dense { units = 29, tied = true, bias = false } }",
         "     37  yes  "},
        {"seq_len = 9, layers = {\n"
         "  embedding { num_embeddings = 29, dim = 5, prefix = \"e.\" },\n"
         "  rnn { cell = \"lstm\", hidden_size = 7, proj_size = 5, prefix = \"g.\" },\n"
         "  dense { units = 29, tied = true, activation = \"log_softmax\" } }",
         "       9      1  yes  "},
        {"batch = 3, residual = 1, layers = {\n"
         "  rnn { input_size = 2, hidden_size = 5, prefix = \"r.\" }, dense { units = 1 } }",
         " h0"},
        {"batch = 3, batch_first = true, residual = true, layers = {\n"
         "  rnn { cell = \"lstm\", input_size = 2, hidden_size = 5, num_layers = 2, proj_size = "
         "3,\n"
         "    prefix = \"l.\" }, rnn { hidden_size = 2, nonlinearity = \"relu\", prefix = \"r.\" } "
         "}",
         " h0,c0 "},
    };
    char dir[PATH_SIZE], text[1024];
    workdir_make(dir);
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        snprintf(text, sizeof text, "return model { name = \"net\", target = \"portable\", %s }\n",
                 models[i].spec);
        write_file(dir, "net.lua", text);
        outcome result = run(dir, "verify", "net.lua", NULL, NULL, NULL);
        expect_pass(&result, models[i].says);
        expect_pass(&result, "\ngeneric kernels on the same inputs: ");
        outcome_free(&result);
    }
    workdir_remove(dir);
}

/* Cases with tokens, with lengths, with a last step only, and with projections. */
Test(verify_models, compares_with_a_recorded_case, .timeout = 300) {
    static const char *const cases[] = {MODELS "charlm.safetensors",
                                        MODELS "classifier.safetensors",
                                        MODELS "projected.safetensors"};
    char dir[PATH_SIZE], path[PATH_SIZE], text[1024], option[PATH_SIZE];
    workdir_make(dir);
    path_join(path, dir, "net.lua");
    for (size_t i = 0; i < 3; i++) {
        rnnc_safetensors *file;
        cr_assert_eq(rnnc_safetensors_open(cases[i], &file, NULL), RNNC_OK);
        const char *const lengths = rnnc_safetensors_metadata(file, "lengths");
        snprintf(text, sizeof text,
                 "return model { target = \"portable\", batch = \"any\", lengths = %s, %s }\n",
                 lengths ? "true" : "false", rnnc_safetensors_metadata(file, "spec"));
        write_file(dir, "net.lua", text);
        snprintf(option, sizeof option, "--case=%s", cases[i]);
        outcome result = run(NULL, "verify", path, option, NULL, NULL);
        expect_pass(&result, "\nagainst the recorded outputs\n");
        outcome_free(&result);
        if (lengths) {
            snprintf(text, sizeof text, "return model { target = \"native\", batch = 3, %s }\n",
                     rnnc_safetensors_metadata(file, "spec"));
            write_file(dir, "net.lua", text);
            result = run(NULL, "verify", path, option, NULL, NULL);
            cr_expect_eq(result.code, 1);
            cr_expect(strstr(result.err, ", the spec 3\n") &&
                          strstr(result.err, "the spec needs lengths = true\n"),
                      "%s", result.err);
            outcome_free(&result);
        }
        rnnc_safetensors_close(file);
    }
    workdir_remove(dir);
}

/* The case of charlm.safetensors with integers of `size` bytes for tokens, the first of them that
 * one or, with -1, the recorded one. The writer knows no integers: they go out as floats of that
 * size, whose type is changed in the file. */
static void write_integers(const char *to, size_t size, int64_t first) {
    rnnc_safetensors *file;
    rnnc_error error;
    rnnc_tensor tensors[32];
    const char *names[32];
    cr_assert_eq(rnnc_safetensors_open(MODELS "charlm.safetensors", &file, &error), RNNC_OK);
    const size_t count = rnnc_safetensors_count(file);
    unsigned char integers[40 * 3 * 8];
    cr_assert_leq(count, 32);
    for (size_t i = 0; i < count; i++) {
        const rnnc_entry *const entry = rnnc_safetensors_get(file, i);
        names[i] = entry->name;
        tensors[i] = entry->tensor;
        if (strcmp(names[i], "tokens") != 0)
            continue;
        for (size_t k = 0; k < 40 * 3; k++) {
            const int64_t wide =
                k == 0 && first >= 0 ? first : (int64_t)((const float *)entry->tensor.data)[k];
            const int32_t narrow = (int32_t)wide;
            memcpy(integers + k * size, size == 8 ? (const void *)&wide : &narrow, size);
        }
        cr_assert_eq(rnnc_tensor_make(&tensors[i], size == 8 ? RNNC_F64 : RNNC_F32, 2,
                                      (size_t[]){40, 3}, integers, 40 * 3 * size),
                     RNNC_OK);
    }
    cr_assert_eq(rnnc_safetensors_write(to, count, names, tensors, 0, NULL, NULL, &error), RNNC_OK);
    rnnc_safetensors_close(file);
    size_t length;
    char *const bytes = file_read(to, &length);
    char *const type = strstr(bytes + 8, "\"tokens\":{\"dtype\":\"F");
    cr_assert(bytes && type);
    type[strlen("\"tokens\":{\"dtype\":\"")] = 'I';
    cr_assert(file_write(to, bytes, length));
    free(bytes);
}

/* A token that is no number of 32 bits is not taken for what its low bits are. */
Test(verify_models, tokens_of_a_case_are_integers, .timeout = 300) {
    static const struct {
        size_t size;
        int64_t first;
    } rows[] = {{4, -1}, {8, -1}, {8, ((int64_t)1 << 32) + 3}, {8, INT64_MAX}, {4, INT32_MAX}};
    static const char network[] =
        "return model { target = \"portable\", batch = \"any\", layers = {\n"
        "  embedding { num_embeddings = 13, dim = 6, prefix = \"l0.\" },\n"
        "  rnn { cell = \"gru\", hidden_size = 17, prefix = \"l1.\" },\n"
        "  dense { units = 13, activation = \"log_softmax\", prefix = \"l2.\" } } }\n";
    char dir[PATH_SIZE], path[PATH_SIZE];
    workdir_make(dir);
    write_file(dir, "net.lua", network);
    path_join(path, dir, "case.safetensors");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_integers(path, rows[i].size, rows[i].first);
        outcome result = run(dir, "verify", "net.lua", "--case=case.safetensors", NULL, NULL);
        if (rows[i].first < 0)
            expect_pass(&result, "\nagainst the recorded outputs\n");
        else
            cr_expect(result.code == 1 && strstr(result.out, "forward fails: "), "row %zu: %s%s", i,
                      result.out, result.err);
        outcome_free(&result);
    }
    workdir_remove(dir);
}

/* ---- weights; messages are compared word for word ---- */

/* A spec of the model of amp.safetensors with these prefixes, and what check says of it. */
static void expect_check(const char *before, const char *rnn, const char *dense, int code,
                         const char *says) {
    char dir[PATH_SIZE], text[1024], path[PATH_SIZE];
    size_t size;
    char *const bytes = file_read(MODELS "amp.safetensors", &size);
    cr_assert(bytes != NULL);
    workdir_make(dir);
    path_join(path, dir, "amp.safetensors");
    cr_assert(file_write(path, bytes, size));
    free(bytes);
    snprintf(text, sizeof text,
             "return model { target = \"native\", weights = \"amp.safetensors\", %s layers = {\n"
             "  rnn { cell = \"lstm\", input_size = 1, hidden_size = 20, %s },\n"
             "  dense { units = 1, %s } } }\n",
             before, rnn, dense);
    write_file(dir, "net.lua", text);
    expect(dir, code, code ? "" : "net.lua: fine, and so is amp.safetensors\n", says, "check",
           "net.lua", NULL, NULL);
    workdir_remove(dir);
}

#define F "amp.safetensors: error: "
#define NOT_USED "amp.safetensors: note: not used: c0, cn, h0, hn, x, y\n"

Test(verify_models, weights_by_layer) {
    expect_check("", "prefix = \"l0.\"", "prefix = \"l1.\"", 0, NOT_USED);
    expect_check("", "prefix = \"rec.\"", "prefix = \"head.\"", 1,
                 "net.lua:2: note: layer 1: the file has weights under prefix = \"l0.\"\n"
                 "net.lua:3: note: layer 2: the file has weights under prefix = \"l1.\"\n" F
                 "rec.weight_ih_l0 is missing, expected (80, 1)\n" F
                 "rec.weight_hh_l0 is missing, expected (80, 20)\n" F
                 "rec.bias_ih_l0 is missing, expected (80)\n" F
                 "rec.bias_hh_l0 is missing, expected (80)\n" F
                 "head.weight is missing, expected (1, 20)\n" F
                 "head.bias is missing, expected (1)\n" F
                 "did you mean rec.weight_ih_l0 where the file has l0.weight_ih_l0?\n" F
                 "did you mean rec.weight_hh_l0 where the file has l0.weight_hh_l0?\n" F
                 "did you mean rec.bias_ih_l0 where the file has l0.bias_ih_l0?\n" F
                 "did you mean rec.bias_hh_l0 where the file has l0.bias_hh_l0?\n");
    expect_check("", "prefix = \"l0.\"", "prefix = \"l1.\", bias = false", 1,
                 "net.lua:3: note: layer 2: the file has a bias: bias = true\n" F
                 "l1.bias (1) is of no use to this network\n");
    expect_check("", "prefix = \"l0.\", proj_size = 4", "prefix = \"l1.\"", 1,
                 F "l0.weight_hh_l0 is (80, 20), expected (80, 4)\n" F
                   "l0.weight_hr_l0 is missing, expected (4, 20)\n" F
                   "l1.weight is (1, 20), expected (1, 4); the file's layer takes 20 values, the "
                   "layer before it gives 4\n");
}

Test(verify_models, names_are_mapped) {
    expect_check("map = { { \"^l0%.\", \"net.rec.\" }, { \"^l1%.(.*)$\", \"net.head.%1\" } }, "
                 "prefix = \"net.\",",
                 "prefix = \"rec.\"", "prefix = \"head.\"", 0, "");
    expect_check("map = { { \"^l1%.\", \"\" } },", "prefix = \"l0.\"",
                 "activation = \"tanh\", bias = false", 1,
                 "net.lua:3: note: layer 2: the file has a bias: bias = true\n" F
                 "l1.bias (which map makes bias) (1) is of no use to this network\n");
    expect_check("map = { { \"^l%d%.bias.*\", \"b\" } },", "prefix = \"l0.\"", "prefix = \"l1.\"",
                 1,
                 F "map makes one name, \"b\", of \"l0.bias_ih_l0\" and \"l0.bias_hh_l0\"\n" F
                   "map makes one name, \"b\", of \"l0.bias_hh_l0\" and \"l1.bias\"\n");
    expect_check("map = { { \"l0\", \"%9\" } },", "prefix = \"l0.\"", "prefix = \"l1.\"", 1,
                 F "map: { \"l0\", \"%9\" }: invalid capture index %9\n");
}

/* A pattern that would be tried for years is refused at once. */
Test(verify_models, patterns_that_take_for_ever, .timeout = 30) {
    expect_check("map = { { \".*.*.*.*.*.*.*.*.*x\", \"b\" } },", "prefix = \"l0.\"",
                 "prefix = \"l1.\"", 1,
                 F "map: { \".*.*.*.*.*.*.*.*.*x\", \"b\" }: matching 12 names of up to 15 "
                   "characters could take for ever: use fewer of * + - ?, or begin the pattern "
                   "with ^\n");
    expect_check("map = { { \"%w%w?%w?%w?%w?%w?%w?%w?%w?%w?%w?%w?%w?%w?!\", \"b\" } },",
                 "prefix = \"l0.\"", "prefix = \"l1.\"", 1,
                 F "map: { \"%w%w?%w?%w?%w?%w?%w?%w?%w?%w?%w?%w?%w?%w?!\", \"b\" }: matching 12 "
                   "names of up to 15 characters could take for ever: use fewer of * + - ?, or "
                   "begin the pattern with ^\n");
}

/* ---- the C compiler, and signals ---- */

static const char net[] = "return rnn { name = \"net\", input_size = 3, hidden_size = 2,\n"
                          "  seq_len = 2, target = \"portable\" }\n";

Test(verify_models, compilers_with_spaces_in_their_paths, .timeout = 120) {
    char dir[PATH_SIZE];
    workdir_make(dir);
    write_file(dir, "net.lua", net);
    write_script(dir, "my cc", "#!/bin/sh\nexec cc \"$@\"\n");
    static const char *const ways[] = {"--cc=./my cc", "--cc='./my cc' -O0", "--cc=\"./my cc\" -g",
                                       "--cc=./my\\ cc"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        outcome result = run(dir, "verify", "net.lua", ways[i], NULL, NULL);
        expect_pass(&result, "y abs");
        outcome_free(&result);
    }
    expect(dir, 1, "",
           "rnnc verify: error: a quote is left open in the name of the C compiler: 'cc -O1\n",
           "verify", "net.lua", "--cc='cc -O1", NULL);
    workdir_remove(dir);
}

static size_t entries_of(const char *path) {
    size_t count = 0;
    DIR *const directory = opendir(path);
    cr_assert(directory != NULL);
    for (const struct dirent *e; (e = readdir(directory)) != NULL;)
        count += e->d_name[0] != '.';
    closedir(directory);
    return count;
}

/* The compiler that is called ends rnnc while it runs; it says so to a file when it is there still
 * afterwards. */
Test(verify_models, signals_leave_nothing_behind, .timeout = 120) {
    static const struct {
        const char *name;
        int number;
    } signals[] = {{"TERM", 15}, {"INT", 2}, {"HUP", 1}};
    for (size_t i = 0; i < 3; i++) {
        char dir[PATH_SIZE], temporary[PATH_SIZE], variable[PATH_SIZE + 8], text[256];
        workdir_make(dir);
        path_join(temporary, dir, "tmp");
        cr_assert_eq(mkdir(temporary, 0700), 0);
        write_file(dir, "net.lua", net);
        /* Who runs the tests under nohup has SIGHUP ignored, and so has rnnc, rightly. */
        signal(signals[i].number, SIG_DFL);
        snprintf(text, sizeof text,
                 "#!/bin/sh\nls tmp >seen\nsleep 60 &\necho $! >child\nkill -%s $PPID\nwait\n"
                 "touch still_there\n",
                 signals[i].name);
        write_script(dir, "cc.sh", text);
        snprintf(variable, sizeof variable, "TMPDIR=%s", temporary);
        const char *const argv[] = {rnnc_path(), "verify", "net.lua", "--cc=./cc.sh", NULL};
        const char *const env[] = {variable, NULL};
        outcome result = process_run(argv, dir, env, 15);
        cr_expect_eq(result.code, 128 + signals[i].number, "%s: %d", signals[i].name, result.code);
        outcome_free(&result);
        char seen[PATH_SIZE];
        path_join(seen, dir, "seen");
        char *const names = file_read(seen, NULL);
        cr_expect(names && *names, "there was no temporary directory to begin with");
        free(names);
        cr_expect_eq(entries_of(temporary), 0, "%s leaves something behind", signals[i].name);
        expect_file(dir, "still_there", false);
        path_join(seen, dir, "child");
        cr_expect(process_gone(seen), "%s: what the compiler started runs on", signals[i].name);
        workdir_remove(dir);
    }
}

/* Who starts rnnc with a signal ignored, as nohup does, does not end it by that signal. */
Test(verify_models, ignored_signals_stay_ignored, .timeout = 120) {
    char dir[PATH_SIZE], command[2 * PATH_SIZE];
    workdir_make(dir);
    write_file(dir, "net.lua", net);
    write_script(dir, "cc.sh", "#!/bin/sh\nkill -HUP $PPID\nexec cc \"$@\"\n");
    snprintf(command, sizeof command, "trap '' HUP; exec %s verify net.lua --cc=./cc.sh",
             rnnc_path());
    const char *const argv[] = {"sh", "-c", command, NULL};
    outcome result = process_run(argv, dir, NULL, 60);
    expect_pass(&result, "PASS");
    outcome_free(&result);
    workdir_remove(dir);
}
