/* Generated C as a product: no warnings from either compiler, valid C++, nothing asked of the
 * system, no writable data, and no access beyond what it was given. */
#define _XOPEN_SOURCE 700
#include "support/generate.h"
#include "support/spread.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* "NAME.c" or "NAME.c NAME_weights.c". */
static void sources_of(const spec *s, char text[128]) {
    const bool built_in = strcmp(s->weights_as, "c") == 0;
    snprintf(text, 128, built_in ? "%s.c %s_weights.c" : "%s.c", s->name, s->name);
}

/* All of the spread, generated into a new directory. */
static void generate_spread(char dir[PATH_SIZE]) {
    rnnc_error err;
    workdir_make(dir);
    for (size_t i = 0; i < spread_count; i++)
        cr_assert(spread_generate(&spread[i], dir, NULL, NULL, &err), "%s", err.message);
}

/* Compiles every C file of the spread on its own. */
static void compile_spread(const char *cc, const char *flags) {
    char dir[PATH_SIZE], sources[128], object[160];
    rnnc_error err;
    generate_spread(dir);
    for (size_t i = 0; i < spread_count; i++) {
        char *rest = NULL;
        sources_of(&spread[i], sources);
        for (char *file = strtok_r(sources, " ", &rest); file; file = strtok_r(NULL, " ", &rest)) {
            snprintf(object, sizeof object, "%s.o", file);
            cr_expect(compile_c(cc, flags, dir, file, object, &err), "%s", err.message);
        }
    }
    workdir_remove(dir);
}

#define STRICT "-std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"
#define STRICT_CPP "-x c++ -std=c++17 -Wall -Wextra -Werror"

/* With -O2 the symbols are looked at too, below. At -O0 different parts of a compiler look at the
 * code, and intrinsics are checked for real. */
Test(generated_c, no_warnings_unoptimised, .timeout = 600) {
    compile_spread("gcc", STRICT " -O0");
    compile_spread("clang", STRICT " -O0");
}

Test(generated_c, is_cpp17_for_gcc, .timeout = 600) { compile_spread("g++", STRICT_CPP " -O1"); }

Test(generated_c, is_cpp17_for_clang, .timeout = 600) {
    compile_spread("clang++", STRICT_CPP " -O1");
}

/* As C++ too, the names are those that C programs link with. */
Test(generated_c, links_as_cpp, .timeout = 120) {
    char dir[PATH_SIZE];
    rnnc_error err;
    workdir_make(dir);
    cr_assert(spread_generate(&spread[1], dir, NULL, NULL, &err), "%s", err.message);
    cr_assert(compile_c("g++", STRICT_CPP " -O1 -fPIC", dir, "tutorial.c", "a.o", &err), "%s",
              err.message);
    cr_assert(compile_c("g++", STRICT_CPP " -O1 -fPIC", dir, "tutorial_weights.c", "b.o", &err),
              "%s", err.message);
    void *const library = build_library("g++", "", dir, "a.o b.o", &err);
    cr_assert(library, "%s", err.message);
    const rnnc_model *const model = library_model(library, "tutorial", &err);
    cr_assert(model && model->built_in, "%s", err.message);
    cr_expect_neq(model->workspace_size(5, 3), 0);
    close_library(library);
    workdir_remove(dir);
}

/* ---- no warnings, symbols and sections ---- */

/* What generated code may ask of others: what gcc's and clang's __builtin_cpu_supports stand for;
 * copies; libm. */
static const char *const allowed[] = {
    "memcpy",
    "memset",
    "memmove",
    "tanhf",
    "expf",
    "fmaf",
    "__cpu_model",
    "__cpu_indicator_init",
    "__cpu_features2",
    "_GLOBAL_OFFSET_TABLE_",
};

static bool is_allowed(const char *symbol) {
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        if (strcmp(symbol, allowed[i]) == 0)
            return true;
    return false;
}

/* Checks the output of `nm -f posix`: "symbol type value size" a line. `name` is the network's. */
static void check_symbols(char *text, const char *name) {
    char *rest = NULL;
    size_t defined = 0;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char symbol[256], type;
        if (sscanf(line, "%255s %c", symbol, &type) != 2)
            continue;
        const bool own = strncmp(symbol, name, strlen(name)) == 0;
        switch (type) {
        case 'U':
            cr_expect(own || is_allowed(symbol), "%s: asks for %s", name, symbol);
            break;
        case 'T':
        case 'R':
            defined++;
            cr_expect(own, "%s: defines %s, which does not begin with its name", name, symbol);
            break;
        case 't':
        case 'r':
            break;
        default:
            cr_expect(false, "%s: %s is of type %c: writable data?", name, symbol, type);
        }
    }
    cr_expect(defined > 0, "%s: no symbols", name);
}

