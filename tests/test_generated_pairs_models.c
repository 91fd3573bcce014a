/* The batch kernel with pairs of units in a vector: batches of about half the lanes, odd sizes,
 * whole models, several blocks. Which kernel runs is checked, so that a new cost model does not
 * leave pairs untested. Their division among threads is tested with the others'. */
#include "support/driver.h"
#include "support/model_stream.h"
#include "support/network.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LAYERS = 3 };

typedef struct pairs_model {
    const char *name;
    size_t layer_count;
    rnnc_layer layer[LAYERS];
    bool batch_first;
    size_t residual;
    size_t seq_len;
    /* Sequences: so many blocks of half the lanes; one fewer, where that still pays. */
    size_t blocks;
    bool fewer;
} pairs_model;

static const pairs_model table[] = {
    {"tanh", 1, {{.recurrent = {RNNC_RNN_TANH, 19, 21, 3, 1, 0, 0, 0}}}, false, 0, 19, 1, false},
    {"fewer", 1, {{.recurrent = {RNNC_GRU, 20, 19, 2, 1, 0, 1, 0}}}, true, 0, 10, 1, true},
    {"odd", 1, {{.recurrent = {RNNC_LSTM, 17, 21, 2, 0, 0, 1, 0}}}, false, 0, 9, 1, false},
    {"blocks", 1, {{.recurrent = {RNNC_RNN_RELU, 5, 33, 2, 1, 0, 0, 0}}}, true, 0, 11, 3, true},
    {"projected", 1, {{.recurrent = {RNNC_LSTM, 33, 37, 2, 1, 0, 1, 19}}}, false, 0, 9, 1, false},
    {"residual",
     2,
     {{.recurrent = {RNNC_LSTM, 18, 21, 1, 1, 0, 0, 0}},
      {.kind = RNNC_DENSE, .inputs = 21, .outputs = 18, .activation = RNNC_TANH, .bias = 1}},
     false,
     18,
     10,
     1,
     false},
    {"knobs",
     2,
     {{.recurrent = {RNNC_LSTM, 18, 21, 1, 1, 0, 1, 0}},
      {.kind = RNNC_DENSE, .inputs = 42, .outputs = 17, .bias = 1}},
     true,
     3,
     10,
     1,
     false},
    {"words",
     3,
     {{.kind = RNNC_EMBEDDING, .inputs = 11, .outputs = 7},
      {.recurrent = {RNNC_LSTM, 7, 21, 1, 1, 0, 1, 0}},
      {.kind = RNNC_DENSE, .inputs = 42, .outputs = 9, .activation = RNNC_SOFTMAX, .bias = 1}},
     false,
     0,
     10,
     1,
     false},
    {"last",
     2,
     {{.recurrent = {RNNC_LSTM, 16, 21, 2, 1, 0, 0, 0}},
      {.kind = RNNC_DENSE, .inputs = 21, .outputs = 17, .activation = RNNC_RELU, .last_step = 1}},
     true,
     0,
     17,
     1,
     false},
};

static const struct {
    const char *name;
    size_t lanes;
} targets[] = {{"portable", 4}, {"avx2", 8}, {"avx512", 16}};

/* Does NAME.c say that it has pairs? */
static bool has_pairs(const char *dir, const char *name) {
    char path[PATH_SIZE], file[64], line[512];
    bool found = false;
    snprintf(file, sizeof file, "%s.c", name);
    path_join(path, dir, file);
    FILE *const f = fopen(path, "r");
    cr_assert(f, "%s", path);
    while (!found && fgets(line, sizeof line, f))
        found = strstr(line, "kernel \"pairs x 1\"") != NULL;
    fclose(f);
    return found;
}

static void generate_one(const model *m, const char *name, const char *target, size_t batch,
                         const char *dir) {
    char fields[256];
    rnnc_error err;
    const model_sizes s = model_sizes_of(m);
    snprintf(
        fields, sizeof fields,
        "name = \"%s\", seq_len = \"any\", batch = %zu, target = \"%s\", deterministic = true,",
        name, batch, target);
    char *const text = model_text(m, fields);
    const driver_shape shape = {.name = name,
                                .states = s.c ? "hc" : "h",
                                .fixed_batch = true,
                                .tokens = s.tokens,
                                .step = !s.backwards && !s.last_step && batch > 1};
    cr_assert(generate_text(name, text, "none", dir, &err) && driver_write_shape(&shape, dir, &err),
              "%s: %s", text, err.message);
    free(text);
}

/* A batch gives the right answers however it is called, in pieces and steps, and every sequence
 * gives the bits that it gives alone in another network. */
static void try_target(const pairs_model *p, size_t target) {
    const char *const name = targets[target].name;
    const size_t half = targets[target].lanes / 2;
    const size_t batch = p->blocks * half - (p->fewer && half > 4);
    char dir[PATH_SIZE];
    rng r = {.state = 11 * (target + 1)};
    rnnc_error err = {RNNC_OK, ""};
    model m = model_make(p->layer, p->layer_count, p->batch_first, p->residual, p->seq_len, batch,
                         true, &r);
    model_solve(&m);
    workdir_make(dir);
    generate_one(&m, p->name, name, batch, dir);
    generate_one(&m, "alone", name, 1, dir);
    cr_expect(has_pairs(dir, p->name), "%s, %s, batch %zu: another kernel runs", p->name, name,
              batch);
    void *const library = build_library(NULL, "-O1", dir, NULL, &err);
    workdir_remove(dir);
    cr_assert(library, "%s", err.message);
    const rnnc_model *const net = library_model(library, p->name, &err);
    const rnnc_model *const alone = library_model(library, "alone", &err);
    cr_assert(net && alone, "%s", err.message);
    const driver d = driver_open(library, p->name);
    const model_sizes s = model_sizes_of(&m);
    float *const packed = model_pack(net, &m), *const alone_packed = model_pack(alone, &m);
    bool ok = model_run_all_ways(net, packed, &m, 4e-6, &err);
    if (ok && !s.backwards && !s.last_step)
        ok = model_check_stream(net, packed, &d, true, &m, &r, &err);
    ok = ok && model_check_alone(net, alone, packed, alone_packed, &m, &err);
    cr_expect(ok, "%s, %s, batch %zu: %s", p->name, name, batch, err.message);
    free(packed);
    free(alone_packed);
    close_library(library);
    model_free(&m);
}

Test(generated_pairs, every_way, .timeout = 600) {
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        for (size_t k = 0; k < sizeof targets / sizeof *targets; k++)
            /* Two sequences are half a vector of the portable code; six are not three of them. */
            if (target_runs(targets[k].name) && (table[i].blocks == 1 || targets[k].lanes > 4))
                try_target(&table[i], k);
}
