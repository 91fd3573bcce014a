/* host.hdf5: HDF5 files of others, read in memory by libhdf5, in a process of its own: a file that
 * is damaged may crash that library or keep it busy, which then ends that process alone. */
#include "host.h"

#include <lauxlib.h>

#ifndef RNNC_HDF5

/* host.hdf5(bytes) -> fail and a message: rnnc was built without libhdf5.  [bytes -> fail, message]
 */
int host_hdf5(lua_State *L) {
    luaL_checkstring(L, 1);
    luaL_pushfail(L);
    lua_pushliteral(L, "is an HDF5 file, and this rnnc was built without libhdf5; install "
                       "libhdf5-dev and build rnnc again");
    return 2;
}

#else

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Bounds of what is read: groups in groups, objects in all, characters of a path. */
enum { DEPTH_MAX = 12, OBJECTS_MAX = 20000, PATH_MAX_HERE = 512, RANK_MAX = 8 };

/* Of the process: seconds, and memory beside eight times the file. */
enum { SECONDS = 1, SECONDS_PER_GB = 20 };
#define MEMORY ((rlim_t)256 << 20)

/* What may come out beside twice the file's bytes. */
#define OUTPUT_MORE ((size_t)1 << 20)

/* ---- the library ---- */

/* Loaded only where a file needs it: with all that it is linked to, it takes longer than rnnc. */
#define FUNCTIONS(F)                                                                               \
    F(H5open)                                                                                      \
    F(H5Eset_auto2)                                                                                \
    F(H5PLset_loading_state)                                                                       \
    F(H5Pcreate)                                                                                   \
    F(H5Pset_fapl_core)                                                                            \
    F(H5Pset_file_image)                                                                           \
    F(H5Pget_external_count)                                                                       \
    F(H5Pget_layout)                                                                               \
    F(H5Pget_nfilters)                                                                             \
    F(H5Fopen)                                                                                     \
    F(H5Gopen2)                                                                                    \
    F(H5Oopen)                                                                                     \
    F(H5Oclose)                                                                                    \
    F(H5Iget_type)                                                                                 \
    F(H5Literate)                                                                                  \
    F(H5Aiterate2)                                                                                 \
    F(H5Aopen)                                                                                     \
    F(H5Aget_type)                                                                                 \
    F(H5Aget_space)                                                                                \
    F(H5Aread)                                                                                     \
    F(H5Tget_class)                                                                                \
    F(H5Tget_size)                                                                                 \
    F(H5Tis_variable_str)                                                                          \
    F(H5Sget_simple_extent_npoints)                                                                \
    F(H5Sget_simple_extent_ndims)                                                                  \
    F(H5Sget_simple_extent_dims)                                                                   \
    F(H5Dget_create_plist)                                                                         \
    F(H5Dget_type)                                                                                 \
    F(H5Dget_space)                                                                                \
    F(H5Dget_storage_size)                                                                         \
    F(H5Dread)

#define POINTER(name) __typeof__(&name) name;
static struct {
    FUNCTIONS(POINTER)
    const hid_t *file_access, *float32;
} h5;

