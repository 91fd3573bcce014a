/* wav.h: sound files, by libsndfile. Ends the program with a message if something is wrong. */
#ifndef WAV_H
#define WAV_H

#include <stddef.h>

/* The samples of a mono file at `rate` per second, of any format that libsndfile reads; integers
 * become -1 .. 1. `count` is how many, at least 1. To be freed by the caller. */
float *wav_read(const char *path, int rate, size_t *count);

/* Writes a mono WAV file of 16 bits; what is beyond -1 .. 1 is cut off. */
void wav_write(const char *path, int rate, const float *samples, size_t count);

#endif
