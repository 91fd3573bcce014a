/* What headers, tables and help say, tried row by row: the tests of tests/tables, which are in Lua
 * and print which of their cases failed. */
#include "support/script.h"

#include <criterion/criterion.h>

static void run(const char *name) { script_run("tables", name, NULL, NULL, 1, 400); }

Test(tables, pointers) { run("pointers"); }
Test(tables, options) { run("options"); }
Test(tables, values) { run("values"); }
Test(tables, messages) { run("messages"); }
Test(tables, programs) { run("programs"); }
Test(tables, reasons) { run("reasons"); }
Test(tables, onnx) { run("onnx"); }
Test(tables, faults) { run("faults"); }
Test(tables, json) { run("json"); }
Test(tables, graphs) { run("graphs"); }
Test(tables, pickles) { run("pickles"); }
Test(tables, refusals) { run("refusals"); }
