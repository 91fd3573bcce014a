/* Weights by PyTorch's names: what is wrong with a file is listed by name, all at once, with what
 * would repair it; the messages are compared word for word. */
#include "problem.h"
#include "process.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char directory[PATH_SIZE], path[PATH_SIZE];
static rnnc_error error, unused;

static void setup(void) {
    workdir_make(directory);
    path_join(path, directory, "w.safetensors");
}
static void teardown(void) { workdir_remove(directory); }
TestSuite(runtime_weights, .init = setup, .fini = teardown);

/* Checks the weights of `written`, under `at`, against `config` under `prefix`; the status. */
static rnnc_status check(const rnnc_config *written, const char *at, const rnnc_config *config,
                         const char *prefix) {
    rng r = {.state = 3};
    problem p = problem_make(written, 1, 1, false, &r);
    cr_assert(problem_write_weights(&p, path, at, &error), "%s", error.message);
    rnnc_safetensors *file;
    cr_assert_eq(rnnc_safetensors_open(path, &file, &error), RNNC_OK, "%s", error.message);
    error.message[0] = '\0';
    size_t needed;
    rnnc_weight *const list = problem_weight_list(config, &needed);
    const rnnc_status status = rnnc_weights_check(needed, list, prefix, file, &unused, &error);
    const float **tensors = NULL;
    rnnc_error again = {.message = ""};
    cr_assert_eq(rnnc_weights_load(needed, list, prefix, file, &tensors, &again), status);
    free(list);
    cr_assert_str_eq(again.message, error.message);
    cr_assert_eq(tensors != NULL, status == RNNC_OK);
    for (size_t i = 0; status == RNNC_OK && i < p.weight_count; i++) {
        const rnnc_weight w = problem_weight(written, i);
        const size_t count = w.rows * (w.cols ? w.cols : 1);
        cr_assert_eq(memcmp(tensors[i], p.weight[i], count * sizeof(float)), 0, "%s", w.name);
    }
    rnnc_weights_free(tensors);
    rnnc_safetensors_close(file);
    problem_free(&p);
    return status;
}

/* The message is the lines given, each behind the file's name. */
static void says(const char *first, const char *second) {
    char want[4096];
    snprintf(want, sizeof want, "%s: %s%s%s%s%s", path, first, second ? "\n" : "",
             second ? path : "", second ? ": " : "", second ? second : "");
    cr_expect_str_eq(error.message, want);
}

/* rnn_tanh, I 3, H 4, L 1, bias, one direction */
static const rnnc_config base = {RNNC_RNN_TANH, 3, 4, 1, 1, 0, 0, 0};

Test(runtime_weights, all_there) {
    const rnnc_config big = {RNNC_LSTM, 3, 4, 3, 1, 1, 1, 0},
                      plain = {RNNC_GRU, 5, 2, 2, 0, 0, 1, 0};
    cr_expect_eq(check(&base, "", &base, NULL), RNNC_OK);
    cr_expect_eq(check(&big, "", &big, ""), RNNC_OK);
    cr_expect_eq(check(&plain, "rec.", &plain, "rec."), RNNC_OK);
    cr_expect_str_eq(unused.message, "");
}

Test(runtime_weights, names_and_shapes_are_pytorchs) {
    const rnnc_config configs[] = {{RNNC_LSTM, 3, 4, 3, 1, 1, 1, 0},
                                   {RNNC_GRU, 5, 2, 2, 0, 0, 0, 0}};
    for (size_t c = 0; c < 2; c++) {
        const size_t count = rnnc_config_weight_count(&configs[c]);
        cr_assert_eq(count, c == 0 ? 24 : 4);
        size_t floats = 0;
        for (size_t i = 0; i < count; i++) {
            rnnc_weight got;
            const rnnc_weight want = problem_weight(&configs[c], i);
            cr_assert_eq(rnnc_config_weight(&configs[c], i, &got), RNNC_OK);
            cr_assert_str_eq(got.name, want.name);
            cr_assert(got.rows == want.rows && got.cols == want.cols);
            floats += got.rows * (got.cols ? got.cols : 1);
        }
        cr_assert_eq(rnnc_config_weight_floats(&configs[c]), floats);
        rnnc_weight none;
        cr_assert_eq(rnnc_config_weight(&configs[c], count, &none), RNNC_ERR_ARGUMENT);
    }
}

