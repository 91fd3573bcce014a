/* Packing against the formula of rnnc_pack_step, blobs, and the checks before a model runs. */
#include "guard.h"
#include "problem.h"
#include "process.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A network of hidden size 5 and input size 3, lstm with bias: weights (20,3), (20,5), (20), (20).
 */
enum { H = 5, I = 3, PACKED = 700 };
static const rnnc_weight weights[] = {
    {"weight_ih_l0", 20, I}, {"weight_hh_l0", 20, H}, {"bias_ih_l0", 20, 0}, {"bias_hh_l0", 20, 0}};

/* All gates in one step; single gates; panels as wide as, narrower and wider than the units;
 * padding; two biases added up; gaps before, between and behind. */
static const rnnc_pack_step steps[] = {
    {.tensor = 0,
     .plus = RNNC_NONE,
     .dst = 3,
     .units = H,
     .cols = I,
     .first_gate = 0,
     .gates = 4,
     .width = 2,
     .stride = 2},
    {.tensor = 1,
     .plus = RNNC_NONE,
     .dst = 80,
     .units = H,
     .cols = H,
     .first_gate = 1,
     .gates = 2,
     .width = 4,
     .stride = 7},
    {.tensor = 1,
     .plus = RNNC_NONE,
     .dst = 300,
     .units = H,
     .cols = H,
     .first_gate = 3,
     .gates = 1,
     .width = 8,
     .stride = 16},
    {.tensor = 2,
     .plus = 3,
     .dst = 400,
     .units = H,
     .cols = 1,
     .first_gate = 0,
     .gates = 4,
     .width = 1,
     .stride = 3},
    {.tensor = 3,
     .plus = RNNC_NONE,
     .dst = PACKED - 10,
     .units = H,
     .cols = 1,
     .first_gate = 2,
     .gates = 1,
     .width = 5,
     .stride = 5},
};
enum { STEPS = sizeof steps / sizeof steps[0] };

/* The formula, index by index. */
static void pack_by_formula(const rnnc_pack_step *s, const float *const *tensors, float *packed) {
    const size_t panels = (s->units + s->width - 1) / s->width;
    for (size_t p = 0; p < panels; p++)
        for (size_t k = 0; k < s->cols; k++)
            for (size_t g = 0; g < s->gates; g++)
                for (size_t j = 0; j < s->stride; j++) {
                    const int is_unit = j < s->width && p * s->width + j < s->units;
                    const size_t from =
                        ((s->first_gate + g) * s->units + p * s->width + j) * s->cols + k;
                    float value = 0;
                    if (is_unit)
                        value = tensors[s->tensor][from];
                    if (is_unit && s->plus != RNNC_NONE)
                        value += tensors[s->plus][from];
                    packed[s->dst + ((p * s->cols + k) * s->gates + g) * s->stride + j] = value;
                }
}

static int same_bits(const void *a, const void *b, size_t size) { return memcmp(a, b, size) == 0; }

static guard tensor_guards[4];
static const float *tensors[4];

static void make_tensors(void) {
    rng r = {.state = 11};
    for (size_t i = 0; i < 4; i++) {
        const size_t count = weights[i].rows * (weights[i].cols ? weights[i].cols : 1);
        float *const values = malloc(count * sizeof(float));
        rng_fill(&r, values, count, 1);
        tensor_guards[i] = guard_floats(values, count);
        guard_protect(&tensor_guards[i]);
        tensors[i] = tensor_guards[i].data;
        free(values);
    }
}

Test(runtime_pack, by_the_formula) {
    make_tensors();
    rnnc_error error = {.message = ""};
    static float want[PACKED];
    for (size_t i = 0; i < STEPS; i++)
        pack_by_formula(&steps[i], tensors, want);
    guard packed = guard_floats(NULL, PACKED);
    cr_assert_eq(rnnc_pack_check(STEPS, steps, PACKED, 4, weights, &error), RNNC_OK, "%s",
                 error.message);
    cr_assert_eq(rnnc_pack(STEPS, steps, PACKED, tensors, packed.data), RNNC_OK);
    cr_assert(same_bits(packed.data, want, sizeof want));
    cr_assert(guard_intact(&packed));
    guard_free(&packed);
}

