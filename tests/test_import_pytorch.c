/* Files of torch.save, made by tests/import/make_pt.py: their tensors arrive, in whatever form they
 * are saved, and those that are wrong end in one line. */
#define _XOPEN_SOURCE 700
#include "rnnc.h"
#include "support/cli.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAKER "tests/import/make_pt.py"

static void make_files(const char *form, const char *from, const char *to) {
    const char *const argv[] = {"python3", MAKER, form, from, to, NULL};
    outcome o = process_run(argv, NULL, NULL, 120);
    cr_assert_eq(o.code, 0, "%s: %s%s", form, o.out, o.err);
    outcome_free(&o);
}

/* ---- forms of the same tensors ---- */

typedef struct form_case {
    const char *form;
    double tolerance; /* of a weight below 1 in that form */
    const char *said;
} form_case;

static const form_case forms[] = {
    {"plain", 0, "  *  became rnn "},
    {"checkpoint", 0,
     "  the checkpoint's model_state_dict  became what is imported\n"
     "  module.*                           became the same without module.\n"},
    {"checkpoint", 0, "model_state_dict is taken, ema is another\n"},
    {"compiled", 0, "  _orig_mod.*  became the same without _orig_mod.\n"},
    {"one_storage", 0, "  *  became rnn "},
    {"strided", 0, "  *  became rnn "},
    {"float64", 0, "  *  became rnn "},
    {"float16", 0x1p-12, "  *  became rnn "},
    {"bfloat16", 0x1p-8, "  *  became rnn "},
    {"quantised", 0x1p-7, "weight_ih_l0, quantised "},
    {"weight_norm", 0x1p-23, "  weight_ih_l0 "},
    {"parametrized", 0x1p-23, "  weight_ih_l0 "},
    {"weight_norm_columns", 0x1p-23, "  weight_ih_l0 "},
    {"pruned", 0, "pruned, multiplied by its mask\n"},
    {"protocol4", 0, "  *  became rnn "},
};

enum { FORMS = sizeof forms / sizeof *forms };

static const char *const networks[] = {
    "tests/cases/lstm_6_8_2_2_1_1_7_3.safetensors",
    "tests/cases/gru_5_7_3_2_0_0_4_1.safetensors",
};

static rnnc_safetensors *open_file(const char *path) {
    rnnc_safetensors *file;
    rnnc_error err;
    cr_assert(rnnc_safetensors_open(path, &file, &err) == RNNC_OK, "%s", err.message);
    return file;
}

/* Each weight of `want` is in `got`, with its shape and, but for the tolerance, its values; at
 * least one differs from it where there is a tolerance, or the form would not have been made. */
static void compare(const form_case *c, const char *want_path, const char *got_path) {
    rnnc_safetensors *const want = open_file(want_path), *const got = open_file(got_path);
    size_t weights = 0;
    double largest = 0;
    for (size_t i = 0; i < rnnc_safetensors_count(want); i++) {
        const rnnc_entry *const entry = rnnc_safetensors_get(want, i);
        if (strncmp(entry->name, "weight", 6) != 0 && strncmp(entry->name, "bias", 4) != 0)
            continue;
        rnnc_tensor tensor;
        size_t count;
        weights++;
        cr_assert(rnnc_safetensors_find(got, entry->name, &tensor) == RNNC_OK, "%s: no %s", c->form,
                  entry->name);
        cr_assert(tensor.rank == entry->tensor.rank &&
                      memcmp(tensor.shape, entry->tensor.shape,
                             (size_t)tensor.rank * sizeof *tensor.shape) == 0,
                  "%s: %s has another shape", c->form, entry->name);
        cr_assert(rnnc_tensor_count(&tensor, &count) == RNNC_OK);
        const float *const a = entry->tensor.data, *const b = tensor.data;
        for (size_t k = 0; k < count; k++) {
            const double error = fabs((double)a[k] - (double)b[k]);
            cr_assert(error <= c->tolerance, "%s: %s[%zu] is %g, not %g", c->form, entry->name, k,
                      (double)b[k], (double)a[k]);
            largest = error > largest ? error : largest;
        }
    }
    cr_expect(weights >= 8, "%s: %zu weights", c->form, weights);
    cr_expect((largest > 0) == (c->tolerance > 0), "%s: differs by %g", c->form, largest);
    rnnc_safetensors_close(want);
    rnnc_safetensors_close(got);
}

