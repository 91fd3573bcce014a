#define _GNU_SOURCE /* O_TMPFILE */
#include "files.h"
#include "leftovers.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One file on its way into place. Paths are NULL as long as there is nothing by that name. */
typedef struct move {
    char *place;     /* where it belongs */
    char *temporary; /* the new content, beside it */
    int fd;          /* of new content that has no name yet, or -1 */
    int named;       /* it has got its temporary name */
    char *saved;     /* what was in its place, while the others are still to be renamed */
    int done;        /* the new content is in its place */
} move;

static int fail(char message[FILES_MESSAGE], const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(message, FILES_MESSAGE, format, args);
    va_end(args);
    return -1;
}

/* Allocated "directory/before name after". */
static char *path_of(const char *directory, const char *before, const char *name,
                     const char *after) {
    const size_t length = strlen(directory) + 1 + strlen(before) + strlen(name) + strlen(after) + 1;
    char *const path = malloc(length);
    if (path)
        snprintf(path, length, "%s/%s%s%s", directory, before, name, after);
    return path;
}

/* mkdir -p. *made is the length of the first prefix of `path` that was not there before, 0 if all
 * of it was; remove_directories takes away what lies behind it. */
static int make_directories(char *path, size_t *made, char message[FILES_MESSAGE]) {
    *made = 0;
    for (char *end = path; *end;) {
        end += strspn(end, "/");
        end += strcspn(end, "/");
        const char after = *end;
        *end = '\0';
        struct stat info;
        int status = 0;
        if (mkdir(path, 0777) == 0)
            *made = *made ? *made : (size_t)(end - path);
        else if (stat(path, &info) != 0)
            status = fail(message, "%s: cannot be made: %s", path, strerror(errno));
        else if (!S_ISDIR(info.st_mode))
            status = fail(message, "%s: is there, but is not a directory", path);
        *end = after;
        if (status != 0)
            return status;
    }
    return 0;
}

static void remove_directories(char *path, size_t made) {
    for (size_t length = strlen(path); made != 0 && length >= made; length--) {
        if (path[length] != '/' && path[length] != '\0')
            continue;
        path[length] = '\0';
        rmdir(path);
    }
}

