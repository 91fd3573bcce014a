/* `rnnc verify`: cases that were recorded elsewhere, networks in which rounding grows, and inputs
 * that are large or rare. */
#define _XOPEN_SOURCE 700
#include "../runtime/rnnc.h"
#include "support/cli.h"
#include "support/generate.h"
#include "support/rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void write_file(const char *dir, const char *name, const char *text) {
    char path[PATH_SIZE];
    path_join(path, dir, name);
    cr_assert(file_write(path, text, strlen(text)));
}

static void expect_verdict(const outcome *result, const char *verdict, const char *says) {
    const size_t length = strlen(result->out), tail = strlen(verdict);
    cr_expect(length > tail && strcmp(result->out + length - tail, verdict) == 0, "%s%s",
              result->out, result->err);
    cr_expect_eq(result->code, strcmp(verdict, "PASS\n") == 0 ? 0 : 1);
    cr_expect(strstr(result->out, says), "\"%s\" is not in\n%s", says, result->out);
}

/* verify of a spec with that text and a case. */
static void expect_case(const char *text, const char *recorded, const char *verdict,
                        const char *says) {
    char dir[PATH_SIZE], path[PATH_SIZE], option[PATH_SIZE + 8];
    workdir_make(dir);
    write_file(dir, "net.lua", text);
    path_join(path, dir, "net.lua");
    snprintf(option, sizeof option, "--case=%s", recorded);
    outcome result = run(NULL, "verify", path, option, NULL, NULL);
    expect_verdict(&result, verdict, says);
    outcome_free(&result);
    workdir_remove(dir);
}

/* x (T, 1) and y (T, 1) alone, and the weights of the network that is verified. */
Test(verify_recorded, of_an_imported_network, .timeout = 120) {
    static const char *const folders[][2] = {{"klon_centaur_50", "centaur_50.json"},
                                             {"neuralseed_gru8", "gru8_ts9_pytorch.json"}};
    for (size_t i = 0; i < 2; i++) {
        char path[PATH_SIZE], option[PATH_SIZE];
        snprintf(path, sizeof path, "tests/import/%s/%s", folders[i][0], folders[i][1]);
        snprintf(option, sizeof option, "--case=tests/import/%s/vectors.safetensors",
                 folders[i][0]);
        outcome result = run(NULL, "verify", path, option, NULL, NULL);
        expect_verdict(&result, "PASS\n", "\nagainst the recorded outputs\n");
        /* There is no hn to compare with. */
        cr_expect(strstr(result.out, "          -         -       -\n"), "%s", result.out);
        outcome_free(&result);
    }
}

/* A spec for calls of fewer steps and sequences than the case has: states are carried. */
/* ---- archives of NumPy ---- */

static void make_npz(const char *first, const char *second) {
    const char *const argv[] = {"python3", "tests/import/make_npz.py", first, second, NULL};
    outcome o = process_run(argv, NULL, NULL, 60);
    cr_assert_eq(o.code, 0, "%s", o.err);
    outcome_free(&o);
}

/* The same as of the safetensors file: floats, tokens, and weights in the case. */
Test(verify_recorded, of_numpy, .timeout = 300) {
    static const struct {
        const char *model, *vectors;
    } list[] = {
        {"tests/import/klon_centaur_50/centaur_50.json",
         "tests/import/klon_centaur_50/vectors.safetensors"},
        {"tests/import/ml5_charrnn_shakespeare/manifest.json",
         "tests/import/ml5_charrnn_shakespeare/vectors.safetensors"},
    };
    for (size_t i = 0; i < 2; i++) {
        char dir[PATH_SIZE], path[PATH_SIZE], option[PATH_SIZE + 8];
        workdir_make(dir);
        path_join(path, dir, "case.npz");
        make_npz(list[i].vectors, path);
        snprintf(option, sizeof option, "--case=%s", path);
        outcome of_numpy = run(NULL, "verify", list[i].model, option, NULL, NULL);
        expect_verdict(&of_numpy, "PASS\n", "\nagainst the recorded outputs\n");
        snprintf(option, sizeof option, "--case=%s", list[i].vectors);
        outcome o = run(NULL, "verify", list[i].model, option, NULL, NULL);
        cr_expect_str_eq(of_numpy.out, o.out);
        outcome_free(&o);
        outcome_free(&of_numpy);
        workdir_remove(dir);
    }
}

