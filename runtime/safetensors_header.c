/* safetensors_header.c: reads the header of a safetensors file and believes nothing of it. */
#include "safetensors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    size_t size;
    rnnc_dtype dtype;
} dtypes[] = {
    {"F32", 4, RNNC_F32},        {"F64", 8, RNNC_F64},        {"F16", 2, RNNC_F16},
    {"BF16", 2, RNNC_BF16},      {"BOOL", 1, RNNC_OPAQUE},    {"U8", 1, RNNC_OPAQUE},
    {"I8", 1, RNNC_OPAQUE},      {"U16", 2, RNNC_OPAQUE},     {"I16", 2, RNNC_OPAQUE},
    {"U32", 4, RNNC_OPAQUE},     {"I32", 4, RNNC_OPAQUE},     {"U64", 8, RNNC_OPAQUE},
    {"I64", 8, RNNC_OPAQUE},     {"C64", 8, RNNC_OPAQUE},     {"F8_E5M2", 1, RNNC_OPAQUE},
    {"F8_E4M3", 1, RNNC_OPAQUE}, {"F8_E8M0", 1, RNNC_OPAQUE},
};

/* The type of that name, its spelling here and its size in bytes. A type that is not in the table,
 * such as one that the format gets later, is opaque, and its size is 0: not known. A file may hold
 * more than a network needs; whoever needs that tensor is told its type. */
static rnnc_dtype find_dtype(const char *name, const char **spelling, size_t *size) {
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++)
        if (strcmp(dtypes[i].name, name) == 0) {
            *spelling = dtypes[i].name;
            *size = dtypes[i].size;
            return dtypes[i].dtype;
        }
    *spelling = "of an unknown type";
    *size = 0;
    return RNNC_OPAQUE;
}

/* Objects and lists nest three deep in a valid header, {name: {"shape": [...]}}, and lists hold
 * numbers. Looked at before the parser runs, which would recurse into deeper ones, and make 160 MB
 * of a list of 2 MB of {}. */
static int nests_too_deep(const unsigned char *text, size_t size) {
    int depth = 0, in_string = 0, in_list = 0;
    for (size_t i = 0; i < size; i++) {
        if (in_string) {
            if (text[i] == '\\')
                i++;
            else if (text[i] == '"')
                in_string = 0;
        } else if (text[i] == '"') {
            in_string = 1;
        } else if (text[i] == '{' || text[i] == '[') {
            if (in_list || ++depth > 3)
                return 1;
            in_list = text[i] == '[';
        } else if (text[i] == '}' || text[i] == ']') {
            depth--;
            in_list = 0;
        }
    }
    return 0;
}

#define BAD(...) rnnc_fail(error, RNNC_ERR_FORMAT, __VA_ARGS__)
#define NOT_SAFETENSORS "give a .safetensors file, whole and as it was written"

/* A JSON integer from 0 to SIZE_MAX. */
static int size_value(const json_t *value, size_t *size) {
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        (unsigned long long)json_integer_value(value) > SIZE_MAX)
        return 0;
    *size = (size_t)json_integer_value(value);
    return 1;
}

static rnnc_status parse_shape(const rnnc_safetensors *file, const json_t *shape, rnnc_entry *entry,
                               rnnc_error *error) {
    const size_t rank = json_array_size(shape);
    if (!json_is_array(shape))
        return BAD("%s: tensor \"%s\": shape is missing or not a list; write the file again",
                   file->name, rnnc_show(entry->name).text);
    if (rank > RNNC_MAX_RANK)
        return BAD("%s: tensor \"%s\": %zu dimensions; at most %d are supported: reshape it or "
                   "leave it out",
                   file->name, rnnc_show(entry->name).text, rank, RNNC_MAX_RANK);
    entry->tensor.rank = (int)rank;
    size_t stride = 1, extents[RNNC_MAX_RANK];
    for (size_t i = rank; i-- > 0;) {
        if (!size_value(json_array_get(shape, i), &extents[i]))
            return BAD("%s: tensor \"%s\": shape[%zu] is not a whole number >= 0", file->name,
                       rnnc_show(entry->name).text, i);
        entry->tensor.shape[i] = extents[i];
        entry->tensor.stride[i] = (ptrdiff_t)stride;
        /* Wraps only if the count does not fit, which the caller finds. */
        if (extents[i] > 0)
            stride *= extents[i];
    }
    return RNNC_OK;
}

