/* Training code that is generated: the tests of tests/training, which are in Lua and print which of
 * their cases failed. RNNC_TEST_FAST makes them short. */
#include "support/precompiled.h"
#include "support/process.h"
#include "support/script.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static void run(const char *name, const char *part, int least) {
    char include[PATH_SIZE];
    /* The flags that `rnnc verify --gradients --cc='cc -O0'` compiles with. */
    const char *const cc = getenv("CC");
    char *const words = precompiled_words(cc && *cc ? cc : "cc", "-std=c11 -O1 -O0", "");
    snprintf(include, sizeof include, "RNNC_TEST_HEADER=%s", words);
    free(words);
    script_run("training", name, part, include, least, 1600);
}

/* Parts, so that the two jobs of the runner share them: the suite is one of the last. */
Test(training, verify_recorded, .timeout = 1700) { run("verify", "recorded", 5); }
Test(training, verify_random, .timeout = 1700) { run("verify", "random", 4); }
Test(training, verify_others, .timeout = 1700) { run("verify", "others", 11); }
Test(training, calls) { run("calls", NULL, 8); }
Test(training, pointers) { run("pointers", NULL, 1); }
Test(training, command, .timeout = 1700) { run("command", NULL, 16); }
Test(training, schedules) { run("schedules", NULL, 1); }
