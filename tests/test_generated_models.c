/* Whole models against PyTorch: every case of tests/cases/models (see models.py there) in every
 * target that this CPU runs, with a fixed batch and with any; all of y, hn and cn. Where a model
 * streams, its steps and pieces give the bits of one call. */
#define _XOPEN_SOURCE 700
#include "support/check.h"
#include "support/generate.h"
#include "support/guard.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <dirent.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const folder = "tests/cases/models";

/* As for the other recorded cases, for values up to 1. */
static const double tolerance = 1e-6;

static const char *const targets[] = {"scalar", "portable", "avx2", "avx512"};

enum { TARGETS = sizeof targets / sizeof *targets, CASES = 9 };

typedef struct model_case {
    char file[256], target[16];
} model_case;

/* What is recorded: inputs, answers, and how many of each there are. */
typedef struct record {
    rnnc_safetensors *file;
    const char *spec;
    size_t T, B, x_count, y_count, h_count, c_count;
    size_t *lengths; /* NULL: all T */
    float *x, *h0, *c0;
    int32_t *tokens;
    double *y, *hn, *cn;
} record;

static int is_case(const struct dirent *entry) {
    const char *const dot = strrchr(entry->d_name, '.');
    return dot && strcmp(dot, ".safetensors") == 0;
}

ParameterizedTestParameters(generated_models, against_pytorch) {
    struct dirent **entries = NULL;
    const int count = scandir(folder, &entries, is_case, alphasort);
    model_case *const cases = cr_malloc((size_t)(count + 1) * TARGETS * sizeof *cases);
    size_t n = 0;
    for (int i = 0; i < count; i++) {
        for (size_t t = 0; t < TARGETS; t++) {
            if (!target_runs(targets[t]))
                continue;
            snprintf(cases[n].file, sizeof cases[n].file, "%s", entries[i]->d_name);
            snprintf(cases[n++].target, sizeof cases[0].target, "%s", targets[t]);
        }
        free(entries[i]);
    }
    free(entries);
    return cr_make_param_array(model_case, cases, n, NULL);
}

/* All values of a tensor, or NULL if the file has no such tensor. */
static float *floats(const rnnc_safetensors *file, const char *name, size_t *count) {
    rnnc_tensor tensor;
    *count = 0;
    if (rnnc_safetensors_find(file, name, &tensor) != RNNC_OK)
        return NULL;
    cr_assert_eq(rnnc_tensor_count(&tensor, count), RNNC_OK);
    float *const values = malloc(*count * sizeof *values);
    cr_assert(values && rnnc_safetensors_read_f32(file, name, values, *count, NULL) == RNNC_OK);
    return values;
}

static double *doubles(const rnnc_safetensors *file, const char *name, size_t *count) {
    float *const values = floats(file, name, count);
    double *const wide = values ? malloc(*count * sizeof *wide) : NULL;
    for (size_t i = 0; wide && i < *count; i++)
        wide[i] = (double)values[i];
    free(values);
    return wide;
}

static record record_read(const char *name) {
    char path[PATH_SIZE];
    record r = {0};
    rnnc_error err;
    size_t count;
    path_join(path, folder, name);
    cr_assert(rnnc_safetensors_open(path, &r.file, &err) == RNNC_OK, "%s", err.message);
    r.spec = rnnc_safetensors_metadata(r.file, "spec");
    r.T = strtoul(rnnc_safetensors_metadata(r.file, "T"), NULL, 10);
    r.B = strtoul(rnnc_safetensors_metadata(r.file, "B"), NULL, 10);
    const char *at = rnnc_safetensors_metadata(r.file, "lengths");
    if (at)
        cr_assert((r.lengths = malloc(r.B * sizeof *r.lengths)) != NULL);
    for (size_t b = 0; r.lengths && b < r.B; b++) {
        char *end;
        r.lengths[b] = strtoul(at, &end, 10);
        at = end;
    }
    r.x = floats(r.file, "x", &r.x_count);
    float *const numbers = floats(r.file, "tokens", &count);
    if (numbers) {
        cr_assert((r.tokens = malloc(count * sizeof *r.tokens)) != NULL);
        for (size_t i = 0; i < count; i++)
            r.tokens[i] = (int32_t)numbers[i];
        r.x_count = count;
        free(numbers);
    }
    r.y = doubles(r.file, "y", &r.y_count);
    r.h0 = floats(r.file, "h0", &count);
    r.hn = doubles(r.file, "hn", &r.h_count);
    r.c0 = floats(r.file, "c0", &count);
    r.cn = doubles(r.file, "cn", &r.c_count);
    cr_assert(r.spec && r.T && r.B && r.y && r.h0 && r.hn && (r.x || r.tokens));
    return r;
}

