/* The command line: help, exit codes, misspelt words, and what compile does to the file system. */
#define _XOPEN_SOURCE 700
#include "support/cli.h"
#include "support/generate.h"
#include "support/process.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char small[] = "return rnn { name = \"amp\", input_size = 3, hidden_size = 5,\n"
                            "  target = \"portable\" }\n";

/* A new directory with small in amp.lua. */
static void set_up(char dir[PATH_SIZE]) {
    char path[PATH_SIZE];
    workdir_make(dir);
    path_join(path, dir, "amp.lua");
    cr_assert(file_write(path, small, sizeof small - 1));
}

/* How many entries a directory has, "." and ".." not counted. */
static int entries(const char *path) {
    DIR *const dir = opendir(path);
    int count = -2;
    if (!dir)
        return -1;
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

/* ---- help ---- */

Test(cli, help_names_every_command) {
    static const char *const names[] = {"compile", "check", "plan", "verify", "bench",
                                        "train",   "tune",  "init", "help"};
    outcome all = run(NULL, "--help", NULL, NULL, NULL, NULL);
    cr_expect_eq(all.code, 0);
    cr_expect_str_eq(all.err, "");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char start[32];
        snprintf(start, sizeof start, "\n  %s ", names[i]);
        cr_expect(strstr(all.out, start), "%s is not listed", names[i]);
        outcome by_option = run(NULL, names[i], "--help", NULL, NULL, NULL);
        outcome by_command = run(NULL, "help", names[i], NULL, NULL, NULL);
        cr_expect_eq(by_option.code, 0);
        cr_expect_eq(by_command.code, 0);
        cr_expect_str_eq(by_option.out, by_command.out);
        snprintf(start, sizeof start, "usage: rnnc %s ", names[i]);
        cr_expect_eq(strncmp(by_option.out, start, strlen(start)), 0, "%s", by_option.out);
        cr_expect(strstr(by_option.out, "\noptions:\n") &&
                  strstr(by_option.out, "\nexit status: "));
        outcome_free(&by_option);
        outcome_free(&by_command);
    }
    outcome_free(&all);
}

Test(cli, help_fits_a_terminal) {
    static const char *const names[] = {"compile", "check", "plan", "verify", "bench",
                                        "train",   "tune",  "init", "spec"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        outcome help = run(NULL, "help", names[i], NULL, NULL, NULL);
        for (const char *line = help.out; *line; line += strcspn(line, "\n") + 1)
            cr_expect_leq(strcspn(line, "\n"), (size_t)100, "help %s: %.110s", names[i], line);
        outcome_free(&help);
    }
}

Test(cli, version_is_that_of_the_header) {
    expect(NULL, 0, "rnnc " RNNC_VERSION "\n", "", "--version", NULL, NULL, NULL);
}

Test(cli, nothing_asked_prints_the_help) {
    outcome nothing = run(NULL, NULL, NULL, NULL, NULL, NULL);
    outcome help = run(NULL, "--help", NULL, NULL, NULL, NULL);
    cr_expect_eq(nothing.code, 1);
    cr_expect_str_eq(nothing.out, help.out);
    outcome_free(&nothing);
    outcome_free(&help);
}

Test(cli, unwritable_output_is_an_error) {
    char command[PATH_SIZE + 32];
    snprintf(command, sizeof command, "%s --help > /dev/full", rnnc_path());
    const char *const argv[] = {"sh", "-c", command, NULL};
    outcome result = process_run(argv, NULL, NULL, 20);
    cr_expect_eq(result.code, 1);
    cr_expect_str_eq(result.err,
                     "rnnc: error: the output cannot be written: No space left on device\n");
    outcome_free(&result);
}

/* ---- words that are wrong ---- */

