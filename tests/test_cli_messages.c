/* What of a text of somebody else's reaches the terminal: characters of UTF-8 that are to be seen,
 * and of all other bytes their numbers; and options that want a number or a
 * name and get none. */
#include "support/cli.h"
#include "support/generate.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* A text within a spec's error, and what is printed of it. */
static const struct {
    const char *text, *printed;
} texts[] = {
    {"plain \t text", "plain \\9 text"},
    {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf",
     "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf"},
    /* longer forms than needed: of '/' in two, three and four bytes, and of U+07FF and U+FFFF */
    {"\xc0\xaf|\xe0\x80\xaf|\xf0\x80\x80\xaf", "\\xc0\\xaf|\\xe0\\x80\\xaf|\\xf0\\x80\\x80\\xaf"},
    {"\xc1\xbf|\xe0\x9f\xbf|\xf0\x8f\xbf\xbf", "\\xc1\\xbf|\\xe0\\x9f\\xbf|\\xf0\\x8f\\xbf\\xbf"},
    /* surrogates, the first and the last, beside their neighbours */
    {"\xed\xa0\x80|\xed\xbf\xbf|\xed\x9f\xbf|\xee\x80\x80",
     "\\xed\\xa0\\x80|\\xed\\xbf\\xbf|\xed\x9f\xbf|\xee\x80\x80"},
    /* beyond U+10FFFF, and bytes that begin nothing */
    {"\xf4\x90\x80\x80|\xf8\x88\x80\x80\x80|\xff",
     "\\xf4\\x90\\x80\\x80|\\xf8\\x88\\x80\\x80\\x80|\\xff"},
    /* too few bytes: before another character, and at the end of the line */
    {"\xe2\x82z|\x80|\xf0\x9f\x98", "\\xe2\\x82z|\\x80|\\xf0\\x9f\\x98"},
    /* controls, and what turns the direction of reading: U+0085, U+200E, U+202A .. U+202E, U+2066,
     * U+2069, beside U+2010, U+2030 and U+206A */
    {"\x01\x1b\x7f\xc2\x85", "\\1\\27\\127\\xc2\\x85"},
    {"\xe2\x80\x8e|\xe2\x80\xaa|\xe2\x80\xae|\xe2\x81\xa6|\xe2\x81\xa9",
     "\\xe2\\x80\\x8e|\\xe2\\x80\\xaa|\\xe2\\x80\\xae|\\xe2\\x81\\xa6|\\xe2\\x81\\xa9"},
    {"\xe2\x80\x90|\xe2\x80\xb0|\xe2\x81\xaa", "\xe2\x80\x90|\xe2\x80\xb0|\xe2\x81\xaa"},
};

Test(cli_messages, bytes_that_are_no_text_are_numbers, .timeout = 60) {
    char dir[PATH_SIZE], path[PATH_SIZE], model[300], printed[300];
    workdir_make(dir);
    path_join(path, dir, "m.lua");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const int size = snprintf(model, sizeof model, "error(\"%s\")\n", texts[i].text);
        cr_assert(file_write(path, model, (size_t)size));
        snprintf(printed, sizeof printed, "m.lua:1: error: %s\n", texts[i].printed);
        expect(dir, 1, "", printed, "check", "m.lua", NULL, NULL);
    }
    workdir_remove(dir);
}

/* Of each option that takes a number, all that is none, or too small, or too large. No C compiler
 * runs before they are looked at. */
Test(cli_messages, options_that_want_numbers, .timeout = 120) {
    static const struct {
        const char *command, *option, *says;
        const char *outside[2];
    } options[] = {
        {"verify", "seed", "an integer of 0 or more", {"-1", "-0.5"}},
        {"verify", "seconds", "an integer of 1 or more", {"0", "-1"}},
        {"bench", "seconds", "a number above 0", {"0", "-0.1"}},
        {"bench", "seq-len", "an integer from 1 to 1000000", {"0", "1000001"}},
        {"bench", "batch", "an integer from 1 to 1000000", {"0", "1000001"}},
        {"bench", "threads", "an integer from 2 to 64; one thread is measured anyway", {"1", "65"}},
        {"tune", "seconds", "a number above 0", {"0", "-0.1"}},
        {"tune", "seq-len", "an integer from 1 to 1000000", {"0", "1000001"}},
        {"tune", "batch", "an integer from 1 to 1000000", {"0", "1000001"}},
        {"train", "epochs", "an integer from 1 to 1000000", {"0", "1000001"}},
    };
    static const char *const wrong[] = {"", "1x", "one", "nan", "1e400", "-inf", "1,5", "- 1"};
    static const char model[] = "return rnn { name = \"m\", input_size = 2, hidden_size = 3,\n"
                                "  batch = \"any\", target = \"portable\" }\n";
    enum { WRONG = sizeof wrong / sizeof *wrong };
    char dir[PATH_SIZE], path[PATH_SIZE], word[64], says[128];
    workdir_make(dir);
    path_join(path, dir, "m.lua");
    cr_assert(file_write(path, model, strlen(model)));
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        snprintf(says, sizeof says, "rnnc %s: error: --%s needs %s\n", options[i].command,
                 options[i].option, options[i].says);
        for (size_t k = 0; k < WRONG + 2; k++) {
            snprintf(word, sizeof word, "--%s=%s", options[i].option,
                     k < WRONG ? wrong[k] : options[i].outside[k - WRONG]);
            expect(dir, 1, "", says, options[i].command, "m.lua", word, NULL);
        }
    }
    workdir_remove(dir);
}