/* A step that repeats packs what its steps would, written out. */
Test(runtime_pack, repeats_move_tensors_and_place) {
    make_tensors();
    rnnc_error error = {.message = ""};
    rnnc_pack_step step = {.tensor = 2,
                           .plus = 2,
                           .dst = 5,
                           .units = H,
                           .cols = 1,
                           .first_gate = 1,
                           .gates = 2,
                           .width = 4,
                           .stride = 6,
                           .repeat = 2,
                           .tensor_step = 1,
                           .dst_step = 50};
    static float want[PACKED];
    guard packed = guard_floats(NULL, PACKED);
    cr_assert_eq(rnnc_pack_check(1, &step, PACKED, 4, weights, &error), RNNC_OK, "%s",
                 error.message);
    cr_assert_eq(rnnc_pack(1, &step, PACKED, tensors, packed.data), RNNC_OK);
    pack_by_formula(&step, tensors, want);
    step.tensor = step.plus = 3;
    step.dst = 55;
    pack_by_formula(&step, tensors, want);
    cr_assert(same_bits(packed.data, want, sizeof want));
    cr_assert(guard_intact(&packed));
    guard_free(&packed);
}

Test(runtime_pack, refuses_bad_steps) {
    make_tensors();
    guard packed = guard_floats(NULL, PACKED);
    rnnc_error error;
    rnnc_pack_step bad[20];
    for (size_t i = 0; i < 20; i++)
        bad[i] = steps[1];
    size_t n = 0;
    bad[n++].width = 0;
    bad[n++].stride = 3; /* less than the width */
    bad[n++].units = 0;
    bad[n++].cols = 0;
    bad[n++].gates = 0;
    bad[n++].dst = PACKED - 2 * H * 2 * 7 + 1;
    bad[n++].dst = SIZE_MAX - 3;
    bad[n++].stride = SIZE_MAX / 4;
    bad[n].units = SIZE_MAX, bad[n++].width = 1;
    bad[n].repeat = 2, bad[n++].dst_step = PACKED; /* the second one does not fit */
    bad[n].repeat = 3, bad[n++].dst_step = SIZE_MAX / 2 + 1;
    const size_t writes = n; /* those above would write beyond the packed weights */
    bad[n++].first_gate = 3;
    bad[n++].first_gate = SIZE_MAX;
    bad[n++].cols = 4;
    bad[n++].tensor = 4;
    bad[n++].plus = 4;
    bad[n++].plus = 0;
    bad[n++].tensor = 2;
    bad[n].repeat = 2, bad[n++].tensor_step = 1; /* the second one reads a vector */
    bad[n].repeat = 2, bad[n++].tensor_step = 3;
    for (size_t i = 0; i < n; i++) {
        const rnnc_pack_step two[] = {steps[0], bad[i]};
        cr_expect_eq(rnnc_pack_check(2, two, PACKED, 4, weights, &error), RNNC_ERR_ARGUMENT,
                     "row %zu", i);
        cr_expect(strstr(error.message, "pack step 1"), "%s", error.message);
        if (i < writes)
            cr_expect_eq(rnnc_pack(2, two, PACKED, tensors, packed.data), RNNC_ERR_ARGUMENT);
    }
    const float *const null[4] = {tensors[0], NULL, tensors[2], tensors[3]};
    cr_expect_eq(rnnc_pack(STEPS, steps, PACKED, null, packed.data), RNNC_ERR_ARGUMENT);
    cr_expect_eq(rnnc_pack(STEPS, NULL, PACKED, tensors, packed.data), RNNC_ERR_ARGUMENT);
    cr_expect_eq(rnnc_pack(STEPS, steps, PACKED, NULL, packed.data), RNNC_ERR_ARGUMENT);
    cr_expect_eq(rnnc_pack(STEPS, steps, PACKED, tensors, NULL), RNNC_ERR_ARGUMENT);
    for (size_t i = 0; i < PACKED; i++)
        cr_assert(isnan(((float *)packed.data)[i]), "float %zu was written", i);
    guard_free(&packed);
}

/* A model made by hand: its forward writes 1 to y[0]. */
static size_t workspace_size(size_t seq_len, size_t batch) { return seq_len * batch; }
static rnnc_status forward(const rnnc_call *call) {
    call->y[0] = 1;
    return call->x[0] < 0 ? RNNC_ERR_TARGET : RNNC_OK;
}
static const rnnc_layer model_layer = {.recurrent = {RNNC_LSTM, I, H, 1, 1, 0, 0, 0}};
static rnnc_model model = {.abi = RNNC_ABI,
                           .name = "hand",
                           .target = "portable",
                           .network = {.layer_count = 1, .layer = &model_layer},
                           .batch = 2,
                           .weight_count = 4,
                           .weight = weights,
                           .packed_count = PACKED,
                           .pack_count = STEPS,
                           .pack = steps,
                           .fingerprint = 0x0123456789abcdef,
                           .workspace_size = workspace_size,
                           .forward = forward};

