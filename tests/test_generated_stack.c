/* How much stack a call takes, at every level of optimisation: what NAME.h says. Without
 * optimisation too, where compilers give every value a place of its own. */
#define _DEFAULT_SOURCE
#include "support/generate.h"
#include "support/model.h"
#include "support/model_run.h"
#include "support/random_options.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes on the deepest chain of calls; 30 KB is the most that was measured, for clang -O0, gru and
 * AVX-512. Optimised, the frames of all functions together: 8.6 KB were measured. */
enum { MOST_PLAIN = 65536, MOST_OPTIMISED = 24576, CALL = 16, FUNCTIONS = 512 };

/* A function's frame, its first line in the file, and the deepest chain from it. */
typedef struct frame {
    char name[128];
    size_t line, bytes, chain;
} frame;

static int by_line(const void *a, const void *b) {
    const frame *const f = a, *const g = b;
    return (f->line > g->line) - (f->line < g->line);
}

/* Reads `FILE:LINE:FUNCTION<tab>BYTES<tab>KIND`, of gcc also FILE:LINE:COLUMN:FUNCTION. A frame of
 * a size that only the run knows is an error; gcc calls one "dynamic,bounded" that it only aligns.
 */
static size_t read_frames(char *text, frame *list) {
    char *rest = NULL;
    size_t count = 0;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        cr_assert(count < FUNCTIONS);
        frame *const f = &list[count++];
        char place[256], kind[32];
        cr_assert_eq(sscanf(line, "%255[^\t]\t%zu\t%31s", place, &f->bytes, kind), 3, "%s", line);
        cr_assert(strcmp(kind, "static") == 0 || strcmp(kind, "dynamic,bounded") == 0, "%s", line);
        cr_assert_eq(sscanf(place, "%*[^:]:%zu", &f->line), 1, "%s", line);
        snprintf(f->name, sizeof f->name, "%s", strrchr(place, ':') + 1);
    }
    qsort(list, count, sizeof *list, by_line);
    return count;
}

static bool in_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

/* Is `name` a word between these places? */
static bool mentions(const char *begin, const char *end, const char *name) {
    const size_t length = strlen(name);
    for (const char *at = begin; (at = strstr(at, name)) != NULL && at < end; at += length)
        if (!in_word(at[-1]) && !in_word(at[length]))
            return true;
    return false;
}

/* The deepest chain: C functions of one file stand behind those that they call or hand over, so
 * that each one's own chain is known in time. */
static size_t deepest(const char *source, frame *list, size_t count) {
    size_t most = 0, line = 1;
    const char *at = source;
    for (size_t i = 0; i < count; i++) {
        for (; line <= list[i].line; line++)
            at = strchr(at, '\n') + 1;
        const char *end = at;
        for (size_t l = line; i + 1 < count && l < list[i + 1].line; l++)
            end = strchr(end, '\n') + 1;
        if (i + 1 == count)
            end = at + strlen(at);
        size_t below = 0;
        for (size_t k = 0; k < i; k++)
            if (list[k].chain > below && mentions(at, end, list[k].name))
                below = list[k].chain;
        list[i].chain = list[i].bytes + CALL + below;
        most = list[i].chain > most ? list[i].chain : most;
    }
    return most;
}

static void check_stack(const char *cc, const char *level, const char *dir, const char *source,
                        const char *text) {
    static frame list[FUNCTIONS];
    char flags[96], path[PATH_SIZE];
    rnnc_error err;
    snprintf(flags, sizeof flags, "-std=c11 %s -Wvla -Walloca -fno-pie -fstack-usage", level);
    cr_assert(compile_c(cc, flags, dir, "net.c", "one.o", &err), "%s", err.message);
    path_join(path, dir, "one.su");
    char *const usage = file_read(path, NULL);
    cr_assert(usage, "no one.su");
    const size_t count = read_frames(usage, list);
    cr_assert(count > 0);
    free(usage);
    if (strcmp(level, "-O0") == 0) {
        const size_t bytes = deepest(source, list, count);
        /* The chain is one: from the call to a product's tile at least. */
        cr_assert(bytes > list[count - 1].bytes + 4 * CALL);
        cr_expect(bytes <= MOST_PLAIN, "%s %s: %zu bytes of stack: %s", cc, level, bytes, text);
        return;
    }
    /* Functions that went into others are in no chain; all together are more than any. */
    size_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += list[i].bytes + CALL;
    cr_expect(sum <= MOST_OPTIMISED, "%s %s: %zu bytes of stack: %s", cc, level, sum, text);
}

