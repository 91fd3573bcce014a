/* `rnnc bench --threads`: the row of several threads, what is refused, and the lines of the bar
 * that it is for. No time is judged. */
#define _GNU_SOURCE
#include "support/cli.h"
#include "support/generate.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char machine[] =
    "--machine=clock_ghz=2 peak_gflops=100 l1_gbs=200 l2_gbs=100 l3_gbs=50 l1_bytes=32768 "
    "l2_bytes=1048576";

static void write_file(const char *dir, const char *name, const char *text) {
    char path[PATH_SIZE];
    path_join(path, dir, name);
    cr_assert(file_write(path, text, strlen(text)));
}

/* One network for each way in which a team may share a call. */
static void set_up(char dir[PATH_SIZE]) {
    workdir_make(dir);
    write_file(dir, "wide.lua",
               "return rnn { name = \"wide\", input_size = 8, hidden_size = 32, batch = 32,\n"
               "  seq_len = 50, target = \"portable\" }\n");
    write_file(dir, "both.lua",
               "return rnn { name = \"both\", cell = \"lstm\", input_size = 8, hidden_size = 32,\n"
               "  bidirectional = true, batch = 1, seq_len = 60, target = \"portable\" }\n");
    write_file(dir, "tall.lua",
               "return rnn { name = \"tall\", cell = \"gru\", input_size = 8, hidden_size = 32,\n"
               "  num_layers = 3, batch = 1, seq_len = 200, target = \"portable\" }\n");
    write_file(dir, "tiny.lua",
               "return rnn { name = \"tiny\", input_size = 2, hidden_size = 4, batch = 1,\n"
               "  seq_len = 3, target = \"portable\" }\n");
    write_file(dir, "any.lua",
               "return rnn { name = \"any\", input_size = 8, hidden_size = 64, num_layers = 3,\n"
               "  batch = \"any\", seq_len = \"any\", target = \"portable\" }\n");
}

/* rnnc bench --threads=2 with machine, very short, and up to five more words. */
static outcome bench(const char *dir, const char *a, const char *b, const char *c, const char *d,
                     const char *e) {
    const char *const argv[] = {
        rnnc_path(), "bench", "--seconds=0.01", machine, "--threads=2", a, b, c, d, e, NULL};
    return process_run(argv, dir, NULL, 100);
}

/* Cores that this process may use: CPUs of one core name the same siblings. */
static size_t cores(void) {
    char seen[64][64], path[128];
    size_t count = 0;
    cpu_set_t allowed;
    cr_assert_eq(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    for (size_t cpu = 0; cpu < CPU_SETSIZE && count < 64; cpu++) {
        if (!CPU_ISSET(cpu, &allowed))
            continue;
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%zu/topology/thread_siblings_list",
                 cpu);
        FILE *const file = fopen(path, "r");
        if (!file || !fgets(seen[count], 64, file))
            snprintf(seen[count], 64, "%zu\n", cpu);
        if (file)
            fclose(file);
        size_t same = 0;
        while (strcmp(seen[same], seen[count]) != 0)
            same++;
        count += same == count;
    }
    return count;
}

static double number(const json_t *object, const char *name) {
    const json_t *const value = json_object_get(object, name);
    cr_assert(json_is_number(value), "%s is no number", name);
    return json_number_value(value);
}

static void expect_text(const json_t *object, const char *name, const char *wanted) {
    const char *const text = json_string_value(json_object_get(object, name));
    cr_assert(text, "%s is no text", name);
    cr_expect_str_eq(text, wanted);
}

/* Cores farther apart than that may not share a call that they would divide otherwise. */
enum { FAR_NS = 400 };

