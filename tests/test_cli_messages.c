/* What of a text of somebody else's reaches the terminal: characters of UTF-8 that are to be seen,
 * and of all other bytes their numbers; and options that want a number and get none. */
#include "support/cli.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

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
    char dir[PATH_SIZE], path[PATH_SIZE], spec[300], printed[300];
    workdir_make(dir);
    path_join(path, dir, "m.lua");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const int size = snprintf(spec, sizeof spec, "error(\"%s\")\n", texts[i].text);
        cr_assert(file_write(path, spec, (size_t)size));
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
    static const char spec[] = "return rnn { name = \"m\", input_size = 2, hidden_size = 3,\n"
                               "  batch = \"any\", target = \"portable\" }\n";
    enum { WRONG = sizeof wrong / sizeof *wrong };
    char dir[PATH_SIZE], path[PATH_SIZE], word[64], says[128];
    workdir_make(dir);
    path_join(path, dir, "m.lua");
    cr_assert(file_write(path, spec, strlen(spec)));
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
