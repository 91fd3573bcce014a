/* Code for a list of targets: each of them computes what is right, also those that read weights
 * which were laid out for another one, and weights are there once where that pays. */
#include "support/cli.h"
#include "support/generate.h"
#include "support/model.h"
#include "support/model_run.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const targets[] = {"portable", "avx2", "avx512"};

/* Takes the CPU's word that it can run `target` away from the code in dir/net.c. */
static void take_away(const char *dir, const char *target) {
    char path[PATH_SIZE], check[64];
    size_t size = 0;
    path_join(path, dir, "net.c");
    char *const text = file_read(path, &size);
    cr_assert(text);
    snprintf(check, sizeof check, "static int supported_%s(void)\n{\n    return ", target);
    char *const at = strstr(text, check);
    cr_assert(at, "%s is not asked for", target);
    char *const end = strchr(at + strlen(check), ';');
    memset(at + strlen(check), ' ', (size_t)(end - at) - strlen(check));
    at[strlen(check)] = '0';
    cr_assert(file_write(path, text, size));
    free(text);
}

/* Floats of packed weights of a network for one target. */
static size_t count_of(const char *text, const char *target) {
    char dir[PATH_SIZE], path[PATH_SIZE];
    size_t count = 0;
    workdir_make(dir);
    path_join(path, dir, "net.lua");
    cr_assert(file_write(path, text, strlen(text)));
    char option[64];
    snprintf(option, sizeof option, "--target=%s", target);
    const char *const argv[] = {rnnc_path(), "compile", "net.lua", "-o", ".", option, NULL};
    outcome o = process_run(argv, dir, NULL, 60);
    cr_assert_eq(o.code, 0, "%s", o.err);
    outcome_free(&o);
    path_join(path, dir, "net.h");
    char *const header = file_read(path, NULL);
    cr_assert(header);
    const char *const at = strstr(header, "#define NET_WEIGHTS_COUNT ");
    cr_assert(at && sscanf(at, "#define NET_WEIGHTS_COUNT %zu", &count) == 1);
    free(header);
    workdir_remove(dir);
    return count;
}

/* The model by each target of the list; at most `layouts` times the weights of one. */
static void check_list(const rnnc_layer *layer, size_t count, size_t T, size_t B,
                       const char *fields, double layouts) {
    rng random = {.state = 9};
    rnnc_error err;
    char all[256];
    model m = model_make(layer, count, false, 0, T, B, true, &random);
    model_solve(&m);
    snprintf(all, sizeof all, "name = \"net\", %s target = { \"portable\", \"avx2\", \"avx512\" },",
             fields);
    char *const text = model_text(&m, all);
    size_t most = 0;
    for (size_t i = 0; i < 3; i++) {
        const size_t own = count_of(text, targets[i]);
        most = own > most ? own : most;
    }
    for (size_t i = 3; i-- > 0;) {
        if (!target_runs(targets[i]))
            continue;
        char dir[PATH_SIZE];
        workdir_make(dir);
        cr_assert(generate_text("net", text, "none", dir, &err), "%s", err.message);
        for (size_t k = i + 1; k < 3; k++)
            take_away(dir, targets[k]);
        void *const library = build_library(NULL, "-O1", dir, NULL, &err);
        workdir_remove(dir);
        cr_assert(library, "%s", err.message);
        const rnnc_model *const net = library_model(library, "net", &err);
        cr_assert(net, "%s", err.message);
        cr_expect((double)net->packed_count <= layouts * (double)most,
                  "%s: %zu floats of weights, one target has %zu", text, net->packed_count, most);
        float *const packed = model_pack(net, &m);
        cr_expect(model_run_all_ways(net, packed, &m, 1e-5, &err), "%s: %s: %s", text, targets[i],
                  err.message);
        free(packed);
        close_library(library);
    }
    free(text);
    model_free(&m);
}

static rnnc_layer stack(rnnc_cell cell, size_t inputs, size_t hidden, size_t layers, int both,
                        size_t proj) {
    return (rnnc_layer){.kind = RNNC_RECURRENT,
                        .recurrent = {cell, inputs, hidden, layers, 1, 0, both, proj}};
}