static void check_rows(const json_t *problem, const char *division) {
    char note[64];
    const json_t *const rows = json_object_get(problem, "results");
    cr_assert_eq(json_array_size(rows), 4);
    const json_t *const one = json_array_get(rows, 0), *const two = json_array_get(rows, 1);
    expect_text(one, "code", "specialised");
    expect_text(two, "code", "specialised (2 threads)");
    for (size_t i = 0; i < 4; i++) {
        const json_t *const row = json_array_get(rows, i);
        cr_expect_eq(number(row, "threads"), i == 1 ? 2 : 1);
        cr_expect_eq(json_object_get(row, "division") != NULL, i == 1);
    }
    const double latency = number(two, "latency_ns");
    cr_expect(latency > 0);
    if (latency > FAR_NS && strcmp(division, "slices") != 0 &&
        strcmp(json_string_value(json_object_get(two, "division")), "one") == 0)
        division = "one";
    expect_text(two, "division", division);
    snprintf(note, sizeof note, "portable, %s, latency %.0f ns", division, latency);
    expect_text(two, "note", note);
    cr_expect(number(two, "min_us") > 0 && number(two, "median_us") >= number(two, "min_us"));
    cr_expect(number(two, "rounds") >= 3 && number(two, "max_error") <= 1e-4);
    const double ratio = number(two, "median_us") / number(one, "median_us");
    cr_expect(fabs(number(two, "ratio") - ratio) <= 1e-6 * ratio);
    /* Light is of one core. */
    cr_expect(json_object_get(one, "light_percent") && !json_object_get(two, "light_percent"));
}

static void expect_divisions(const outcome *result, size_t count, const char *const divisions[]) {
    json_error_t error;
    cr_assert_eq(result->code, 0, "%s", result->err);
    json_t *const all = json_loads(result->out, 0, &error);
    cr_assert(all, "%s: %s", error.text, result->out);
    const json_t *const problems = json_object_get(all, "problems");
    cr_assert_eq(json_array_size(problems), count);
    for (size_t i = 0; i < count; i++)
        check_rows(json_array_get(problems, i), divisions[i]);
    json_decref(all);
}

Test(bench, several_threads_have_a_row, .timeout = 180) {
    static const char *const kinds[] = {"slices", "directions", "chunks", "one"};
    char dir[PATH_SIZE];
    if (cores() < 2)
        cr_skip_test("one core");
    set_up(dir);
    outcome result = bench(dir, "wide.lua", "both.lua", "tall.lua", "tiny.lua", "--json=-");
    expect_divisions(&result, 4, kinds);
    outcome_free(&result);
    /* What the sizes of the call decide. */
    result = bench(dir, "any.lua", "--seq-len=100", "--json=-", NULL, NULL);
    expect_divisions(&result, 1, &kinds[2]);
    outcome_free(&result);
    result = bench(dir, "any.lua", "--seq-len=2", "--json=-", NULL, NULL);
    expect_divisions(&result, 1, &kinds[3]);
    outcome_free(&result);
    result = bench(dir, "any.lua", "--seq-len=100", "--batch=64", "--json=-", NULL);
    expect_divisions(&result, 1, &kinds[0]);
    outcome_free(&result);
    workdir_remove(dir);
}

Test(bench, threads_stand_in_table_csv_and_page, .timeout = 180) {
    char dir[PATH_SIZE], path[PATH_SIZE];
    int first, second;
    if (cores() < 2)
        cr_skip_test("one core");
    set_up(dir);
    outcome result = bench(dir, "wide.lua", "tiny.lua", "--csv=out.csv", "--html=out.html", NULL);
    cr_assert_eq(result.code, 0, "%s", result.err);
    const char *const line = strstr(result.out, "\none thread on CPU ");
    cr_assert(line && sscanf(line, "\none thread on CPU %*d, 2 on CPUs %d, %d, 0.01 s for", &first,
                             &second) == 2,
              "%s", result.out);
    cr_expect_neq(first, second);
    cr_expect(strstr(result.out, "\nspecialised (2 threads) ") &&
                  strstr(result.out, "  portable, slices, latency ") &&
                  strstr(result.out, "  portable, one, latency ") &&
                  strstr(result.out, " times as fast as one thread (2), at the least "),
              "%s", result.out);
    /* Among the means it stands once, not also with the codes of others. */
    const char *const means = strstr(result.out, "\ngeometric means ");
    cr_assert_not_null(means);
    const char *const mean = strstr(means, "specialised (2 threads)");
    cr_expect(mean && !strstr(mean + 1, "specialised (2 threads)"), "%s", means);
    outcome_free(&result);
    path_join(path, dir, "out.csv");
    char *text = file_read(path, NULL);
    cr_assert_not_null(text);
    cr_expect(strstr(text, ",code,threads,division,median_us,"), "%s", text);
    cr_expect(strstr(text, ",specialised,1,,"), "%s", text);
    cr_expect(strstr(text, ",specialised (2 threads),2,slices,"), "%s", text);
    cr_expect(strstr(text, ",\"portable, slices, latency "), "%s", text);
    free(text);
    path_join(path, dir, "out.html");
    text = file_read(path, NULL);
    cr_assert_not_null(text);
    const char *at = text;
    for (int i = 0; i < 2; i++) {
        at = strstr(at, "<div class=\"bar team\">");
        cr_assert_not_null(at);
        at++;
    }
    cr_expect(!strstr(at, "<div class=\"bar team\">"));
    cr_expect(strstr(text, "<h4>Plan for 2 threads</h4>"));
    cr_expect(strstr(text, "<span>as fast as one thread</span>"));
    free(text);
    workdir_remove(dir);
}

