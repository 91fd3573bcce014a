/* The activation operators of ONNX, each behind a product: the function of the spec, and values
 * that are computed here in double by the operators' formulas; and what `clip` of a GRU is. */
#define _XOPEN_SOURCE 700
#include "rnnc.h"
#include "support/cli.h"
#include "support/onnx.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 5, WIDTH = 3 };

static const float slopes[WIDTH] = {0.25F, -0.5F, 2};

static double step(double v, double least, double most) { return fmin(fmax(v, least), most); }

static double softplus(double v) { return fmax(v, 0) + log1p(exp(-fabs(v))); }

static double elu(double v, double alpha) { return v >= 0 ? v : alpha * expm1(v); }

/* The value of row `i` of the table below. */
static double value(size_t i, double v, size_t unit) {
    static const double ALPHA = 1.67326319217681884765625, GAMMA = 1.05070102214813232421875;
    switch (i) {
    case 0:
        return v >= 0 ? v : (double)slopes[unit] * v;
    case 1:
        return v >= 0 ? v : 0.125 * v;
    case 2:
        return v * 0.5 * erfc(-v / sqrt(2));
    case 3:
        return 0.5 * v * (1 + tanh(sqrt(2 / acos(-1)) * (v + 0.044715 * v * v * v)));
    case 4:
        return v * tanh(softplus(v));
    case 5:
        return v * step(v / 6 + 0.5, 0, 1);
    case 6:
        return v / (1 + fabs(v));
    case 7:
        return elu(v, 0.75);
    case 8:
        return elu(v, 1);
    case 9:
    case 10:
        return v / (1 + exp(-v));
    case 11:
        return v * step(v / 6 + 0.5, 0, 1);
    case 12:
        return v * tanh(softplus(v));
    case 13:
        return step(0.2 * v + 0.5, 0, 1);
    case 14:
        return GAMMA * elu(v, ALPHA);
    case 15:
        return fmax(v, 0);
    case 16:
        return softplus(v);
    case 17:
        return v >= 0 ? v : 0.01 * v;
    case 18:
        return 1 / (1 + exp(-v));
    case 19:
        return tanh(v);
    case 20:
        return v * (double)slopes[unit];
    case 21:
        return tanh(v) + (double)slopes[unit];
    case 22:
        return (double)slopes[unit] - v;
    case 23:
        return v / 0.125;
    case 24:
        return tanh(v) - 0.125;
    case 25:
        return step(v, -0.25, 0.625);
    case 26:
        return step(v, 0, 6);
    default:
        return v * 0.5 * erfc(-v / sqrt(2));
    }
}

/* Nodes from v to w; others between them are a to e. */
static const struct {
    const char *nodes, *layer;
} rows[] = {
    {"PRelu;v S;w;;", "activation = \"prelu\""},
    {"PRelu;v s;w;;", "activation = \"leaky_relu\", alpha = 0.125"},
    {"Gelu;v;w;;", "activation = \"gelu\""},
    {"Gelu;v;w;approximate=tanh;", "activation = \"gelu_tanh\""},
    {"Mish;v;w;;", "activation = \"mish\""},
    {"HardSwish;v;w;;", "activation = \"hard_swish\""},
    {"Softsign;v;w;;", "activation = \"softsign\""},
    {"Elu;v;w;alpha=0.75;", "activation = \"elu\", alpha = 0.75"},
    {"Celu;v;w;;", "activation = \"elu\""},
    {"Swish;v;w;;", "activation = \"silu\""},
    {"Sigmoid;v;a;;Mul;a v;w;;", "activation = \"silu\""},
    {"HardSigmoid;v;a;alpha=0.16666667;Mul;v a;w;;", "activation = \"hard_swish\""},
    {"Softplus;v;a;;Tanh;a;b;;Mul;v b;w;;", "activation = \"mish\""},
    {"HardSigmoid;v;w;;", "activation = \"hard_sigmoid\", alpha = 0.2"},
    {"Selu;v;w;;", "activation = \"selu\""},
    {"Relu;v;w;;", "activation = \"relu\""},
    {"Softplus;v;w;;", "activation = \"softplus\""},
    {"LeakyRelu;v;w;;", "activation = \"leaky_relu\""},
    {"Sigmoid;v;w;;", "activation = \"sigmoid\""},
    {"Tanh;v;w;;", "activation = \"tanh\""},
    {"Mul;S v;w;;", "scale { scale = true, prefix ="},
    {"Tanh;v;a;;Add;a S;w;;", "scale { shift = true, prefix ="},
    {"Sub;S v;w;;", "scale { scale = -1, shift = true, prefix ="},
    {"Div;v s;w;;", "scale { scale = 8"},
    {"Tanh;v;a;;Sub;a s;w;;", "scale { shift = -0.125"},
    {"Clip;v sl su;w;;", "activation = \"hard_tanh\", alpha = -0.25, beta = 0.625"},
    {"Clip;v s0 s6;w;;", "activation = \"relu6\""},
    {"Div;v s2;a;;Erf;a;b;;Add;b s1;c;;Mul;v c;d;;Mul;d sh;w;;", "activation = \"gelu\""},
    {"Mul;v sh;a;;Div;v s2;b;;Erf;b;c;;Add;s1 c;d;;Mul;a d;w;;", "activation = \"gelu\""},
    {"Mul;v sr;b;;Erf;b;c;;Add;c s1;d;;Mul;d sh;e;;Mul;e v;w;;", "activation = \"gelu\""},
};

