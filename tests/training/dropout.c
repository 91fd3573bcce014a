/* The masks of dropout in generated training code: the generator by its published answers, the rate
 * and scale by counting, and what the masks depend on. The network is `drops` of calls.lua, whose
 * code is read in, so that what is static there can be called. */
#include "drops_train.c"

#include <stdio.h>
#include <stdlib.h>

enum { T = 40, B = 50, UNITS = 70 };

static int failed, tried;

static void holds(int condition, const char *what) {
    tried++;
    if (!condition) {
        printf("not so: %s\n", what);
        failed++;
    }
}

/* Those that Random123, the authors' library, has for Philox4x32-10. */
static void answers(void) {
    static const uint32_t cases[3][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u},
        {0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0x408f276du,
         0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu},
        {0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0xa4093822u, 0x299f31d0u, 0xd16cfe09u,
         0x94fdccebu, 0x5001e420u, 0x24126ea1u},
    };
    for (int i = 0; i < 3; i++) {
        const uint32_t *const c = cases[i];
        uint32_t out[4] = {c[0], c[1], c[2], c[3]};
        philox(out, (uint64_t)c[5] << 32 | c[4]);
        holds(memcmp(out, c + 6, sizeof out) == 0, "Philox gives its published words");
    }
}

static float mask[2][T * B * UNITS];

/* Values of a mask that are 0; those that are neither 0 nor `scale` are counted in *others. */
static int zeroes(const float *m, int count, float scale, int *others) {
    int n = 0;
    *others = 0;
    for (int i = 0; i < count; i++) {
        n += m[i] == 0;
        *others += !(m[i] == 0 || m[i] == scale);
    }
    return n;
}

static void rates(void) {
    static const double p[] = {0.25, 0.5, 0.9};
    for (int i = 0; i < 3; i++) {
        const drops_dropout d = {7, (uint64_t)i + 1};
        const int count = T * B * UNITS;
        const double wanted = p[i] * count, spread = sqrt(p[i] * (1 - p[i]) * count);
        int others;
        draw_mask(&d, 0, (uint64_t)(p[i] * 4294967296.0), (float)(1 / (1 - p[i])), UNITS, T, B,
                  mask[0]);
        const int n = zeroes(mask[0], count, (float)(1 / (1 - p[i])), &others);
        holds(others == 0, "a value is 0 or the scale");
        holds(fabs(n - wanted) < 4 * spread, "as many are dropped as the rate says");
        /* Each unit, and each step, by itself. */
        for (int unit = 0; unit < UNITS; unit += 23) {
            int dropped = 0;
            for (int k = 0; k < T * B; k++)
                dropped += mask[0][k * UNITS + unit] == 0;
            holds(fabs(dropped - p[i] * T * B) < 5 * sqrt(p[i] * (1 - p[i]) * T * B),
                  "a unit is dropped as often as the others");
        }
    }
    const drops_dropout d = {7, 1};
    int others;
    draw_mask(&d, 0, 4294967296u, 0, UNITS, T, B, mask[0]);
    holds(zeroes(mask[0], T * B * UNITS, 0, &others) == T * B * UNITS, "p = 1 drops all");
    draw_mask(NULL, 0, 4294967295u, 4, UNITS, T, B, mask[0]);
    holds(zeroes(mask[0], T * B * UNITS, 1, &others) == 0 && others == 0, "NULL drops nothing");
}

/* Half of the values of two masks are the same if they have nothing in common. */
static void depends(const drops_dropout *a, uint32_t i, const drops_dropout *b, uint32_t k,
                    const char *on) {
    const int count = T * B * UNITS;
    int same = 0;
    draw_mask(a, i, 2147483648u, 2, UNITS, T, B, mask[0]);
    draw_mask(b, k, 2147483648u, 2, UNITS, T, B, mask[1]);
    for (int n = 0; n < count; n++)
        same += mask[0][n] == mask[1][n];
    holds(abs(same - count / 2) < 4 * sqrt(count / 4.0), on);
}

static void what_masks_depend_on(void) {
    const drops_dropout first = {7, 1}, step = {7, 2}, seed = {8, 1};
    const drops_dropout high = {7 + ((uint64_t)1 << 32), 1};
    depends(&first, 0, &step, 0, "another step drops others");
    depends(&first, 0, &seed, 0, "another seed drops others");
    depends(&first, 0, &high, 0, "the high half of a seed counts");
    depends(&first, 0, &first, 1, "each mask drops others");
    /* Sequences and steps beyond those of a smaller call change nothing in it. */
    draw_mask(&first, 0, 2147483648u, 2, UNITS, T, B, mask[0]);
    draw_mask(&first, 0, 2147483648u, 2, UNITS, T / 2, B / 2, mask[1]);
    int same = 1;
    for (int t = 0; t < T / 2; t++)
        for (int b = 0; b < B / 2; b++)
            same &= memcmp(&mask[0][(t * B + b) * UNITS], &mask[1][(t * (B / 2) + b) * UNITS],
                           UNITS * sizeof(float)) == 0;
    holds(same, "the sizes of a call do not matter");
}

/* The calls: NULL is the network without dropout, the same step gives the same bits. */
static void calls(void) {
    enum { Y = 5 * 3 * 70 };
    static float parameters[DROPS_PARAMETERS], y[3][Y];
    float x[5 * 3 * 2];
    drops_init(parameters, 1);
    for (int i = 0; i < 5 * 3 * 2; i++)
        x[i] = (float)sin(i);
    void *const tape = malloc(drops_tape_size(5, 3));
    void *const room = malloc(drops_train_workspace_size(5, 3));
    const drops_dropout first = {7, 1}, step = {7, 2};
    const drops_dropout *const used[] = {NULL, &first, &first, &step, NULL};
    for (int i = 0; i < 5; i++) {
        memcpy(y[2], y[1], sizeof y[1]);
        memcpy(y[1], y[0], sizeof y[0]);
        holds(drops_train_forward(parameters, 5, 3, x, NULL, used[i], y[0], NULL, tape, room) ==
                  RNNC_OK,
              "the call returns RNNC_OK");
        if (i == 1 || i == 3)
            holds(memcmp(y[0], y[1], sizeof y[0]) != 0, "dropout changes y, and so does a step");
        if (i == 2)
            holds(memcmp(y[0], y[1], sizeof y[0]) == 0, "the same step drops the same");
    }
    free(room);
    free(tape);
}

int main(void) {
    answers();
    rates();
    what_masks_depend_on();
    calls();
    printf("%d cases, %d failed\n", tried, failed);
    return failed != 0;
}
