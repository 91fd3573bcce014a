/* `rnnc init`, and what rnnc says of weights that do not fit. */
#define _XOPEN_SOURCE 700
#include "support/cli.h"
#include "support/generate.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- init ---- */

/* Appends nothing to dir/touched, so that it is newer, and says whether make of the starter's
 * folder p then runs rnnc, and the C compiler. */
static void expect_makes(const char *dir, const char *rnnc, const char *touched, bool generates,
                         bool compiles) {
    const char *const wait[] = {
        "sh", "-c", "sleep 0.1; test -z \"$1\" || touch \"$1\"", "sh", touched ? touched : "",
        NULL};
    outcome waited = process_run(wait, dir, NULL, 20);
    cr_assert_eq(waited.code, 0, "%s", waited.err);
    outcome_free(&waited);
    const char *const argv[] = {"make", "-C", "p", rnnc, "CFLAGS=-Wall", NULL};
    const char *const env[] = {"MAKEFLAGS=", "MFLAGS=", NULL};
    outcome made = process_run(argv, dir, env, 100);
    cr_expect_eq(made.code, 0, "%s", made.err);
    cr_expect_eq(strstr(made.out, " compile ") != NULL, generates, "%s: %s", touched, made.out);
    cr_expect_eq(strstr(made.out, "main.c amp.c") != NULL, compiles, "%s: %s", touched, made.out);
    outcome_free(&made);
}

/* The C of the first network that somebody sees can be read in a sitting. These figures may fall,
 * to 250 in all, and may not rise. */
Test(cli, init_is_short, .timeout = 60) {
    static const struct {
        const char *target;
        size_t most;
    } cases[] = {{"--target=avx512", 370}, {"--target=portable,avx2,avx512", 1000}};
    char dir[PATH_SIZE], path[PATH_SIZE];
    workdir_make(dir);
    expect(dir, 0, "model.lua\n", "", "init", NULL, NULL, NULL);
    path_join(path, dir, "model.c");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        expect(dir, 0, i ? "model.h\nmodel.c\n" : "model.h\nmodel.c\nrnnc.h\n", "", "compile",
               "model.lua", cases[i].target, NULL);
        char *const text = file_read(path, NULL);
        cr_assert(text);
        size_t lines = 0;
        for (const char *at = text; (at = strchr(at, '\n')); at++)
            lines++;
        cr_expect(lines > 100 && lines <= cases[i].most, "%s: %zu lines", cases[i].target, lines);
        free(text);
    }
    workdir_remove(dir);
}

Test(cli, init_writes_what_compiles, .timeout = 120) {
    char dir[PATH_SIZE];
    workdir_make(dir);
    expect(dir, 0, "model.lua\n", "", "init", NULL, NULL, NULL);
    expect(dir, 0, "model.lua: fine\n", "", "check", "model.lua", NULL, NULL);
    expect(dir, 0, "model.h\nmodel.c\nrnnc.h\n", "", "compile", "model.lua", NULL, NULL);
    expect(dir, 1, "",
           "rnnc init: error: model.lua is there already; move it away or choose another DIR\n",
           "init", NULL, NULL, NULL);
    expect(dir, 1, "",
           "rnnc init: error: --name=my-net: not a C identifier; a name has letters, "
           "digits and single underscores inside, begins with a letter and ends with a "
           "letter or digit\n",
           "init", "--name=my-net", NULL, NULL);
    expect(dir, 0, "p/amp.safetensors\np/amp.lua\np/main.c\np/Makefile\np/rnnc.h\n", "", "init",
           "p", "--program", "--name=amp");
    char rnnc[PATH_SIZE + 8];
    snprintf(rnnc, sizeof rnnc, "RNNC=%s", rnnc_path());
    const char *const argv[] = {
        "make", "-s", "-C", "p", "run", rnnc, "CFLAGS=-Wall -Wextra -Werror", NULL};
    const char *const env[] = {"MAKEFLAGS=", "MFLAGS=", NULL};
    outcome made = process_run(argv, dir, env, 100);
    cr_expect_eq(made.code, 0, "%s", made.err);
    cr_expect(strstr(made.out, "after 10 steps: "), "%s", made.out);
    outcome_free(&made);
    expect_file(dir, "p/amp", true);
    expect_makes(dir, rnnc, "p/amp.lua", true, false);
    expect_makes(dir, rnnc, NULL, false, false);
    /* Of another network: rnnc warns, and goes on. */
    static const char tune[] = "rnnc tune 1\nnetwork 0123456789abcdef\n";
    char path[PATH_SIZE];
    path_join(path, dir, "p/amp.tune");
    cr_assert(file_write(path, tune, sizeof tune - 1));
    expect_makes(dir, rnnc, "p/amp.tune", true, false);
    expect_makes(dir, rnnc, NULL, false, false);
    expect_makes(dir, rnnc, "p/main.c", false, true);
    workdir_remove(dir);
}