enum { ROWS = sizeof rows / sizeof *rows };

/* The nodes of a row, where v, w, a and b have its number behind them. */
static void add_nodes(onnx_bytes *graph, size_t i) {
    const char *at = rows[i].nodes;
    char op[256], given[256], word[256], inputs[300], output[300], attributes[256];
    while (onnx_word(&at, ";", op)) {
        const char *names = given;
        onnx_word(&at, ";", given);
        *inputs = '\0';
        while (onnx_word(&names, " ", word))
            sprintf(inputs + strlen(inputs), *word == 'S' || *word == 's' ? "%.9s " : "%.9s%zu ",
                    word, i);
        onnx_word(&at, ";", word);
        snprintf(output, sizeof output, "%.9s%zu", word, i);
        onnx_word(&at, ";", attributes);
        onnx_node(graph, op, inputs, output, attributes);
    }
}

static void write_case(const char *dir, float *x, float *y, size_t width) {
    const size_t shape[] = {STEPS, 1, width};
    const char *const names[] = {"x", "y"};
    char path[PATH_SIZE];
    rnnc_tensor tensors[2];
    const size_t size = STEPS * width * sizeof *x;
    cr_assert_eq(rnnc_tensor_make(&tensors[0], RNNC_F32, 3, shape, x, size), RNNC_OK);
    cr_assert_eq(rnnc_tensor_make(&tensors[1], RNNC_F32, 3, shape, y, size), RNNC_OK);
    path_join(path, dir, "case.safetensors");
    cr_assert_eq(rnnc_safetensors_write(path, 2, names, tensors, 0, NULL, NULL, NULL), RNNC_OK);
}

