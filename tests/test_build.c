/* What users and packagers do with the tree, each a script of tests/packaging that exits with 0 if all
 * is well: installing, building the runtime alone, and the one-way rule between the parts. */
#include "support/process.h"

#include <criterion/criterion.h>
#include <unistd.h>

/* Runs tests/packaging/NAME in the root of the tree with a new empty directory as its argument. */
static void run_script(const char *name) {
    char script[PATH_SIZE], dir[PATH_SIZE];
    path_join(script, "tests/packaging", name);
    workdir_make(dir);
    const char *const argv[] = {script, dir, NULL};
    /* Settings of the make that runs the tests are not for the make that is tested. */
    const char *const env[] = {"MAKEFLAGS=", "MFLAGS=", "MAKEOVERRIDES=", NULL};
    outcome result = process_run(argv, NULL, env, 600);
    workdir_remove(dir);
    cr_assert(result.code == 0, "%s: exit code %d\n%s%s", script, result.code, result.out,
              result.err);
    outcome_free(&result);
}

Test(build, runtime_builds_without_the_compiler) { run_script("runtime_alone"); }

Test(build, installed_files_serve_a_program_outside_the_tree) { run_script("installed"); }

Test(build, parts_depend_on_each_other_one_way_only) { run_script("one_way"); }

Test(build, every_target_is_in_the_help) { run_script("help"); }
