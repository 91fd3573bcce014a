/* The one-way rule of the architecture, read off the sources:
 *
 *   spec -> lower -> passes -> plan -> emit -> templates -> generated C -> rnnc.h -> runtime
 *
 * A stage reads the data of the one before and its own tables, and never calls a later one: a
 * folder of compiler/ requires only folders that come before it. runtime/ knows neither Lua nor
 * compiler/; compiler/ knows of runtime/ only rnnc.h, and no BLAS. */
#define _XOPEN_SOURCE 700
#include "support/process.h"
#include "support/tree.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The rooms of compiler/, in the order in which data goes through them: the modules of a folder may
 * require those of the same folder and of folders before it. "host", the C side, may be required
 * by all but the tables. */
static const char *const rooms[] = {
    "base",    "tables", "spec",    "ir",       "passes", "kernels",  "emit",
    "weights", "import", "measure", "training", "report", "commands",
};

/* Modules that ask for a later room, and why. A name that ends in
 * "." stands for all modules of that folder. */
static const struct {
    const char *from, *to, *reason;
} exceptions[] = {
    {"passes.choose", "kernels.choice", "the cost model chooses; to be handed in as data"},
    {"passes.divide", "kernels.", "the cost model divides; to be handed in as data"},
    {"passes.layout", "kernels.tiles", "the order of weights follows the tiles"},
    {"passes.plan", "kernels.", "states what products cost; until one pass counts operations"},
    {"emit.generate", "weights.weights", "writes code and weights in one go, for all commands"},
};

enum { ROOMS = sizeof rooms / sizeof *rooms, EXCEPTIONS = sizeof exceptions / sizeof *exceptions };

/* The room of a module ("passes.hoist"), or -1. */
static int room_of(const char *module) {
    for (int i = 0; i < ROOMS; i++) {
        const size_t n = strlen(rooms[i]);
        if (strncmp(module, rooms[i], n) == 0 && module[n] == '.')
            return i;
    }
    return -1;
}

/* "compiler/passes/hoist.lua" -> "passes.hoist" */
static void module_of(const char *path, char module[PATH_SIZE]) {
    snprintf(module, PATH_SIZE, "%s", path + strlen("compiler/"));
    module[strlen(module) - strlen(".lua")] = '\0';
    for (char *p = module; *p; p++)
        if (*p == '/')
            *p = '.';
}

/* The module that a `require` at `at` names, if it names one: require "m", require("m"). */
static bool required_module(const char *at, char module[PATH_SIZE]) {
    const char *p = at + strlen("require");
    while (*p == ' ' || *p == '(')
        p++;
    if (p == at + strlen("require") || (*p != '"' && *p != '\''))
        return false;
    const size_t n = strcspn(p + 1, "\"'\n");
    if (n == 0 || n >= PATH_SIZE)
        return false;
    memcpy(module, p + 1, n);
    module[n] = '\0';
    return true;
}

static bool in_comment(const char *text, const char *at) {
    for (const char *p = at; p > text && p[-1] != '\n'; p--)
        if (p[-1] == '-' && p - 1 > text && p[-2] == '-')
            return true;
    return false;
}

/* The exception that lets `from` require `to`, or -1. */
static int exception_of(const char *from, const char *to) {
    for (int i = 0; i < EXCEPTIONS; i++) {
        const char *const other = exceptions[i].to;
        const size_t n = strlen(other);
        const bool folder = other[n - 1] == '.';
        if (strcmp(exceptions[i].from, from) == 0 &&
            (folder ? strncmp(other, to, n) == 0 : strcmp(other, to) == 0))
            return i;
    }
    return -1;
}

static size_t check_requires(const char *path, bool used[EXCEPTIONS]) {
    char from[PATH_SIZE], to[PATH_SIZE];
    size_t count = 0;
    module_of(path, from);
    const int room = room_of(from);
    cr_expect(room >= 0, "%s stands in no room of tests/test_structure.c", path);
    char *const text = file_read(path, NULL);
    cr_assert(text != NULL);
    for (const char *at = text; room >= 0 && (at = strstr(at, "require")) != NULL; at++) {
        if (in_comment(text, at) || !required_module(at, to))
            continue;
        count++;
        if (strcmp(to, "host") == 0) {
            cr_expect(strcmp(rooms[room], "tables") != 0, "%s requires host", path);
            continue;
        }
        const int target = room_of(to);
        const int exception = exception_of(from, to);
        cr_expect(target >= 0, "%s requires %s, which stands in no room", path, to);
        cr_expect(target <= room || exception >= 0, "%s requires %s, which is of a later room",
                  path, to);
        if (target > room && exception >= 0)
            used[exception] = true;
    }
    free(text);
    return count;
}

