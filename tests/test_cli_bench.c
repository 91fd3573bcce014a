/* `rnnc bench`: the shape of what it writes, the model of the speed of light against numbers worked
 * out by hand, and that what is wrong is told instead of timed. No time is judged. */
#define _XOPEN_SOURCE 700
#include "support/cli.h"
#include "support/generate.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char machine[] =
    "--machine=clock_ghz=2 peak_gflops=100 l1_gbs=200 l2_gbs=100 l3_gbs=50 l1_bytes=32768 "
    "l2_bytes=1048576";

static const char small[] = "return rnn { name = \"amp\", input_size = 8, hidden_size = 16,\n"
                            "  target = \"portable\" }\n";

static const char deep[] =
    "return rnn { name = \"deep\", cell = \"lstm\", input_size = 3, hidden_size = 100,\n"
    "  num_layers = 2, bidirectional = true, batch = 1, seq_len = 2, target = \"portable\" }\n";

static void write_file(const char *dir, const char *name, const char *text) {
    char path[PATH_SIZE];
    path_join(path, dir, name);
    cr_assert(file_write(path, text, strlen(text)));
}

static void set_up(char dir[PATH_SIZE]) {
    workdir_make(dir);
    write_file(dir, "amp.lua", small);
    write_file(dir, "deep.lua", deep);
}

/* rnnc bench with machine, very short, and up to five more words. */
static outcome bench(const char *dir, const char *const env[], const char *a, const char *b,
                     const char *c, const char *d, const char *e) {
    const char *const argv[] = {rnnc_path(), "bench", "--seconds=0.01", machine, a, b, c, d,
                                e,           NULL};
    return process_run(argv, dir, env, 100);
}

static double number(const json_t *object, const char *name) {
    const json_t *const value = json_object_get(object, name);
    cr_assert(json_is_number(value), "%s is no number", name);
    return json_number_value(value);
}

static void expect_near(const json_t *object, const char *name, double wanted) {
    const double got = number(object, name);
    cr_expect(fabs(got - wanted) <= 1e-6 * wanted, "%s is %g, not %g", name, got, wanted);
}

static void expect_text(const json_t *object, const char *name, const char *wanted) {
    const char *const text = json_string_value(json_object_get(object, name));
    cr_assert(text, "%s is no text", name);
    cr_expect_str_eq(text, wanted);
}

/* What every row that was timed has to say, and how the numbers hang together. */
static void check_row(const json_t *problem, const json_t *row, double first) {
    const double median = number(row, "median_us"), least = number(row, "min_us");
    cr_expect(least > 0 && median >= least && number(row, "rounds") >= 3);
    cr_expect(number(row, "max_error") <= 1e-4);
    expect_near(row, "ratio", median / first);
    expect_near(row, "gflops", number(problem, "flops") / median / 1e3);
    expect_near(row, "gbs", number(problem, "bytes") / median / 1e3);
    expect_near(row, "light_percent", 100 * number(problem, "light_us") / least);
    expect_near(row, "step_ns", 1e3 * median / number(problem, "seq_len"));
}

static void check_problem(const json_t *problem) {
    static const char *const codes[] = {"specialised", "generic (OpenBLAS)", "generic (built-in)"};
    const json_t *const rows = json_object_get(problem, "results");
    cr_assert_eq(json_array_size(rows), 3);
    const double first = number(json_array_get(rows, 0), "median_us");
    for (size_t i = 0; i < 3; i++) {
        const json_t *const row = json_array_get(rows, i);
        expect_text(row, "code", codes[i]);
        /* OpenBLAS may not be there. */
        if (i != 1 || json_object_get(row, "median_us"))
            check_row(problem, row, first);
    }
    expect_text(json_array_get(rows, 0), "note", "portable");
}

