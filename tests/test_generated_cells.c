/* Generated LSTM and GRU against PyTorch's answers: every such case of tests/cases, in every target
 * that this CPU runs, with the batch fixed and any, in both orders of batch and time, through the
 * descriptor and through NAME_forward. */
#define _XOPEN_SOURCE 700
#include "support/check.h"
#include "support/driver.h"
#include "support/generate.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* PyTorch in float32 stays within it, for states up to 1; lstm's c0 and cn are larger at times. */
static const double tolerance = 1e-6;

static const char *const targets[] = {"scalar", "portable", "avx2", "avx512"};

enum { TARGETS = sizeof targets / sizeof *targets, VARIANTS = 4 };

/* One case in one target. Criterion runs each in a process of its own. */
typedef struct one_case {
    char file[256];
    char target[16];
} one_case;

static int is_cell_case(const struct dirent *entry) {
    const size_t n = strlen(entry->d_name);
    return (strncmp(entry->d_name, "lstm_", 5) == 0 || strncmp(entry->d_name, "gru_", 4) == 0) &&
           n > 12 && strcmp(entry->d_name + n - 12, ".safetensors") == 0;
}

ParameterizedTestParameters(generated_cells, against_pytorch) {
    struct dirent **entries = NULL;
    const int found = scandir("tests/cases", &entries, is_cell_case, alphasort);
    const size_t count = found > 0 ? (size_t)found : 0;
    one_case *const cases = cr_malloc((count ? count : 1) * TARGETS * sizeof *cases);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t t = 0; t < TARGETS; t++) {
            if (!target_runs(targets[t]))
                continue;
            snprintf(cases[n].file, sizeof cases[n].file, "%s", entries[i]->d_name);
            snprintf(cases[n].target, sizeof cases[n].target, "%s", targets[t]);
            n++;
        }
        free(entries[i]);
    }
    free(entries);
    return cr_make_param_array(one_case, cases, n, NULL);
}

/* Both layouts of batch and time (bit 0), both kinds of batch (bit 1); the rest in turn. */
static spec variant(const problem *p, const char *target, size_t i, const char *name) {
    size_t floats = 0;
    for (size_t w = 0; w < p->weight_count; w++) {
        const rnnc_weight weight = problem_weight(&p->config, w);
        floats += weight.rows * (weight.cols ? weight.cols : 1);
    }
    const bool built_in = i % 3 == 0 && floats < 50000; /* they cost compile time */
    return (spec){.name = name,
                  .config = p->config,
                  .seq_len = i == 1 || i == 2 ? p->seq_len : 0,
                  .batch = i & 2 ? p->batch : 0,
                  .target = target,
                  .weights = built_in ? "w.safetensors" : NULL,
                  .weights_as = built_in ? "c" : "none",
                  .lengths = i == 3};
}

/* NAME_forward must give the bits that the descriptor's function gives. */
static void check_direct_call(void *library, const rnnc_model *model, const float *packed,
                              const problem *p) {
    const driver d = driver_open(library, model->name);
    const size_t y = problem_y_count(p), states = problem_state_count(p);
    const size_t size = (y + 2 * states) * sizeof(float);
    float *const out[2] = {malloc(size), malloc(size)};
    void *const workspace = malloc(model->workspace_size(p->seq_len, p->batch));
    cr_assert(out[0] && out[1] && workspace && d.forward);
    for (int i = 0; i < 2; i++) {
        memset(out[i], 0xFF, size);
        const rnnc_call call = {.weights = packed,
                                .seq_len = p->seq_len,
                                .batch = p->batch,
                                .x = p->x,
                                .h0 = p->h0,
                                .c0 = p->c0,
                                .y = out[i],
                                .hn = out[i] + y,
                                .cn = p->cn ? out[i] + y + states : NULL,
                                .workspace = workspace};
        cr_assert_eq(i ? d.forward(&call) : model->forward(&call), RNNC_OK, "%s", model->name);
    }
    cr_expect(memcmp(out[0], out[1], size) == 0, "%s_forward and the descriptor differ",
              model->name);
    free(workspace);
    free(out[0]);
    free(out[1]);
}

/* Largest magnitude of cn, at least 1: its rounding errors grow with it. */
static double magnitude(const problem *p) {
    double largest = 1.0;
    for (size_t i = 0; p->cn && i < problem_state_count(p); i++)
        largest = fmax(largest, fabs(p->cn[i]));
    return largest;
}

ParameterizedTest(one_case *param, generated_cells, against_pytorch, .timeout = 300) {
    const size_t step = getenv("RNNC_TEST_FAST") ? VARIANTS - 1 : 1;
    char dir[PATH_SIZE], path[PATH_SIZE], weights[PATH_SIZE], names[VARIANTS][16];
    rnnc_error err;
    problem problems[2];
    path_join(path, "tests/cases", param->file);
    for (int flip = 0; flip < 2; flip++)
        cr_assert(problem_read(path, flip, &problems[flip], &err), "%s", err.message);

    workdir_make(dir);
    path_join(weights, dir, "w.safetensors");
    cr_assert(problem_write_weights(&problems[0], weights, NULL, &err), "%s", err.message);
    for (size_t i = 0; i < VARIANTS; i += step) {
        snprintf(names[i], sizeof names[i], "net_%zu", i);
        const spec s = variant(&problems[i & 1], param->target, i, names[i]);
        cr_assert(generate(&s, dir, &err) && driver_write(&s, dir, &err), "%s: %s", spec_line(&s),
                  err.message);
    }
    void *const library = build_library(NULL, "-O1", dir, NULL, &err);
    cr_assert(library, "%s", err.message);

    for (size_t i = 0; i < VARIANTS; i += step) {
        const problem *const p = &problems[i & 1];
        const spec s = variant(p, param->target, i, names[i]);
        char *const line = spec_line(&s);
        crash_context(line);
        const rnnc_model *const model = library_model(library, names[i], &err);
        cr_assert(model, "%s", err.message);
        cr_expect(check_description(model, p, &err), "%s: %s", line, err.message);
        cr_expect_eq(model->lengths, s.lengths, "%s", line);
        float *const packed = pack_weights(model, p);
        cr_expect(check_network_all_ways(model, packed, p, tolerance * magnitude(p), &err),
                  "%s, %s: %s", param->file, line, err.message);
        check_direct_call(library, model, packed, p);
        free(packed);
        crash_context(NULL);
        free(line);
    }
    close_library(library);
    workdir_remove(dir);
    problem_free(&problems[0]);
    problem_free(&problems[1]);
}