ParameterizedTestParameters(import_pytorch, forms_of_tensors) {
    static size_t numbers[FORMS];
    for (size_t i = 0; i < FORMS; i++)
        numbers[i] = i;
    return cr_make_param_array(size_t, numbers, FORMS, NULL);
}

ParameterizedTest(const size_t *number, import_pytorch, forms_of_tensors, .timeout = 120) {
    const form_case *const c = &forms[*number];
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
        char dir[PATH_SIZE], path[PATH_SIZE];
        workdir_make(dir);
        path_join(path, dir, "net.pt");
        make_files(c->form, networks[i], path);
        outcome o = run(dir, "import", "net.pt", NULL, NULL, NULL);
        cr_assert_eq(o.code, 0, "%s: %s", c->form, o.err);
        cr_expect(strstr(o.out, c->said), "%s\n  is not in\n%s", c->said, o.out);
        outcome_free(&o);
        path_join(path, dir, "model.safetensors");
        compare(c, networks[i], path);
        workdir_remove(dir);
    }
}

/* From what was downloaded to C in one command. */
Test(import_pytorch, compiles_at_once, .timeout = 60) {
    char dir[PATH_SIZE], path[PATH_SIZE];
    workdir_make(dir);
    path_join(path, dir, "net.pt");
    make_files("checkpoint", networks[0], path);
    expect(dir, 0, "gen/net.h\ngen/net.c\ngen/net_weights.c\ngen/rnnc.h\n",
           "net.pt: note: not told: which network of the checkpoint is wanted: model_state_dict is "
           "taken, ema is another\n",
           "compile", "net.pt", "-o", "gen");
    workdir_remove(dir);
}

/* ---- TorchScript ---- */

static void expect_values(rnnc_safetensors *file, const char *name, size_t count,
                          const float *values) {
    rnnc_tensor tensor;
    size_t found;
    cr_assert_eq(rnnc_safetensors_find(file, name, &tensor), RNNC_OK, "no %s", name);
    cr_assert(rnnc_tensor_count(&tensor, &found) == RNNC_OK && found == count, "%s", name);
    for (size_t i = 0; i < count; i++)
        cr_expect_eq(((const float *)tensor.data)[i], values[i], "%s[%zu]", name, i);
}

/* What modules say of themselves, in the class of their name and no other; functions behind linear
 * layers, with a dropout between; scales of x and y, by a variable and by name; and what is left
 * out: a norm, and a sine in forward, but not the cosine in another function. */
Test(import_pytorch, torchscript, .timeout = 60) {
    static const char *const lines[] = {
        "  rnn.*        became rnn 2 -> 3\n", "  head.2 Tanh  became activation of head.0.*\n",
        "  x_scale (2)  became a scale of x: multiplied into rnn.weight_ih_l0\n",
        "  y_scale ()   became a scale of y: multiplied into head.3.weight\n",
        ("  not told:   what norm (LayerNorm) does: it is left out\n"
         "              what forward makes by sin: it is left out; give it with dense { "
         "activation, "
         "last_step } or residual\n")};
    static const char *const fields[] = {
        "rnn { input_size = 2, hidden_size = 3, nonlinearity = \"relu\", prefix = \"rnn.\" },\n",
        "dense { units = 2, activation = \"tanh\", prefix = \"head.0.\" },\n",
        "dense { units = 1, prefix = \"head.3.\" },\n", "batch_first = true,\n"};
    char dir[PATH_SIZE], path[PATH_SIZE];
    workdir_make(dir);
    path_join(path, dir, "net.pt");
    make_files("script", path, NULL);
    outcome o = run(dir, "import", "net.pt", NULL, NULL, NULL);
    cr_assert_eq(o.code, 0, "%s", o.err);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        cr_expect(strstr(o.out, lines[i]), "%s\n  is not in\n%s", lines[i], o.out);
    outcome_free(&o);
    path_join(path, dir, "model.lua");
    char *const text = file_read(path, NULL);
    cr_assert(text);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        cr_expect(strstr(text, fields[i]), "%s\n  is not in\n%s", fields[i], text);
    free(text);
    path_join(path, dir, "model.safetensors");
    rnnc_safetensors *const file = open_file(path);
    expect_values(file, "rnn.weight_ih_l0", 6, (const float[]){2, 20, 6, 40, 10, 60});
    expect_values(file, "head.0.weight", 6, (const float[]){0.5f, -0.5f, 1, 1.5f, 2, 0.125f});
    expect_values(file, "head.3.weight", 2, (const float[]){8, -4});
    expect_values(file, "head.3.bias", 1, (const float[]){1});
    rnnc_safetensors_close(file);
    workdir_remove(dir);
}

