/* The text of all sources: how long lines and files are, and how much of a template is Lua. */
#define _XOPEN_SOURCE 700
#include "support/process.h"
#include "support/tree.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Those of luacheck, which is not there when the suite runs; clang-format breaks those of C. */
Test(structure, lines_of_lua_fit) {
    enum { MOST = 120 };
    static const char *const tops[] = {"compiler", "tests", "examples"};
    for (size_t i = 0; i < sizeof tops / sizeof *tops; i++) {
        tree_find(tops[i], ".lua");
        for (size_t k = 0; k < tree_count; k++) {
            char *const text = file_read(tree_files[k], NULL);
            size_t number = 1;
            cr_assert(text);
            for (const char *at = text; *at; number++) {
                const size_t length = strcspn(at, "\n");
                cr_expect(length <= MOST, "%s:%zu: %zu columns, not %d", tree_files[k], number,
                          length, MOST);
                at += length + (at[length] == '\n');
            }
            free(text);
        }
    }
}

/* Templates that are more Lua than C, until what they decide is data. */
static const char much_lua[] = "page_roofline.svg.t transpose.c.t";

/* Templates with lines that do not fit. */
static const char wide[] = "page_roofline.svg.t page.html.t header.h.t page.css.t";

/* Templates are text first: at most 40 % of their lines are Lua, and all of them fit. Names of
 * exceptions that are none any more have to go. */
Test(structure, templates_are_text_first) {
    enum { MOST_LUA = 40, MOST = 120 };
    tree_find("templates", ".t");
    for (size_t k = 0; k < tree_count; k++) {
        const char *const name = strrchr(tree_files[k], '/') + 1;
        char *const text = file_read(tree_files[k], NULL);
        size_t lines = 0, lua = 0, widest = 0;
        cr_assert(text);
        for (const char *at = text; *at; lines++) {
            const size_t length = strcspn(at, "\n"), blank = strspn(at, " ");
            lua += at[blank] == '@' && at[blank + 1] != '{';
            widest = length > widest ? length : widest;
            at += length + (at[length] == '\n');
        }
        cr_expect((lua * 100 > lines * MOST_LUA) == tree_lists(much_lua, name),
                  "%s: %zu of %zu lines are Lua", tree_files[k], lua, lines);
        cr_expect((widest > MOST) == tree_lists(wide, name), "%s: a line of %zu columns",
                  tree_files[k], widest);
        free(text);
    }
}

/* Files, or all that begin so, that are longer than a sitting, and why they are. */
static const struct {
    const char *path, *reason;
} long_files[] = {
    {"runtime/rnnc.h", "users copy and include one header; half of it is its reference"},
    {"tests/mutants/", "lists of rows"},
};

Test(structure, files_are_of_one_sitting) {
    enum { MOST_LINES = 400, LONG = sizeof long_files / sizeof *long_files };
    static const char *const tops[] = {"compiler", "runtime", "templates", "tests", "examples"};
    static const char *const kinds[] = {".c", ".h", ".lua", ".t"};
    bool met[LONG] = {false};
    for (size_t top = 0; top < 5; top++) {
        for (size_t kind = 0; kind < 4; kind++) {
            tree_look(tops[top], kinds[kind]);
            for (size_t k = 0; k < tree_count; k++) {
                char *const text = file_read(tree_files[k], NULL);
                size_t lines = 0, exception = 0;
                cr_assert(text);
                for (const char *at = text; *at; at++)
                    lines += *at == '\n';
                while (exception < LONG && strncmp(long_files[exception].path, tree_files[k],
                                                   strlen(long_files[exception].path)) != 0)
                    exception++;
                if (exception < LONG)
                    met[exception] = met[exception] || lines > MOST_LINES;
                else
                    cr_expect(lines <= MOST_LINES, "%s: %zu lines", tree_files[k], lines);
                free(text);
            }
        }
    }
    for (size_t i = 0; i < LONG; i++)
        cr_expect(met[i], "%s is no longer long (%s)", long_files[i].path, long_files[i].reason);
}

