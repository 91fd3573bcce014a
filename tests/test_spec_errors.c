/* What rnnc says of specs that are wrong: all of tests/spec_errors/cases.txt, to the letter.
 *
 * The file has for each case a line "== TITLE", the spec, a line "--" and the lines that rnnc
 * writes to stderr. */
#define _XOPEN_SOURCE 700
#include "support/generate.h"
#include "support/process.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The start of the line after the next line that is `line`, which is cut off before it; NULL if
 * there is none. */
static char *cut_at_line(char *text, const char *line) {
    const size_t length = strlen(line);
    for (char *at = text; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
        if (strncmp(at, line, length) != 0)
            continue;
        *at = '\0';
        return at + length;
    }
    return NULL;
}

/* `rnnc check model.lua` in `dir`, which must say exactly `expected` on stderr. */
static void check_case(const char *dir, const char *title, const char *text, const char *expected) {
    char path[PATH_SIZE];
    path_join(path, dir, "model.lua");
    cr_assert(file_write(path, text, strlen(text)));
    const char *const argv[] = {rnnc_path(), "check", "model.lua", NULL};
    outcome result = process_run(argv, dir, NULL, 20);
    cr_expect_eq(result.code, 1, "%s: exit code %d", title, result.code);
    cr_expect_str_eq(result.out, "", "%s: stdout is not empty: %s", title, result.out);
    cr_expect_str_eq(result.err, expected, "%s: rnnc says\n%sand should say\n%s", title, result.err,
                     expected);
    outcome_free(&result);
}

Test(spec_errors, messages_are_exact, .timeout = 120) {
    char dir[PATH_SIZE];
    workdir_make(dir);
    char *const text = file_read("tests/spec_errors/cases.txt", NULL);
    cr_assert_not_null(text);
    size_t count = 0;
    for (char *title = cut_at_line(text, "== "); title; count++) {
        char *const next = cut_at_line(title, "== ");
        char *const body = strchr(title, '\n') + 1;
        char *const expected = cut_at_line(body, "--\n");
        cr_assert_not_null(expected, "the case before number %zu has no \"--\"", count + 2);
        body[-1] = '\0';
        check_case(dir, title, body, expected);
        title = next;
    }
    free(text);
    workdir_remove(dir);
    cr_expect_geq(count, 100, "only %zu cases were found", count);
}

/* The same errors, in the same order, whatever is in the environment of the process: Lua's tables
 * are in another order in every run. */
Test(spec_errors, order_is_always_the_same, .timeout = 120) {
    static const char text[] =
        "local t = { input_size = 0, hidden_size = 0, num_layers = 0,\n"
        "  bias = 0, dropout = 9, wobble = 1, nope = 2, batch = 0, cell = 0 }\n"
        "return rnn(t)\n";
    char dir[PATH_SIZE], path[PATH_SIZE];
    workdir_make(dir);
    path_join(path, dir, "model.lua");
    cr_assert(file_write(path, text, sizeof text - 1));
    const char *const argv[] = {rnnc_path(), "check", "model.lua", NULL};
    outcome first = process_run(argv, dir, NULL, 20);
    cr_expect_eq(first.code, 1);
    for (int run = 0; run < 10; run++) {
        outcome again = process_run(argv, dir, NULL, 20);
        cr_expect_str_eq(again.err, first.err);
        outcome_free(&again);
    }
    outcome_free(&first);
    workdir_remove(dir);
}

/* What is right must stay right: sizes that were computed, every limit, and notes that are no
 * errors. */
