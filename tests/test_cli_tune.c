/* `rnnc tune` and its file: what is written is read again, what it says is what is generated and
 * still right, and a file that does not fit is refused with the place and the remedy. No time is
 * judged. */
#define _XOPEN_SOURCE 700
#include "support/cli.h"
#include "support/generate.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REMEDY "; run rnnc tune again, or delete the file\n"
#define STALE "; the cost model's choice is taken: run rnnc tune again, or delete the file\n"

static void write_file(const char *dir, const char *name, const char *text) {
    char path[PATH_SIZE];
    path_join(path, dir, name);
    cr_assert(file_write(path, text, strlen(text)));
}

static char *read_file(const char *dir, const char *name) {
    char path[PATH_SIZE];
    path_join(path, dir, name);
    return file_read(path, NULL);
}

static void set_up(char dir[PATH_SIZE]) {
    workdir_make(dir);
    write_file(dir, "net.lua",
               "return rnn { cell = \"gru\", input_size = 9, hidden_size = 11, batch = 3,\n"
               "  seq_len = 6, target = \"portable\" }\n");
}

/* net.tune with the network's own second line and then `rest`. */
static void write_tune(const char *dir, const char *rest) {
    char text[512], network[32];
    char *const tuned = read_file(dir, "tuned");
    cr_assert(tuned && sscanf(tuned, "rnnc tune 1\nnetwork %16[0-9a-f]\n", network) == 1);
    snprintf(text, sizeof text, "rnnc tune 1\nnetwork %s\n%s", network, rest);
    write_file(dir, "net.tune", text);
    free(tuned);
}

/* Tunes net.lua and keeps the file as `tuned`. One that is there is replaced, whatever is found. */
static void tune(const char *dir) {
    write_file(dir, "net.tune", "rnnc tune 0\n");
    outcome result = run(dir, "tune", "net.lua", "--seconds=0.001", NULL, NULL);
    cr_assert_eq(result.code, 0, "%s", result.err);
    cr_expect_eq(strncmp(result.out, "portable: the cost model takes ", 31), 0, "%s", result.out);
    const size_t length = strlen(result.out);
    cr_expect(length > 10 && strcmp(result.out + length - 10, "\nnet.tune\n") == 0, "%s",
              result.out);
    outcome_free(&result);
    char *const text = read_file(dir, "net.tune");
    cr_assert_not_null(text);
    write_file(dir, "tuned", text);
    free(text);
}

Test(tune, what_it_writes_is_read_and_right, .timeout = 240) {
    char dir[PATH_SIZE];
    set_up(dir);
    tune(dir);
    outcome result = run(dir, "compile", "net.lua", "-o", "out", NULL);
    cr_expect_eq(result.code, 0, "%s", result.err);
    outcome_free(&result);
    /* Tiles that the cost model would not take: all that fit give the same network. */
    static const char *const tiles[] = {
        "target portable kernel units\nlayer 1 rows 1 vectors 1 split 1\n",
        "target portable kernel units\nlayer 1 rows 2 vectors 1 split 1\n",
        "target portable kernel units\nlayer 1 rows 1 vectors 1 split 2\n",
        "target portable kernel batch x 1\nlayer 1 rows 1 vectors 1 split 1\n",
        "target portable kernel batch x 1\nlayer 1 rows 2 vectors 1 split 1\n",
        "target portable kernel batch x 1\n",
        "",
    };
    for (size_t i = 0; i < sizeof tiles / sizeof *tiles; i++) {
        write_tune(dir, tiles[i]);
        result = run(dir, "plan", "net.lua", NULL, NULL, NULL);
        cr_expect_eq(result.code, 0, "%s%s", tiles[i], result.err);
        cr_expect_eq(strstr(result.out, "as rnnc tune measured them") != NULL, *tiles[i] != '\0',
                     "%s", result.out);
        cr_expect(!*tiles[i] || (strstr(result.out, "sums in 2 parts") != NULL) ==
                                    (strstr(tiles[i], "split 2") != NULL),
                  "%s%s", tiles[i], result.out);
        cr_expect(!strstr(tiles[i], "batch x 1") ||
                      strstr(result.out, "tiles of 1 units x 1 vectors") ||
                      strstr(result.out, "tiles of 2 units x 1 vectors"),
                  "%s%s", tiles[i], result.out);
        outcome_free(&result);
        result = run(dir, "verify", "net.lua", NULL, NULL, NULL);
        cr_expect_eq(result.code, 0, "%s%s%s", tiles[i], result.out, result.err);
        outcome_free(&result);
    }
    workdir_remove(dir);
}