/* Words that this project once made up, and the field's terms that took their places: one thing has
 * one name. `apart` as an adverb is English, as the name of a field or a value it is not. */
static const struct {
    const char *old, *term;
} replaced[] = {
    {"handover", "latency between cores"}, {".apart", "separate (gates)"},
    {"->apart", "separate (gates)"},       {" apart =", "separate (gates)"},
    {"_apart(", "separate, disjoint"},     {"local problem,", "message, reason"},
};

Test(structure, names_are_the_terms_of_the_field) {
    enum { REPLACED = sizeof replaced / sizeof *replaced };
    static const char *const tops[] = {"compiler", "runtime", "templates"};
    static const char *const kinds[] = {".c", ".h", ".lua", ".t", ".md"};
    for (size_t top = 0; top < sizeof tops / sizeof *tops; top++) {
        for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
            tree_look(tops[top], kinds[kind]);
            for (size_t k = 0; k < tree_count; k++) {
                char *const text = file_read(tree_files[k], NULL);
                cr_assert(text);
                for (size_t i = 0; i < REPLACED; i++)
                    cr_expect(!strstr(text, replaced[i].old), "%s: \"%s\"; the term is %s",
                              tree_files[k], replaced[i].old, replaced[i].term);
                free(text);
            }
        }
    }
}

/* Of layer kinds there is no table yet: their names are compared in that many places of compiler/
 * and templates/. The figure may fall and may not rise. */
enum { KINDS_COMPARED = 106 };

static size_t occurrences(const char *text, const char *before, const char *name) {
    char what[64];
    size_t count = 0;
    snprintf(what, sizeof what, "%s \"%s\"", before, name);
    for (const char *at = text; (at = strstr(at, what)); at++)
        count++;
    return count;
}

/* What an activation is stands in its row of tables/activations.lua. "none" is the row of no
 * function, and a spec says which of a plain cell's two it has. */
Test(structure, no_activation_is_asked_for_by_name) {
    static const char *const names[] = {
        "tanh",       "relu",     "sigmoid", "softmax",   "log_softmax", "elu",
        "leaky_relu", "softplus", "gelu",    "gelu_tanh", "silu",        "hard_sigmoid",
        "hard_tanh",  "softsign", "selu",    "relu6",     "hard_swish",  "mish",
        "affine",     "prelu",    "scale",   "shift",
    };
    static const char *const kinds[] = {"stack", "dense", "embedding", "rnn", "flatten", "merge"};
    static const char *const asked[] = {"activation ==", "activation ~=", "softmax =="};
    static const char *const compared[] = {"kind ==", "kind ~=", "layer ==", "layer ~="};
    static const char *const tops[] = {"compiler", "templates"}, *const endings[] = {".lua", ".t"};
    size_t places = 0;
    for (size_t top = 0; top < 2; top++) {
        tree_find(tops[top], endings[top]);
        for (size_t k = 0; k < tree_count; k++) {
            char *const text = file_read(tree_files[k], NULL);
            cr_assert(text);
            /* Importers know the names of files, and what they were made of. */
            const bool foreign = strncmp(tree_files[k], "compiler/import/", 16) == 0;
            for (size_t i = 0; !foreign && i < sizeof names / sizeof *names; i++)
                for (size_t w = 0; w < sizeof asked / sizeof *asked; w++)
                    cr_expect(occurrences(text, asked[w], names[i]) == 0, "%s: %s \"%s\"",
                              tree_files[k], asked[w], names[i]);
            for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
                for (size_t w = 0; w < sizeof compared / sizeof *compared; w++)
                    places += occurrences(text, compared[w], kinds[i]);
            free(text);
        }
    }
    cr_expect(places <= KINDS_COMPARED, "layer kinds are compared in %zu places", places);
}
