/* Generated networks against PyTorch's answers: every rnn case of tests/cases, in every target that
 * this CPU runs, with batch and seq_len fixed and any, in both orders of batch and time, and with
 * weights as C, as a blob and at run time: half of the combinations in one target, the others in
 * the next. */
#define _XOPEN_SOURCE 700
#include "support/check.h"
#include "support/direct.h"
#include "support/generate.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* tests/cases/README.md: PyTorch in float32 stays within 1e-6 of all of them. */
static const double tolerance = 1e-6;

static const char *const targets[] = {"scalar", "portable", "avx2", "avx512"};

enum { TARGETS = sizeof targets / sizeof *targets, MAX_CASES = 64 };

/* One case in one target. Criterion runs each in a process of its own. */
typedef struct one_case {
    char file[256];
    char target[16];
    size_t odd;
} one_case;

static int is_rnn_case(const struct dirent *entry) {
    const size_t n = strlen(entry->d_name);
    return strncmp(entry->d_name, "rnn_", 4) == 0 && n > 12 &&
           strcmp(entry->d_name + n - 12, ".safetensors") == 0;
}

ParameterizedTestParameters(generated_cases, against_pytorch) {
    struct dirent **entries = NULL;
    const int found = scandir("tests/cases", &entries, is_rnn_case, alphasort);
    const size_t count = found > 0 ? (size_t)found : 0;
    one_case *const cases = cr_malloc((count ? count : 1) * TARGETS * sizeof *cases);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t t = 0; t < TARGETS; t++) {
            if (!target_runs(targets[t]))
                continue;
            snprintf(cases[n].file, sizeof cases[n].file, "%s", entries[i]->d_name);
            snprintf(cases[n].target, sizeof cases[n].target, "%s", targets[t]);
            cases[n].odd = (i + t) % 2;
            n++;
        }
        free(entries[i]);
    }
    free(entries);
    return cr_make_param_array(one_case, cases, n, NULL);
}

/* The parameters above are made in the parent, whose output a test cannot see, so this says it. */
Test(generated_cases, targets_of_this_cpu) {
    size_t skipped = 0;
    for (size_t t = 0; t < TARGETS; t++) {
        if (!target_runs(targets[t])) {
            printf("generated_cases: this CPU cannot run %s; its tests are skipped\n", targets[t]);
            skipped++;
        }
    }
    printf("generated_cases: %zu of %zu targets skipped\n", skipped, (size_t)TARGETS);
    cr_assert(target_runs("portable"));
}

enum { VARIANTS = 8, WAYS = 3 };

static const char *const weights_ways[WAYS] = {"c", "blob", "none"};

/* The packed weights that a model needs from outside, or NULL if they are built in. The blob is
 * read from dir/NAME.weights. The caller frees *to_free. */
static const float *outside_weights(const rnnc_model *model, const problem *p, const char *way,
                                    const char *dir, void **to_free) {
    *to_free = NULL;
    if (model->built_in) {
        cr_assert_str_eq(way, "c");
        return NULL;
    }
    if (strcmp(way, "none") == 0)
        return *to_free = pack_weights(model, p);
    char file[64], path[PATH_SIZE];
    snprintf(file, sizeof file, "%s.weights", model->name);
    path_join(path, dir, file);
    size_t size = 0;
    *to_free = file_read(path, &size);
    cr_assert(*to_free, "no %s", file);
    const float *packed = NULL;
    rnnc_error err;
    const rnnc_status status = rnnc_model_blob(model, *to_free, size, &packed, &err);
    cr_assert_eq(status, RNNC_OK, "%s", err.message);
    return packed;
}

/* NAME_forward must give the bits that the descriptor's function gives. */
static void check_direct_call(void *library, const rnnc_model *model, const float *packed,
                              const problem *p) {
    const size_t y_count = problem_y_count(p), states = problem_state_count(p);
    const size_t size = model->workspace_size(p->seq_len, p->batch);
    float *const out[2] = {malloc((y_count + states) * sizeof(float)),
                           malloc((y_count + states) * sizeof(float))};
    void *const workspace = malloc(size);
    cr_assert(out[0] && out[1] && workspace);
    for (int i = 0; i < 2; i++) {
        const rnnc_call call = {.weights = packed,
                                .seq_len = p->seq_len,
                                .batch = p->batch,
                                .x = p->x,
                                .h0 = p->h0,
                                .y = out[i],
                                .hn = out[i] + y_count,
                                .workspace = workspace};
        const rnnc_status status = i ? call_directly(library, model, &call) : model->forward(&call);
        cr_assert_eq(status, RNNC_OK, "%s", model->name);
    }
    cr_assert(memcmp(out[0], out[1], (y_count + states) * sizeof(float)) == 0,
              "%s_forward and the descriptor differ", model->name);
    free(workspace);
    free(out[0]);
    free(out[1]);
}

/* Those with an even or an odd number of bits: any two choices in all their combinations. A quick
 * run has two opposite ones. */
static bool left_out(size_t variant, size_t odd) {
    const size_t bits = (variant & 1) + (variant >> 1 & 1) + (variant >> 2);
    if (getenv("RNNC_TEST_FAST"))
        return variant != 0 && variant != VARIANTS - 1;
    return bits % 2 != odd;
}

