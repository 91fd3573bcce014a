/* Sizes that NAME_workspace_size gives, or refuses, near the end of what fits in memory and by
 * `chunk`, and what NAME_state_init sets. */
#include "support/generate.h"
#include "support/model.h"
#include "support/model_run.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__extension__ typedef unsigned __int128 wide;

/* The largest object, in floats. */
static const size_t most = PTRDIFF_MAX / sizeof(float);

typedef struct opened {
    model m;
    void *library;
    const rnnc_model *net;
    bool copies;     /* does the workspace have room for x? */
    size_t promised; /* NET_WORKSPACE_SIZE: enough for every call; 0: there is none */
} opened;

/* What net.h promises to be enough for every call. */
static size_t promised_size(const char *dir) {
    static const char *const name = "#define NET_WORKSPACE_SIZE ";
    char path[PATH_SIZE];
    path_join(path, dir, "net.h");
    char *const text = file_read(path, NULL);
    cr_assert(text);
    const char *const at = strstr(text, name);
    const size_t size = at ? strtoull(at + strlen(name), NULL, 10) : 0;
    free(text);
    return size;
}

static opened open_layers(const rnnc_layer *layer, size_t count, const char *fields) {
    char dir[PATH_SIZE];
    rng random = {.state = 3};
    rnnc_error err;
    opened o = {.m = model_make(layer, count, false, 0, 2, 2, false, &random)};
    workdir_make(dir);
    char *const text = model_text(&o.m, fields);
    cr_assert(generate_text("net", text, "none", dir, &err), "%s", err.message);
    free(text);
    o.promised = promised_size(dir);
    o.library = build_library(NULL, "-O0", dir, NULL, &err);
    workdir_remove(dir);
    cr_assert(o.library, "%s", err.message);
    o.net = library_model(o.library, "net", &err);
    cr_assert(o.net, "%s", err.message);
    return o;
}

static void close_layers(opened *o) {
    close_library(o->library);
    model_free(&o->m);
}

/* A size is 0 exactly where x, y or a state is larger than any object, or the workspace itself is;
 * and it is never smaller than that of a call with fewer steps. */
static void check_size(const opened *o, size_t T, size_t B) {
    if (T == 0)
        return; /* what is no step fits where one does */
    const model_sizes s = model_sizes_of(&o->m);
    const size_t step = s.input > s.output && !s.last_step ? s.input : s.output;
    const size_t state = s.h > s.c ? s.h : s.c;
    const bool fits = (wide)T * B * (s.last_step ? s.input : step) <= most &&
                      (wide)B * (state > step ? state : step) <= most;
    const size_t size = o->net->workspace_size(T, B);
    cr_assert_leq(size, o->promised ? o->promised : PTRDIFF_MAX, "%zu steps of %zu sequences", T,
                  B);
    if (!fits) {
        cr_assert_eq(size, 0, "%zu steps of %zu sequences: %zu bytes", T, B, size);
        return;
    }
    /* What one step more takes, when the chunks are full; of more sequences than a block holds it
     * is no more. */
    const size_t held = B < 1000 ? B : 1000;
    const size_t more = o->net->workspace_size(100001, held) - o->net->workspace_size(100000, held);
    const wide least = o->copies ? (wide)T * B * s.input * sizeof(float) : (wide)more * T;
    if (least > (wide)PTRDIFF_MAX)
        cr_assert_eq(size, 0, "%zu steps of %zu sequences: %zu bytes", T, B, size);
    else if (least < (wide)PTRDIFF_MAX - 100000000)
        cr_assert(size > least, "%zu steps of %zu sequences: %zu bytes", T, B, size);
}

static void check_sizes(const rnnc_layer *layer, size_t count, const char *fields) {
    opened o = open_layers(layer, count, fields);
    const rnnc_config *const config = &layer->recurrent;
    o.copies = count == 1 && config->bidirectional && config->num_layers == 1 &&
               config->input_size == 2 * config->hidden_size;
    if (o.copies) /* of sequences beyond a block, too */
        cr_assert_eq(o.net->workspace_size(100001, 2048) - o.net->workspace_size(100000, 2048),
                     2048 * config->input_size * sizeof(float));
    /* Around every power of two and around the limits of each width up to 200. */
    for (size_t b = 0; b < 64; b++)
        for (size_t t = 0; t < 64; t++) {
            check_size(&o, (size_t)1 << t, (size_t)1 << b);
            check_size(&o, ((size_t)1 << t) - 1, ((size_t)1 << b) + 1);
        }
    for (size_t width = 1; width <= 200; width++)
        for (size_t other = 1; other <= 3; other++)
            for (size_t by = 0; by < 3; by++) {
                check_size(&o, other, most / width / other + by - 1);
                check_size(&o, most / width / other + by - 1, other);
            }
    static const size_t large[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2 + 2};
    for (size_t i = 0; i < 3; i++)
        for (size_t other = 1; other < 200; other += 33) {
            check_size(&o, large[i], other);
            check_size(&o, other, large[i]);
        }
    close_layers(&o);
}