Test(runtime_pack, model_loads_from_file_and_memory) {
    char directory[PATH_SIZE], path[PATH_SIZE];
    workdir_make(directory);
    path_join(path, directory, "w.safetensors");
    rng r = {.state = 12};
    problem p = problem_make(&model_layer.recurrent, 1, 1, false, &r);
    rnnc_error error = {.message = ""};
    cr_assert(problem_write_weights(&p, path, "rec.", &error), "%s", error.message);
    static float want[PACKED];
    for (size_t i = 0; i < STEPS; i++)
        pack_by_formula(&steps[i], (const float *const *)p.weight, want);
    guard packed = guard_floats(NULL, PACKED);
    cr_assert_eq(rnnc_model_load(&model, path, "rec.", packed.data, &error), RNNC_OK, "%s",
                 error.message);
    cr_assert(same_bits(packed.data, want, sizeof want));
    memset(packed.data, 0xFF, packed.size);
    size_t size;
    char *const bytes = file_read(path, &size);
    cr_assert_eq(rnnc_model_load_memory(&model, bytes, size, "rec.", packed.data, &error), RNNC_OK);
    cr_assert(same_bits(packed.data, want, sizeof want));
    cr_assert(guard_intact(&packed));
    cr_expect_eq(rnnc_model_load(&model, path, NULL, packed.data, &error), RNNC_ERR_MISSING);
    cr_expect(strstr(error.message, "rec."));
    cr_expect_eq(rnnc_model_load_memory(&model, bytes, size - 1, "rec.", packed.data, &error),
                 RNNC_ERR_FORMAT);
    cr_expect_eq(rnnc_model_load(&model, directory, NULL, packed.data, &error), RNNC_ERR_FILE);
    rnnc_model old = model;
    old.abi++;
    cr_expect_eq(rnnc_model_load(&old, path, "rec.", packed.data, &error), RNNC_ERR_ABI);
    cr_expect(strstr(error.message, "generate it again"), "%s", error.message);
    /* What another layout has in place of the fields is not looked at. */
    memset(&old, 0x5a, sizeof old);
    old.abi = RNNC_ABI + 1;
    const float *blob = NULL;
    cr_expect_eq(rnnc_model_load(&old, path, "rec.", packed.data, &error), RNNC_ERR_ABI);
    cr_expect_eq(rnnc_model_load_memory(&old, bytes, size, "rec.", packed.data, &error),
                 RNNC_ERR_ABI);
    cr_expect_eq(rnnc_model_pack(&old, tensors, packed.data), RNNC_ERR_ABI);
    cr_expect_eq(rnnc_model_blob(&old, bytes, size, &blob, &error), RNNC_ERR_ABI);
    cr_expect_eq(rnnc_model_forward(&old, &(rnnc_call){0}, &error), RNNC_ERR_ABI);
    cr_expect_eq(rnnc_model_workspace_size(&old, 1, 1), 0);
    free(bytes);
    problem_free(&p);
    guard_free(&packed);
    workdir_remove(directory);
}

/* A model that is not as rnnc made it: nothing is read beyond its weights, and nothing written. */
Test(runtime_pack, model_pack_checks_the_steps) {
    make_tensors();
    guard packed = guard_floats(NULL, PACKED);
    for (int i = 0; i < 4; i++) {
        rnnc_pack_step bad = steps[1];
        if (i == 0)
            bad.first_gate = 3;
        else if (i == 1)
            bad.tensor = 4;
        else if (i == 2)
            bad.cols = H + 1;
        else
            bad.plus = 0;
        rnnc_model other = model;
        other.pack_count = 1;
        other.pack = &bad;
        cr_expect_eq(rnnc_model_pack(&other, tensors, packed.data), RNNC_ERR_ARGUMENT, "%d", i);
    }
    for (size_t i = 0; i < PACKED; i++)
        cr_assert(isnan(((float *)packed.data)[i]), "float %zu was written", i);
    guard_free(&packed);
}

