/* stream.h: a sound goes through the network piece by piece, as in the callback of an audio
 * program. Both ways give the same bits. */
#ifndef STREAM_H
#define STREAM_H

#include <stddef.h>

/* x to y, both (count), by calls of amp_process for `block` samples each, the last for what is
 * left. The state goes from one call to the next. */
void stream_blocks(size_t block, size_t count, const float *x, float *y);

/* The same by amp_step, one sample at a time. */
void stream_steps(size_t count, const float *x, float *y);

/* Prints how fast both are, in CPU seconds for a second of sound at `rate`: the fastest of several
 * rounds through x (count), of which the first five seconds are enough. */
void stream_time(size_t block, size_t count, const float *x, int rate);

#endif
