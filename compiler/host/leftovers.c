#define _GNU_SOURCE
#include "leftovers.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Is that ".NAME.rnnc-XXXXXX", or the same and "~"? */
static int is_on_its_way(const char *entry, const char *name) {
    const size_t length = strlen(name), mark = strlen(LEFTOVER_MARK);
    if (entry[0] != '.' || strncmp(entry + 1, name, length) != 0 ||
        strncmp(entry + 1 + length, LEFTOVER_MARK, mark) != 0)
        return 0;
    const char *const rest = entry + 1 + length + mark;
    return strlen(rest) == 6 || (strlen(rest) == 7 && rest[6] == '~');
}

static void remove_leftovers(int fd, unsigned long count, const char *const names[]) {
    const int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *const list = copy >= 0 ? fdopendir(copy) : NULL;
    if (!list) {
        if (copy >= 0)
            close(copy);
        return;
    }
    for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
        struct stat info;
        for (unsigned long i = 0; i < count; i++)
            if (is_on_its_way(entry->d_name, names[i]) &&
                fstatat(fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
                !S_ISDIR(info.st_mode))
                unlinkat(fd, entry->d_name, 0);
    }
    closedir(list);
}

int leftovers_begin(const char *directory, unsigned long count, const char *const names[]) {
    const int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    /* Writers share a lock of the directory, which ends with them; who has it alone is alone. */
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        remove_leftovers(fd, count, names);
    if (flock(fd, LOCK_SH) == 0)
        return fd;
    close(fd);
    return -1;
}