Test(runtime_weights, missing) {
    rnnc_config more = base;
    more.num_layers = 2;
    cr_expect_eq(check(&base, "", &more, NULL), RNNC_ERR_MISSING);
    says("missing: weight_ih_l1, weight_hh_l1, bias_ih_l1, bias_hh_l1", NULL);
    cr_expect_eq(check(&base, "net.rec.", &base, NULL), RNNC_ERR_MISSING);
    says("missing: weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0; the file has "
         "net.rec.weight_ih_l0: set prefix = \"net.rec.\"",
         NULL);
    cr_expect_eq(check(&base, "", &base, "rec."), RNNC_ERR_MISSING);
    says("missing: rec.weight_ih_l0, rec.weight_hh_l0, rec.bias_ih_l0, rec.bias_hh_l0; the file "
         "has weight_ih_l0: set prefix = \"\"",
         NULL);
    more = base;
    more.bidirectional = 1;
    cr_expect_eq(check(&base, "a.", &more, "a."), RNNC_ERR_MISSING);
    says("missing: a.weight_ih_l0_reverse, a.weight_hh_l0_reverse, a.bias_ih_l0_reverse, "
         "a.bias_hh_l0_reverse",
         NULL);
}

/* A prefix that has room in the message is told; a longer one is not, nor half of it. */
Test(runtime_weights, prefixes_are_told_up_to_a_length) {
    for (size_t length = 62; length <= 65; length++) {
        char prefix[80];
        memset(prefix, 'p', length);
        prefix[length] = '\0';
        cr_expect_eq(check(&base, prefix, &base, NULL), RNNC_ERR_MISSING);
        cr_expect_eq(strstr(error.message, "set prefix") != NULL, length < 64, "%zu: %s", length,
                     error.message);
    }
}

Test(runtime_weights, misshapen) {
    rnnc_config other = base;
    other.cell = RNNC_LSTM;
    cr_expect_eq(check(&other, "", &base, NULL), RNNC_ERR_SHAPE);
    says("wrong shape: weight_ih_l0 is (16, 3), has to be (4, 3): looks like cell = \"lstm\"; "
         "weight_hh_l0 is (16, 4), has to be (4, 4): looks like cell = \"lstm\"; "
         "bias_ih_l0 is (16), has to be (4): looks like cell = \"lstm\"; "
         "bias_hh_l0 is (16), has to be (4): looks like cell = \"lstm\"",
         NULL);
    other = base;
    other.input_size = 7;
    cr_expect_eq(check(&other, "", &base, NULL), RNNC_ERR_SHAPE);
    says("wrong shape: weight_ih_l0 is (4, 7), has to be (4, 3): looks like input_size = 7", NULL);
    other = base;
    other.hidden_size = 3;
    other.bias = 0;
    rnnc_config no_bias = base;
    no_bias.bias = 0;
    cr_expect_eq(check(&other, "", &no_bias, NULL), RNNC_ERR_SHAPE);
    says("wrong shape: weight_ih_l0 is (3, 3), has to be (4, 3); weight_hh_l0 is (3, 3), has to be "
         "(4, 4): looks like hidden_size = 3",
         NULL);
}