/* 0 if it cannot be had. */
static int load(void) {
    if (h5.float32)
        return 1;
    void *const library = dlopen(RNNC_HDF5, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return 0;
    void *found;
    int complete = 1;
#define FIND(name)                                                                                 \
    found = dlsym(library, #name);                                                                 \
    memcpy(&h5.name, &found, sizeof found);                                                        \
    complete = complete && found;
    FUNCTIONS(FIND)
    h5.file_access = dlsym(library, "H5P_CLS_FILE_ACCESS_ID_g");
    if (!complete || !h5.file_access)
        return 0;
    h5.float32 = dlsym(library, "H5T_IEEE_F32LE_g");
    return h5.float32 != NULL;
}

/* ---- the process that reads ---- */

/* What it has read so far. */
typedef struct reading {
    int out;     /* where it writes its records */
    size_t left; /* floats that datasets may still have: there are no more than bytes in the file */
    int objects, depth;
    char path[PATH_MAX_HERE];
} reading;

static void put(reading *r, const void *data, size_t size) {
    const char *at = data;
    while (size > 0) {
        const ssize_t done = write(r->out, at, size);
        if (done < 0 && errno != EINTR)
            _exit(1);
        at += done > 0 ? done : 0;
        size -= done > 0 ? (size_t)done : 0;
    }
}

static void put_size(reading *r, uint64_t size) { put(r, &size, sizeof size); }

static void put_text(reading *r, const char *text, size_t size) {
    put_size(r, size);
    put(r, text, size);
}

/* Records: 'A' path, name, value of an attribute; 'T' path, rank, sizes, float32 of a dataset; 'S'
 * path, reason of one that is left out; 'Z' the end. Texts have their length in front. */
static void put_record(reading *r, char kind) {
    put(r, &kind, 1);
    put_text(r, r->path, strlen(r->path));
}

static void skip(reading *r, const char *reason) {
    put_record(r, 'S');
    put_text(r, reason, strlen(reason));
}

/* The text of an attribute that is one string, of fixed or any length; others are nothing here. */
static herr_t read_attribute(hid_t object, const char *name, const H5A_info_t *info, void *data) {
    reading *const r = data;
    (void)info;
    const hid_t attribute = h5.H5Aopen(object, name, H5P_DEFAULT);
    const hid_t type = h5.H5Aget_type(attribute), space = h5.H5Aget_space(attribute);
    if (attribute < 0 || type < 0 || space < 0 || h5.H5Tget_class(type) != H5T_STRING ||
        h5.H5Sget_simple_extent_npoints(space) != 1)
        return 0;
    char *text = NULL;
    size_t size = 0;
    if (h5.H5Tis_variable_str(type) > 0) {
        if (h5.H5Aread(attribute, type, &text) < 0 || !text)
            return 0;
        size = strlen(text);
    } else {
        size = h5.H5Tget_size(type);
        text = calloc(size + 1, 1);
        if (!text || h5.H5Aread(attribute, type, text) < 0)
            return 0;
        size = strnlen(text, size);
    }
    put_record(r, 'A');
    put_text(r, name, strlen(name));
    put_text(r, text, size);
    return 0;
}

/* Why a dataset is not read, or NULL. */
static const char *reason_against(hid_t set, hid_t type) {
    const hid_t list = h5.H5Dget_create_plist(set);
    if (list < 0)
        return "it has no description";
    if (h5.H5Tget_class(type) != H5T_FLOAT)
        return "it has no floats";
    if (h5.H5Pget_external_count(list) != 0 || h5.H5Pget_layout(list) == H5D_VIRTUAL)
        return "its values are in another file";
    if (h5.H5Pget_nfilters(list) != 0)
        return "it is compressed; h5repack -f NONE writes it as it is";
    return NULL;
}

static void read_dataset(reading *r, hid_t set) {
    const hid_t type = h5.H5Dget_type(set), space = h5.H5Dget_space(set);
    hsize_t sizes[RANK_MAX];
    const char *const reason =
        type < 0 || space < 0 ? "it has no type or no shape" : reason_against(set, type);
    const int rank = reason ? -1 : h5.H5Sget_simple_extent_ndims(space);
    if (reason || rank < 0 || rank > RANK_MAX ||
        h5.H5Sget_simple_extent_dims(space, sizes, NULL) < 0) {
        skip(r, reason ? reason : "it has no shape, or more than 8 axes");
        return;
    }
    size_t count = 1;
    for (int i = 0; i < rank; i++) {
        if (sizes[i] != 0 && count > r->left / sizes[i]) {
            skip(r, "it would be larger than the file");
            return;
        }
        count *= (size_t)sizes[i];
    }
    /* Where nothing is stored there would be zeros. */
    float *const values = malloc((count + 1) * sizeof *values);
    if (count > r->left || h5.H5Dget_storage_size(set) / h5.H5Tget_size(type) < count || !values ||
        h5.H5Dread(set, *h5.float32, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0) {
        skip(r, "its values are not in the file");
        free(values);
        return;
    }
    r->left -= count;
    put_record(r, 'T');
    put_size(r, (uint64_t)rank);
    for (int i = 0; i < rank; i++)
        put_size(r, sizes[i]);
    put_text(r, (const char *)values, count * sizeof *values);
    free(values);
}

static void read_object(reading *r, hid_t object);

/* A member of a group: links to other places, and to other files, are not followed. */
static herr_t read_link(hid_t group, const char *name, const H5L_info_t *info, void *data) {
    reading *const r = data;
    const size_t length = strlen(r->path), more = strlen(name) + 1;
    if (++r->objects > OBJECTS_MAX || r->depth == DEPTH_MAX || more > sizeof r->path - 1 - length)
        return -1;
    r->path[length] = '/';
    memcpy(r->path + length + (length > 0), name, more);
    if (info->type != H5L_TYPE_HARD) {
        skip(r, "it is a link to another place");
    } else {
        const hid_t object = h5.H5Oopen(group, name, H5P_DEFAULT);
        if (object >= 0) {
            r->depth++;
            read_object(r, object);
            r->depth--;
            h5.H5Oclose(object);
        } else {
            skip(r, "it cannot be opened");
        }
    }
    r->path[length] = '\0';
    return 0;
}

/* What optimizers keep is as large as the weights, and of no use. */
static int is_of_training(const char *path) {
    return strcmp(path, "optimizer_weights") == 0 || strcmp(path, "optimizer") == 0;
}

static void read_object(reading *r, hid_t object) {
    const H5I_type_t type = h5.H5Iget_type(object);
    if (type == H5I_DATASET) {
        read_dataset(r, object);
    } else if (type == H5I_GROUP && !is_of_training(r->path)) {
        hsize_t at = 0;
        h5.H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_NATIVE, &at, read_attribute, r);
        at = 0;
        if (h5.H5Literate(object, H5_INDEX_NAME, H5_ITER_INC, &at, read_link, r) < 0)
            skip(r, "it cannot be read to its end, or has too much in it");
    }
}

static void limit(int what, rlim_t value) {
    const struct rlimit both = {value, value};
    setrlimit(what, &both);
}

/* Sanitizers map far more memory than there is. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define BOUNDED 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define BOUNDED 0
#endif
#endif
#ifndef BOUNDED
#define BOUNDED 1
#endif

static void child(const char *bytes, size_t size, int out) {
    const int nothing = open("/dev/null", O_WRONLY);
    if (nothing >= 0)
        dup2(nothing, STDERR_FILENO); /* what the library has to say is of no use to users */
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
    signal(SIGFPE, SIG_DFL);
    signal(SIGABRT, SIG_DFL);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_CPU, SECONDS + (rlim_t)(size >> 30) * SECONDS_PER_GB);
    if (BOUNDED)
        limit(RLIMIT_AS, MEMORY + 8 * (rlim_t)size);
    reading r = {.out = out, .left = size};
    /* Identifiers have values from then on. Here, because it crashes where there is no memory. */
    if (h5.H5open() < 0)
        _exit(1);
    h5.H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    h5.H5PLset_loading_state(0); /* no code that a file asks for */
    const hid_t access = h5.H5Pcreate(*h5.file_access);
    if (access < 0 || h5.H5Pset_fapl_core(access, 1 << 16, 0) < 0 ||
        h5.H5Pset_file_image(access, (void *)bytes, size) < 0)
        _exit(1);
    const hid_t file = h5.H5Fopen("memory", 0 /* H5F_ACC_RDONLY */, access);
    const hid_t root = file < 0 ? -1 : h5.H5Gopen2(file, "/", H5P_DEFAULT);
    if (root < 0)
        _exit(1);
    read_object(&r, root);
    put_record(&r, 'Z');
    _exit(0);
}