Test(verify_recorded, of_numpy_that_is_wrong, .timeout = 120) {
    static const char *const wrong[][2] = {
        {"no_array", "readme.txt is no array of an .npz file: NAME.npy\n"},
        {"no_npy", "x.npy is no .npy file\n"},
        {"version", "x.npy is of version 9 of the format\n"},
        {"long_header", "x.npy has a header that is longer than it may be\n"},
        {"records", "x.npy has a header that NumPy does not write, or records\n"},
        {"code", "x.npy has a header that NumPy does not write, or records\n"},
        {"big_endian", "x.npy is of type >f4; write it with astype(\"float32\") or, of tokens and "
                       "lengths, \"int32\"\n"},
        {"objects", "x.npy is of type |O; write it with astype(\"float32\")"},
        {"fortran", "x.npy lies in Fortran's order; write np.ascontiguousarray of it\n"},
        {"short", "x.npy has 7 bytes of values, and its shape (2, 1) is of 8\n"},
        {"long", "x.npy has 9 bytes of values, and its shape (2, 1) is of 8\n"},
        {"huge", "x.npy has a shape of too many values\n"},
        {"many_axes", "x.npy has more than 8 axes\n"},
        {"bomb", "is no archive that can be read: member 1 of the archive cannot be read: it would "
                 "be more than 64 times as large"},
        {"cut_off", "is no archive that can be read: "},
        {"no_y", "a recorded case needs a tensor y\n"},
        {"x_of_integers", "x is of type I32; write it as float32\n"},
        {"three_lengths", "lengths is (3), and (1) is expected, a number of steps for each "
                          "sequence\n"},
        {"long_length", "a sequence of 1099511627776 steps, of which there are 2\n"},
        {"negative_length", "a sequence of -2 steps, of which there are 2\n"},
        {"half_length", "a sequence of -1 steps, of which there are 2\n"},
    };
    char dir[PATH_SIZE], option[64], start[64];
    workdir_make(dir);
    make_npz("wrong", dir);
    write_file(dir, "net.lua", "return rnn { input_size = 1, hidden_size = 2, lengths = true }\n");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(option, sizeof option, "--case=%s.npz", wrong[i][0]);
        const int n = snprintf(start, sizeof start, "%s.npz: error: ", wrong[i][0]);
        outcome o = run(dir, "verify", "net.lua", option, NULL, NULL);
        cr_expect_eq(o.code, 1, "%s: %d", wrong[i][0], o.code);
        cr_expect(strncmp(o.err, start, (size_t)n) == 0 &&
                      strstr(o.err + n, wrong[i][1]) == o.err + n,
                  "%s: %s", wrong[i][0], o.err);
        outcome_free(&o);
    }
    workdir_remove(dir);
}

Test(verify_recorded, in_pieces, .timeout = 300) {
    expect_case("return rnn { input_size = 20, hidden_size = 50, num_layers = 2, seq_len = 25,\n"
                "  batch = 8, target = \"portable\" }\n",
                "tests/cases/rnn_tanh_20_50_2_1_1_0_100_32.safetensors", "PASS\n",
                "     100     32  ");
    expect_case("return rnn { cell = \"gru\", input_size = 32, hidden_size = 64, num_layers = 3,\n"
                "  seq_len = 4, batch_first = true, target = \"portable\" }\n",
                "tests/cases/gru_32_64_3_1_1_1_12_5.safetensors", "PASS\n", "      12      5  ");
    expect_case("return rnn { cell = \"lstm\", input_size = 20, hidden_size = 50, num_layers = 2,\n"
                "  bidirectional = true, batch = 2, target = \"portable\" }\n",
                "tests/cases/lstm_20_50_2_2_1_0_30_4.safetensors", "PASS\n", "      30      4  ");
    expect_case("return rnn { cell = \"lstm\", input_size = 1, hidden_size = 20, seq_len = 1,\n"
                "  target = \"portable\" }\n",
                "tests/cases/lstm_1_20_1_1_1_0_200_1.safetensors", "PASS\n", "     200      1  ");
}

