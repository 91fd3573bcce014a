/* Specs from people who mean harm, or paths that are no specs: each refused with a clear message
 * within a second or so, without a trace in the directory. */
#define _XOPEN_SOURCE 700
#include "support/generate.h"
#include "support/process.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of processor time, so that other programs do not count. Sanitizers make everything slower. */
static double seconds_max(void) { return sanitized() ? 8 : 1.5; }

/* `rnnc check` of a file in `dir` fails as a user's mistake, quickly, in one line that begins with
 * the file's name and contains `says`. */
static void refused(const char *dir, const char *file, const char *title, const char *says) {
    const char *const argv[] = {rnnc_path(), "check", file, NULL};
    const double start = children_seconds();
    outcome result = process_run(argv, dir, NULL, 20);
    const double seconds = children_seconds() - start;
    cr_expect_eq(result.code, 1, "%s: exit code %d\n%s", title, result.code, result.err);
    cr_expect(strncmp(result.err, file, strlen(file)) == 0 && strstr(result.err, says) &&
                  strchr(result.err, '\n') == result.err + strlen(result.err) - 1,
              "%s: should say \"%s\" in a line, says\n%s", title, says, result.err);
    cr_expect_leq(seconds, seconds_max(), "%s: took %.1f s", title, seconds);
    cr_expect_str_eq(result.out, "");
    outcome_free(&result);
}

typedef struct hostile {
    const char *text, *says;
} hostile;

static void all_refused(const hostile *cases, size_t count) {
    char dir[PATH_SIZE], path[PATH_SIZE], own[PATH_SIZE];
    workdir_make(dir);
    path_join(path, dir, "h.lua");
    path_join(own, dir, "written");
    for (size_t i = 0; i < count; i++) {
        cr_assert(file_write(path, cases[i].text, strlen(cases[i].text)));
        refused(dir, "h.lua", cases[i].text, cases[i].says);
        cr_expect(access(own, F_OK) != 0, "%s: it wrote a file", cases[i].text);
    }
    workdir_remove(dir);
}

#define ALL_REFUSED(cases) all_refused(cases, sizeof(cases) / sizeof *(cases))
#define REST " return rnn { input_size = 3, hidden_size = 4 }\n"
#define ABSENT "is not available in a spec"

/* Everything that reaches the system, makes code, catches errors or looks through the walls. */
Test(spec_hostile, reaching_out, .timeout = 120) {
    static const hostile cases[] = {
        {"os.execute('touch written')" REST, "h.lua:1: error: 'os' " ABSENT},
        {"os.remove('h.lua')" REST, ABSENT},
        {"os.exit(0)" REST, ABSENT},
        {"io.open('written', 'w'):write('x')" REST, "'io' " ABSENT},
        {"io.popen('touch written')" REST, ABSENT},
        {"local f = io.lines('/etc/passwd')" REST, ABSENT},
        {"require 'os'" REST, "'require' " ABSENT},
        {"package.loadlib('libc.so.6', 'system')" REST, ABSENT},
        {"dofile('/etc/passwd')" REST, ABSENT},
        {"loadfile('/etc/passwd')" REST, ABSENT},
        {"load('return 1')()" REST, "'load' " ABSENT},
        {"loadstring('return 1')()" REST, ABSENT},
        {"print('hello')" REST, "'print' " ABSENT},
        {"debug.getregistry()" REST, "'debug' " ABSENT},
        {"collectgarbage('stop')" REST, ABSENT},
        {"coroutine.wrap(function() while true do end end)()" REST, "'coroutine' " ABSENT},
        {"pcall(function() while true do end end)" REST, "'pcall' " ABSENT},
        {"xpcall(error, function() while true do end end)" REST, ABSENT},
        {"setmetatable({}, { __gc = function() while true do end end })" REST, ABSENT},
        {"getmetatable('').__index.rep = nil" REST, ABSENT},
        {"rawset(string, 'rep', 1)" REST, ABSENT},
        {"_G.os = 1" REST, ABSENT},
        {"string.dump(function() end)" REST, "string.dump " ABSENT},
        {"('x').dump(function() end)" REST, "string.dump " ABSENT},
        {"math.random()" REST, "math.random " ABSENT},
        {"for k in pairs({}) do end" REST, "'pairs' " ABSENT},
        {"local x <close> = {}" REST, "non-closable"},
        {"name = string.format('%p', 'x')" REST, ABSENT},
        {"name = string.format('%s', {})" REST, "cannot print a table"},
        {"_ENV.os.exit(1)" REST, ABSENT},
        {"local _ENV = {} x.y = 1" REST, "attempt to index a nil value"},
    };
    ALL_REFUSED(cases);
}

