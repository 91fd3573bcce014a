/* Frozen graphs of TensorFlow that are wrong, each made of one that is right by other bytes in one
 * place: one line that names the node. */
#define _XOPEN_SOURCE 700
#include "support/hostile.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LSTM "tests/import/mlkws_basic_lstm_s/Basic_LSTM_S.pb"
#define GRU "tests/import/mlkws_gru_s/GRU_S.pb"

Test(import_graph, cut_off, .timeout = 120) { expect_truncated(LSTM, "a.pb"); }

/* Strings with their length in front, as protobuf has them. */
static const struct {
    const char *file, *find, *replace;
    size_t length;
    const char *line;
} cases[] = {
    {LSTM, "\x12\x07Softmax", "\x12\x07Softmix", 9,
     "node labels_softmax (Softmix) is no part of a network that rnnc reads\n"},
    {LSTM, "\x12\x04Tanh", "\x12\x04Relu", 6,
     "is no BasicLSTMCell and no GRUCell; rnnc reads loops "},
    {GRU, "\x12\x04Tanh", "\x12\x04Relu", 6,
     "is no BasicLSTMCell and no GRUCell; rnnc reads loops "},
    {GRU, "\x12\x03Sub", "\x12\x03Mul", 5, "is no BasicLSTMCell and no GRUCell; rnnc reads loops "},
    /* The gates read the cell state in place of h. */
    {LSTM, "\x1a\x24LSTM-Layer/lstm/rnn/while/Switch_3:1",
     "\x1a\x24LSTM-Layer/lstm/rnn/while/Switch_2:1", 38,
     "reads a state that is not its own of the step before\n"},
    {LSTM,
     "\n\x03"
     "b_o\x12",
     "\n\x03"
     "b_x\x12",
     6, "node Output-Layer/add (Add) is no part of a network that rnnc reads\n"},
    {LSTM, "\n\x03W_o\x12", "\n\x03W_x\x12", 6,
     "node Output-Layer/MatMul (MatMul) is no product with a constant as it is\n"},
    {LSTM,
     "\n\x03"
     "b_o\x12",
     "\n\x03W_o\x12", 6, "node W_o (Const) is there twice\n"},
    {LSTM,
     "\x12\x04"
     "Exit",
     "\x12\x04"
     "Exot",
     6, "(Exot) is no part of a network that rnnc reads\n"},
    /* The first step begins with ones. */
    {LSTM, "*\x04\0\0\0\0", "*\x04\0\0\x80\x3f", 6, "begins with a state that is not zero, which"},
    {GRU, "*\x04\0\0\0\0", "*\x04\0\0\x80\x3f", 6, "begins with a state that is not zero, which"},
    {GRU, "*\x04\0\0\x80\x3f", "*\x04\0\0\0\x3f", 6,
     "whose kernels and biases do not fit each other"},
    {GRU, "\x12\x14TensorArrayScatterV3", "\x12\x14TensorArrayScatterV9", 22,
     "reads no sequence as a whole\n"},
    /* 12 columns, of values for 12. */
    {LSTM,
     "\x08"
     "v\x12\x02\x08\x0c",
     "\x08"
     "v\x12\x02\x08\x0b",
     6, "node W_o (Const) has another number of values than its shape\n"},
};

/* A graph of `count` nodes, each of which hands on what the one before has. */
static char *chain(size_t count, const char *op, size_t *size) {
    char *const bytes = malloc(count * 64), *to = bytes;
    cr_assert(bytes != NULL);
    for (size_t i = 0; i < count; i++) {
        char body[64];
        const int n = snprintf(body, sizeof body, "\n\x06%06zu\x12%c%s\x1a\x06%06zu", i,
                               (int)strlen(op), op, i ? i - 1 : 999999);
        to += sprintf(to, "\n%c", n);
        memcpy(to, body, (size_t)n);
        to += n;
    }
    *size = (size_t)(to - bytes);
    return bytes;
}

Test(import_graph, long_chains, .timeout = 120) {
    static const struct {
        const char *op;
        size_t count;
        const char *line;
    } chains[] = {
        {"Identity", 100, "node 000099 (Identity) hands on what is not there\n"},
        {"Identity", 40000, "node 039999 (Identity) hands on what is not there\n"},
        {"Softmax", 40000, "node 039934 (Softmax) is behind more than 64 layers\n"},
        {"Exit", 2, "node 000001 (Exit) ends no loop of dynamic_rnn\n"},
    };
    char dir[PATH_SIZE], line[512];
    workdir_make(dir);
    for (size_t i = 0; i < sizeof chains / sizeof *chains; i++) {
        size_t size;
        char *const bytes = chain(chains[i].count, chains[i].op, &size);
        import_bytes(dir, "a.pb", bytes, size, line);
        cr_expect_str_eq(line, chains[i].line);
        free(bytes);
    }
    workdir_remove(dir);
}

/* The file's bytes with others in the first place where `find` is; NULL: it is nowhere. */
static char *changed(const char *file, const char *find, const char *replace, size_t length,
                     size_t *size) {
    char *const bytes = file_read(file, size);
    cr_assert(bytes != NULL);
    for (size_t at = 0; at + length <= *size; at++)
        if (memcmp(bytes + at, find, length) == 0) {
            memcpy(bytes + at, replace, length);
            return bytes;
        }
    free(bytes);
    return NULL;
}

Test(import_graph, nodes_that_are_wrong, .timeout = 120) {
    char dir[PATH_SIZE], line[512];
    workdir_make(dir);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size;
        char *const bytes =
            changed(cases[i].file, cases[i].find, cases[i].replace, cases[i].length, &size);
        cr_expect(bytes != NULL, "case %zu: the bytes are not in the file", i);
        if (!bytes)
            continue;
        import_bytes(dir, "a.pb", bytes, size, line);
        cr_expect(strstr(line, cases[i].line), "case %zu: gives %s  not %s", i, line,
                  cases[i].line);
        free(bytes);
    }
    workdir_remove(dir);
}
