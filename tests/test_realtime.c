/* NAME_step and NAME_forward on a thread that must not wait: no allocation, no system call, hence
 * no lock that waits, little stack, and no loop whose end depends on anything but sizes. */
#define _XOPEN_SOURCE 700
#include "support/driver.h"
#include "support/network.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const targets[] = {"scalar", "portable", "avx2", "avx512"};

enum { TARGETS = sizeof targets / sizeof *targets };

/* All cells, kernels, ways of calling; targets are filled in. */
static const spec specs[] = {
    {.name = "alone",
     .config = {RNNC_RNN_TANH, 5, 19, 2, 1, 0, 0, 0},
     .batch = 1,
     .weights_as = "c"},
    {.name = "relu",
     .config = {RNNC_RNN_RELU, 6, 33, 1, 0, 1, 0, 0},
     .batch = 4,
     .weights_as = "none"},
    {.name = "amp", .config = {RNNC_LSTM, 1, 20, 1, 1, 0, 0, 0}, .batch = 1, .weights_as = "c"},
    {.name = "block",
     .config = {RNNC_LSTM, 5, 18, 2, 1, 1, 0, 0},
     .batch = 32,
     .weights_as = "none"},
    {.name = "ends",
     .config = {RNNC_LSTM, 3, 9, 2, 1, 1, 1, 0},
     .weights_as = "none",
     .lengths = true,
     .deterministic = true},
    {.name = "gru", .config = {RNNC_GRU, 7, 50, 1, 1, 0, 0, 0}, .batch = 1, .weights_as = "none"},
    {.name = "rows",
     .config = {RNNC_GRU, 4, 17, 2, 0, 0, 0, 0},
     .batch = 5,
     .weights_as = "none",
     .lengths = true},
    {.name = "both",
     .config = {RNNC_GRU, 6, 13, 2, 1, 0, 1, 0},
     .seq_len = 9,
     .weights_as = "none"},
};

enum { SPECS = sizeof specs / sizeof *specs };

/* Whole models, behind those: an amplifier's and a language model's. */
static const struct {
    const char *text;
    driver_shape shape;
} models[] = {
    {"name = \"amp_model\", batch = 1, residual = true, layers = { "
     "rnn { cell = \"lstm\", input_size = 1, hidden_size = 20, prefix = \"r.\" }, "
     "dense { units = 1 } }",
     {.name = "amp_model", .states = "hc", .fixed_batch = true, .step = true}},
    {"name = \"letters\", batch = 3, lengths = true, layers = { "
     "embedding { num_embeddings = 50, dim = 9, prefix = \"e.\" }, "
     "rnn { cell = \"gru\", hidden_size = 33, num_layers = 2, prefix = \"g.\" }, "
     "dense { units = 50, activation = \"log_softmax\" } }",
     {.name = "letters",
      .states = "h",
      .fixed_batch = true,
      .tokens = true,
      .lengths = true,
      .step = true}},
    {"name = \"reader\", batch = \"any\", layers = { "
     "rnn { input_size = 5, hidden_size = 11, bidirectional = true, prefix = \"r.\" }, "
     "dense { units = 6, activation = \"softmax\", last_state = true } }",
     {.name = "reader", .states = "h"}},
};

enum { MODELS = sizeof models / sizeof *models };

/* Writes the C of model number `i`. */
static void generate_model(size_t i, const char *target, const char *dir) {
    char text[640];
    rnnc_error err;
    snprintf(text, sizeof text, "return model { target = \"%s\", %s }\n", target, models[i].text);
    cr_assert(generate_text(models[i].shape.name, text, "none", dir, &err), "%s", err.message);
}

static spec spec_of(size_t i, const char *target) {
    spec s = specs[i];
    s.target = target;
    s.weights = strcmp(s.weights_as, "c") == 0 ? "w.safetensors" : NULL;
    return s;
}

static struct criterion_test_params all_targets(void) {
    int *const all = cr_malloc(TARGETS * sizeof *all);
    size_t n = 0;
    for (int t = 0; t < TARGETS; t++)
        if (target_runs(targets[t]))
            all[n++] = t;
    return cr_make_param_array(int, all, n, NULL);
}

/* Generates one spec, with random weights if they are built in. */
static void generate_one(const spec *s, const char *dir) {
    char path[PATH_SIZE];
    rng r = {.state = 9};
    rnnc_error err;
    path_join(path, dir, "w.safetensors");
    problem p = problem_make(&s->config, 1, 1, false, &r);
    cr_assert(problem_write_weights(&p, path, NULL, &err) && generate(s, dir, &err), "%s",
              err.message);
    problem_free(&p);
}

/* ---- the trap ---- */