/* Checks the output of `size -A`: no bytes in any section that is writable at run time. Position
 * independent code would have relocated constants in .data.rel.ro, hence -fno-pie. */
static void check_sections(const char *text, const char *name) {
    static const char *const writable[] = {".data", ".bss",        ".tdata",
                                           ".tbss", ".init_array", ".ctors"};
    for (size_t i = 0; i < sizeof writable / sizeof *writable; i++) {
        const size_t length = strlen(writable[i]);
        for (const char *at = text; (at = strstr(at, writable[i])) != NULL; at += length) {
            size_t size = 0;
            if ((at == text || at[-1] == '\n') && sscanf(at, "%*s %zu", &size) == 1)
                cr_expect_eq(size, 0, "%s: %zu bytes in %s", name, size, writable[i]);
        }
    }
}

static void check_object(const char *dir, const char *object, const char *name) {
    const char *const nm[] = {"nm", "-f", "posix", object, NULL};
    const char *const size[] = {"size", "-A", object, NULL};
    outcome symbols = process_run(nm, dir, NULL, 30), sections = process_run(size, dir, NULL, 30);
    cr_assert(symbols.code == 0 && sections.code == 0, "%s%s", symbols.err, sections.err);
    check_symbols(symbols.out, name);
    check_sections(sections.out, name);
    outcome_free(&symbols);
    outcome_free(&sections);
}

static void symbols_with(const char *cc) {
    char dir[PATH_SIZE], sources[128];
    rnnc_error err;
    if (sanitized())
        cr_skip("a sanitizer adds symbols of its own\n");
    generate_spread(dir);
    for (size_t i = 0; i < spread_count; i++) {
        char *rest = NULL;
        sources_of(&spread[i], sources);
        for (char *file = strtok_r(sources, " ", &rest); file; file = strtok_r(NULL, " ", &rest)) {
            cr_assert(compile_c(cc, STRICT " -O2 -fno-pie", dir, file, "one.o", &err), "%s",
                      err.message);
            check_object(dir, "one.o", spread[i].name);
        }
    }
    workdir_remove(dir);
}

Test(generated_c, symbols_with_gcc, .timeout = 600) { symbols_with("gcc"); }

Test(generated_c, symbols_with_clang, .timeout = 600) { symbols_with("clang"); }

/* ---- on their own ---- */

/* A program that runs every network of the spread that its arguments name, in heap buffers of
 * exactly the sizes that the header asks for. */
static const char driver_head[] =
    "#include \"rnnc.h\"\n"
    "#include <stdio.h>\n"
    "#include <stdlib.h>\n"
    "#include <string.h>\n"
    "static float *floats(size_t n)\n"
    "{\n"
    "    float *p = malloc(n * sizeof *p);\n"
    "    for (size_t i = 0; i < n; ++i) p[i] = (float)(i % 13) * 0.125f - 0.75f;\n"
    "    return p;\n"
    "}\n"
    "static int run(const rnnc_model *m, size_t t, size_t b, int all)\n"
    "{\n"
    "    const size_t T = m->seq_len ? m->seq_len : t, B = m->batch ? m->batch : b;\n"
    "    const rnnc_config *const c = &m->network.layer[0].recurrent;\n"
    "    const size_t D = c->bidirectional ? 2 : 1, H = c->hidden_size;\n"
    "    const size_t states = c->num_layers * D * B * H, size = m->workspace_size(T, B);\n"
    "    float *w = m->built_in ? NULL : floats(m->packed_count), *x = floats(T * B * "
    "c->input_size);\n"
    "    float *h0 = all ? floats(states) : NULL, *hn = all ? floats(states) : NULL;\n"
    "    float *y = floats(T * B * D * H);\n"
    "    char *space = malloc(size + 3);\n"
    "    const rnnc_call call = { w, T, B, NULL, NULL, x, h0, NULL, y, hn, NULL, space + 3 };\n"
    "    const int status = (int)m->forward(&call);\n"
    "    if (status) printf(\"%s: status %d\\n\", m->name, status);\n"
    "    free(w), free(x), free(h0), free(hn), free(y), free(space);\n"
    "    return status;\n"
    "}\n";

