/* runtime.c: calls of librnnc when the system fails it: at the n-th call of memory, threads, files,
 * reading or writing, n = 1, 2, ... until a call needs no more of them. Each ends with a status and
 * a message, gives back all memory, hands nothing out and leaves files as they were; or it did not
 * matter, and then it has done its work.
 *
 * Usage: runtime DIRECTORY, which is empty. */
#define _GNU_SOURCE
#include "rnnc.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *memory);

/* ---- what fails ---- */

static int armed;          /* calls are counted */
static long calls, at;     /* so many; this one fails, from 1 */
static _Atomic long alive; /* blocks of memory */

static int unsafe; /* what was written may be lost: that is no success */

static int fails(int reason) {
    if (!armed || ++calls != at)
        return 0;
    errno = reason;
    return 1;
}

static void *counted(void *memory) {
    if (memory)
        alive++;
    return memory;
}

void *malloc(size_t size) { return fails(ENOMEM) ? NULL : counted(__libc_malloc(size)); }
void *calloc(size_t count, size_t size) {
    return fails(ENOMEM) ? NULL : counted(__libc_calloc(count, size));
}
void *realloc(void *old, size_t size) {
    if (fails(ENOMEM))
        return NULL;
    void *const memory = __libc_realloc(old, size);
    return old ? memory : counted(memory);
}
void *aligned_alloc(size_t alignment, size_t size) {
    return fails(ENOMEM) ? NULL : counted(__libc_memalign(alignment, size));
}
void free(void *memory) {
    if (memory)
        alive--;
    __libc_free(memory);
}

#define REAL(type, name, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *argument) {
    if (fails(EAGAIN))
        return EAGAIN;
    const int before = armed;
    armed = 0;
    const int status = REAL(int, "pthread_create", pthread_t *, const pthread_attr_t *,
                            void *(*)(void *), void *)(thread, attributes, run, argument);
    armed = before;
    return status;
}
int open(const char *name, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    return fails(EMFILE) ? -1 : openat(AT_FDCWD, name, flags, mode);
}
FILE *fdopen(int fd, const char *mode) {
    return fails(ENOMEM) ? NULL : REAL(FILE *, "fdopen", int, const char *)(fd, mode);
}
ssize_t read(int fd, void *to, size_t size) {
    return fails(EIO) ? -1 : REAL(ssize_t, "read", int, void *, size_t)(fd, to, size);
}
int fstat(int fd, struct stat *info) {
    return fails(EIO) ? -1 : fstatat(fd, "", info, AT_EMPTY_PATH);
}
size_t fwrite(const void *from, size_t size, size_t count, FILE *to) {
    return fails(ENOSPC) ? 0
                         : REAL(size_t, "fwrite", const void *, size_t, size_t, FILE *)(from, size,
                                                                                        count, to);
}
int fflush(FILE *to) { return fails(ENOSPC) ? EOF : REAL(int, "fflush", FILE *)(to); }
int fsync(int fd) {
    if (!fails(EIO))
        return REAL(int, "fsync", int)(fd);
    unsafe = 1;
    return -1;
}
int rename(const char *from, const char *to) {
    return fails(EACCES) ? -1 : renameat(AT_FDCWD, from, AT_FDCWD, to);
}

/* ---- calls ---- */

static const rnnc_config config = {
    .cell = RNNC_LSTM, .input_size = 2, .hidden_size = 3, .num_layers = 1, .bias = 1};
static const rnnc_layer layer = {
    .recurrent = {
        .cell = RNNC_LSTM, .input_size = 2, .hidden_size = 3, .num_layers = 1, .bias = 1}};
static const rnnc_network network = {1, &layer, 0, 0};

enum { WEIGHTS = 4, FLOATS = 84 };
static rnnc_weight weights[WEIGHTS];
static float values[FLOATS];
static const float *tensors[WEIGHTS];
static char path[4096], bytes[4096];
static size_t bytes_size;
static rnnc_error error;

/* Writes the weights, times `factor`. */
static rnnc_status write_weights(float factor) {
    const char *names[WEIGHTS], *const keys[] = {"from"}, *const texts[] = {"here"};
    rnnc_tensor list[WEIGHTS];
    static float scaled[FLOATS];
    float *next = scaled;
    for (int i = 0; i < FLOATS; i++)
        scaled[i] = factor * (float)(i % 17 - 8);
    for (int i = 0; i < WEIGHTS; i++) {
        const size_t shape[] = {weights[i].rows, weights[i].cols};
        const ptrdiff_t columns[] = {1, (ptrdiff_t)shape[0]};
        const int rank = shape[1] ? 2 : 1;
        const size_t count = shape[0] * (shape[1] ? shape[1] : 1);
        names[i] = weights[i].name;
        if (i == 1) /* a view that is not contiguous is copied */
            rnnc_tensor_make_strided(&list[i], RNNC_F32, rank, shape, columns, 0, next,
                                     count * sizeof *next);
        else
            rnnc_tensor_make(&list[i], RNNC_F32, rank, shape, next, count * sizeof *next);
        next += count;
    }
    return rnnc_safetensors_write(path, WEIGHTS, names, list, 1, keys, texts, &error);
}

static rnnc_status call_write(void) { return write_weights(2); }

