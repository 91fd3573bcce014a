/* Stages of compiler/ by themselves: the tests of tests/compiler, which are in Lua and print which
 * of their cases failed. RNNC_TEST_FAST makes them short. */
#include "support/process.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static void run(const char *name) {
    char path[PATH_SIZE];
    const char *const lua = getenv("LUA");
    snprintf(path, sizeof path, "tests/compiler/%s.lua", name);
    const char *const argv[] = {lua ? lua : "lua5.4", path, NULL};
    outcome o = process_run(argv, NULL, NULL, 800);
    cr_expect_eq(o.code, 0, "%s: exit code %d\n%s%s", path, o.code, o.out, o.err);
    /* A file that tries nothing would pass. */
    cr_expect(atoi(o.out) >= 10, "%s tried only: %s", path, o.out);
    outcome_free(&o);
}

Test(compiler, ir) { run("ir"); }
Test(compiler, differences) { run("differences"); }
Test(compiler, passes) { run("passes"); }
Test(compiler, gradients) { run("gradients"); }
Test(compiler, models) { run("models"); }
Test(compiler, results) { run("results"); }
Test(compiler, charts) { run("charts"); }
Test(compiler, limits) { run("limits"); }
Test(compiler, paths) { run("paths"); }
Test(compiler, statements) { run("statements"); }
Test(compiler, forward) { run("forward"); }