Test(runtime_weights, no_use) {
    rnnc_config other = base;
    other.num_layers = 2;
    cr_expect_eq(check(&other, "", &base, NULL), RNNC_ERR_SHAPE);
    says("no use in this network: bias_hh_l1: looks like num_layers = 2; bias_ih_l1: looks like "
         "num_layers = 2; weight_hh_l1: looks like num_layers = 2; weight_ih_l1: looks like "
         "num_layers = 2",
         NULL);
    other = base;
    other.bidirectional = 1;
    other.bias = 0;
    rnnc_config no_bias = base;
    no_bias.bias = 0;
    cr_expect_eq(check(&other, "", &no_bias, NULL), RNNC_ERR_SHAPE);
    says("no use in this network: weight_hh_l0_reverse: looks like bidirectional = true; "
         "weight_ih_l0_reverse: looks like bidirectional = true",
         NULL);
    cr_expect_eq(check(&base, "", &no_bias, NULL), RNNC_ERR_SHAPE);
    says("no use in this network: bias_hh_l0: looks like bias = true; bias_ih_l0: looks like bias "
         "= true",
         NULL);
    other = base;
    other.bidirectional = 1;
    other.num_layers = 2;
    rnnc_config layers = base;
    layers.num_layers = 2;
    layers.bias = other.bias = 0;
    cr_expect_eq(check(&other, "", &layers, NULL), RNNC_ERR_SHAPE);
    says("wrong shape: weight_ih_l1 is (4, 8), has to be (4, 4): looks like bidirectional = true",
         "no use in this network: weight_hh_l0_reverse: looks like bidirectional = true; "
         "weight_hh_l1_reverse: looks like bidirectional = true; weight_ih_l0_reverse: looks like "
         "bidirectional = true; weight_ih_l1_reverse: looks like bidirectional = true");
}

/* A file of given tensors of one float each repeated, for faults that no network's file has. */
typedef struct sample {
    const char *name;
    rnnc_dtype dtype;
    int rank;
    size_t shape[3];
} sample;

static rnnc_status check_samples(const sample *samples, size_t count, const rnnc_config *config) {
    static double zeros[64];
    const char *names[16];
    rnnc_tensor tensors[16];
    for (size_t i = 0; i < count; i++) {
        names[i] = samples[i].name;
        cr_assert_eq(rnnc_tensor_make(&tensors[i], samples[i].dtype, samples[i].rank,
                                      samples[i].shape, zeros, sizeof zeros),
                     RNNC_OK);
    }
    cr_assert_eq(rnnc_safetensors_write(path, count, names, tensors, 0, NULL, NULL, &error),
                 RNNC_OK, "%s", error.message);
    rnnc_safetensors *file;
    cr_assert_eq(rnnc_safetensors_open(path, &file, &error), RNNC_OK);
    size_t needed;
    rnnc_weight *const list = problem_weight_list(config, &needed);
    const rnnc_status status = rnnc_weights_check(needed, list, NULL, file, &unused, &error);
    free(list);
    rnnc_safetensors_close(file);
    return status;
}

Test(runtime_weights, everything_at_once) {
    const sample samples[] = {
        {"weight_ih_l0", RNNC_F32, 2, {3, 4}},  {"weight_hh_l0", RNNC_BF16, 3, {4, 4, 1}},
        {"bias_ih_l0", RNNC_F64, 1, {4}},       {"weight_hr_l0", RNNC_F32, 2, {2, 4}},
        {"weight_ih_l00", RNNC_F32, 2, {4, 3}}, {"weight_ih_l0_", RNNC_F32, 2, {4, 3}},
        {"dense.weight", RNNC_F32, 2, {2, 4}}};
    cr_expect_eq(check_samples(samples, 7, &base), RNNC_ERR_MISSING);
    char want[2048];
    snprintf(want, sizeof want,
             "%s: missing: bias_hh_l0\n"
             "%s: wrong shape: weight_ih_l0 is (3, 4), has to be (4, 3): looks transposed; "
             "weight_hh_l0 is (4, 4, 1), has to be (4, 4)\n"
             "%s: no use in this network: weight_hr_l0: looks like proj_size = 2",
             path, path, path);
    cr_expect_str_eq(error.message, want);
    cr_expect_str_eq(unused.message, "dense.weight, weight_ih_l00, weight_ih_l0_");
}

/* A number of a layer that no network has makes a name of somebody else's. */
Test(runtime_weights, numbers_that_are_no_layers) {
    const sample samples[] = {{"weight_ih_l0", RNNC_F32, 2, {4, 3}},
                              {"weight_hh_l0", RNNC_F32, 2, {4, 4}},
                              {"bias_ih_l0", RNNC_F32, 1, {4}},
                              {"bias_hh_l0", RNNC_F32, 1, {4}},
                              {"bias_hh_l18446744073709551615", RNNC_F32, 1, {4}},
                              {"bias_hh_l4294967296", RNNC_F32, 1, {4}}};
    cr_expect_eq(check_samples(samples, 6, &base), RNNC_OK, "%s", error.message);
    cr_expect_str_eq(unused.message, "bias_hh_l18446744073709551615, bias_hh_l4294967296");
}

