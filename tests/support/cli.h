/* cli.h: running rnnc as a person does, and comparing what it says. */
#ifndef TEST_CLI_H
#define TEST_CLI_H

#include "process.h"

/* Runs rnnc in `dir` (NULL: here) with up to five arguments, NULL behind the last. */
outcome run(const char *dir, const char *a, const char *b, const char *c, const char *d,
            const char *e);

/* Runs it and compares exit code, all of stderr, and all of stdout unless `out` is NULL. */
void expect(const char *dir, int code, const char *out, const char *err, const char *a,
            const char *b, const char *c, const char *d);

/* Asserts that a run ended with 0, and frees it; `what` names it in the message. */
void expect_runs(outcome o, const char *what);

/* Whether dir/name is there. */
void expect_file(const char *dir, const char *name, bool there);

#endif
