/* safetensors_write.c: writes safetensors files whole or not at all. */
#include "safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct item {
    const char *name;
    const rnnc_tensor *tensor;
    size_t begin, size; /* bytes, from the start of the data */
} item;

static int by_size_then_name(const void *a, const void *b) {
    const item *const x = a, *const y = b;
    const size_t p = rnnc_dtype_size(x->tensor->dtype), q = rnnc_dtype_size(y->tensor->dtype);
    return p != q ? (p > q ? -1 : 1) : strcmp(x->name, y->name);
}

static int by_key(const void *a, const void *b) {
    return strcmp(((const rnnc_pair *)a)->key, ((const rnnc_pair *)b)->key);
}

/* The tensors in the order in which they are written, with their places. */
static rnnc_status arrange(const char *path, size_t count, const char *const *names,
                           const rnnc_tensor *tensors, item *items, rnnc_error *error) {
    size_t begin = 0;
    for (size_t i = 0; i < count; i++) {
        if (!names[i] || strcmp(names[i], "__metadata__") == 0)
            return rnnc_fail(error, RNNC_ERR_ARGUMENT, "%s: tensor %zu needs another name", path,
                             i);
        if (rnnc_dtype_size(tensors[i].dtype) == 0)
            return rnnc_fail(error, RNNC_ERR_DTYPE, "%s: tensor \"%s\" has no dtype to write", path,
                             rnnc_show(names[i]).text);
        items[i] = (item){.name = names[i], .tensor = &tensors[i]};
    }
    if (count > 0)
        qsort(items, count, sizeof *items, by_size_then_name);
    for (size_t i = 0; i < count; i++) {
        item *const it = &items[i];
        size_t values;
        it->begin = begin;
        if (rnnc_tensor_count(it->tensor, &values) != RNNC_OK ||
            !rnnc_mul(values, rnnc_dtype_size(it->tensor->dtype), &it->size) ||
            !rnnc_add(begin, it->size, &begin) || begin > PTRDIFF_MAX)
            return rnnc_fail(error, RNNC_ERR_OVERFLOW, "%s: tensor \"%s\" is too large", path,
                             rnnc_show(it->name).text);
    }
    return RNNC_OK;
}