/* Types that are no floats: the file is written by hand, since the writer knows none. */
Test(runtime_weights, wrong_dtype) {
    static const char header[] =
        "{\"weight_hh_l0\":{\"dtype\":\"I64\",\"shape\":[1,1],\"data_offsets\":[0,8]},"
        "\"weight_ih_l0\":{\"dtype\":\"BOOL\",\"shape\":[1,1],\"data_offsets\":[8,9]}}";
    char bytes[sizeof header + 16] = {0};
    const uint64_t length = sizeof header - 1;
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, sizeof header - 1);
    cr_assert(file_write(path, bytes, 8 + sizeof header - 1 + 9));
    rnnc_safetensors *file;
    cr_assert_eq(rnnc_safetensors_open(path, &file, &error), RNNC_OK, "%s", error.message);
    static const rnnc_weight tiny[] = {{"weight_ih_l0", 1, 1}, {"weight_hh_l0", 1, 1}};
    cr_expect_eq(rnnc_weights_check(2, tiny, NULL, file, NULL, &error), RNNC_ERR_DTYPE);
    says("wrong dtype (F32, F64, F16 or BF16 is needed): weight_ih_l0 is BOOL; weight_hh_l0 is I64",
         NULL);
    float value;
    cr_expect_eq(rnnc_safetensors_read_f32(file, "weight_hh_l0", &value, 1, &error),
                 RNNC_ERR_DTYPE);
    cr_expect(strstr(error.message, "I64") && strstr(error.message, "convert"));
    rnnc_safetensors_close(file);
}

Test(runtime_weights, halves_become_floats) {
    static uint16_t halves[12];
    static float floats[12];
    const char *const names[] = {"weight_ih_l0", "weight_hh_l0"};
    rnnc_tensor tensors[2];
    for (size_t i = 0; i < 12; i++) {
        halves[i] = rnnc_f64_to_f16((double)i / 7);
        floats[i] = (float)i / 3;
    }
    rnnc_tensor_make(&tensors[0], RNNC_F16, 2, (size_t[]){2, 5}, halves, sizeof halves);
    rnnc_tensor_make(&tensors[1], RNNC_F32, 2, (size_t[]){2, 2}, floats, sizeof floats);
    cr_assert_eq(rnnc_safetensors_write(path, 2, names, tensors, 0, NULL, NULL, &error), RNNC_OK);
    rnnc_safetensors *file;
    cr_assert_eq(rnnc_safetensors_open(path, &file, &error), RNNC_OK);
    static const rnnc_weight list[] = {{"weight_ih_l0", 2, 5}, {"weight_hh_l0", 2, 2}};
    const float **loaded;
    cr_assert_eq(rnnc_weights_load(2, list, NULL, file, &loaded, &error), RNNC_OK);
    for (size_t i = 0; i < 10; i++)
        cr_expect(loaded[0][i] == rnnc_f16_to_f32(halves[i]));
    for (size_t i = 0; i < 4; i++)
        cr_expect(loaded[1][i] == floats[i]);
    rnnc_weights_free(loaded);
    rnnc_safetensors_close(file);
}

