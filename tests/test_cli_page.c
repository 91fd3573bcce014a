/* The page of `rnnc bench --html`: whole without anything from elsewhere, and well-formed, so that
 * a browser shows what is meant. How it looks is for eyes. */
#define _XOPEN_SOURCE 700
#include "support/cli.h"
#include "support/generate.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char machine[] =
    "--machine=clock_ghz=2 peak_gflops=100 l1_gbs=200 l2_gbs=100 l3_gbs=50 l1_bytes=32768 "
    "l2_bytes=1048576";

enum { DEPTH_MAX = 64, NAME_SIZE = 32 };

static bool is_void(const char *name) {
    return strcmp(name, "meta") == 0 || strcmp(name, "br") == 0;
}

/* Goes over the attributes up to '>': name="value", value without '<', or a bare name. Returns
 * where the tag ends; NULL if it does not end properly. */
static const char *skip_attributes(const char *at) {
    while (*at && *at != '>' && strncmp(at, "/>", 2) != 0) {
        if (isspace((unsigned char)*at)) {
            at++;
            continue;
        }
        const size_t name = strcspn(at, "= \n\"'<>/");
        if (name == 0)
            return NULL;
        at += name;
        if (*at != '=')
            continue;
        if (at[1] != '"')
            return NULL;
        at += 2;
        at += strcspn(at, "\"<");
        if (*at++ != '"')
            return NULL;
    }
    return *at ? at : NULL;
}

/* Every tag is closed in its order, attributes are quoted, and no '<' or '&' stands alone. */
static void check_well_formed(const char *text) {
    char open[DEPTH_MAX][NAME_SIZE];
    size_t depth = 0, tags = 0;
    for (const char *at = text; *at; at++) {
        if (*at == '&') {
            const size_t length = strspn(at + 1, "abcdefghijklmnopqrstuvwxyz");
            cr_assert(length > 0 && at[length + 1] == ';', "a lone &: %.40s", at);
        }
        if (*at != '<')
            continue;
        if (strncmp(at, "<!DOCTYPE html>", 15) == 0) {
            cr_assert_eq(at, text);
            continue;
        }
        const bool closes = at[1] == '/';
        char name[NAME_SIZE];
        cr_assert_eq(sscanf(at + 1 + closes, "%31[a-z0-9]", name), 1, "no tag: %.40s", at);
        const char *const end = skip_attributes(at + 1 + closes + strlen(name));
        cr_assert(end, "no end of the tag: %.60s", at);
        tags++;
        if (closes) {
            cr_assert(depth > 0 && strcmp(open[depth - 1], name) == 0, "</%s> closes %s: %.60s",
                      name, depth ? open[depth - 1] : "nothing", at);
            depth--;
        } else if (!is_void(name) && *end != '/') {
            cr_assert(depth < DEPTH_MAX);
            strcpy(open[depth++], name);
        }
        if (!closes && strcmp(name, "style") == 0) {
            at = strstr(end, "</style>");
            cr_assert_not_null(at);
            at--;
            continue;
        }
        at = end;
    }
    cr_expect_eq(depth, 0u, "%s is not closed", depth ? open[depth - 1] : "");
    cr_expect_gt(tags, 100u);
}

/* Links lead to places in the page, and nothing is fetched or run. */
static void check_self_contained(const char *text) {
    static const char *const none[] = {
        "http:",   "https:", "//",         "src=",    "<script", "url(",
        "@import", "<link",  "javascript", "<iframe", " on"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        const char *const found = strstr(text, none[i]);
        /* " on" is for attributes such as onclick="". */
        if (found && strcmp(none[i], " on") == 0) {
            for (const char *at = found; at; at = strstr(at + 1, " on"))
                cr_expect(at[3 + strspn(at + 3, "abcdefghijklmnopqrstuvwxyz")] != '=', "%.40s", at);
            continue;
        }
        cr_expect(!found, "%s: %.60s", none[i], found);
    }
    size_t links = 0;
    for (const char *at = text; (at = strstr(at, "href=\"")) != NULL; at++, links++) {
        char wanted[32], id[24];
        cr_assert_eq(sscanf(at, "href=\"#%23[a-z0-9]\"", id), 1, "%.40s", at);
        snprintf(wanted, sizeof wanted, " id=\"%s\"", id);
        cr_expect(strstr(text, wanted), "there is no %s", wanted);
    }
    cr_expect_gt(links, 0u);
}