Test(bench, without_cores_threads_are_skipped, .timeout = 100) {
    char dir[PATH_SIZE];
    cpu_set_t allowed, single;
    set_up(dir);
    cr_assert_eq(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    size_t cpu = 0;
    while (!CPU_ISSET(cpu, &allowed))
        cpu++;
    CPU_ZERO(&single);
    CPU_SET(cpu, &single);
    cr_assert_eq(sched_setaffinity(0, sizeof single, &single), 0);
    outcome result = bench(dir, "wide.lua", "tiny.lua", "--csv=-", NULL, NULL);
    cr_assert_eq(result.code, 0, "%s", result.err);
    cr_expect(strstr(result.out,
                     ",specialised (2 threads),2,,,,,,,,,,\"skipped: 2 threads need 2 cores, "
                     "and this process may use 1\"\n"),
              "%s", result.out);
    outcome_free(&result);
    result = bench(dir, "wide.lua", "tiny.lua", NULL, NULL, NULL);
    cr_assert_eq(result.code, 0, "%s", result.err);
    cr_expect(strstr(result.out,
                     "\nspecialised (2 threads)  skipped: 2 threads need 2 cores, and this process "
                     "may use 1\n") &&
                  !strstr(result.out, "on CPUs ") &&
                  !strstr(result.out, "times as fast as one thread"),
              "%s", result.out);
    outcome_free(&result);
    cr_assert_eq(sched_setaffinity(0, sizeof allowed, &allowed), 0);
    workdir_remove(dir);
}

Test(bench, says_which_number_of_threads_is_wrong, .timeout = 60) {
    static const char *const wrong[] = {"1", "0", "65", "-2", "1.5", "two", ""};
    char dir[PATH_SIZE], word[32];
    set_up(dir);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(word, sizeof word, "--threads=%s", wrong[i]);
        expect(dir, 1, "",
               "rnnc bench: error: --threads needs an integer from 2 to 64; one thread is "
               "measured anyway\n",
               "bench", "tiny.lua", word, NULL);
    }
    workdir_remove(dir);
}

/* A C compiler that spoils the code for a team: a value of y that is within the tolerance, but not
 * the same; or code for one thread only. */
static void expect_spoilt(const char *script, const char *says) {
    static const char cc[] = "#!/bin/sh\n"
                             "case $* in */threads/*) for word; do case $word in\n"
                             "    */wide.c) sed -i '%s' \"$word\" ;;\n"
                             "esac; done ;; esac\n"
                             "exec cc \"$@\"\n";
    char dir[PATH_SIZE], path[PATH_SIZE], text[1024], line[256];
    set_up(dir);
    snprintf(text, sizeof text, cc, script);
    write_file(dir, "cc.sh", text);
    path_join(path, dir, "cc.sh");
    cr_assert_eq(chmod(path, 0700), 0);
    outcome result = bench(dir, "wide.lua", "--cc=./cc.sh", NULL, NULL, NULL);
    cr_expect_eq(result.code, 1, "%s", result.out);
    snprintf(line, sizeof line,
             "rnnc bench: error: wide.lua: the generated code cannot be timed with 2 threads: %s\n",
             says);
    cr_expect_str_eq(result.err, line);
    outcome_free(&result);
    workdir_remove(dir);
}

