/* host.sandbox: runs a spec in a Lua state of its own, within limits. */
#define _POSIX_C_SOURCE 200809L
#include "host.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A spec is a few lines. The limits leave room for thousands of times that, and stop what is not a
 * spec within a second: 10 million instructions take about 0.1 s. A function in C is not stopped by
 * them, but with so little memory it soon comes to an end; the clock, looked at every HOOK_STEPS
 * instructions, is for a spec that calls many slow ones. */
enum { MEMORY_MAX = 4 << 20, STEPS_MAX = 10000000, HOOK_STEPS = 100 };
static const double seconds_max = 0.5;

/* What is copied out of the state. */
enum { DEPTH_MAX = 8, AS_KEY = DEPTH_MAX + 1, ENTRIES_MAX = 4096 };

/* The arguments of host.sandbox with the values of --define, and with the rows of constructors. */
enum { DEFINED = 3, CONSTRUCTORS };

#define SPEC_CHUNK "=spec"
#define STATE_TYPE "rnnc.spec_state"
#define OPAQUE_TYPE "rnnc.opaque"

/* The spec's state with what it has used. Userdata of the compiler's state, so that it is closed
 * whatever happens. */
typedef struct spec_state {
    lua_State *L;
    size_t memory;
    long steps;
    double start;   /* CPU seconds of this thread */
    int error_line; /* where the last error was raised; 0: not known */
} spec_state;

static double cpu_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* lua_Alloc with a limit on what is allocated at a time. */
static void *allocate(void *user, void *block, size_t old_size, size_t size) {
    spec_state *const s = user;
    const size_t before = block ? old_size : 0;
    if (size == 0) {
        free(block);
        s->memory -= before;
        return NULL;
    }
    if (size > before && size - before > MEMORY_MAX - s->memory)
        return NULL;
    void *const moved = realloc(block, size);
    if (moved)
        s->memory = s->memory - before + size;
    return moved;
}

static spec_state *owner(lua_State *L) {
    void *user;
    lua_getallocf(L, &user);
    return user;
}

/* The line of the spec that runs, seen from any function that it called; 0 if none does. */
static int spec_line(lua_State *L) {
    lua_Debug frame;
    for (int level = 0; lua_getstack(L, level, &frame); level++)
        if (lua_getinfo(L, "Sl", &frame) && strcmp(frame.source, SPEC_CHUNK) == 0)
            return frame.currentline;
    return 0;
}

static void count_steps(lua_State *L, lua_Debug *frame) {
    (void)frame;
    spec_state *const s = owner(L);
    s->steps += HOOK_STEPS;
    if (s->steps > STEPS_MAX)
        luaL_error(L, "the spec is still running after %d million steps; is there an endless loop?",
                   STEPS_MAX / 1000000);
    if (cpu_seconds() - s->start > seconds_max)
        luaL_error(L, "the spec takes too long; it should only compute a few sizes");
}

/* Message handler: notes the line. An error that is no text becomes one.  [error -> text] */
static int note_line(lua_State *L) {
    owner(L)->error_line = spec_line(L);
    if (lua_type(L, 1) != LUA_TSTRING)
        lua_pushfstring(L, "the spec raised an error that is not a text (%s)", luaL_typename(L, 1));
    return 1;
}

/* For the error on top of s->L: what is wrong and where; line 0: where is not known, nil: nowhere
 * in particular.  to: [ -> fail, message, line | nil] */