Test(runtime_pack, blobs) {
    enum { SIZE = RNNC_BLOB_HEADER_SIZE + PACKED * 4 };
    static _Alignas(16) unsigned char blob[SIZE + 8];
    const float *packed = NULL;
    rnnc_error error;
    rnnc_blob_header(model.fingerprint, PACKED, blob);
    static const unsigned char want[32] = {
        'R',  'N',  'N',  'C',  'B',  'L',  'O',  'B',  RNNC_ABI,     0,          0, 0, 0, 0, 0, 0,
        0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01, PACKED & 255, PACKED >> 8};
    cr_assert_eq(memcmp(blob, want, sizeof want), 0);
    cr_assert_eq(rnnc_model_blob(&model, blob, SIZE, &packed, &error), RNNC_OK);
    cr_assert_eq((const void *)packed, (const void *)(blob + 64));
    packed = NULL;
    memmove(blob + 4, blob, SIZE);
    cr_assert_eq(rnnc_model_blob(&model, blob + 4, SIZE, &packed, &error), RNNC_OK);
    memmove(blob + 5, blob + 4, SIZE);
    packed = NULL;
    cr_expect_eq(rnnc_model_blob(&model, blob + 5, SIZE, &packed, &error), RNNC_ERR_ARGUMENT);
    memmove(blob + 6, blob + 5, SIZE);
    packed = NULL;
    cr_expect_eq(rnnc_model_blob(&model, blob + 6, SIZE, &packed, &error), RNNC_ERR_ARGUMENT);
    memmove(blob, blob + 6, SIZE);
#define REFUSED(size, status, text)                                                                \
    cr_expect_eq(rnnc_model_blob(&model, blob, size, &packed, &error), status);                    \
    cr_expect(strstr(error.message, text), "%s", error.message)
    for (size_t size = 0; size < SIZE; size++)
        cr_expect_eq(rnnc_model_blob(&model, blob, size, &packed, &error), RNNC_ERR_FORMAT);
    REFUSED(SIZE + 1, RNNC_ERR_FORMAT, "added to");
    REFUSED(SIZE - 1, RNNC_ERR_FORMAT, "truncated");
    for (size_t i = 0; i < 64; i++) {
        blob[i] ^= 1;
        cr_expect_eq(rnnc_model_blob(&model, blob, SIZE, &packed, &error),
                     i >= 8 && i < 12 ? RNNC_ERR_ABI : RNNC_ERR_FORMAT, "byte %zu", i);
        blob[i] ^= 1;
    }
    cr_expect_null(packed);
    cr_expect_eq(rnnc_model_blob(&model, NULL, SIZE, &packed, NULL), RNNC_ERR_ARGUMENT);
    cr_expect_eq(rnnc_model_blob(NULL, blob, SIZE, &packed, NULL), RNNC_ERR_ARGUMENT);
    cr_expect_eq(rnnc_model_blob(&model, blob, SIZE, NULL, NULL), RNNC_ERR_ARGUMENT);
}

Test(runtime_pack, model_forward_checks) {
    float x = 1, y = 0, w = 0;
    char workspace;
    rnnc_error error;
    const rnnc_call good = {
        .weights = &w, .seq_len = 3, .batch = 2, .x = &x, .y = &y, .workspace = &workspace};
    cr_assert_eq(rnnc_model_forward(&model, &good, &error), RNNC_OK);
    cr_assert_eq(y, 1);
    cr_assert_eq(rnnc_model_workspace_size(&model, 3, 2), 6);
    cr_assert_eq(rnnc_model_workspace_size(&model, 3, 1), 0);
    y = 0;
    rnnc_call call;
#define BAD(change, says)                                                                          \
    call = good;                                                                                   \
    call.change;                                                                                   \
    cr_expect_eq(rnnc_model_forward(&model, &call, &error), RNNC_ERR_ARGUMENT);                    \
    cr_expect(strstr(error.message, says), "%s", error.message)
    BAD(batch = 0, "batch 0");
    BAD(batch = 1, "generated for seq_len 0 and batch 2");
    BAD(x = NULL, "x NULL");
    BAD(y = NULL, "y NULL");
    BAD(weights = NULL, "weights NULL");
    BAD(workspace = NULL, "workspace NULL");
    cr_expect_eq(rnnc_model_forward(&model, NULL, &error), RNNC_ERR_ARGUMENT);
    cr_expect_eq(rnnc_model_forward(NULL, &good, &error), RNNC_ERR_ARGUMENT);
    rnnc_model other = model;
    other.abi = 7;
    cr_expect_eq(rnnc_model_forward(&other, &good, &error), RNNC_ERR_ABI);
    cr_expect(strstr(error.message, "version 7"));
    cr_expect_eq(rnnc_model_workspace_size(&other, 3, 2), 0);
    cr_expect_eq(y, 0, "nothing ran");
    other = model;
    other.built_in = &w;
    call = good;
    call.weights = NULL;
    cr_expect_eq(rnnc_model_forward(&other, &call, &error), RNNC_OK);
    x = -1;
    cr_expect_eq(rnnc_model_forward(&model, &good, &error), RNNC_ERR_TARGET);
    cr_expect(strstr(error.message, "hand (portable)"), "%s", error.message);
    cr_expect_eq(error.status, RNNC_ERR_TARGET);
}