/* The largest tiles, then a random sample of all options; optimised each at one of the levels. */
Test(generated_stack, of_all_options, .timeout = 900) {
    static const char *const compilers[] = {"gcc", "clang"};
    static const char *const levels[] = {"-O1", "-O2", "-O3", "-Os"};
    static const char *const large[] = {
        "return rnn { name = \"net\", batch = 32, target = \"avx512\", cell = \"gru\", "
        "activation = \"fast\", input_size = 64, hidden_size = 128, num_layers = 3 }",
        "return rnn { name = \"net\", batch = 32, target = \"avx512\", cell = \"lstm\", "
        "input_size = 64, hidden_size = 128, bidirectional = true, threads = 2 }",
        "return rnn { name = \"net\", batch = 1, target = \"avx2\", cell = \"gru\", "
        "input_size = 64, hidden_size = 128 }"};
    if (sanitized())
        cr_skip_test("a sanitizer adds stack of its own\n");
    rng random = {.state = 31};
    const size_t count = getenv("RNNC_TEST_FAST") ? 6 : 20;
    for (size_t i = 0; i < count; i++) {
        char dir[PATH_SIZE], path[PATH_SIZE], text[1024];
        rnnc_error err;
        workdir_make(dir);
        if (i < sizeof large / sizeof *large)
            snprintf(text, sizeof text, "%s", large[i]);
        else
            random_options(&random, "", text, sizeof text);
        cr_assert(generate_text("net", text, "none", dir, &err), "%s: %s", text, err.message);
        path_join(path, dir, "net.c");
        char *const source = file_read(path, NULL);
        cr_assert(source);
        for (size_t c = 0; c < 2; c++) {
            check_stack(compilers[c], "-O0", dir, source, text);
            check_stack(compilers[c], levels[(i + c) % 4], dir, source, text);
        }
        free(source);
        workdir_remove(dir);
    }
}

/* ---- a thread with little stack ---- */

typedef struct small_call {
    const rnnc_model *net;
    const rnnc_call *call;
    rnnc_status status;
} small_call;

static void *run_small(void *context) {
    small_call *const c = context;
    c->status = c->net->forward(c->call);
    return NULL;
}

/* A call without optimisation on a thread that has the stack that NAME.h asks for, and what every
 * thread needs. */
static void check_small(const char *cc, const char *target, rnnc_cell cell) {
    const rnnc_layer layer = {.kind = RNNC_RECURRENT, .recurrent = {cell, 9, 40, 2, 1, 0, 0, 0}};
    char dir[PATH_SIZE], fields[96];
    rng random = {.state = 5};
    rnnc_error err;
    model m = model_make(&layer, 1, false, 0, 3, 32, false, &random);
    workdir_make(dir);
    snprintf(fields, sizeof fields, "name = \"net\", batch = 32, target = \"%s\",", target);
    char *const text = model_text(&m, fields);
    cr_assert(generate_text("net", text, "none", dir, &err), "%s", err.message);
    void *const library = build_library(cc, "-O0", dir, NULL, &err);
    workdir_remove(dir);
    cr_assert(library, "%s", err.message);
    const rnnc_model *const net = library_model(library, "net", &err);
    cr_assert(net, "%s", err.message);
    float *const packed = model_pack(net, &m), *const y = malloc(model_y_count(&m) * sizeof *y);
    void *const workspace = malloc(net->workspace_size(3, 32));
    cr_assert(packed && y && workspace);
    const rnnc_call call = {
        .weights = packed, .seq_len = 3, .batch = 32, .x = m.x, .y = y, .workspace = workspace};
    small_call small = {net, &call, RNNC_ERR_ARGUMENT};
    pthread_attr_t attributes;
    pthread_t thread;
    cr_assert_eq(pthread_attr_init(&attributes), 0);
    cr_assert_eq(pthread_attr_setstacksize(&attributes, MOST_PLAIN + (size_t)PTHREAD_STACK_MIN), 0);
    cr_assert_eq(pthread_create(&thread, &attributes, run_small, &small), 0);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert_eq(small.status, RNNC_OK);
    pthread_attr_destroy(&attributes);
    free(packed);
    free(y);
    free(workspace);
    free(text);
    close_library(library);
    model_free(&m);
}

Test(generated_stack, small_threads, .timeout = 300) {
    static const char *const targets[] = {"scalar", "portable", "avx2", "avx512"};
    if (sanitized())
        cr_skip_test("a sanitizer adds stack of its own\n");
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        if (target_runs(targets[i])) {
            check_small("gcc", targets[i], RNNC_GRU);
            check_small("clang", targets[i], RNNC_LSTM);
        }
}
