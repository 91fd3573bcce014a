/* tree.h: the files of the project, for tests that read sources. */
#ifndef TEST_TREE_H
#define TEST_TREE_H

#include "process.h"
#include <stdbool.h>
#include <stddef.h>

enum { TREE_MOST = 512 };

/* What the last search found. */
extern char tree_files[TREE_MOST][PATH_SIZE];
extern size_t tree_count;

/* The files below the folder `top` whose names end in `suffix`: one at least; or none, too. */
void tree_find(const char *top, const char *suffix);
void tree_look(const char *top, const char *suffix);

/* Is `word` one of the words of `list`, which have a space between them? */
bool tree_lists(const char *list, const char *word);

#endif