Test(cli, misspelt_words_get_the_nearest) {
    char dir[PATH_SIZE];
    set_up(dir);
    expect(dir, 1, "",
           "rnnc: error: there is no command 'compil'; did you mean compile? (`rnnc --help` lists "
           "them)\n",
           "compil", "amp.lua", NULL, NULL);
    expect(dir, 1, "", "rnnc: error: there is no command 'frobnicate' (`rnnc --help` lists them)\n",
           "frobnicate", NULL, NULL, NULL);
    expect(dir, 1, "", "rnnc: error: there is no command 'amp.lua' (`rnnc --help` lists them)\n",
           "amp.lua", NULL, NULL, NULL);
    expect(dir, 1, "",
           "rnnc: error: there is no command 'chekc'; did you mean check? (`rnnc --help` lists "
           "them)\n",
           "help", "chekc", NULL, NULL);
    expect(dir, 1, "",
           "rnnc compile: error: there is no option '--outptu'; did you mean --output? (`rnnc help "
           "compile` lists them)\n",
           "compile", "--outptu=x", "amp.lua", NULL);
    expect(dir, 1, "",
           "rnnc compile: error: there is no option '-z' (`rnnc help compile` lists them)\n",
           "compile", "-z", "amp.lua", NULL);
    expect(dir, 1, "", "rnnc compile: error: --output needs a value\n", "compile", "amp.lua",
           "--output", NULL);
    expect(dir, 1, "", "rnnc compile: error: -o needs a value\n", "compile", "amp.lua", "-o", NULL);
    expect(dir, 1, "", "rnnc compile: error: --help takes no value\n", "compile", "--help=x", NULL,
           NULL);
    expect(dir, 1, "",
           "rnnc compile: error: an argument is missing; usage: rnnc compile [OPTION]... "
           "MODEL.lua\n",
           "compile", NULL, NULL, NULL);
    expect(dir, 1, "",
           "rnnc check: error: too many arguments; usage: rnnc check [OPTION]... MODEL.lua\n",
           "check", "amp.lua", "amp.lua", NULL);
    expect(dir, 1, "",
           "rnnc: error: --target=\"avx-2\": expected \"native\", \"scalar\", "
           "\"portable\", \"neon\", \"avx2\" or \"avx512\", or a list of them; did you mean "
           "\"avx2\"?\n",
           "check", "amp.lua", "--target=avx-2", NULL);
    expect(dir, 1, "", "rnnc: error: --weights-as=\"d\": expected c, floats, blob or none\n",
           "compile", "amp.lua", "--weights-as=d", NULL);
    expect(dir, 1, "",
           "rnnc: error: --weights-as=c needs weights; name a file in the spec or with --weights\n",
           "compile", "amp.lua", "--weights-as=c", NULL);
    expect(dir, 1, "", "rnnc: error: --ablate=\"tanh\": expected functions or update\n", "compile",
           "amp.lua", "--ablate=tanh", NULL);
    expect(dir, 1, "", "rnnc verify: error: --seed needs an integer of 0 or more\n", "verify",
           "amp.lua", "--seed=x", NULL);
    outcome stage = run(dir, "plan", "amp.lua", "--dump=lowre", NULL, NULL);
    cr_expect_eq(stage.code, 1);
    cr_expect(strstr(stage.err, "there is no stage 'lowre'; did you mean lower?"), "%s", stage.err);
    outcome_free(&stage);
    stage = run(dir, "plan", "amp.lua", "--dump=backward", NULL, NULL);
    cr_expect_eq(stage.code, 0, "%s", stage.err);
    cr_expect(strstr(stage.out, "d_weight_ih_l0[i, k] += sum("), "%s", stage.out);
    outcome_free(&stage);
    cr_expect_eq(entries(dir), 1);
    workdir_remove(dir);
}