/* Each module of torch.nn that is a function, behind a linear layer, with its constants; behind two
 * of these layers a PReLU too, of one slope and of one for each value. */
Test(import_pytorch, functions_of_torchscript, .timeout = 60) {
    static const char *const functions[] = {"elu\", alpha = 0.5",
                                            "gelu\"",
                                            "hard_sigmoid\"",
                                            "hard_swish\"",
                                            "hard_tanh\", alpha = -0.5, beta = 2.0",
                                            "leaky_relu\", alpha = 0.25",
                                            "mish\"",
                                            "relu\"",
                                            "relu6\"",
                                            "selu\"",
                                            "sigmoid\"",
                                            "silu\"",
                                            "softplus\"",
                                            "softsign\"",
                                            "tanh\"",
                                            "log_softmax\""};
    char dir[PATH_SIZE], path[PATH_SIZE], line[128];
    workdir_make(dir);
    path_join(path, dir, "net.pt");
    make_files("functions", path, NULL);
    outcome o = run(dir, "import", "net.pt", NULL, NULL, NULL);
    cr_assert_eq(o.code, 0, "%s", o.err);
    cr_expect(!strstr(o.out, "not told"), "%s", o.out);
    outcome_free(&o);
    path_join(path, dir, "model.lua");
    char *const text = file_read(path, NULL);
    cr_assert(text);
    cr_expect(strstr(text, "        dense { units = 2, activation = \"leaky_relu\", alpha = 0.125, "
                           "prefix = \"4.\" },\n"
                           "        activation { activation = \"hard_sigmoid\" },\n"),
              "%s", text);
    cr_expect(strstr(text,
                     "        dense { units = 2, prefix = \"8.\" },\n"
                     "        activation { activation = \"prelu\", prefix = \"8s.\" },\n"
                     "        activation { activation = \"hard_tanh\", alpha = -0.5, beta = 2"),
              "%s", text);
    const char *at = text;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (i == 2 || i == 4)
            continue;
        snprintf(line, sizeof line,
                 "        dense { %sunits = 2, activation = \"%s, prefix = \"%zu.\" },\n",
                 i ? "" : "input_size = 2, ", functions[i], 2 * i);
        const char *const found = strstr(at, line);
        cr_expect(found, "%s\n  is not in\n%s", line, at);
        at = found ? found : at;
    }
    free(text);
    workdir_remove(dir);
}

/* ---- files that are wrong ---- */

#define NO_LAYER "there are no weights of a recurrent network in it (weight_ih_l0, weight_hh_l0); "
#define STATE_DICT "; save the state_dict alone: torch.save(model.state_dict(), ...)\n"
#define NO_TENSOR "makes a tensor of other things than a storage, an offset, sizes and strides\n"

