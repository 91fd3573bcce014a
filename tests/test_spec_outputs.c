/* Models with several outputs: dense layers, and chains of them, that read one layer. What rnnc
 * makes of them is compared with values that are computed here, layer by layer, in double. */
#define _XOPEN_SOURCE 700
#include "rnnc.h"
#include "support/cli.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 3, IN = 2, TRUNK = 3 };

/* What follows a layer's sums. */
typedef enum function { NONE, TANH, SIGMOID, ELU, SOFTMAX, LOG_SOFTMAX } function;

/* A dense layer of the model: rows of weights, biases, and a function. */
typedef struct layer {
    const char *weight, *bias; /* names of its tensors; bias NULL: it has none */
    size_t units, inputs;
    function of;
    float w[192], b[64];
} layer;

/* Values that no two places share. */
static void fill(layer *l, float seed) {
    for (size_t i = 0; i < l->units * l->inputs; i++)
        l->w[i] = sinf(seed + 1.7F * (float)i);
    for (size_t i = 0; l->bias && i < l->units; i++)
        l->b[i] = cosf(seed + 0.9F * (float)i);
}

static void run_layer(const layer *l, const double *x, double *y) {
    for (size_t i = 0; i < l->units; i++) {
        double sum = l->bias ? l->b[i] : 0;
        for (size_t k = 0; k < l->inputs; k++)
            sum += (double)l->w[i * l->inputs + k] * x[k];
        y[i] = sum;
    }
    double total = 0;
    for (size_t i = 0; i < l->units; i++)
        total += exp(y[i]);
    for (size_t i = 0; i < l->units; i++)
        y[i] = l->of == TANH          ? tanh(y[i])
               : l->of == SIGMOID     ? 1 / (1 + exp(-y[i]))
               : l->of == ELU         ? (y[i] > 0 ? y[i] : 0.5 * expm1(y[i])) /* alpha = 0.5 */
               : l->of == SOFTMAX     ? exp(y[i]) / total
               : l->of == LOG_SOFTMAX ? y[i] - log(total)
                                      : y[i];
}

static void tensor(rnnc_tensor *t, int rank, size_t a, size_t b, size_t c, float *data) {
    const size_t shape[] = {a, b, c}, count = a * (rank > 1 ? b : 1) * (rank > 2 ? c : 1);
    cr_assert_eq(rnnc_tensor_make(t, RNNC_F32, rank, shape, data, count * sizeof *data), RNNC_OK);
}

/* The trunk, then for each output `depth` layers, outputs one after the other in the order of y. */
static void check(const char *spec, layer *list, size_t outputs, size_t depth, const char *header) {
    char dir[PATH_SIZE], path[PATH_SIZE];
    const char *names[20];
    rnnc_tensor tensors[20];
    float x[STEPS * IN], y[STEPS * 128];
    size_t count = 0, width = 0;
    const size_t layers = 1 + outputs * depth;
    for (size_t i = 0; i < STEPS * IN; i++)
        x[i] = 1.5F * cosf(2.3F * (float)i);
    for (size_t i = 0; i < layers; i++) {
        fill(&list[i], (float)(i + 1));
        names[count] = list[i].weight;
        tensor(&tensors[count++], 2, list[i].units, list[i].inputs, 0, list[i].w);
        if (list[i].bias) {
            names[count] = list[i].bias;
            tensor(&tensors[count++], 1, list[i].units, 0, 0, list[i].b);
        }
    }
    for (size_t o = 0; o < outputs; o++)
        width += list[(o + 1) * depth].units;
    for (size_t t = 0; t < STEPS; t++) {
        double in[IN] = {x[t * IN], x[t * IN + 1]}, trunk[64], one[64], other[64];
        float *to = y + t * width;
        run_layer(&list[0], in, trunk);
        for (size_t o = 0; o < outputs; o++) {
            memcpy(one, trunk, sizeof one);
            for (size_t k = 0; k < depth; k++) {
                run_layer(&list[1 + o * depth + k], one, other);
                memcpy(one, other, sizeof one);
            }
            for (size_t i = 0; i < list[(o + 1) * depth].units; i++)
                *to++ = (float)one[i];
        }
    }
    workdir_make(dir);
    path_join(path, dir, "w.safetensors");
    cr_assert_eq(rnnc_safetensors_write(path, count, names, tensors, 0, NULL, NULL, NULL), RNNC_OK);
    const char *const case_names[] = {"x", "y"};
    tensor(&tensors[0], 3, STEPS, 1, IN, x);
    tensor(&tensors[1], 3, STEPS, 1, width, y);
    path_join(path, dir, "case.safetensors");
    cr_assert_eq(rnnc_safetensors_write(path, 2, case_names, tensors, 0, NULL, NULL, NULL),
                 RNNC_OK);
    path_join(path, dir, "net.lua");
    cr_assert(file_write(path, spec, strlen(spec)));
    expect_runs(run(dir, "verify", "net.lua", "--case=case.safetensors", NULL, NULL), spec);
    expect_runs(run(dir, "compile", "net.lua", NULL, NULL, NULL), spec);
    path_join(path, dir, "net.h");
    char *const text = file_read(path, NULL);
    cr_expect(text && strstr(text, header), "%s is not in\n%s", header, text);
    free(text);
    workdir_remove(dir);
}

