/* Generated files of several networks in one translation unit, as unity builds make them, and names
 * that differ in case only: what cannot work does not compile, and says why. */
#include "support/generate.h"
#include "support/model.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *cc, *flags;
} compilers[] = {{"gcc", "-std=c11 -Wall -Wextra -Wpedantic -O1"},
                 {"clang", "-std=c11 -Wall -Wextra -Wpedantic -O1"},
                 {"g++", "-x c++ -std=c++17 -Wall -Wextra -Wpedantic -O1"},
                 {"clang++", "-x c++ -std=c++17 -Wall -Wextra -Wpedantic -O1"}};

enum { COMPILERS = sizeof compilers / sizeof *compilers };

/* A network in dir/NAME.c; with weights built in if `built_in`. */
static void generate_named(const char *name, rnnc_cell cell, const char *target, bool built_in,
                           const char *dir) {
    const rnnc_layer layer = {.kind = RNNC_RECURRENT, .recurrent = {cell, 3, 6, 1, 1, 0, 0, 0}};
    char fields[160], path[PATH_SIZE];
    rng random = {.state = 3};
    rnnc_error err;
    model m = model_make(&layer, 1, false, 0, 2, 1, false, &random);
    path_join(path, dir, "w.safetensors");
    cr_assert(model_write_weights(&m, path, "", &err), "%s", err.message);
    snprintf(fields, sizeof fields, "name = \"%s\", target = \"%s\", %s", name, target,
             built_in ? "weights = \"w.safetensors\"," : "");
    char *const text = model_text(&m, fields);
    cr_assert(generate_text(name, text, built_in ? "c" : "none", dir, &err), "%s", err.message);
    free(text);
    model_free(&m);
}

/* Compiles a unit of this text with every compiler: it does, or it says `reason`. */
static void check_unit(const char *dir, const char *text, const char *reason) {
    char path[PATH_SIZE];
    rnnc_error err;
    path_join(path, dir, "unit.c");
    FILE *const out = fopen(path, "w");
    cr_assert(out);
    fputs(text, out);
    cr_assert_eq(fclose(out), 0);
    for (size_t i = 0; i < COMPILERS; i++) {
        const bool compiles =
            compile_c(compilers[i].cc, compilers[i].flags, dir, "unit.c", "unit.o", &err);
        if (!reason)
            cr_expect(compiles, "%s: %s: %s", compilers[i].cc, text, err.message);
        else
            cr_expect(!compiles && strstr(err.message, reason), "%s: %s: %s", compilers[i].cc, text,
                      compiles ? "it compiles" : err.message);
    }
}

static const char *const together = "two generated networks in one translation unit";

Test(generated_unity, sources, .timeout = 240) {
    char dir[PATH_SIZE];
    workdir_make(dir);
    generate_named("amp", RNNC_LSTM, "portable", true, dir);
    generate_named("fuzz", RNNC_GRU, "portable", false, dir);
    generate_named("twin", RNNC_LSTM, "portable", false, dir);
    generate_named("wide", RNNC_LSTM, "avx2", false, dir);
    check_unit(dir, "#include \"amp.c\"\n#include \"fuzz.c\"\n", together);
    check_unit(dir, "#include \"amp.c\"\n#include \"twin.c\"\n", together);
    check_unit(dir, "#include \"amp.c\"\n#include \"wide.c\"\n", together);
    check_unit(dir, "#include \"amp.c\"\n#include \"amp.c\"\n", together);
    /* One network, with its weights, its header twice, and another one's header. */
    check_unit(dir,
               "#include \"fuzz.h\"\n#include \"amp.c\"\n#include \"amp_weights.c\"\n"
               "#include \"amp.h\"\n#include \"twin.h\"\n",
               NULL);
    check_unit(dir, "#include \"amp_weights.c\"\n#include \"amp.c\"\n", NULL);
    workdir_remove(dir);
}

/* An rnnc.h of another version, left by an older rnnc, is named before its types fail. */
Test(generated_unity, header_of_another_version, .timeout = 120) {
    static const char other[] = "#define RNNC_ABI 1u\n", none[] = "/* nothing */\n";
    char dir[PATH_SIZE], path[PATH_SIZE];
    workdir_make(dir);
    generate_named("amp", RNNC_LSTM, "portable", false, dir);
    path_join(path, dir, "rnnc.h");
    cr_assert(file_write(path, other, strlen(other)));
    check_unit(dir, "#include \"amp.h\"\n", "are of two versions of rnnc");
    cr_assert(file_write(path, none, strlen(none)));
    check_unit(dir, "#include \"amp.h\"\n", "are of two versions of rnnc");
    workdir_remove(dir);
}

Test(generated_unity, names_that_differ_in_case, .timeout = 240) {
    char dir[PATH_SIZE];
    workdir_make(dir);
    generate_named("amp", RNNC_LSTM, "portable", false, dir);
    generate_named("Amp", RNNC_LSTM, "portable", false, dir);
    generate_named("amp2", RNNC_LSTM, "portable", false, dir);
    check_unit(dir, "#include \"amp.h\"\n#include \"Amp.h\"\n", "names differ in case only");
    check_unit(dir, "#include \"Amp.h\"\n#include \"amp.c\"\n", "names differ in case only");
    check_unit(dir, "#include \"amp.h\"\n#include \"amp2.h\"\n#include \"amp.h\"\n", NULL);
    workdir_remove(dir);
}
