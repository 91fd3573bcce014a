#define _DEFAULT_SOURCE
#include "guard.h"

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PATTERN = 0xFF };

static size_t page_size(void) { return (size_t)sysconf(_SC_PAGESIZE); }

guard guard_make(size_t size, size_t tail) {
    const size_t page = page_size();
    const size_t inner = (size + tail + page - 1) / page * page + (size + tail == 0 ? page : 0);
    guard f = {.map_size = inner + 2 * page, .size = size, .tail = tail};
    f.map = mmap(NULL, f.map_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (f.map == MAP_FAILED || mprotect(f.map + page, inner, PROT_READ | PROT_WRITE))
        abort();
    memset(f.map + page, PATTERN, inner);
    f.data = f.map + page + inner - tail - size;
    return f;
}

guard guard_floats(const float *from, size_t n) {
    guard f = guard_make(n * sizeof(float), 0);
    if (from && n)
        memcpy(f.data, from, n * sizeof(float));
    return f;
}

void guard_protect(guard *f) {
    const size_t page = page_size();
    if (mprotect(f->map + page, f->map_size - 2 * page, PROT_READ))
        abort();
}

bool guard_intact(const guard *f) {
    const unsigned char *const begin = f->map + page_size();
    const unsigned char *const data = f->data;
    for (const unsigned char *p = begin; p < data; p++)
        if (*p != PATTERN)
            return false;
    for (size_t i = 0; i < f->tail; i++)
        if (data[f->size + i] != PATTERN)
            return false;
    return true;
}

void guard_free(guard *f) {
    if (f->map)
        munmap(f->map, f->map_size);
    *f = (guard){0};
}

static const char *volatile context;

static void on_crash(int number) {
    const char *const text = context;
    if (text) {
        /* Nothing can be done about a failed write in a dying process. */
        ssize_t ignored = write(STDERR_FILENO, "crashed in: ", 12);
        ignored = write(STDERR_FILENO, text, strlen(text));
        ignored = write(STDERR_FILENO, "\n", 1);
        (void)ignored;
    }
    signal(number, SIG_DFL);
    raise(number);
}

void crash_context(const char *text) {
    context = text;
    signal(SIGSEGV, text ? on_crash : SIG_DFL);
    signal(SIGBUS, text ? on_crash : SIG_DFL);
    signal(SIGILL, text ? on_crash : SIG_DFL);
    signal(SIGFPE, text ? on_crash : SIG_DFL);
}
