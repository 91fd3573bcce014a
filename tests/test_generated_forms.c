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

/* Without a C library: the headers of the compiler itself suffice, the linker is asked for memcpy
 * and memset only, nothing is of double precision, and the bits are those of the same target
 * elsewhere. */
Test(generated_forms, freestanding) {
    static const char *const compilers[] = {"gcc", "clang"};
    char flags[PATH_SIZE + 200], path[PATH_SIZE];
    rnnc_error err;
    expect_runs(run(dir, "compile", "amp.lua", "-o", "files", "--target=scalar"), "files");
    expect_runs(run(dir, "compile", "amp.lua", "-o", "free", "--freestanding"), "freestanding");
    expect_file(dir, "free/rnnc.h", false);
    char *const wanted = run_form("files", "gcc", "-std=c11 -O1", "main.c amp.c amp_weights.c");
    char *const got = run_form("free", "gcc", "-std=c11 -O1", "main.c amp.c");
    cr_expect_str_eq(got, wanted);
    free(got);
    free(wanted);
    path_join(path, dir, "free");
    for (size_t i = 0; i < 2; i++) {
        const char *const where[] = {compilers[i], "-print-file-name=include", NULL};
        outcome include = process_run(where, NULL, NULL, 10);
        cr_assert_eq(include.code, 0);
        snprintf(flags, sizeof flags,
                 "-std=c11 -Os -c -ffreestanding -nostdinc -Wdouble-promotion -Wvla -isystem "
                 "%.*s" WARNINGS,
                 (int)strcspn(include.out, "\n"), include.out);
        outcome_free(&include);
        cr_expect(compile_c(compilers[i], flags, path, "amp.c", "amp.o", &err), "%s", err.message);
        const char *const nm[] = {"nm", "-u", "amp.o", NULL};
        outcome undefined = process_run(nm, path, NULL, 10);
        for (char *word = strtok(undefined.out, " \nU"); word; word = strtok(NULL, " \nU"))
            cr_expect(strcmp(word, "memcpy") == 0 || strcmp(word, "memset") == 0, "%s asks for %s",
                      compilers[i], word);
        outcome_free(&undefined);
    }
    char file[PATH_SIZE];
    path_join(file, path, "amp.c");
    char *const text = file_read(file, NULL);
    cr_assert(text);
    cr_expect(!strstr(text, "double"));
    free(text);
    /* The bytes that the head tells of. */
    path_join(file, path, "amp.h");
    char *const header = file_read(file, NULL);
    cr_assert(header);
    const char *const bytes = strstr(header, "; a stream has ");
    char check[200];
    snprintf(check, sizeof check,
             "#include \"amp.h\"\n_Static_assert(sizeof(amp_state) == %ld, \"\");\n",
             bytes ? atol(bytes + strlen("; a stream has ")) : -1);
    free(header);
    path_join(file, path, "size.c");
    cr_assert(file_write(file, check, strlen(check)));
    cr_expect(compile_c("gcc", "-std=c11 -c", path, "size.c", "size.o", &err), "%s", err.message);
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
    expect(
        dir, 1, "",
        "rnnc: error: --standalone and --freestanding exclude each other: the latter needs less, "
        "give it alone\n",
        "compile", "amp.lua", "--standalone", "--freestanding");
    expect(
        dir, 1, "",
        "rnnc: error: --freestanding: target = \"avx2\" asks which CPU it runs on; name \"scalar\" "
        "or \"portable\"\n",
        "compile", "amp.lua", "--freestanding", "--target=portable,avx2");
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
    static const char logarithm[] =
        "return model { batch = 1, weights = \"w.safetensors\", layers = {\n"
        "  rnn { cell = \"lstm\", input_size = 3, hidden_size = 6, num_layers = 2 },\n"
        "  dense { units = 2, activation = \"log_softmax\" } } }\n";
    path_join(path, dir, "log.lua");
    cr_assert(file_write(path, logarithm, strlen(logarithm)));
    expect(
        dir, 1, "",
        "rnnc: error: --freestanding: log_softmax needs logf of libm; take the layer's outputs as "
        "they come, or softmax, which is the same but for the logarithm\n",
        "compile", "log.lua", "--freestanding", NULL);
    expect_file(dir, "amp.h", false);
    expect_file(dir, "two.h", false);
}