/* ---- files of this test's own ---- */

typedef struct array {
    const char *name;
    int rank;
    size_t shape[3];
    float *values;
} array;

static void write_arrays(const char *dir, const char *file, size_t count, const array *arrays) {
    const char *names[16];
    rnnc_tensor tensors[16];
    rnnc_error error;
    char path[PATH_SIZE];
    cr_assert(count <= 16);
    for (size_t i = 0; i < count; i++) {
        size_t values = 1;
        for (int axis = 0; axis < arrays[i].rank; axis++)
            values *= arrays[i].shape[axis];
        names[i] = arrays[i].name;
        cr_assert(rnnc_tensor_make(&tensors[i], RNNC_F32, arrays[i].rank, arrays[i].shape,
                                   arrays[i].values, values * sizeof(float)) == RNNC_OK);
    }
    path_join(path, dir, file);
    cr_assert(rnnc_safetensors_write(path, count, names, tensors, 0, NULL, NULL, &error) ==
              RNNC_OK);
}

/* What verify says of a case with x of that shape, of a network of 3 inputs and 2 outputs. */
static void expect_error(const char *fields, size_t count, const array *arrays, const char *says) {
    char dir[PATH_SIZE], text[256];
    workdir_make(dir);
    snprintf(text, sizeof text,
             "return rnn { target = \"native\", input_size = 3, hidden_size = 2, %s }\n", fields);
    write_file(dir, "net.lua", text);
    write_arrays(dir, "case.safetensors", count, arrays);
    expect(dir, 1, "", says, "verify", "net.lua", "--case=case.safetensors", NULL);
    workdir_remove(dir);
}

Test(verify_recorded, that_do_not_fit) {
    static float values[64];
    const array x = {"x", 2, {6, 3}, values}, y = {"y", 2, {6, 2}, values},
                wide = {"x", 2, {6, 4}, values}, h0 = {"h0", 2, {1, 2}, values},
                w_ih = {"weight_ih_l0", 2, {8, 3}, values};
#define C "case.safetensors: error: "
    expect_error("", 1, &y, C "a recorded case needs a tensor x (T, B, 3) or (T, 3)\n");
    expect_error("", 1, &x, C "a recorded case needs a tensor y\n");
    expect_error("", 2, (array[]){wide, y},
                 C "x is (6, 4), expected (T, B, 3) or (T, 3); T steps, B sequences\n");
    expect_error("", 2, (array[]){x, y},
                 C "there are no weights in the case, and the spec names none; write weights = "
                   "\"...\" there\n");
    expect_error("seq_len = 4", 2, (array[]){x, y}, C "the case has seq_len = 6, the spec 4\n");
    expect_error("batch = 2, bidirectional = true, seq_len = 3", 2, (array[]){x, y},
                 C "the case has seq_len = 6, the spec 3\n" C "the case has batch = 1, the spec "
                   "2\n");
    expect_error("cell = \"lstm\"", 4, (array[]){x, y, h0, w_ih},
                 C "a recorded case of lstm needs both h0 and c0, or neither\n");
#undef C
}

/* ---- weights that make much of little ---- */

enum { VOCABULARY = 30, DIM = 16, UNITS = 64 };

/* Weights of a text model in which an error grows some ten times in a step; with `change` more in
 * all weights of the input, or in the last token's row. */
