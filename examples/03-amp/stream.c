#include "stream.h"

#include <math.h>
#include <time.h>

#include "amp.h"
#include "check.h"

enum { ROUNDS = 10 };

void stream_blocks(size_t block, size_t count, const float *x, float *y) {
    amp_state state;
    amp_state_init(&state);
    for (size_t n = 0; n < count; n += block) {
        size_t length = count - n < block ? count - n : block;
        check_status(amp_process(&state, length, x + n, y + n), "amp_process");
    }
}

void stream_steps(size_t count, const float *x, float *y) {
    amp_state state;
    amp_state_init(&state);
    for (size_t n = 0; n < count; n++)
        check_status(amp_step(&state, x + n, y + n), "amp_step");
}

static double seconds_since(clock_t begin) { return (double)(clock() - begin) / CLOCKS_PER_SEC; }

static void print_time(const char *how, double seconds, double sound) {
    printf("#   %-20s%10.5f%12.0f\n", how, seconds / sound, sound / seconds);
}

void stream_time(size_t block, size_t count, const float *x, int rate) {
    size_t limit = 5 * (size_t)rate;
    count = count < limit ? count : limit;
    float *y = allocate(count, sizeof *y);
    double blocks = INFINITY, steps = INFINITY;
    for (int round = 0; round < ROUNDS; round++) {
        clock_t begin = clock();
        stream_blocks(block, count, x, y);
        blocks = fmin(blocks, seconds_since(begin));
        begin = clock();
        stream_steps(count, x, y);
        steps = fmin(steps, seconds_since(begin));
    }
    free(y);

    char how[40];
    double sound = (double)count / rate;
    snprintf(how, sizeof how, "blocks of %zu", block);
    printf("#\n# CPU seconds for a second of sound, and how many times faster than it plays:\n");
    print_time(how, blocks, sound);
    print_time("single samples", steps, sound);
}
