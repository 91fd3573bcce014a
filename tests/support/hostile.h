/* hostile.h: files of networks that lie. */
#ifndef TEST_HOSTILE_H
#define TEST_HOSTILE_H

#include "cli.h"

/* The line that `rnnc import` ends in for a file of these bytes, without the file's name; "" if it
 * reads it. One line, whatever is wrong, and no file behind. */
void import_bytes(const char *dir, const char *name, const void *bytes, size_t size,
                  char line[512]);

/* The file `file`, as one of that name, is no network where it is cut off, at about a hundred
 * places, and is one as a whole. */
void expect_truncated(const char *file, const char *name);

#endif