static void write_chaos(const char *dir, const char *file, float change, bool last_token) {
    static float values[UNITS * UNITS + 2 * UNITS * DIM + VOCABULARY * (DIM + UNITS + 1)];
    rng r = {5};
    float *const e = values, *const ih = e + VOCABULARY * DIM, *const hh = ih + UNITS * DIM,
                 *const d = hh + UNITS * UNITS;
    rng_fill(&r, e, VOCABULARY * DIM, 2);
    rng_fill(&r, ih, UNITS * DIM, 2);
    rng_fill(&r, hh, (size_t)UNITS * UNITS, 3);
    rng_fill(&r, d, (size_t)VOCABULARY * UNITS, 2);
    for (size_t i = 0; i < (size_t)UNITS * DIM; i++)
        ih[i] += last_token ? 0 : change;
    e[VOCABULARY * DIM - 1] += last_token ? change : 0;
    const array arrays[] = {{"e.weight", 2, {VOCABULARY, DIM}, e},
                            {"r.weight_ih_l0", 2, {UNITS, DIM}, ih},
                            {"r.weight_hh_l0", 2, {UNITS, UNITS}, hh},
                            {"d.weight", 2, {VOCABULARY, UNITS}, d}};
    write_arrays(dir, file, 4, arrays);
}

static const char chaos[] =
    "return model { name = \"net\", weights = \"net.safetensors\", target = \"portable\",\n"
    "  seq_len = %d, layers = { embedding { num_embeddings = 30, dim = 16, prefix = \"e.\" },\n"
    "    rnn { hidden_size = 64, bias = false, prefix = \"r.\" },\n"
    "    dense { units = 30, bias = false, activation = \"softmax\", prefix = \"d.\" } } }\n";

/* verify with a compiler that is given what was generated of other weights. */
static outcome verify_chaos(const char *dir, int seq_len, float change, bool last_token) {
    static const char cc[] = "#!/bin/sh\n"
                             "while [ \"$1\" != -o ]; do shift; done\n"
                             "exec cc -O1 -shared -fPIC -Iwrong -o \"$2\" wrong/*.c -lm\n";
    char text[1024], path[PATH_SIZE];
    snprintf(text, sizeof text, chaos, seq_len);
    write_file(dir, "net.lua", text);
    write_file(dir, "cc.sh", cc);
    path_join(path, dir, "cc.sh");
    cr_assert_eq(chmod(path, 0700), 0);
    write_chaos(dir, "net.safetensors", change, last_token);
    outcome made = run(dir, "compile", "net.lua", "-o", "wrong", "--force");
    cr_assert_eq(made.code, 0, "%s", made.err);
    outcome_free(&made);
    write_chaos(dir, "net.safetensors", 0, false);
    return run(dir, "verify", "net.lua", "--cc=./cc.sh", NULL, NULL);
}

/* 60 steps on, rounding alone has made another sequence of it; but the first ones tell right from
 * wrong, in one row of the embedding. Without chaos, one step, only the run with all tokens does.
 */
Test(verify_recorded, rounding_grows, .timeout = 300) {
    char dir[PATH_SIZE];
    workdir_make(dir);
    outcome result = verify_chaos(dir, 60, 0, false);
    expect_verdict(&result, "PASS\n", "; rounding alone does 2.0e+00\n");
    cr_expect(strstr(result.out, "or 16 times what rounding alone does to the output"));
    outcome_free(&result);
    result = run(dir, "bench", "net.lua", "--seconds=0.01", NULL, NULL);
    cr_expect(result.code == 0 && !strstr(result.out, "wrong"), "%s%s", result.out, result.err);
    outcome_free(&result);
    result = verify_chaos(dir, 60, 1e-4F, false);
    expect_verdict(&result, "FAIL\n", "<- too large; rounding alone does 2.0e+00\n");
    outcome_free(&result);
    workdir_remove(dir);
}

/* Wrong in one token's row only. */
Test(verify_recorded, all_tokens, .timeout = 120) {
    char dir[PATH_SIZE];
    workdir_make(dir);
    outcome result = verify_chaos(dir, 1, 1, true);
    expect_verdict(&result, "FAIL\n", "       1     30  no    each 1 ");
    outcome_free(&result);
    workdir_remove(dir);
}