/* {"dtype":...,"shape":[...],"data_offsets":[begin,end]}; NULL if memory runs out. */
static json_t *describe(const item *it) {
    const size_t end = it->begin + it->size;
    json_t *const shape = json_array();
    for (int i = 0; i < it->tensor->rank; i++)
        json_array_append_new(shape, json_integer((json_int_t)it->tensor->shape[i]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", rnnc_dtype_name(it->tensor->dtype), "shape",
                     shape, "data_offsets", (json_int_t)it->begin, (json_int_t)end);
}

/* Adds value (a new reference, which it takes) under a key that must be new and UTF-8. */
static rnnc_status put(json_t *object, const char *path, const char *key, json_t *value,
                       rnnc_error *error) {
    const char *const fault = json_object_get(object, key) ? "is there twice" : "is not UTF-8";
    json_t *const probe = json_string(key);
    const int usable = probe && value && !json_object_get(object, key);
    json_decref(probe);
    if (usable && json_object_set(object, key, value) == 0) {
        json_decref(value);
        return RNNC_OK;
    }
    json_decref(value);
    return rnnc_fail(error, RNNC_ERR_ARGUMENT, "%s: the name \"%s\" or its value %s", path,
                     rnnc_show(key).text, fault);
}

/* The header's text, padded with spaces so that the data begin at a multiple of 8; free() it. */
static rnnc_status make_header(const char *path, size_t count, const item *items, size_t meta_count,
                               const rnnc_pair *meta, char **text, size_t *size,
                               rnnc_error *error) {
    rnnc_status status = RNNC_OK;
    json_t *const header = json_object(), *const pairs = json_object();
    for (size_t i = 0; i < meta_count && status == RNNC_OK; i++)
        status = put(pairs, path, meta[i].key, json_string(meta[i].value), error);
    if (status == RNNC_OK && meta_count > 0)
        status = put(header, path, "__metadata__", json_incref(pairs), error);
    for (size_t i = 0; i < count && status == RNNC_OK; i++)
        status = put(header, path, items[i].name, describe(&items[i]), error);
    json_decref(pairs);
    const size_t length = status == RNNC_OK ? json_dumpb(header, NULL, 0, JSON_COMPACT) : 0;
    *size = (length + 7) / 8 * 8;
    *text = length > 0 ? malloc(*size) : NULL;
    if (*text) {
        memset(*text, ' ', *size);
        json_dumpb(header, *text, length, JSON_COMPACT);
    } else if (status == RNNC_OK) {
        status = rnnc_fail(error, RNNC_ERR_MEMORY, "%s: out of memory", path);
    }
    json_decref(header);
    if (status == RNNC_OK && *size > RNNC_HEADER_LIMIT) {
        free(*text);
        *text = NULL;
        status = rnnc_fail(error, RNNC_ERR_OVERFLOW, "%s: too many tensors for one file", path);
    }
    return status;
}

/* The tensor's bytes in row-major order; a view that is not is copied first. */
static int write_tensor(FILE *stream, const item *it) {
    if (it->size == 0)
        return 1;
    if (rnnc_tensor_is_contiguous(it->tensor))
        return fwrite(it->tensor->data, 1, it->size, stream) == it->size;
    void *const copy = malloc(it->size);
    rnnc_tensor plain;
    const int written = copy &&
                        rnnc_tensor_make(&plain, it->tensor->dtype, it->tensor->rank,
                                         it->tensor->shape, copy, it->size) == RNNC_OK &&
                        rnnc_tensor_copy(&plain, it->tensor) == RNNC_OK &&
                        fwrite(copy, 1, it->size, stream) == it->size;
    free(copy);
    return written;
}

/* A new file beside path, whose name it leaves in beside (strlen(path) + 16 bytes). Counting up
 * instead of a random name, and O_EXCL, so that two writers never share one. */
static int open_beside(const char *path, char *beside) {
    int fd = -1;
    for (int i = 0; i < 1000 && fd < 0; i++) {
        sprintf(beside, "%s.part%d", path, i);
        fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    return fd;
}

static rnnc_status write_file(const char *path, size_t count, const item *items, const char *header,
                              size_t header_size, rnnc_error *error) {
    char *const beside = malloc(strlen(path) + 16);
    if (!beside)
        return rnnc_fail(error, RNNC_ERR_MEMORY, "%s: out of memory", path);
    const uint64_t length = header_size;
    const int fd = open_beside(path, beside);
    FILE *const stream = fd >= 0 ? fdopen(fd, "wb") : NULL;
    int written = stream != NULL;
    if (!stream && fd >= 0)
        close(fd);
    if (stream) {
        written = fwrite(&length, sizeof length, 1, stream) == 1 &&
                  fwrite(header, 1, header_size, stream) == header_size;
        for (size_t i = 0; i < count && written; i++)
            written = write_tensor(stream, &items[i]);
        written = written && fflush(stream) == 0 && fsync(fd) == 0;
        const int fault = errno;
        if (fclose(stream) != 0)
            written = 0;
        else
            errno = fault;
    }
    if (written)
        written = rename(beside, path) == 0;
    rnnc_status status = RNNC_OK;
    if (!written) {
        status = rnnc_fail(error, RNNC_ERR_FILE, "%s: cannot write: %s", path, strerror(errno));
        if (fd >= 0)
            unlink(beside);
    }
    free(beside);
    return status;
}

rnnc_status rnnc_safetensors_write(const char *path, size_t count, const char *const *names,
                                   const rnnc_tensor *tensors, size_t meta_count,
                                   const char *const *keys, const char *const *values,
                                   rnnc_error *error) {
    if (!path || (count && (!names || !tensors)) || (meta_count && (!keys || !values)))
        return rnnc_fail(error, RNNC_ERR_ARGUMENT, "path, names, tensors, keys or values is NULL");
    item *const items = calloc(count + 1, sizeof *items);
    rnnc_pair *const meta = calloc(meta_count + 1, sizeof *meta);
    if (!items || !meta) {
        free(items);
        free(meta);
        return rnnc_fail(error, RNNC_ERR_MEMORY, "%s: out of memory", path);
    }
    char *header = NULL;
    size_t header_size = 0;
    rnnc_status status = arrange(path, count, names, tensors, items, error);
    for (size_t i = 0; i < meta_count && status == RNNC_OK; i++) {
        if (!keys[i] || !values[i])
            status = rnnc_fail(error, RNNC_ERR_ARGUMENT, "%s: metadata %zu is NULL", path, i);
        else
            meta[i] = (rnnc_pair){keys[i], values[i]};
    }
    if (status == RNNC_OK && meta_count > 0)
        qsort(meta, meta_count, sizeof *meta, by_key);
    if (status == RNNC_OK)
        status = make_header(path, count, items, meta_count, meta, &header, &header_size, error);
    if (status == RNNC_OK)
        status = write_file(path, count, items, header, header_size, error);
    free(header);
    free(meta);
    free(items);
    return status;
}