Test(bench, json_and_the_speed_of_light, .timeout = 120) {
    char dir[PATH_SIZE];
    json_error_t error;
    set_up(dir);
    outcome result = bench(dir, NULL, "amp.lua", "deep.lua", "--json=-", "--seq-len=10", NULL);
    cr_expect_eq(result.code, 1);
    cr_expect_str_eq(result.err,
                     "rnnc bench: error: --seq-len=10: the spec of deep is for seq_len = 2; "
                     "write \"any\" there to try others\n");
    outcome_free(&result);
    result = bench(dir, NULL, "amp.lua", "--json=-", "--seq-len=10", NULL, NULL);
    cr_assert_eq(result.code, 0, "%s", result.err);
    json_t *all = json_loads(result.out, 0, &error);
    cr_assert(all, "%s: %s", error.text, result.out);
    const json_t *problem = json_array_get(json_object_get(all, "problems"), 0);
    expect_text(problem, "problem", "rnn_tanh 8 16 1 1 1 10");
    const json_t *const origin = json_object_get(all, "origin");
    expect_text(origin, "rnnc", RNNC_VERSION);
    cr_expect(json_string_length(json_object_get(origin, "cpu")) > 0);
    cr_expect(json_string_length(json_object_get(origin, "compiler")) > 0);
    const char *const cc = json_string_value(json_object_get(origin, "cc"));
    const char *const command = json_string_value(json_object_get(origin, "command"));
    cr_expect(cc && strstr(cc, " -std=c11 -O2 "), "%s", cc);
    cr_expect(command && strncmp(command, "rnnc bench --json=- ", 20) == 0 &&
                  strstr(command, " --seconds=0.01 --seq-len=10 amp.lua"),
              "%s", command);
    check_problem(problem);
    /* Input: 2*10*16*8 FLOPs, 25.6 ns. State: 10 times 512 FLOPs or 1024 bytes, 5.12 ns each.
     * Activations: 160 values at 14/16 cycles of half a nanosecond, 70 ns. */
    expect_near(problem, "light_us", 0.1468);
    expect_near(problem, "flops", 2 * 10 * 16 * (8 + 16));
    expect_near(problem, "bytes", 10 * 4 * 16 * (8 + 16) + 10 * 4 * (8 + 16));
    cr_expect(number(problem, "predicted_us") > 0);
    json_decref(all);
    outcome_free(&result);

    result = bench(dir, NULL, "deep.lua", "--json=-", NULL, NULL, NULL);
    cr_assert_eq(result.code, 0, "%s", result.err);
    all = json_loads(result.out, 0, &error);
    cr_assert(all, "%s: %s", error.text, result.out);
    problem = json_array_get(json_object_get(all, "problems"), 0);
    check_problem(problem);
    /* Two rows share no weights. For each of two directions, layer 0: twice 4800 bytes from L1, 48
     * ns; twice 160000 bytes from L2, 3200 ns; 1000 values, 437.5 ns. Layer 1: twice 320000 bytes
     * from L2, 6400 ns; the rest is the same. */
    expect_near(problem, "light_us", 2e-3 * (48 + 6400 + 2 * (3200 + 437.5)));
    expect_near(problem, "flops", 2.0 * 2 * 2 * 400 * (103 + 300));
    expect_near(problem, "bytes", 4.0 * 2 * 2 * 400 * (103 + 300) + 4.0 * 2 * (3 + 200));
    json_decref(all);
    outcome_free(&result);

    write_file(dir, "gru.lua",
               "return rnn { cell = \"gru\", input_size = 4, hidden_size = 10, seq_len = 1,\n"
               "  target = \"portable\" }\n");
    result = bench(dir, NULL, "gru.lua", "--json=-", NULL, NULL, NULL);
    cr_assert_eq(result.code, 0, "%s", result.err);
    all = json_loads(result.out, 0, &error);
    cr_assert(all, "%s: %s", error.text, result.out);
    /* 480 bytes, 2.4 ns; 600 FLOPs or 1200 bytes, 6 ns; r, z and n of 10 units, 13.125 ns. */
    expect_near(json_array_get(json_object_get(all, "problems"), 0), "light_us", 0.021525);
    json_decref(all);
    outcome_free(&result);
    workdir_remove(dir);
}

/* Cells of a line of CSV without quotes. */
static size_t cells_of(const char *line) {
    size_t count = 1;
    for (; *line && *line != '\n'; line++)
        count += *line == ',';
    return count;
}

