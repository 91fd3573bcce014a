/* process.h: running programs and keeping their files out of the tree. */
#ifndef TEST_PROCESS_H
#define TEST_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

/* Limits of time are those of an idle machine. By the wall's clock, for what hangs, they are
 * PATIENCE times as long: this machine may be slow, or have other work. */
enum { PATH_SIZE = 512, PATIENCE = 10 };

/* What a program did: its exit code (128 + number if a signal ended it) and all that it wrote. */
typedef struct outcome {
    int code;
    char *out, *err; /* terminated; freed by outcome_free */
} outcome;

/* Runs argv (found in PATH; NULL at its end) in directory `cwd` (NULL: this one) with `env`
 * ("NAME=value", NULL at its end; or NULL) added to the environment. SIGXCPU ends it, and each
 * program that it starts, after `seconds` of processor time; SIGALRM ends it when it hangs. */
outcome process_run(const char *const argv[], const char *cwd, const char *const env[],
                    unsigned seconds);
void outcome_free(outcome *o);

/* Processor time, in seconds, of all programs that this process started and that have ended. */
double children_seconds(void);

/* With `make coverage` programs write counts at their end, into files that all share: not those
 * that are killed, with this in their environment; and a limit for files would end them there. */
#define NO_COUNTS "GCOV_PREFIX=/dev/null"
bool counts_are_taken(void);

/* Whether the process whose number stands in a file has ended, or does within 20 seconds; false
 * too if there is no such file. */
bool process_gone(const char *path);

/* A new directory under TMPDIR or the system's place for such; aborts if there is none. */
void workdir_make(char path[PATH_SIZE]);

/* Removes it and all that is in it. */
void workdir_remove(const char *path);

/* path = dir/name; aborts when it is too long. */
void path_join(char path[PATH_SIZE], const char *dir, const char *name);

/* All of a file, terminated by a 0 that *size does not count; NULL if it cannot be read. The
 * caller frees it. size may be NULL. */
char *file_read(const char *path, size_t *size);

bool file_write(const char *path, const void *data, size_t size);

#endif