/* A program around a network as it was downloaded: two sequences, tokens, what is given once; the
 * values that it prints are as many as those of y. The directory has a space in its name. */
Test(cli, init_from_a_file_writes_a_program, .timeout = 200) {
    static const struct {
        const char *file, *args;
        size_t values;
    } networks[] = {
        {"tests/import/burn_lstm_lstm/lstm.onnx", "lstm_forward(STEPS, x[0][0], NULL, NULL, ", 8},
        {"tests/import/exports/lstm_tokens.onnx", "lstm_tokens_forward(STEPS, tokens", 0},
        {"tests/import/exports/rnn_relu_last.onnx", "rnn_relu_last_forward(STEPS, x", 0},
    };
    char dir[PATH_SIZE], path[PATH_SIZE], from[PATH_SIZE + 8], rnnc[PATH_SIZE + 8];
    snprintf(rnnc, sizeof rnnc, "RNNC=%s", rnnc_path());
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
        workdir_make(dir);
        cr_assert(realpath(networks[i].file, path) != NULL);
        snprintf(from, sizeof from, "--from=%s", path);
        outcome o = run(dir, "init", from, "--program", "a p", NULL);
        cr_expect_eq(o.code, 0, "%s", o.err);
        cr_expect(strstr(o.out, "\nto run it: make -C 'a p' run\n"), "%s", o.out);
        outcome_free(&o);
        const char *const argv[] = {
            "make", "-s", "-C", "a p", "run", rnnc, "CFLAGS=-Wall -Wextra -Wconversion -Werror",
            NULL};
        const char *const env[] = {"MAKEFLAGS=", "MFLAGS=", NULL};
        o = process_run(argv, dir, env, 100);
        cr_expect_eq(o.code, 0, "%s", o.err);
        const char *const line = strstr(o.out, "steps:");
        cr_expect(line, "%s", o.out);
        size_t values = 0;
        for (const char *at = line; at && *at; at++)
            values += *at == '.';
        cr_expect(values > 0 && (networks[i].values == 0 || values == networks[i].values), "%s",
                  o.out);
        outcome_free(&o);
        path_join(path, dir, "a p/main.c");
        char *const text = file_read(path, NULL);
        cr_expect(text && strstr(text, networks[i].args), "%s", text);
        free(text);
        workdir_remove(dir);
    }
}

/* What the starter shows in comments is what holds without it: the same C comes out when it is
 * made real. No value is the address of a function or table. */
Test(cli, init_shows_the_defaults_that_hold, .timeout = 60) {
    static const char script[] =
        "set -e; \"$0\" init; \"$0\" compile model.lua -o shown\n"
        "if grep -E '(function|table): |^.{101}' model.lua; then exit 1; fi\n"
        "sed -E -i '/ (weights|training) = /!s/^    -- ([a-z_]+ = .*,)/    \\1/' model.lua\n"
        "test $(grep -c '^    [a-z]' model.lua) -ge 18; test $(grep -c '= nil' model.lua) = 1\n"
        "\"$0\" compile model.lua -o given\n"
        /* The files say of which text they are made. */
        "diff -r -I '_SPEC_HASH\\|_HEADER_' shown given >&2\n";
    char dir[PATH_SIZE];
    workdir_make(dir);
    const char *const argv[] = {"sh", "-c", script, rnnc_path(), NULL};
    outcome made = process_run(argv, dir, NULL, 50);
    cr_expect_eq(made.code, 0, "%s%s", made.out, made.err);
    outcome_free(&made);
    workdir_remove(dir);
}

/* ---- weights ---- */

