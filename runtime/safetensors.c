/* safetensors.c: opens safetensors files and hands out their tensors. */
#include "safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Maps the whole file read-only. An empty file maps to nothing and is refused by the parser. */
static rnnc_status map(const char *path, rnnc_safetensors *file, rnnc_error *error) {
    struct stat info;
    /* Without O_NONBLOCK, opening a pipe waits for somebody to write into it. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return rnnc_fail(error, RNNC_ERR_FILE, "%s: cannot open: %s", path, strerror(errno));
    rnnc_status status = RNNC_OK;
    if (fstat(fd, &info) != 0) {
        status = rnnc_fail(error, RNNC_ERR_FILE, "%s: cannot read: %s", path, strerror(errno));
    } else if (!S_ISREG(info.st_mode)) {
        status = rnnc_fail(error, RNNC_ERR_FILE, "%s: not a file; give a .safetensors file", path);
    } else if ((uintmax_t)info.st_size > PTRDIFF_MAX) {
        status = rnnc_fail(error, RNNC_ERR_OVERFLOW, "%s: too large for this machine", path);
    } else if (info.st_size > 0) {
        file->size = (size_t)info.st_size;
        void *const mapping = mmap(NULL, file->size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (mapping == MAP_FAILED)
            status = rnnc_fail(error, RNNC_ERR_FILE, "%s: cannot map: %s", path, strerror(errno));
        else
            file->data = file->mapping = mapping;
    }
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
    rnnc_status status = map(path, opened, error);
    if (status == RNNC_OK)
        status = rnnc_safetensors_parse(opened, error);
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
    if (file->mapping)
        munmap(file->mapping, file->size);
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