/* The line for a file, whose places in a pickle are @: they are where the pickler put things. */
static const struct {
    const char *name, *line;
} wrong[] = {
    {"not_a_zip", "no zip archive that can be read: Not a zip archive; it is damaged or cut off\n"},
    {"no_pickle", "there is no data.pkl in the archive\n"},
    {"bomb", "member 1 of the archive cannot be read: it would be more than 64 times as large as "
             "what is stored of it\n"},
    {"overlapping", "members of the archive overlap: together they are larger than it\n"},
    {"encrypted", "member 1 of the archive cannot be read: it is encrypted\n"},
    {"bzip2", "member 1 of the archive cannot be read: it is neither stored nor deflated\n"},
    {"duplicate",
     "no zip archive that can be read: File already exists; it is damaged or cut off\n"},
    {"damaged", "net/data.pkl in the archive is damaged: its bytes are not those of its header\n"},
    {"old", "is a pickle without a zip, as torch.save wrote before PyTorch 1.6; write it again in "
            "Python: torch.save(torch.load(\"old.pt\"), \"new.pt\")\n"},
    {"bare", "is a pickle without a zip, as torch.save wrote before PyTorch 1.6; write it again in "
             "Python: torch.save(torch.load(\"old.pt\"), \"new.pt\")\n"},
    {"empty_pickle", "data.pkl ends before its last opcode; it is cut off\n"},
    {"protocol", "data.pkl, byte @ (opcode 0x80): is of protocol 7; 2 to 5 are known\n"},
    {"opcode", "data.pkl, byte @ (opcode I): is none that torch.save writes\n"},
    {"ext", "data.pkl, byte @ (opcode 0x82): is none that torch.save writes\n"},
    {"persid", "data.pkl, byte @ (opcode P): is none that torch.save writes\n"},
    {"inst", "data.pkl, byte @ (opcode i): is none that torch.save writes\n"},
    {"global_call", "data.pkl, byte @ (opcode R): calls os.system, which has no place among "
                    "weights" STATE_DICT},
    {"stack_global_call", "data.pkl, byte @ (opcode R): calls os.system, which has no place among "
                          "weights" STATE_DICT},
    {"own_function", "data.pkl, byte @ (opcode R): calls model.train, which has no place among "
                     "weights" STATE_DICT},
    {"own_class", "data.pkl, byte @ (opcode 0x81): makes an object of class model.Net, which is a "
                  "program's own" STATE_DICT},
    {"call_of_text", "data.pkl, byte @ (opcode R): calls what is no global\n"},
    {"underflow", "data.pkl, byte @ (opcode 0x86): takes more from the stack than there is\n"},
    {"underflow_of_mark", "data.pkl, byte @ (opcode a): takes more from the stack than there is\n"},
    {"no_mark", "data.pkl, byte @ (opcode e): needs a mark where there is none\n"},
    {"memo", "data.pkl, byte @ (opcode h): asks for what was not remembered\n"},
    {"put_nothing", "data.pkl, byte @ (opcode q): remembers what is not there\n"},
    {"items_of_none", "data.pkl, byte @ (opcode u): changes what is no dict\n"},
    {"odd_items", "data.pkl, byte @ (opcode u): sets a key without a value\n"},
    {"long_text", "data.pkl, byte @ (opcode X): is longer than the pickle\n"},
    {"negative_text", "data.pkl, byte @ (opcode 0x8d): is longer than the pickle\n"},
    {"no_stop", "data.pkl ends before its last opcode; it is cut off\n"},
    {"two_values", "data.pkl, byte @ (opcode .): ends with more or less than one value\n"},
    {"open_mark", "data.pkl, byte @ (opcode .): ends with more or less than one value\n"},
    {"build_text", "data.pkl, byte @ (opcode b): gives a state to what has none\n"},
    {"deep_lists", NO_LAYER "what was saved is no state_dict\n"},
    {"many_opcodes", "data.pkl has more than 400000 opcodes; save the state_dict alone\n"},
    {"many_marks", "data.pkl has more than 400000 opcodes; save the state_dict alone\n"},
    {"large_pickle", "data.pkl has more than 16 MB\n"},
    {"cycle", NO_LAYER "it has model\n"},
    {"nothing", NO_LAYER "it is empty\n"},
    {"a_number", NO_LAYER "what was saved is no state_dict\n"},
    {"no_layer", NO_LAYER "it has epoch, weights_of\n"},
    {"storage_text", "data.pkl, byte @ (opcode Q): names a storage in an unknown way\n"},
    {"storage_number", "data.pkl, byte @ (opcode Q): names a storage in an unknown way\n"},
    {"offset", "weight_ih_l0: reaches beyond its storage, data/0\n"},
    {"offset_negative", "data.pkl, byte @ (opcode R): " NO_TENSOR},
    {"offset_far_below_zero", "data.pkl, byte @ (opcode R): " NO_TENSOR},
    {"offset_text", "data.pkl, byte @ (opcode R): " NO_TENSOR},
    {"shape", "weight_ih_l0: reaches beyond its storage, data/0\n"},
    {"shape_negative", "data.pkl, byte @ (opcode R): " NO_TENSOR},
    {"shape_huge", "weight_ih_l0: its tensors are larger than the file by far\n"},
    {"strides", "weight_ih_l0: reaches beyond its storage, data/0\n"},
    {"strides_missing", "data.pkl, byte @ (opcode R): " NO_TENSOR},
    {"strides_zero", "weight_ih_l0: its tensors are larger than the file by far\n"},
    {"storage_short",
     "weight_ih_l0: data/0 has 12 bytes, which are no 4 elements of a FloatStorage\n"},
    {"no_storage", "there is no net/data/0 in the archive\n"},
    {"big_endian", "its numbers are big-endian; save it on a little-endian machine\n"},
    {"complex", "weight_ih_l0: is of a ComplexFloatStorage, which rnnc does not read\n"},
    {"weight_norm_axes", "weight_ih_l0_g (2, 2) and weight_ih_l0_v (2, 2) do not fit together\n"},
    {"weight_norm_shapes", "weight_ih_l0_g (3, 1) and weight_ih_l0_v (2, 2) do not fit together\n"},
    {"mask_shapes", "weight_ih_l0_mask (4, 1) and weight_ih_l0_orig (2, 2) do not fit together\n"},
    {"spectral_norm",
     "fc.parametrizations.weight.original is a factor of a weight in a way that rnnc does not know "
     "(spectral norm?); remove it before saving: "
     "torch.nn.utils.parametrize.remove_parametrizations or remove_spectral_norm\n"},
    {"axis", "weight_ih_l0: has another number of scales than channels\n"},
    {"script_tanh", "9 is Hardtanh with min_val = -0.5 and max_val = -2, which are not in order\n"},
    {"frozen", "its modules have no tensors: torch.jit.freeze and quantize_dynamic put them "
               "elsewhere; save the network before that\n"},
    {"quantised_dynamic",
     "data.pkl, byte @ (opcode 0x81): has weights of quantize_dynamic, which only PyTorch's own "
     "code unpacks; save the state_dict of the network before it is quantised\n"},
    {"traced_tanh", "9 is Hardtanh with min_val = 3 and max_val = 2, which are not in order\n"},
    {"traced_gelu", "3 is GELU with approximate = \"erf\"; rnnc has it with \"none\"\n"},
    {"script_softplus", "25 is Softplus with beta = 3.; rnnc has it with 1\n"},
    {"quantised_view",
     "weight_ih_l0: is quantised and a view of a part of its storage, which rnnc does not read\n"},
};