static rnnc_status parse_tensor(const rnnc_safetensors *file, json_t *object, size_t data_begin,
                                rnnc_entry *entry, rnnc_error *error) {
    const rnnc_shown name = rnnc_show(entry->name);
    if (!json_is_object(object))
        return BAD("%s: tensor \"%s\" is not described by an object; write the file again",
                   file->name, name.text);
    const char *field;
    json_t *value;
    json_object_foreach(object, field, value) {
        if (strcmp(field, "dtype") != 0 && strcmp(field, "shape") != 0 &&
            strcmp(field, "data_offsets") != 0)
            return BAD("%s: tensor \"%s\": unknown field \"%s\"; dtype, shape and data_offsets "
                       "are known",
                       file->name, name.text, rnnc_show(field).text);
    }
    const char *const dtype = json_string_value(json_object_get(object, "dtype"));
    if (!dtype)
        return BAD("%s: tensor \"%s\": dtype is missing or not a string", file->name, name.text);
    size_t element;
    entry->tensor.dtype = find_dtype(dtype, &entry->dtype, &element);
    const rnnc_status status = parse_shape(file, json_object_get(object, "shape"), entry, error);
    if (status != RNNC_OK)
        return status;

    const json_t *const offsets = json_object_get(object, "data_offsets");
    size_t begin, end, count, bytes;
    if (json_array_size(offsets) != 2 || !size_value(json_array_get(offsets, 0), &begin) ||
        !size_value(json_array_get(offsets, 1), &end))
        return BAD("%s: tensor \"%s\": data_offsets have to be two whole numbers >= 0", file->name,
                   name.text);
    if (begin > end || end > file->size - data_begin)
        return BAD("%s: tensor \"%s\": data_offsets [%zu, %zu] lie outside the %zu bytes of data; "
                   "the file is truncated or damaged: fetch or write it again",
                   file->name, name.text, begin, end, file->size - data_begin);
    bytes = end - begin;
    if (rnnc_tensor_count(&entry->tensor, &count) != RNNC_OK ||
        (element > 0 && (!rnnc_mul(count, element, &bytes) || bytes != end - begin)))
        return BAD("%s: tensor \"%s\": its shape and dtype %s do not make the %zu bytes of its "
                   "data_offsets",
                   file->name, name.text, entry->dtype, end - begin);
    entry->size = bytes;
    /* The tensor type has no const; rnnc_entry says that the data are read-only. */
    entry->tensor.data = (void *)(uintptr_t)(file->data + data_begin + begin);
    return RNNC_OK;
}

static char *copy_text(const char *text) {
    const size_t size = strlen(text) + 1;
    char *const copy = malloc(size);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

static rnnc_status parse_metadata(rnnc_safetensors *file, json_t *object, rnnc_error *error) {
    if (json_is_null(object)) /* some writers' word for: none */
        return RNNC_OK;
    if (!json_is_object(object))
        return BAD("%s: __metadata__ is not an object of strings", file->name);
    file->meta = calloc(json_object_size(object) + 1, sizeof *file->meta);
    if (!file->meta)
        return rnnc_fail(error, RNNC_ERR_MEMORY, "%s: out of memory", file->name);
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        if (!json_is_string(value))
            return BAD("%s: __metadata__: \"%s\" is not a string", file->name, rnnc_show(key).text);
        rnnc_pair *const pair = &file->meta[file->meta_count++];
        pair->key = copy_text(key);
        pair->value = copy_text(json_string_value(value));
        if (!pair->key || !pair->value)
            return rnnc_fail(error, RNNC_ERR_MEMORY, "%s: out of memory", file->name);
    }
    return RNNC_OK;
}

