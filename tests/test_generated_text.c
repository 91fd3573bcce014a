/* The text of generated files: the same for the same input wherever and whenever it is made,
 * without a trace of the machine, bounded in size, and with a header that tells the truth. */
#define _XOPEN_SOURCE 700
#include "support/generate.h"
#include "support/spread.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const suffixes[] = {".h", ".c", "_weights.c", ".weights"};

enum { SUFFIXES = sizeof suffixes / sizeof *suffixes };

/* A generated file, NULL if there is none of that kind. The caller frees it. */
static char *generated_file(const char *dir, const char *name, const char *suffix, size_t *size) {
    char file[64], path[PATH_SIZE];
    snprintf(file, sizeof file, "%s%s", name, suffix);
    path_join(path, dir, file);
    return file_read(path, size);
}

static void expect_same_files(const spec *s, const char *a, const char *b) {
    for (size_t i = 0; i < SUFFIXES; i++) {
        size_t size_a = 0, size_b = 0;
        char *const in_a = generated_file(a, s->name, suffixes[i], &size_a);
        char *const in_b = generated_file(b, s->name, suffixes[i], &size_b);
        cr_expect_eq(in_a == NULL, in_b == NULL, "%s%s is in one only", s->name, suffixes[i]);
        cr_expect(!in_a || !in_b || (size_a == size_b && memcmp(in_a, in_b, size_a) == 0),
                  "%s%s differs", s->name, suffixes[i]);
        free(in_a);
        free(in_b);
    }
}

Test(generated_text, same_bytes_everywhere, .timeout = 120) {
    char first[PATH_SIZE], second[PATH_SIZE], temporary[PATH_SIZE + 16];
    rnnc_error err;
    workdir_make(first);
    workdir_make(second);
    snprintf(temporary, sizeof temporary, "TMPDIR=%s", second);
    const char *const env[] = {temporary,
                               "LC_ALL=de_DE.UTF-8",
                               "LANG=tr_TR.UTF-8",
                               "TZ=Asia/Tokyo",
                               "HOME=/",
                               "USER=somebody",
                               "COLUMNS=20",
                               "LUA_PATH=?",
                               "LUA_INIT=",
                               "HOSTNAME=elsewhere",
                               NULL};
    for (size_t i = 0; i < spread_count; i++) {
        cr_assert(spread_generate(&spread[i], first, NULL, NULL, &err), "%s", err.message);
        cr_assert(spread_generate(&spread[i], second, "/", env, &err), "%s", err.message);
        expect_same_files(&spread[i], first, second);
    }
    workdir_remove(first);
    workdir_remove(second);
}

/* A second run on unchanged input leaves the files alone: their times of modification stay. */
Test(generated_text, second_run_is_identical, .timeout = 60) {
    char dir[PATH_SIZE];
    rnnc_error err;
    workdir_make(dir);
    for (size_t i = 0; i < 3; i++) {
        size_t size_a = 0, size_b = 0;
        cr_assert(spread_generate(&spread[i], dir, NULL, NULL, &err), "%s", err.message);
        char *const a = generated_file(dir, spread[i].name, ".c", &size_a);
        cr_assert(spread_generate(&spread[i], dir, NULL, NULL, &err), "%s", err.message);
        char *const b = generated_file(dir, spread[i].name, ".c", &size_b);
        cr_assert(a && b);
        cr_expect(size_a == size_b && memcmp(a, b, size_a) == 0);
        free(a);
        free(b);
    }
    workdir_remove(dir);
}

/* Does text hold a date or a time: NNNN-NN-NN or NN:NN? */
static bool has_date(const char *text) {
    for (const char *p = text; *p; p++) {
        const bool digits = isdigit((unsigned char)p[0]) && isdigit((unsigned char)p[1]);
        if (digits && p[2] == ':' && isdigit((unsigned char)p[3]) && isdigit((unsigned char)p[4]))
            return true;
        if (digits && isdigit((unsigned char)p[2]) && isdigit((unsigned char)p[3]) && p[4] == '-' &&
            isdigit((unsigned char)p[5]) && isdigit((unsigned char)p[6]) && p[7] == '-' &&
            isdigit((unsigned char)p[8]))
            return true;
    }
    return false;
}

