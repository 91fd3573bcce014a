/* Import of cells with layer normalisation, of files that tests/import/make_pt.py makes. */
#define _XOPEN_SOURCE 700
#include "support/cli.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* The LayerNormLSTMCell of PyTorch's benchmarks, as a state_dict and as TorchScript, whose norms
 * say their eps: it gives what its formulas give; under rnnc's own names the state is not told.
 * Cells with other norms end in a line. */
Test(import_norms, layer_norm_cell, .timeout = 60) {
    static const struct {
        const char *file, *line;
    } wrong[] = {
        {"other.safetensors", "ln_cell.weight (3) is in a cell, weight_hh, and nothing tells what "
                              "it normalises; rnnc reads the LayerNormLSTMCell"},
        {"size.safetensors", "layernorm_c.bias (2) is in a cell, weight_hh, and of 3 units it "
                             "would have 3 values;"},
        {"few.safetensors",
         "error: layernorm_*: 4 tensors, expected 6: weight and bias of layernorm_i, "},
        {"wide.pt", "has eps = 2.5; rnnc has one from 0 to 1 for all norms of a cell"},
        {"biased.safetensors", "and there are biases beside it;"},
    };
    static const struct {
        const char *file, *fields;
    } good[] = {
        {"plain.safetensors", "    layer_norm = true,\n    layer_norm_state = true,\n"},
        {"own.safetensors", "    layer_norm = true,\n    weights"},
        {"script.pt", "    layer_norm = true,\n    layer_norm_eps = 0.001,\n"
                      "    layer_norm_state = true,\n"},
    };
    char dir[PATH_SIZE], path[PATH_SIZE], model[PATH_SIZE];
    workdir_make(dir);
    const char *const argv[] = {"python3", "tests/import/make_pt.py", "normed", dir, NULL};
    outcome made = process_run(argv, NULL, NULL, 60);
    cr_assert_eq(made.code, 0, "%s%s", made.out, made.err);
    outcome_free(&made);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        outcome o = run(dir, "import", wrong[i].file, NULL, NULL, NULL);
        cr_expect(o.code == 1 && strstr(o.err, wrong[i].line), "%s: %s", wrong[i].file, o.err);
        outcome_free(&o);
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char out[] = "--output=0";
        out[sizeof out - 2] = (char)('0' + i);
        outcome o = run(dir, "import", good[i].file, out, NULL, NULL);
        cr_expect(o.code == 0 && strstr(o.out, "not told:   whether the next step reads the "
                                               "normalised cell state"),
                  "%s: %s%s", good[i].file, o.out, o.err);
        cr_expect((strstr(o.out, "the eps of norms") != NULL) == (i < 2), "%s", o.out);
        cr_expect(!strstr(o.out, "left out") && !strstr(o.out, "batch first"), "%s", o.out);
        outcome_free(&o);
        path_join(path, dir, out + strcspn(out, "=") + 1);
        path_join(model, path, "model.lua");
        char *const text = file_read(model, NULL);
        cr_assert(text);
        cr_expect(strstr(text, good[i].fields), "%s\n  is not in\n%s", good[i].fields, text);
        free(text);
    }
    outcome o = run(dir, "verify", "plain.safetensors", "--case=case.safetensors",
                    "--target=portable", "--cc=cc -O0");
    cr_expect(o.code == 0 && strstr(o.out, "\nagainst the recorded outputs\n"), "%s%s", o.out,
              o.err);
    outcome_free(&o);
    workdir_remove(dir);
}