static int push_error(lua_State *to, spec_state *s, int status) {
    const char *text = lua_type(s->L, -1) == LUA_TSTRING ? lua_tostring(s->L, -1) : "unknown";
    /* Lua's string buffers say in words that memory is out. */
    const int memory_out = status == LUA_ERRMEM || strcmp(text, "not enough memory") == 0;
    luaL_pushfail(to);
    if (memory_out) {
        lua_pushfstring(to,
                        "the spec uses more than %d MB of memory; is there an endless recursion or "
                        "a huge text?",
                        MEMORY_MAX >> 20);
    } else {
        /* "spec:3: ..." or "sandbox:12: ...": where the error was raised, in front of the text. */
        const size_t name = strcspn(text, ":");
        const int own = strncmp(text, "spec:", 5) == 0 || strncmp(text, "sandbox:", 8) == 0;
        const size_t digits = own ? strspn(text + name + 1, "0123456789") : 0;
        if (digits > 0 && strncmp(text + name + 1 + digits, ": ", 2) == 0) {
            if (s->error_line == 0 && text[1] == 'p')
                s->error_line = atoi(text + name + 1);
            text += name + 1 + digits + 2;
        }
        lua_pushstring(to, text);
    }
    if (memory_out && s->error_line == 0)
        lua_pushnil(to);
    else
        lua_pushinteger(to, s->error_line);
    return 3;
}

static int copy(lua_State *from, int index, lua_State *to, int depth, int *entries);

/* Everything in the spec's state up to the spec itself; `guard` is the text of sandbox.lua, as
 * light userdata and its size; `host` the compiler's state, whose values DEFINED and CONSTRUCTORS
 * it gets.  [guard, size, host -> environment, finish] */
static int open_environment(lua_State *L) {
    static const luaL_Reg libraries[] = {{LUA_GNAME, luaopen_base},
                                         {LUA_STRLIBNAME, luaopen_string},
                                         {LUA_TABLIBNAME, luaopen_table},
                                         {LUA_MATHLIBNAME, luaopen_math},
                                         {NULL, NULL}};
    const char *const guard = lua_touserdata(L, 1);
    const size_t size = (size_t)lua_tointeger(L, 2);
    for (const luaL_Reg *library = libraries; library->func; library++) {
        luaL_requiref(L, library->name, library->func, 1);
        lua_pop(L, 1);
    }
    if (luaL_loadbufferx(L, guard, size, "=sandbox", "t") != LUA_OK)
        return lua_error(L);
    int entries = 0;
    if (!copy(lua_touserdata(L, 3), DEFINED, L, 0, &entries))
        return luaL_error(L, "too many values are defined");
    entries = 0;
    if (!copy(lua_touserdata(L, 3), CONSTRUCTORS, L, 0, &entries))
        return luaL_error(L, "too many constructors");
    lua_call(L, 2, 2);
    return 2;
}

/* Runs the spec; its fields are left on top of the stack of s->L, or an error. */
static int run_spec(spec_state *s, const char *text, size_t size, const char *guard,
                    size_t guard_size, lua_State *host) {
    lua_State *const L = s->L;
    lua_pushcfunction(L, note_line);
    lua_pushcfunction(L, open_environment);
    lua_pushlightuserdata(L, (void *)guard);
    lua_pushinteger(L, (lua_Integer)guard_size);
    lua_pushlightuserdata(L, host);
    int status = lua_pcall(L, 3, 2, 1);
    if (status != LUA_OK)
        return status;
    status = luaL_loadbufferx(L, text, size, SPEC_CHUNK, "t");
    if (status != LUA_OK)
        return status;
    lua_pushvalue(L, 2);
    lua_setupvalue(L, -2, 1);
    lua_sethook(L, count_steps, LUA_MASKCOUNT, HOOK_STEPS);
    status = lua_pcall(L, 0, LUA_MULTRET, 1);
    if (status != LUA_OK)
        return status;
    /* environment, finish, results... -> finish(count, first result) */
    const int count = lua_gettop(L) - 3;
    lua_settop(L, 4);
    lua_pushinteger(L, count);
    lua_insert(L, 4);
    return lua_pcall(L, 2, 1, 1);
}

/* Pushes on `to` a copy of the value at `index` of `from`: numbers, texts, booleans and tables of
 * them. Anything else, a table as a key too, becomes a table {kind = its type} with the metatable
 * OPAQUE_TYPE. 0 if it is too deep or too large. */