Test(generated_text, no_trace_of_the_machine, .timeout = 120) {
    char dir[PATH_SIZE], host[256] = "", here[PATH_SIZE] = "";
    rnnc_error err;
    workdir_make(dir);
    cr_assert(gethostname(host, sizeof host - 1) == 0 && getcwd(here, sizeof here));
    const char *const forbidden[] = {dir,         here,          P_tmpdir,   "/home/",
                                     "/usr/",     "__DATE__",    "__TIME__", "__FILE__",
                                     "table: 0x", "function: 0x"};
    for (size_t i = 0; i < spread_count; i++) {
        /* Absolute names on the command line, from another place. */
        cr_assert(spread_generate(&spread[i], dir, "/", NULL, &err), "%s", err.message);
        for (size_t k = 0; k < 3; k++) {
            char *const text = generated_file(dir, spread[i].name, suffixes[k], NULL);
            if (!text)
                continue;
            for (size_t f = 0; f < sizeof forbidden / sizeof *forbidden; f++)
                cr_expect(!strstr(text, forbidden[f]), "%s%s has '%s'", spread[i].name, suffixes[k],
                          forbidden[f]);
            cr_expect(strlen(host) < 4 || !strstr(text, host), "%s%s names this host",
                      spread[i].name, suffixes[k]);
            cr_expect(!has_date(text), "%s%s has a date", spread[i].name, suffixes[k]);
            free(text);
        }
    }
    workdir_remove(dir);
}

/* 128 KB of C without weights for three targets of any shape, 192 KB where batches have parts that
 * are run by different programs: measured at the extremes. */
Test(generated_text, size_is_bounded, .timeout = 120) {
    /* 8 KB of it are the helpers of portable in two forms, with the compiler's vectors and without.
     */
    enum { MOST = 128 * 1024, IN_PARTS = 192 * 1024 };
    static const struct {
        rnnc_config config;
        size_t batch, seq_len;
    } extremes[] = {
        {{RNNC_RNN_TANH, 512, 512, 64, 1, 1, 1, 0}, 64, 0},
        {{RNNC_RNN_TANH, 512, 512, 64, 1, 0, 1, 0}, 0, 0},
        {{RNNC_RNN_RELU, 1, 1, 64, 1, 0, 1, 0}, 1, 1},
        {{RNNC_RNN_TANH, 2000, 2000, 1, 1, 0, 0, 0}, 1, 0},
        {{RNNC_RNN_TANH, 31, 33, 64, 1, 0, 1, 0}, 33, 7},
        {{RNNC_RNN_TANH, 127, 127, 3, 1, 0, 1, 0}, 31, 1000},
        {{RNNC_RNN_RELU, 50, 50, 1, 0, 1, 0, 0}, 1, 100000},
        {{RNNC_RNN_TANH, 5, 255, 2, 1, 0, 0, 0}, 8, 0},
        {{RNNC_RNN_TANH, 97, 47, 8, 1, 1, 1, 0}, 15, 0},
        {{RNNC_RNN_TANH, 64, 64, 128, 1, 0, 0, 0}, 4, 0},
    };
    char dir[PATH_SIZE];
    rnnc_error err;
    size_t largest = 0;
    workdir_make(dir);
    for (size_t i = 0; i < sizeof extremes / sizeof *extremes; i++) {
        char name[16];
        snprintf(name, sizeof name, "net_%zu", i);
        const spec s = {.name = name,
                        .config = extremes[i].config,
                        .batch = extremes[i].batch,
                        .seq_len = extremes[i].seq_len,
                        .target = "avx512,avx2,portable",
                        .weights_as = "none"};
        cr_assert(spread_generate(&s, dir, NULL, NULL, &err), "%s", err.message);
        size_t total = 0;
        for (size_t k = 0; k < 2; k++) {
            size_t size = 0;
            free(generated_file(dir, name, suffixes[k], &size));
            cr_assert_neq(size, 0, "%s%s", name, suffixes[k]);
            total += size;
        }
        const size_t most = s.batch == 0 || s.batch > 32 ? IN_PARTS : MOST;
        cr_expect(total <= most, "I=%zu H=%zu L=%zu D=%d B=%zu: %zu bytes of C",
                  s.config.input_size, s.config.hidden_size, s.config.num_layers,
                  s.config.bidirectional ? 2 : 1, s.batch, total);
        largest = total > largest ? total : largest;
    }
    printf("generated_text: at most %zu bytes of C for three targets at once\n", largest);
    workdir_remove(dir);
}

