/* host.template, host.resource, host.read, host.exists, host.head, host.file_kind, host.write,
 * host.temporary, host.remove_tree */
#define _POSIX_C_SOURCE 200809L
#include "cleanup.h"
#include "files.h"
#include "host.h"
#include "resources.h"
#include "rnnc.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Larger than any spec or report; weights are read by the runtime. */
enum { READ_MAX = 64 << 20 };

static int push_resource(lua_State *L, const char *name) {
    size_t size;
    errno = 0;
    char *const text = resource_read(name, &size);
    if (!text && errno == ENOMEM)
        return host_unable(L, "there is not enough memory for this");
    if (!text)
        return luaL_error(L, "there is no %s in rnnc", name);
    lua_pushlstring(L, text, size);
    free(text);
    return 1;
}

/* host.template("gemv.c.t") -> its text.  [name -> text] */
int host_template(lua_State *L) {
    lua_pushfstring(L, "templates/%s", luaL_checkstring(L, 1));
    return push_resource(L, lua_tostring(L, -1));
}

/* host.resource("runtime/rnnc.h") -> the text of a file of rnnc.  [name -> text] */
int host_resource(lua_State *L) { return push_resource(L, luaL_checkstring(L, 1)); }

/* host.read(path [, max]) -> the bytes of a file of at most `max` (64 MB).
 * [path, max? -> text | fail, message] */
int host_read(lua_State *L) {
    const char *const path = luaL_checkstring(L, 1);
    const lua_Integer max = luaL_optinteger(L, 2, READ_MAX);
    char message[FILES_MESSAGE];
    size_t size;
    char *const text = files_read(path, (size_t)max, &size, message);
    if (!text) {
        luaL_pushfail(L);
        lua_pushstring(L, message);
        return 2;
    }
    lua_pushlstring(L, text, size);
    free(text);
    return 1;
}

/* host.exists(path) -> is there anything of that name, a broken link included?
 * [path -> boolean] */
int host_exists(lua_State *L) {
    struct stat info;
    lua_pushboolean(L, lstat(luaL_checkstring(L, 1), &info) == 0);
    return 1;
}

/* host.file_kind(path) -> what an ordinary file looks like, see rnnc_file_kind; nil: unknown.
 * [path -> text | nil] */
int host_file_kind(lua_State *L) {
    const char *const path = luaL_checkstring(L, 1);
    struct stat info;
    FILE *const file = stat(path, &info) == 0 && S_ISREG(info.st_mode) ? fopen(path, "rb") : NULL;
    unsigned char bytes[1024];
    const size_t size = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (file)
        fclose(file);
    lua_pushstring(L, rnnc_file_kind(bytes, size));
    return 1;
}

/* host.head(path, count) -> the first bytes of a regular file, at most `count` (up to 4096); nil if
 * there is none by that name, or a link.  [path, count -> text | nil] */
int host_head(lua_State *L) {
    char bytes[4096];
    const lua_Integer count = luaL_checkinteger(L, 2);
    luaL_argcheck(L, count > 0 && count <= (lua_Integer)sizeof bytes, 2, "1 to 4096 bytes");
    const int fd = open(luaL_checkstring(L, 1), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat info;
    ssize_t got = -1;
    if (fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode))
        got = read(fd, bytes, (size_t)count);
    if (fd >= 0)
        close(fd);
    if (got < 0)
        luaL_pushfail(L);
    else
        lua_pushlstring(L, bytes, (size_t)got);
    return 1;
}

/* host.write(directory, {{name=, text=}, ...}) -> {{path=, changed=}, ...}: all of them or none,
 * see files_write. The only function that writes what a user asked for.
 * [directory, files -> written | fail, message] */
int host_write(lua_State *L) {
    const char *const directory = luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    const lua_Unsigned count = lua_rawlen(L, 2);
    /* Freed by Lua, also when an error is raised; the strings stay referred to by the argument. */
    output_file *const files = lua_newuserdatauv(L, (count + 1) * sizeof *files, 0);
    for (lua_Unsigned i = 0; i < count; i++) {
        lua_rawgeti(L, 2, (lua_Integer)i + 1);
        if (lua_getfield(L, -1, "name") != LUA_TSTRING ||
            lua_getfield(L, -2, "text") != LUA_TSTRING)
            return luaL_error(L, "file %d has no name or no text", (int)i + 1);
        files[i].name = lua_tostring(L, -2);
        if (!*files[i].name || strchr(files[i].name, '/'))
            return luaL_error(L, "'%s' is no name of a file", files[i].name);
        files[i].data = lua_tolstring(L, -1, &files[i].size);
        lua_pop(L, 3);
    }
    char message[FILES_MESSAGE];
    if (files_write(directory, count, files, message) != 0) {
        luaL_pushfail(L);
        lua_pushstring(L, message);
        return 2;
    }
    lua_createtable(L, (int)count, 0);
    for (lua_Unsigned i = 0; i < count; i++) {
        lua_createtable(L, 0, 2);
        if (strcmp(directory, ".") == 0)
            lua_pushstring(L, files[i].name);
        else
            lua_pushfstring(L, "%s/%s", directory, files[i].name);
        lua_setfield(L, -2, "path");
        lua_pushboolean(L, files[i].changed);
        lua_setfield(L, -2, "changed");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* host.temporary() -> the path of a new directory, which a signal that ends rnnc removes too; one
 * at a time.  [ -> path | fail, message] */
int host_temporary(lua_State *L) {
    char message[FILES_MESSAGE];
    char *const path = files_temporary(message);
    if (!path) {
        luaL_pushfail(L);
        lua_pushstring(L, message);
        return 2;
    }
    cleanup_directory(path);
    lua_pushstring(L, path);
    free(path);
    return 1;
}

/* host.remove_tree(path): removes a temporary directory.  [path -> ] */
int host_remove_tree(lua_State *L) {
    files_remove_tree(luaL_checkstring(L, 1));
    cleanup_directory(NULL);
    return 0;
}