/* Outputs in another order than the layers, one without a bias, a trunk with a function. */
Test(spec_outputs, one_layer_each, .timeout = 200) {
    layer list[] = {
        {"rec.weight", "rec.bias", TRUNK, IN, TANH, {0}, {0}},
        {"b.weight", NULL, 2, TRUNK, NONE, {0}, {0}},
        {"a.weight", "a.bias", 3, TRUNK, NONE, {0}, {0}},
        {"c.weight", "c.bias", 1, TRUNK, NONE, {0}, {0}},
    };
    check("return model { weights = \"w.safetensors\", target = \"portable\", layers = {\n"
          "dense { input_size = 2, units = 3, activation = \"tanh\", name = \"trunk\",\n"
          "        prefix = \"rec.\" },\n"
          "dense { units = 3, name = \"a\", prefix = \"a.\" },\n"
          "dense { units = 2, name = \"beta\", from = \"trunk\", bias = false, prefix = \"b.\" },\n"
          "dense { units = 1, name = \"c\", from = \"trunk\", prefix = \"c.\" },\n"
          "}, outputs = { \"beta\", \"a\", \"c\" } }\n",
          list, 3, 1,
          "#define NET_HEAD_BETA_OFFSET 0 /* of its first value in y */\n"
          "#define NET_HEAD_BETA_SIZE 2\n"
          "#define NET_HEAD_A_OFFSET 2 /* of its first value in y */\n"
          "#define NET_HEAD_A_SIZE 3\n"
          "#define NET_HEAD_C_OFFSET 5 /* of its first value in y */\n"
          "#define NET_HEAD_C_SIZE 1\n");
}

/* Chains: behind the first layers each output reads its own values alone. */
Test(spec_outputs, chains, .timeout = 200) {
    layer list[] = {
        {"rec.weight", "rec.bias", TRUNK, IN, NONE, {0}, {0}},
        {"a.0.weight", "a.0.bias", 4, TRUNK, TANH, {0}, {0}},
        {"a.2.weight", "a.2.bias", 1, 4, NONE, {0}, {0}},
        {"b.0.weight", "b.0.bias", 2, TRUNK, TANH, {0}, {0}},
        {"b.2.weight", NULL, 3, 2, NONE, {0}, {0}},
    };
    check("return model { weights = \"w.safetensors\", target = \"portable\", layers = {\n"
          "dense { input_size = 2, units = 3, name = \"trunk\", prefix = \"rec.\" },\n"
          "dense { units = 4, activation = \"tanh\", prefix = \"a.0.\" },\n"
          "dense { units = 1, name = \"a\", prefix = \"a.2.\" },\n"
          "dense { units = 2, activation = \"tanh\", from = \"trunk\", prefix = \"b.0.\" },\n"
          "dense { units = 3, name = \"b\", bias = false, prefix = \"b.2.\" },\n"
          "}, outputs = { \"a\", \"b\" } }\n",
          list, 2, 2,
          "#define NET_HEAD_A_SIZE 1\n"
          "#define NET_HEAD_B_OFFSET 1 /* of its first value in y */\n");
}

static const struct {
    const char *file, *line;
} wrong[] = {
    /* A head's tensor that is missing, of another shape, and one that it has no use for. */
    {"a.weight", "b.weight is missing, expected (1, 3)"},
    {"a.weight b.bias", "b.weight is missing, expected (1, 3)"},
    {"a.weight b.weight b.bias", "b.bias (4) is of no use to this network"},
    {"b.weight", "a.weight is missing, expected (4, 3)"},
};

Test(spec_outputs, weights_that_do_not_fit, .timeout = 60) {
    static const char spec[] =
        "return model { weights = \"w.safetensors\", layers = {\n"
        "dense { input_size = 2, units = 3, bias = false, name = \"trunk\", prefix = \"t.\" },\n"
        "dense { units = 4, bias = false, name = \"a\", prefix = \"a.\" },\n"
        "dense { units = 1, bias = false, name = \"b\", from = \"trunk\", prefix = \"b.\" },\n"
        "}, outputs = { \"a\", \"b\" }, train = true }\n";
    static float values[12];
    char dir[PATH_SIZE], path[PATH_SIZE];
    workdir_make(dir);
    path_join(path, dir, "net.lua");
    cr_assert(file_write(path, spec, strlen(spec)));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const char *names[4] = {"t.weight"};
        char text[64], *rest = NULL;
        rnnc_tensor tensors[4];
        size_t count = 1;
        tensor(&tensors[0], 2, 3, 2, 0, values);
        strcpy(text, wrong[i].file);
        for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
            names[count] = word;
            if (strcmp(word, "b.bias") == 0)
                tensor(&tensors[count++], 1, 4, 0, 0, values);
            else
                tensor(&tensors[count++], 2, *word == 'a' ? 4 : 1, 3, 0, values);
        }
        path_join(path, dir, "w.safetensors");
        cr_assert_eq(rnnc_safetensors_write(path, count, names, tensors, 0, NULL, NULL, NULL),
                     RNNC_OK);
        outcome o = run(dir, "check", "net.lua", NULL, NULL, NULL);
        cr_expect_eq(o.code, 1);
        cr_expect(strstr(o.err, wrong[i].line), "%s gives %s", wrong[i].file, o.err);
        outcome_free(&o);
    }
    workdir_remove(dir);
}