static void declare(FILE *out, const char *name) {
    fprintf(out,
            "extern const rnnc_model %s_model;\n"
            "rnnc_status %s_driver_forward(const rnnc_call *);\n"
            "rnnc_status %s_driver_forward_lengths(const rnnc_call *);\n"
            "size_t %s_driver_state_size(void);\n"
            "void %s_driver_state_init(void *), %s_driver_state_reset(void *);\n"
            "rnnc_status %s_driver_step(const float *, void *, const void *, float *);\n",
            name, name, name, name, name, name, name);
}

static void put_row(FILE *out, const char *name, bool lengths, bool step) {
    fprintf(out, "    {&%s_model, %s_driver_forward, ", name, name);
    if (lengths)
        fprintf(out, "%s_driver_forward_lengths, ", name);
    else
        fputs("0, ", out);
    if (step)
        fprintf(out,
                "%s_driver_state_size, %s_driver_state_init, %s_driver_state_reset, "
                "%s_driver_step},\n",
                name, name, name, name);
    else
        fputs("0, 0, 0, 0},\n", out);
}

/* Generates all networks, their drivers, and the table that tests/realtime/trap.c runs; in
 * `sources` come the files to compile with it. */
static void write_table(const char *dir, const char *target, char *sources, size_t room) {
    char path[PATH_SIZE];
    rnnc_error err;
    path_join(path, dir, "table.c");
    FILE *const out = fopen(path, "w");
    cr_assert(out);
    size_t used = 0;
    fputs("#include \"trap.h\"\n", out);
    for (size_t i = 0; i < SPECS; i++) {
        const spec s = spec_of(i, target);
        generate_one(&s, dir);
        cr_assert(driver_write(&s, dir, &err), "%s", err.message);
        declare(out, s.name);
        used += (size_t)snprintf(sources + used, room - used, " %s.c %s_driver.c%s%s%s", s.name,
                                 s.name, s.weights ? " " : "", s.weights ? s.name : "",
                                 s.weights ? "_weights.c" : "");
        cr_assert_lt(used, room);
    }
    for (size_t i = 0; i < MODELS; i++) {
        const char *const name = models[i].shape.name;
        generate_model(i, target, dir);
        cr_assert(driver_write_shape(&models[i].shape, dir, &err), "%s", err.message);
        declare(out, name);
        used += (size_t)snprintf(sources + used, room - used, " %s.c %s_driver.c", name, name);
        cr_assert_lt(used, room);
    }
    fputs("const trapped networks[] = {\n", out);
    for (size_t i = 0; i < SPECS; i++)
        put_row(out, specs[i].name, specs[i].lengths,
                specs[i].batch && !specs[i].config.bidirectional);
    for (size_t i = 0; i < MODELS; i++)
        put_row(out, models[i].shape.name, models[i].shape.lengths, models[i].shape.step);
    fprintf(out, "};\nconst size_t network_count = %zu;\n", (size_t)SPECS + MODELS);
    cr_assert_eq(fclose(out), 0);
}

static outcome run_trap(const char *dir, const char *argument) {
    const char *const argv[] = {"./trap", argument, NULL};
    return process_run(argv, dir, NULL, 60);
}

ParameterizedTestParameters(realtime, no_allocation_no_system_call) { return all_targets(); }

ParameterizedTest(int *target, realtime, no_allocation_no_system_call, .timeout = 300) {
    char dir[PATH_SIZE], home[4096], sources[2048], flags[4200], all[6600];
    rnnc_error err;
    if (sanitized())
        cr_skip_test("a sanitizer allocates and calls the system\n");
    cr_assert(realpath("tests/realtime", home));
    workdir_make(dir);
    write_table(dir, targets[*target], sources, sizeof sources);
    snprintf(flags, sizeof flags, "-std=c11 -Wall -Wextra -Werror -O2 -I%s", home);
    snprintf(all, sizeof all, "%s/trap.c table.c%s", home, sources);
    cr_assert(compile_c(NULL, flags, dir, all, "trap", &err), "%s", err.message);

    outcome o = run_trap(dir, NULL);
    cr_expect(o.code == 0 && !*o.err, "%s: exit code %d: %s", targets[*target], o.code, o.err);
    outcome_free(&o);
    /* The trap itself. */
    o = run_trap(dir, "allocate");
    cr_expect(o.code == 3 && strstr(o.err, "memory was asked for"), "exit code %d: %s", o.code,
              o.err);
    outcome_free(&o);
    o = run_trap(dir, "system");
    cr_expect_eq(o.code, 128 + 9, "exit code %d: %s", o.code, o.err);
    outcome_free(&o);
    workdir_remove(dir);
}

/* ---- what the objects ask for ---- */

/* Copying; the CPU's features, which the loader has found out; and for log_softmax a function of
 * libm, which calculates. Neither a lock nor memory. */
