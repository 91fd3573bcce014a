/* `rnnc bench --peers`: drivers of other libraries, there or not, right or not; and the bar of make
 * bench. */
#define _XOPEN_SOURCE 700
#include "support/cli.h"
#include "support/generate.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char machine[] =
    "--machine=clock_ghz=2 peak_gflops=100 l1_gbs=200 l2_gbs=100 l3_gbs=50 l1_bytes=32768 "
    "l2_bytes=1048576";

static const char small[] = "return rnn { name = \"amp\", input_size = 8, hidden_size = 16,\n"
                            "  target = \"portable\" }\n";

static void write_file(const char *dir, const char *name, const char *text) {
    char path[PATH_SIZE];
    path_join(path, dir, name);
    cr_assert(file_write(path, text, strlen(text)));
}

static void set_up(char dir[PATH_SIZE]) {
    workdir_make(dir);
    write_file(dir, "amp.lua", small);
}

/* rnnc bench with machine, very short, and up to five more words. */
static outcome bench(const char *dir, const char *const env[], const char *a, const char *b,
                     const char *c, const char *d, const char *e) {
    const char *const argv[] = {rnnc_path(), "bench", "--seconds=0.01", machine, a, b, c, d,
                                e,           NULL};
    return process_run(argv, dir, env, 100);
}

/* Libraries that are not there leave a note, and the rest is timed. */
Test(bench, absent_libraries_are_skipped, .timeout = 180) {
    static const char *const none[] = {"RNNC_ONNXRUNTIME=/none.so", "PYTHON=false", NULL};
    char dir[PATH_SIZE];
    set_up(dir);
    outcome result = bench(dir, none, "amp.lua", "--peers", NULL, NULL, NULL);
    cr_expect_eq(result.code, 0, "%s", result.err);
    cr_expect(strstr(result.out, "\nPyTorch                  it ends with exit code 1\n"), "%s",
              result.out);
    cr_expect(strstr(result.out, "skipped: RNNC_ONNXRUNTIME names no ONNX Runtime\n"), "%s",
              result.out);
    cr_expect(strstr(result.out, "\noneDNN "), "%s", result.out);
    cr_expect(strstr(result.out, "\nlibxsmm "), "%s", result.out);
    cr_expect(strstr(result.out, "\ngeneric (built-in) "), "%s", result.out);
    outcome_free(&result);
    write_file(dir, "first.lua",
               "return rnn { target = \"native\", input_size = 3, hidden_size = 4, batch_first = "
               "true }\n");
    result = bench(dir, none, "first.lua", "--peers", NULL, NULL, NULL);
    cr_expect_eq(result.code, 0, "%s", result.err);
    cr_expect(strstr(result.out, "skipped: their drivers run one recurrent network"), "%s",
              result.out);
    outcome_free(&result);
    workdir_remove(dir);
}

/* Of drivers that are installed the variant that is taken computes what it should: two layers, two
 * directions, units that fill no vector, several sequences, a last chunk that is shorter. */
Test(bench, installed_drivers_are_right, .timeout = 300) {
    static const char *const none[] = {"PYTHON=false", NULL};
    static const char *const cells[] = {"cell = \"rnn\"", "nonlinearity = \"relu\"",
                                        "cell = \"lstm\"", "cell = \"gru\""};
    char dir[PATH_SIZE], text[256];
    workdir_make(dir);
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        snprintf(text, sizeof text,
                 "return rnn { %s, input_size = 5, hidden_size = 53, num_layers = 2, batch = 3,\n"
                 "  bidirectional = true, seq_len = 300, target = \"portable\" }\n",
                 cells[i]);
        write_file(dir, "net.lua", text);
        outcome result = bench(dir, none, "net.lua", "--peers", NULL, NULL, NULL);
        cr_expect_eq(result.code, 0, "%s", result.err);
        cr_expect(!strstr(result.out, " wrong") && !strstr(result.out, "largest error"), "%s",
                  result.out);
        outcome_free(&result);
    }
    workdir_remove(dir);
}

