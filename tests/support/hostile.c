#define _XOPEN_SOURCE 700
#include "hostile.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void import_bytes(const char *dir, const char *name, const void *bytes, size_t size,
                  char line[512]) {
    char path[PATH_SIZE];
    path_join(path, dir, name);
    cr_assert(file_write(path, bytes, size));
    outcome o = run(dir, "import", name, "-o", "out", NULL);
    line[0] = '\0';
    if (o.code != 0) {
        cr_expect_eq(o.code, 1, "%s: exit code %d: %s", name, o.code, o.err);
        const char *const end = strchr(o.err, '\n');
        cr_expect(end && end[1] == '\0', "%s: not one line: %s", name, o.err);
        const size_t n = strlen(name);
        cr_expect(strncmp(o.err, name, n) == 0 && strncmp(o.err + n, ": error: ", 9) == 0, "%s",
                  o.err);
        snprintf(line, 512, "%s", o.err + (strlen(o.err) > n + 9 ? n + 9 : 0));
        expect_file(dir, "out", false);
    } else {
        path_join(path, dir, "out");
        workdir_remove(path);
    }
    outcome_free(&o);
}

void expect_truncated(const char *file, const char *name) {
    char dir[PATH_SIZE], line[512];
    size_t size;
    char *const bytes = file_read(file, &size);
    cr_assert(bytes != NULL);
    workdir_make(dir);
    for (size_t i = 0; i < 100; i++) {
        const size_t cut = i < 40 ? i * (size > 400 ? 10 : 1) : size * i / 100;
        import_bytes(dir, name, bytes, cut < size ? cut : size - 1, line);
        cr_expect(line[0] != '\0', "%s: %zu of %zu bytes are read as a network", file, cut, size);
    }
    import_bytes(dir, name, bytes, size, line);
    cr_expect_str_eq(line, "", "the whole of %s", file);
    free(bytes);
    workdir_remove(dir);
}
