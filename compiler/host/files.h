/* files.h: reading a file, and writing a set of files as one. */
#ifndef RNNC_FILES_H
#define RNNC_FILES_H

#include <stddef.h>

enum { FILES_MESSAGE = 512 }; /* bytes of a message, its terminator included */

/* All of a regular file, with a terminator that *size does not count; the caller frees it. NULL
 * with a message without the path if it cannot be read, has more than `max` bytes, or is no regular
 * file: directories, pipes and devices are refused without waiting for them. */
char *files_read(const char *path, size_t max, size_t *size, char message[FILES_MESSAGE]);

typedef struct output_file {
    const char *name; /* within the directory; no '/' */
    const char *data;
    size_t size;
    int changed; /* set: 1 if it was written, 0 if it had that content already */
} output_file;

/* Makes `files` the content of `directory`, which is made with its parents if it is not there.
 * Other files in it are left alone. A file that has the wanted content already is not touched, so
 * that its time stays and nothing is built again. All are written beside their places first and
 * renamed then; on failure (-1, with a message that names the path) what was there is there again
 * and nothing else. A symbolic link in a file's place is replaced, never followed. */
int files_write(const char *directory, size_t count, output_file *files,
                char message[FILES_MESSAGE]);

/* Removes a directory and all in it, without following links. Errors are ignored: it is for
 * temporary directories, at the end. */
void files_remove_tree(const char *directory);

/* A new directory under TMPDIR (or /tmp), its path to be freed by the caller; NULL with a message.
 */
char *files_temporary(char message[FILES_MESSAGE]);

#endif
