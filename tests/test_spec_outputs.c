/* Models with several outputs: dense layers, and chains of them, that read one layer. What rnnc
 * makes of them is compared with values that are computed here, layer by layer, in double. */
#define _XOPEN_SOURCE 700
#include "rnnc.h"
#include "support/cli.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 3, IN = 2, TRUNK = 3 };

/* A dense layer of the model: rows of weights, biases, and whether tanh follows. */
typedef struct layer {
    const char *weight, *bias; /* names of its tensors; bias NULL: it has none */
    size_t units, inputs;
    int tanh;
    float w[16], b[4];
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
        y[i] = l->tanh ? tanh(sum) : sum;
    }
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
    float x[STEPS * IN], y[STEPS * 8];
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
        double in[IN] = {x[t * IN], x[t * IN + 1]}, trunk[4], one[4], other[4];
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
        {"rec.weight", "rec.bias", TRUNK, IN, 1, {0}, {0}},
        {"b.weight", NULL, 2, TRUNK, 0, {0}, {0}},
        {"a.weight", "a.bias", 3, TRUNK, 0, {0}, {0}},
        {"c.weight", "c.bias", 1, TRUNK, 0, {0}, {0}},
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
        {"rec.weight", "rec.bias", TRUNK, IN, 0, {0}, {0}},
        {"a.0.weight", "a.0.bias", 4, TRUNK, 1, {0}, {0}},
        {"a.2.weight", "a.2.bias", 1, 4, 0, {0}, {0}},
        {"b.0.weight", "b.0.bias", 2, TRUNK, 1, {0}, {0}},
        {"b.2.weight", NULL, 3, 2, 0, {0}, {0}},
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
    /* Those of all heads together, as training writes them. */
    const char *const names[] = {"t.weight", "heads.weight"};
    rnnc_tensor tensors[2];
    static float all[15];
    tensor(&tensors[0], 2, 3, 2, 0, values);
    tensor(&tensors[1], 2, 5, 3, 0, all);
    path_join(path, dir, "w.safetensors");
    cr_assert_eq(rnnc_safetensors_write(path, 2, names, tensors, 0, NULL, NULL, NULL), RNNC_OK);
    expect_runs(run(dir, "compile", "net.lua", NULL, NULL, NULL), "together");
    workdir_remove(dir);
}

/* Behind layers of their own all weights would learn, also those that are 0. */
Test(spec_outputs, no_training_of_chains, .timeout = 60) {
    static const char spec[] =
        "return model { train = true, layers = {\n"
        "dense { input_size = 2, units = 3, name = \"trunk\", prefix = \"t.\" },\n"
        "dense { units = 4, prefix = \"a.0.\" }, dense { units = 4, name = \"a\", prefix = "
        "\"a.1.\" },\n"
        "dense { units = 1, from = \"trunk\", prefix = \"b.0.\" },\n"
        "dense { units = 4, name = \"b\", prefix = \"b.1.\" },\n"
        "}, outputs = { \"a\", \"b\" } }\n";
    char dir[PATH_SIZE], path[PATH_SIZE];
    workdir_make(dir);
    path_join(path, dir, "net.lua");
    cr_assert(file_write(path, spec, strlen(spec)));
    expect(dir, 1, "",
           "net.lua: error: train: layer 3 is one of outputs behind layers of their own, of which "
           "training would use every weight for all; train outputs that are one dense layer each\n",
           "compile", "net.lua", NULL, NULL);
    workdir_remove(dir);
}
