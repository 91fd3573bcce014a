#define _XOPEN_SOURCE 700
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void say(char message[FILES_MESSAGE], const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(message, FILES_MESSAGE, format, args);
    va_end(args);
}

static const char *kind(mode_t mode) {
    return S_ISDIR(mode)    ? "a directory"
           : S_ISFIFO(mode) ? "a pipe"
           : S_ISSOCK(mode) ? "a socket"
                            : "a device";
}

/* Reads what `fd` has, at most max bytes. */
static char *read_all(int fd, size_t max, size_t *size, char message[FILES_MESSAGE]) {
    size_t room = 4096, used = 0;
    char *data = malloc(room);
    while (data) {
        const ssize_t got = read(fd, data + used, room - 1 - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            say(message, "cannot be read: %s", strerror(errno));
            break;
        }
        used += (size_t)got;
        if (used > max) {
            say(message, "has more than %zu bytes", max);
            break;
        }
        if (got == 0) {
            data[used] = '\0';
            *size = used;
            return data;
        }
        if (used == room - 1) {
            char *const larger = realloc(data, room *= 2);
            if (!larger)
                break;
            data = larger;
        }
    }
    if (!message[0])
        say(message, "does not fit in memory");
    free(data);
    return NULL;
}

char *files_read(const char *path, size_t max, size_t *size, char message[FILES_MESSAGE]) {
    message[0] = '\0';
    /* O_NONBLOCK: opening a pipe that nobody writes to would wait for ever. */
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    struct stat info;
    if (fd < 0 || fstat(fd, &info) != 0) {
        say(message, "cannot be opened: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    char *data = NULL;
    if (!S_ISREG(info.st_mode))
        say(message, "is %s, not a file", kind(info.st_mode));
    else if (info.st_size > 0 && (unsigned long long)info.st_size > max)
        say(message, "has more than %zu bytes", max);
    else
        data = read_all(fd, max, size, message);
    close(fd);
    return data;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk) {
    (void)info, (void)type, (void)walk;
    remove(path);
    return 0;
}

void files_remove_tree(const char *directory) {
    nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

char *files_temporary(char message[FILES_MESSAGE]) {
    const char *const tmpdir = getenv("TMPDIR");
    const char *const parent = tmpdir && *tmpdir ? tmpdir : "/tmp";
    const size_t length = strlen(parent) + sizeof "/rnnc-XXXXXX";
    char *const path = malloc(length);
    if (!path) {
        say(message, "not enough memory");
        return NULL;
    }
    snprintf(path, length, "%s/rnnc-XXXXXX", parent);
    if (mkdtemp(path))
        return path;
    say(message, "no temporary directory can be made in %s: %s; set TMPDIR to another place",
        parent, strerror(errno));
    free(path);
    return NULL;
}
