/* What headers, tables and help say, tried row by row: the tests of tests/tables, which are in Lua
 * and print which of their cases failed. */
#include "support/process.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static void run(const char *name) {
    char path[PATH_SIZE];
    const char *const lua = getenv("LUA");
    snprintf(path, sizeof path, "tests/tables/%s.lua", name);
    const char *const argv[] = {lua ? lua : "lua5.4", path, NULL};
    outcome o = process_run(argv, NULL, NULL, 400);
    cr_expect_eq(o.code, 0, "%s: exit code %d\n%s%s", path, o.code, o.out, o.err);
    /* A file that tries nothing would pass. */
    cr_expect(atoi(o.out) >= 1, "%s tried only: %s", path, o.out);
    outcome_free(&o);
}

Test(tables, pointers) { run("pointers"); }
Test(tables, options) { run("options"); }
Test(tables, values) { run("values"); }
Test(tables, messages) { run("messages"); }
Test(tables, programs) { run("programs"); }
Test(tables, reasons) { run("reasons"); }
Test(tables, onnx) { run("onnx"); }
