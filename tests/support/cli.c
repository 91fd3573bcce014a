#define _XOPEN_SOURCE 700
#include "cli.h"
#include "generate.h"

#include <criterion/criterion.h>
#include <sys/stat.h>

outcome run(const char *dir, const char *a, const char *b, const char *c, const char *d,
            const char *e) {
    const char *const argv[] = {rnnc_path(), a, b, c, d, e, NULL};
    return process_run(argv, dir, NULL, 60);
}

void expect(const char *dir, int code, const char *out, const char *err, const char *a,
            const char *b, const char *c, const char *d) {
    outcome result = run(dir, a, b, c, d, NULL);
    cr_expect_eq(result.code, code, "rnnc %s: exit code %d\n%s", a, result.code, result.err);
    if (out)
        cr_expect_str_eq(result.out, out, "rnnc %s: prints\n%s", a, result.out);
    cr_expect_str_eq(result.err, err, "rnnc %s: says\n%s", a ? a : "", result.err);
    outcome_free(&result);
}

void expect_file(const char *dir, const char *name, bool there) {
    char path[PATH_SIZE];
    struct stat info;
    path_join(path, dir, name);
    cr_expect_eq(lstat(path, &info) == 0, there, "%s is %sthere", name, there ? "not " : "");
}

void expect_runs(outcome o, const char *what) {
    cr_assert_eq(o.code, 0, "%s: exit code %d\n%s%s", what, o.code, o.out, o.err);
    outcome_free(&o);
}
