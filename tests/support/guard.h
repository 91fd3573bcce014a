/* guard.h: buffers that cannot be overrun unnoticed.
 *
 * A guard lies between two pages that fault on any access. Its last byte (plus `tail` bytes, if
 * asked for) touches the page behind, so reading or writing one element too many is a crash even
 * without a sanitizer. What is left before and behind on the data's own pages is filled with 0xFF
 * bytes, which are NaN as floats: a read that strays there poisons the result, and a write is found
 * by guard_intact. */
#ifndef TEST_GUARD_H
#define TEST_GUARD_H

#include <stdbool.h>
#include <stddef.h>

typedef struct guard {
    unsigned char *map; /* the whole mapping, guard pages included */
    size_t map_size;
    void *data;
    size_t size, tail;
} guard;

/* `size` bytes of 0xFF (NaN), followed by `tail` pattern bytes and a faulting page. The data is
 * therefore as badly aligned as size + tail makes it. Aborts when memory runs out. */
guard guard_make(size_t size, size_t tail);

/* A guard of n floats copied from `from`, or NaN when from is NULL. */
guard guard_floats(const float *from, size_t n);

/* From now on a write to the data is a crash. */
void guard_protect(guard *f);

/* Whether no byte before or behind the data was written. */
bool guard_intact(const guard *f);

void guard_free(guard *f);

/* While `text` is set, a crash prints it to stderr before the process dies, so that a guard's
 * fault names the network that ran into it. The text must outlive the run; NULL ends it. */
void crash_context(const char *text);

#endif
