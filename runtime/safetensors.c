/* safetensors.c: opens safetensors files and hands out their tensors. */
#include "safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SETTLED_NS = 20000000 };

#define CHANGED "was written to while it was read; read it when it is complete"

/* What tells the kind of a file is within so many bytes. */
enum { KIND_BYTES = 1024 };

/* Reads up to byte `end` of a file of which `*used` bytes are there already. A file that is mapped
 * would end the process by SIGBUS when somebody makes it shorter, and change under its reader. */
static rnnc_status read_to(int fd, rnnc_safetensors *file, size_t *used, size_t end,
                           rnnc_error *error) {
    while (*used < end) {
        const ssize_t got = read(fd, file->owned + *used, end - *used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return rnnc_fail(error, RNNC_ERR_FILE, "%s: cannot read: %s", file->name,
                             strerror(errno));
        if (got == 0)
            return rnnc_fail(error, RNNC_ERR_FILE, "%s: " CHANGED, file->name);
        *used += (size_t)got;
    }
    return RNNC_OK;
}

/* Was the file written to between these two looks at it? */
static int changed(const struct stat *before, const struct stat *after) {
    return before->st_size != after->st_size || before->st_mtim.tv_sec != after->st_mtim.tv_sec ||
           before->st_mtim.tv_nsec != after->st_mtim.tv_nsec ||
           before->st_ctim.tv_sec != after->st_ctim.tv_sec ||
           before->st_ctim.tv_nsec != after->st_ctim.tv_nsec;
}

/* The bytes up to the end of the header, or the beginning alone if its length is refused anyway; in
 * any case as many as rnnc_file_kind looks at. */
static size_t header_end(const rnnc_safetensors *file) {
    uint64_t length;
    memcpy(&length, file->owned, sizeof length);
    const int fine = length <= RNNC_HEADER_LIMIT && length <= file->size - sizeof length;
    const size_t end = sizeof length + (fine ? (size_t)length : 0);
    const size_t least = file->size < KIND_BYTES ? file->size : KIND_BYTES;
    return end > least ? end : least;
}

/* Looks at the file when it was not written to for SETTLED_NS: clocks of files tick every few
 * milliseconds, so that two writes within a tick look like one. 0 if it is being written to all the
 * time, or cannot be looked at. */
static int look_when_settled(int fd, struct stat *info) {
    for (int tries = 0; tries < 50; tries++) {
        struct timespec now;
        if (fstat(fd, info) != 0 || clock_gettime(CLOCK_REALTIME, &now) != 0)
            return 0;
        const double age = (double)(now.tv_sec - info->st_mtim.tv_sec) * 1e9 +
                           (double)(now.tv_nsec - info->st_mtim.tv_nsec);
        if (!(age >= 0 && age < SETTLED_NS))
            return 1;
        nanosleep(&(struct timespec){.tv_nsec = SETTLED_NS}, NULL);
    }
    return 0;
}

/* Reads the file of that state: its header first, so that what is no such file is refused soon. */
static rnnc_status read_file(int fd, const struct stat *info, rnnc_safetensors *file,
                             rnnc_error *error) {
    struct stat after;
    size_t used = 0;
    file->size = (size_t)info->st_size;
    if (file->size > 0) {
        file->data = file->owned = malloc(file->size);
        if (!file->owned)
            return rnnc_fail(error, RNNC_ERR_MEMORY, "%s: out of memory", file->name);
        const size_t first = file->size < sizeof(uint64_t) ? file->size : sizeof(uint64_t);
        rnnc_status status = read_to(fd, file, &used, first, error);
        if (status == RNNC_OK)
            status = read_to(fd, file, &used, first < sizeof(uint64_t) ? first : header_end(file),
                             error);
        if (status != RNNC_OK)
            return status;
    }
    rnnc_status status = rnnc_safetensors_parse(file, error);
    if (status == RNNC_OK)
        status = read_to(fd, file, &used, file->size, error);
    if (status == RNNC_OK && (fstat(fd, &after) != 0 || changed(info, &after)))
        status = rnnc_fail(error, RNNC_ERR_FILE, "%s: " CHANGED, file->name);
    return status;
}

/* Opens, reads and parses a regular file. */
static rnnc_status open_path(const char *path, rnnc_safetensors *file, rnnc_error *error) {
    struct stat info;
    /* Without O_NONBLOCK, opening a pipe waits for somebody to write into it. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return rnnc_fail(error, RNNC_ERR_FILE, "%s: cannot open: %s", path, strerror(errno));
    rnnc_status status = RNNC_OK;
    if (fstat(fd, &info) != 0)
        status = rnnc_fail(error, RNNC_ERR_FILE, "%s: cannot read: %s", path, strerror(errno));
    else if (!S_ISREG(info.st_mode))
        status = rnnc_fail(error, RNNC_ERR_FILE, "%s: not a file; give a .safetensors file", path);
    else if (!look_when_settled(fd, &info))
        status = rnnc_fail(error, RNNC_ERR_FILE, "%s: " CHANGED, path);
    else if ((uintmax_t)info.st_size > PTRDIFF_MAX)
        status = rnnc_fail(error, RNNC_ERR_OVERFLOW, "%s: too large for this machine", path);
    else
        status = read_file(fd, &info, file, error);
    close(fd);
    return status;
}

/* One allocation holds the handle and, behind it, its name. */
static rnnc_safetensors *make(const char *name) {
    const size_t length = strlen(name) + 1;
    rnnc_safetensors *const file = calloc(1, sizeof *file + length);
    if (file) {
        memcpy(file + 1, name, length);
        file->name = (const char *)(file + 1);
    }
    return file;
}

rnnc_status rnnc_safetensors_open(const char *path, rnnc_safetensors **file, rnnc_error *error) {
    if (!path || !file)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT, "path or file is NULL");
    *file = NULL;
    rnnc_safetensors *const opened = make(path);
    if (!opened)
        return rnnc_fail(error, RNNC_ERR_MEMORY, "%s: out of memory", path);
    const rnnc_status status = open_path(path, opened, error);
    if (status == RNNC_OK)
        *file = opened;
    else
        rnnc_safetensors_close(opened);
    return status;
}

rnnc_status rnnc_safetensors_open_memory(const void *data, size_t size, rnnc_safetensors **file,
                                         rnnc_error *error) {
    if (!data || !file || size > PTRDIFF_MAX)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT, "data or file is NULL, or size too large");
    *file = NULL;
    rnnc_safetensors *const opened = make("(memory)");
    if (!opened)
        return rnnc_fail(error, RNNC_ERR_MEMORY, "(memory): out of memory");
    opened->data = data;
    opened->size = size;
    const rnnc_status status = rnnc_safetensors_parse(opened, error);
    if (status == RNNC_OK)
        *file = opened;
    else
        rnnc_safetensors_close(opened);
    return status;
}