/* Time is a loop: a longer sequence changes constants only. */
Test(generated_text, time_is_not_unrolled, .timeout = 60) {
    char dir[PATH_SIZE];
    rnnc_error err;
    size_t size[2] = {0, 0};
    workdir_make(dir);
    for (int i = 0; i < 2; i++) {
        const spec s = {.name = "loop",
                        .config = {RNNC_RNN_TANH, 8, 24, 2, 1, 0, 1, 0},
                        .batch = 1,
                        .seq_len = i ? 100000 : 500,
                        .target = "avx2,portable",
                        .weights_as = "none"};
        cr_assert(spread_generate(&s, dir, NULL, NULL, &err), "%s", err.message);
        free(generated_file(dir, "loop", ".c", &size[i]));
    }
    cr_expect(size[0] + 256 >= size[1], "%zu bytes for 500 steps, %zu for 100000", size[0],
              size[1]);
    workdir_remove(dir);
}

/* In whatever order a spec lists its targets, the most demanding one is asked for first. */
Test(generated_text, best_target_is_tried_first, .timeout = 60) {
    static const char *const lists[] = {"portable,avx512,avx2", "avx512,avx2,portable"};
    char dir[PATH_SIZE];
    rnnc_error err;
    workdir_make(dir);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const spec s = {.name = "order",
                        .config = {RNNC_RNN_TANH, 3, 5, 1, 1, 0, 0, 0},
                        .target = lists[i],
                        .weights_as = "none"};
        cr_assert(spread_generate(&s, dir, NULL, NULL, &err), "%s", err.message);
        size_t size = 0;
        char *const text = generated_file(dir, "order", ".c", &size);
        cr_assert(text);
        const char *at = strstr(text, "static rnnc_status run(");
        static const char *const calls[] = {" run_avx512(", " run_avx2(", " run_portable("};
        for (size_t k = 0; k < sizeof calls / sizeof *calls; k++) {
            at = at ? strstr(at, calls[k]) : NULL;
            cr_expect(at != NULL, "%s:%s is missing or too early", lists[i], calls[k]);
        }
        free(text);
    }
    workdir_remove(dir);
}

/* Where sequences may have different lengths, calls without lengths run what they would run in a
 * network without them, word for word. */
Test(generated_text, lengths_leave_other_calls_alone, .timeout = 60) {
    static const spec cases[] = {
        {.config = {RNNC_LSTM, 20, 50, 1, 1, 0, 0, 0}, .batch = 32},
        {.config = {RNNC_GRU, 64, 64, 2, 1, 0, 0, 0}, .batch = 1},
        {.config = {RNNC_RNN_TANH, 20, 50, 1, 1, 0, 1, 0}},
    };
    char dir[PATH_SIZE];
    rnnc_error err;
    workdir_make(dir);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text[2], *program[2];
        for (int lengths = 0; lengths < 2; lengths++) {
            spec s = cases[i];
            s.name = "calls", s.target = "avx512", s.weights_as = "none", s.lengths = lengths;
            cr_assert(spread_generate(&s, dir, NULL, NULL, &err), "%s", err.message);
            text[lengths] = generated_file(dir, "calls", ".c", &(size_t){0});
            program[lengths] = text[lengths] ? strstr(text[lengths], "void run_avx512(") : NULL;
            char *const end = program[lengths] ? strstr(program[lengths], "\n}\n") : NULL;
            cr_assert(end, "case %zu has no run_avx512", i);
            *end = 0;
        }
        cr_expect_str_eq(program[0], program[1], "case %zu", i);
        free(text[0]);
        free(text[1]);
    }
    workdir_remove(dir);
}