/* All of them in one network: each behind a product of its own. */
Test(import_functions, as_their_formulas, .timeout = 200) {
    static const float slope = 0.125F;
    float weights[ROWS][WIDTH * WIDTH], x[STEPS * WIDTH], y[STEPS * WIDTH];
    double now[STEPS * WIDTH];
    char dir[PATH_SIZE], path[PATH_SIZE], name[32], nodes[64], out[32];
    onnx_bytes graph = {0};
    onnx_value(&graph, 11, "w", ONNX_FLOAT, "time,1,3");
    onnx_floats(&graph, "S", "3", slopes, WIDTH);
    onnx_floats(&graph, "s", "1", &slope, 1);
    onnx_floats(&graph, "s0", "", &(float){0}, 1);
    onnx_floats(&graph, "s6", "", &(float){6}, 1);
    onnx_floats(&graph, "sl", "", &(float){-0.25F}, 1);
    onnx_floats(&graph, "su", "", &(float){0.625F}, 1);
    onnx_floats(&graph, "s1", "", &(float){1}, 1);
    onnx_floats(&graph, "s2", "", &(float){1.41421356F}, 1);
    onnx_floats(&graph, "sh", "", &(float){0.5F}, 1);
    onnx_floats(&graph, "sr", "", &(float){0.70710678F}, 1);
    for (size_t i = 0; i < STEPS * WIDTH; i++)
        now[i] = x[i] = 3 * sinf(1.3F * (float)i + 0.4F);
    for (size_t i = 0; i < ROWS; i++) {
        /* Largest on the diagonal, so that values stay apart. */
        for (size_t k = 0; k < WIDTH * WIDTH; k++)
            weights[i][k] = (k % 4 == 0 ? 1.5F : 0) + 0.75F * sinf(2.1F * (float)(i * 9 + k));
        snprintf(name, sizeof name, "M%zu", i);
        onnx_floats(&graph, name, "3,3", weights[i], WIDTH * WIDTH);
        if (i == 0)
            strcpy(nodes, "w M0");
        else
            snprintf(nodes, sizeof nodes, "w%zu M%zu", i - 1, i);
        snprintf(out, sizeof out, "v%zu", i);
        onnx_node(&graph, "MatMul", nodes, out, "");
        add_nodes(&graph, i);
        for (size_t t = 0; t < STEPS; t++) {
            double sums[WIDTH] = {0};
            for (size_t k = 0; k < WIDTH * WIDTH; k++)
                sums[k % WIDTH] += now[t * WIDTH + k / WIDTH] * (double)weights[i][k];
            for (size_t u = 0; u < WIDTH; u++)
                now[t * WIDTH + u] = value(i, sums[u], u);
        }
    }
    for (size_t i = 0; i < STEPS * WIDTH; i++)
        y[i] = (float)now[i];
    snprintf(name, sizeof name, "w%d", ROWS - 1);
    onnx_value(&graph, 12, name, ONNX_FLOAT, "time,1,3");
    workdir_make(dir);
    onnx_bytes model = onnx_model(&graph, 20);
    path_join(path, dir, "net.onnx");
    cr_assert(file_write(path, model.data, model.size));
    free(model.data);
    write_case(dir, x, y, WIDTH);
    expect_runs(run(dir, "import", "net.onnx", NULL, NULL, NULL), "import");
    expect_runs(
        run(dir, "verify", "model.lua", "--case=case.safetensors", "--target=portable", NULL),
        "verify");
    path_join(path, dir, "model.lua");
    char *const text = file_read(path, NULL);
    const char *at = text;
    for (size_t i = 0; i < ROWS; i++) {
        const char *const found = strstr(at, rows[i].layer);
        cr_expect(found, "%s: %s is not in\n%s", rows[i].nodes, rows[i].layer, at);
        at = found ? found + 1 : at;
    }
    free(text);
    workdir_remove(dir);
}

/* ---- clip of a GRU ---- */

enum { UNITS = 2, GATES = 3 };

/* A GRU of UNITS over UNITS values, its gates in ONNX's order z, r, h. */
typedef struct gru {
    float w[GATES * UNITS * UNITS], r[GATES * UNITS * UNITS], b[2 * GATES * UNITS];
    double clip;
    int linear; /* linear_before_reset */
} gru;

static double row(const float *matrix, size_t at, const double *v) {
    return (double)matrix[at * UNITS] * v[0] + (double)matrix[at * UNITS + 1] * v[1];
}

/* A step as ONNX Runtime has it (deep_cpu_gru.cc): the sums of z, r and h are bounded, each with
 * its biases and, of h, with what the reset gate lets through, which itself is not bounded. */
