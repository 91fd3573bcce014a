/* What users, readers and packagers do with the tree, each a script that exits with 0 if all is
 * well: installing, building the runtime alone, the one-way rule between the parts, the examples,
 * and the README by its word. */
#include "support/process.h"

#include <criterion/criterion.h>

/* Runs a script of tests/ in the root of the tree with a new empty directory as its argument. */
static void run_script(const char *name) {
    char script[PATH_SIZE], dir[PATH_SIZE];
    path_join(script, "tests", name);
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

Test(build, runtime_builds_without_the_compiler) { run_script("packaging/runtime_alone"); }

Test(build, installed_files_serve_a_program_outside_the_tree) { run_script("packaging/installed"); }

Test(build, other_build_systems_use_what_is_installed) { run_script("packaging/integrate"); }

Test(build, portable_has_its_bits_on_x87) { run_script("packaging/m32"); }

#if defined(__x86_64__)
Test(build, few_instructions_are_executed) { run_script("packaging/instructions"); }
#endif

Test(build, every_target_is_in_the_help) { run_script("packaging/help"); }

Test(build, flags_that_take_nan_away_are_left_out) { run_script("packaging/fast_math"); }

Test(mutants, every_planted_bug_finds_its_place) { run_script("mutants/places"); }

Test(compare, sees_what_differs) { run_script("compare/verdicts"); }

Test(examples, print_what_is_expected) { run_script("packaging/examples"); }

Test(readme, sixty_seconds_do_what_they_say) { run_script("readme/start"); }

Test(readme, pages_are_short_and_linked) { run_script("readme/pages"); }

Test(readme, quoted_errors_are_those_of_rnnc) { run_script("readme/trouble"); }

Test(readme, table_has_every_field_of_a_spec) { run_script("readme/fields"); }

Test(readme, faulty_spec_gives_the_errors_shown) { run_script("readme/errors"); }

Test(readme, weights_are_written_without_a_package) { run_script("readme/export"); }

Test(readme, generated_c_is_what_is_shown) { run_script("readme/excerpt"); }
