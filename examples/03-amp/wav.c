#include "wav.h"

#include <math.h>
#include <sndfile.h>
#include <sys/stat.h>

#include "check.h"

enum { PIECE = 65536 }; /* samples to read at a time: a pipe does not tell its length */

/* What one channel at another rate should have been, and how to get it. */
static void check_format(const char *path, const SF_INFO *info, int rate) {
    char why[200];
    snprintf(why, sizeof why,
             "%d channel(s) at %d Hz, but one at %d Hz is needed; "
             "convert it, for example with: sox IN.wav -c 1 -r %d OUT.wav",
             info->channels, info->samplerate, rate, rate);
    if (info->channels != 1 || info->samplerate != rate)
        fail(path, why);
}

float *wav_read(const char *path, int rate, size_t *count) {
    SF_INFO info = {0};
    SNDFILE *file = sf_open(path, SFM_READ, &info);
    if (file == NULL)
        fail(path, sf_strerror(NULL));
    check_format(path, &info, rate);

    float *samples = NULL;
    sf_count_t read;
    *count = 0;
    do {
        samples = realloc(samples, (*count + PIECE) * sizeof *samples);
        if (samples == NULL)
            fail(path, "out of memory");
        read = sf_read_float(file, samples + *count, PIECE);
        *count += (size_t)read;
    } while (read == PIECE);
    if (sf_error(file) != SF_ERR_NO_ERROR)
        fail(path, sf_strerror(file));
    sf_close(file);

    if (*count == 0)
        fail(path, "there is no sound in it");
    for (size_t n = 0; n < *count; n++)
        if (!isfinite(samples[n]))
            fail(path, "a sample is infinite or not a number");
    return samples;
}

void wav_write(const char *path, int rate, const float *samples, size_t count) {
    SF_INFO info = {.samplerate = rate, .channels = 1, .format = SF_FORMAT_WAV | SF_FORMAT_PCM_16};
    SNDFILE *file = sf_open(path, SFM_WRITE, &info);
    if (file == NULL)
        fail(path, sf_strerror(NULL));
    sf_command(file, SFC_SET_CLIPPING, NULL, SF_TRUE);
    sf_count_t written = sf_write_float(file, samples, (sf_count_t)count);
    if (sf_close(file) != 0 || written != (sf_count_t)count) {
        struct stat status; /* half a file is worse than none, but a device stays */
        if (stat(path, &status) == 0 && S_ISREG(status.st_mode))
            remove(path);
        fail(path, "cannot be written; is the disk full?");
    }
}