Test(spec_hostile, running_for_ever, .timeout = 120) {
    static const hostile cases[] = {
        {"while true do end" REST, "h.lua:1: error: the spec is still running"},
        {"\n\nrepeat until false" REST, "h.lua:3: error: the spec is still running"},
        {"for i = 1, 1e18 do end" REST, "still running"},
        {"::a:: goto a", "still running"},
        {"local function f() return f() end f()" REST, "still running"},
        /* Steps that are long: on a slow machine their time ends before their number does. */
        {"local t = {} for i = 0, 62 do t[1 << i] = 1 end t[5] = 1 table.insert(t, 1, 2)" REST,
         "h.lua:1: error: the spec "},
        {"local t = {} for i = 0, 62 do t[1 << i] = 1 end t[5] = 1 table.remove(t, 1)" REST,
         "h.lua:1: error: the spec "},
        {"local s = string.rep('a', 60000) s = s .. s .. s .. s .. s .. s "
         "for i = 1, 1e9 do local t = s:upper() .. i end" REST,
         "the spec takes too long"},
        {"local a = string.rep('a', 65000) a = a .. a .. a .. a .. a local b = a .. 'x' a = a .. "
         "'y' "
         "local n = 0 while true do if a < b then n = n + 1 end end" REST,
         "the spec takes too long"},
    };
    ALL_REFUSED(cases);
}

Test(spec_hostile, using_memory, .timeout = 120) {
    static const hostile cases[] = {
        {"local t = {} while true do t[#t + 1] = {} end" REST, "more than 4 MB of memory"},
        {"local s = 'x' while true do s = s .. s end" REST, "more than 4 MB of memory"},
        {"local function f() return 1 + f() end f()" REST, "more than 4 MB of memory"},
        {"local function f(n) return f(n + 1) + 1 end f(1)" REST, "more than 4 MB of memory"},
        {"('x'):rep(1e9)" REST, "h.lua:1: error: string.rep would make a text of more than"},
        {"string.rep('x', 1 << 40)" REST, "string.rep would make"},
        {"string.rep('x', math.maxinteger)" REST, "string.rep would make"},
        {"string.rep('xxxxxxxx', math.maxinteger // 4)" REST, "string.rep would make"},
        {"string.rep('', 1e18)" REST, "string.rep would make"},
        {"string.rep('', 1e18, '')" REST, "string.rep would make"},
        {"string.format('%99999999d', 1)" REST, "invalid conversion"},
        {"string.format(('%99d'):rep(600), 1)" REST, "the format is longer"},
        {"local t = {} t[1 << 40] = 1 table.unpack(t, 1, 1 << 40)" REST, "more than 200 entries"},
        {"table.concat({}, 'x', 1, 1 << 40)" REST, "more than 1000 entries"},
        {"table.concat({}, 'x', math.mininteger, math.maxinteger)" REST, "h.lua:1: error: "},
        {"table.unpack({}, math.mininteger, math.maxinteger)" REST, "h.lua:1: error: "},
    };
    ALL_REFUSED(cases);
}

