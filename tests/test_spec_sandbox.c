/* What a spec may use: its own functions on lists give what Lua's give, and no way of writing a
 * format or a pattern gets round the walls. */
#include "support/cli.h"
#include "support/generate.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[PATH_SIZE], path[PATH_SIZE];

static void setup(void) {
    workdir_make(dir);
    path_join(path, dir, "s.lua");
}
static void teardown(void) { workdir_remove(dir); }
TestSuite(spec_sandbox, .init = setup, .fini = teardown, .timeout = 60);

/* What `rnnc check` says of `text`, with a network behind it. */
static outcome check(const char *text) {
    char all[4096];
    const int size =
        snprintf(all, sizeof all, "%s\nreturn rnn { input_size = 3, hidden_size = 4 }\n", text);
    cr_assert(size > 0 && (size_t)size < sizeof all && file_write(path, all, (size_t)size));
    return run(dir, "check", "s.lua", NULL, NULL, NULL);
}

/* insert, remove, concat and unpack, at the beginning, in the middle, at the end and behind it. */
Test(spec_sandbox, lists_are_luas) {
    static const char *const texts[] = {
        "local t = { 1, 2, 3 }\n"
        "table.insert(t, 2, 9) assert(table.concat(t, ' ') == '1 9 2 3')\n"
        "table.insert(t, 1, 8) assert(table.concat(t, ' ') == '8 1 9 2 3')\n"
        "table.insert(t, 6, 7) assert(table.concat(t, ' ') == '8 1 9 2 3 7')\n"
        "table.insert(t, 5) assert(#t == 7 and t[7] == 5)",
        "local t = { 1, 2, 3, 4 }\n"
        "assert(table.remove(t, 1) == 1 and table.concat(t, ' ') == '2 3 4')\n"
        "assert(table.remove(t, 2) == 3 and table.concat(t, ' ') == '2 4' and #t == 2)\n"
        "assert(table.remove(t) == 4 and #t == 1 and t[2] == nil)\n"
        "assert(table.remove(t, 1) == 2 and #t == 0 and table.remove(t) == nil)",
        "local t = {} table.insert(t, 'a') table.insert(t, 1, 'b') assert(t[1] .. t[2] == 'ba')",
        "local a, b, c = table.unpack({ 1, 2, 3 }, 2) assert(a == 2 and b == 3 and c == nil)",
        "assert(table.concat({ 1, 2, 3 }, ',', 2, 3) == '2,3' and table.concat({}) == '')",
        "assert(string.rep('ab', 3, '-') == 'ab-ab-ab' and ('x'):rep(0) == '')",
        "assert(string.format('%3d|%-3s|%5.2f|%%', 7, 'a', 1.5) == '  7|a  | 1.50|%')",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        outcome result = check(texts[i]);
        cr_expect_eq(result.code, 0, "%s\n%s", texts[i], result.err);
        outcome_free(&result);
    }
}

/* An address is another one each time, however its format is written. */
Test(spec_sandbox, no_format_has_an_address) {
    static const char *const formats[] = {"%p", "%5p", "%-20p", "%%%p", "%d %3p"};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        char text[128];
        snprintf(text, sizeof text, "local s = string.format('%s', 1, 'x')", formats[i]);
        outcome result = check(text);
        cr_expect(result.code == 1 && strstr(result.err, "%p is not available in a spec"),
                  "%s: %s%s", formats[i], result.out, result.err);
        outcome_free(&result);
    }
    outcome plain = check("assert(string.format('100%%p') == '100%p')");
    cr_expect_eq(plain.code, 0, "%s", plain.err);
    outcome_free(&plain);
}

/* Files that say that they are empty, and are not. */
Test(spec_sandbox, endless_files_are_not_read) {
    static const char kallsyms[] = "/proc/kallsyms";
    if (access(kallsyms, R_OK) != 0)
        cr_skip_test("there is no such file");
    outcome result = run(dir, "check", kallsyms, NULL, NULL, NULL);
    cr_expect(result.code == 1 && strstr(result.err, "has more than 65536 bytes"), "%s",
              result.err);
    outcome_free(&result);
}

/* A file of one tensor of one float, whose name has so many letters. */
static void write_tensor(size_t length) {
    char name[201], at[PATH_SIZE];
    float value = 0;
    rnnc_tensor tensor;
    const char *const names[] = {name};
    memset(name, 'a', length);
    name[length] = '\0';
    cr_assert_eq(rnnc_tensor_make(&tensor, RNNC_F32, 1, (size_t[]){1}, &value, sizeof value),
                 RNNC_OK);
    path_join(at, dir, "w.safetensors");
    cr_assert_eq(rnnc_safetensors_write(at, 1, names, &tensor, 0, NULL, NULL, NULL), RNNC_OK);
}

static outcome check_map(const char *pairs) {
    char text[1024];
    const int size = snprintf(text, sizeof text,
                              "return rnn { input_size = 3, hidden_size = 4,\n"
                              "  weights = 'w.safetensors', map = { %s } }\n",
                              pairs);
    cr_assert(file_write(path, text, (size_t)size));
    return run(dir, "check", "s.lua", NULL, NULL, NULL);
}

/* Quantifiers that are characters of a set take no time, and names that grow with every pair are
 * refused before they are made. */
Test(spec_sandbox, maps_are_judged_by_what_they_do) {
    static const char *const fine[] = {
        "{ '[^]*+-?*+-?*+?b]', '' }",
        "{ '[]*+-?*+-?*+?b]', '' }",
        "{ '[^%]*+-?*+-?*+?b]', '' }",
        "{ '^%*%+%-%?%*%+%-%?', '' }",
    };
    write_tensor(120);
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
        outcome result = check_map(fine[i]);
        cr_expect(result.code == 1 && strstr(result.err, "weight_ih_l0 is missing") &&
                      !strstr(result.err, "for ever"),
                  "%s: %s", fine[i], result.err);
        outcome_free(&result);
    }
    outcome result = check_map("{ '.', ('%0'):rep(90) }, { '.', ('%0'):rep(90) }");
    cr_expect(result.code == 1 && strstr(result.err, "the names would become too long"), "%.500s",
              result.err);
    outcome_free(&result);
}
