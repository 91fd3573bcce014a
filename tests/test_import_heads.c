/* `rnnc import` of ONNX graphs with several outputs: heads that read the same values become outputs
 * of the spec in the graph's order, and those that the graph puts side by side one dense layer. */
#define _XOPEN_SOURCE 700
#include "rnnc.h"
#include "support/cli.h"
#include "support/onnx.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An LSTM of 2 units over x (time, batch, 2), of the sizes of `x_shape`, that gives t (time, 1,
 * batch, 2) and, its axis of directions taken out, s; M (2, 3), N (2, 1), P and Q (6, 1), L (3, 3),
 * O (1, 1) and a bias V (3). */
static onnx_bytes trunk(const char *x_shape) {
    static const float zeros[32];
    static const float m[] = {1, 2, 3, 4, 5, 6}, n[] = {7, 8}, v[] = {0.5F, -1, 2};
    static const float l[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    onnx_bytes graph = {0};
    onnx_value(&graph, 11, "x", ONNX_FLOAT, x_shape);
    onnx_floats(&graph, "W", "1,8,2", zeros, 16);
    onnx_floats(&graph, "R", "1,8,2", zeros, 16);
    onnx_floats(&graph, "M", "2,3", m, 6);
    onnx_floats(&graph, "N", "2,1", n, 2);
    onnx_floats(&graph, "L", "3,3", l, 9);
    onnx_floats(&graph, "O", "1,1", l + 4, 1);
    onnx_floats(&graph, "V", "3", v, 3);
    onnx_floats(&graph, "P", "6,1", zeros, 6);
    onnx_floats(&graph, "Q", "6,1", zeros, 6);
    onnx_ints(&graph, "row", "1,-1");
    onnx_ints(&graph, "one", "1");
    onnx_ints(&graph, "end", "-1");
    onnx_node(&graph, "LSTM", "x W R", "t", "");
    onnx_node(&graph, "Squeeze", "t one", "s", "");
    return graph;
}

/* Each node "OP; inputs; output;", then imports the graph with outputs b and a, or a alone. */
static outcome import_graph_of(const char *dir, const char *x_shape, const char *nodes,
                               int outputs) {
    onnx_bytes graph = trunk(x_shape);
    char op[256], inputs[256], output[256], path[PATH_SIZE];
    while (onnx_word(&nodes, ";", op)) {
        onnx_word(&nodes, ";", inputs);
        onnx_word(&nodes, ";", output);
        onnx_node(&graph, op, inputs, output, strcmp(op, "Concat") == 0 ? "axis=-1" : "");
    }
    if (outputs > 1)
        onnx_value(&graph, 12, "b", ONNX_FLOAT, "time,batch,3");
    onnx_value(&graph, 12, "a", ONNX_FLOAT, "time,batch,1");
    onnx_bytes model = onnx_model(&graph, 17);
    path_join(path, dir, "net.onnx");
    cr_assert(file_write(path, model.data, model.size));
    free(model.data);
    return run(dir, "import", "net.onnx", NULL, NULL, NULL);
}

static outcome import_graph(const char *dir, const char *nodes, int outputs) {
    return import_graph_of(dir, "time,batch,2", nodes, outputs);
}

static void expect_tensor(rnnc_safetensors *file, const char *name, size_t count,
                          const float *values) {
    rnnc_tensor tensor;
    size_t found;
    cr_assert_eq(rnnc_safetensors_find(file, name, &tensor), RNNC_OK, "no %s", name);
    cr_assert(rnnc_tensor_count(&tensor, &found) == RNNC_OK && found == count, "%s", name);
    for (size_t i = 0; i < count; i++)
        cr_expect(((const float *)tensor.data)[i] == values[i], "%s[%zu]", name, i);
}

/* One with a bias, one without; the outputs stand in another order than the nodes. */
Test(import_heads, side_by_side, .timeout = 60) {
    char dir[PATH_SIZE], path[PATH_SIZE];
    rnnc_safetensors *file;
    rnnc_error err;
    workdir_make(dir);
    outcome o =
        import_graph(dir, "MatMul;s N;p;Sigmoid;p;a;MatMul;s M;q;Add;q V;r;Sigmoid;r;b;", 2);
    cr_assert_eq(o.code, 0, "%s", o.err);
    cr_expect(strstr(o.out, "became y, its channels 0 to 2\n"), "%s", o.out);
    cr_expect(strstr(o.out, "became y, its channel 3\n"), "%s", o.out);
    outcome_free(&o);
    path_join(path, dir, "model.lua");
    char *const text = file_read(path, NULL);
    cr_expect(text &&
                  strstr(text,
                         "name = \"trunk\", prefix = \"layers.0.\" },\n"
                         "        dense { units = 3, activation = \"sigmoid\", name = \"b\", "
                         "prefix = \"b.\" },\n"
                         "        dense { units = 1, activation = \"sigmoid\", bias = false, name "
                         "= \"a\", from = \"trunk\", prefix = \"a.\" },\n    },\n"
                         "    outputs = { \"b\", \"a\" },\n"),
              "%s", text);
    free(text);
    path_join(path, dir, "model.safetensors");
    cr_assert(rnnc_safetensors_open(path, &file, &err) == RNNC_OK, "%s", err.message);
    expect_tensor(file, "b.weight", 6, (const float[]){1, 4, 2, 5, 3, 6});
    expect_tensor(file, "b.bias", 3, (const float[]){0.5F, -1, 2});
    expect_tensor(file, "a.weight", 2, (const float[]){7, 8});
    rnnc_safetensors_close(file);
    workdir_remove(dir);
}

/* A policy and its value: each has its function. */
Test(import_heads, functions_of_their_own, .timeout = 60) {
    char dir[PATH_SIZE], path[PATH_SIZE];
    workdir_make(dir);
    outcome o = import_graph(dir, "MatMul;s N;p;Tanh;p;a;MatMul;s M;q;Softmax;q;b;", 2);
    cr_assert_eq(o.code, 0, "%s", o.err);
    outcome_free(&o);
    path_join(path, dir, "model.lua");
    char *const text = file_read(path, NULL);
    cr_expect(
        text &&
            strstr(text,
                   "dense { units = 3, activation = \"softmax\", bias = false, name = \"b\"") &&
            strstr(text,
                   "dense { units = 1, activation = \"tanh\", bias = false, name = \"a\", from = "),
        "%s", text);
    free(text);
    o = run(dir, "compile", "net.onnx", "--output=c", NULL, NULL);
    cr_expect_eq(o.code, 0, "%s", o.err);
    outcome_free(&o);
    workdir_remove(dir);
}

/* The same layer twice is one output, given twice. */
Test(import_heads, one_layer_for_two_outputs, .timeout = 60) {
    char dir[PATH_SIZE];
    workdir_make(dir);
    outcome o = import_graph(dir, "MatMul;s M;b;Identity;b;a;", 2);
    cr_assert_eq(o.code, 0, "%s", o.err);
    cr_expect(strstr(o.out, "  output b (") == NULL && strstr(o.out, "became y\n"), "%s", o.out);
    outcome_free(&o);
    workdir_remove(dir);
}

/* Two layers each, the first ones of one function, the last ones of their own. */
Test(import_heads, of_several_layers, .timeout = 60) {
    char dir[PATH_SIZE], path[PATH_SIZE];
    rnnc_safetensors *file;
    rnnc_error err;
    workdir_make(dir);
    outcome o = import_graph(dir,
                             "MatMul;s N;p;Relu;p;q;MatMul;q O;r;Tanh;r;a;"
                             "MatMul;s M;u;Add;u V;v;Relu;v;w;MatMul;w L;y;Add;y V;b;",
                             2);
    cr_assert_eq(o.code, 0, "%s", o.err);
    cr_expect(strstr(o.out, "became y, its channels 0 to 2\n"), "%s", o.out);
    cr_expect(strstr(o.out, "became y, its channel 3\n"), "%s", o.out);
    outcome_free(&o);
    path_join(path, dir, "model.lua");
    char *const text = file_read(path, NULL);
    cr_expect(text &&
                  strstr(text, "name = \"trunk\", prefix = \"layers.0.\" },\n"
                               "        dense { units = 3, activation = \"relu\", prefix = "
                               "\"b.0.\" },\n"
                               "        dense { units = 3, name = \"b\", prefix = \"b.1.\" },\n"
                               "        dense { units = 1, activation = \"relu\", bias = false, "
                               "from = \"trunk\", prefix = \"a.0.\" },\n"
                               "        dense { units = 1, activation = \"tanh\", bias = false, "
                               "name = \"a\", prefix = \"a.1.\" },\n    },\n"
                               "    outputs = { \"b\", \"a\" },\n"),
              "%s", text);
    free(text);
    path_join(path, dir, "model.safetensors");
    cr_assert(rnnc_safetensors_open(path, &file, &err) == RNNC_OK, "%s", err.message);
    expect_tensor(file, "b.0.weight", 6, (const float[]){1, 4, 2, 5, 3, 6});
    expect_tensor(file, "b.1.weight", 9, (const float[]){1, 4, 7, 2, 5, 8, 3, 6, 9});
    expect_tensor(file, "b.1.bias", 3, (const float[]){0.5F, -1, 2});
    expect_tensor(file, "a.0.weight", 2, (const float[]){7, 8});
    expect_tensor(file, "a.1.weight", 1, (const float[]){5});
    rnnc_safetensors_close(file);
    o = run(dir, "compile", "net.onnx", "--output=c", NULL, NULL);
    cr_expect_eq(o.code, 0, "%s", o.err);
    outcome_free(&o);
    workdir_remove(dir);
}

/* Heads that read all steps side by side: of one sequence of 3 steps that is (1, 6). */
Test(import_heads, of_all_steps, .timeout = 60) {
    char dir[PATH_SIZE], path[PATH_SIZE];
    workdir_make(dir);
    outcome o = import_graph_of(dir, "3,1,2", "Reshape;s row;f;MatMul;f P;b;MatMul;f Q;a;", 2);
    cr_assert_eq(o.code, 0, "%s", o.err);
    cr_expect(strstr(o.out, "  all steps of node 0 (LSTM) of 2 -> 6  became flatten\n"), "%s",
              o.out);
    outcome_free(&o);
    path_join(path, dir, "model.lua");
    char *const text = file_read(path, NULL);
    cr_expect(text && strstr(text, "    seq_len = 3,\n") &&
                  strstr(text, "        flatten { name = \"trunk\" },\n"
                               "        dense { units = 1, bias = false, name = \"b\", prefix = "
                               "\"b.\" },\n        dense { units = 1, bias = false, name = \"a\", "
                               "from = \"trunk\", prefix = \"a.\" },\n"),
              "%s", text);
    free(text);
    workdir_remove(dir);
}

/* torch.cat of heads, a function of all of them. */
Test(import_heads, put_side_by_side_in_the_graph, .timeout = 60) {
    char dir[PATH_SIZE], path[PATH_SIZE];
    rnnc_safetensors *file;
    rnnc_error err;
    workdir_make(dir);
    outcome o = import_graph(dir, "MatMul;s M;p;Add;p V;q;MatMul;s N;r;Concat;r q;c;Tanh;c;a;", 1);
    cr_assert_eq(o.code, 0, "%s", o.err);
    cr_expect(strstr(o.out, "became y\n"), "%s", o.out);
    outcome_free(&o);
    path_join(path, dir, "model.lua");
    char *const text = file_read(path, NULL);
    cr_expect(text && strstr(text, "        dense { units = 4, activation = \"tanh\", prefix = "
                                   "\"layers.1.\" },\n    },\n"),
              "%s", text);
    free(text);
    path_join(path, dir, "model.safetensors");
    cr_assert(rnnc_safetensors_open(path, &file, &err) == RNNC_OK, "%s", err.message);
    expect_tensor(file, "layers.1.weight", 8, (const float[]){7, 8, 1, 4, 2, 5, 3, 6});
    expect_tensor(file, "layers.1.bias", 4, (const float[]){0, 0.5F, -1, 2});
    rnnc_safetensors_close(file);
    workdir_remove(dir);
}

static const struct {
    int outputs;
    const char *nodes, *line;
} cases[] = {
    /* Not side by side: one reads what the other gives. */
    {2, "MatMul;s M;b;Tanh;b;c;MatMul;s N;p;Identity;s;a;",
     "output a comes of node 0 (LSTM), which"},
    {2, "MatMul;s M;b;MatMul;b L;a;",
     "output b comes of node 2 (MatMul), which is not the last of the layers: other outputs read "
     "what output b gives; rnnc has outputs that no layer reads\n"},
    {2, "MatMul;s M;p;MatMul;p L;b;MatMul;p L;q;MatMul;q L;a;",
     "output b comes of node 3 (MatMul), which is not the last of the layers: behind what all "
     "outputs read, output b has 1 of the dense layers and output a 2; rnnc has as many for "
     "each\n"},
    {2, "MatMul;s M;p;Relu;p;q;MatMul;q L;b;MatMul;s N;r;Tanh;r;u;MatMul;u O;a;",
     "output a comes of node 7 (MatMul), which is not the last of the layers: node 2 (MatMul) and "
     "node 5 (MatMul) have different functions, relu and tanh; in rnnc only the last layers"},
    {2, "MatMul;s M;p;Relu;p;q;MatMul;q L;b;MatMul;s N;a;",
     "output a comes of node 5 (MatMul), which is not the last of the layers: behind what all "
     "outputs read, output b has 2 of the dense layers and output a 1; rnnc has as many for "
     "each\n"},
    {2, "MatMul;s M;b;Gather;s end;u;MatMul;u N;a;",
     "output a comes of node 4 (MatMul), which is not the last of the layers: output b and output "
     "a are not of the same steps; in rnnc outputs are all of each step, or all of one\n"},
    {1, "MatMul;s N;p;Sigmoid;p;q;MatMul;s M;r;Concat;q r;a;",
     "node 5 (Concat): puts two layers side by side: input 0 and input 1 have different functions, "
     "sigmoid and none; rnnc has one function of each value there\n"},
    {1, "MatMul;s N;p;Softmax;p;q;MatMul;s M;r;Softmax;r;u;Concat;q u;a;",
     "node 6 (Concat): puts two layers side by side: input 0 and input 1 have softmax over their "
     "own values; rnnc has one"},
    {1, "MatMul;s N;p;MatMul;x M;q;Concat;p q;a;",
     "node 4 (Concat): puts what dense layers give side by side that read different things"},
    {1, "MatMul;s N;p;Concat;p p;a;", "node 3 (Concat): takes what one layer gives twice\n"},
    {1, "MatMul;s N;p;Concat;p s;a;", "node 3 (Concat): "},
};

Test(import_heads, that_rnnc_has_not, .timeout = 60) {
    char dir[PATH_SIZE];
    workdir_make(dir);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        outcome o = import_graph(dir, cases[i].nodes, cases[i].outputs);
        cr_expect_eq(o.code, 1, "%s%s", o.out, o.err);
        cr_expect(strncmp(o.err, "net.onnx: error: ", 17) == 0 &&
                      strncmp(o.err + 17, cases[i].line, strlen(cases[i].line)) == 0,
                  "%s\n  gives %s", cases[i].nodes, o.err);
        outcome_free(&o);
    }
    workdir_remove(dir);
}