void rnnc_safetensors_close(rnnc_safetensors *file) {
    if (!file)
        return;
    for (size_t i = 0; i < file->count; i++)
        free((void *)(uintptr_t)file->entry[i].name);
    for (size_t i = 0; i < file->meta_count; i++) {
        free((void *)(uintptr_t)file->meta[i].key);
        free((void *)(uintptr_t)file->meta[i].value);
    }
    free(file->entry);
    free(file->by_name);
    free(file->meta);
    free(file->owned);
    free(file);
}

const char *rnnc_safetensors_name(const rnnc_safetensors *file) { return file->name; }

size_t rnnc_safetensors_count(const rnnc_safetensors *file) { return file->count; }

const rnnc_entry *rnnc_safetensors_get(const rnnc_safetensors *file, size_t index) {
    return index < file->count ? &file->entry[index] : NULL;
}

/* As strcmp of prefix and name, put together, with text. */
static int compare(const char *prefix, const char *name, const char *text) {
    const size_t length = strlen(prefix);
    const int order = strncmp(prefix, text, length);
    return order != 0 ? order : strcmp(name, text + length);
}

const rnnc_entry *rnnc_safetensors_lookup(const rnnc_safetensors *file, const char *prefix,
                                          const char *name) {
    size_t low = 0, high = file->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = compare(prefix, name, file->by_name[middle]->name);
        if (order == 0)
            return file->by_name[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

rnnc_status rnnc_safetensors_find(const rnnc_safetensors *file, const char *name,
                                  rnnc_tensor *tensor) {
    if (!file || !name || !tensor)
        return RNNC_ERR_ARGUMENT;
    const rnnc_entry *const entry = rnnc_safetensors_lookup(file, "", name);
    if (!entry)
        return RNNC_ERR_MISSING;
    *tensor = entry->tensor;
    return RNNC_OK;
}

const char *rnnc_safetensors_metadata(const rnnc_safetensors *file, const char *key) {
    for (size_t i = 0; i < file->meta_count; i++)
        if (strcmp(file->meta[i].key, key) == 0)
            return file->meta[i].value;
    return NULL;
}

rnnc_status rnnc_safetensors_read_f32(const rnnc_safetensors *file, const char *name, float *to,
                                      size_t count, rnnc_error *error) {
    if (!file || !name || (count && !to))
        return rnnc_fail(error, RNNC_ERR_ARGUMENT, "file, name or to is NULL");
    const rnnc_entry *const entry = rnnc_safetensors_lookup(file, "", name);
    const rnnc_shown shown = rnnc_show(name);
    if (!entry)
        return rnnc_fail(error, RNNC_ERR_MISSING, "%s: there is no tensor \"%s\"", file->name,
                         shown.text);
    if (entry->tensor.dtype == RNNC_OPAQUE)
        return rnnc_fail(error, RNNC_ERR_DTYPE,
                         "%s: tensor \"%s\" has dtype %s; F32, F64, F16 or BF16 is needed: "
                         "convert it",
                         file->name, shown.text, entry->dtype);
    size_t has;
    rnnc_tensor target = entry->tensor;
    rnnc_tensor_count(&entry->tensor, &has);
    if (has != count)
        return rnnc_fail(error, RNNC_ERR_SHAPE, "%s: tensor \"%s\" has %zu values, not %zu",
                         file->name, shown.text, has, count);
    if (count == 0)
        return RNNC_OK;
    rnnc_status status = rnnc_tensor_make(&target, RNNC_F32, entry->tensor.rank,
                                          entry->tensor.shape, to, count * sizeof *to);
    if (status == RNNC_OK)
        status = rnnc_tensor_copy(&target, &entry->tensor);
    return status;
}