/* Functions that a short argument keeps busy for ever are not there at all. */
Test(spec_hostile, patterns, .timeout = 120) {
    static const hostile cases[] = {
        {"('a'):rep(40):match(('.-'):rep(20) .. 'b')" REST, "string.match " ABSENT},
        {"string.find(('a'):rep(60000), ('.-'):rep(30) .. 'b')" REST, "string.find " ABSENT},
        {"('a'):gsub('a', 'b')" REST, "string.gsub " ABSENT},
        {"for w in ('a b'):gmatch('%a') do end" REST, "string.gmatch " ABSENT},
        {"string.pack('i16', 1)" REST, "string.pack " ABSENT},
    };
    ALL_REFUSED(cases);
}

/* Results that are not plain data of a reasonable size. */
Test(spec_hostile, strange_results, .timeout = 120) {
    static const hostile cases[] = {
        {"local t = {} t.t = t return rnn(t)", "nested deeper than 8"},
        {"local t = { input_size = 3 } t[t] = 1 return rnn(t)", "an entry without a name"},
        {"local t = {} for i = 1, 5000 do t['f' .. i] = i end return rnn(t)", "more than 4096"},
        {"return rnn { input_size = 3, hidden_size = 4, bias = rnn }", "bias = a function"},
        {"return rnn { input_size = 3, hidden_size = 4, bias = string }", "expected true or false"},
        {"return rnn(_ENV)", "there is no such field"},
        {"return rnn { input_size = 3, hidden_size = 4, name = ('n'):rep(60000) }",
         "longer than 40"},
        {"return rnn { input_size = 3, hidden_size = 4, [('n'):rep(60000)] = 1 }", "no such field"},
        {"return function() end", "returns a function"},
        {"error(function() end)", "not a text (function)"},
        /* never an address, which is another one each time */
        {"error(string.rep({}, 2, string))", "tabletabletable"},
        {"error(('x').rep(function() end, 1))", "h.lua:1: error: function\n"},
        {"return string[{}]", "string.table is not"},
        {"return _ENV[rnn]", "'function' is not defined"},
        {"error(setmetatable({}, {}))", ABSENT},
        {"error('spec:99: lies', 0)", "lies"},
        {"error(('x'):rep(60000))", "xxx"},
        {"return rnn { input_size = 3, hidden_size = 4, weights = '/dev/zero' }", "/dev/zero"},
    };
    char dir[PATH_SIZE], path[PATH_SIZE];
    workdir_make(dir);
    path_join(path, dir, "h.lua");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_assert(file_write(path, cases[i].text, strlen(cases[i].text)));
        const char *const argv[] = {rnnc_path(), "check", "h.lua", NULL};
        const double start = children_seconds();
        outcome result = process_run(argv, dir, NULL, 20);
        cr_expect_eq(result.code, 1, "%s: exit code %d", cases[i].text, result.code);
        cr_expect(strstr(result.err, cases[i].says), "%s: should say \"%s\", says\n%.300s",
                  cases[i].text, cases[i].says, result.err);
        cr_expect_leq(children_seconds() - start, seconds_max(), "%s", cases[i].text);
        for (const char *line = result.err; *line; line = strchr(line, '\n') + 1)
            cr_expect_lt(strcspn(line, "\n"), (size_t)1000, "%s: a long line", cases[i].text);
        outcome_free(&result);
    }
    workdir_remove(dir);
}