Test(verify_recorded, weights_that_are_nan, .timeout = 120) {
    static float values[64];
    char dir[PATH_SIZE];
    workdir_make(dir);
    write_file(
        dir, "net.lua",
        "return rnn { input_size = 3, hidden_size = 2, bias = false, target = \"portable\",\n"
        "  weights = \"net.safetensors\" }\n");
    values[4] = NAN;
    const array arrays[] = {{"weight_ih_l0", 2, {2, 3}, values},
                            {"weight_hh_l0", 2, {2, 2}, values + 8}};
    write_arrays(dir, "net.safetensors", 2, arrays);
    outcome result = run(dir, "verify", "net.lua", NULL, NULL, NULL);
    cr_expect_str_eq(result.err, "net.safetensors: note: 1 of the weights are NaN or infinite\n");
    outcome_free(&result);
    workdir_remove(dir);
}

/* ---- inputs ---- */

/* y = relu(x), of two values, as the generated code of a network computes it that does not. */
static void expect_caught(const char *body, const char *says) {
    static const char wrong[] =
        "#include \"rnnc.h\"\n"
        "static size_t size(size_t t, size_t b) { return t * b * 4; }\n"
        "static rnnc_status forward(const rnnc_call *c) {\n"
        "    for (size_t i = 0; i < 2; i++) {\n"
        "        c->y[i] = c->x[i] < 0 ? 0 : c->x[i];\n%s\n        c->hn[i] = c->y[i];\n    }\n"
        "    return RNNC_OK;\n}\n"
        "static const float weights[1];\n"
        "static const rnnc_layer layer = {.recurrent = {RNNC_RNN_RELU, 2, 2, 1, 0, 0, 0, 0}};\n"
        "const rnnc_model net_model = {.abi = RNNC_ABI, .name = \"net\", .target = \"portable\",\n"
        "    .seq_len = 1, .batch = 1, .network = {1, &layer, 0, 0}, .weight_count = 2,\n"
        "    .packed_count = 1, .built_in = weights, .workspace_size = size, .forward = "
        "forward};\n";
    static const char cc[] = "#!/bin/sh\n"
                             "for word; do case $word in -I*) include=$word ;; esac; done\n"
                             "while [ \"$1\" != -o ]; do shift; done\n"
                             "exec cc -shared -fPIC $include -o \"$2\" wrong.c\n";
    static float identity[] = {1, 0, 0, 1}, zeros[4];
    char dir[PATH_SIZE], path[PATH_SIZE], text[2048];
    workdir_make(dir);
    write_file(dir, "net.lua",
               "return rnn { target = \"native\", name = \"net\", input_size = 2, hidden_size = 2, "
               "seq_len = 1,\n"
               "  bias = false, nonlinearity = \"relu\", weights = \"net.safetensors\" }\n");
    const array arrays[] = {{"weight_ih_l0", 2, {2, 2}, identity},
                            {"weight_hh_l0", 2, {2, 2}, zeros}};
    write_arrays(dir, "net.safetensors", 2, arrays);
    snprintf(text, sizeof text, wrong, body);
    write_file(dir, "wrong.c", text);
    write_file(dir, "cc.sh", cc);
    path_join(path, dir, "cc.sh");
    cr_assert_eq(chmod(path, 0700), 0);
    outcome result = run(dir, "verify", "net.lua", "--cc=./cc.sh", NULL, NULL);
    expect_verdict(&result, *body ? "FAIL\n" : "PASS\n", says);
    outcome_free(&result);
    workdir_remove(dir);
}

Test(verify_recorded, far_inputs, .timeout = 120) {
    expect_caught("", "       1      1  yes   to 1000 ");
    expect_caught("if (c->x[i] * c->x[i] > 64) c->y[i] = 8;", "<- too large");
    expect_caught("if (c->x[0] == 0 && c->x[1] == 1) c->y[1] = 0;", "<- too large");
}
