/* fail.c: preloaded into rnnc. Call number FAIL_AT (from 1) of one kind fails;
 * FAIL_KIND is its letter: m memory, o files that are opened or made, r
 * reading, w writing, n names, p processes and what they speak through.
 * FAIL_COUNT=FILE: how many there were is written there at the end. Only in
 * rnnc, not in the programs that it runs. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* glibc's own, because dlsym allocates. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static char kind;
static long at, calls;

__attribute__((constructor)) static void begin(void) {
    const char *const word = getenv("FAIL_KIND"), *const number = getenv("FAIL_AT");
    if (word && strcmp(program_invocation_short_name, "rnnc") == 0)
        kind = *word;
    at = number ? atol(number) : 0;
    calls = 0;
}

__attribute__((destructor)) static void end(void) {
    const char *const name = kind ? getenv("FAIL_COUNT") : NULL;
    const long count = calls;
    kind = 0;
    if (!name)
        return;
    char text[32];
    const int fd = openat(AT_FDCWD, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const int length = snprintf(text, sizeof text, "%ld\n", count);
    if (fd >= 0 && write(fd, text, (size_t)length) == length)
        close(fd);
}

static int fails(char what, int reason) {
    if (what != kind || ++calls != at)
        return 0;
    errno = reason;
    return 1;
}

#define REAL(type, name, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))

void *malloc(size_t size) { return fails('m', ENOMEM) ? NULL : __libc_malloc(size); }
void *calloc(size_t count, size_t size) {
    return fails('m', ENOMEM) ? NULL : __libc_calloc(count, size);
}
void *realloc(void *old, size_t size) {
    return size && fails('m', ENOMEM) ? NULL : __libc_realloc(old, size);
}
void *aligned_alloc(size_t alignment, size_t size) {
    return fails('m', ENOMEM) ? NULL : __libc_memalign(alignment, size);
}
int posix_memalign(void **to, size_t alignment, size_t size) {
    if (fails('m', ENOMEM))
        return ENOMEM;
    *to = __libc_memalign(alignment, size);
    return *to ? 0 : ENOMEM;
}

int open(const char *name, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    return fails('o', EMFILE) ? -1
                              : REAL(int, "open", const char *, int, mode_t)(name, flags, mode);
}
FILE *fopen(const char *name, const char *mode) {
    return fails('o', EMFILE) ? NULL
                              : REAL(FILE *, "fopen", const char *, const char *)(name, mode);
}
FILE *fdopen(int fd, const char *mode) {
    return fails('o', EMFILE) ? NULL : REAL(FILE *, "fdopen", int, const char *)(fd, mode);
}
int mkstemp(char *name) { return fails('o', ENOSPC) ? -1 : REAL(int, "mkstemp", char *)(name); }
char *mkdtemp(char *name) {
    return fails('o', ENOSPC) ? NULL : REAL(char *, "mkdtemp", char *)(name);
}
int mkdir(const char *name, mode_t mode) {
    return fails('o', ENOSPC) ? -1 : REAL(int, "mkdir", const char *, mode_t)(name, mode);
}

ssize_t read(int fd, void *to, size_t size) {
    return fails('r', EIO) ? -1 : REAL(ssize_t, "read", int, void *, size_t)(fd, to, size);
}
size_t fread(void *to, size_t size, size_t count, FILE *from) {
    return fails('r', EIO)
               ? 0
               : REAL(size_t, "fread", void *, size_t, size_t, FILE *)(to, size, count, from);
}
int fstat(int fd, struct stat *info) {
    return fails('r', EIO) ? -1 : REAL(int, "fstat", int, struct stat *)(fd, info);
}

ssize_t write(int fd, const void *from, size_t size) {
    return fails('w', ENOSPC) ? -1
                              : REAL(ssize_t, "write", int, const void *, size_t)(fd, from, size);
}
/* As when the text cannot leave the buffer: the stream keeps that in mind. */
static int spoils(FILE *to) {
    if (!to || to == stderr || !fails('w', ENOSPC))
        return 0;
    to->_flags |= 0x20; /* _IO_ERR_SEEN */
    return 1;
}
size_t fwrite(const void *from, size_t size, size_t count, FILE *to) {
    return spoils(to) ? 0
                      : REAL(size_t, "fwrite", const void *, size_t, size_t, FILE *)(from, size,
                                                                                     count, to);
}
int fputs(const char *text, FILE *to) {
    return spoils(to) ? EOF : REAL(int, "fputs", const char *, FILE *)(text, to);
}
int fflush(FILE *to) { return spoils(to) ? EOF : REAL(int, "fflush", FILE *)(to); }
int fchmod(int fd, mode_t mode) {
    return fails('w', EPERM) ? -1 : REAL(int, "fchmod", int, mode_t)(fd, mode);
}
int fsync(int fd) { return fails('w', EIO) ? -1 : REAL(int, "fsync", int)(fd); }

int rename(const char *from, const char *to) {
    return fails('n', EACCES) ? -1 : REAL(int, "rename", const char *, const char *)(from, to);
}
int link(const char *from, const char *to) {
    return fails('n', EPERM) ? -1 : REAL(int, "link", const char *, const char *)(from, to);
}
int linkat(int near, const char *from, int beside, const char *to, int flags) {
    return fails('n', EPERM) ? -1
                             : REAL(int, "linkat", int, const char *, int, const char *,
                                    int)(near, from, beside, to, flags);
}

pid_t fork(void) { return fails('p', EAGAIN) ? -1 : REAL(pid_t, "fork", void)(); }
int pipe(int ends[2]) { return fails('p', EMFILE) ? -1 : REAL(int, "pipe", int *)(ends); }
int socketpair(int domain, int type, int protocol, int ends[2]) {
    return fails('p', EMFILE)
               ? -1
               : REAL(int, "socketpair", int, int, int, int *)(domain, type, protocol, ends);
}
void *mmap(void *where, size_t size, int protection, int flags, int fd, off_t offset) {
    return fails('p', ENOMEM) ? MAP_FAILED
                              : REAL(void *, "mmap", void *, size_t, int, int, int,
                                     off_t)(where, size, protection, flags, fd, offset);
}