static void record_free(record *r) {
    free(r->lengths);
    free(r->x);
    free(r->tokens);
    free(r->y);
    free(r->h0);
    free(r->hn);
    free(r->c0);
    free(r->cn);
    rnnc_safetensors_close(r->file);
}

/* Writes dir/NAME.lua for the record and compiles it there. batch, seq_len 0: any. */
static void compile_model(const record *r, const char *name, const char *target, size_t batch,
                          size_t seq_len, const char *dir) {
    char text[2048], file[64], path[PATH_SIZE], fixed[2][32] = {"\"any\"", "\"any\""};
    if (batch)
        snprintf(fixed[0], sizeof fixed[0], "%zu", batch);
    if (seq_len)
        snprintf(fixed[1], sizeof fixed[1], "%zu", seq_len);
    const int n =
        snprintf(text, sizeof text,
                 "return model { name = \"%s\", target = \"%s\", batch = %s, seq_len = %s,\n"
                 "lengths = %s, %s }\n",
                 name, target, fixed[0], fixed[1], r->lengths ? "true" : "false", r->spec);
    cr_assert(n > 0 && (size_t)n < sizeof text);
    snprintf(file, sizeof file, "%s.lua", name);
    path_join(path, dir, file);
    cr_assert(file_write(path, text, (size_t)n));
    const char *const argv[] = {rnnc_path(), "compile", file, NULL};
    outcome result = process_run(argv, dir, NULL, 60);
    cr_assert(result.code == 0, "%s%s", text, result.err);
    outcome_free(&result);
}

/* Steps by the prototypes of NAME.h, if the model streams: `steps` of them from h0 and c0. */
static void write_driver(const record *r, const char *name, const char *dir) {
    char text[2048], path[PATH_SIZE], file[64];
    const int n = snprintf(
        text, sizeof text,
        "#include \"%s.h\"\n#include <string.h>\n"
        "rnnc_status %s_driver(const rnnc_call *c, size_t inputs, size_t outputs);\n"
        "rnnc_status %s_driver(const rnnc_call *c, size_t inputs, size_t outputs) {\n"
        "    static %s_state state;\n    rnnc_status status = RNNC_OK;\n"
        "    %s_state_init(&state);\n    memcpy(state.h, c->h0, sizeof state.h);\n%s"
        "    for (size_t t = 0; t < c->seq_len && status == RNNC_OK; t++)\n"
        "        status = %s_step(c->weights, &state, c->%s + t * inputs, c->y + t * outputs);\n"
        "    memcpy(c->hn, state.h, sizeof state.h);\n%s    return status;\n}\n",
        name, name, name, name, name, r->c0 ? "    memcpy(state.c, c->c0, sizeof state.c);\n" : "",
        name, r->x ? "x" : "tokens", r->c0 ? "    memcpy(c->cn, state.c, sizeof state.c);\n" : "");
    snprintf(file, sizeof file, "%s_driver.c", name);
    path_join(path, dir, file);
    cr_assert(n > 0 && (size_t)n < sizeof text && file_write(path, text, (size_t)n));
}

/* The model's packed weights from the tensors of the case. */
static float *pack(const rnnc_model *model, const record *r) {
    const float **const tensors = calloc(model->weight_count, sizeof *tensors);
    float *const packed = malloc(model->packed_count * sizeof *packed);
    cr_assert(tensors && packed);
    for (size_t i = 0; i < model->weight_count; i++) {
        size_t count;
        const rnnc_weight *const w = &model->weight[i];
        tensors[i] = floats(r->file, w->name, &count);
        cr_assert(tensors[i] && count == w->rows * (w->cols ? w->cols : 1), "%s", w->name);
    }
    cr_assert_eq(rnnc_model_pack(model, tensors, packed), RNNC_OK);
    for (size_t i = 0; i < model->weight_count; i++)
        free((void *)tensors[i]);
    free(tensors);
    return packed;
}

static void expect_near(const char *what, const float *got, const double *want, size_t n) {
    double worst = 0.0, largest = 1.0;
    for (size_t i = 0; i < n; i++) {
        const double e = fabs((double)got[i] - want[i]);
        largest = fmax(largest, fabs(want[i]));
        if (!(e <= worst))
            worst = isnan(e) ? (double)INFINITY : e;
    }
    cr_expect(worst <= tolerance * largest, "%s is off by %g", what, worst);
}