Test(bench, csv_has_a_line_for_each_code, .timeout = 120) {
    static const char heading[] =
        "model,problem,seq_len,batch,flops,bytes,light_us,predicted_us,code,threads,division,"
        "median_us,min_us,ratio,gflops,gbs,light_percent,step_ns,max_error,note\n";
    char dir[PATH_SIZE], path[PATH_SIZE];
    set_up(dir);
    outcome result = bench(dir, NULL, "amp.lua", "deep.lua", "--csv=new/out.csv", NULL, NULL);
    cr_assert_eq(result.code, 0, "%s", result.err);
    cr_expect_str_eq(result.err, "new/out.csv is written\n");
    cr_expect(strstr(result.out,
                     "machine: clock_ghz=2 peak_gflops=100 l1_gbs=200 l2_gbs=100 l3_gbs=50 "
                     "l1_bytes=32768 l2_bytes=1048576\n") == result.out);
    cr_expect(strstr(result.out, "\nrnn_tanh 8 16 1 1 1 100: speed of light ") &&
                  strstr(result.out, "\nlstm 3 100 2 2 1 2: speed of light 27.45 us, predicted ") &&
                  strstr(result.out, "\ngeometric means over 2 problems") &&
                  strstr(result.out, " times the speed of light (minima), at most "),
              "%s", result.out);
    outcome_free(&result);
    path_join(path, dir, "new/out.csv");
    char *const text = file_read(path, NULL);
    cr_assert_not_null(text);
    cr_expect_eq(strncmp(text, heading, sizeof heading - 1), 0, "%s", text);
    size_t lines = 0;
    for (const char *line = text; *line; line = strchr(line, '\n') + 1, lines++)
        cr_expect_eq(cells_of(line), 20, "%s", line);
    cr_expect_eq(lines, 7);
    free(text);

    result = bench(dir, NULL, "amp.lua", "--csv=-", "--batch=3", NULL, NULL);
    cr_expect_eq(result.code, 1);
    outcome_free(&result);
    write_file(
        dir, "any.lua",
        "return rnn { target = \"native\", input_size = 3, hidden_size = 4, batch = \"any\" }\n");
    result = bench(dir, NULL, "any.lua", "--csv=-", "--batch=3", "--seq-len=4", NULL);
    cr_expect_eq(result.code, 0, "%s", result.err);
    cr_expect_eq(strncmp(result.out, heading, sizeof heading - 1), 0);
    cr_expect(strstr(result.out, "\nany,rnn_tanh 3 4 1 1 3 4,4,3,"), "%s", result.out);
    outcome_free(&result);
    workdir_remove(dir);
}

Test(bench, measures_the_machine, .timeout = 120) {
    char dir[PATH_SIZE];
    double values[7];
    set_up(dir);
    const char *const argv[] = {rnnc_path(), "bench", "--seconds=0.01", "amp.lua", NULL};
    outcome result = process_run(argv, dir, NULL, 100);
    cr_assert_eq(result.code, 0, "%s", result.err);
    cr_assert_eq(sscanf(result.out,
                        "machine: clock_ghz=%lf peak_gflops=%lf l1_gbs=%lf l2_gbs=%lf l3_gbs=%lf "
                        "l1_bytes=%lf l2_bytes=%lf\n",
                        &values[0], &values[1], &values[2], &values[3], &values[4], &values[5],
                        &values[6]),
                 7, "%s", result.out);
    for (size_t i = 0; i < 7; i++)
        cr_expect(values[i] > 0);
    outcome_free(&result);
    workdir_remove(dir);
}

/* A compiler that could calculate one of the twelve chains of multiply-adds would leave it out, and
 * the rest would look faster than the machine is. Loops may be unrolled or copied, but only as a
 * whole. */
