/* pluck.h: a riff on plucked strings, so that there is something to play through the amplifier. */
#ifndef PLUCK_H
#define PLUCK_H

enum {
    RIFF_RATE = 48000,           /* samples per second */
    RIFF_SAMPLES = 5 * RIFF_RATE /* five seconds */
};

/* Fills in the riff: RIFF_SAMPLES values within -1 .. 1, always the same ones. */
void pluck_riff(float *samples);

#endif