/* A word as it was given, control characters and megabytes included. */
Test(cli, words_cannot_steer_a_terminal) {
    char *const word = calloc(100001, 1);
    cr_assert(word);
    for (int i = 0; i < 5; i++) {
        const bool is_long = i >= 3;
        char start[20];
        snprintf(start, sizeof start, "%s", i % 3 == 1 ? "--\033[31mx" : "\033[31mx");
        memset(word, 'a', 100000);
        memcpy(word, start, strlen(start));
        word[is_long ? 100000 : strlen(start)] = '\0';
        outcome result = i == 2               ? run(NULL, "help", word, NULL, NULL, NULL)
                         : strchr("-", *word) ? run(NULL, "compile", word, NULL, NULL, NULL)
                                              : run(NULL, word, NULL, NULL, NULL, NULL);
        cr_expect_eq(result.code, 1);
        cr_expect(!strchr(result.err, '\033') && strstr(result.err, "\\x1b[31mx"), "%s",
                  result.err);
        cr_expect_lt(strlen(result.err), 400);
        outcome_free(&result);
    }
    outcome cluster = run(NULL, "compile", "-\001", NULL, NULL, NULL);
    cr_expect(strstr(cluster.err, "no option '-\\x01'"), "%s", cluster.err);
    outcome_free(&cluster);
    free(word);
}

/* ---- what compile writes ---- */

Test(cli, compile_makes_directories) {
    char dir[PATH_SIZE];
    set_up(dir);
    expect(dir, 0, "a/b/c/amp.h\na/b/c/amp.c\na/b/c/rnnc.h\n", "", "compile", "amp.lua", "-o",
           "a/b/c");
    expect(dir, 0, "a/b/c/amp.h (unchanged)\na/b/c/amp.c (unchanged)\n", "", "compile", "amp.lua",
           "-o", "a/b/c");
    expect(dir, 0, "amp.h\namp.c\nrnnc.h\n", "", "compile", "amp.lua", NULL, NULL);
    expect(dir, 1, "", "rnnc compile: error: --output needs the name of a directory\n", "compile",
           "amp.lua", "-o", "");
    workdir_remove(dir);
}

Test(cli, unchanged_files_keep_their_time) {
    char dir[PATH_SIZE], path[PATH_SIZE];
    struct stat before, after;
    const struct timespec old[] = {{1000, 0}, {1000, 0}};
    set_up(dir);
    expect(dir, 0, NULL, "", "compile", "amp.lua", NULL, NULL);
    path_join(path, dir, "amp.c");
    cr_assert_eq(utimensat(AT_FDCWD, path, old, 0), 0);
    cr_assert_eq(stat(path, &before), 0);
    expect(dir, 0, "amp.h (unchanged)\namp.c (unchanged)\n", "", "compile", "amp.lua", NULL, NULL);
    cr_assert_eq(stat(path, &after), 0);
    cr_expect_eq(after.st_mtime, 1000);
    cr_expect_eq(after.st_ino, before.st_ino);
    /* A changed one is written again, and keeps its mode. */
    cr_assert_eq(chmod(path, 0600), 0);
    cr_assert(file_write(path, "/* amp.c: generated by rnnc. */", 31));
    expect(dir, 0, "amp.h (unchanged)\namp.c\n", "", "compile", "amp.lua", NULL, NULL);
    cr_assert_eq(stat(path, &after), 0);
    cr_expect_eq(after.st_mode & 0777, 0600u);
    cr_expect_gt(after.st_size, 1000);
    cr_expect_eq(entries(dir), 4, "temporary files are left");
    workdir_remove(dir);
}

