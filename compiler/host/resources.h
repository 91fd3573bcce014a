/* resources.h: the files that belong to rnnc itself. */
#ifndef RNNC_RESOURCES_H
#define RNNC_RESOURCES_H

#include <stddef.h>

/* The bytes of a file of rnnc by its path in the tree ("compiler/spec/spec.lua"), to be freed by
 * the caller, or NULL if there is none of that name. They come from the executable, or, when the
 * environment variable RNNC_HOME names a directory that has compiler/, templates/ and
 * runtime/rnnc.h, from there. */
char *resource_read(const char *name, size_t *size);

#endif
