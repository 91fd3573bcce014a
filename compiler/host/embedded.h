/* embedded.h: the scripts, templates and rnnc.h inside the executable; build/embedded.c, which
 * embed.lua writes, defines them. */
#ifndef RNNC_EMBEDDED_H
#define RNNC_EMBEDDED_H

#include <stddef.h>

typedef struct embedded_file {
    const char *name; /* path in the tree: "compiler/spec/spec.lua" */
    const char *data; /* not terminated */
    size_t size;
} embedded_file;

extern const embedded_file embedded_files[]; /* sorted by name */
extern const size_t embedded_count;

#endif
