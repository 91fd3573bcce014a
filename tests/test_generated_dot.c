/* Layers of few units and many inputs: rows of W times rows of x. Columns that fill no vector,
 * inputs in two pieces, tiles of units and rows that are left over, an unknown batch whose programs
 * read one layout; the answers are those of the double oracle, and that it is the dot kernel that
 * gives them is checked. */
#include "support/driver.h"
#include "support/model_run.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const rnnc_layer narrow[] = {{.recurrent = {RNNC_GRU, 203, 4, 2, 1, 0, 1, 0}}};
static const rnnc_layer uneven[] = {{.recurrent = {RNNC_RNN_RELU, 471, 11, 1, 0, 0, 0, 0}}};
static const rnnc_layer pieces[] = {{.recurrent = {RNNC_LSTM, 3, 45, 1, 1, 0, 1, 0}},
                                    {.recurrent = {RNNC_RNN_TANH, 90, 3, 1, 1, 0, 0, 0}}};

static const struct {
    const rnnc_layer *layers;
    size_t count, T, B;
    const char *fields;
} table[] = {{narrow, 1, 9, 3, "batch = 3,"},
             {uneven, 1, 7, 1, ""},
             {uneven, 1, 7, 5, "batch = \"any\","},
             {pieces, 2, 6, 2, "batch = 2,"}};

/* The text of the network, and its C in dir. */
static bool has_dot(const char *text, const char *dir) {
    char path[PATH_SIZE];
    rnnc_error err;
    cr_assert(generate_text("net", text, "none", dir, &err), "%s: %s", text, err.message);
    path_join(path, dir, "net.c");
    char *const code = file_read(path, NULL);
    const bool has = code && strstr(code, "_total(sum");
    free(code);
    return has;
}

static void try_target(size_t i, const char *target) {
    char dir[PATH_SIZE], fields[160];
    rng r = {.state = 3 + i};
    rnnc_error err;
    model m =
        model_make(table[i].layers, table[i].count, false, 0, table[i].T, table[i].B, true, &r);
    snprintf(fields, sizeof fields, "name = \"net\", %s target = \"%s\",", table[i].fields, target);
    char *const text = model_text(&m, fields);
    model_solve(&m);
    workdir_make(dir);
    cr_expect(has_dot(text, dir), "%s: another kernel is chosen", text);
    void *const library = build_library(NULL, "-O1", dir, NULL, &err);
    cr_assert(library, "%s: %s", text, err.message);
    const rnnc_model *const net = library_model(library, "net", &err);
    cr_assert(net, "%s", err.message);
    float *const packed = model_pack(net, &m);
    cr_expect(model_run_all_ways(net, packed, &m, 4e-6, &err), "%s: %s", text, err.message);
    free(packed);
    close_library(library);
    workdir_remove(dir);
    free(text);
    model_free(&m);
}

ParameterizedTestParameters(generated_dot, right) {
    static size_t numbers[sizeof table / sizeof *table];
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        numbers[i] = i;
    return cr_make_param_array(size_t, numbers, sizeof table / sizeof *table);
}

ParameterizedTest(size_t *i, generated_dot, right, .timeout = 200) {
    static const char *const targets[] = {"avx2", "avx512"};
    for (size_t k = 0; k < 2; k++)
        if (target_runs(targets[k]))
            try_target(*i, targets[k]);
}

/* The order of a sum is what `deterministic` promises, and vectors of four waste little. */
Test(generated_dot, not_everywhere) {
    static const char *const fields[] = {"deterministic = true, target = \"avx2\"",
                                         "target = \"portable\"", "target = \"avx2\""};
    for (size_t i = 0; i < 3; i++) {
        char dir[PATH_SIZE], text[160];
        snprintf(text, sizeof text,
                 "return rnn { name = \"net\", input_size = 203, hidden_size = 4, %s }", fields[i]);
        workdir_make(dir);
        cr_expect_eq(has_dot(text, dir), i == 2, "%s", text);
        workdir_remove(dir);
    }
}
