#include "resources.h"

#include "embedded.h"
#include "files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No file of rnnc comes near; a larger one under RNNC_HOME is some other file. */
enum { RESOURCE_MAX = 16 << 20 };

static int compare(const void *name, const void *file) {
    return strcmp(name, ((const embedded_file *)file)->name);
}

static char *read_embedded(const char *name, size_t *size) {
    const embedded_file *const file =
        bsearch(name, embedded_files, embedded_count, sizeof *embedded_files, compare);
    if (!file)
        return NULL;
    char *const copy = malloc(file->size + 1);
    if (!copy)
        return NULL;
    memcpy(copy, file->data, file->size);
    copy[file->size] = '\0';
    *size = file->size;
    return copy;
}

char *resource_read(const char *name, size_t *size) {
    const char *const home = getenv("RNNC_HOME");
    if (!home || !*home)
        return read_embedded(name, size);
    const size_t length = strlen(home) + strlen(name) + 2;
    char *const path = malloc(length);
    if (!path)
        return NULL;
    snprintf(path, length, "%s/%s", home, name);
    char message[FILES_MESSAGE];
    char *const text = files_read(path, RESOURCE_MAX, size, message);
    free(path);
    return text;
}