Test(tune, a_file_that_does_not_fit_is_refused, .timeout = 120) {
    static const struct {
        const char *rest, *says;
    } wrong[] = {
        {"target portabel kernel units\n", "net.tune:3: error: no such target, or a second time"},
        {"target portable kernel units\ntarget portable kernel units\n",
         "net.tune:4: error: no such target, or a second time"},
        {"layer 1 rows 1 vectors 1 split 1\n", "net.tune:3: error: not a line of such a file"},
        {"target portable kernel units\nlayer 1 rows 0 vectors 1 split 1\n",
         "net.tune:4: error: a tile of nothing"},
        {"target portable kernel units\nlayer 1 rows 1 vectors 0 split 1\n",
         "net.tune:4: error: a tile of nothing"},
        {"target portable kernel units\nlayer 1 rows 1 vectors 1 split 0\n",
         "net.tune:4: error: a tile of nothing"},
    };
    char dir[PATH_SIZE], line[512];
    set_up(dir);
    tune(dir);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        write_tune(dir, wrong[i].rest);
        snprintf(line, sizeof line, "%s" REMEDY, wrong[i].says);
        expect(dir, 1, "", line, "compile", "net.lua", "-o", "out");
        expect(dir, 1, "", line, "plan", "net.lua", NULL, NULL);
    }
    write_file(dir, "net.tune", "something else\n");
    expect(dir, 1, "", "net.tune:1: error: not a file of rnnc tune" REMEDY, "plan", "net.lua", NULL,
           NULL);
    write_file(dir, "net.tune", "rnnc tune 1\n");
    expect(dir, 1, "", "net.tune:2: error: the network is missing" REMEDY, "plan", "net.lua", NULL,
           NULL);
    expect_file(dir, "out", false);
    workdir_remove(dir);
}

/* `rnnc plan` and `rnnc compile` take the cost model's choice, with a warning that says `says`. */
static void is_stale(const char *dir, const char *says, const char *plan) {
    char line[512];
    snprintf(line, sizeof line, "net.tune%s" STALE, says);
    expect(dir, 0, plan, line, "plan", "net.lua", NULL, NULL);
    outcome result = run(dir, "compile", "net.lua", "-o", "out", NULL);
    cr_expect(result.code == 0 && strcmp(result.err, line) == 0, "%s: %s", line, result.err);
    outcome_free(&result);
}

Test(tune, a_stale_file_is_a_warning, .timeout = 240) {
    static const char *const stale[][2] = {
        {"target portable kernel fast\n", ": warning: the kernel \"fast\" cannot run this network"},
        {"target portable kernel units\nlayer 1 rows 99 vectors 1 split 1\n",
         ": warning: the kernel units has no such tile for layer 1"},
        {"target portable kernel units\nlayer 1 rows 1 vectors 50 split 1\n",
         ": warning: the kernel units has no such tile for layer 1"},
        {"target portable kernel batch x 1\nlayer 1 rows 1 vectors 2 split 1\n",
         ": warning: the kernel batch x 1 has no such tile for layer 1"},
    };
    char dir[PATH_SIZE];
    set_up(dir);
    outcome without = run(dir, "plan", "net.lua", NULL, NULL, NULL);
    tune(dir);
    for (size_t i = 0; i < sizeof stale / sizeof *stale; i++) {
        write_tune(dir, stale[i][0]);
        is_stale(dir, stale[i][1], without.out);
    }
    write_file(dir, "net.tune", "rnnc tune 2\n");
    is_stale(dir, ":1: warning: of another version of rnnc", without.out);
    outcome_free(&without);
    /* The spec has changed. A new run does not mind what is there. */
    write_tune(dir, "target portable kernel units\n");
    write_file(dir, "net.lua",
               "return rnn { cell = \"gru\", input_size = 9, hidden_size = 12, batch = 3,\n"
               "  seq_len = 6, target = \"portable\" }\n");
    without = run(dir, "plan", "net.lua", NULL, NULL, NULL);
    is_stale(dir, ":2: warning: measured for another network: the spec has changed since",
             without.out);
    outcome_free(&without);
    tune(dir);
    outcome result = run(dir, "plan", "net.lua", NULL, NULL, NULL);
    cr_expect_eq(result.code, 0, "%s", result.err);
    outcome_free(&result);
    /* A name is no part of a network, so a copy may have another. */
    write_file(dir, "net.lua",
               "return rnn { name = \"other\", cell = \"gru\", input_size = 9,\n"
               "  hidden_size = 12, batch = 3, seq_len = 6, target = \"portable\" }\n");
    result = run(dir, "plan", "net.lua", NULL, NULL, NULL);
    cr_expect_eq(result.code, 0, "%s", result.err);
    outcome_free(&result);
    workdir_remove(dir);
}