static size_t count_of(const char *text, const char *word) {
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, word)) != NULL; at += strlen(word))
        count++;
    return count;
}

static void write_file(const char *dir, const char *name, const char *text) {
    char path[PATH_SIZE];
    path_join(path, dir, name);
    cr_assert(file_write(path, text, strlen(text)));
}

Test(page, is_whole_and_well_formed, .timeout = 180) {
    char dir[PATH_SIZE], path[PATH_SIZE];
    workdir_make(dir);
    write_file(dir, "a.lua",
               "return rnn { target = \"native\", cell = \"gru\", input_size = 8, hidden_size = "
               "16, num_layers = 2,\n"
               "  seq_len = 20 }\n");
    write_file(dir, "b.lua",
               "return rnn { target = \"native\", cell = \"lstm\", input_size = 3, hidden_size = "
               "5, batch = 20,\n"
               "  seq_len = 3, bidirectional = true }\n");
    write_file(
        dir, "c.lua",
        "return model { target = \"native\", layers = { embedding { num_embeddings = 9, dim = 4, "
        "prefix = \"e.\" },\n"
        "  rnn { hidden_size = 6 }, dense { units = 7, activation = \"softmax\" } }, seq_len = 4 "
        "}\n");
    const char *const argv[] = {rnnc_path(), "bench", "--seconds=0.01", machine, "--html=page.html",
                                "a.lua",     "b.lua", "c.lua",          NULL};
    outcome result = process_run(argv, dir, NULL, 150);
    cr_assert_eq(result.code, 0, "%s", result.err);
    cr_expect_str_eq(result.err, "page.html is written\n");
    path_join(path, dir, "page.html");
    char *const text = file_read(path, NULL);
    cr_assert_not_null(text);
    check_well_formed(text);
    check_self_contained(text);
    cr_expect(strstr(text, "prefers-color-scheme: dark"));
    cr_expect(strstr(text, "<svg "));
    /* What the figures came from. */
    static const char *const origin[] = {
        "rnnc " RNNC_VERSION "; ", "-std=c11 -O2 -fPIC -shared</code>",
        "rnnc bench --html=page.html --machine=&quot;clock_ghz=2 peak_gflops=100 ",
        "--seconds=0.01 a.lua b.lua c.lua</code>"};
    for (size_t i = 0; i < sizeof origin / sizeof *origin; i++)
        cr_expect(strstr(text, origin[i]), "there is no %s", origin[i]);
    cr_expect_eq(count_of(text, "<details "), 3u);
    cr_expect_eq(count_of(text, "<article "), 3u);
    cr_expect_eq(count_of(text, "class=\"bar own\""), 3u);
    /* A plan beside each, with its reasons; parts of a step for each, in three pieces. */
    cr_expect_eq(count_of(text, "&lt;- chosen"), 3u);
    cr_expect_eq(count_of(text, "class=\"parts\""), 3u);
    cr_expect_eq(count_of(text, "<b class=\"activation\""), 3u);
    cr_expect(count_of(text, "<circle ") >= 5u);
    /* Numbers that are none would stand there as such. */
    cr_expect(!strstr(text, "nan") && !strstr(text, "inf%"));
    free(text);
    outcome_free(&result);

    const char *const to_stdout[] = {rnnc_path(), "bench", "--seconds=0.01", machine, "--html=-",
                                     "b.lua",     NULL};
    result = process_run(to_stdout, dir, NULL, 100);
    cr_assert_eq(result.code, 0, "%s", result.err);
    cr_expect_str_eq(result.err, "");
    check_well_formed(result.out);
    check_self_contained(result.out);
    outcome_free(&result);
    workdir_remove(dir);
}