static void gru_step(const gru *g, const double *x, double *h) {
    enum { Z = 0, R = UNITS, H = 2 * UNITS, RB = GATES * UNITS };
    double z[UNITS], r[UNITS], kept[UNITS], next[UNITS];
    for (size_t u = 0; u < UNITS; u++) {
        const double of_z = row(g->w, Z + u, x) + row(g->r, Z + u, h) + (double)g->b[Z + u] +
                            (double)g->b[RB + Z + u];
        const double of_r = row(g->w, R + u, x) + row(g->r, R + u, h) + (double)g->b[R + u] +
                            (double)g->b[RB + R + u];
        z[u] = 1 / (1 + exp(-step(of_z, -g->clip, g->clip)));
        r[u] = 1 / (1 + exp(-step(of_r, -g->clip, g->clip)));
        kept[u] = r[u] * h[u];
    }
    for (size_t u = 0; u < UNITS; u++) {
        const double bias = g->b[RB + H + u];
        const double reset =
            g->linear ? r[u] * (row(g->r, H + u, h) + bias) : row(g->r, H + u, kept) + bias;
        const double sum = row(g->w, H + u, x) + (double)g->b[H + u] + reset;
        next[u] = (1 - z[u]) * tanh(step(sum, -g->clip, g->clip)) + z[u] * h[u];
    }
    memcpy(h, next, sizeof next);
}

/* Behind x scaled by numbers of the file. Sums far beyond the clip, with the product of the
 * candidate's state beyond it alone too. */
Test(import_functions, clip_of_gru, .timeout = 200) {
    static const float mean[] = {0.5F, -0.25F}, deviation[] = {2, 0.5F};
    static gru list[] = {{.clip = 0.75, .linear = 1}, {.clip = 0.5, .linear = 0}};
    float x[STEPS * UNITS], y[STEPS * UNITS];
    double h[2][UNITS] = {{0}};
    char dir[PATH_SIZE], path[PATH_SIZE];
    onnx_bytes graph = {0};
    onnx_value(&graph, 11, "x", ONNX_FLOAT, "time,1,2");
    onnx_ints(&graph, "one", "1");
    for (size_t i = 0; i < 2; i++) {
        static const char *const names[2][3] = {{"W0", "R0", "B0"}, {"W1", "R1", "B1"}};
        float *const parts[] = {list[i].w, list[i].r, list[i].b};
        for (size_t p = 0; p < 3; p++) {
            for (size_t k = 0; k < 12; k++)
                parts[p][k] = (p == 1 ? 2.5F : 1) * sinf(1.9F * (float)(12 * (3 * i + p) + k) + 1);
            onnx_floats(&graph, names[i][p], p < 2 ? "1,6,2" : "1,12", parts[p], 12);
        }
    }
    onnx_floats(&graph, "mean", "2", mean, UNITS);
    onnx_floats(&graph, "deviation", "2", deviation, UNITS);
    onnx_node(&graph, "Sub", "x mean", "v", "");
    onnx_node(&graph, "Div", "v deviation", "w", "");
    onnx_node(&graph, "GRU", "w W0 R0 B0", "t", "hidden_size=2 linear_before_reset=1 clip=0.75");
    onnx_node(&graph, "Squeeze", "t one", "s", "");
    onnx_node(&graph, "GRU", "s W1 R1 B1", "u", "hidden_size=2 clip=0.5");
    onnx_node(&graph, "Squeeze", "u one", "y", "");
    onnx_value(&graph, 12, "y", ONNX_FLOAT, "time,1,2");
    for (size_t t = 0; t < STEPS; t++) {
        double now[UNITS];
        for (size_t u = 0; u < UNITS; u++) {
            x[2 * t + u] = 2 * cosf(3.1F * (float)(2 * t + u));
            now[u] = ((double)x[2 * t + u] - (double)mean[u]) / (double)deviation[u];
        }
        gru_step(&list[0], now, h[0]);
        gru_step(&list[1], h[0], h[1]);
        for (size_t u = 0; u < UNITS; u++)
            y[2 * t + u] = (float)h[1][u];
    }
    workdir_make(dir);
    onnx_bytes model = onnx_model(&graph, 17);
    path_join(path, dir, "net.onnx");
    cr_assert(file_write(path, model.data, model.size));
    free(model.data);
    write_case(dir, x, y, UNITS);
    expect_runs(
        run(dir, "verify", "net.onnx", "--case=case.safetensors", "--target=portable", NULL),
        "verify");
    workdir_remove(dir);
}
