/* fence.h: memory that tells who writes past its ends. */
#ifndef RNNC_FENCE_H
#define RNNC_FENCE_H

#include <stddef.h>

/* `size` bytes at `data`, shared with processes that are forked later. Right behind them lies a
 * page that cannot be touched; what lies between them and another such page in front is filled with
 * a pattern. */
typedef struct fence {
    unsigned char *data;
    size_t size;
    unsigned char *map; /* all of it, fences included; NULL: nothing is there */
    size_t map_size;
} fence;

/* 0, or -1 if memory is out. */
int fence_open(fence *f, size_t size);

/* Makes the bytes read-only: from now on writing there ends the process. */
void fence_protect(fence *f);

/* 1 if nothing was written in front of the bytes. */
int fence_intact(const fence *f);

void fence_close(fence *f); /* also one that was not opened but is all zeros */

#endif
