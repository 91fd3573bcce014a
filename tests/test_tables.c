/* What headers, tables and help say, tried row by row: the tests of tests/tables, which are in Lua
 * and print which of their cases failed. */
#include "support/script.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static void run(const char *name) { script_run("tables", name, NULL, NULL, 1, 400); }

Test(tables, pointers) { run("pointers"); }
Test(tables, options) { run("options"); }
Test(tables, values) { run("values"); }
Test(tables, messages) { run("messages"); }
Test(tables, programs) { run("programs"); }
Test(tables, reasons) { run("reasons"); }
Test(tables, onnx) { run("onnx"); }
/* Libraries in front of the system's, which go with no sanitizer and no counts. */
static void run_faults(const char *name) {
    const char *const sanitize = getenv("SANITIZE");
    if (sanitize && *sanitize)
        cr_skip_test("the system's calls are somebody else's already\n");
    run(name);
}

Test(tables, faults) { run_faults("faults"); }
Test(tables, runtime_faults) { run_faults("runtime_faults"); }
Test(tables, json) { run("json"); }
Test(tables, graphs) { run("graphs"); }
Test(tables, pickles) { run("pickles"); }
Test(tables, refusals) { run("refusals"); }