/* ---- this process ---- */

/* Appends all that comes to the buffer; 0 if it is more than `most` bytes. */
static int listen_to(int in, luaL_Buffer *buffer, size_t most) {
    size_t all = 0;
    for (;;) {
        char *const to = luaL_prepbuffsize(buffer, 1 << 16);
        const ssize_t got = read(in, to, 1 << 16);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return 1;
        all += (size_t)got;
        if (all > most)
            return 0;
        luaL_addsize(buffer, (size_t)got);
    }
}

/* host.hdf5(bytes) -> records of what is in the file, see put_record, which import/hdf5.lua takes
 * apart. Filters, links and values in other files are not followed, and nothing is loaded. fail: it
 * is damaged, or rnnc was built without libhdf5.  [bytes -> records | fail, message] */
int host_hdf5(lua_State *L) {
    size_t size;
    const char *const bytes = luaL_checklstring(L, 1, &size);
    int ends[2];
    if (!load()) {
        luaL_pushfail(L);
        lua_pushliteral(L, "is an HDF5 file, and " RNNC_HDF5 " cannot be loaded; install libhdf5");
        return 2;
    }
    if (pipe(ends) != 0)
        return host_unable(L, "no pipe can be made: %s", strerror(errno));
    const pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        child(bytes, size, ends[1]);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return host_unable(L, "no process can be made: %s", strerror(errno));
    }
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    const int heard = listen_to(ends[0], &buffer, 4 * size + OUTPUT_MORE);
    close(ends[0]);
    if (!heard)
        kill(pid, SIGKILL);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    luaL_pushresult(&buffer);
    if (heard && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 1;
    luaL_pushfail(L);
    lua_pushliteral(L, "is a damaged HDF5 file, which libhdf5 cannot read");
    return 2;
}

#endif