/* A driver is any program that knows the lines; one whose outputs are wrong is not timed. */
Test(bench, drivers_are_judged, .timeout = 120) {
    static const char driver[] =
        "#!/bin/sh\n"
        "sleep 100 </dev/null >/dev/null 2>&1 &\n"
        "echo $! >child\n"
        "echo 'hello Fake 7'\n"
        "while read -r word value; do\n"
        "  case $word,$value in\n"
        "    variant,0) echo 'ready slow way' ;;\n"
        "    variant,1) echo 'cannot today' ;;\n"
        "    variant,*) echo none ;;\n"
        "    run,*) head -c \"${FAKE_BYTES:-6464}\" /dev/zero >\"$value\"; echo done ;;\n"
        "    time,*) echo 0.5 ;;\n"
        "  esac\ndone\n";
    static const char *const interpreters[][4] = {
        {"PYTHON=./fake.sh", "RNNC_ONNXRUNTIME=/none.so", NULL},
        {"PYTHON=./fake.sh", "RNNC_ONNXRUNTIME=/none.so", "FAKE_BYTES=100", NULL},
        {"PYTHON=./fake.sh", "RNNC_ONNXRUNTIME=/none.so", "FAKE_BYTES=0", NULL},
        {"PYTHON=./fake.sh", "RNNC_ONNXRUNTIME=/none.so", "FAKE_BYTES=6404", NULL},
    };
    char dir[PATH_SIZE], path[PATH_SIZE];
    set_up(dir);
    write_file(dir, "fake.sh", driver);
    path_join(path, dir, "fake.sh");
    cr_assert_eq(chmod(path, 0700), 0);
    /* amp puts out 100 steps of 16 values and a state: 6464 bytes, here all zero. */
    outcome result = bench(dir, interpreters[0], "amp.lua", "--peers", NULL, NULL, NULL);
    cr_expect_eq(result.code, 0, "%s", result.err);
    const char *const told = strstr(result.out, "\nFake 7                   wrong: largest error ");
    cr_expect(told && strncmp(strstr(told, "error "), "error inf", 9) != 0, "%s", result.out);
    outcome_free(&result);
    path_join(path, dir, "child");
    cr_expect(process_gone(path), "what a driver has started is still there");
    /* Half of y, nothing at all, and a part of the state. */
    for (int i = 1; i < 4; i++) {
        result = bench(dir, interpreters[i], "amp.lua", "--peers", NULL, NULL, NULL);
        cr_expect(strstr(result.out, "\nFake 7                   wrong: largest error inf\n"),
                  "%s: %s", interpreters[i][2], result.out);
        outcome_free(&result);
    }
    workdir_remove(dir);
}

Test(bench, the_bar_is_judged_line_by_line) {
    static const char csv[] = "model,problem,seq_len,batch,flops,bytes,light_us,predicted_us,code,"
                              "median_us,min_us,ratio,note\n"
                              "a,lstm 1 20 1 1 1 10,10,1,1,1,4,5,specialised,10,8,1,avx2\n"
                              "a,lstm 1 20 1 1 1 10,10,1,1,1,4,5,generic (OpenBLAS),20,19,2,\n"
                              "a,lstm 1 20 1 1 1 10,10,1,1,1,4,5,generic (built-in),5,5,0.5,\n"
                              "a,lstm 1 20 1 1 1 10,10,1,1,1,4,5,PyTorch 9,,,,\"skipped, so\"\n"
                              "b,gru 64 64 1 1 8 10,10,8,1,1,100,90,specialised,120,109,1,avx2\n"
                              "b,gru 64 64 1 1 8 10,10,8,1,1,100,90,generic (OpenBLAS),130,130,1,\n"
                              "b,gru 64 64 1 1 8 10,10,8,1,1,100,90,ONNX Runtime 1.0,60,59,1,Run\n";
    static const char wanted[] =
        "the bar:\n"
        "SHORT  faster than all others on 1 of 2\n"
        "         gru 64 64 1 1 8 10           ONNX Runtime 1.0 takes 60.00 us (at least 59.00), "
        "ours 120.00 (109.00)\n"
        "SHORT  geometric mean 1.00 times as fast as the fastest other; wanted 1.4\n"
        "SHORT  geometric mean 0.50 times as fast as ONNX Runtime (1 problems); wanted 2.4\n"
        "SHORT  near the speed of light on 1 of 2\n"
        "         lstm 1 20 1 1 1 10           2.00 times the speed of light; wanted 1.50\n";
    char dir[PATH_SIZE], path[PATH_SIZE];
    workdir_make(dir);
    write_file(dir, "grid.csv", csv);
    path_join(path, dir, "grid.csv");
    const char *const argv[] = {"lua5.4", "tests/bench/bar.lua", path, NULL};
    outcome result = process_run(argv, NULL, NULL, 20);
    cr_expect_eq(result.code, 0, "%s", result.err);
    cr_expect_str_eq(result.out, wanted, "%s", result.out);
    outcome_free(&result);
    workdir_remove(dir);
}

