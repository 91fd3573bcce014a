/* NAME_forward_lengths against PyTorch's packed sequences: every case of tests/cases/packed in
 * every target that this CPU runs, with batch and seq_len fixed or any and in both orders of batch
 * and time, another of the four in each target; through the descriptor, NAME_forward_lengths and
 * rnnc_model_forward. */
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

static const char *const folder = "tests/cases/packed";

/* As for the other recorded cases, of states up to 1. */
static const double tolerance = 1e-6;

static const char *const targets[] = {"scalar", "portable", "avx2", "avx512"};

enum { TARGETS = sizeof targets / sizeof *targets, VARIANTS = 4 };

/* One case in one target: a variant, of which the targets of a case have different ones. */
typedef struct packed_case {
    char file[256];
    char target[16];
    size_t variant;
} packed_case;

static int is_case(const struct dirent *entry) {
    const size_t n = strlen(entry->d_name);
    return n > 12 && strcmp(entry->d_name + n - 12, ".safetensors") == 0;
}

ParameterizedTestParameters(generated_packed, against_pytorch) {
    struct dirent **entries = NULL;
    const int found = scandir(folder, &entries, is_case, alphasort);
    const size_t count = found > 0 ? (size_t)found : 0;
    packed_case *const cases = cr_malloc((count ? count : 1) * TARGETS * sizeof *cases);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t t = 0; t < TARGETS; t++) {
            if (!target_runs(targets[t]))
                continue;
            snprintf(cases[n].file, sizeof cases[n].file, "%s", entries[i]->d_name);
            snprintf(cases[n].target, sizeof cases[n].target, "%s", targets[t]);
            cases[n].variant = (i + t) % VARIANTS;
            n++;
        }
        free(entries[i]);
    }
    free(entries);
    return cr_make_param_array(packed_case, cases, n, NULL);
}

/* Both layouts of batch and time (bit 0), both kinds of batch (bit 1); the rest in turn. */
static spec variant(const problem *p, const char *target, size_t i, const char *name) {
    return (spec){.name = name,
                  .config = p->config,
                  .seq_len = i == 1 || i == 2 ? p->seq_len : 0,
                  .batch = i & 2 ? p->batch : 0,
                  .target = target,
                  .weights_as = "none",
                  .lengths = true,
                  .deterministic = i == 1};
}

/* Largest magnitude of the answers, at least 1: rounding errors grow with it. */
static double magnitude(const problem *p) {
    double largest = 1.0;
    for (size_t i = 0; i < problem_y_count(p); i++)
        largest = fmax(largest, fabs(p->y[i]));
    for (size_t i = 0; p->cn && i < problem_state_count(p); i++)
        largest = fmax(largest, fabs(p->cn[i]));
    return largest;
}

/* The ways by which a program calls a network with lengths; all must give the same bits. */
static void check_calls(void *library, const rnnc_model *model, const float *packed,
                        const problem *p) {
    static const char *const ways[] = {"the descriptor", "forward_lengths", "rnnc_model_forward"};
    enum { WAYS = sizeof ways / sizeof *ways };
    const driver d = driver_open(library, model->name);
    const size_t y = problem_y_count(p), states = problem_state_count(p);
    const size_t count = y + (p->cn ? 2 : 1) * states;
    float *const out = malloc(WAYS * count * sizeof(float));
    void *const workspace = malloc(model->workspace_size(p->seq_len, p->batch));
    rnnc_error err = {RNNC_OK, ""};
    cr_assert(out && workspace && d.forward_lengths);
    memset(out, 0xFF, WAYS * count * sizeof(float));
    for (size_t way = 0; way < WAYS; way++) {
        float *const to = out + way * count;
        const rnnc_call call = {.weights = packed,
                                .seq_len = p->seq_len,
                                .batch = p->batch,
                                .lengths = p->lengths,
                                .x = p->x,
                                .h0 = p->h0,
                                .c0 = p->c0,
                                .y = to,
                                .hn = to + y,
                                .cn = p->cn ? to + y + states : NULL,
                                .workspace = workspace};
        const rnnc_status status = way == 0   ? model->forward(&call)
                                   : way == 1 ? d.forward_lengths(&call)
                                              : rnnc_model_forward(model, &call, &err);
        cr_assert_eq(status, RNNC_OK, "%s by %s: status %d %s", model->name, ways[way], status,
                     err.message);
        cr_expect(memcmp(out, to, count * sizeof(float)) == 0, "%s: %s and %s differ", model->name,
                  ways[0], ways[way]);
    }
    free(workspace);
    free(out);
}

ParameterizedTest(packed_case *param, generated_packed, against_pytorch, .timeout = 300) {
    char dir[PATH_SIZE], path[PATH_SIZE];
    rnnc_error err;
    problem p;
    path_join(path, folder, param->file);
    cr_assert(problem_read(path, param->variant & 1, &p, &err), "%s", err.message);
    cr_assert(p.lengths, "%s has no lengths", param->file);
    workdir_make(dir);
    const spec s = variant(&p, param->target, param->variant, "net");
    cr_assert(generate(&s, dir, &err) && driver_write(&s, dir, &err), "%s: %s", spec_line(&s),
              err.message);
    void *const library = build_library(NULL, "-O1", dir, NULL, &err);
    workdir_remove(dir);
    cr_assert(library, "%s", err.message);
    char *const line = spec_line(&s);
    crash_context(line);
    const rnnc_model *const model = library_model(library, "net", &err);
    cr_assert(model, "%s", err.message);
    float *const packed = pack_weights(model, &p);
    cr_expect(check_network_all_ways(model, packed, &p, tolerance * magnitude(&p), &err),
              "%s, %s: %s", param->file, line, err.message);
    check_calls(library, model, packed, &p);
    free(packed);
    crash_context(NULL);
    free(line);
    close_library(library);
    problem_free(&p);
}

/* Largest difference; infinity where one is NaN. */
static double distance(const double *a, const double *b, size_t n) {
    double worst = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double e = fabs(a[i] - b[i]);
        if (!(e <= worst))
            worst = isnan(e) ? (double)INFINITY : e;
    }
    return worst;
}

/* The oracle of the other tests agrees with PyTorch on packed sequences, so that what it says of
 * random lengths elsewhere is worth something; and all 32 cases are there. */
Test(generated_packed, oracle_agrees) {
    struct dirent **entries = NULL;
    const int count = scandir(folder, &entries, is_case, alphasort);
    cr_assert_eq(count, 32, "%d cases", count);
    for (int i = 0; i < count; i++) {
        char path[PATH_SIZE];
        rnnc_error err;
        problem recorded, solved;
        path_join(path, folder, entries[i]->d_name);
        cr_assert(problem_read(path, false, &recorded, &err), "%s", err.message);
        cr_assert(problem_read(path, false, &solved, &err), "%s", err.message);
        problem_solve(&solved);
        /* The records are rounded to float. */
        const double rounding = 1e-7 * magnitude(&recorded);
        const size_t states = problem_state_count(&recorded);
        const double of_y = distance(recorded.y, solved.y, problem_y_count(&recorded));
        const double of_hn = distance(recorded.hn, solved.hn, states);
        const double of_cn = recorded.cn ? distance(recorded.cn, solved.cn, states) : 0.0;
        const double worst = fmax(of_y, fmax(of_hn, of_cn));
        cr_expect(worst <= rounding, "%s: off by %g", entries[i]->d_name, worst);
        problem_free(&recorded);
        problem_free(&solved);
        free(entries[i]);
    }
    free(entries);
}
