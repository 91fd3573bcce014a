/* test_progress.c: what the suite says while it runs, and how long each of its tests may take. */
#include "precompiled.h"
#include "process.h"
#include <criterion/criterion.h>
#include <criterion/hooks.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A test's .timeout is what it may take on an idle machine; the runner, which measures it by the
 * wall's clock, gets PATIENCE times as much (process.h). */
enum { USUAL_SECONDS = 300, QUIET_SECONDS = 60 };

static size_t suites, suites_begun, tests_begun;
static time_t begin, last_line;

/* The tests of a suite that this run has. */
static size_t tests_of(struct criterion_suite_set *suite) {
    size_t count = 0;
    if (!suite->tests || (suite->suite.data && suite->suite.data->disabled))
        return 0;
    FOREACH_SET(struct criterion_test * t, suite->tests) { count += !t->data->disabled; }
    return count;
}

static void be_patient(struct criterion_suite_set *suite) {
    const struct criterion_test_extra_data *const usual = suite->suite.data;
    if (!suite->tests)
        return;
    FOREACH_SET(struct criterion_test * t, suite->tests) {
        if (t->data->timeout <= 0)
            t->data->timeout = usual && usual->timeout > 0 ? usual->timeout : USUAL_SECONDS;
        t->data->timeout *= PATIENCE;
    }
}

ReportHook(PRE_ALL)(struct criterion_test_set *all) {
    begin = last_line = time(NULL);
    precompiled_begin();
    FOREACH_SET(struct criterion_suite_set * suite, all->suites) {
        suites += tests_of(suite) > 0;
        be_patient(suite);
    }
}

ReportHook(PRE_SUITE)(struct criterion_suite_set *suite) {
    const size_t count = tests_of(suite);
    if (count == 0)
        return;
    last_line = time(NULL);
    fprintf(stderr, "[%zu of %zu] %s: %zu test%s\n", ++suites_begun, suites, suite->suite.name,
            count, count == 1 ? "" : "s");
}

/* A line a minute inside a long suite. */
ReportHook(PRE_TEST)(struct criterion_test *t) {
    const time_t now = time(NULL);
    tests_begun++;
    if (now - last_line < QUIET_SECONDS)
        return;
    last_line = now;
    fprintf(stderr, "    %s::%s, test number %zu, after %ld min\n", t->category, t->name,
            tests_begun, (long)(now - begin) / 60);
}

ReportHook(POST_ALL)(struct criterion_global_stats *all) {
    (void)all;
    fprintf(stderr, "%zu tests in %.1f min, %.1f min of processor time\n", tests_begun,
            (double)(time(NULL) - begin) / 60, children_seconds() / 60);
}

/* Two suites by themselves, as a program: their names, and the runner's own line at the end. The
 * runner's children are told what they are in BXFI_MAP. */
Test(progress, says_what_it_does, .timeout = 60) {
    char self[64];
    snprintf(self, sizeof self, "/proc/%ld/exe", (long)getpid());
    const char *const argv[] = {"env",    "-u", "BXFI_MAP", self,
                                "--jobs", "1",  "--filter", "@(runtime_tensor|runtime_half)/*",
                                NULL};
    outcome o = process_run(argv, NULL, NULL, 50);
    const char *const first = strstr(o.err, "[1 of 2] runtime_half: ");
    const char *const second = strstr(o.err, "[2 of 2] runtime_tensor: ");
    const char *const last = strstr(o.err, "Synthesis: Tested: ");
    cr_expect_eq(o.code, 0);
    const char *const time = strstr(o.err, " min of processor time\n");
    cr_expect(first && second && time && last && first < second && second < time && time < last,
              "%s", o.err);
    cr_expect(last && strchr(last, '\n') && strchr(last, '\n')[1] == '\0', "more follows: %s",
              last);
    outcome_free(&o);
}

Test(progress, a_timeout_is_that_of_an_idle_machine, .timeout = 1) { sleep(2); }

/* gcc's -H marks a precompiled header that it uses with "!". */
Test(progress, headers_are_precompiled, .timeout = 60) {
    char *const words = precompiled_words("gcc", "-O1 -fPIC", "");
    char script[PATH_SIZE];
    snprintf(script, sizeof script, "echo | gcc -O1 -fPIC -shared %s -H -fsyntax-only -x c -",
             words);
    const char *const argv[] = {"sh", "-c", script, NULL};
    outcome o = process_run(argv, NULL, NULL, 50);
    if (!counts_are_taken())
        cr_expect(o.code == 0 && strncmp(o.err, "! ", 2) == 0, "%s: %s", script, o.err);
    outcome_free(&o);
    free(words);
}

/* clang says an error where the file that was precompiled is not what or where it was. */
Test(progress, headers_stay_where_they_were, .timeout = 60) {
    for (int i = 0; i < 2; i++) {
        char *const words = precompiled_words("clang", "-O1 -fPIC", "");
        char script[PATH_SIZE];
        snprintf(script, sizeof script, "echo | clang -O1 -fPIC %s -fsyntax-only -x c -", words);
        const char *const argv[] = {"sh", "-c", script, NULL};
        outcome o = process_run(argv, NULL, NULL, 50);
        cr_expect(o.code == 0, "%s: %s", script, o.err);
        cr_expect(counts_are_taken() || *words, "no header");
        outcome_free(&o);
        free(words);
    }
}

/* A program that waits has time; one that computes for ever ends, and so does what it starts. */
Test(progress, programs_have_processor_time, .timeout = 60) {
    const char *const waits[] = {"sleep", "2", NULL};
    const char *const computes[] = {"sh", "-c", "while :; do :; done", NULL};
    const char *const starts[] = {"sh", "-c", "sh -c 'while :; do :; done'; exit $?", NULL};
    outcome o = process_run(waits, NULL, NULL, 1);
    cr_expect_eq(o.code, 0);
    outcome_free(&o);
    const double before = children_seconds();
    o = process_run(computes, NULL, NULL, 1);
    cr_expect_eq(o.code, 128 + SIGXCPU);
    const double took = children_seconds() - before;
    cr_expect(took >= 0.9 && took <= 3, "%.2f s", took);
    outcome_free(&o);
    o = process_run(starts, NULL, NULL, 1);
    cr_expect_eq(o.code, 128 + SIGXCPU);
    outcome_free(&o);
}
