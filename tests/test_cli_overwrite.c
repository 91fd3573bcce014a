/* rnnc compile and files that it did not write: they stay. */
#define _XOPEN_SOURCE 700
#include "support/cli.h"
#include "support/generate.h"
#include "support/process.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[PATH_SIZE], path[PATH_SIZE];

static void setup(void) {
    static const char text[] = "return rnn { name = \"amp\", input_size = 3, hidden_size = 5,\n"
                               "  target = \"portable\", weights = \"amp.safetensors\" }\n";
    workdir_make(dir);
    path_join(path, dir, "amp.lua");
    cr_assert(file_write(path, text, sizeof text - 1));
    outcome made = run(dir, "init", "--weights-only=amp.lua", NULL, NULL, NULL);
    cr_assert_eq(made.code, 0, "%s", made.err);
    outcome_free(&made);
}
static void teardown(void) { workdir_remove(dir); }
TestSuite(cli_overwrite, .init = setup, .fini = teardown);

static const char mine[] = "/* amp.c: written by hand */\nint main(void) { return 0; }\n";

/* What rnnc wrote is known again under the longest of names, of a spec of a long name. */
Test(cli_overwrite, own_files_of_long_names, .timeout = 60) {
    static const char text[] =
        "return rnn { name = \"a123456789b123456789c123456789d123456789\", input_size = 3,\n"
        "  hidden_size = 5, target = \"portable\", weights = \"amp.safetensors\" }\n";
    char name[200];
    memset(name, 's', 180);
    strcpy(name + 180, ".lua");
    path_join(path, dir, name);
    cr_assert(file_write(path, text, sizeof text - 1));
    for (int i = 0; i < 2; i++) {
        outcome result =
            run(dir, "compile", name, "--weights=amp.safetensors", "--cxx", i ? "--python" : NULL);
        cr_expect_eq(result.code, 0, "%s", result.err);
        outcome_free(&result);
    }
    outcome result = run(dir, "compile", name, "--cxx", "--python", "--target=scalar");
    cr_expect_eq(result.code, 0, "%s", result.err);
    outcome_free(&result);
}

/* Each kind of output, by hand: an error that names the file, nothing is written, --force does. */
Test(cli_overwrite, files_of_others_stay, .timeout = 60) {
    static const char *const names[] = {"amp.c", "amp.h", "amp_weights.c", "amp.weights"};
    for (int i = 0; i < 4; i++) {
        const char *const form = i == 3 ? "--weights-as=blob" : "--weights-as=c";
        path_join(path, dir, names[i]);
        cr_assert(file_write(path, mine, sizeof mine - 1));
        outcome result = run(dir, "compile", "amp.lua", form, NULL, NULL);
        cr_expect_eq(result.code, 1);
        cr_expect(strstr(result.err, names[i]) && strstr(result.err, "--force"), "%s", result.err);
        outcome_free(&result);
        char *const text = file_read(path, NULL);
        cr_expect_str_eq(text, mine, "%s", names[i]);
        free(text);
        for (int k = 0; k < 4; k++) {
            path_join(path, dir, names[k]);
            cr_expect_eq(access(path, F_OK) == 0, i == k, "%s beside %s", names[k], names[i]);
        }
        result = run(dir, "compile", "amp.lua", form, "--force", NULL);
        cr_expect_eq(result.code, 0, "%s", result.err);
        outcome_free(&result);
        /* Once more: they are rnnc's now. */
        result = run(dir, "compile", "amp.lua", form, "--target=avx2", NULL);
        cr_expect_eq(result.code, 0, "%s", result.err);
        outcome_free(&result);
        for (int k = 0; k < 4; k++) {
            path_join(path, dir, names[k]);
            unlink(path);
        }
    }
}

/* verify --keep writes the same files, rnnc.h and a library. */
Test(cli_overwrite, kept_files_of_others_stay, .timeout = 120) {
    static const char *const names[] = {"amp.c", "amp.h", "amp_weights.c", "rnnc.h", "amp.so"};
    for (int again = 0; again < 2; again++) {
        outcome result = run(dir, "verify", "amp.lua", "--keep=kept", NULL, NULL);
        cr_expect_eq(result.code, 0, "%s", result.err);
        outcome_free(&result);
    }
    for (int i = 0; i < 5; i++) {
        path_join(path, dir, names[i]);
        cr_assert(file_write(path, mine, sizeof mine - 1));
        outcome result = run(dir, "verify", "amp.lua", "--keep=.", NULL, NULL);
        cr_expect_eq(result.code, 1);
        cr_expect(strncmp(result.err, "rnnc verify: error: ", 20) == 0 &&
                      strstr(result.err, names[i]) && strstr(result.err, "another directory"),
                  "%s", result.err);
        outcome_free(&result);
        char *const text = file_read(path, NULL);
        cr_expect_str_eq(text, mine, "%s", names[i]);
        free(text);
        unlink(path);
    }
    for (int i = 0; i < 5; i++)
        expect_file(dir, names[i], false);
}

Test(cli_overwrite, tune_leaves_files_of_others, .timeout = 60) {
    path_join(path, dir, "amp.tune");
    cr_assert(file_write(path, mine, sizeof mine - 1));
    outcome result = run(dir, "tune", "amp.lua", "--seconds=0.001", NULL, NULL);
    cr_expect_eq(result.code, 1);
    cr_expect(strstr(result.err, "amp.tune is there already"), "%s", result.err);
    outcome_free(&result);
    char *const text = file_read(path, NULL);
    cr_expect_str_eq(text, mine);
    free(text);
}

/* An empty file has nothing to lose. */
Test(cli_overwrite, empty_files_do_not_matter, .timeout = 60) {
    path_join(path, dir, "amp.c");
    cr_assert(file_write(path, "", 0));
    outcome result = run(dir, "compile", "amp.lua", NULL, NULL, NULL);
    cr_expect_eq(result.code, 0, "%s", result.err);
    outcome_free(&result);
}