static int by_place(const void *a, const void *b) {
    const rnnc_entry *const x = a, *const y = b;
    const uintptr_t p = (uintptr_t)x->tensor.data, q = (uintptr_t)y->tensor.data;
    if (p != q)
        return p < q ? -1 : 1;
    if ((x->size == 0) != (y->size == 0)) /* an empty tensor lies before what begins there */
        return x->size == 0 ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int by_name(const void *a, const void *b) {
    const rnnc_entry *const *const x = a, *const *const y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* Do the tensors, sorted by place, cover the data from the first byte to the last? */
static rnnc_status check_cover(const rnnc_safetensors *file, size_t data_begin, rnnc_error *error) {
    const unsigned char *end = file->data + data_begin;
    for (size_t i = 0; i < file->count; i++) {
        const rnnc_entry *const entry = &file->entry[i];
        const unsigned char *const begin = entry->tensor.data;
        if (begin < end)
            return BAD("%s: tensors \"%s\" and \"%s\" overlap; write the file again", file->name,
                       rnnc_show(file->entry[i - 1].name).text, rnnc_show(entry->name).text);
        if (begin > end)
            return BAD("%s: %zu bytes before tensor \"%s\" belong to no tensor; write the file "
                       "again",
                       file->name, (size_t)(begin - end), rnnc_show(entry->name).text);
        end = begin + entry->size;
    }
    if (end != file->data + file->size)
        return BAD("%s: the last %zu bytes belong to no tensor; the file was added to or its "
                   "header damaged: fetch or write it again",
                   file->name, (size_t)(file->data + file->size - end));
    return RNNC_OK;
}

static rnnc_status parse_header(rnnc_safetensors *file, json_t *header, size_t data_begin,
                                rnnc_error *error) {
    const size_t fields = json_object_size(header);
    file->entry = calloc(fields + 1, sizeof *file->entry);
    file->by_name = calloc(fields + 1, sizeof *file->by_name);
    if (!file->entry || !file->by_name)
        return rnnc_fail(error, RNNC_ERR_MEMORY, "%s: out of memory", file->name);
    const char *name;
    json_t *value;
    json_object_foreach(header, name, value) {
        rnnc_status status;
        if (strcmp(name, "__metadata__") == 0) {
            status = parse_metadata(file, value, error);
        } else {
            rnnc_entry *const entry = &file->entry[file->count];
            entry->name = copy_text(name);
            if (!entry->name)
                return rnnc_fail(error, RNNC_ERR_MEMORY, "%s: out of memory", file->name);
            file->count++;
            status = parse_tensor(file, value, data_begin, entry, error);
        }
        if (status != RNNC_OK)
            return status;
    }
    if (file->count > 0) {
        qsort(file->entry, file->count, sizeof *file->entry, by_place);
        for (size_t i = 0; i < file->count; i++)
            file->by_name[i] = &file->entry[i];
        qsort(file->by_name, file->count, sizeof *file->by_name, by_name);
    }
    return check_cover(file, data_begin, error);
}

/* Are the first bytes those of a text in UTF-8, which has none above 0xF4? */
static int is_text(const unsigned char *data, size_t size) {
    for (size_t i = 0; i < size && i < 256; i++)
        if ((data[i] < ' ' && !strchr("\t\r\n", data[i])) || data[i] == 0 || data[i] == 127 ||
            data[i] > 0xF4)
            return 0;
    return 1;
}

rnnc_status rnnc_safetensors_parse(rnnc_safetensors *file, rnnc_error *error) {
    uint64_t length;
    const char *const kind = rnnc_file_kind(file->data, file->size);
    if (kind && strcmp(kind, "a safetensors file") != 0)
        return BAD("%s: this is no safetensors file but looks like %s", file->name, kind);
    if (file->size == 0)
        return BAD("%s: the file is empty; fetch or write it again", file->name);
    if (file->size < sizeof length + 2)
        return BAD("%s: %zu bytes are too few for a safetensors file; " NOT_SAFETENSORS, file->name,
                   file->size);
    memcpy(&length, file->data, sizeof length);
    const unsigned char *const text = file->data + sizeof length;
    if (length > RNNC_HEADER_LIMIT && is_text(file->data, file->size))
        return BAD(
            "%s: this is no safetensors file but a text; if it is a spec of rnnc, give it to "
            "the command itself, and here the file that has the weights",
            file->name);
    if (length > RNNC_HEADER_LIMIT)
        return BAD("%s: a header of %llu bytes is longer than the limit of %u; " NOT_SAFETENSORS,
                   file->name, (unsigned long long)length, RNNC_HEADER_LIMIT);
    if (length > file->size - sizeof length)
        return BAD("%s: the header of %llu bytes reaches beyond the end of the file; it is "
                   "truncated, or not safetensors: fetch or write it again",
                   file->name, (unsigned long long)length);
    if (length == 0 || text[0] != '{')
        return BAD("%s: the header does not begin with {; " NOT_SAFETENSORS, file->name);
    if (nests_too_deep(text, (size_t)length))
        return BAD(
            "%s: the header nests deeper than {tensor: {field: [numbers]}}; " NOT_SAFETENSORS,
            file->name);
    json_error_t where;
    json_t *const header =
        json_loadb((const char *)text, (size_t)length, JSON_REJECT_DUPLICATES, &where);
    if (!header)
        return BAD("%s: header, byte %d: %s; " NOT_SAFETENSORS, file->name, where.position + 8,
                   rnnc_show(where.text).text);
    const rnnc_status status = parse_header(file, header, sizeof length + (size_t)length, error);
    json_decref(header);
    return status;
}