/* Each field that the measured code depends on makes the file one of another network; the others do
 * not. */
Test(tune, of_each_field_that_counts, .timeout = 240) {
    static const struct {
        const char *fields;
        int stale;
    } rows[] = {
        {"cell = \"gru\", input_size = 9, hidden_size = 11, batch = 3, seq_len = 6", 0},
        {"name = \"other\", cell = \"gru\", input_size = 9, hidden_size = 11, batch = 3, seq_len = "
         "6",
         0},
        {"cell = \"rnn\", input_size = 9, hidden_size = 11, batch = 3, seq_len = 6", 1},
        {"cell = \"gru\", input_size = 8, hidden_size = 11, batch = 3, seq_len = 6", 1},
        {"cell = \"gru\", input_size = 9, hidden_size = 10, batch = 3, seq_len = 6", 1},
        {"cell = \"gru\", input_size = 9, hidden_size = 11, batch = 4, seq_len = 6", 1},
        {"cell = \"gru\", input_size = 9, hidden_size = 11, batch = 3, seq_len = 7", 1},
        {"cell = \"gru\", input_size = 9, hidden_size = 11, batch = 3", 1},
        {"cell = \"gru\", input_size = 9, hidden_size = 11, batch = 3, seq_len = 6, num_layers = 2",
         1},
        {"cell = \"gru\", input_size = 9, hidden_size = 11, batch = 3, seq_len = 6,\n"
         "  bidirectional = true",
         1},
        {"cell = \"gru\", input_size = 9, hidden_size = 11, batch = 3, seq_len = 6, bias = false",
         1},
        {"cell = \"gru\", input_size = 9, hidden_size = 11, batch = 3, seq_len = 6,\n"
         "  lengths = true",
         1},
        {"cell = \"gru\", input_size = 9, hidden_size = 11, batch = 3, seq_len = 6,\n"
         "  deterministic = true",
         1},
        {"cell = \"gru\", input_size = 9, hidden_size = 11, batch = 3, seq_len = 6,\n"
         "  activation = \"fast\"",
         1},
    };
    char dir[PATH_SIZE], text[256];
    set_up(dir);
    tune(dir);
    write_tune(dir, "");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(text, sizeof text, "return rnn { %s, target = \"portable\" }\n", rows[i].fields);
        write_file(dir, "net.lua", text);
        outcome result = run(dir, "plan", "net.lua", NULL, NULL, NULL);
        cr_expect_eq(result.code, 0, "%s: %s", rows[i].fields, result.err);
        cr_expect_eq(strstr(result.err, "measured for another network") != NULL, rows[i].stale,
                     "%s: %s", rows[i].fields, result.err);
        outcome_free(&result);
    }
    workdir_remove(dir);
}

/* Fewer columns than parts of a sum, or hardly any: the model's own tiles are ones that can be. A
 * tune that finds nothing says so and leaves no file. */
Test(tune, few_units, .timeout = 240) {
    char dir[PATH_SIZE], text[200];
    workdir_make(dir);
    for (int units = 1; units <= 4; units++) {
        snprintf(text, sizeof text,
                 "return rnn { cell = \"%s\", input_size = 3, hidden_size = %d,\n"
                 "  target = \"portable\" }\n",
                 units % 2 ? "lstm" : "rnn", units);
        write_file(dir, "net.lua", text);
        outcome result = run(dir, "tune", "net.lua", "--seconds=0.001", NULL, NULL);
        cr_expect_eq(result.code, 0, "%d units: %s", units, result.err);
        char *const written = read_file(dir, "net.tune");
        cr_expect_eq(strstr(result.out, "no file is written") == NULL, written != NULL, "%s",
                     result.out);
        outcome_free(&result);
        if (written) {
            cr_expect(strstr(written, "\ntarget portable "), "%s", written);
            char path[PATH_SIZE];
            path_join(path, dir, "net.tune");
            cr_expect_eq(remove(path), 0);
        }
        free(written);
    }
    workdir_remove(dir);
}