static rnnc_status call_open(void) {
    rnnc_safetensors *file = (rnnc_safetensors *)bytes;
    const rnnc_status status = rnnc_safetensors_open(path, &file, &error);
    if (status != RNNC_OK && file)
        printf("open hands out a file\n");
    rnnc_safetensors_close(status == RNNC_OK ? file : NULL);
    return status;
}

static rnnc_status call_open_memory(void) {
    rnnc_safetensors *file = NULL;
    const rnnc_status status = rnnc_safetensors_open_memory(bytes, bytes_size, &file, &error);
    rnnc_safetensors_close(file);
    return status;
}

static rnnc_status call_load(void) {
    rnnc_safetensors *file = NULL;
    const float **loaded = (const float **)bytes;
    const int before = armed;
    armed = 0;
    rnnc_status status = rnnc_safetensors_open_memory(bytes, bytes_size, &file, &error);
    armed = before;
    status = rnnc_weights_load(WEIGHTS, weights, NULL, file, &loaded, &error);
    if (status != RNNC_OK && loaded)
        printf("load hands out weights\n");
    armed = 0;
    rnnc_weights_free(loaded);
    rnnc_safetensors_close(file);
    armed = before;
    return status;
}

/* Names that it has no use for are listed in groups. */
static rnnc_status call_check(void) {
    rnnc_safetensors *file = NULL;
    const int before = armed;
    armed = 0;
    rnnc_status status = rnnc_safetensors_open_memory(bytes, bytes_size, &file, &error);
    armed = before;
    status = rnnc_weights_check(WEIGHTS, weights, "other.", file, NULL, &error);
    armed = 0;
    rnnc_safetensors_close(file);
    armed = before;
    return status == RNNC_ERR_MISSING ? RNNC_OK : status;
}

static rnnc_status call_team(void) {
    rnnc_team *team = (rnnc_team *)bytes;
    const rnnc_status status = rnnc_team_create(3, &team, &error);
    if (status != RNNC_OK && team)
        printf("create hands out a team\n");
    armed = 0;
    if (status == RNNC_OK)
        rnnc_team_destroy(team);
    return status;
}

static rnnc_status call_reference(void) {
    static const float x[4] = {1, 2, 3, 4};
    double y[6] = {77}, hn[3], cn[3];
    const rnnc_call call = {.seq_len = 2, .batch = 1, .x = x};
    const rnnc_status status = rnnc_reference_forward(&network, tensors, &call, y, hn, cn);
    snprintf(error.message, sizeof error.message, "none is given");
    if ((status == RNNC_OK) == (y[0] == 77))
        printf("the reference says %d, and y is %g\n", (int)status, y[0]);
    return status;
}

/* ---- this program ---- */

static int entries(const char *directory) {
    DIR *const list = opendir(directory);
    int count = 0;
    while (list && readdir(list))
        count++;
    if (list)
        closedir(list);
    return count;
}

/* The file, whose size is left in *size. */
static void contents(char *to, size_t *size) {
    FILE *const file = fopen(path, "rb");
    *size = file ? fread(to, 1, sizeof bytes, file) : 0;
    if (file)
        fclose(file);
}

int main(int count, char **words) {
    static const struct {
        const char *name;
        rnnc_status (*call)(void);
    } list[] = {{"write", call_write},
                {"open", call_open},
                {"open_memory", call_open_memory},
                {"weights_load", call_load},
                {"weights_check", call_check},
                {"team_create", call_team},
                {"reference", call_reference}};
    static char now[sizeof bytes];
    int wrong = 0;
    if (count != 2)
        return 2;
    snprintf(path, sizeof path, "%s/w.safetensors", words[1]);
    size_t next = 0;
    for (size_t i = 0; i < WEIGHTS; i++) {
        rnnc_config_weight(&config, i, &weights[i]);
        tensors[i] = values + next;
        next += weights[i].rows * (weights[i].cols ? weights[i].cols : 1);
    }
    if (next != FLOATS || write_weights(1) != RNNC_OK)
        return 3;
    contents(bytes, &bytes_size);
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        if (list[i].call() != RNNC_OK ||
            write_weights(1) != RNNC_OK) /* and what is kept for ever */
            return 4;
        long n = 1;
        for (;; n++) {
            const long before = alive;
            const int files = entries(words[1]);
            memset(&error, 0, sizeof error);
            at = n, calls = 0, unsafe = 0, armed = 1;
            const rnnc_status status = list[i].call();
            armed = 0;
            const int over = calls < n;
            size_t size;
            contents(now, &size);
            const int same = size == bytes_size && memcmp(now, bytes, size) == 0;
            if ((status != RNNC_OK && !error.message[0]) || alive != before ||
                entries(words[1]) != files || (status != RNNC_OK && !same) ||
                (status == RNNC_OK && list[i].call == call_write && same) || (over && status) ||
                (status == RNNC_OK && unsafe)) {
                printf("%s, call %ld: status %d, \"%s\", %ld blocks more, %d files more%s\n",
                       list[i].name, n, (int)status, error.message, alive - before,
                       entries(words[1]) - files, same ? "" : ", another file");
                wrong++;
            }
            if (write_weights(1) != RNNC_OK)
                return 5;
            if (over)
                break;
        }
        printf("%s: %ld calls\n", list[i].name, n - 1);
    }
    return wrong != 0;
}