static const char *const allowed[] = {"memcpy",
                                      "memmove",
                                      "memset",
                                      "logf",
                                      "__cpu_model",
                                      "__cpu_features2",
                                      "_GLOBAL_OFFSET_TABLE_"};

static bool is_allowed(const char *symbol) {
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        if (strcmp(symbol, allowed[i]) == 0)
            return true;
    return false;
}

/* Bytes of stack for all functions of a network at once; none calls itself, so that no chain of
 * calls has more. 8.6 KB is the most that was measured, for clang -O2, gru and AVX-512. */
enum { MOST_STACK = 16384 };

/* Adds up `FILE:LINE:FUNCTION<tab>BYTES<tab>KIND`; a frame of a size that only the run knows is an
 * error. gcc calls one "dynamic,bounded" that it only aligns. */
static size_t stack_of(char *text, const char *name) {
    char *rest = NULL;
    size_t sum = 0;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        size_t size;
        char kind[32];
        cr_assert_eq(sscanf(line, "%*[^\t]\t%zu\t%31s", &size, kind), 2, "%s", line);
        cr_expect(strcmp(kind, "static") == 0 || strcmp(kind, "dynamic,bounded") == 0, "%s: %s",
                  name, line);
        sum += size;
    }
    return sum;
}

static void check_object(const char *cc, const char *optimise, const char *name, const char *dir) {
    char flags[160], source[64];
    rnnc_error err;
    snprintf(flags, sizeof flags, "-std=c11 %s -Wvla -Walloca -Werror -fno-pie -fstack-usage",
             optimise);
    snprintf(source, sizeof source, "%s.c", name);
    cr_assert(compile_c(cc, flags, dir, source, "one.o", &err), "%s", err.message);
    char path[PATH_SIZE];
    path_join(path, dir, "one.su");
    char *const stack = file_read(path, NULL);
    cr_assert(stack, "no one.su");
    const size_t bytes = stack_of(stack, name);
    cr_expect(bytes > 0 && bytes <= MOST_STACK, "%s, %s %s: %zu bytes of stack", name, cc, optimise,
              bytes);
    free(stack);
    const char *const nm[] = {"nm", "-u", "one.o", NULL};
    outcome o = process_run(nm, dir, NULL, 30);
    cr_assert_eq(o.code, 0, "%s", o.err);
    char *rest = NULL, symbol[256];
    for (char *line = strtok_r(o.out, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        cr_expect(sscanf(line, " U %255s", symbol) == 1 &&
                      (is_allowed(symbol) || strncmp(symbol, name, strlen(name)) == 0),
                  "%s asks for %s", name, line);
    outcome_free(&o);
}

/* Every loop of the C has a bound that the sizes of the call give: `for` from a start to an end,
 * and the search for the last row that still runs, which ends at the first. Nothing jumps back. */
static void check_loops(const char *name, const char *dir) {
    static const char *const bounded[] = {"while (length[n - 1] < end) --n;",
                                          "while (length[n - 1] <= done) --n;",
                                          "while (0)\n"}; /* the end of a macro's text */
    char path[PATH_SIZE], file[64];
    snprintf(file, sizeof file, "%s.c", name);
    path_join(path, dir, file);
    char *const text = file_read(path, NULL);
    cr_assert(text);
    cr_expect_null(strstr(text, "goto "), "%s jumps", name);
    cr_expect_null(strstr(text, "for (;;"), "%s: a loop without an end", name);
    for (const char *at = text; (at = strstr(at, "while (")) != NULL; at++) {
        bool known = false;
        for (size_t i = 0; i < sizeof bounded / sizeof *bounded; i++)
            known = known || strncmp(at, bounded[i], strlen(bounded[i])) == 0;
        cr_expect(known, "%s: %.60s", name, at);
    }
    free(text);
}

ParameterizedTestParameters(realtime, stack_symbols_loops) { return all_targets(); }

ParameterizedTest(int *target, realtime, stack_symbols_loops, .timeout = 300) {
    char dir[PATH_SIZE];
    if (sanitized())
        cr_skip_test("a sanitizer adds symbols and stack of its own\n");
    workdir_make(dir);
    for (size_t i = 0; i < SPECS + MODELS; i++) {
        const char *const name = i < SPECS ? specs[i].name : models[i - SPECS].shape.name;
        if (i < SPECS) {
            const spec s = spec_of(i, targets[*target]);
            generate_one(&s, dir);
        } else {
            generate_model(i - SPECS, targets[*target], dir);
        }
        check_loops(name, dir);
        check_object("gcc", "-O2", name, dir);
        check_object("clang", "-O2", name, dir);
        check_object(i % 2 ? "gcc" : "clang", "-O1", name, dir);
    }
    workdir_remove(dir);
}