/* What stands in the way of one file keeps all the others from being written. */
Test(cli, all_files_or_none) {
    char dir[PATH_SIZE], path[PATH_SIZE];
    set_up(dir);
    path_join(path, dir, "out");
    cr_assert_eq(mkdir(path, 0700), 0);
    path_join(path, dir, "out/amp.c");
    cr_assert_eq(mkdir(path, 0700), 0);
    expect(dir, 1, "", "rnnc compile: error: out/amp.c: is a directory; move it away\n", "compile",
           "amp.lua", "-o", "out");
    path_join(path, dir, "out");
    cr_expect_eq(entries(path), 1);
    expect(dir, 1, "", "rnnc compile: error: amp.lua: is there, but is not a directory\n",
           "compile", "amp.lua", "-o", "amp.lua");
    expect(dir, 1, "", "rnnc compile: error: amp.lua: is there, but is not a directory\n",
           "compile", "amp.lua", "-o", "amp.lua/deeper");
    cr_expect_eq(entries(dir), 2);
    /* Nobody may write there, not even root. */
    outcome result = run(dir, "compile", "amp.lua", "-o", "/proc/none/such", NULL);
    cr_expect_eq(result.code, 1);
    cr_expect_eq(strncmp(result.err, "rnnc compile: error: /proc/none: cannot be made: ", 49), 0,
                 "%s", result.err);
    outcome_free(&result);
    workdir_remove(dir);
}

Test(cli, read_only_directories_stay_as_they_are) {
    char dir[PATH_SIZE], path[PATH_SIZE];
    if (geteuid() == 0)
        cr_skip_test("root may write anywhere");
    set_up(dir);
    path_join(path, dir, "closed");
    cr_assert_eq(mkdir(path, 0500), 0);
    expect(dir, 1, "", "rnnc compile: error: closed/amp.h: cannot be written: Permission denied\n",
           "compile", "amp.lua", "-o", "closed");
    expect(dir, 1, "", "rnnc compile: error: closed/new: cannot be made: Permission denied\n",
           "compile", "amp.lua", "-o", "closed/new");
    cr_expect_eq(entries(path), 0);
    workdir_remove(dir);
}

/* With a full disk: the limit on the size of a file stands for it, and its signal does not end
 * rnnc. */
Test(cli, a_failed_write_leaves_the_old_files) {
    char dir[PATH_SIZE], path[PATH_SIZE], command[2 * PATH_SIZE];
    static const char old[] = "/* amp.h: generated by rnnc. */\n";
    set_up(dir);
    path_join(path, dir, "amp.h");
    cr_assert(file_write(path, old, sizeof old - 1));
    snprintf(command, sizeof command, "ulimit -f 1; exec %s compile amp.lua -o . ; exit $?",
             rnnc_path());
    const char *const argv[] = {"sh", "-c", command, NULL};
    if (counts_are_taken())
        cr_skip_test("counts would be larger than the limit");
    outcome result = process_run(argv, dir, NULL, 60);
    cr_expect_eq(result.code, 1, "exit code %d: %s", result.code, result.err);
    cr_expect(strstr(result.err, ": cannot be written: File too large\n"), "%s", result.err);
    char *const kept = file_read(path, NULL);
    cr_expect_str_eq(kept, old);
    free(kept);
    cr_expect_eq(entries(dir), 2);
    outcome_free(&result);
    workdir_remove(dir);
}

/* A link in a file's place is replaced; what it led to is not touched. */
Test(cli, links_are_not_followed) {
    char dir[PATH_SIZE], path[PATH_SIZE], precious[PATH_SIZE];
    struct stat info;
    set_up(dir);
    path_join(precious, dir, "precious");
    cr_assert(file_write(precious, "mine", 4));
    path_join(path, dir, "amp.c");
    cr_assert_eq(symlink("precious", path), 0);
    expect(dir, 0, "amp.h\namp.c\nrnnc.h\n", "", "compile", "amp.lua", NULL, NULL);
    cr_assert_eq(lstat(path, &info), 0);
    cr_expect(S_ISREG(info.st_mode));
    char *const kept = file_read(precious, NULL);
    cr_expect_str_eq(kept, "mine");
    free(kept);
    workdir_remove(dir);
}

