/* The forms in which the C of a network comes: with rnnc.h, standalone, and as a single header. All
 * compute the same bits, and the last two need nothing of rnnc. */
#include "support/cli.h"
#include "support/generate.h"
#include "support/model.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char dir[PATH_SIZE];

/* amp.lua in dir, an lstm of two layers with a dense layer, whose weights are built in. */
static void setup(void) {
    const rnnc_layer layers[] = {
        {.kind = RNNC_RECURRENT, .recurrent = {RNNC_LSTM, 3, 6, 2, 1, 0, 0, 0}},
        {.kind = RNNC_DENSE, .inputs = 6, .outputs = 2, .activation = RNNC_TANH, .bias = 1}};
    char path[PATH_SIZE];
    rng random = {.state = 5};
    rnnc_error err;
    workdir_make(dir);
    model m = model_make(layers, 2, false, 0, 0, 1, false, &random);
    path_join(path, dir, "w.safetensors");
    cr_assert(model_write_weights(&m, path, "", &err), "%s", err.message);
    char *const text = model_text(&m, "name = \"amp\", weights = \"w.safetensors\",");
    path_join(path, dir, "amp.lua");
    cr_assert(file_write(path, text, strlen(text)));
    free(text);
    model_free(&m);
}

static void finish(void) { workdir_remove(dir); }

TestSuite(generated_forms, .init = setup, .fini = finish, .timeout = 120);

/* Whole call, pieces and steps, as bits. */
static const char program[] =
    "#include <stdio.h>\n"
    "#include <string.h>\n"
    "#include \"amp.h\"\n"
    "#include \"amp.h\"\n"
    "static void show(const float *v, size_t n) {\n"
    "    for (size_t i = 0; i < n; ++i) {\n"
    "        unsigned bits;\n"
    "        memcpy(&bits, v + i, sizeof bits);\n"
    "        printf(\"%08x \", bits);\n"
    "    }\n"
    "}\n"
    "int main(void) {\n"
    "    enum { T = 9 };\n"
    "    static unsigned char space[AMP_WORKSPACE_SIZE];\n"
    "    static amp_state s;\n"
    "    float x[T * 3], y[T * 2], hn[AMP_H_SIZE], cn[AMP_C_SIZE];\n"
    "    for (int i = 0; i < T * 3; ++i) x[i] = (float)(i % 7 - 3) * 0.75f;\n"
    "    if (amp_forward(T, x, NULL, NULL, y, hn, cn, space) != RNNC_OK) return 1;\n"
    "    show(y, T * 2);\n"
    "    show(hn, AMP_H_SIZE);\n"
    "    show(cn, AMP_C_SIZE);\n"
    "    amp_state_init(&s);\n"
    "    for (int t = 0; t < T; ++t) {\n"
    "        if (amp_step(&s, x + t * 3, y) != RNNC_OK) return 1;\n"
    "        show(y, 2);\n"
    "    }\n"
    "    return amp_step(NULL, x, y) == RNNC_ERR_ARGUMENT ? 0 : 2;\n"
    "}\n";

/* What the program prints with the files in dir/form, from `sources` of that folder. */
static char *run_form(const char *form, const char *cc, const char *flags, const char *sources) {
    char path[PATH_SIZE], all[256];
    rnnc_error err;
    path_join(path, dir, form);
    const char *const where = path;
    char file[PATH_SIZE];
    path_join(file, where, "main.c");
    cr_assert(file_write(file, program, strlen(program)));
    const bool built = compile_c(cc, flags, where, sources, "main", &err);
    cr_assert(built, "%s, %s %s: %s", form, cc, flags, err.message);
    path_join(file, where, "main");
    outcome o = process_run((const char *[]){file, NULL}, NULL, NULL, 10);
    snprintf(all, sizeof all, "%s %s", cc, form);
    cr_assert_eq(o.code, 0, "%s: exit code %d", all, o.code);
    free(o.err);
    return o.out;
}

#define WARNINGS " -O1 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"

/* The same bits in all forms, with both compilers and as C++; nothing of rnnc is in the folder, and
 * nothing that begins with rnnc_ is asked of the linker. */