Test(bench, other_bits_with_threads_are_not_timed, .timeout = 60) {
    if (cores() < 2)
        cr_skip_test("one core");
    expect_spoilt("s/return wide_forward_threads(\\(.*\\);$/const rnnc_status s = "
                  "wide_forward_threads(\\1; if (call->team) call->y[9] += 1e-6f; return s;/",
                  "its threads give other bits than one thread");
    expect_spoilt("s/^    2, .. threads ..$/    1,/",
                  "the compiled network is for another number of threads");
}

Test(bench, the_bar_judges_two_threads) {
    /* Eight sequences: 1.5 times; two layers, left whole; 300 units: 1.8 times; and what need not
     * be faster: 4 % slower, 2 % slower, left whole and 10 % slower, which is noise; four threads.
     */
    static const char csv[] =
        "problem,light_us,code,threads,division,median_us,min_us,note\n"
        "gru 64 64 1 1 8 10,90,specialised,1,,100,90,avx2\n"
        "gru 64 64 1 1 8 10,90,specialised (2 threads),2,slices,61,60,\"avx2, slices\"\n"
        "gru 64 64 2 1 1 10,90,specialised,1,,100,90,avx2\n"
        "gru 64 64 2 1 1 10,90,specialised (2 threads),2,one,31,30,\"avx2, one\"\n"
        "gru 64 300 1 1 1 10,90,specialised,1,,100,90,avx2\n"
        "gru 64 300 1 1 1 10,90,specialised (2 threads),2,chunks,51,50,\"avx2, chunks\"\n"
        "gru 64 30 1 1 1 10,90,specialised,1,,100,100,avx2\n"
        "gru 64 30 1 1 1 10,90,specialised (2 threads),2,chunks,110,104,\"avx2, chunks\"\n"
        "gru 64 31 1 1 1 10,90,specialised,1,,100,100,avx2\n"
        "gru 64 31 1 1 1 10,90,specialised (2 threads),2,chunks,200,102,\"avx2, chunks\"\n"
        "gru 64 32 1 1 1 10,90,specialised,1,,100,100,avx2\n"
        "gru 64 32 1 1 1 10,90,specialised (2 threads),2,one,120,110,\"avx2, one\"\n"
        "gru 64 33 1 2 1 10,90,specialised,1,,100,100,avx2\n"
        "gru 64 33 1 2 1 10,90,specialised (2 threads),2,,,,\"skipped, so\"\n"
        "gru 64 34 1 2 1 10,90,specialised,1,,100,100,avx2\n"
        "gru 64 34 1 2 1 10,90,specialised (4 threads),4,one,200,200,\"avx2, one\"\n";
    static const char wanted[] =
        "SHORT  two threads at least 1.7 times as fast as one where B >= 8, D = 2, L >= 2 or H >= "
        "256, on 1 of 3\n"
        "         gru 64 64 1 1 8 10           1.50 times as fast with two threads (slices): 60.00 "
        "us, one takes 90.00\n"
        "         gru 64 64 2 1 1 10           1.00 times as fast with two threads (one): 30.00 "
        "us, "
        "one takes 90.00\n"
        "SHORT  two threads not slower than one on 5 of 6\n"
        "         gru 64 30 1 1 1 10           0.96 times as fast with two threads (chunks): "
        "104.00 "
        "us, one takes 100.00\n";
    char dir[PATH_SIZE], path[PATH_SIZE];
    workdir_make(dir);
    write_file(dir, "grid.csv", csv);
    path_join(path, dir, "grid.csv");
    const char *const argv[] = {"lua5.4", "tests/bench/bar.lua", path, NULL};
    outcome result = process_run(argv, NULL, NULL, 20);
    cr_expect_eq(result.code, 0, "%s", result.err);
    const char *const at = strstr(result.out, "SHORT  two threads");
    cr_assert(at, "%s", result.out);
    cr_expect_str_eq(at, wanted);
    /* Nobody else was measured. */
    cr_expect(strstr(result.out, "faster than all others on 0 of 0\n"), "%s", result.out);
    outcome_free(&result);
    workdir_remove(dir);
}
