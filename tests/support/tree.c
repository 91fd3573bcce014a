#define _XOPEN_SOURCE 700
#include "tree.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>

char tree_files[TREE_MOST][PATH_SIZE];
size_t tree_count;
static const char *wanted_suffix;

static bool ends_in(const char *text, const char *suffix) {
    const size_t n = strlen(text), m = strlen(suffix);
    return n >= m && strcmp(text + n - m, suffix) == 0;
}

static int collect(const char *path, const struct stat *st, int type, struct FTW *place) {
    (void)st;
    (void)place;
    if (type == FTW_F && ends_in(path, wanted_suffix) && tree_count < TREE_MOST)
        snprintf(tree_files[tree_count++], PATH_SIZE, "%s", path);
    return 0;
}

void tree_look(const char *top, const char *suffix) {
    tree_count = 0;
    wanted_suffix = suffix;
    nftw(top, collect, 16, FTW_PHYS);
    cr_assert(tree_count < TREE_MOST, "too many files %s in %s", suffix, top);
}

void tree_find(const char *top, const char *suffix) {
    tree_look(top, suffix);
    cr_assert(tree_count > 0, "no file %s in %s", suffix, top);
}

bool tree_lists(const char *list, const char *word) {
    const size_t n = strlen(word);
    for (const char *at = list; (at = strstr(at, word)) != NULL; at += n)
        if ((at == list || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
            return true;
    return false;
}