Test(spec_errors, good_specs_pass, .timeout = 120) {
    static const struct {
        const char *text, *err;
    } good[] = {
        {"return rnn { input_size = 3, hidden_size = 4 }\n", ""},
        {"return rnn { input_size = 60/20, hidden_size = 2^4, num_layers = 3//1 }\n", ""},
        {"\xef\xbb\xbfreturn rnn { input_size = 3, hidden_size = 4 }\n", ""},
        {"local size = { h = 4 }\nlocal function f(n) return n * 2 end\n"
         "return rnn { input_size = f(3), hidden_size = size.h, name = string.format('m%d', 7) }\n",
         ""},
        {"return rnn { input_size = 65536, hidden_size = 1, batch = 65536, seq_len = 256 }\n", ""},
        {"return rnn { input_size = 3, hidden_size = 4, batch = 'any', seq_len = 'any',\n"
         "  target = { 'portable', 'avx2', 'avx512' }, bias = false, bidirectional = true }\n",
         ""},
        {"return rnn {\n  input_size = 3, hidden_size = 4,\n  dropout = 0.5,\n}\n",
         "model.lua:3: note: dropout acts between layers and there is one layer, so it had no "
         "effect "
         "in training either\n"},
        {"return rnn { input_size = 3, hidden_size = 4, num_layers = 2, dropout = 1 }\n", ""},
        {"return model { layers = {\n  rnn { input_size = 3, hidden_size = 4, bidirectional = true "
         "},\n"
         "  dense { units = 2, last_step = true } } }\n",
         "model.lua:3: note: layer 2: last_step = true reads both directions at the last step, "
         "where the reverse one has seen that step only; for the last states of both, which is "
         "what a classifier mostly wants, write last_state = true\n"},
        {"return model { layers = {\n  rnn { input_size = 3, hidden_size = 4, bidirectional = true "
         "},\n"
         "  dense { units = 2, last_state = true } } }\n",
         ""},
        {"return model { layers = {\n  rnn { input_size = 3, hidden_size = 4, direction = "
         "\"reverse\" },\n  dense { units = 2, last_step = true } } }\n",
         "model.lua:3: note: layer 2: last_step = true reads the last step, of which the layer "
         "before, with direction = \"reverse\", has seen nothing else; for its last state, write "
         "last_state = true\n"},
        {"return rnn { input_size = 3, hidden_size = 4, direction = \"reverse\" }\n", ""},
        {"return model { layers = {\n  rnn { input_size = 3, hidden_size = 4 },\n"
         "  dense { units = 2, last_step = true } } }\n",
         ""},
    };
    char dir[PATH_SIZE], path[PATH_SIZE];
    workdir_make(dir);
    path_join(path, dir, "model.lua");
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        cr_assert(file_write(path, good[i].text, strlen(good[i].text)));
        const char *const argv[] = {rnnc_path(), "check", "model.lua", NULL};
        outcome result = process_run(argv, dir, NULL, 20);
        cr_expect_eq(result.code, 0, "exit code %d for\n%s%s", result.code, good[i].text,
                     result.err);
        cr_expect_str_eq(result.err, good[i].err);
        cr_expect_str_eq(result.out, "model.lua: fine\n");
        outcome_free(&result);
    }
    workdir_remove(dir);
}

/* Every field has its line in `rnnc help spec`, with what is allowed and a summary. */
Test(spec_errors, every_field_is_explained) {
    static const char *const names[] = {
        "name", "cell", "input_size", "hidden_size", "num_layers", "nonlinearity", "bias",
        "batch_first", "dropout", "bidirectional", "merge", "direction", "reset_after", "peepholes",
        "alpha", "beta", "gate_activation", "gate_alpha", "gate_beta", "candidate_activation",
        "candidate_alpha", "candidate_beta", "output_activation", "output_alpha", "output_beta",
        "clip", "layer_norm", "layer_norm_eps", "layer_norm_state", "proj_size", "initial_state",
        "weights", "prefix", "map", "batch", "seq_len", "target", "threads", "lengths", "chunk",
        "streaming", "deterministic", "residual", "activation", "train",
        /* of a model, and of its layers */
        "training", "layers", "input_size", "prefix", "num_embeddings", "dim", "units",
        "activation", "activation", "alpha", "beta", "bias", "last_step", "last_state", "tied",
        "scale", "shift", "outputs", "name", "from"};
    const char *const argv[] = {rnnc_path(), "help", "spec", NULL};
    outcome result = process_run(argv, NULL, NULL, 20);
    cr_expect_eq(result.code, 0);
    size_t fields = 0;
    for (const char *line = result.out; line && *line;) {
        const char *const next = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL;
        if (strncmp(line, "  ", 2) == 0 && line[2] != ' ') {
            cr_expect(strstr(line, ": ") && next && strncmp(next, "      ", 6) == 0 &&
                          next[6] != '\n',
                      "a field has no documentation: %.40s", line);
            fields++;
        }
        line = next;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char start[64];
        snprintf(start, sizeof start, "\n  %s: ", names[i]);
        cr_expect(strstr(result.out, start), "%s is not explained", names[i]);
    }
    cr_expect_eq(fields, sizeof names / sizeof *names, "there are %zu fields", fields);
    outcome_free(&result);
}