static rnnc_layer lstm(size_t inputs, size_t hidden, size_t layers, int both_ways, size_t proj) {
    return (rnnc_layer){.kind = RNNC_RECURRENT,
                        .recurrent = {RNNC_LSTM, inputs, hidden, layers, 1, 0, both_ways, proj}};
}

/* States that are larger than x and y. */
Test(generated_workspace, limits_of_states, .timeout = 120) {
    const rnnc_layer layer = lstm(1, 16, 3, 0, 2);
    check_sizes(&layer, 1, "name = \"net\", batch = \"any\", target = \"portable\",");
}

/* A workspace as long as the sequence, larger than x and y, of one thread and of members. */
Test(generated_workspace, limits_of_steps, .timeout = 120) {
    const rnnc_layer layer = lstm(1, 3, 2, 1, 0);
    check_sizes(&layer, 1, "name = \"net\", batch = \"any\", target = \"portable\",");
    check_sizes(&layer, 1, "name = \"net\", batch = \"any\", threads = 3, target = \"portable\",");
}

/* Room for x, which a lone layer in both directions copies where y takes its place. */
Test(generated_workspace, limits_of_copies, .timeout = 120) {
    const rnnc_layer layer = lstm(6, 3, 1, 1, 0);
    check_sizes(&layer, 1, "name = \"net\", batch = \"any\", target = \"portable\",");
    check_sizes(&layer, 1, "name = \"net\", batch = \"any\", threads = 3, target = \"portable\",");
}

/* x that is larger than y. */
Test(generated_workspace, limits_of_x, .timeout = 120) {
    const rnnc_layer layers[] = {
        lstm(150, 3, 1, 0, 0),
        {.kind = RNNC_DENSE, .inputs = 3, .outputs = 1, .bias = 1, .last_step = 1}};
    check_sizes(layers, 2, "name = \"net\", batch = \"any\", target = \"portable\",");
}

/* `chunk` in the spec: fewer steps take less workspace, and all give the same bits. */
static void check_chunks(const rnnc_layer *layer, size_t count, size_t B, const char *fields) {
    static const size_t chunks[] = {0, 1, 3, 70, 4096}; /* 0: not said */
    enum { STEPS = 71, CHUNKS = sizeof chunks / sizeof *chunks };
    rng random = {.state = 6};
    rnnc_error err;
    model m = model_make(layer, count, false, 0, STEPS, B, true, &random);
    model_results results[CHUNKS];
    size_t space[CHUNKS];
    for (size_t i = 0; i < CHUNKS; i++) {
        char dir[PATH_SIZE], all[256], chunk[32] = "";
        if (chunks[i])
            snprintf(chunk, sizeof chunk, "chunk = %zu,", chunks[i]);
        snprintf(all, sizeof all, "name = \"net\", %s %s", fields, chunk);
        char *const text = model_text(&m, all);
        workdir_make(dir);
        cr_assert(generate_text("net", text, "none", dir, &err), "%s", err.message);
        void *const library = build_library(NULL, "-O1", dir, NULL, &err);
        workdir_remove(dir);
        cr_assert(library, "%s", err.message);
        const rnnc_model *const net = library_model(library, "net", &err);
        cr_assert(net, "%s", err.message);
        float *const packed = model_pack(net, &m);
        results[i] = results_make(&m);
        space[i] = net->workspace_size(STEPS, B);
        const model_way way = {0};
        cr_assert(model_run(net, packed, &m, &way, &results[i], &err), "%s: %s", all, err.message);
        cr_assert(i == 0 || results_same(&results[0], &results[i]), "%s", all);
        free(packed);
        free(text);
        close_library(library);
    }
    cr_assert(space[1] < space[0] && space[1] < space[2] && space[2] < space[3], "%s", fields);
    for (size_t i = 0; i < CHUNKS; i++)
        results_free(&results[i]);
    model_free(&m);
}

/* A workspace for one sequence has no room for a block of them, and y is written to directly where
 * its rows are whole vectors. */