/* An error that begins like that, and nothing else. */
static void expect_begins(const char *dir, const char *says, const char *command, const char *a,
                          const char *b) {
    outcome o = run(dir, command, a, b, NULL, NULL);
    cr_expect(o.code == 1 && !o.out[0] && strncmp(o.err, says, strlen(says)) == 0, "%s: %s", says,
              o.err);
    outcome_free(&o);
}

/* Code for another architecture: before a C compiler is asked for it. */
Test(cli_messages, targets_of_other_machines, .timeout = 60) {
    static const char model[] =
        "return rnn { input_size = 2, hidden_size = 3, training = training { loss = \"mse\", "
        "data = \"none.npz\" } }\n";
    static const char *const commands[] = {"bench", "train", "verify"};
    char dir[PATH_SIZE], path[PATH_SIZE], option[32], says[128], out[64];
    const char *const target = target_runs("neon") ? "avx2" : "neon";
    workdir_make(dir);
    path_join(path, dir, "m.lua");
    cr_assert(file_write(path, model, strlen(model)));
    snprintf(option, sizeof option, "--target=%s", target);
    snprintf(out, sizeof out, "target %s: this CPU cannot run it\n", target);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        snprintf(says, sizeof says,
                 "rnnc %s: error: this CPU runs none of the targets; choose one with --target\n",
                 commands[i]);
        expect(dir, 1, strcmp(commands[i], "verify") == 0 ? out : "", says, commands[i], "m.lua",
               option, NULL);
    }
    workdir_remove(dir);
}

/* Names of files and directories that are none: before anything is read, measured or written. */
Test(cli_messages, names_that_are_none, .timeout = 60) {
    static const char *const empty[][3] = {
        {"compile", "output", "directory"}, {"compile", "weights", "file"},
        {"compile", "depfile", "file"},     {"verify", "keep", "directory"},
        {"verify", "case", "file"},         {"train", "output", "file"},
        {"train", "weights", "file"},       {"train", "keep", "directory"},
        {"train", "csv", "file"},           {"train", "json", "file"},
        {"bench", "csv", "file"},           {"bench", "json", "file"},
        {"bench", "html", "file"},          {"init", "weights", "file"},
        {"init", "weights-only", "file"},   {"init", "from", "file"},
        {"import", "output", "directory"},
    };
    static const char *const directories[][3] = {
        {"compile", "depfile", "."}, {"compile", "depfile", "x/"}, {"train", "output", "d"},
        {"train", "csv", "d"},       {"train", "json", "x/"},      {"bench", "csv", "."},
        {"bench", "json", "d/"},     {"bench", "html", "d"},
    };
    static const char *const commands[] = {"compile", "check", "plan", "verify", "train",
                                           "bench",   "tune",  "init", "import"};
    char dir[PATH_SIZE], path[PATH_SIZE], word[64], says[256];
    static const char model[] = "return rnn { input_size = 2, hidden_size = 3 }\n";
    workdir_make(dir);
    path_join(path, dir, "d");
    cr_assert_eq(mkdir(path, 0700), 0);
    path_join(path, dir, "m.lua");
    cr_assert(file_write(path, model, strlen(model)));
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        snprintf(word, sizeof word, "--%s=", empty[i][1]);
        snprintf(says, sizeof says, "rnnc %s: error: --%s needs the name of a %s", empty[i][0],
                 empty[i][1], empty[i][2]);
        expect_begins(dir, says, empty[i][0], "m.lua", word);
    }
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
        snprintf(word, sizeof word, "--%s=%s", directories[i][1], directories[i][2]);
        snprintf(says, sizeof says, "rnnc %s: error: %s: a directory; a file is expected\n",
                 directories[i][0], word);
        expect(dir, 1, "", says, directories[i][0], "m.lua", word, NULL);
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        snprintf(says, sizeof says, "rnnc %s: error: an argument is empty; usage: ", commands[i]);
        expect_begins(dir, says, commands[i], "", NULL);
    }
    expect(
        dir, 1, "",
        "rnnc compile: error: --depfile-target is of the rule that --depfile writes; give both\n",
        "compile", "m.lua", "--depfile-target=x", NULL);
    expect(dir, 1, "", "rnnc compile: error: --depfile-target needs the name of a target\n",
           "compile", "m.lua", "--depfile=x.d", "--depfile-target=");
    expect_file(dir, "x.d", false);
    expect_file(dir, "m.h", false);
    workdir_remove(dir);
}