Test(cli, init_reads_sizes_from_weights) {
    char dir[PATH_SIZE];
    workdir_make(dir);
    outcome made = run(dir, "init", "--program", "--name=first", NULL, NULL);
    cr_expect_eq(made.code, 0);
    outcome_free(&made);
    expect(dir, 0, "d/second.lua\n",
           "first.safetensors: note: weights do not tell batch_first and nonlinearity; look at "
           "these fields\n",
           "init", "d", "--weights=first.safetensors", "--name=second");
    expect(dir, 0, "d/second.lua: fine, and so is d/../first.safetensors\n", "", "check",
           "d/second.lua", NULL, NULL);
    workdir_remove(dir);
}

/* However DIR is spelled, the spec in it names a file that is there. */
Test(cli, init_finds_weights_from_any_directory) {
    static const char *const names[] = {".", "./", "./e", "f/.", "./g/./h//i", "k/l/m"};
    char dir[PATH_SIZE], description[40];
    workdir_make(dir);
    outcome made = run(dir, "init", "--program", "--name=first", NULL, NULL);
    cr_expect_eq(made.code, 0);
    outcome_free(&made);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        made = run(dir, "init", names[i], "--weights=first.safetensors", "--name=second", NULL);
        cr_expect_eq(made.code, 0, "%s: %s", names[i], made.err);
        outcome_free(&made);
        snprintf(description, sizeof description, "%s/second.lua", names[i]);
        made = run(dir, "check", description, NULL, NULL, NULL);
        cr_expect(made.code == 0 && strstr(made.out, ": fine, and so is "), "%s: %s%s", names[i],
                  made.out, made.err);
        outcome_free(&made);
        char path[PATH_SIZE + 40];
        snprintf(path, sizeof path, "%s/%s", dir, description);
        remove(path);
    }
    workdir_remove(dir);
}

Test(cli, wrong_weights_are_listed_by_name) {
    static const char deeper[] = "return rnn { input_size = 9, hidden_size = 16, num_layers = 2,\n"
                                 "  weights = \"model.safetensors\" }\n";
    char dir[PATH_SIZE], path[PATH_SIZE];
    workdir_make(dir);
    outcome made = run(dir, "init", "--program", NULL, NULL, NULL);
    cr_expect_eq(made.code, 0);
    outcome_free(&made);
    path_join(path, dir, "two.lua");
    cr_assert(file_write(path, deeper, sizeof deeper - 1));
    expect(dir, 1, "",
           "two.lua:1: note: the file has fewer layers: num_layers = 1\n"
           "model.safetensors: error: weight_ih_l0 is (16, 8), expected (16, 9); the file is of "
           "input_size = 8, hidden_size = 16\n"
           "model.safetensors: error: weight_ih_l1 is missing, expected (16, 16)\n"
           "model.safetensors: error: weight_hh_l1 is missing, expected (16, 16)\n"
           "model.safetensors: error: bias_ih_l1 is missing, expected (16)\n"
           "model.safetensors: error: bias_hh_l1 is missing, expected (16)\n"
           "model.safetensors: note: these are random weights; rnnc init --weights-only two.lua "
           "makes new ones that fit\n",
           "compile", "two.lua", NULL, NULL);
    expect_file(dir, "two.c", false);
    static const char bare[] = "return rnn { input_size = 8, hidden_size = 16, bias = false,\n"
                               "  weights = \"model.safetensors\" }\n";
    cr_assert(file_write(path, bare, sizeof bare - 1));
    expect(dir, 1, "",
           "two.lua:1: note: the file has biases: bias = true\n"
           "model.safetensors: error: bias_hh_l0 (16) is of no use to this network\n"
           "model.safetensors: error: bias_ih_l0 (16) is of no use to this network\n"
           "model.safetensors: note: these are random weights; rnnc init --weights-only two.lua "
           "makes new ones that fit\n",
           "check", "two.lua", NULL, NULL);
    static const char elsewhere[] =
        "return rnn { input_size = 8, hidden_size = 16, prefix = 'rec.',"
        "\n  bias = false, weights = \"model.safetensors\" }\n";
    cr_assert(file_write(path, elsewhere, sizeof elsewhere - 1));
    expect(dir, 1, "",
           "two.lua:1: note: the file has weights under prefix = \"\"\n"
           "model.safetensors: error: rec.weight_ih_l0 is missing, expected (16, 8)\n"
           "model.safetensors: error: rec.weight_hh_l0 is missing, expected (16, 16)\n"
           "model.safetensors: note: these are random weights; rnnc init --weights-only two.lua "
           "makes new ones that fit\n",
           "check", "two.lua", NULL, NULL);
    workdir_remove(dir);
}
