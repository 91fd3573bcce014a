/* Networks as PyTorch itself exports them, ONNX and TorchScript, of each cell with its options:
 * tests/import/exports/export.py made them, with what PyTorch computes in double. */
#define _XOPEN_SOURCE 700
#include "support/cli.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>

#define FOLDER "tests/import/exports/"

static const char *const files[] = {
    "gru_relu6.onnx",
    "gru_hard_tanh.onnx",
    "gru_selu.onnx",
    "gru_ends.onnx",
    "gru_heads.onnx",
    "gru_states.onnx",
    "gru_two_layers.onnx",
    "lstm_no_bias.onnx",
    "lstm_state.onnx",
    "lstm_states.onnx",
    "lstm_tokens.onnx",
    "lstm_two_layers_both.onnx",
    "rnn_both_no_bias.onnx",
    "rnn_relu_last.onnx",
    "rnn_tanh.onnx",
    "linear.pt",
    "policy.pt",
    "policy_traced.pt",
    "policy_traced_gru.pt",
};

enum { FILES = sizeof files / sizeof *files };

ParameterizedTestParameters(import_exports, as_recorded) {
    static size_t numbers[FILES];
    for (size_t i = 0; i < FILES; i++)
        numbers[i] = i;
    return cr_make_param_array(size_t, numbers, FILES, NULL);
}

/* Nothing in them is left to doubt. */
ParameterizedTest(const size_t *number, import_exports, as_recorded, .timeout = 60) {
    const char *const file = files[*number];
    char path[PATH_SIZE], option[PATH_SIZE];
    path_join(path, FOLDER, file);
    snprintf(option, sizeof option, "--case=" FOLDER "%.*s.safetensors", (int)strcspn(file, "."),
             file);
    outcome o = run(NULL, "verify", path, option, "--target=portable", "--cc=cc -O0");
    cr_expect(o.code == 0 && strstr(o.out, "\nagainst the recorded outputs\n") &&
                  !strstr(o.err, "not told"),
              "%s:\n%s%s", file, o.out, o.err);
    outcome_free(&o);
}
