/* `rnnc plan`: what kernels cost by the model, against numbers worked out by hand. */
#define _XOPEN_SOURCE 700
#include "support/cli.h"
#include "support/generate.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void write_file(const char *dir, const char *name, const char *text) {
    char path[PATH_SIZE];
    path_join(path, dir, name);
    cr_assert(file_write(path, text, strlen(text)));
}

/* A batch's last block costs what the sequences in it cost, in the kernel that runs no others: 33
 * take about as long as 32, and not as long as 64. */
Test(bench, plans_charge_the_rows_of_the_last_block, .timeout = 60) {
    char dir[PATH_SIZE], text[160];
    int cycles[2] = {0};
    workdir_make(dir);
    for (int i = 0; i < 2; i++) {
        snprintf(text, sizeof text,
                 "return rnn { cell = \"lstm\", input_size = 96, hidden_size = 200, batch = %d, "
                 "target = \"avx512\" }\n",
                 32 + i);
        write_file(dir, "net.lua", text);
        outcome result = run(dir, "plan", "net.lua", NULL, NULL, NULL);
        const char *const at = result.code == 0 ? strstr(result.out, "  kernel units ") : NULL;
        cr_assert(at && sscanf(at, "  kernel units %d", &cycles[i]) == 1, "%s%s", result.out,
                  result.err);
        outcome_free(&result);
    }
    cr_expect(cycles[1] > cycles[0] && cycles[1] < cycles[0] * 11 / 10, "%d and %d cycles",
              cycles[0], cycles[1]);
    workdir_remove(dir);
}

/* `rnnc plan` says what binds each kernel. The numbers: 40 units are 3 vectors of 16; a step of one
 * row has 3*40 multiply-adds at two a cycle, 3*40 loads of weights and 40 broadcasts, one panel, at
 * two a cycle, and a chain of 40 columns in 4 cycles each, in so many parts, before 64 cycles of
 * latency. */
Test(bench, plans_name_the_limit_that_binds, .timeout = 60) {
    char dir[PATH_SIZE], wanted[128];
    int parts = 1, cycles, update;
    workdir_make(dir);
    write_file(
        dir, "net.lua",
        "return rnn { name = \"net\", input_size = 40, hidden_size = 16, target = \"avx512\" }\n");
    outcome result = run(dir, "plan", "net.lua", NULL, NULL, NULL);
    cr_assert_eq(result.code, 0, "%s", result.err);
    const char *at = strstr(result.out, "  step_16_avx512 ");
    cr_assert_not_null(at, "%s", result.out);
    const char *const end = strchr(at, '\n');
    const char *const split = strstr(at, "sums in ");
    if (split && split < end)
        parts = atoi(split + strlen("sums in "));
    snprintf(wanted, sizeof wanted, "bound by latency (FMA 8, L1 16, latency %d), update ",
             16 / parts * 4 + 64);
    cr_expect(strstr(end, wanted), "no \"%s\" in\n%s", wanted, result.out);
    cr_expect_eq(
        sscanf(end, " %d cycles a step, bound by latency (FMA 8, L1 16, latency %*d), update %d",
               &cycles, &update),
        2);
    cr_expect_eq(cycles, 16 / parts * 4 + 64 + update);
    cr_expect(strstr(result.out, "\n  predicted: "), "%s", result.out);
    outcome_free(&result);
    write_file(
        dir, "net.lua",
        "return rnn { name = \"net\", input_size = 3, hidden_size = 300, target = \"avx2\" }\n");
    result = run(dir, "plan", "net.lua", NULL, NULL, NULL);
    /* 38 vectors of 8 units, 303 or 300 columns: 365 KB, beyond the first cache. */
    cr_expect(strstr(result.out, "bound by L2 (FMA ") ||
                  strstr(result.out, "bound by latency (FMA "),
              "%s", result.out);
    outcome_free(&result);
    workdir_remove(dir);
}
