#define _XOPEN_SOURCE 700
#include "process.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* All that a stream holds, terminated. */
static char *read_all(FILE *file, size_t *size) {
    size_t used = 0, room = 4096;
    char *text = malloc(room);
    rewind(file);
    while (text) {
        used += fread(text + used, 1, room - 1 - used, file);
        if (used < room - 1)
            break;
        char *const more = realloc(text, room *= 2);
        if (!more)
            free(text);
        text = more;
    }
    if (!text)
        abort();
    text[used] = '\0';
    if (size)
        *size = used;
    return text;
}

static void child(const char *const argv[], const char *cwd, const char *const env[],
                  unsigned seconds, int out, int err) {
    if (dup2(out, STDOUT_FILENO) < 0 || dup2(err, STDERR_FILENO) < 0 || (cwd && chdir(cwd)))
        _exit(127);
    for (size_t i = 0; env && env[i]; i++) {
        /* Only duplicates may be given to putenv, which keeps them. */
        char *const copy = strdup(env[i]);
        if (!copy || putenv(copy))
            _exit(127);
    }
    struct rlimit limit;
    if (getrlimit(RLIMIT_CPU, &limit))
        _exit(127);
    limit.rlim_cur = limit.rlim_max < seconds ? limit.rlim_max : seconds;
    if (setrlimit(RLIMIT_CPU, &limit))
        _exit(127);
    alarm(seconds * PATIENCE); /* both survive exec */
    execvp(argv[0], (char *const *)argv);
    fprintf(stderr, "cannot run %s\n", argv[0]);
    fflush(stderr);
    _exit(127);
}

outcome process_run(const char *const argv[], const char *cwd, const char *const env[],
                    unsigned seconds) {
    FILE *const out = tmpfile(), *const err = tmpfile();
    if (!out || !err)
        abort();
    const pid_t pid = fork();
    if (pid < 0)
        abort();
    if (pid == 0)
        child(argv, cwd, env, seconds, fileno(out), fileno(err));
    int status = 0;
    if (waitpid(pid, &status, 0) != pid)
        abort();
    outcome o = {.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
                 .out = read_all(out, NULL),
                 .err = read_all(err, NULL)};
    fclose(out);
    fclose(err);
    return o;
}

double children_seconds(void) {
    struct rusage usage;
    if (getrusage(RUSAGE_CHILDREN, &usage))
        abort();
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

void outcome_free(outcome *o) {
    free(o->out);
    free(o->err);
    *o = (outcome){0};
}

/* Directories that were made and not yet removed: a failed assertion leaves a test early, and what
 * it made goes when its process ends. */
enum { MOST_WORKDIRS = 16 };
static char left_over[MOST_WORKDIRS][PATH_SIZE];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *place) {
    (void)st;
    (void)type;
    (void)place;
    return remove(path);
}

void workdir_remove(const char *path) {
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    for (size_t i = 0; i < MOST_WORKDIRS; i++)
        if (left_over[i] != path && strcmp(left_over[i], path) == 0)
            left_over[i][0] = '\0';
}

static void remove_left_over(void) {
    for (size_t i = 0; i < MOST_WORKDIRS; i++)
        if (left_over[i][0])
            workdir_remove(left_over[i]);
}

static void remember(const char *path) {
    static bool registered;
    if (!registered)
        registered = atexit(remove_left_over) == 0;
    for (size_t i = 0; i < MOST_WORKDIRS; i++) {
        if (!left_over[i][0]) {
            snprintf(left_over[i], PATH_SIZE, "%s", path);
            return;
        }
    }
}

bool process_gone(const char *path) {
    char stat_path[64];
    char *const number = file_read(path, NULL);
    if (!number)
        return false;
    snprintf(stat_path, sizeof stat_path, "/proc/%ld/stat", strtol(number, NULL, 10));
    free(number);
    for (int i = 0; i < 200 * PATIENCE; i++) {
        /* "12 (name) S ...": a zombie has ended, though nobody has asked how. */
        char *const stat = file_read(stat_path, NULL);
        const char *const behind = stat ? strrchr(stat, ')') : NULL;
        const bool gone = !behind || strncmp(behind, ") Z", 3) == 0;
        free(stat);
        if (gone)
            return true;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    return false;
}

bool counts_are_taken(void) {
    const char *const flags = getenv("SANITIZE");
    return flags && strstr(flags, "--coverage");
}

void workdir_make(char path[PATH_SIZE]) {
    const char *const base = getenv("TMPDIR");
    path_join(path, base && *base ? base : P_tmpdir, "rnnc-test-XXXXXX");
    if (!mkdtemp(path))
        abort();
    remember(path);
}

void path_join(char path[PATH_SIZE], const char *dir, const char *name) {
    const int n = snprintf(path, PATH_SIZE, "%s/%s", dir, name);
    if (n < 0 || n >= PATH_SIZE)
        abort();
}

char *file_read(const char *path, size_t *size) {
    FILE *const file = fopen(path, "rb");
    if (!file)
        return NULL;
    char *const text = read_all(file, size);
    fclose(file);
    return text;
}

bool file_write(const char *path, const void *data, size_t size) {
    FILE *const file = fopen(path, "wb");
    if (!file)
        return false;
    const bool wrote = fwrite(data, 1, size, file) == size;
    return fclose(file) == 0 && wrote;
}
