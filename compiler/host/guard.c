#define _DEFAULT_SOURCE
#include "guard.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PATTERN = 0xA5 };

static size_t page_size(void) { return (size_t)sysconf(_SC_PAGESIZE); }

int guard_open(guard *f, size_t size) {
    const size_t page = page_size();
    *f = (guard){.size = size};
    if (size > (size_t)-1 - 3 * page)
        return -1;
    const size_t middle = (size + page) / page * page;
    f->map_size = middle + 2 * page;
    void *const map =
        mmap(NULL, f->map_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        return -1;
    f->map = map;
    f->data = f->map + page + middle - size;
    memset(f->map + page, PATTERN, middle - size);
    mprotect(f->map, page, PROT_NONE);
    mprotect(f->map + page + middle, page, PROT_NONE);
    return 0;
}

void guard_protect(guard *f) {
    const size_t page = page_size();
    mprotect(f->map + page, f->map_size - 2 * page, PROT_READ);
}

int guard_intact(const guard *f) {
    for (const unsigned char *p = f->map + page_size(); p < f->data; p++)
        if (*p != PATTERN)
            return 0;
    return 1;
}

void guard_close(guard *f) {
    if (f->map)
        munmap(f->map, f->map_size);
    *f = (guard){0};
}