/* The same seed draws the same networks, all of them right, and another seed others; a peer may be
 * ahead on one of random shapes, by little. */
Test(bench, random_shapes) {
    static const char csv[] =
        "model,problem,seq_len,batch,light_us,code,median_us,min_us,note\n"
        "a,\"gru_3_8_1_1_2_10_head_5, batch 2, 10 steps\",10,2,9,specialised,10,10,avx2\n"
        "a,\"gru_3_8_1_1_2_10_head_5, batch 2, 10 steps\",10,2,9,generic (OpenBLAS),30,30,\n"
        "b,gru 4 88 1 1 5 7,7,5,4,specialised,10,10,avx2\n"
        "b,gru 4 88 1 1 5 7,7,5,4,libxsmm,9.8,9.8,\n";
    static const char wanted[] =
        "the bar:\n"
        "passes faster than all others on 1 of 2\n"
        "         gru 4 88 1 1 5 7             libxsmm takes 9.80 us (at least 9.80), ours 10.00 "
        "(10.00)\n"
        "passes geometric mean 1.71 times as fast as the fastest other; wanted 1.2\n"
        "SHORT  near the speed of light on 1 of 2\n"
        "         gru 4 88 1 1 5 7             2.50 times the speed of light; wanted 1.18\n";
    char dir[PATH_SIZE], path[PATH_SIZE];
    workdir_make(dir);
    outcome list[3];
    static const char *const seeds[] = {"7", "7", "8"};
    for (int i = 0; i < 3; i++) {
        const char *const argv[] = {"lua5.4", "tests/bench/random.lua", seeds[i], dir, NULL};
        list[i] = process_run(argv, NULL, NULL, 20);
        cr_assert_eq(list[i].code, 0, "%s", list[i].err);
    }
    cr_expect_str_eq(list[0].out, list[1].out);
    cr_expect(strcmp(list[0].out, list[2].out) != 0);
    size_t count = 0;
    for (char *file = strtok(list[0].out, "\n"); file; file = strtok(NULL, "\n"), count++) {
        const char *const argv[] = {rnnc_path(), "check", file, NULL};
        outcome result = process_run(argv, NULL, NULL, 20);
        cr_expect_eq(result.code, 0, "%s: %s", file, result.err);
        outcome_free(&result);
    }
    cr_expect_eq(count, 40, "%zu networks", count);
    write_file(dir, "random.csv", csv);
    path_join(path, dir, "random.csv");
    const char *const argv[] = {"lua5.4", "tests/bench/bar.lua", path, "random", NULL};
    outcome result = process_run(argv, NULL, NULL, 20);
    cr_expect_str_eq(result.out, wanted, "%s", result.out);
    outcome_free(&result);
    for (int i = 0; i < 3; i++)
        outcome_free(&list[i]);
    workdir_remove(dir);
}