Test(bench, measures_every_multiply_add, .timeout = 60) {
#if !defined(__x86_64__)
    cr_skip_test("reads the instructions of x86-64");
#endif
    char dir[PATH_SIZE], path[PATH_SIZE];
    set_up(dir);
    char *const source = file_read("templates/machine.c.t", NULL);
    cr_assert(source);
    /* Lines of the template's own are all on top. */
    write_file(dir, "machine.c", strstr(source, "/* machine.c"));
    const char *const argv[] = {default_cc(), "-std=gnu11", "-O2",       "-mavx2",    "-mfma",
                                "-S",         "-o",         "machine.s", "machine.c", NULL};
    outcome compiled = process_run(argv, dir, NULL, 50);
    cr_assert_eq(compiled.code, 0, "%s", compiled.err);
    path_join(path, dir, "machine.s");
    char *const text = file_read(path, NULL);
    cr_assert(text);
    int count = 0;
    /* vfmadd132ps, 213 or 231; the clock needs some of single numbers, vfmadd132sd. */
    for (const char *at = text; (at = strstr(at, "\tvfmadd")); at++)
        count += strncmp(at + strlen("\tvfmadd132"), "ps\t", 3) == 0;
    cr_expect(count > 0 && count % 12 == 0, "%d multiply-adds", count);
    free(text);
    free(source);
    outcome_free(&compiled);
    workdir_remove(dir);
}

Test(bench, times_a_step_of_training, .timeout = 120) {
    char dir[PATH_SIZE];
    set_up(dir);
    outcome o = bench(dir, NULL, "--train", "--seq-len=150", "amp.lua", NULL, NULL);
    cr_assert_eq(o.code, 0, "%s%s", o.out, o.err);
    double rate = 0, percent = 0, median[4] = {0}, least[4] = {0};
    const char *const head = strstr(o.out, "rnn_tanh 8 16 1 1 1 150: ");
    cr_assert(head, "%s", o.out);
    cr_expect_eq(sscanf(head, "%*[^:]: %lf GFLOP/s in both passes, %lf %%", &rate, &percent), 2);
    static const char *const parts[] = {"forward, with tape", "gradients", "clipping and Adam",
                                        "the step"};
    for (int i = 0; i < 4; i++) {
        const char *const line = strstr(head, parts[i]);
        cr_assert(line, "%s", o.out);
        cr_expect_eq(sscanf(line + strlen(parts[i]), "%lf %lf", &median[i], &least[i]), 2);
        cr_expect(least[i] > 0 && median[i] >= least[i], "%s", line);
    }
    cr_expect(fabs(least[0] + least[1] + least[2] - least[3]) < 0.03, "%s", o.out);
    /* Three times 2 x 16 rows of 24 columns for 150 steps. The table has hundredths of
     * microseconds. */
    const double expected = 1e-3 * 3 * 2 * 16 * 24 * 150 / (least[0] + least[1]);
    cr_expect(fabs(rate - expected) < 0.06 + 0.01 * expected, "%g, not %g\n%s", rate, expected,
              o.out);
    cr_expect(fabs(percent - expected) < 1.01 + 0.01 * expected, "%s", o.out);
    outcome_free(&o);
    workdir_remove(dir);
}

/* ---- what is wrong ---- */

static void expect_refused(const char *dir, const char *says, const char *a, const char *b,
                           const char *c) {
    char line[1024];
    snprintf(line, sizeof line, "rnnc bench: error: %s\n", says);
    expect(dir, 1, "", line, "bench", a, b, c);
}