/* Is it `want`, with a number for @? */
static bool is_line(const char *line, const char *want) {
    const char *const at = strchr(want, '@');
    if (!at)
        return strcmp(line, want) == 0;
    const size_t n = (size_t)(at - want);
    return strncmp(line, want, n) == 0 &&
           strcmp(line + n + strspn(line + n, "0123456789"), at + 1) == 0;
}

/* Imports dir/name: a line about the file and nothing else. Returns what it says, allocated. */
static char *import_wrong(const char *dir, const char *name) {
    outcome o = run(dir, "import", name, "-o", "out", NULL);
    const size_t n = strlen(name);
    char *const end = strchr(o.err, '\n');
    cr_assert_eq(o.code, 1, "%s: exit code %d: %s%s", name, o.code, o.out, o.err);
    cr_assert(end && end[1] == '\0' && strncmp(o.err, name, n) == 0 &&
                  strncmp(o.err + n, ": error: ", 9) == 0,
              "%s: %s", name, o.err);
    expect_file(dir, "out", false);
    char *const line = strdup(o.err + n + 9);
    outcome_free(&o);
    return line;
}

Test(import_pytorch, files_that_are_wrong, .timeout = 300) {
    char dir[PATH_SIZE], name[64];
    workdir_make(dir);
    make_files("wrong", dir, NULL);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(name, sizeof name, "%s.pt", wrong[i].name);
        char *const line = import_wrong(dir, name);
        cr_expect(is_line(line, wrong[i].line), "%s\n  gives %s  not %s", name, line,
                  wrong[i].line);
        free(line);
    }
    /* A good pickle cut off at places all over it, in an archive that is sound. */
    enum { CUTS = 40 };
    for (int i = 0; i < CUTS; i++) {
        snprintf(name, sizeof name, "cut_%d.pt", i);
        char *const line = import_wrong(dir, name);
        cr_expect(strncmp(line, "data.pkl", 8) == 0, "%s gives %s", name, line);
        free(line);
    }
    workdir_remove(dir);
}
