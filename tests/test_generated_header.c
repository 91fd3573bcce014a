/* NAME.h: its macros, and what it says of its own making. */
#define _XOPEN_SOURCE 700
#include "support/generate.h"
#include "support/spread.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The macros of the header are constants with the spec's values, and no other sizes are promised.
 */
Test(generated_header, macros, .timeout = 120) {
    static const char program[] =
        "#include \"fixed.h\"\n#include \"tutorial.h\"\n#include \"fixed.h\"\n"
        "_Static_assert(FIXED_INPUT_SIZE == 20 && FIXED_HIDDEN_SIZE == 50, \"sizes\");\n"
        "_Static_assert(FIXED_NUM_LAYERS == 2 && FIXED_NUM_DIRECTIONS == 1, \"layers\");\n"
        "_Static_assert(FIXED_SEQ_LEN == 100 && FIXED_BATCH == 32, \"fixed\");\n"
        "_Static_assert(FIXED_WEIGHTS_COUNT >= 8700, \"weights\");\n"
        "#if defined TUTORIAL_SEQ_LEN || defined TUTORIAL_BATCH || defined TUTORIAL_WEIGHTS_COUNT\n"
        "#error \"sizes that are not fixed\"\n#endif\n"
        "int main(void)\n{\n"
        "#ifdef FIXED_WORKSPACE_SIZE\n"
        "    if (FIXED_WORKSPACE_SIZE != fixed_workspace_size(100, 32)) return 1;\n"
        "#endif\n"
        "    if (FIXED_WEIGHTS_COUNT != fixed_model.packed_count) return 2;\n"
        "    if (fixed_model.built_in || !tutorial_model.built_in) return 3;\n"
        "    if (fixed_workspace_size(100, 31) != 0 || fixed_workspace_size(99, 32) != 0) return "
        "4;\n"
        "    return 0;\n}\n";
    char dir[PATH_SIZE], path[PATH_SIZE];
    rnnc_error err;
    workdir_make(dir);
    for (size_t i = 1; i <= 2; i++)
        cr_assert(spread_generate(&spread[i], dir, NULL, NULL, &err), "%s", err.message);
    path_join(path, dir, "main.c");
    cr_assert(file_write(path, program, sizeof program - 1));
    /* Without librnnc: only a call of fixed_pack would need it. */
    cr_assert(compile_c(NULL, "-std=c11 -Wall -Wextra -Werror -O1", dir,
                        "main.c fixed.c tutorial.c tutorial_weights.c", "program", &err),
              "%s", err.message);
    const char *const argv[] = {"./program", NULL};
    outcome o = process_run(argv, dir, NULL, 10);
    cr_expect_eq(o.code, 0, "exit code %d", o.code);
    outcome_free(&o);
    workdir_remove(dir);
}

/* FNV-1a of 64 bits, as http://www.isthe.com/chongo/tech/comp/fnv/ has it. */
static uint64_t fnv1a(const char *text) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return hash;
}

/* The value of #define NAME "..." in text, of at most 32 characters; empty if there is none. */
static void macro_text(const char *text, const char *name, char value[33]) {
    char line[64];
    snprintf(line, sizeof line, "#define %s \"", name);
    const char *const found = strstr(text, line);
    value[0] = '\0';
    if (found)
        sscanf(found + strlen(line), "%32[^\"]", value);
}

/* What NAME.h of a spec says of its own making. */
typedef struct made_of {
    char version[33], spec[33], weights[33];
} made_of;

static made_of header_of(const char *dir, const char *text, const char *weights_as) {
    char path[PATH_SIZE];
    rnnc_error err;
    made_of m = {{0}, {0}, {0}};
    cr_assert(generate_text("net", text, weights_as, dir, &err), "%s", err.message);
    path_join(path, dir, "net.h");
    char *const header = file_read(path, NULL);
    path_join(path, dir, "net.c");
    char *const source = file_read(path, NULL);
    cr_assert(header && source);
    macro_text(header, "NET_RNNC_VERSION", m.version);
    macro_text(header, "NET_SPEC_HASH", m.spec);
    macro_text(header, "NET_WEIGHTS_HASH", m.weights);
    cr_expect(strstr(header, "\n * SPDX-License-Identifier: MIT-0\n"));
    cr_expect(strstr(source, "\n * SPDX-License-Identifier: MIT-0\n"));
    /* The plan and its reasons are for readers of the code. */
    cr_expect(!strstr(header, "kernel \"") && !strstr(header, "cycles"));
    cr_expect(strstr(source, "portable: kernel \"") &&
              strstr(source, " cycles a step by the cost model"));
    free(header);
    free(source);
    return m;
}

/* NAME.h tells which compiler, spec and weights it was made of; the plan stands in NAME.c. */
Test(generated_header, says_what_it_is_made_of, .timeout = 60) {
    static const char *const texts[] = {
        "return rnn { input_size = 2, hidden_size = 3, target = \"portable\", weights = \"a.st\" }",
        "return rnn { input_size = 2, hidden_size = 3, target = \"portable\", weights = \"b.st\" }",
    };
    char dir[PATH_SIZE], path[PATH_SIZE];
    workdir_make(dir);
    for (size_t i = 0; i < 2; i++) {
        const char *const argv[] = {rnnc_path(), "init", "--weights-only=net.lua", NULL};
        path_join(path, dir, "net.lua");
        cr_assert(file_write(path, texts[i], strlen(texts[i])));
        outcome o = process_run(argv, dir, NULL, 20);
        cr_assert_eq(o.code, 0, "%s", o.err);
        outcome_free(&o);
    }
    const made_of a = header_of(dir, texts[0], NULL), b = header_of(dir, texts[1], NULL);
    char hash[33];
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)fnv1a(texts[0]));
    cr_expect_str_eq(a.version, RNNC_VERSION);
    cr_expect_str_eq(a.spec, hash);
    cr_expect_str_neq(a.spec, b.spec);
    cr_expect_eq(strlen(a.weights), 16);
    cr_expect_eq(strlen(b.weights), 16);
    /* Weights that a program brings are not known here. */
    const made_of blob = header_of(dir, texts[0], "blob"), none = header_of(dir, texts[0], "none");
    cr_expect_str_eq(blob.weights, "");
    cr_expect_str_eq(none.weights, "");
    /* The same values in another way of writing, then other values. */
    const made_of floats = header_of(dir, texts[0], "floats");
    cr_expect_str_eq(floats.weights, a.weights);
    size_t size = 0;
    path_join(path, dir, "a.st");
    char *const bytes = file_read(path, &size);
    cr_assert(bytes);
    bytes[size - 1] ^= 1;
    cr_assert(file_write(path, bytes, size));
    const made_of other = header_of(dir, texts[0], NULL);
    cr_expect_str_eq(other.spec, a.spec);
    cr_expect_str_neq(other.weights, a.weights);
    free(bytes);
    workdir_remove(dir);
}