/* Runs the model in guarded buffers, y hn cn prefilled with NaN; `out` gets all three in a row. */
static void run(const rnnc_model *model, const float *packed, const record *r, float *out) {
    const size_t space = model->workspace_size(r->T, r->B);
    cr_assert(space > 0);
    /* All of it is NaN. */
    guard y = guard_make(r->y_count * sizeof(float), 4);
    guard hn = guard_make(r->h_count * sizeof(float), 4);
    guard cn = guard_make((r->c_count ? r->c_count : 1) * sizeof(float), 4);
    guard workspace = guard_make(space, 1);
    const rnnc_call call = {.weights = packed,
                            .seq_len = r->T,
                            .batch = r->B,
                            .tokens = r->tokens,
                            .lengths = r->lengths,
                            .x = r->x,
                            .h0 = r->h0,
                            .c0 = r->c0,
                            .y = y.data,
                            .hn = hn.data,
                            .cn = r->c0 ? cn.data : NULL,
                            .workspace = workspace.data};
    cr_assert_eq(model->forward(&call), RNNC_OK);
    cr_expect(guard_intact(&y) && guard_intact(&hn) && guard_intact(&cn) &&
              guard_intact(&workspace));
    memcpy(out, y.data, r->y_count * sizeof(float));
    memcpy(out + r->y_count, hn.data, r->h_count * sizeof(float));
    memcpy(out + r->y_count + r->h_count, cn.data, r->c_count * sizeof(float));
    guard_free(&y);
    guard_free(&hn);
    guard_free(&cn);
    guard_free(&workspace);
}

/* Steps by NAME_step: the same bits. Time is the first axis then. */
static void check_steps(void *library, const rnnc_model *model, const float *packed,
                        const record *r, const float *want) {
    rnnc_status (*steps)(const rnnc_call *, size_t, size_t);
    void *const symbol = library_symbol(library, model->name, "_driver");
    cr_assert(symbol != NULL);
    memcpy(&steps, &symbol, sizeof steps);
    const size_t total = r->y_count + r->h_count + r->c_count;
    float *const got = malloc(total * sizeof *got);
    cr_assert(got != NULL);
    const rnnc_call call = {.weights = packed,
                            .seq_len = r->T,
                            .tokens = r->tokens,
                            .x = r->x,
                            .h0 = r->h0,
                            .c0 = r->c0,
                            .y = got,
                            .hn = got + r->y_count,
                            .cn = got + r->y_count + r->h_count};
    cr_assert_eq(steps(&call, r->x_count / r->T, r->y_count / r->T), RNNC_OK);
    cr_expect(memcmp(got, want, total * sizeof *got) == 0, "steps give other bits than a call");
    free(got);
}

/* The runtime's own networks, by the model's description: the double one to the rounding of what is
 * recorded, the float one as close as generated code. */
static void check_runtime(const rnnc_model *model, const record *r) {
    const rnnc_network *const network = &model->network;
    const float **tensors;
    rnnc_error err;
    cr_assert(rnnc_weights_load(model->weight_count, model->weight, NULL, r->file, &tensors,
                                &err) == RNNC_OK,
              "%s", err.message);
    const size_t total = r->y_count + r->h_count + r->c_count;
    float *const out = malloc(total * sizeof *out);
    double *const exact = malloc(total * sizeof *exact);
    float *const prepared = malloc(rnnc_generic_prepared_count(network) * sizeof *prepared);
    void *const workspace = malloc(rnnc_generic_workspace_size(network, r->T, r->B));
    cr_assert(out && exact && prepared && workspace);
    const rnnc_call call = {.weights = prepared,
                            .seq_len = r->T,
                            .batch = r->B,
                            .tokens = r->tokens,
                            .lengths = r->lengths,
                            .x = r->x,
                            .h0 = r->h0,
                            .c0 = r->c0,
                            .y = out,
                            .hn = out + r->y_count,
                            .cn = r->cn ? out + r->y_count + r->h_count : NULL,
                            .workspace = workspace};
    memset(out, 0xFF, total * sizeof *out);
    cr_assert_eq(rnnc_generic_prepare(network, tensors, prepared), RNNC_OK);
    cr_assert_eq(rnnc_generic_forward(network, NULL, &call), RNNC_OK);
    expect_near("y of the generic network", call.y, r->y, r->y_count);
    expect_near("hn of the generic network", call.hn, r->hn, r->h_count);
    if (r->cn)
        expect_near("cn of the generic network", call.cn, r->cn, r->c_count);
    double *const hn = exact + r->y_count, *const cn = hn + r->h_count;
    cr_assert_eq(rnnc_reference_forward(network, tensors, &call, exact, hn, r->cn ? cn : NULL),
                 RNNC_OK);
    for (size_t i = 0; i < total; i++)
        out[i] = (float)exact[i];
    expect_near("y of the reference", call.y, r->y, r->y_count);
    expect_near("hn of the reference", call.hn, r->hn, r->h_count);
    if (r->cn)
        expect_near("cn of the reference", call.cn, r->cn, r->c_count);
    free(out);
    free(exact);
    free(prepared);
    free(workspace);
    rnnc_weights_free(tensors);
}