Test(bench, says_which_option_is_wrong, .timeout = 60) {
    static const char quantities[] =
        " (quantities: clock_ghz, peak_gflops, l1_gbs, l2_gbs, l3_gbs, "
        "l1_bytes, l2_bytes)";
    static const char *const wrong[][2] = {
        {"--machine=clock=4", "there is no quantity 'clock'"},
        {"--machine=clock_ghz=4 peak_gflop=4",
         "there is no quantity 'peak_gflop'; did you mean peak_gflops?"},
        {"--machine=clock_ghz=0", "clock_ghz needs a number above 0"},
        {"--machine=fast", "'fast' is not NAME=NUMBER"},
        {"--machine=clock_ghz=4", "peak_gflops is missing"},
    };
    char dir[PATH_SIZE], says[512];
    set_up(dir);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(says, sizeof says, "--machine: %s%s", wrong[i][1], quantities);
        expect_refused(dir, says, "amp.lua", wrong[i][0], NULL);
    }
    expect_refused(dir, "--seconds needs a number above 0", "amp.lua", "--seconds=0", NULL);
    expect_refused(dir, "--seconds needs a number above 0", "amp.lua", "--seconds=nan", NULL);
    expect_refused(dir, "--seq-len needs an integer from 1 to 1000000", "amp.lua", machine,
                   "--seq-len=0");
    expect_refused(dir, "--batch needs an integer from 1 to 1000000", "amp.lua", machine,
                   "--batch=1.5");
    expect_refused(dir, "--csv needs the name of a file, or -", "amp.lua", "--csv=", NULL);
    expect_refused(dir, "--train prints a table and knows no --json", "amp.lua", "--train",
                   "--json=out.csv");
    expect_refused(dir, "only one of --csv, --json and --html can go to stdout", "amp.lua",
                   "--csv=-", "--json=-");
    expect(dir, 1, NULL,
           "rnnc bench: error: no-such-cc cannot be run: No such file or directory; name another "
           "with --cc\n",
           "bench", "amp.lua", machine, "--cc=no-such-cc");
    expect(dir, 1, "",
           "rnnc bench: error: an argument is missing; usage: rnnc bench [OPTION]... "
           "MODEL.lua...\n",
           "bench", NULL, NULL, NULL);
    expect_file(dir, "out.csv", false);
    workdir_remove(dir);
}

/* A C compiler that compiles wrong.c instead of what it is given. */
static void expect_wrong_code(const char *body, const char *says) {
    static const char cc[] = "#!/bin/sh\n"
                             "for word; do case $word in -I*) include=$word ;; esac; done\n"
                             "while [ \"$1\" != -o ]; do shift; done\n"
                             "exec cc -shared -fPIC $include -o \"$2\" wrong.c\n";
    static const char source[] =
        "#include \"rnnc.h\"\n#include <stdlib.h>\n"
        "static size_t size(size_t t, size_t b) { return t * b * 4; }\n"
        "static rnnc_status forward(const rnnc_call *c) {\n"
        "    (void)c;\n%s\n    return RNNC_OK;\n}\n"
        "static const float weights[1];\n"
        "static const rnnc_layer layer = {.recurrent = {RNNC_RNN_TANH, 8, 16, 1, 1, 0, 0, 0}};\n"
        "const rnnc_model amp_model = {.abi = RNNC_ABI, .name = \"amp\", .target = \"portable\",\n"
        "    .network = {1, &layer, 0, 0}, .weight_count = 4,\n"
        "    .packed_count = 1, .built_in = weights,\n"
        "    .workspace_size = size, .forward = forward};\n";
    char dir[PATH_SIZE], path[PATH_SIZE], text[2048];
    set_up(dir);
    snprintf(text, sizeof text, source, body);
    write_file(dir, "wrong.c", text);
    write_file(dir, "cc.sh", cc);
    path_join(path, dir, "cc.sh");
    cr_assert_eq(chmod(path, 0700), 0);
    outcome result = bench(dir, NULL, "amp.lua", "--cc=./cc.sh", NULL, NULL, NULL);
    cr_expect_eq(result.code, 1);
    cr_expect(
        strstr(result.err, "rnnc bench: error: amp.lua: the generated code cannot be timed: ") &&
            strstr(result.err, says),
        "%s", result.err);
    outcome_free(&result);
    workdir_remove(dir);
}

Test(bench, wrong_code_is_not_timed, .timeout = 60) {
    expect_wrong_code("", "wrong: largest error inf");
    expect_wrong_code("for (size_t i = 0; i < c->seq_len * 16; i++) c->y[i] = 0;\n"
                      "for (int i = 0; i < 16; i++) c->hn[i] = 0;",
                      "wrong: largest error ");
    expect_wrong_code("abort();", "it crashes: Aborted");
    expect_wrong_code("exit(3);", "it ends with exit code 3");
    expect_wrong_code("return RNNC_ERR_TARGET;", "the code was generated for");
}