static void write_driver(const char *dir, const size_t indices[], size_t count) {
    char path[PATH_SIZE];
    path_join(path, dir, "driver.c");
    FILE *const out = fopen(path, "w");
    cr_assert(out != NULL);
    fputs(driver_head, out);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "extern const rnnc_model %s_model;\n", spread[indices[i]].name);
    fputs("int main(void)\n{\n    int bad = 0;\n    for (size_t t = 1; t < 70; t += 17)\n"
          "        for (size_t b = 1; b < 36; b += b < 9 ? 1 : 8) {\n",
          out);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "            bad |= run(&%s_model, t, b, (int)(t + b) %% 3);\n",
                spread[indices[i]].name);
    fputs("        }\n    return bad;\n}\n", out);
    cr_assert_eq(fclose(out), 0);
}

static bool runs_here(const spec *s) { return strchr(s->target, ',') || target_runs(s->target); }

/* Compiles the spread with its driver and runs it; `built_in` keeps to networks with weights built
 * in, which need nothing but libm. */
static void run_driver(const char *cc, const char *flags, bool built_in) {
    char dir[PATH_SIZE], sources[128], all[2048] = "driver.c";
    size_t indices[32], count = 0;
    rnnc_error err;
    generate_spread(dir);
    for (size_t i = 0; i < spread_count; i++) {
        if (!runs_here(&spread[i]) || (built_in && strcmp(spread[i].weights_as, "c") != 0))
            continue;
        sources_of(&spread[i], sources);
        strcat(strcat(all, " "), sources);
        indices[count++] = i;
    }
    write_driver(dir, indices, count);
    cr_assert(compile_c(cc, flags, dir, all, "driver", &err), "%s", err.message);
    const char *const argv[] = {"./driver", NULL};
    outcome o = process_run(argv, dir, NULL, 120);
    cr_expect(o.code == 0 && !*o.out && !*o.err, "exit code %d\n%s%.4000s", o.code, o.out, o.err);
    outcome_free(&o);
    workdir_remove(dir);
}

Test(generated_c, needs_nothing_but_libm, .timeout = 120) {
    run_driver(NULL, "-std=c11 -O1", true);
}

/* Buffers on the heap and weights in static arrays, all between poisoned bytes. No -g: gcc 12
 * spends minutes on tracking the variables of code that is both unrolled and instrumented. */
#define POISON "-std=c11 -O1 -fno-sanitize-recover=all"

Test(generated_c, stays_within_buffers_gcc, .timeout = 600) {
    if (sanitized())
        cr_skip("the suite runs under a sanitizer already\n");
    run_driver("gcc", POISON " -fsanitize=address", false);
}

Test(generated_c, stays_within_buffers_clang, .timeout = 600) {
    if (sanitized())
        cr_skip("the suite runs under a sanitizer already\n");
    run_driver("clang", POISON " -fsanitize=address,undefined", false);
}

/* The bound of 5 s is a matter of `make bench`; here the figure is printed, and only a runaway
 * fails. */
Test(generated_c, compile_time_at_O3, .timeout = 600) {
    static const spec heavy[] = {
        {.name = "deep",
         .config = {RNNC_RNN_TANH, 512, 512, 64, 1, 0, 1, 0},
         .batch = 64,
         .target = "avx512,avx2,portable",
         .weights_as = "none"},
        {.name = "odd",
         .config = {RNNC_RNN_TANH, 97, 127, 4, 1, 1, 1, 0},
         .batch = 33,
         .target = "avx512,avx2,portable",
         .weights_as = "none"},
        {.name = "vector",
         .config = {RNNC_RNN_TANH, 200, 255, 3, 1, 0, 1, 0},
         .batch = 1,
         .target = "avx512,avx2,portable",
         .weights_as = "none"},
    };
    char dir[PATH_SIZE], source[64];
    rnnc_error err;
    workdir_make(dir);
    for (size_t i = 0; i < sizeof heavy / sizeof *heavy; i++) {
        cr_assert(spread_generate(&heavy[i], dir, NULL, NULL, &err), "%s", err.message);
        snprintf(source, sizeof source, "%s.c", heavy[i].name);
        const double begin = children_seconds();
        cr_assert(compile_c("gcc", "-std=c11 -O3", dir, source, "heavy.o", &err), "%s",
                  err.message);
        const double seconds = children_seconds() - begin;
        printf("generated_c: gcc -O3 of %s takes %.2f s for three targets\n", source, seconds);
        cr_expect(seconds < 60.0, "%s: %.1f s", source, seconds);
    }
    workdir_remove(dir);
}
