#include "pluck.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BEAT = RIFF_RATE / 4,      /* an eighth note at 120 to the minute */
    RELEASE = RIFF_RATE / 200, /* 5 ms in which a finger stops a string */
    LONGEST = 600              /* samples of a period, at 80 Hz */
};

static const double pick = 0.35;     /* 0 .. 1: how bright the pluck is */
static const double sustain = 0.998; /* what a turn round the delay line leaves */

/* The riff in E minor: the beats at which a note begins and ends, its pitch in semitones above E2
 * (82.4 Hz, the low string of a guitar), and how hard it is plucked. */
static const struct note {
    int begin, end, pitch;
    double level;
} riff[] = {
    {0, 2, 0, 0.80},    {2, 3, 12, 0.65},   {3, 4, 10, 0.55},   {4, 6, 7, 0.70},
    {6, 7, 5, 0.55},    {7, 8, 6, 0.65},    {8, 10, 0, 0.80},   {10, 11, 12, 0.65},
    {11, 12, 15, 0.70}, {12, 13, 17, 0.65}, {13, 14, 15, 0.55}, {14, 15, 12, 0.65},
    {15, 16, 10, 0.55}, {16, 20, 0, 0.55},  {16, 20, 7, 0.50},  {16, 20, 12, 0.40},
};

/* Uniform in -1 .. 1: the upper 24 bits of a linear congruential generator (W. H. Press et al.,
 * Numerical Recipes in C, section 7.1, "quick and dirty"). */
static double noise(uint32_t *seed) {
    *seed = *seed * 1664525U + 1013904223U;
    return (*seed >> 8) / 8388608.0 - 1.0;
}

/* Adds one plucked string, `count` samples long. A delay line of one period holds noise, which a
 * soft pick smooths; whatever comes out of it goes in again, averaged with the sample before
 * (K. Karplus, A. Strong, "Digital Synthesis of Plucked-String and Drum Timbres", Computer Music
 * Journal 7(2), 1983). The average adds half a sample to the period; rounding the rest to whole
 * samples mistunes the highest note, 220 Hz, by 4 cents at most. */
static void pluck(const struct note *note, uint32_t *seed, float *samples, size_t count) {
    double line[LONGEST], smooth = 0.0, mean = 0.0, last = 0.0;
    double frequency = 82.4069 * pow(2.0, note->pitch / 12.0);
    size_t period = (size_t)lround(RIFF_RATE / frequency - 0.5);
    for (size_t i = 0; i < period; i++) {
        smooth += pick * (noise(seed) - smooth);
        line[i] = smooth;
        mean += smooth / (double)period;
    }
    for (size_t i = 0; i < period; i++)
        line[i] -= mean; /* a string has no direct current */

    for (size_t n = 0; n < count; n++) {
        double out = line[n % period];
        line[n % period] = sustain * 0.5 * (out + last);
        last = out;
        double fade = fmin(1.0, (double)(count - n) / RELEASE);
        samples[n] += (float)(note->level * fade * out);
    }
}

void pluck_riff(float *samples) {
    uint32_t seed = 1983;
    for (size_t n = 0; n < RIFF_SAMPLES; n++)
        samples[n] = 0.0F;
    for (size_t i = 0; i < sizeof riff / sizeof riff[0]; i++) {
        const struct note *note = &riff[i];
        size_t begin = (size_t)note->begin * BEAT, end = (size_t)note->end * BEAT;
        pluck(note, &seed, samples + begin, end - begin);
    }
}