Test(structure, rooms_require_no_later_room) {
    bool used[EXCEPTIONS] = {false};
    size_t count = 0;
    tree_find("compiler", ".lua");
    for (size_t i = 0; i < tree_count; i++)
        if (strncmp(tree_files[i], "compiler/host/", strlen("compiler/host/")) != 0)
            count += check_requires(tree_files[i], used);
    /* A walk that finds nothing would pass: there are more than a hundred. */
    cr_expect(count >= 100, "only %zu requires found", count);
    for (int i = 0; i < EXCEPTIONS; i++)
        cr_expect(used[i], "nobody needs the exception %s -> %s (%s) any more", exceptions[i].from,
                  exceptions[i].to, exceptions[i].reason);
}

/* Is there the word, on its own, in a line of Lua of a template? */
static bool uses_word(const char *line, size_t n, const char *word) {
    const size_t length = strlen(word);
    for (size_t i = 0; i + length <= n; i++)
        if (strncmp(line + i, word, length) == 0 &&
            (i == 0 || !(isalnum((unsigned char)line[i - 1]) || line[i - 1] == '_')) &&
            (i + length == n ||
             !(isalnum((unsigned char)line[i + length]) || line[i + length] == '_')))
            return true;
    return false;
}

/* Templates are closed: no order of hash tables, no system, no decisions of other stages. */
Test(structure, templates_are_closed) {
    static const char *const forbidden[] = {"pairs", "next", "os",          "io",   "require",
                                            "host",  "load", "math.random", "debug"};
    tree_find("templates", ".t");
    for (size_t i = 0; i < tree_count; i++) {
        char *const text = file_read(tree_files[i], NULL);
        cr_assert(text != NULL);
        cr_expect(strncmp(text, "@ --", 4) == 0, "%s: opens with what it produces", tree_files[i]);
        size_t number = 1;
        for (const char *line = text; *line; number++) {
            const size_t n = strcspn(line, "\n");
            const size_t blank = strspn(line, " ");
            const bool comment = strncmp(line + blank, "@ --", 4) == 0;
            for (size_t w = 0; w < sizeof forbidden / sizeof *forbidden; w++)
                cr_expect(line[blank] != '@' || line[blank + 1] == '{' || comment ||
                              !uses_word(line, n, forbidden[w]),
                          "%s:%zu uses %s", tree_files[i], number, forbidden[w]);
            line += n + (line[n] != '\0');
        }
        free(text);
    }
}

/* Checks the includes of all C files of a folder: <...> must not be of `banned`, "..." must lie in
 * the folder or be `also`. */
static void check_includes(const char *folder, const char *banned, const char *also) {
    static const char *const kinds[] = {".c", ".h"};
    size_t count = 0;
    for (size_t k = 0; k < 2; k++) {
        tree_find(folder, kinds[k]);
        for (size_t i = 0; i < tree_count; i++) {
            char *const text = file_read(tree_files[i], NULL);
            cr_assert(text != NULL);
            for (const char *at = text; (at = strstr(at, "#include")) != NULL; at++) {
                char name[128], path[PATH_SIZE];
                if (sscanf(at, "#include \"%127[^\"]", name) == 1) {
                    path_join(path, folder, name);
                    FILE *const own = fopen(path, "r");
                    cr_expect(own || tree_lists(also, name), "%s includes %s", tree_files[i], name);
                    if (own)
                        fclose(own);
                } else {
                    cr_assert_eq(sscanf(at, "#include <%127[^>]", name), 1, "%s", tree_files[i]);
                    cr_expect(!tree_lists(banned, name), "%s includes %s", tree_files[i], name);
                }
                count++;
            }
            free(text);
        }
    }
    cr_expect(count >= 20, "only %zu includes found in %s", count, folder);
}