/* Texts that are not quite Lua. */
Test(spec_hostile, strange_texts, .timeout = 120) {
    char deep[60001];
    memset(deep, '(', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    char *const labels = malloc(65536);
    cr_assert_not_null(labels);
    size_t used = 0;
    for (unsigned i = 0; used < 65000; i++)
        used += (size_t)sprintf(labels + used, "::l%x::", i);
    const hostile cases[] = {
        {"\x1bLua", "this is compiled Lua; a spec is a text"},
        {"\x7f"
         "ELF",
         "an executable"},
        {"\xff\xfe"
         "r",
         "unexpected symbol"},
        {deep, "overflow"},
        {labels, "overflow"},
    };
    ALL_REFUSED(cases);
    free(labels);
}

/* Paths that are no specs, opened without waiting. */
Test(spec_hostile, strange_files, .timeout = 120) {
    char dir[PATH_SIZE], path[PATH_SIZE];
    workdir_make(dir);
    path_join(path, dir, "pipe.lua");
    cr_assert_eq(mkfifo(path, 0600), 0);
    path_join(path, dir, "folder.lua");
    cr_assert_eq(mkdir(path, 0700), 0);
    path_join(path, dir, "huge.lua");
    cr_assert(file_write(path, "", 0));
    cr_assert_eq(truncate(path, 1L << 30), 0);
    path_join(path, dir, "large.lua");
    cr_assert(file_write(path, "", 0));
    cr_assert_eq(truncate(path, 65537), 0);
    path_join(path, dir, "loop.lua");
    cr_assert_eq(symlink("loop.lua", path), 0);
    static const hostile files[] = {
        {"pipe.lua", "is a pipe, not a file"},
        {"folder.lua", "is a directory, not a file"},
        {"huge.lua", "has more than 65536 bytes"},
        {"large.lua", "has more than 65536 bytes"},
        {"loop.lua", "cannot be opened"},
        {"none.lua", "cannot be opened: No such file or directory"},
        {"/dev/zero", "is a device, not a file"},
        {"/", "is a directory, not a file"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        refused(dir, files[i].text, files[i].text, files[i].says);
    workdir_remove(dir);
}

/* A text of `count` times `part`, between `before` and `after`, as h.lua in `dir`. */
static void write_repeated(const char *dir, const char *before, const char *part, size_t count,
                           const char *after) {
    char path[PATH_SIZE];
    const size_t first = strlen(before), each = strlen(part), last = strlen(after);
    char *const text = malloc(first + each * count + last);
    memcpy(text, before, first);
    for (size_t i = 0; i < count; i++)
        memcpy(text + first + i * each, part, each);
    memcpy(text + first + count * each, after, last);
    path_join(path, dir, "h.lua");
    cr_assert(file_write(path, text, first + each * count + last));
    free(text);
}

/* Calls within calls, and thousands of fields that there are not: no more time for longer ones. */
Test(spec_hostile, long_texts, .timeout = 120) {
    char dir[PATH_SIZE];
    workdir_make(dir);
    write_repeated(dir, "", "rnn{", 16300, "");
    refused(dir, "h.lua", "calls within calls", "h.lua:1: error: ");
    write_repeated(dir, "return rnn { ", "x = rnn { a = 1 }, ", 3400, "input_size = 3 }");
    const char *const argv[] = {rnnc_path(), "check", "h.lua", NULL};
    double start = children_seconds();
    outcome result = process_run(argv, dir, NULL, 20);
    cr_expect(result.code == 1 && children_seconds() - start <= seconds_max(), "%s", result.err);
    outcome_free(&result);
    write_repeated(
        dir, "local t = { input_size = 3 } for i = 1, 4090 do t['hidden_sise_of' .. i] = 1 end",
        " ", 1, "return rnn(t)");
    start = children_seconds();
    result = process_run(argv, dir, NULL, 20);
    cr_expect(result.code == 1 && strstr(result.err, "more such fields are not listed"), "%s",
              result.err);
    cr_expect(children_seconds() - start <= seconds_max() && strlen(result.err) < 8000);
    outcome_free(&result);
    workdir_remove(dir);
}

/* A safetensors file of one tensor, F32 (1), of that name in JSON. */
static void write_tensor(const char *dir, const char *name) {
    char path[PATH_SIZE];
    const size_t length = strlen(name) + 80;
    unsigned char *const bytes = calloc(1, 8 + length + 4);
    char *const header = (char *)bytes + 8;
    const int used = snprintf(header, length,
                              "{\"%s\":{\"dtype\":\"F32\",\"shape\":[1],"
                              "\"data_offsets\":[0,4]}}",
                              name);
    memset(header + used, ' ', length - (size_t)used);
    for (int k = 0; k < 8; k++)
        bytes[k] = (unsigned char)(length >> 8 * k);
    path_join(path, dir, "w.safetensors");
    cr_assert(file_write(path, bytes, 8 + length + 4));
    free(bytes);
}

#define WITH_MAP(pair)                                                                             \
    "return rnn { input_size = 3, hidden_size = 4, weights = 'w.safetensors', map = {" pair "} }"

/* Patterns of `map` that Lua would try for ever: sets that end where they do not seem to, back
 * references, %b, long sets, and many that would take a while each. */
Test(spec_hostile, patterns_of_map, .timeout = 120) {
    static const char *const maps[] = {
        WITH_MAP("{ '[%][].-.-.-.-.-.-.-.-.-.-.-b]', '' }"),
        WITH_MAP("{ '[^%][].-.-.-.-.-.-.-.-.-.-.-b]', '' }"),
        WITH_MAP("{ '[]%]].-.-.-.-.-.-.-.-.-.-.-b]', '' }"),
        WITH_MAP("{ '%f[%]].-.-.-.-.-.-.-.-.-.-.-b', '' }"),
        WITH_MAP("{ '(.-)%1(.-)%2(.-)%3(.-)%4b', '' }"),
        WITH_MAP("{ '%bab.-%bab.-%bab.-b', '' }"),
        WITH_MAP("{ '.-.-[' .. ('c'):rep(190) .. 'd]b', '' }"),
    };
    char dir[PATH_SIZE], name[121];
    workdir_make(dir);
    memset(name, 'a', 120);
    name[120] = '\0';
    write_tensor(dir, name);
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
        char path[PATH_SIZE];
        path_join(path, dir, "h.lua");
        cr_assert(file_write(path, maps[i], strlen(maps[i])));
        const char *const argv[] = {rnnc_path(), "check", "h.lua", NULL};
        const double start = children_seconds();
        outcome result = process_run(argv, dir, NULL, 60);
        cr_expect(result.code == 1 && strstr(result.err, "could take for ever"), "%s\n%s", maps[i],
                  result.err);
        cr_expect_leq(children_seconds() - start, seconds_max(), "%s", maps[i]);
        outcome_free(&result);
    }
    workdir_remove(dir);
}

/* What a file has cannot steer the terminal, is UTF-8, and is short; a name as long as the file
 * takes no time. */
Test(spec_hostile, words_of_files, .timeout = 120) {
    enum { LONG = 1000000 };
    static const char text[] = WITH_MAP("");
    char dir[PATH_SIZE], path[PATH_SIZE];
    workdir_make(dir);
    path_join(path, dir, "h.lua");
    cr_assert(file_write(path, text, sizeof text - 1));
    char *const name = malloc(LONG + 1);
    memset(name, 'w', LONG);
    memcpy(name, "eight_ih_l0", 11);
    name[LONG] = '\0';
    const char *const names[] = {"weight_ih_l\\u001b\\u009b\\u202e\\u007f0", name};
    for (int i = 0; i < 2; i++) {
        write_tensor(dir, names[i]);
        const char *const argv[] = {rnnc_path(), "check", "h.lua", NULL};
        const double start = children_seconds();
        outcome result = process_run(argv, dir, NULL, 60);
        cr_expect_eq(result.code, 1, "%s", result.err);
        cr_expect_leq(children_seconds() - start, seconds_max());
        cr_expect_leq(strlen(result.err), 9000);
        for (const char *at = result.err; *at; at++)
            cr_expect((unsigned char)*at >= ' ' || *at == '\n', "byte %d", *at);
        cr_expect(i == 1 ||
                      (strstr(result.err, "weight_ih_l\\x1b\\xc2\\x9b\\xe2\\x80\\xae\\x7f0?") &&
                       !strstr(result.err, "\xe2\x80\xae")),
                  "%s", result.err);
        outcome_free(&result);
    }
    free(name);
    workdir_remove(dir);
}
