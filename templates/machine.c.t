@ -- machine.c: a program that measures what one core can do at best, for the speed of light of
@ -- `rnnc bench`. Takes no fields. Prints NAME=VALUE, separated by spaces.
/* machine.c: the clock, the rate of multiply-adds, and loads from three levels of cache, each the
 * best of many short windows, so that other work on the machine disturbs it little. */
#define _POSIX_C_SOURCE 200809L
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__AVX512F__)
enum { VECTOR = 64 };
#elif defined(__AVX__)
enum { VECTOR = 32 };
#else
enum { VECTOR = 16 };
#endif

typedef float vector __attribute__((vector_size(VECTOR)));

/* Keeps a load that nothing uses. */
#if defined(__x86_64__)
#define TAKE(value) __asm__ volatile("" : : "x"(value))
#elif defined(__aarch64__)
#define TAKE(value) __asm__ volatile("" : : "w"(value))
#else
#define TAKE(value) (sink = (value))
static vector sink;
#endif

enum { CHAINS = 12, LINE = 1024, WINDOWS = 100 };

static volatile float taken;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* n additions, each waiting for the one before: a cycle each. Of registers: additions of a constant
 * are folded into each other by some processors. */
static void additions(long n)
{
    uint64_t sum = 1, term = 3;
    __asm__ volatile("" : "+r"(term));
    for (; n > 0; n -= 8) {
        for (int i = 0; i < 8; i++) {
            sum += term;
            __asm__ volatile("" : "+r"(sum));
        }
    }
}

/* n times CHAINS multiply-adds that do not wait for each other: more than latency times rate. Factors that a
 * compiler knows are hidden from it: it sees that 2 * 0.5 + 1 is 2 for ever and leaves that chain out, and the
 * other eleven look as fast as twelve, 295 GFLOP/s of 272. */
static void multiply_adds(long n)
{
    static volatile float hidden[] = { 0.5f, 1.0f };
    const vector zero = { 0 }, factor = zero + hidden[0], term = zero + hidden[1];
    /* Chains that start alike would become one. */
    vector s0 = zero, s1 = s0 + 1.0f, s2 = s1 + 1.0f, s3 = s2 + 1.0f, s4 = s3 + 1.0f;
    vector s5 = s4 + 1.0f, s6 = s5 + 1.0f, s7 = s6 + 1.0f, s8 = s7 + 1.0f, s9 = s8 + 1.0f;
    vector s10 = s9 + 1.0f, s11 = s10 + 1.0f;
    for (; n > 0; n--) {
        s0 = s0 * factor + term, s1 = s1 * factor + term, s2 = s2 * factor + term;
        s3 = s3 * factor + term, s4 = s4 * factor + term, s5 = s5 * factor + term;
        s6 = s6 * factor + term, s7 = s7 * factor + term, s8 = s8 * factor + term;
        s9 = s9 * factor + term, s10 = s10 * factor + term, s11 = s11 * factor + term;
    }
    const vector sum = ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7)) + ((s8 + s9) + (s10 + s11));
    taken = sum[0];
}

/* Loads all of `bytes`, a multiple of LINE, n times. */
static void loads(const char *memory, size_t bytes, long n)
{
    for (; n > 0; n--) {
        for (const char *line = memory; line < memory + bytes; line += LINE) {
            const vector *const v = (const vector *)(const void *)line;
#if defined(__clang__)
#pragma clang loop unroll(full)
#else
#pragma GCC unroll 64
#endif
            for (int i = 0; i < LINE / VECTOR; i++) {
                const vector value = v[i];
                TAKE(value);
            }
        }
    }
}

/* The fewest seconds of many windows: f(n), or loads(memory, bytes, n) if there is memory. */
static double fewest(void (*f)(long), const char *memory, size_t bytes, long n)
{
    double best = 1e30;
    for (int i = 0; i < WINDOWS; i++) {
        const double begin = now();
        if (memory)
            loads(memory, bytes, n);
        else
            f(n);
        const double seconds = now() - begin;
        if (seconds < best)
            best = seconds;
    }
    return best;
}

static double load_rate(size_t bytes)
{
    const long n = (long)((size_t)64 << 20 >> 10) * 1024 / (long)bytes;
    char *const memory = aligned_alloc(4096, bytes);
    if (!memory)
        exit(1);
    memset(memory, 1, bytes);
    const double seconds = fewest(NULL, memory, bytes, n);
    free(memory);
    return 1e-9 * (double)bytes * (double)n / seconds;
}

int main(void)
{
    const long n = 400000, m = 20000;
    /* A core that was idle takes a while to reach its clock. */
    const double begin = now();
    while (now() - begin < 0.2)
        multiply_adds(m);
    const double lanes = VECTOR / sizeof(float);
    printf("clock_ghz=%.3f", 1e-9 * (double)n / fewest(additions, NULL, 0, n));
    printf(" peak_gflops=%.1f", 2e-9 * lanes * CHAINS * (double)m / fewest(multiply_adds, NULL, 0, m));
    printf(" l1_gbs=%.1f", load_rate((size_t)16 << 10));
    printf(" l2_gbs=%.1f", load_rate((size_t)256 << 10));
    printf(" l3_gbs=%.1f\n", load_rate((size_t)4 << 20));
    return 0;
}
