/* host.zip: archives of others, read in memory. */
#include "host.h"

#include <lauxlib.h>
#include <string.h>
#include <zip.h>

#define ARCHIVE_TYPE "rnnc.zip"

/* A member may be larger than what is stored of it by that factor, if it is larger than a megabyte:
 * numbers of a network do not shrink like that, and what does would fill the memory. */
enum { RATIO_MAX = 64, FREE_SIZE = 1 << 20, MEMBERS_MAX = 65536 };

/* What a member takes beside its bytes and twice its name: its two headers (APPNOTE 4.3.7, 4.3.12);
 * and an archive beside its members (4.3.16). */
enum { MEMBER_HEADERS = 30 + 46, ARCHIVE_END = 22 };

static zip_t *check_archive(lua_State *L) {
    zip_t **const archive = luaL_checkudata(L, 1, ARCHIVE_TYPE);
    luaL_argcheck(L, *archive, 1, "the archive is closed");
    return *archive;
}

/* Why a member cannot be read, or NULL. */
static const char *refusal(const zip_stat_t *member) {
    if (!(member->valid & ZIP_STAT_NAME) || !(member->valid & ZIP_STAT_SIZE) ||
        !(member->valid & ZIP_STAT_COMP_SIZE) || !(member->valid & ZIP_STAT_COMP_METHOD))
        return "it has no name or no size";
    if ((member->valid & ZIP_STAT_ENCRYPTION_METHOD) && member->encryption_method != ZIP_EM_NONE)
        return "it is encrypted";
    if (member->comp_method != ZIP_CM_STORE && member->comp_method != ZIP_CM_DEFLATE)
        return "it is neither stored nor deflated";
    if (member->comp_method == ZIP_CM_STORE && member->size != member->comp_size)
        return "its two sizes differ, although it is stored";
    if (member->size > FREE_SIZE && member->size / RATIO_MAX > member->comp_size)
        return "it would be more than 64 times as large as what is stored of it";
    return NULL;
}

/* archive:list() -> {{name=, size= (bytes)}, ...} in the order of the archive.  [archive -> list]
 */
static int list(lua_State *L) {
    zip_t *const archive = check_archive(L);
    const zip_int64_t count = zip_get_num_entries(archive, 0);
    lua_createtable(L, (int)count, 0);
    for (zip_int64_t i = 0; i < count; i++) {
        zip_stat_t member;
        if (zip_stat_index(archive, (zip_uint64_t)i, 0, &member) != 0)
            return luaL_error(L, "member %d is gone", (int)i);
        lua_createtable(L, 0, 2);
        lua_pushstring(L, member.name);
        lua_setfield(L, -2, "name");
        lua_pushinteger(L, (lua_Integer)member.size);
        lua_setfield(L, -2, "size");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* Reads all of a member to `to`; 0 if it is not that long, or not what its checksum says. */
static int read_all(zip_file_t *file, char *to, zip_uint64_t size) {
    char more;
    zip_uint64_t used = 0;
    while (used < size) {
        const zip_int64_t got = zip_fread(file, to + used, size - used);
        if (got <= 0)
            return 0;
        used += (zip_uint64_t)got;
    }
    return zip_fread(file, &more, 1) == 0; /* the checksum is compared at the end */
}

/* archive:read(name) -> the bytes of a member.  [archive, name -> bytes | fail, message] */
static int read_member(lua_State *L) {
    zip_t *const archive = check_archive(L);
    const char *const name = luaL_checkstring(L, 2);
    const zip_int64_t index = zip_name_locate(archive, name, 0);
    zip_stat_t member;
    luaL_Buffer buffer;
    if (index < 0 || zip_stat_index(archive, (zip_uint64_t)index, 0, &member) != 0) {
        luaL_pushfail(L);
        lua_pushfstring(L, "there is no %s in the archive", name);
        return 2;
    }
    char *const to = luaL_buffinitsize(L, &buffer, (size_t)member.size + 1);
    zip_file_t *const file = zip_fopen_index(archive, (zip_uint64_t)index, 0);
    const int fine = file && read_all(file, to, member.size);
    if (file)
        zip_fclose(file);
    if (fine) {
        luaL_pushresultsize(&buffer, (size_t)member.size);
        return 1;
    }
    luaL_pushfail(L);
    lua_pushfstring(L, "%s in the archive is damaged: its bytes are not those of its header", name);
    return 2;
}

static int close_archive(lua_State *L) {
    zip_t **const archive = luaL_checkudata(L, 1, ARCHIVE_TYPE);
    if (*archive)
        zip_discard(*archive);
    *archive = NULL;
    return 0;
}

static const luaL_Reg methods[] = {
    {"list", list}, {"read", read_member}, {"__gc", close_archive}, {NULL, NULL}};

/* A handle without an archive.  [ -> archive] */
static zip_t **push_archive(lua_State *L) {
    /* The bytes go into its user value, so that they live as long. */
    zip_t **const archive = lua_newuserdatauv(L, sizeof *archive, 1);
    *archive = NULL;
    if (luaL_newmetatable(L, ARCHIVE_TYPE)) {
        luaL_setfuncs(L, methods, 0);
        lua_pushvalue(L, -1);
        lua_setfield(L, -2, "__index");
    }
    lua_setmetatable(L, -2);
    return archive;
}

/* Pushes why an archive of `size` bytes is refused; 0: it is not.  [ -> message?] */
static int push_refusal(lua_State *L, zip_t *archive, size_t size) {
    const zip_int64_t count = zip_get_num_entries(archive, 0);
    if (count > MEMBERS_MAX) {
        lua_pushfstring(L, "an archive of more than %d members", MEMBERS_MAX);
        return 1;
    }
    zip_uint64_t room = size < ARCHIVE_END ? 0 : size - ARCHIVE_END;
    for (zip_int64_t i = 0; i < count; i++) {
        zip_stat_t member;
        const char *const why = zip_stat_index(archive, (zip_uint64_t)i, 0, &member) == 0
                                    ? refusal(&member)
                                    : "it has no header";
        if (why) {
            lua_pushfstring(L, "member %d of the archive cannot be read: %s", (int)i + 1, why);
            return 1;
        }
        const zip_uint64_t headers = MEMBER_HEADERS + 2 * strlen(member.name);
        if (headers > room || member.comp_size > room - headers) {
            lua_pushstring(L, "members of the archive overlap: together they are larger than it");
            return 1;
        }
        room -= headers + member.comp_size;
    }
    return 0;
}

/* host.zip(bytes) -> the archive with list() and read(name). Every member is one that can be read:
 * stored or deflated, not encrypted, under a name of its own, at most 64 times as large as what is
 * stored of it (or a megabyte), and all of them together fit into the archive.
 * [bytes -> archive | fail, message] */
int host_zip(lua_State *L) {
    size_t size;
    const char *const bytes = luaL_checklstring(L, 1, &size);
    zip_t **const archive = push_archive(L);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *const source = zip_source_buffer_create(bytes, size, 0, &error);
    if (source && !(*archive = zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error)))
        zip_source_free(source);
    if (!*archive) {
        luaL_pushfail(L);
        lua_pushfstring(L, "no zip archive that can be read: %s; it is damaged or cut off",
                        zip_error_strerror(&error));
    }
    zip_error_fini(&error);
    if (!*archive)
        return 2;
    if (push_refusal(L, *archive, size)) {
        luaL_pushfail(L);
        lua_insert(L, -2);
        return 2;
    }
    return 1;
}
