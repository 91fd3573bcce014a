/* Safetensors files that are wrong in every way that we can think of: each gets a clear error. The
 * bytes lie between guard pages, so that a read beyond them is a crash. */
#define _DEFAULT_SOURCE
#include "guard.h"
#include "rnnc.h"
#include "support/generate.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* A header and n bytes of data, which count up, in a guard. */
static guard file_of(const char *header, size_t length, size_t data) {
    const guard f = guard_make(8 + length + data, 0);
    unsigned char *const bytes = f.data;
    const uint64_t stated = length;
    memcpy(bytes, &stated, 8);
    memcpy(bytes + 8, header, length);
    for (size_t i = 0; i < data; i++)
        bytes[8 + length + i] = (unsigned char)i;
    return f;
}

static rnnc_status open_bytes(const void *bytes, size_t size, rnnc_error *error) {
    rnnc_safetensors *file = NULL;
    const rnnc_status status = rnnc_safetensors_open_memory(bytes, size, &file, error);
    cr_assert_eq(status == RNNC_OK, file != NULL);
    rnnc_safetensors_close(file);
    return status;
}

#define T(dtype, shape, offsets)                                                                   \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

/* What is accepted, so that what is refused below is refused for its fault alone. */
Test(runtime_malformed, well_formed) {
    static const struct {
        const char *header;
        size_t data;
    } files[] = {
        {"{}", 0},
        {"{}      ", 0},
        {"{\"a\":" T("F32", "[2,1]", "[0,8]") "}", 8},
        {"{\"a\":" T("F32", "[]", "[0,4]") "}", 4},
        {"{\"a\":" T("F32", "[0]", "[0,0]") "}", 0},
        {"{\"a\":" T("F32", "[0,9223372036854775807,9223372036854775807]", "[0,0]") "}", 0},
        {"{\"b\":" T("I64", "[1]", "[8,16]") ",\"a\":" T("BOOL", "[8]", "[0,8]") "}", 16},
        {"{\"a\":" T("F16", "[1]", "[0,2]") ",\"e\":" T("F32", "[0]", "[2,2]") "}", 2},
        {"{\"__metadata__\":{},\"a\":" T("BF16", "[1,1,1,1,1,1,1,1]", "[0,2]") "}", 2},
        /* empty tensors at the beginning of others, whatever their names and their order */
        {"{\"a\":" T("F16", "[2]", "[0,4]") ",\"z\":" T("F32", "[0]", "[0,0]") "}", 4},
        {"{\"z\":" T("F32", "[0]", "[0,0]") ",\"a\":" T("F16", "[2]", "[0,4]") "}", 4},
        {"{\"m\":" T("F32", "[1]", "[0,4]") ",\"a\":" T("F32", "[1]", "[4,8]") ",\"z\":" T(
             "F32", "[0]", "[4,4]") ",\"y\":" T("F32", "[2,0]", "[4,4]") "}",
         8},
        /* what a network does not need may be of any type */
        {"{\"a\":" T("F33", "[3]", "[0,2]") ",\"b\":" T("F32", "[1]", "[2,6]") "}", 6},
        {"{\"__metadata__\":null}", 0},
        {"{\"[{\\\"{[[[[[\":" T("F8_E5M2", "[1]", "[0,1]") "}", 1},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        guard f = file_of(files[i].header, strlen(files[i].header), files[i].data);
        guard_protect(&f);
        rnnc_error error = {.message = ""};
        cr_expect_eq(open_bytes(f.data, f.size, &error), RNNC_OK, "%s: %s", files[i].header,
                     error.message);
        guard_free(&f);
    }
}