ParameterizedTest(model_case *param, generated_models, against_pytorch, .timeout = 300) {
    char dir[PATH_SIZE];
    rnnc_error err;
    record r = record_read(param->file);
    crash_context(param->file);
    workdir_make(dir);
    compile_model(&r, "fixed", param->target, r.B, 0, dir);
    compile_model(&r, "open", param->target, 0, r.T, dir);
    /* batch_first is not for a row of steps; a step is what the spec's order says. */
    const bool streams = !r.lengths && !strstr(r.spec, "batch_first = true") &&
                         !strstr(r.spec, "bidirectional") && !strstr(r.spec, "last_step = true");
    if (streams)
        write_driver(&r, "fixed", dir);
    void *const library = build_library(NULL, "-O1", dir, NULL, &err);
    workdir_remove(dir);
    cr_assert(library, "%s", err.message);
    const size_t total = r.y_count + r.h_count + r.c_count;
    float *const out = malloc(2 * total * sizeof *out);
    cr_assert(out != NULL);
    for (int i = 0; i < 2; i++) {
        const rnnc_model *const model = library_model(library, i ? "open" : "fixed", &err);
        cr_assert(model, "%s", err.message);
        float *const packed = pack(model, &r), *const own = out + (size_t)i * total;
        run(model, packed, &r, own);
        expect_near("y", own, r.y, r.y_count);
        expect_near("hn", own + r.y_count, r.hn, r.h_count);
        if (r.cn)
            expect_near("cn", own + r.y_count + r.h_count, r.cn, r.c_count);
        if (i == 0 && streams)
            check_steps(library, model, packed, &r, own);
        check_runtime(model, &r);
        free(packed);
    }
    free(out);
    close_library(library);
    record_free(&r);
    crash_context(NULL);
}

/* The recorded cases are all there, or the parameters above would be fewer. */
Test(generated_models, no_case_is_missing) {
    struct dirent **entries = NULL;
    const int count = scandir(folder, &entries, is_case, alphasort);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    cr_expect_eq(count, CASES);
}

/* A token that the table has not is refused, and nothing is written. */
Test(generated_models, tokens_out_of_range_are_refused, .timeout = 60) {
    char dir[PATH_SIZE];
    rnnc_error err;
    record r = record_read("charlm.safetensors");
    workdir_make(dir);
    compile_model(&r, "net", "portable", r.B, 0, dir);
    void *const library = build_library(NULL, "-O1", dir, NULL, &err);
    workdir_remove(dir);
    cr_assert(library, "%s", err.message);
    const rnnc_model *const model = library_model(library, "net", &err);
    cr_assert(model != NULL);
    float *const packed = pack(model, &r);
    float *const y = malloc(r.y_count * sizeof *y);
    void *const workspace = malloc(model->workspace_size(r.T, r.B));
    cr_assert(y && workspace);
    const int32_t wrong[] = {-1, 13, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const size_t at = i % 2 ? r.T * r.B - 1 : r.B + 1;
        const int32_t right = r.tokens[at];
        r.tokens[at] = wrong[i];
        memset(y, 0x55, r.y_count * sizeof *y);
        const rnnc_call call = {.weights = packed,
                                .seq_len = r.T,
                                .batch = r.B,
                                .tokens = r.tokens,
                                .y = y,
                                .workspace = workspace};
        cr_expect_eq(model->forward(&call), RNNC_ERR_ARGUMENT);
        for (size_t k = 0; k < r.y_count * sizeof *y; k++)
            cr_assert_eq(((unsigned char *)y)[k], 0x55, "y was written");
        r.tokens[at] = right;
    }
    free(y);
    free(workspace);
    free(packed);
    close_library(library);
    record_free(&r);
}