Test(cli, two_runs_give_the_same_bytes) {
    static const char *const names[] = {"amp.h", "amp.c"};
    char dir[PATH_SIZE], a[PATH_SIZE], b[PATH_SIZE];
    set_up(dir);
    path_join(a, dir, "amp.lua");
    expect(dir, 0, NULL, "", "compile", "amp.lua", "-o", "one");
    /* From elsewhere, by another path. */
    outcome other = run("/", "compile", a, "-o", dir, NULL);
    cr_expect_eq(other.code, 0);
    outcome_free(&other);
    for (size_t i = 0; i < 2; i++) {
        char in_one[PATH_SIZE];
        snprintf(in_one, sizeof in_one, "one/%s", names[i]);
        path_join(a, dir, in_one);
        path_join(b, dir, names[i]);
        char *const first = file_read(a, NULL), *const second = file_read(b, NULL);
        cr_expect(first && second);
        cr_expect_str_eq(first, second);
        free(first);
        free(second);
    }
    workdir_remove(dir);
}

/* ---- the scripts ---- */

Test(cli, rnnc_home_reads_the_tree) {
    char dir[PATH_SIZE], home[PATH_SIZE + 16], here[PATH_SIZE];
    set_up(dir);
    cr_assert_not_null(getcwd(here, sizeof here));
    snprintf(home, sizeof home, "RNNC_HOME=%s", here);
    const char *const argv[] = {rnnc_path(), "compile", "amp.lua", "-o", "tree", NULL};
    const char *const in_tree[] = {home, NULL}, *const nowhere[] = {"RNNC_HOME=/none", NULL};
    outcome result = process_run(argv, dir, in_tree, 60);
    cr_expect_eq(result.code, 0, "%s", result.err);
    outcome_free(&result);
    /* The executable and the tree are of the same sources. */
    expect(dir, 0, "tree/amp.h (unchanged)\ntree/amp.c (unchanged)\n", "", "compile", "amp.lua",
           "-o", "tree");
    /* A wrong one is told as what it is, with the traceback of a bug. */
    result = process_run(argv, dir, nowhere, 60);
    cr_expect_eq(result.code, 2);
    cr_expect(strstr(result.err, "no compiler/commands/compile.lua in rnnc") &&
                  strstr(result.err, "stack traceback:") && strstr(result.err, "Please report it"),
              "%s", result.err);
    outcome_free(&result);
    workdir_remove(dir);
}

Test(cli, compile_brings_the_header_and_replaces_none) {
    static const char spec_text[] = "return rnn { input_size = 3, hidden_size = 4 }\n";
    char dir[PATH_SIZE], path[PATH_SIZE];
    workdir_make(dir);
    path_join(path, dir, "net.lua");
    cr_assert(file_write(path, spec_text, sizeof spec_text - 1));
    expect(dir, 0, "gen/net.h\ngen/net.c\ngen/rnnc.h\n", "", "compile", "net.lua", "-o", "gen");
    const char *const argv[] = {"cc", "-Igen", "-c", "gen/net.c", "-o", "net.o", NULL};
    outcome compiled = process_run(argv, dir, NULL, 60);
    cr_expect_eq(compiled.code, 0, "%s", compiled.err);
    outcome_free(&compiled);
    expect(dir, 0, "gen/net.h (unchanged)\ngen/net.c (unchanged)\n", "", "compile", "net.lua", "-o",
           "gen");
    path_join(path, dir, "gen/rnnc.h");
    cr_assert(file_write(path, "mine", 4));
    expect(dir, 0, "gen/net.h (unchanged)\ngen/net.c (unchanged)\n",
           "gen/rnnc.h: note: is not the rnnc.h of this rnnc and is left as it is; if a compiler "
           "finds it first, "
           "delete it and compile again\n",
           "compile", "net.lua", "-o", "gen");
    char *const text = file_read(path, NULL);
    cr_assert_not_null(text);
    cr_expect_str_eq(text, "mine");
    free(text);
    expect(dir, 1, "",
           "rnnc compile: error: --output=out/net.c: a directory is expected; the files in it are "
           "named after the "
           "network, which `name` in the spec or the name of the spec's file is\n",
           "compile", "net.lua", "-o", "out/net.c");
    expect_file(dir, "out", false);
    workdir_remove(dir);
}
