/* Training code that is generated: the tests of tests/training, which are in Lua and print which of
 * their cases failed. RNNC_TEST_FAST makes them short. */
#include "support/process.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static void run(const char *name, int least) {
    char path[PATH_SIZE];
    const char *const lua = getenv("LUA");
    snprintf(path, sizeof path, "tests/training/%s.lua", name);
    const char *const argv[] = {lua ? lua : "lua5.4", path, NULL};
    outcome o = process_run(argv, NULL, NULL, 1600);
    cr_expect_eq(o.code, 0, "%s: exit code %d\n%s%s", path, o.code, o.out, o.err);
    /* A file that tries nothing would pass. */
    cr_expect(atoi(o.out) >= least, "%s tried only: %s", path, o.out);
    outcome_free(&o);
}

Test(training, verify, .timeout = 1700) { run("verify", 10); }
Test(training, calls) { run("calls", 8); }
Test(training, command, .timeout = 1700) { run("command", 11); }
