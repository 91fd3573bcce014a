/* kill.c: preloaded into rnnc. Ends it by SIGKILL before call number KILL_AT (from 1) of those that
 * change what a directory holds. KILL_NAMED=1: the file system has no files without names. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void count(void) {
    static int calls;
    const char *const at = getenv("KILL_AT");
    if (at && ++calls == atoi(at))
        raise(SIGKILL);
}

int mkstemp(char *name) {
    count();
    int (*const real)(char *) = (int (*)(char *))dlsym(RTLD_NEXT, "mkstemp");
    return real(name);
}

int rename(const char *from, const char *to) {
    count();
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int link(const char *from, const char *to) {
    count();
    int (*const real)(const char *, const char *) =
        (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "link");
    return real(from, to);
}

int linkat(int at, const char *from, int beside, const char *to, int flags) {
    count();
    int (*const real)(int, const char *, int, const char *, int) =
        (int (*)(int, const char *, int, const char *, int))dlsym(RTLD_NEXT, "linkat");
    return real(at, from, beside, to, flags);
}

int unlink(const char *name) {
    count();
    return unlinkat(AT_FDCWD, name, 0);
}

int open(const char *name, int flags, ...) {
    if ((flags & O_TMPFILE) == O_TMPFILE && getenv("KILL_NAMED")) {
        errno = EOPNOTSUPP;
        return -1;
    }
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    return openat(AT_FDCWD, name, flags, mode);
}
