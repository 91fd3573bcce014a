/* guard.h: memory that tells who writes past its ends. */
#ifndef RNNC_GUARD_H
#define RNNC_GUARD_H

#include <stddef.h>

/* `size` bytes at `data`, shared with processes that are forked later. Right behind them lies a
 * page that cannot be touched; what lies between them and another such page in front is filled with
 * a pattern. */
typedef struct guard {
    unsigned char *data;
    size_t size;
    unsigned char *map; /* all of it, guards included; NULL: nothing is there */
    size_t map_size;
} guard;

/* 0, or -1 if memory is out. */
int guard_open(guard *f, size_t size);

/* Makes the bytes read-only: from now on writing there ends the process. */
void guard_protect(guard *f);

/* 1 if nothing was written in front of the bytes. */
int guard_intact(const guard *f);

void guard_close(guard *f); /* also one that was not opened but is all zeros */

#endif