Test(generated_lists, weights_once, .timeout = 400) {
    const rnnc_layer deep = stack(RNNC_LSTM, 40, 64, 2, 0, 0);
    check_list(&deep, 1, 9, 1, "", 1.05);
    const rnnc_layer odd = stack(RNNC_GRU, 20, 50, 2, 1, 0);
    check_list(&odd, 1, 9, 3, "batch = 3,", 1.05);
}

/* Of an unknown batch all programs with units in their lanes read one layout, and the blocks of
 * each target have one of their own: four where a target alone has three at the most. */
Test(generated_lists, weights_of_blocks, .timeout = 400) {
    const rnnc_layer odd = stack(RNNC_GRU, 20, 50, 2, 1, 0);
    check_list(&odd, 1, 9, 3, "batch = \"any\",", 1.4);
}

Test(generated_lists, weights_of_several_layouts, .timeout = 400) {
    const rnnc_layer projected = stack(RNNC_LSTM, 3, 70, 1, 0, 33);
    check_list(&projected, 1, 5, 1, "", 3.1);
    const rnnc_layer batch = stack(RNNC_GRU, 5, 21, 2, 0, 0);
    check_list(&batch, 1, 5, 19, "batch = 19,", 3.1);
}

Test(generated_lists, heads_and_one_step, .timeout = 400) {
    const rnnc_layer layers[] = {stack(RNNC_RNN_RELU, 7, 97, 1, 0, 0),
                                 {RNNC_DENSE, {0}, 97, 70, RNNC_TANH, 1, 0, 0}};
    check_list(layers, 2, 5, 2, "batch = 2,", 3.1);
    check_list(layers, 2, 1, 1, "seq_len = 1,", 3.1);
}

/* A folder with a network as `rnnc init --program --name=net` makes it. */
static void start(char dir[PATH_SIZE]) {
    workdir_make(dir);
    expect_runs(run(dir, "init", "--program", "--name=net", NULL, NULL), "init");
}

Test(generated_lists, is_the_default) {
    char dir[PATH_SIZE], path[PATH_SIZE];
    start(dir);
    expect_runs(run(dir, "compile", "net.lua", "-o", ".", NULL), "compile");
    path_join(path, dir, "net.c");
    char *const text = file_read(path, NULL);
    cr_assert(text);
    cr_expect(strstr(text, "\n    \"portable, avx2, avx512\",\n"), "%s", text);
    free(text);
    workdir_remove(dir);
}

Test(generated_lists, native_is_said_to_be_bound) {
    static const char words[] = "net.lua: note: target = \"native\" is ";
    static const char text[] = "return rnn { input_size = 2, hidden_size = 3 }\n";
    char dir[PATH_SIZE], path[PATH_SIZE];
    workdir_make(dir);
    path_join(path, dir, "net.lua");
    cr_assert(file_write(path, text, sizeof text - 1));
    outcome bound = run(dir, "compile", "net.lua", "--target=native", "-o", "bound");
    cr_expect_eq(strncmp(bound.err, words, sizeof words - 1) == 0, target_runs("avx2"), "%s",
                 bound.err);
    outcome_free(&bound);
    expect(dir, 0, NULL, "", "compile", "net.lua", "-oall", NULL);
    expect(dir, 0, NULL, "", "compile", "net.lua", "--target=avx2", "-oone");
    workdir_remove(dir);
}

Test(generated_lists, a_program_says_what_the_cpu_lacks, .timeout = 100) {
    char dir[PATH_SIZE], program[PATH_SIZE];
    rnnc_error err;
    start(dir);
    expect_runs(run(dir, "compile", "net.lua", "--target=avx2", "-o", "."), "compile");
    take_away(dir, "avx2");
    cr_assert(compile_c(NULL, "-O1", dir, "main.c net.c net_weights.c", "hello", &err), "%s",
              err.message);
    path_join(program, dir, "hello");
    const char *const argv[] = {program, NULL};
    outcome o = process_run(argv, dir, NULL, 10);
    cr_expect_eq(o.code, 1);
    cr_expect_str_empty(o.out);
    cr_expect(strstr(o.err, "net: this CPU lacks the vectors (avx2) that the code is for"), "%s",
              o.err);
    outcome_free(&o);
    workdir_remove(dir);
}