Test(runtime_weights, configs) {
    static const struct {
        rnnc_config config;
        rnnc_status status;
        const char *says;
    } configs[] = {
        {{RNNC_GRU, 1, 1, 1, 0, 1, 1, 0}, RNNC_OK, ""},
        {{(rnnc_cell)4, 1, 1, 1, 0, 0, 0, 0}, RNNC_ERR_ARGUMENT, "cell is 4"},
        {{RNNC_GRU, 0, 1, 1, 0, 0, 0, 0}, RNNC_ERR_ARGUMENT, "input_size is 0"},
        {{RNNC_GRU, 1, 0, 1, 0, 0, 0, 0}, RNNC_ERR_ARGUMENT, "hidden_size is 0"},
        {{RNNC_GRU, 1, 1, 0, 0, 0, 0, 0}, RNNC_ERR_ARGUMENT, "num_layers is 0"},
        {{RNNC_GRU, 1, 1, 1, 2, 0, 0, 0}, RNNC_ERR_ARGUMENT, "bias is 2"},
        {{RNNC_GRU, 1, 1, 1, 0, -1, 0, 0}, RNNC_ERR_ARGUMENT, "batch_first is -1"},
        {{RNNC_GRU, 1, 1, 1, 0, 0, 7, 0}, RNNC_ERR_ARGUMENT, "bidirectional is 7"},
        {{RNNC_GRU, 1, 1, 1, .reverse = 1}, RNNC_OK, ""},
        {{RNNC_GRU, 1, 1, 1, .reset_before = 1}, RNNC_OK, ""},
        {{RNNC_LSTM, 1, 1, 1, .peepholes = 1}, RNNC_OK, ""},
        {{RNNC_LSTM, 1, 1, 1, .peepholes = 2}, RNNC_ERR_ARGUMENT, "peepholes is 2"},
        {{RNNC_GRU, 1, 1, 1, .peepholes = 1}, RNNC_ERR_ARGUMENT, "only a cell lstm has them"},
        {{RNNC_GRU, 1, 1, 1, .layer_norm = 1, .norm_eps = 0.5f}, RNNC_OK, ""},
        {{RNNC_LSTM, 1, 1, 1, .layer_norm = 1, .norm_state = 1}, RNNC_OK, ""},
        {{RNNC_LSTM, 1, 1, 1, .layer_norm = 2}, RNNC_ERR_ARGUMENT, "layer_norm is 2"},
        {{RNNC_RNN_TANH, 1, 1, 1, .layer_norm = 1}, RNNC_ERR_ARGUMENT, "only cells lstm and gru"},
        {{RNNC_LSTM, 1, 1, 1, 1, .layer_norm = 1}, RNNC_ERR_ARGUMENT, "give 0 for bias"},
        {{RNNC_LSTM, 1, 1, 1, .layer_norm = 1, .peepholes = 1}, RNNC_ERR_ARGUMENT, "peepholes"},
        {{RNNC_LSTM, 1, 2, 1, .layer_norm = 1, .proj_size = 1}, RNNC_ERR_ARGUMENT, "proj_size"},
        {{RNNC_GRU, 1, 1, 1, .layer_norm = 1, .reset_before = 1},
         RNNC_ERR_ARGUMENT,
         "reset_before"},
        {{RNNC_GRU, 1, 1, 1, .layer_norm = 1, .norm_state = 1}, RNNC_ERR_ARGUMENT, "cell state"},
        {{RNNC_LSTM, 1, 1, 1, .norm_state = 1}, RNNC_ERR_ARGUMENT, "without layer_norm give 0"},
        {{RNNC_LSTM, 1, 1, 1, .norm_eps = NAN}, RNNC_ERR_ARGUMENT, "without layer_norm give 0"},
        {{RNNC_LSTM, 1, 1, 1, .layer_norm = 1, .norm_eps = -1},
         RNNC_ERR_ARGUMENT,
         "norm_eps is -1"},
        {{RNNC_LSTM, 1, 1, 1, .layer_norm = 1, .norm_eps = NAN}, RNNC_ERR_ARGUMENT, "0 or more"},
        {{RNNC_LSTM, 1, 1, 1, .layer_norm = 1, .norm_eps = INFINITY}, RNNC_ERR_ARGUMENT, "finite"},
        {{RNNC_LSTM, 1, SIZE_MAX / 3, 1, .layer_norm = 1}, RNNC_ERR_OVERFLOW, "smaller sizes"},
        {{RNNC_GRU, 1, 1, 1, .clip = 0.5f, .own_functions = 1}, RNNC_OK, ""},
        {{RNNC_GRU, 1, 1, 1, .clip = -0.5f}, RNNC_ERR_ARGUMENT, "clip is -0.5"},
        {{RNNC_GRU, 1, 1, 1, .clip = NAN}, RNNC_ERR_ARGUMENT, "finite number above 0"},
        {{RNNC_GRU, 1, 1, 1, .clip = INFINITY}, RNNC_ERR_ARGUMENT, "finite number above 0"},
        {{RNNC_GRU, 1, 1, 1, .own_functions = 2}, RNNC_ERR_ARGUMENT, "own_functions is 2"},
        {{RNNC_GRU, 1, 1, 1, .own_functions = 1, .gate = {RNNC_SOFTMAX, 0, 0}},
         RNNC_ERR_ARGUMENT,
         "gate is activation 4: give one of single values"},
        {{RNNC_GRU, 1, 1, 1, .own_functions = 1, .candidate = {RNNC_SHIFT + 1, 0, 0}},
         RNNC_ERR_ARGUMENT,
         "candidate is activation 23"},
        {{RNNC_GRU, 1, 1, 1, .own_functions = 1, .candidate = {RNNC_PRELU, 0, 0}},
         RNNC_ERR_ARGUMENT,
         "candidate is activation 20: give one of single values"},
        {{RNNC_LSTM, 1, 1, 1, .own_functions = 1, .output = {RNNC_ELU, NAN, 0}},
         RNNC_ERR_ARGUMENT,
         "the alpha of output is not finite"},
        {{RNNC_GRU, 1, 1, 1, .own_functions = 1, .gate = {RNNC_AFFINE, 1, INFINITY}},
         RNNC_ERR_ARGUMENT,
         "the beta of gate is not finite"},
        {{RNNC_GRU, 1, 1, 1, .own_functions = 1, .gate = {RNNC_HARD_TANH, 1, 0.5f}},
         RNNC_ERR_ARGUMENT,
         "gate is bounded by an alpha of 1 and a beta of 0.5"},
        {{RNNC_GRU, 1, 1, 1, .reset_before = 3}, RNNC_ERR_ARGUMENT, "reset_before is 3"},
        {{RNNC_LSTM, 1, 1, 1, .reset_before = 1}, RNNC_ERR_ARGUMENT, "only a cell gru"},
        {{RNNC_GRU, 1, 1, 1, .reverse = 2}, RNNC_ERR_ARGUMENT, "reverse is 2"},
        {{RNNC_GRU, 1, 1, 1, .bidirectional = 1, .reverse = 1}, RNNC_ERR_ARGUMENT, "one of them"},
        {{RNNC_LSTM, SIZE_MAX / 4, 5, 1, 0, 0, 0, 0}, RNNC_ERR_OVERFLOW, "smaller sizes"},
        {{RNNC_LSTM, 1, SIZE_MAX / 3, 1, 0, 0, 0, 0}, RNNC_ERR_OVERFLOW, "smaller sizes"},
        {{RNNC_LSTM, 1, (size_t)1 << 31, 1, 0, 0, 1, 0}, RNNC_ERR_OVERFLOW, "smaller sizes"},
        {{RNNC_LSTM, 1, 1, SIZE_MAX, 0, 0, 0, 0}, RNNC_ERR_OVERFLOW, "smaller sizes"},
        {{RNNC_LSTM, 1, 1, SIZE_MAX / 8, 1, 0, 1, 0}, RNNC_ERR_OVERFLOW, "smaller sizes"},
    };
    for (size_t i = 0; i < sizeof configs / sizeof configs[0]; i++) {
        error.message[0] = '\0';
        cr_expect_eq(rnnc_config_check(&configs[i].config, &error), configs[i].status, "row %zu",
                     i);
        cr_expect(strstr(error.message, configs[i].says), "row %zu: %s", i, error.message);
        cr_expect_eq(rnnc_config_weight_floats(&configs[i].config) > 0,
                     configs[i].status == RNNC_OK);
        rnnc_layer layer;
        const rnnc_network network = problem_network(&configs[i].config, &layer);
        cr_expect_eq(rnnc_generic_prepared_count(&network) > 0, configs[i].status == RNNC_OK);
    }
    cr_expect_eq(rnnc_config_check(NULL, NULL), RNNC_ERR_ARGUMENT);
}

/* A message about very many weights is cut, and takes no time. */
Test(runtime_weights, many_missing, .timeout = 20) {
    rnnc_config deep = base;
    deep.num_layers = 20000;
    cr_expect_eq(check(&base, "", &deep, NULL), RNNC_ERR_MISSING);
    cr_expect_eq(strlen(error.message), sizeof error.message - 1);
    cr_expect(strcmp(error.message + sizeof error.message - 4, "...") == 0);
}