/* Weights that the second cache does not hold, and only those, are asked for ahead; the portable
 * target has no way to. */
Test(generated_text, distant_weights_are_asked_for, .timeout = 60) {
    static const struct {
        size_t hidden;
        const char *target, *line;
    } cases[] = {{512, "avx512", "        f32x16_prefetch(w_h, 3072);\n"},
                 {512, "avx2", "        f32x8_prefetch(w_h, 3072);\n"},
                 {512, "portable", NULL},
                 {128, "avx512", NULL}};
    char dir[PATH_SIZE];
    rnnc_error err;
    workdir_make(dir);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const spec s = {.name = "ahead",
                        .config = {RNNC_LSTM, 128, cases[i].hidden, 1, 1, 0, 0, 0},
                        .batch = 32,
                        .target = cases[i].target,
                        .weights_as = "none"};
        cr_assert(spread_generate(&s, dir, NULL, NULL, &err), "%s", err.message);
        char *const text = generated_file(dir, "ahead", ".c", &(size_t){0});
        cr_assert(text);
        cr_expect(strstr(text, cases[i].line ? cases[i].line : "void step_128_"), "case %zu", i);
        cr_expect(cases[i].line || !strstr(text, "_prefetch("), "case %zu", i);
        free(text);
    }
    workdir_remove(dir);
}

/* Weights that the first cache does not hold are loaded one after the other as they lie in memory:
 * a cache is ahead of loads in that order only. Each load of a block is the vector behind the one
 * before. */
Test(generated_text, far_weights_are_loaded_in_order, .timeout = 60) {
    static const struct {
        rnnc_cell cell;
        size_t hidden, batch;
        bool far;
    } cases[] = {{RNNC_GRU, 256, 1, true},      {RNNC_LSTM, 256, 1, true},
                 {RNNC_RNN_TANH, 512, 1, true}, {RNNC_GRU, 16, 1, false},
                 {RNNC_GRU, 128, 3, true},      {RNNC_LSTM, 128, 3, true},
                 {RNNC_RNN_RELU, 16, 3, false}};
    char dir[PATH_SIZE];
    rnnc_error err;
    workdir_make(dir);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const spec s = {.name = "order",
                        .config = {cases[i].cell, 64, cases[i].hidden, 1, 1, 0, 0, 0},
                        .batch = cases[i].batch,
                        .target = "avx512",
                        .weights_as = "none"};
        cr_assert(spread_generate(&s, dir, NULL, NULL, &err), "%s", err.message);
        char *const text = generated_file(dir, "order", ".c", &(size_t){0});
        cr_assert(text);
        size_t loads = 0, breaks = 0;
        long expected = 0;
        for (const char *line = text; line; line = strchr(line, '\n')) {
            line += *line == '\n';
            const size_t n = strcspn(line, "\n");
            const char *load = strstr(line, "_fma_next(");
            load = load && load < line + n ? strstr(load, ", w_") : strstr(line, "t(w_");
            if (!load || load > line + n) {
                /* A loop begins anew behind what it adds to the pointer. */
                if (strncmp(line + strspn(line, " "), "w_", 2) == 0 || line[0] == '}')
                    expected = 0;
                continue;
            }
            /* "w_h", or "w_h + 16" */
            const char *const behind = load + 2 + strspn(load + 2, "w_hxreset");
            const long at = strncmp(behind, " + ", 3) == 0 ? strtol(behind + 3, NULL, 10) : 0;
            breaks += at != expected;
            expected = at + 16;
            loads++;
        }
        cr_expect_eq(loads > 0, cases[i].far, "case %zu: %zu loads in order", i, loads);
        cr_expect_eq(strstr(text, "_load_next(w_h") != NULL, cases[i].far && cases[i].batch > 1,
                     "case %zu", i);
        cr_expect_eq(breaks, 0, "case %zu: %zu of %zu loads are not of the next vector", i, breaks,
                     loads);
        free(text);
    }
    workdir_remove(dir);
}