/* Does `text` ask the CPU for every instruction set that the functions of `target` are compiled
 * with? `names` is set to how many these are. */
static bool asks_for_all(const char *text, const char *target, size_t *names) {
    char kernel[64], question[64], name[32], wanted[64];
    snprintf(kernel, sizeof kernel, "#define KERNEL_%s static __attribute__((noinline, target(\"",
             target);
    for (char *c = kernel + strlen("#define KERNEL_"); *c && *c != ' '; c++)
        *c = (char)toupper((unsigned char)*c);
    snprintf(question, sizeof question, "static int supported_%s(void)", target);
    const char *at = strstr(text, kernel), *const asked = strstr(text, question);
    const char *const end = asked ? strchr(asked, '}') : NULL;
    *names = 0;
    if (!at || !end)
        return false;
    for (at += strlen(kernel); sscanf(at, "%31[a-z0-9]", name) == 1; ++*names) {
        snprintf(wanted, sizeof wanted, "__builtin_cpu_supports(\"%s\")", name);
        const char *const found = strstr(asked, wanted);
        if (!found || found > end)
            return false;
        at += strlen(name);
        at += *at == ',';
    }
    return true;
}

/* Code is run where every instruction set is there that it may use: that of a call, and that of
 * training. */
Test(generated_lists, every_instruction_set_is_asked_for, .timeout = 60) {
    static const char *const files[] = {"isa.c", "isa_train.c"};
    static const struct {
        const char *target;
        size_t names;
    } lists[] = {{"avx2", 2}, {"avx512", 5}};
    char dir[PATH_SIZE];
    rnnc_error err;
    workdir_make(dir);
    cr_assert(generate_text("isa",
                            "return rnn { name = \"isa\", input_size = 2, hidden_size = 3, train = "
                            "true, target = { \"avx2\", \"avx512\" } }\n",
                            "none", dir, &err),
              "%s", err.message);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        size_t names;
        char path[PATH_SIZE];
        path_join(path, dir, files[i]);
        char *const text = file_read(path, NULL);
        cr_assert(text, "%s", path);
        for (size_t k = 0; k < sizeof lists / sizeof *lists; k++) {
            cr_expect(asks_for_all(text, lists[k].target, &names), "%s: %s", files[i],
                      lists[k].target);
            cr_expect_eq(names, lists[k].names, "%s: %s has %zu", files[i], lists[k].target, names);
        }
        free(text);
    }
    workdir_remove(dir);
}

/* Code for processors of several kinds in one file: what is not for this one is left out, and the
 * rest is as without it. A file for another one only is refused, in words. */
Test(generated_lists, other_architectures_are_left_out, .timeout = 60) {
    static const char text[] = "return rnn { name = \"net\", cell = \"gru\", input_size = 3, "
                               "hidden_size = 5, batch = \"any\", threads = 2 }";
    static const struct {
        const char *targets, *fails;
    } rows[] = {
        {"--target=portable,neon,avx2", NULL},
        {"--target=neon,avx2", NULL},
        {"--target=neon", "net.c is for AArch64 and gcc or clang: generate it with target"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char dir[PATH_SIZE], path[PATH_SIZE];
        rnnc_error err = {RNNC_OK, ""};
        workdir_make(dir);
        path_join(path, dir, "net.lua");
        cr_assert(file_write(path, text, strlen(text)));
        const char *const argv[] = {rnnc_path(), "compile",       "net.lua", "-o",
                                    ".",         rows[i].targets, NULL};
        outcome o = process_run(argv, dir, NULL, 60);
        cr_assert_eq(o.code, 0, "%s", o.err);
        outcome_free(&o);
        const bool built =
            compile_c("gcc", "-std=c11 -O1 -Wall -Wextra -Werror", dir, "net.c", "net.o", &err);
        path_join(path, dir, "net.c");
        char *const c = file_read(path, NULL);
        cr_expect_eq(built, !rows[i].fails, "%s: %s", rows[i].targets, err.message);
        cr_expect(!rows[i].fails || strstr(err.message, rows[i].fails), "%s", err.message);
        cr_expect_eq(strstr(c, "#ifdef VECTORS_NEON\n") != NULL, built, "%s", rows[i].targets);
        free(c);
        workdir_remove(dir);
    }
}
