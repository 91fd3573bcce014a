/* host.floats, host.strided: tensors of foreign files as bytes, little-endian float32 in row-major
 * order, which is what a safetensors file has. */
#include "host.h"
#include "rnnc.h"

#include <lauxlib.h>
#include <string.h>

/* host.floats(list) -> the numbers of the list, rounded to float32, as bytes; nil: an entry is no
 * number.  [list -> bytes | fail] */
int host_floats(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    const size_t count = (size_t)lua_rawlen(L, 1);
    luaL_Buffer buffer;
    char *const bytes = luaL_buffinitsize(L, &buffer, count * sizeof(float));
    for (size_t i = 0; i < count; i++) {
        const int is_number = lua_rawgeti(L, 1, (lua_Integer)i + 1) == LUA_TNUMBER;
        const float value = (float)lua_tonumber(L, -1);
        lua_pop(L, 1);
        if (!is_number) {
            luaL_pushfail(L);
            return 1;
        }
        memcpy(bytes + i * sizeof value, &value, sizeof value);
    }
    luaL_pushresultsize(&buffer, count * sizeof(float));
    return 1;
}

/* The integers of the list at `index`, at most RNNC_MAX_RANK; how many, or -1. */
static int read_list(lua_State *L, int index, lua_Integer to[RNNC_MAX_RANK]) {
    luaL_checktype(L, index, LUA_TTABLE);
    const lua_Unsigned count = lua_rawlen(L, index);
    if (count > RNNC_MAX_RANK)
        return -1;
    for (lua_Unsigned i = 0; i < count; i++) {
        lua_rawgeti(L, index, (lua_Integer)i + 1);
        to[i] = luaL_checkinteger(L, -1);
        lua_pop(L, 1);
    }
    return (int)count;
}

/* host.strided(bytes, dtype, offset, shape, strides) -> the elements of a view as float32 in
 * row-major order; dtype "F32", "F64", "F16", "BF16", offset and strides in elements. fail: an
 * element lies outside `bytes`, the rank is more than 8, or the view has more elements than
 * `bytes`. [bytes, dtype, offset, shape, strides -> bytes | fail] */
int host_strided(lua_State *L) {
    static const char *const names[] = {"F32", "F64", "F16", "BF16", NULL};
    static const rnnc_dtype dtypes[] = {RNNC_F32, RNNC_F64, RNNC_F16, RNNC_BF16};
    size_t size;
    const char *const bytes = luaL_checklstring(L, 1, &size);
    const rnnc_dtype dtype = dtypes[luaL_checkoption(L, 2, NULL, names)];
    const lua_Integer offset = luaL_checkinteger(L, 3);
    lua_Integer sizes[RNNC_MAX_RANK], steps[RNNC_MAX_RANK];
    const int rank = read_list(L, 4, sizes), steps_count = read_list(L, 5, steps);
    size_t shape[RNNC_MAX_RANK], count = 0;
    ptrdiff_t stride[RNNC_MAX_RANK];
    int fits = rank >= 0 && steps_count == rank && offset >= 0;
    for (int i = 0; fits && i < rank; i++) {
        fits = sizes[i] >= 0;
        shape[i] = (size_t)sizes[i];
        stride[i] = (ptrdiff_t)steps[i];
    }
    rnnc_tensor from, to;
    /* A stride of 0 repeats elements: a view that is larger than its memory is none of weights. */
    if (fits &&
        rnnc_tensor_make_strided(&from, dtype, rank, shape, stride, (size_t)offset, (void *)bytes,
                                 size) == RNNC_OK &&
        rnnc_tensor_count(&from, &count) == RNNC_OK && count <= size) {
        luaL_Buffer buffer;
        char *const result = luaL_buffinitsize(L, &buffer, count * sizeof(float) + 1);
        if (rnnc_tensor_make(&to, RNNC_F32, rank, shape, result, count * sizeof(float)) ==
                RNNC_OK &&
            rnnc_tensor_copy(&to, &from) == RNNC_OK) {
            luaL_pushresultsize(&buffer, count * sizeof(float));
            return 1;
        }
    }
    luaL_pushfail(L);
    return 1;
}