/* Heads with functions of their own, over whole vectors and what is left of one, over their own
 * values, and one of a single value without a function; for one sequence and for any. */
static void check_functions(const char *fields) {
    layer list[] = {
        {"t.weight", "t.bias", TRUNK, IN, TANH, {0}, {0}},
        {"p.weight", "p.bias", 5, TRUNK, SOFTMAX, {0}, {0}},
        {"v.weight", NULL, 1, TRUNK, NONE, {0}, {0}},
        {"s.weight", "s.bias", 37, TRUNK, SIGMOID, {0}, {0}},
        {"e.weight", "e.bias", 16, TRUNK, ELU, {0}, {0}},
        {"l.weight", "l.bias", 18, TRUNK, LOG_SOFTMAX, {0}, {0}},
        {"q.weight", "q.bias", 5, TRUNK, SOFTMAX, {0}, {0}},
    };
    char spec[1024];
    snprintf(spec, sizeof spec,
             "return model { weights = \"w.safetensors\", %s layers = {\n"
             "dense { input_size = 2, units = 3, activation = \"tanh\", name = \"trunk\", prefix = "
             "\"t.\" },\n"
             "dense { units = 5, activation = \"softmax\", name = \"p\", prefix = \"p.\" },\n"
             "dense { units = 1, bias = false, from = \"trunk\", name = \"v\", prefix = \"v.\" },\n"
             "dense { units = 37, activation = \"sigmoid\", from = \"trunk\", name = \"s\", prefix "
             "= \"s.\" },\n"
             "dense { units = 16, activation = \"elu\", alpha = 0.5, from = \"trunk\", name = "
             "\"e\", prefix = \"e.\" },\n"
             "dense { units = 18, activation = \"log_softmax\", from = \"trunk\", name = \"l\", "
             "prefix = \"l.\" },\n"
             "dense { units = 5, activation = \"softmax\", from = \"trunk\", name = \"q\", prefix "
             "= \"q.\" },\n"
             "}, outputs = { \"p\", \"v\", \"s\", \"e\", \"l\", \"q\" } }\n",
             fields);
    check(spec, list, 6, 1,
          "#define NET_HEAD_S_OFFSET 6 /* of its first value in y */\n"
          "#define NET_HEAD_S_SIZE 37\n");
}

Test(spec_outputs, functions_of_their_own, .timeout = 300) {
    check_functions("target = { \"portable\", \"avx2\", \"avx512\" },");
    check_functions("batch = \"any\", batch_first = true, target = \"scalar\",");
}

/* What a program trains has the heads' own tensors; behind their first layers each learns of its
 * own values alone. */
Test(spec_outputs, training, .timeout = 300) {
    static const char spec[] =
        "return model { batch = \"any\", target = \"portable\", train = true, layers = {\n"
        "rnn { input_size = 2, hidden_size = 3, name = \"trunk\", prefix = \"t.\" },\n"
        "dense { units = 4, last_step = true, activation = \"tanh\", prefix = \"a.0.\" },\n"
        "dense { units = 3, name = \"a\", activation = \"softmax\", prefix = \"a.1.\" },\n"
        "dense { units = 2, last_step = true, from = \"trunk\", activation = \"tanh\", bias = "
        "false,\n"
        "        prefix = \"b.0.\" },\n"
        "dense { units = 4, name = \"b\", activation = \"elu\", prefix = \"b.1.\" },\n"
        "}, outputs = { \"a\", \"b\" } }\n";
    static const char *const rows[] = {"\ngrad.a.0.weight  ", "\ngrad.b.0.weight  ",
                                       "\ngrad.a.1.weight  ", "\ngrad.b.1.bias  ", "\nPASS\n"};
    char dir[PATH_SIZE], path[PATH_SIZE];
    workdir_make(dir);
    path_join(path, dir, "net.lua");
    cr_assert(file_write(path, spec, strlen(spec)));
    outcome o = run(dir, "verify", "net.lua", "--gradients", NULL, NULL);
    cr_expect_eq(o.code, 0, "%s", o.err);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_expect(strstr(o.out, rows[i]), "%s is not in\n%s", rows[i], o.out);
    cr_expect(strstr(o.out, "grad.b.0.bias") == NULL, "%s", o.out);
    outcome_free(&o);
    workdir_remove(dir);
}
