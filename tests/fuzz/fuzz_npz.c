/* Any bytes as an .npz archive with a recorded case. Of odd inputs they choose headers and values
 * of the arrays of a sound archive, so that much of what comes out is read to its end. */
#define _POSIX_C_SOURCE 200809L
#include "archive.h"
#include "import.h"

#include <string.h>

static const char *const pieces[] = {
    "{'descr': '<f4', 'fortran_order': False, 'shape': (",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (",
    "{'descr': '<i4', 'fortran_order': True, 'shape': (",
    "{'descr': '|b1', 'fortran_order': False, 'shape': (",
    "{'descr': '",
    "<f2",
    "|u1",
    "<i8",
    "|O",
    "', 'fortran_order': ",
    "True",
    "False",
    ", 'shape': (",
    "), }",
    ")}",
    "1, ",
    "2, ",
    "0, ",
    "3",
    "99999999999",
    ",",
    " ",
    "\n",
    "'",
    "{",
    "}",
};

enum { ARRAYS = 3, HEADER_MOST = 4096, ARRAY_MOST = HEADER_MOST + 300 };

static const char *const names[ARRAYS] = {"x.npy", "y.npy", "weight_ih_l0.npy"};

/* An array from the bytes: the version, pieces of its header up to a byte of 255, the number of its
 * values' bytes. Returns its size. */
static size_t array(const uint8_t **at, const uint8_t *end, char *to) {
    char header[HEADER_MOST] = "";
    size_t length = 0;
    const unsigned version = *at < end ? *(*at)++ % 4u : 1u;
    for (; *at < end && **at != 255; ++*at) {
        const char *const piece = pieces[**at % (sizeof pieces / sizeof *pieces)];
        if (length + strlen(piece) >= sizeof header)
            break;
        memcpy(header + length, piece, strlen(piece));
        length += strlen(piece);
    }
    *at += *at < end;
    const size_t values = *at < end ? *(*at)++ : 0, width = version == 1 ? 2 : 4;
    memcpy(to, "\x93NUMPY", 6);
    to[6] = (char)version;
    to[7] = 0;
    for (size_t i = 0; i < width; i++)
        to[8 + i] = (char)(length >> 8 * i & 255);
    memcpy(to + 8 + width, header, length);
    memset(to + 8 + width + length, 1, values);
    return 8 + width + length + values;
}

/* require("import.npz").from_bytes(name, bytes), and the safetensors file that it gives is opened.
 * [name, bytes -> ] */
static int read_arrays(lua_State *L) {
    lua_getglobal(L, "require");
    lua_pushstring(L, "import.npz");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "from_bytes");
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    lua_call(L, 2, 1);
    lua_getglobal(L, "require");
    lua_pushstring(L, "weights.weights");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "open");
    lua_pushvalue(L, 1);
    lua_pushvalue(L, -4);
    lua_call(L, 2, 1);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0 || data[0] % 2 == 0) {
        fuzz_call(read_arrays, "fuzz.npz", data, size);
        return 0;
    }
    static char bytes[ARRAYS][ARRAY_MOST];
    archive_member members[ARRAYS];
    const uint8_t *at = data + 1, *const end = data + size;
    uint32_t count = 0;
    for (; count < ARRAYS && at < end; count++) {
        const size_t length = array(&at, end, bytes[count]);
        members[count] = (archive_member){names[count], bytes[count], length};
    }
    size_t length;
    char *const archive = archive_of(members, count, &length);
    fuzz_call(read_arrays, "fuzz.npz", archive, length);
    free(archive);
    return 0;
}