Test(runtime_malformed, refused) {
    static const struct {
        const char *header;
        size_t data;
        const char *says; /* a part of the message */
    } files[] = {
        /* offsets */
        {"{\"a\":" T("F32", "[2]", "[0,8]") "}", 7, "truncated"},
        {"{\"a\":" T("F32", "[2]", "[0,8]") "}", 9, "the last 1 bytes"},
        {"{\"a\":" T("F32", "[2]", "[1,9]") "}", 9, "1 bytes before tensor \"a\""},
        {"{\"a\":" T("F32", "[2]", "[8,0]") "}", 8, "outside the 8 bytes"},
        {"{\"a\":" T("F32", "[2]", "[0,4]") "}", 4, "do not make the 4 bytes"},
        {"{\"a\":" T("F32", "[1]", "[0,8]") "}", 8, "do not make the 8 bytes"},
        {"{\"a\":" T("F32", "[1]", "[-4,0]") "}", 4, "two whole numbers"},
        {"{\"a\":" T("F32", "[1]", "[0,-4]") "}", 4, "two whole numbers"},
        {"{\"a\":" T("F32", "[1]", "[0]") "}", 4, "two whole numbers"},
        {"{\"a\":" T("F32", "[1]", "[0,4,8]") "}", 4, "two whole numbers"},
        {"{\"a\":" T("F32", "[1]", "[0.0,4.0]") "}", 4, "two whole numbers"},
        {"{\"a\":" T("F32", "[1]", "\"0,4\"") "}", 4, "two whole numbers"},
        {"{\"a\":" T("F32", "[1]", "[null,4]") "}", 4, "two whole numbers"},
        {"{\"a\":" T("F32", "[1]", "[9223372036854775807,9223372036854775807]") "}", 4, "outside"},
        {"{\"a\":" T("F32", "[1]", "[18446744073709551612,4]") "}", 4, "too big"},
        {"{\"a\":" T("F32", "[1]", "[0,1e400]") "}", 4, "header, byte"},
        {"{\"a\":" T("F32", "[1]", "[0,4]") ",\"b\":" T("F32", "[1]", "[0,4]") "}", 4,
         "\"a\" and \"b\" overlap"},
        {"{\"a\":" T("F32", "[2]", "[0,8]") ",\"b\":" T("F32", "[1]", "[4,8]") "}", 8, "overlap"},
        {"{\"a\":" T("F32", "[1]", "[0,4]") ",\"b\":" T("F32", "[1]", "[8,12]") "}", 12,
         "4 bytes before tensor \"b\""},
        {"{\"a\":" T("F32", "[1]", "[0,4]") ",\"e\":" T("F32", "[0]", "[2,2]") "}", 4, "overlap"},
        {"{}", 4, "the last 4 bytes"},
        /* shapes */
        {"{\"a\":" T("F32", "[4294967296,4294967296]", "[0,0]") "}", 0, "do not make"},
        {"{\"a\":" T("F32", "[4611686018427387904]", "[0,0]") "}", 0, "do not make"},
        {"{\"a\":" T("F64", "[2305843009213693953]", "[0,8]") "}", 8, "do not make"},
        {"{\"a\":" T("F32", "[-1]", "[0,4]") "}", 4, "shape[0]"},
        {"{\"a\":" T("F32", "[1,1.5]", "[0,4]") "}", 4, "shape[1]"},
        {"{\"a\":" T("F32", "[true]", "[0,4]") "}", 4, "shape[0]"},
        {"{\"a\":" T("F32", "1", "[0,4]") "}", 4, "shape is missing"},
        {"{\"a\":" T("F32", "{}", "[0,4]") "}", 4, "shape is missing"},
        {"{\"a\":" T("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, "9 dimensions"},
        {"{\"a\":" T("F32", "[[1]]", "[0,4]") "}", 4, "nests deeper"},
        /* types and fields */
        {"{\"a\":" T("F33", "[1]", "[0,8]") "}", 4, "outside the 4 bytes"},
        {"{\"a\":" T("F33", "[9223372036854775807,9]", "[0,4]") "}", 4, "do not make"},
        {"{\"a\":{\"dtype\":7,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "dtype is missing"},
        {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "dtype is missing"},
        {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "shape is missing"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":1}}", 4,
         "unknown field \"x\""},
        {"{\"a\":[]}", 0, "not described by an object"},
        {"{\"a\":null}", 0, "not described by an object"},
        {"{\"__metadata__\":{\"k\":1}}", 0, "\"k\" is not a string"},
        {"{\"__metadata__\":[]}", 0, "__metadata__"},
        {"{\"__metadata__\":\"x\"}", 0, "__metadata__"},
        /* JSON */
        {"{\"a\":" T("F32", "[1]", "[0,4]") ",\"a\":" T("F32", "[1]", "[0,4]") "}", 4, "duplicate"},
        {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
         "duplicate"},
        {"{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0, "duplicate"},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "duplicate"},
        {"[]", 0, "does not begin with {"},
        {" {}", 0, "does not begin with {"},
        {"\"a\"", 0, "does not begin with {"},
        {"{", 4, "header, byte"},
        {"{}x", 0, "header, byte"},
        {"{} {}", 0, "header, byte"},
        {"{\"a\"}", 0, "header, byte"},
        {"{\"a\":}", 0, "header, byte"},
        {"{'a':1}", 0, "header, byte"},
        {"{\"a\":\"\\", 0, "header, byte"},
        {"{\"\xff\xfe\":" T("F32", "[1]", "[0,4]") "}", 4, "unable to decode"},
        {"{\"a\xc0\x80\":" T("F32", "[1]", "[0,4]") "}", 4, "unable to decode"},
        {"{\"a\\u0000b\":" T("F32", "[1]", "[0,4]") "}", 4, "header, byte"},
        {"{\"a\":{\"b\":{\"c\":{}}}}", 0, "nests deeper"},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        guard f = file_of(files[i].header, strlen(files[i].header), files[i].data);
        guard_protect(&f);
        rnnc_error error = {.message = ""};
        cr_expect_eq(open_bytes(f.data, f.size, &error), RNNC_ERR_FORMAT, "%s", files[i].header);
        cr_expect(strncmp(error.message, "(memory): ", 10) == 0 &&
                      strstr(error.message, files[i].says) && !strchr(error.message, '\n'),
                  "%s: says: %s", files[i].header, error.message);
        guard_free(&f);
    }
}

static const char whole[] = "{\"__metadata__\":{\"k\":\"v\"},\"a\":" T(
    "F32", "[2]", "[0,8]") ",\"b\":" T("F16", "[1]", "[8,10]") "}";

Test(runtime_malformed, truncated_at_every_byte) {
    guard all = file_of(whole, strlen(whole), 10);
    rnnc_error error = {.message = ""};
    cr_assert_eq(open_bytes(all.data, all.size, &error), RNNC_OK, "%s", error.message);
    for (size_t size = 0; size < all.size; size++) {
        guard part = guard_make(size ? size : 1, 0);
        memcpy(part.data, all.data, size);
        cr_expect_eq(open_bytes(part.data, size, &error), RNNC_ERR_FORMAT, "%zu bytes", size);
        guard_free(&part);
    }
    guard_free(&all);
}

/* Every byte changed in a few ways: no crash, and what is accepted can be read. */
Test(runtime_malformed, every_byte_changed) {
    guard f = file_of(whole, strlen(whole), 10);
    unsigned char *const bytes = f.data;
    for (size_t i = 0; i < f.size; i++)
        for (unsigned flip = 1; flip < 256; flip = flip * 2 + 1) {
            bytes[i] ^= (unsigned char)flip;
            rnnc_safetensors *file;
            if (rnnc_safetensors_open_memory(bytes, f.size, &file, NULL) == RNNC_OK) {
                const rnnc_entry *entry;
                for (size_t j = 0; (entry = rnnc_safetensors_get(file, j)) != NULL; j++) {
                    float values[16];
                    size_t count;
                    cr_assert_eq(rnnc_tensor_count(&entry->tensor, &count), RNNC_OK);
                    cr_assert_leq(count, 10);
                    rnnc_safetensors_read_f32(file, entry->name, values, count, NULL);
                }
                rnnc_safetensors_close(file);
            }
            bytes[i] ^= (unsigned char)flip;
        }
    guard_free(&f);
}

Test(runtime_malformed, header_lengths) {
    static const struct {
        uint64_t length;
        const char *says;
    } lengths[] = {{UINT64_MAX, "longer than the limit"},
                   {UINT64_MAX - 7, "longer than the limit"},
                   {(uint64_t)1 << 63, "longer than the limit"},
                   {2000001, "longer than the limit of 2000000"},
                   {2000000, "beyond the end"},
                   {11, "beyond the end"},
                   {0, "does not begin with {"},
                   {1, "header, byte"},
                   {9, "header, byte"}};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        guard f = file_of("{        }", 10, 0);
        memcpy(f.data, &lengths[i].length, 8);
        rnnc_error error = {.message = ""};
        cr_expect_eq(open_bytes(f.data, f.size, &error), RNNC_ERR_FORMAT);
        cr_expect(strstr(error.message, lengths[i].says), "%s", error.message);
        guard_free(&f);
    }
}

/* Whole headers of the longest kind: what a child process that opens one needs. */
Test(runtime_malformed, long_headers) {
    enum { LIMIT = 2000000 };
    static const struct {
        const char *begin, *item, *end; /* the item has its number where %x is */
        int valid;
    } headers[] = {
        {"{", "\"%x\":" T("F32", "[0]", "[0,0]"), "}", 1},
        {"{\"__metadata__\":{", "\"%x\":\"\"", "}}", 1},
        {"{\"a\":{\"shape\":[", "1", "]}}", 0},
        {"{\"a\":[", "{}", "]}", 0},
        {"{\"a\":[", "[]", "]}", 0},
        {"{\"a\":{", "\"%x\":{}", "}}", 0},
        {"{", "\"%x\":{}", "}", 0},
        {"{", "\"%x\":{\"\":[]}", "}", 0},
    };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        guard f = guard_make(8 + LIMIT, 0);
        char *const text = (char *)f.data + 8;
        size_t used = strlen(headers[i].begin), room = LIMIT - 100;
        memcpy(f.data, &(uint64_t){LIMIT}, 8);
        memset(text, ' ', LIMIT);
        memcpy(text, headers[i].begin, used);
        for (unsigned n = 0; used < room; n++) {
            char item[100];
            const int length = snprintf(item, sizeof item, headers[i].item, n);
            text[used] = ',';
            used += n > 0;
            memcpy(text + used, item, (size_t)length);
            used += (size_t)length;
        }
        memcpy(text + used, headers[i].end, strlen(headers[i].end));
        fflush(NULL);
        const pid_t child = fork();
        if (child == 0) {
            struct rusage before, after;
            getrusage(RUSAGE_SELF, &before);
            const rnnc_status status = open_bytes(f.data, f.size, NULL);
            getrusage(RUSAGE_SELF, &after);
            const int fine = (status == RNNC_OK) == headers[i].valid &&
                             (sanitized() || after.ru_maxrss - before.ru_maxrss <= 100000) &&
                             after.ru_utime.tv_sec < 3;
            _exit(fine ? 0 : 1);
        }
        int result = -1;
        cr_assert_eq(waitpid(child, &result, 0), child);
        cr_expect_eq(result, 0, "%s %s", headers[i].begin, headers[i].item);
        guard_free(&f);
    }
}

/* Megabytes of opening brackets: refused before a parser can recurse into them. */
Test(runtime_malformed, json_bombs) {
    static const char *const openings[] = {"[", "{\"a\":", "[{\"a\":", "{\"a\":["};
    static const char start[5] = {'{', '"', 'a', '"', ':'};
    enum { TIMES = 250000 };
    for (size_t i = 0; i < sizeof openings / sizeof openings[0]; i++) {
        const size_t each = strlen(openings[i]), length = 5 + each * TIMES;
        char *const header = malloc(length);
        memcpy(header, start, sizeof start);
        for (size_t j = 0; j < TIMES; j++)
            memcpy(header + 5 + j * each, openings[i], each);
        guard f = file_of(header, length, 0);
        rnnc_error error = {.message = ""};
        cr_expect_eq(open_bytes(f.data, f.size, &error), RNNC_ERR_FORMAT);
        cr_expect(strstr(error.message, "nests deeper"), "%s", error.message);
        guard_free(&f);
        free(header);
    }
}

/* A name that would break a line-by-line report, or fill it. */
Test(runtime_malformed, names_in_messages) {
    char header[6000];
    const int n = snprintf(header, sizeof header, "{\"x\\n\\u001b\\u007f[31m%05000d\":[]}", 0);
    guard f = file_of(header, (size_t)n, 0);
    rnnc_error error = {.message = ""};
    cr_assert_eq(open_bytes(f.data, f.size, &error), RNNC_ERR_FORMAT);
    cr_assert(strstr(error.message, "\"x???[31m000") && strstr(error.message, "000...\" is not"),
              "%s", error.message);
    guard_free(&f);
}