static int copy(lua_State *from, int index, lua_State *to, int depth, int *entries) {
    size_t size;
    const char *text;
    switch (lua_type(from, index)) {
    case LUA_TBOOLEAN:
        lua_pushboolean(to, lua_toboolean(from, index));
        return 1;
    case LUA_TNUMBER:
        if (lua_isinteger(from, index))
            lua_pushinteger(to, lua_tointeger(from, index));
        else
            lua_pushnumber(to, lua_tonumber(from, index));
        return 1;
    case LUA_TSTRING:
        text = lua_tolstring(from, index, &size);
        lua_pushlstring(to, text, size);
        return 1;
    case LUA_TTABLE:
        if (depth != AS_KEY)
            break;
        /* fall through */
    default:
        lua_createtable(to, 0, 1);
        lua_pushstring(to, lua_typename(from, lua_type(from, index)));
        lua_setfield(to, -2, "kind");
        luaL_newmetatable(to, OPAQUE_TYPE);
        lua_setmetatable(to, -2);
        return 1;
    }
    if (depth == DEPTH_MAX)
        return 0;
    luaL_checkstack(to, 4, NULL);
    if (!lua_checkstack(from, 4))
        return 0;
    lua_newtable(to);
    lua_pushnil(from);
    while (lua_next(from, index)) {
        const int value = lua_gettop(from);
        if (++*entries > ENTRIES_MAX || !copy(from, value - 1, to, AS_KEY, entries) ||
            !copy(from, value, to, depth + 1, entries))
            return 0;
        lua_rawset(to, -3);
        lua_settop(from, value - 1);
    }
    return 1;
}

static int close_state(lua_State *L) {
    spec_state *const s = luaL_checkudata(L, 1, STATE_TYPE);
    if (s->L)
        lua_close(s->L);
    s->L = NULL;
    return 0;
}

/* host.sandbox(text, guard, defined, constructors) -> the fields that the spec gives to `rnn`, as
 * plain data. `guard` is the text of sandbox.lua, `defined` a table of what `define` has in the
 * spec, `constructors` the rows of constructors.lua. What is neither number, text, boolean nor
 * table becomes {kind = "function"} with a metatable. After a failure: what is wrong, and the line
 * if it is known. The same text gives the same result, except that a very slow one may or may not
 * be stopped by the clock.  [text, guard, defined, constructors -> fields | fail, message, line?]
 */
int host_sandbox(lua_State *L) {
    size_t size, guard_size;
    const char *const text = luaL_checklstring(L, 1, &size);
    const char *const guard = luaL_checklstring(L, 2, &guard_size);
    luaL_checktype(L, DEFINED, LUA_TTABLE);
    luaL_checktype(L, CONSTRUCTORS, LUA_TTABLE);
    lua_settop(L, CONSTRUCTORS);
    spec_state *const s = lua_newuserdatauv(L, sizeof *s, 0);
    memset(s, 0, sizeof *s);
    if (luaL_newmetatable(L, STATE_TYPE)) {
        lua_pushcfunction(L, close_state);
        lua_setfield(L, -2, "__gc");
        lua_pushcfunction(L, close_state);
        lua_setfield(L, -2, "__close");
    }
    lua_setmetatable(L, -2);
    lua_toclose(L, CONSTRUCTORS + 1);
    s->start = cpu_seconds();
    s->L = lua_newstate(allocate, s);
    if (!s->L)
        return luaL_error(L, "not enough memory");
    const int status = run_spec(s, text, size, guard, guard_size, L);
    if (status != LUA_OK)
        return push_error(L, s, status);
    lua_sethook(s->L, NULL, 0, 0);
    int entries = 0;
    if (copy(s->L, lua_gettop(s->L), L, 0, &entries))
        return 1;
    luaL_pushfail(L);
    lua_pushfstring(L, "the table is nested deeper than %d or has more than %d entries", DEPTH_MAX,
                    ENTRIES_MAX);
    return 2;
}
