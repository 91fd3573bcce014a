/* rnnc compile, killed at every point of its writing: the files are the old set, the new one, or do
 * not link; and the next run takes away what the dead one left. */
#define _DEFAULT_SOURCE
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
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES = 4, SETS = 2, CALLS_MAX = 60 };
static const char *const names[FILES] = {"amp.h", "amp.c", "amp_weights.c", "rnnc.h"};

static char dir[PATH_SIZE], path[PATH_SIZE];
static char *sets[SETS][FILES];

static void write_spec(int hidden) {
    char text[300];
    const int n = snprintf(text, sizeof text,
                           "return rnn { name = \"amp\", input_size = 3, hidden_size = %d,\n"
                           "  target = \"portable\", weights = \"of_%d.safetensors\" }\n",
                           hidden, hidden);
    path_join(path, dir, "amp.lua");
    cr_assert(file_write(path, text, (size_t)n));
    outcome made = run(dir, "init", "--weights-only=amp.lua", NULL, NULL, NULL);
    cr_assert_eq(made.code, 0, "%s", made.err);
    outcome_free(&made);
}

static char *read_in(const char *name) {
    path_join(path, dir, name);
    return file_read(path, NULL);
}

/* The compiler that is under test, with the fault library; KILL_AT is "KILL_AT=N". */
static int compile_killed(const char *at, bool named) {
    char preload[PATH_SIZE + 20];
    snprintf(preload, sizeof preload, "LD_PRELOAD=%s/kill.so", dir);
    const char *const argv[] = {rnnc_path(), "compile", "-o", "out", "amp.lua", NULL};
    const char *const env[] = {NO_COUNTS,
                               preload,
                               at,
                               "ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0",
                               named ? "KILL_NAMED=1" : NULL,
                               NULL};
    outcome result = process_run(argv, dir, env, 60);
    const int code = result.code;
    cr_assert(code == 0 || code == 128 + 9, "%d %s", code, result.err);
    outcome_free(&result);
    return code;
}

/* The entries of out that are none of the set. */
static int others(void) {
    path_join(path, dir, "out");
    DIR *const list = opendir(path);
    int count = 0;
    for (struct dirent *entry; list && (entry = readdir(list));) {
        bool known = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        for (int i = 0; i < FILES; i++)
            known = known || strcmp(entry->d_name, names[i]) == 0;
        count += !known;
    }
    closedir(list);
    return count;
}

static void put_set(int set) {
    for (int i = 0; i < FILES; i++) {
        char name[50];
        snprintf(name, sizeof name, "out/%s", names[i]);
        path_join(path, dir, name);
        cr_assert(file_write(path, sets[set][i], strlen(sets[set][i])));
    }
}

/* Does out hold that set, to the byte? */
static bool is_set(int set) {
    for (int i = 0; i < FILES; i++) {
        char name[50];
        snprintf(name, sizeof name, "out/%s", names[i]);
        char *const text = read_in(name);
        const bool same = text && strcmp(text, sets[set][i]) == 0;
        free(text);
        if (!same)
            return false;
    }
    return true;
}

static bool links(void) {
    rnnc_error error;
    return compile_c(NULL, "-O0", dir, "main.c out/amp.c out/amp_weights.c", "amp", &error);
}

static void setup(void) {
    static const char program[] = "#include \"out/amp.h\"\n"
                                  "int main(void) { return amp_workspace_size(1, 1) == 0; }\n";
    static const int hidden[SETS] = {6, 5};
    rnnc_error error;
    char home[PATH_SIZE];
    workdir_make(dir);
    path_join(path, dir, "main.c");
    cr_assert(file_write(path, program, sizeof program - 1));
    cr_assert(realpath("tests/fault/kill.c", home));
    cr_assert(compile_c(NULL, "-shared -fPIC -fno-sanitize=all", dir, home, "kill.so", &error),
              "%s", error.message);
    for (int set = 0; set < SETS; set++) {
        write_spec(hidden[set]);
        cr_assert_eq(compile_killed("KILL_AT=0", false), 0);
        for (int i = 0; i < FILES; i++) {
            char name[50];
            snprintf(name, sizeof name, "out/%s", names[i]);
            sets[set][i] = read_in(name);
            cr_assert(sets[set][i]);
        }
        cr_assert(links());
    }
}
static void teardown(void) {
    for (int i = 0; i < SETS * FILES; i++)
        free(sets[i / FILES][i % FILES]);
    workdir_remove(dir);
}
TestSuite(cli_killed, .init = setup, .fini = teardown);

/* From set 0 to set 1, killed before call 1, 2, ... until one run needs fewer. */
static void kill_everywhere(bool named) {
    int mixed = 0, n = 1;
    for (;; n++) {
        char at[50];
        snprintf(at, sizeof at, "KILL_AT=%d", n);
        put_set(0);
        const int code = compile_killed(at, named);
        if (code == 0)
            break;
        cr_assert_lt(n, CALLS_MAX);
        if (!is_set(0) && !is_set(1)) {
            mixed++;
            cr_expect(!links(), "killed at call %d: a mixed set links", n);
        }
        cr_assert_eq(compile_killed("KILL_AT=0", named), 0);
        cr_expect(is_set(1), "the run after call %d", n);
        cr_expect_eq(others(), 0, "killed at call %d: files are left", n);
    }
    cr_expect_gt(n, 9);
    cr_expect_gt(mixed, 1);
}

Test(cli_killed, files_without_names, .timeout = 300) { kill_everywhere(false); }
Test(cli_killed, files_with_names, .timeout = 300) { kill_everywhere(true); }

/* What looks like a left-over stays while another process writes, or if it is of another network,
 * or no file of rnnc's. */
Test(cli_killed, nothing_else_is_taken_away, .timeout = 60) {
    static const struct {
        const char *name;
        bool stays, stays_locked;
    } files[] = {
        {"out/.amp.c.rnnc-abcdef", false, true},
        {"out/.amp.c.rnnc-abcdef~", false, true},
        {"out/.amp.c.abcdef", true, true},
        {"out/.amp.c.rnnc-abcde", true, true},
        {"out/.amp.c.rnnc-abcdefg", true, true},
        {"out/amp.c.rnnc-abcdef", true, true},
        {"out/.amplifier.c.rnnc-abcdef", true, true},
        {"out/.amp.c.user-abcdef", true, true},
    };
    enum { COUNT = sizeof files / sizeof files[0] };
    path_join(path, dir, "out/.amp.h.rnnc-abcdef");
    cr_assert_eq(mkdir(path, 0777), 0);
    for (int i = 0; i < COUNT; i++) {
        path_join(path, dir, files[i].name);
        cr_assert(file_write(path, "mine", 4));
    }
    path_join(path, dir, "out");
    const int fd = open(path, O_RDONLY | O_DIRECTORY);
    cr_assert_eq(flock(fd, LOCK_SH), 0);
    cr_assert_eq(compile_killed("KILL_AT=0", false), 0);
    for (int i = 0; i < COUNT; i++)
        expect_file(dir, files[i].name, files[i].stays_locked);
    close(fd);
    cr_assert_eq(compile_killed("KILL_AT=0", false), 0);
    for (int i = 0; i < COUNT; i++)
        expect_file(dir, files[i].name, files[i].stays);
    expect_file(dir, "out/.amp.h.rnnc-abcdef", true);
}
