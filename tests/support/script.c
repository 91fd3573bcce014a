#include "script.h"
#include "process.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

void script_run(const char *folder, const char *name, const char *part, const char *variable,
                int least, unsigned seconds) {
    char path[PATH_SIZE];
    const char *const lua = getenv("LUA");
    snprintf(path, sizeof path, "tests/%s/%s.lua", folder, name);
    const char *const argv[] = {lua ? lua : "lua5.4", path, part, NULL};
    const char *const env[] = {variable, NULL};
    outcome o = process_run(argv, NULL, env, seconds);
    cr_expect_eq(o.code, 0, "%s %s: exit code %d\n%s%s", path, part ? part : "", o.code, o.out,
                 o.err);
    /* A file that tries nothing would pass. */
    cr_expect(atoi(o.out) >= least, "%s tried only: %s", path, o.out);
    outcome_free(&o);
}