ParameterizedTest(one_case *param, generated_cases, against_pytorch, .timeout = 600) {
    char dir[PATH_SIZE], path[PATH_SIZE], weights[PATH_SIZE], names[VARIANTS][16];
    rnnc_error err;
    problem problems[2];
    path_join(path, "tests/cases", param->file);
    for (int flip = 0; flip < 2; flip++)
        cr_assert(problem_read(path, flip, &problems[flip], &err), "%s", err.message);

    workdir_make(dir);
    path_join(weights, dir, "w.safetensors");
    cr_assert(problem_write_weights(&problems[0], weights, "rec.", &err), "%s", err.message);
    for (size_t i = 0; i < VARIANTS; i++) {
        if (left_out(i, param->odd))
            continue;
        const problem *const p = &problems[i & 1];
        snprintf(names[i], sizeof names[i], "net_%zu", i);
        const spec s = {.name = names[i],
                        .config = p->config,
                        .seq_len = i & 2 ? p->seq_len : 0,
                        .batch = i & 4 ? p->batch : 0,
                        .target = param->target,
                        .weights = "w.safetensors",
                        .prefix = "rec.",
                        .weights_as = weights_ways[i % WAYS]};
        cr_assert(generate(&s, dir, &err), "%s: %s", spec_line(&s), err.message);
    }
    void *const library = build_library(NULL, "-O1", dir, NULL, &err);
    cr_assert(library, "%s", err.message);

    for (size_t i = 0; i < VARIANTS; i++) {
        if (left_out(i, param->odd))
            continue;
        const problem *const p = &problems[i & 1];
        char context[512];
        snprintf(context, sizeof context,
                 "%s, %s, batch %s, seq_len %s, batch_first %d, weights %s", param->file,
                 param->target, i & 4 ? "fixed" : "any", i & 2 ? "fixed" : "any",
                 p->config.batch_first, weights_ways[i % WAYS]);
        crash_context(context);
        const rnnc_model *const model = library_model(library, names[i], &err);
        cr_assert(model, "%s", err.message);
        cr_assert_str_eq(model->name, names[i]);
        cr_expect(check_description(model, p, &err), "%s: %s", context, err.message);
        void *to_free = NULL;
        const float *const packed =
            outside_weights(model, p, weights_ways[i % WAYS], dir, &to_free);
        cr_expect(check_network_all_ways(model, packed, p, tolerance, &err), "%s: %s", context,
                  err.message);
        check_direct_call(library, model, packed, p);
        free(to_free);
    }
    crash_context(NULL);
    close_library(library);
    workdir_remove(dir);
    problem_free(&problems[0]);
    problem_free(&problems[1]);
}

/* The ways to come by packed weights at run time must give the same bits, and NAME_pack too. */
Test(generated_cases, ways_to_load_weights, .timeout = 120) {
    static const char *const path = "tests/cases/rnn_tanh_5_7_3_2_0_0_4_1.safetensors";
    rnnc_error err;
    problem p;
    cr_assert(problem_read(path, false, &p, &err), "%s", err.message);
    char dir[PATH_SIZE], weights[PATH_SIZE];
    workdir_make(dir);
    path_join(weights, dir, "w.safetensors");
    cr_assert(problem_write_weights(&p, weights, "a.b.", &err), "%s", err.message);
    const spec s = {.name = "late", .config = p.config, .target = "portable", .weights_as = "none"};
    cr_assert(generate(&s, dir, &err), "%s", err.message);
    static const char call[] =
        "#include \"late.h\"\n"
        "rnnc_status late_call_pack(const float *const *tensors, float *packed);\n"
        "rnnc_status late_call_pack(const float *const *tensors, float *packed)\n"
        "{\n    return late_pack(tensors, packed);\n}\n";
    char caller[PATH_SIZE];
    path_join(caller, dir, "call.c");
    cr_assert(file_write(caller, call, sizeof call - 1));
    void *const library = build_library(NULL, "-O1", dir, NULL, &err);
    cr_assert(library, "%s", err.message);
    const rnnc_model *const model = library_model(library, "late", &err);
    cr_assert(model, "%s", err.message);
    cr_assert_null(model->built_in);

    const size_t size = model->packed_count * sizeof(float);
    float *const want = pack_weights(model, &p), *const got = malloc(size);
    cr_assert(got);
    void *const symbol = library_symbol(library, "late", "_call_pack");
    cr_assert(symbol, "no late_call_pack");
    rnnc_status (*pack)(const float *const tensors[], float *packed);
    memcpy(&pack, &symbol, sizeof pack);
    memset(got, 0xFF, size);
    cr_assert_eq(pack((const float *const *)p.weight, got), RNNC_OK);
    cr_assert(memcmp(want, got, size) == 0, "late_pack differs from rnnc_model_pack");

    memset(got, 0xFF, size);
    cr_assert_eq(rnnc_model_load(model, weights, "a.b.", got, &err), RNNC_OK, "%s", err.message);
    cr_assert(memcmp(want, got, size) == 0, "rnnc_model_load differs from rnnc_model_pack");

    size_t file_size = 0;
    char *const file = file_read(weights, &file_size);
    cr_assert(file);
    memset(got, 0xFF, size);
    cr_assert_eq(rnnc_model_load_memory(model, file, file_size, "a.b.", got, &err), RNNC_OK, "%s",
                 err.message);
    cr_assert(memcmp(want, got, size) == 0, "rnnc_model_load_memory differs");
    cr_expect(check_network_all_ways(model, got, &p, tolerance, &err), "%s", err.message);
    free(file);
    free(got);
    free(want);
    close_library(library);
    workdir_remove(dir);
    problem_free(&p);
}