Test(generated_workspace, grows_with_the_call, .timeout = 120) {
    const rnnc_layer narrow = {.kind = RNNC_RECURRENT, .recurrent = {RNNC_RNN_TANH, 4, 8, 1, 1}};
    const rnnc_layer deep = {.kind = RNNC_RECURRENT, .recurrent = {RNNC_RNN_TANH, 20, 50, 2, 1}};
    opened o = open_layers(&narrow, 1, "name = \"net\", batch = 2, target = \"portable\",");
    /* The states, and what aligns them. */
    cr_assert_eq(o.net->workspace_size(1000, 2), 2 * 8 * sizeof(float) + 64);
    close_layers(&o);
    o = open_layers(&deep, 1, "name = \"net\", batch = \"any\", target = \"portable\",");
    size_t before = 64;
    for (size_t b = 1; b <= 32; b++) {
        const size_t size = o.net->workspace_size(1000, b);
        /* Chunks of few sequences have more steps. */
        cr_assert_leq(size, 64 + b * (o.net->workspace_size(1000, 1) - 64), "%zu sequences", b);
        cr_assert(size > before);
        before = size;
    }
    cr_assert(o.net->workspace_size(1000, 1) <= 99000);
    cr_assert_eq(o.net->workspace_size(1000, 33), before);
    cr_assert_eq(o.promised, before);
    close_layers(&o);
    /* Slices of members begin in cache lines of their own, which is no matter of the sequences. */
    o = open_layers(&deep, 1,
                    "name = \"net\", batch = \"any\", threads = 3, target = \"portable\",");
    cr_assert_eq(o.promised, o.net->workspace_size(1000, 1000));
    cr_assert_eq(o.promised, o.net->workspace_size(100000, 100));
    close_layers(&o);
}

Test(generated_workspace, chunk_in_the_spec, .timeout = 240) {
    const rnnc_layer one = lstm(3, 10, 2, 0, 0), both = lstm(20, 7, 2, 1, 0);
    const rnnc_layer head[] = {lstm(3, 9, 1, 0, 4),
                               {.kind = RNNC_DENSE,
                                .inputs = 4,
                                .outputs = 5,
                                .activation = RNNC_SOFTMAX,
                                .bias = 1,
                                .last_step = 1}};
    check_chunks(&one, 1, 3, "batch = \"any\", target = \"portable\",");
    check_chunks(&both, 1, 19, "batch = 19, lengths = true, target = \"portable\",");
    check_chunks(head, 2, 2, "threads = 2, batch = 2, target = \"portable\",");
    /* The last state of a direction that ends at the first step, for both kernels. */
    const rnnc_layer reverse[] = {
        {.kind = RNNC_RECURRENT,
         .recurrent = {.cell = RNNC_GRU,
                       .input_size = 4,
                       .hidden_size = 8,
                       .num_layers = 1,
                       .bias = 1,
                       .reverse = 1}},
        {.kind = RNNC_DENSE, .inputs = 8, .outputs = 5, .bias = 1, .last_state = 1}};
    check_chunks(reverse, 2, 16, "batch = 16, target = \"portable\",");
    check_chunks(reverse, 2, 3, "batch = 3, target = \"portable\",");
}

/* Both states of a network with projections, which are of different sizes, and nothing behind. */
Test(generated_workspace, state_init_sets_all_states, .timeout = 120) {
    static const char *const program =
        "#include \"net.h\"\n"
        "#include <string.h>\n"
        "static struct { unsigned char before[64]; net_state state; unsigned char behind[64]; } "
        "s;\n"
        "static int all(const void *p, size_t size, int byte) {\n"
        "    for (size_t i = 0; i < size; i++)\n"
        "        if (((const unsigned char *)p)[i] != byte) return 0;\n"
        "    return 1;\n"
        "}\n"
        "int main(void) {\n"
        "    if (sizeof s.state.h != 3 * 2 * 4 * sizeof(float)) return 1;\n"
        "    if (sizeof s.state.c != 3 * 2 * 21 * sizeof(float)) return 2;\n"
        "    for (int way = 0; way < 2; way++) {\n"
        "        memset(&s, 0xA5, sizeof s);\n"
        "        (way ? net_state_reset : net_state_init)(&s.state);\n"
        "        if (!all(s.state.h, sizeof s.state.h, 0)) return 3;\n"
        "        if (!all(s.state.c, sizeof s.state.c, 0)) return 4;\n"
        "        if (!all(s.before, 64, 0xA5) || !all(s.behind, 64, 0xA5)) return 5;\n"
        "    }\n"
        "    return 0;\n"
        "}\n";
    char dir[PATH_SIZE], path[PATH_SIZE];
    rnnc_error err;
    workdir_make(dir);
    cr_assert(generate_text("net",
                            "return rnn { name = \"net\", cell = \"lstm\", input_size = 2, "
                            "hidden_size = 21, proj_size = 4, num_layers = 2, batch = 3, "
                            "target = \"portable\" }",
                            "none", dir, &err),
              "%s", err.message);
    path_join(path, dir, "main.c");
    FILE *const out = fopen(path, "w");
    cr_assert(out);
    fputs(program, out);
    cr_assert_eq(fclose(out), 0);
    cr_assert(compile_c(NULL, "-std=c11 -Wall -Wextra", dir, "main.c net.c", "main", &err), "%s",
              err.message);
    const char *const argv[] = {"./main", NULL};
    outcome o = process_run(argv, dir, NULL, 30);
    cr_assert_eq(o.code, 0, "exit status %d", o.code);
    outcome_free(&o);
    workdir_remove(dir);
}