/* 1 if the file has that content already. A link is not looked through: it will be replaced. */
static int same_content(const char *place, const output_file *file) {
    struct stat info;
    if (lstat(place, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size < 0 ||
        (size_t)info.st_size != file->size)
        return 0;
    char message[FILES_MESSAGE];
    size_t size;
    char *const data = files_read(place, file->size, &size, message);
    const int same = data && size == file->size && memcmp(data, file->data, size) == 0;
    free(data);
    return same;
}

static int write_all(int fd, const char *data, size_t size) {
    while (size != 0) {
        const ssize_t put = write(fd, data, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        data += put;
        size -= (size_t)put;
    }
    return 0;
}

/* The mode of the file that is replaced, or that of any new file. */
static mode_t mode_for(const char *place) {
    struct stat info;
    if (lstat(place, &info) == 0 && S_ISREG(info.st_mode))
        return info.st_mode & 0777;
    const mode_t mask = umask(0);
    umask(mask);
    return 0666 & ~mask;
}

/* Writes the new content beside its place. */
static int prepare(const char *directory, const output_file *file, move *m,
                   char message[FILES_MESSAGE]) {
    struct stat info;
    m->place = path_of(directory, "", file->name, "");
    if (!m->place)
        return fail(message, "not enough memory");
    if (same_content(m->place, file))
        return 0;
    if (lstat(m->place, &info) == 0 && S_ISDIR(info.st_mode))
        return fail(message, "%s: is a directory; move it away", m->place);
    char *const temporary = path_of(directory, ".", file->name, LEFTOVER_MARK "XXXXXX");
    if (!temporary)
        return fail(message, "not enough memory");
    /* A file without a name is gone when rnnc is killed. Not every file system has them, and they
     * get their name by way of /proc. */
    int fd = access("/proc/self/fd", X_OK) == 0
                 ? open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600)
                 : -1;
    const int nameless = fd >= 0;
    if (!nameless)
        fd = mkstemp(temporary);
    if (fd < 0) {
        fail(message, "%s: cannot be written: %s", m->place, strerror(errno));
        free(temporary);
        return -1;
    }
    m->temporary = temporary;
    const int written =
        write_all(fd, file->data, file->size) == 0 && fchmod(fd, mode_for(m->place)) == 0;
    const int reason = errno;
    if (written && nameless) {
        m->fd = fd;
        return 0;
    }
    if (close(fd) == 0 && written)
        return 0;
    return fail(message, "%s: cannot be written: %s", m->place, strerror(written ? errno : reason));
}

/* Gives new content without a name its temporary one, which is to be nobody's. */
static int give_name(move *m) {
    char source[64];
    snprintf(source, sizeof source, "/proc/self/fd/%d", m->fd);
    char *const end = m->temporary + strlen(m->temporary) - 6;
    for (unsigned k = 0; k < 1000; k++) {
        snprintf(end, 7, "%06u", ((unsigned)getpid() * 1000u + k) % 1000000u);
        if (linkat(AT_FDCWD, source, AT_FDCWD, m->temporary, AT_SYMLINK_FOLLOW) == 0) {
            m->named = 1;
            return 0;
        }
        if (errno != EEXIST)
            break;
    }
    return -1;
}

/* Gives the old content a second name and the new one its place. */
static int replace(move *m, char message[FILES_MESSAGE]) {
    if (m->fd >= 0 && give_name(m) != 0)
        return fail(message, "%s: cannot be written: %s", m->place, strerror(errno));
    /* mkstemp made the temporary name unique, so that this one is nobody's either. */
    char *const saved = path_of(m->temporary, "", "", "");
    if (!saved)
        return fail(message, "not enough memory");
    saved[strlen(m->temporary)] = '~';
    /* A link leaves no moment without the file; some file systems have no links. */
    if (link(m->place, saved) == 0 || (errno != ENOENT && rename(m->place, saved) == 0)) {
        m->saved = saved;
    } else {
        const int reason = errno;
        free(saved);
        if (reason != ENOENT)
            return fail(message, "%s: cannot be replaced: %s", m->place, strerror(reason));
    }
    if (rename(m->temporary, m->place) != 0)
        return fail(message, "%s: cannot be written: %s", m->place, strerror(errno));
    m->done = 1;
    return 0;
}

/* After success drops the old contents, after a failure puts them back; frees everything. */
static void finish(move *m, int success) {
    /* Where both names are still of one file, rename does nothing, and the second one goes. */
    if (m->saved && (success || rename(m->saved, m->place) == 0))
        unlink(m->saved);
    else if (m->done && !success)
        unlink(m->place);
    if (m->temporary && !m->done && (m->fd < 0 || m->named))
        unlink(m->temporary);
    if (m->fd >= 0)
        close(m->fd);
    free(m->place);
    free(m->temporary);
    free(m->saved);
}

static int write_set(char *directory, size_t count, output_file *files, move *moves,
                     char message[FILES_MESSAGE]) {
    size_t made;
    const char **const names = calloc(count + 1, sizeof *names);
    if (!names)
        return fail(message, "not enough memory");
    int status = make_directories(directory, &made, message);
    for (size_t i = 0; i < count; i++)
        names[i] = files[i].name;
    const int writing = status == 0 ? leftovers_begin(directory, count, names) : -1;
    free(names);
    for (size_t i = 0; i < count; i++)
        moves[i].fd = -1;
    for (size_t i = 0; i < count && status == 0; i++) {
        status = prepare(directory, &files[i], &moves[i], message);
        files[i].changed = moves[i].temporary != NULL;
    }
    for (size_t i = 0; i < count && status == 0; i++)
        if (moves[i].temporary)
            status = replace(&moves[i], message);
    for (size_t i = 0; i < count; i++)
        finish(&moves[i], status == 0);
    if (writing >= 0)
        close(writing);
    if (status != 0)
        remove_directories(directory, made);
    return status;
}

int files_write(const char *directory, size_t count, output_file *files,
                char message[FILES_MESSAGE]) {
    char *const path = path_of(directory, "", "", "");
    move *const moves = calloc(count ? count : 1, sizeof *moves);
    int status = -1;
    if (!path || !moves) {
        fail(message, "not enough memory");
    } else {
        path[strlen(directory)] = '\0';
        /* An interrupt waits until the set is complete. */
        sigset_t interrupts, before;
        sigemptyset(&interrupts);
        sigaddset(&interrupts, SIGINT);
        sigaddset(&interrupts, SIGTERM);
        sigaddset(&interrupts, SIGHUP);
        sigprocmask(SIG_BLOCK, &interrupts, &before);
        /* A file that grows beyond a limit is an error of write, not the end. */
        void (*const too_large)(int) = signal(SIGXFSZ, SIG_IGN);
        status = write_set(path, count, files, moves, message);
        signal(SIGXFSZ, too_large);
        sigprocmask(SIG_SETMASK, &before, NULL);
    }
    free(moves);
    free(path);
    return status;
}
