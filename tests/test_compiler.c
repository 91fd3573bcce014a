/* Stages of compiler/ by themselves: the tests of tests/compiler, which are in Lua and print which
 * of their cases failed. RNNC_TEST_FAST makes them short. */
#include "support/script.h"

#include <criterion/criterion.h>

static void run(const char *name) { script_run("compiler", name, NULL, NULL, 10, 800); }

Test(compiler, ir) { run("ir"); }
Test(compiler, differences) { run("differences"); }
Test(compiler, passes) { run("passes"); }
Test(compiler, gradients) { run("gradients"); }
Test(compiler, models) { run("models"); }
Test(compiler, norms) { run("norms"); }
Test(compiler, results) { run("results"); }
Test(compiler, charts) { run("charts"); }
Test(compiler, limits) { run("limits"); }
Test(compiler, paths) { run("paths"); }
Test(compiler, statements) { run("statements"); }
Test(compiler, forward) { run("forward"); }