Test(structure, runtime_includes_neither_lua_nor_compiler) {
    check_includes("runtime", "lua.h lauxlib.h lualib.h lua.hpp cblas.h openblas/cblas.h", "");
}

/* embedded.h and its like are the compiler's own; of the runtime it sees the public header only. */
Test(structure, compiler_includes_the_public_header_only) {
    check_includes("compiler/host", "cblas.h openblas/cblas.h", "rnnc.h");
}

/* What the linker sees says the same. */
Test(structure, objects_keep_the_rule) {
    const char *const build = getenv("BUILD");
    char archive[PATH_SIZE];
    path_join(archive, build && *build ? build : "build", "librnnc.a");
    const char *const argv[] = {"nm", "-u", archive, NULL};
    outcome o = process_run(argv, NULL, NULL, 30);
    cr_assert_eq(o.code, 0, "%s", o.err);
    cr_expect(!strstr(o.out, " lua_") && !strstr(o.out, " luaL_"), "librnnc.a asks for Lua");
    cr_expect(!strstr(o.out, " exit") && !strstr(o.out, " abort") && !strstr(o.out, " printf") &&
                  !strstr(o.out, " puts"),
              "librnnc.a exits or prints");
    cr_expect(!strstr(o.out, " cblas_"), "librnnc.a is linked with a BLAS");
    outcome_free(&o);
}

/* A kernel is one of the candidates of kernels/kernels.lua, which say of themselves what others
 * have to know: nothing outside kernels/ asks for one by its name. */
Test(structure, no_kernel_is_asked_for_by_name) {
    static const char *const asked[] = {"kernel == \"",      "kernel ~= \"",
                                        "\"kernels.units\"", "\"kernels.batch\"",
                                        "products.units\"",  "products.batch\""};
    static const char *const tops[] = {"compiler", "templates"}, *const kinds[] = {".lua", ".t"};
    size_t inside = 0;
    for (size_t top = 0; top < sizeof tops / sizeof *tops; top++) {
        tree_find(tops[top], kinds[top]);
        for (size_t k = 0; k < tree_count; k++) {
            char *const text = file_read(tree_files[k], NULL);
            cr_assert(text);
            for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
                const bool found = strstr(text, asked[i]) != NULL;
                const bool own = strncmp(tree_files[k], "compiler/kernels/", 17) == 0;
                inside += found && own;
                cr_expect(!found || own, "%s has %s", tree_files[k], asked[i]);
            }
            free(text);
        }
    }
    cr_expect(inside > 0, "the candidates do not name their modules any more");
}

/* A name that no `local` declares is a variable of the whole program, nil as a rule: the compiler
 * of Lua tells which there are, also in lines that hardly ever run. */
Test(structure, scripts_have_no_globals_of_their_own) {
    static const char known[] =
        " assert error getmetatable io ipairs load math next pairs pcall rawget require select "
        "setmetatable string table tonumber tostring type utf8 arg _G ";
    static const char *const argv[] = {
        "sh", "-c",
        "command -v luac5.4 >/dev/null || exit 9\n"
        "for f in compiler/*/*.lua compiler/*/*/*.lua; do luac5.4 -l -p \"$f\" |\n"
        "sed -n \"s,.*TABUP.*_ENV \\\"\\([^\\\"]*\\)\\\".*,\\1 $f,p\"; done | sort -u",
        NULL};
    outcome o = process_run(argv, NULL, NULL, 60);
    if (o.code == 9)
        cr_skip_test("no luac5.4 here");
    cr_assert_eq(o.code, 0, "%s", o.err);
    size_t count = 0;
    for (const char *at = o.out; *at; count++) {
        char name[128], file[256], word[130];
        cr_assert_eq(sscanf(at, "%127s %255s", name, file), 2, "%s", at);
        snprintf(word, sizeof word, " %s ", name);
        cr_expect(strstr(known, word), "%s: %s is not defined", file, name);
        at += strcspn(at, "\n");
        at += *at == '\n';
    }
    cr_expect(count > 100, "only %zu names are looked at", count);
    outcome_free(&o);
}
