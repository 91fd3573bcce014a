/* host.cpu */
#define _DEFAULT_SOURCE
#include "host.h"

#include <lauxlib.h>
#include <unistd.h>

static void set_flag(lua_State *L, const char *name, int value) {
    lua_pushboolean(L, value != 0);
    lua_setfield(L, -2, name);
}

/* Bytes of a cache, absent where the system does not tell. */
static void set_size(lua_State *L, const char *name, long size) {
    if (size <= 0)
        return;
    lua_pushinteger(L, size);
    lua_setfield(L, -2, name);
}

/* host.cpu() -> {avx2=, fma=, avx512=, neon= (booleans), l1d=, l2=, l3= (bytes, may be absent)}.
 * avx512 is F, BW, DQ and VL together, which is what rnnc's avx512 code needs. The compiler's
 * __builtin_cpu_supports also asks the system (xgetbv) whether it saves the wide registers.
 * [ -> cpu] */
int host_cpu(lua_State *L) {
    lua_createtable(L, 0, 7);
#if defined(__x86_64__) || defined(__i386__)
    __builtin_cpu_init();
    set_flag(L, "avx2", __builtin_cpu_supports("avx2"));
    set_flag(L, "fma", __builtin_cpu_supports("fma"));
    set_flag(L, "avx512",
             __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"));
    set_flag(L, "neon", 0);
#else
    set_flag(L, "avx2", 0);
    set_flag(L, "fma", 0);
    set_flag(L, "avx512", 0);
#if defined(__aarch64__) || defined(__ARM_NEON)
    set_flag(L, "neon", 1);
#else
    set_flag(L, "neon", 0);
#endif
#endif
    set_size(L, "l1d", sysconf(_SC_LEVEL1_DCACHE_SIZE));
    set_size(L, "l2", sysconf(_SC_LEVEL2_CACHE_SIZE));
    set_size(L, "l3", sysconf(_SC_LEVEL3_CACHE_SIZE));
    return 1;
}