Test(generated_forms, same_bits_without_rnnc) {
    expect_runs(run(dir, "compile", "amp.lua", "-o", "files", NULL), "files");
    expect_runs(run(dir, "compile", "amp.lua", "-o", "alone", "--standalone"), "standalone");
    expect_runs(run(dir, "compile", "amp.lua", "-o", "one", "--single-header"), "single");
    expect_file(dir, "files/rnnc.h", true);
    expect_file(dir, "alone/rnnc.h", false);
    expect_file(dir, "alone/amp_weights.c", false);
    expect_file(dir, "one/rnnc.h", false);
    expect_file(dir, "one/amp.c", false);
    static const struct {
        const char *form, *cc, *flags, *sources;
    } ways[] = {
        {"alone", "gcc", "-std=c11" WARNINGS, "main.c amp.c"},
        {"alone", "clang", "-std=c11" WARNINGS, "main.c amp.c"},
        {"one", "gcc", "-std=c11 -DAMP_IMPLEMENTATION" WARNINGS, "main.c"},
        {"one", "clang", "-std=c11 -DAMP_IMPLEMENTATION" WARNINGS, "main.c"},
        {"one", "g++", "-x c++ -std=c++17 -DAMP_IMPLEMENTATION" WARNINGS, "main.c"},
    };
    char *const wanted = run_form("files", "gcc", "-std=c11 -O1", "main.c amp.c amp_weights.c");
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        char *const got = run_form(ways[i].form, ways[i].cc, ways[i].flags, ways[i].sources);
        cr_expect_str_eq(got, wanted, "%s, %s", ways[i].form, ways[i].cc);
        free(got);
    }
    free(wanted);
}

/* A program may have rnnc.h besides, before or behind, and other standalone networks. */
Test(generated_forms, beside_rnnc_h) {
    static const char *const units[] = {"#include \"amp.h\"\n#include \"rnnc.h\"\n",
                                        "#include \"rnnc.h\"\n#include \"amp.h\"\n"
                                        "rnnc_status s = RNNC_ERR_ABI;\n"};
    char path[PATH_SIZE];
    rnnc_error err;
    expect_runs(run(dir, "compile", "amp.lua", "--single-header", NULL, NULL), "single");
    path_join(path, dir, "unit.c");
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        cr_assert(file_write(path, units[i], strlen(units[i])));
        cr_expect(
            compile_c("gcc", "-std=c11 -c -Wall -Wextra -Werror", dir, "unit.c", "unit.o", &err),
            "%s: %s", units[i], err.message);
    }
}

/* The code around a single header's implementation keeps the flags of its command line. */
Test(generated_forms, flags_are_given_back) {
    static const char unit[] = "#define AMP_IMPLEMENTATION\n#include \"amp.h\"\n"
                               "int f(float x);\n"
                               "int f(float x) { return x != x; }\n";
    char path[PATH_SIZE];
    rnnc_error err;
    expect_runs(run(dir, "compile", "amp.lua", "--single-header", NULL, NULL), "single");
    path_join(path, dir, "unit.c");
    cr_assert(file_write(path, unit, strlen(unit)));
    cr_assert(compile_c("gcc", "-std=c11 -O2 -ffast-math -S", dir, "unit.c", "unit.s", &err), "%s",
              err.message);
    path_join(path, dir, "unit.s");
    char *const text = file_read(path, NULL), *const f = strstr(text, "\nf:");
    cr_assert(f);
    *strstr(f, "ret") = '\0';
    cr_expect(!strstr(f, "comiss"), "f asks for NaN in spite of -ffast-math: %s", f);
    free(text);
}

/* What does not go together is said before anything is written. */
Test(generated_forms, what_does_not_go_together) {
    expect(dir, 0, "amp.h\namp.c\n", "", "compile", "amp.lua", "--list", "--standalone");
    expect(dir, 0, "amp.h\n", "", "compile", "amp.lua", "--list", "--single-header");
    expect(
        dir, 1, "",
        "rnnc: error: --standalone and --single-header exclude each other: the one is two files, "
        "the other one\n",
        "compile", "amp.lua", "--standalone", "--single-header");
    expect(dir, 1, "",
           "rnnc: error: --standalone: training code needs rnnc.h; leave one of them out\n",
           "compile", "amp.lua", "--standalone", "--train");
    expect(
        dir, 1, "",
        "rnnc: error: --single-header has its weights built in, and --weights-as=none not; name a "
        "file in the spec or with --weights\n",
        "compile", "amp.lua", "--single-header", "--weights-as=none");
    expect(dir, 1, "",
           "rnnc: error: --standalone has its weights built in, and --weights-as=blob not; name a "
           "file in the spec or with --weights\n",
           "compile", "amp.lua", "--standalone", "--weights-as=blob");
    char path[PATH_SIZE];
    static const char threads[] =
        "return rnn { input_size = 3, hidden_size = 6, batch = 4, threads = 2 }\n";
    path_join(path, dir, "two.lua");
    cr_assert(file_write(path, threads, strlen(threads)));
    expect(
        dir, 1, "",
        "rnnc: error: --standalone: threads = 2 needs the teams of rnnc.h; leave one of them out\n",
        "compile", "two.lua", "--standalone", NULL);
    expect_file(dir, "amp.h", false);
    expect_file(dir, "two.h", false);
}
