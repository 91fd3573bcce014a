/* Safetensors files: what is written comes back, byte for byte the same every time; files are whole
 * or not there. */
#include "process.h"
#include "rng.h"
#include "rnnc.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char directory[PATH_SIZE], path[PATH_SIZE];

static void setup(void) {
    workdir_make(directory);
    path_join(path, directory, "file.safetensors");
}
static void teardown(void) { workdir_remove(directory); }
TestSuite(runtime_safetensors, .init = setup, .fini = teardown);

#define OK(call) cr_assert_eq((call), RNNC_OK, "%s: %s", #call, error.message)

/* Six tensors: every dtype, a scalar, an empty one, a transposed view. */
enum { COUNT = 6 };
static float f32[15], scalar;
static double f64[7];
static uint16_t f16[3], bf16[5];
static const char *const names[COUNT] = {"m.weight", "z", "half", "b\"quoted\\\n", "one", "none"};
static rnnc_tensor tensors[COUNT];

static void make_tensors(void) {
    rng r = {.state = 5};
    rng_fill(&r, f32, 15, 1);
    for (int i = 0; i < 7; i++)
        f64[i] = (double)rng_float(&r, 1) / 3;
    for (int i = 0; i < 3; i++)
        f16[i] = rnnc_f64_to_f16((double)rng_float(&r, 1));
    for (int i = 0; i < 5; i++)
        bf16[i] = rnnc_f64_to_bf16((double)rng_float(&r, 1));
    scalar = 42;
    rnnc_tensor_make(&tensors[0], RNNC_F32, 2, (size_t[]){5, 3}, f32, sizeof f32);
    rnnc_tensor_transpose(&tensors[0], 0, 1, &tensors[0]);
    rnnc_tensor_make(&tensors[1], RNNC_F64, 1, (size_t[]){7}, f64, sizeof f64);
    rnnc_tensor_make(&tensors[2], RNNC_F16, 1, (size_t[]){3}, f16, sizeof f16);
    rnnc_tensor_make(&tensors[3], RNNC_BF16, 2, (size_t[]){1, 5}, bf16, sizeof bf16);
    rnnc_tensor_make(&tensors[4], RNNC_F32, 0, NULL, &scalar, sizeof scalar);
    rnnc_tensor_make(&tensors[5], RNNC_F32, 2, (size_t[]){4, 0}, f32, sizeof f32);
}

static const char *const keys[] = {"zeta", "alpha"}, *const values[] = {"last", "\xc3\xa9\t\"x\""};

static void check_file(const rnnc_safetensors *file) {
    rnnc_error error = {.message = ""};
    static const char *const order[COUNT] = {"z",   "m.weight",      "none",
                                             "one", "b\"quoted\\\n", "half"};
    cr_assert_eq(rnnc_safetensors_count(file), COUNT);
    size_t tiny = 0;
    for (size_t i = 0; i < COUNT; i++) {
        const rnnc_entry *const entry = rnnc_safetensors_get(file, i);
        tiny += entry->size == 0;
        cr_assert(entry->size == 0 || strcmp(entry->name, order[i]) == 0, "%s", entry->name);
        cr_assert_eq((uintptr_t)entry->tensor.data % rnnc_dtype_size(entry->tensor.dtype), 0);
    }
    cr_assert_eq(tiny, 1);
    cr_assert_null(rnnc_safetensors_get(file, COUNT));
    cr_assert_str_eq(rnnc_safetensors_metadata(file, "alpha"), values[1]);
    cr_assert_str_eq(rnnc_safetensors_metadata(file, "zeta"), values[0]);
    cr_assert_null(rnnc_safetensors_metadata(file, "beta"));
    rnnc_tensor found;
    cr_assert_eq(rnnc_safetensors_find(file, "m.weigh", &found), RNNC_ERR_MISSING);
    for (size_t i = 0; i < COUNT; i++) {
        cr_assert_eq(rnnc_safetensors_find(file, names[i], &found), RNNC_OK, "%s", names[i]);
        cr_assert(found.dtype == tensors[i].dtype && found.rank == tensors[i].rank);
        cr_assert_eq(memcmp(found.shape, tensors[i].shape, sizeof(size_t) * (size_t)found.rank), 0);
        size_t count;
        rnnc_tensor_count(&found, &count);
        float read[17];
        memset(read, 0xFF, sizeof read);
        OK(rnnc_safetensors_read_f32(file, names[i], read, count, &error));
        for (size_t j = 0; j < count; j++) {
            const size_t columns = found.rank == 2 ? found.shape[1] : count;
            const size_t index[2] = {found.rank == 2 ? j / columns : j, j % columns};
            double want = NAN;
            rnnc_tensor_get(&tensors[i], index, &want);
            cr_assert(read[j] == (float)want, "%s[%zu]", names[i], j);
        }
        cr_assert(isnan(read[count]));
        cr_assert_eq(rnnc_safetensors_read_f32(file, names[i], read, count + 1, NULL),
                     RNNC_ERR_SHAPE);
    }
}

Test(runtime_safetensors, round_trip) {
    rnnc_error error = {.message = ""};
    make_tensors();
    OK(rnnc_safetensors_write(path, COUNT, names, tensors, 2, keys, values, &error));
    rnnc_safetensors *file;
    OK(rnnc_safetensors_open(path, &file, &error));
    cr_assert_str_eq(rnnc_safetensors_name(file), path);
    check_file(file);
    rnnc_safetensors_close(file);

    /* The same from memory, at an odd address. */
    size_t size;
    char *const bytes = file_read(path, &size), *const odd = malloc(size + 1);
    memcpy(odd + 1, bytes, size);
    OK(rnnc_safetensors_open_memory(odd + 1, size, &file, &error));
    cr_assert_str_eq(rnnc_safetensors_name(file), "(memory)");
    rnnc_safetensors_close(file);
    OK(rnnc_safetensors_open_memory(bytes, size, &file, &error));
    check_file(file);
    rnnc_safetensors_close(file);

    /* Another order of the same tensors makes the same file; an old file is replaced. */
    const char *const other_names[] = {names[3], names[5], names[1], names[0], names[4], names[2]};
    const rnnc_tensor other[] = {tensors[3], tensors[5], tensors[1],
                                 tensors[0], tensors[4], tensors[2]};
    OK(rnnc_safetensors_write(path, COUNT, other_names, other, 2,
                              (const char *[]){keys[1], keys[0]},
                              (const char *[]){values[1], values[0]}, &error));
    size_t again;
    char *const second = file_read(path, &again);
    cr_assert(again == size && memcmp(bytes, second, size) == 0);
    free(second);
    free(odd);
    free(bytes);
}

Test(runtime_safetensors, nothing_to_write) {
    rnnc_error error = {.message = ""};
    rnnc_safetensors *file;
    OK(rnnc_safetensors_write(path, 0, NULL, NULL, 0, NULL, NULL, &error));
    OK(rnnc_safetensors_open(path, &file, &error));
    cr_assert_eq(rnnc_safetensors_count(file), 0);
    cr_assert_null(rnnc_safetensors_metadata(file, "x"));
    rnnc_safetensors_close(file);
}

/* A write that fails leaves the old file and nothing beside it. */
Test(runtime_safetensors, refused_writes) {
    make_tensors();
    rnnc_error error = {.message = ""};
    cr_assert(file_write(path, "old", 3));
    static const char *const twice[] = {"a", "b", "a"}, *const bad[] = {"\xff\xfe"};
    static const char *const reserved[] = {"__metadata__"}, *const null[] = {NULL};
    rnnc_tensor opaque = tensors[0];
    opaque.dtype = RNNC_OPAQUE;
#define REFUSED(status, ...)                                                                       \
    cr_assert_eq(rnnc_safetensors_write(path, __VA_ARGS__, &error), status, "%s", error.message)
    REFUSED(RNNC_ERR_ARGUMENT, 3, twice, tensors, 0, NULL, NULL);
    cr_assert(strstr(error.message, "\"a\"") && strstr(error.message, "twice"));
    REFUSED(RNNC_ERR_ARGUMENT, 1, bad, tensors, 0, NULL, NULL);
    REFUSED(RNNC_ERR_ARGUMENT, 1, reserved, tensors, 0, NULL, NULL);
    REFUSED(RNNC_ERR_ARGUMENT, 1, null, tensors, 0, NULL, NULL);
    REFUSED(RNNC_ERR_DTYPE, 1, names, &opaque, 0, NULL, NULL);
    REFUSED(RNNC_ERR_ARGUMENT, 1, names, tensors, 2, twice, null);
    REFUSED(RNNC_ERR_ARGUMENT, 1, names, tensors, 1, bad, keys);
    REFUSED(RNNC_ERR_ARGUMENT, 1, names, tensors, 1, keys, bad);
    REFUSED(RNNC_ERR_ARGUMENT, 1, NULL, tensors, 0, NULL, NULL);
    size_t size;
    char *const kept = file_read(path, &size);
    cr_assert(size == 3 && memcmp(kept, "old", 3) == 0);
    free(kept);

    char gone[PATH_SIZE];
    path_join(gone, directory, "no/such/file.safetensors");
    cr_assert_eq(rnnc_safetensors_write(gone, 1, names, tensors, 0, NULL, NULL, &error),
                 RNNC_ERR_FILE);
    cr_assert(strstr(error.message, gone) && strstr(error.message, "No such file"));
    cr_assert_eq(rnnc_safetensors_write(directory, 1, names, tensors, 0, NULL, NULL, &error),
                 RNNC_ERR_FILE, "a folder is not replaced");
    char beside[PATH_SIZE + 8];
    snprintf(beside, sizeof beside, "%s.part0", directory);
    cr_assert_neq(access(beside, F_OK), 0, "%s was left", beside);
    snprintf(beside, sizeof beside, "%s.part0", path);
    cr_assert_neq(access(beside, F_OK), 0, "%s was left", beside);
}

Test(runtime_safetensors, not_a_file) {
    rnnc_error error = {.message = ""};
    rnnc_safetensors *file = (rnnc_safetensors *)&error;
    cr_assert_eq(rnnc_safetensors_open(directory, &file, &error), RNNC_ERR_FILE);
    cr_assert_null(file);
    cr_assert(strstr(error.message, directory));
    cr_assert_eq(rnnc_safetensors_open(path, &file, &error), RNNC_ERR_FILE);
    cr_assert(strstr(error.message, "No such file"));
    cr_assert(file_write(path, "", 0));
    cr_assert_eq(rnnc_safetensors_open(path, &file, &error), RNNC_ERR_FORMAT);
    cr_assert_eq(rnnc_safetensors_open(NULL, &file, &error), RNNC_ERR_ARGUMENT);
    cr_assert_eq(rnnc_safetensors_open_memory(NULL, 8, &file, &error), RNNC_ERR_ARGUMENT);
    rnnc_safetensors_close(NULL);
}

/* Opening a pipe without care waits until somebody writes into it. */
Test(runtime_safetensors, pipe_is_refused, .timeout = 10) {
    rnnc_error error;
    rnnc_safetensors *file = NULL;
    cr_assert_eq(mkfifo(path, 0600), 0);
    cr_assert_eq(rnnc_safetensors_open(path, &file, &error), RNNC_ERR_FILE);
    cr_assert(strstr(error.message, "not a file"), "%s", error.message);
    cr_assert_null(file);
}

/* One tensor of `count` floats that are all `value`, written over what is at `path`, in pieces. */
static void write_constant(size_t count, float value, size_t piece) {
    rnnc_tensor tensor;
    float *const data = malloc(count * sizeof *data);
    for (size_t i = 0; i < count; i++)
        data[i] = value;
    rnnc_tensor_make(&tensor, RNNC_F32, 1, &count, data, count * sizeof *data);
    char whole[PATH_SIZE + 8];
    snprintf(whole, sizeof whole, "%s.whole", path);
    if (rnnc_safetensors_write(whole, 1, names, &tensor, 0, NULL, NULL, NULL) != RNNC_OK)
        _exit(1);
    size_t size;
    char *const bytes = file_read(whole, &size);
    const int fd = open(path, O_WRONLY | O_CREAT, 0666);
    for (size_t at = 0; at < size; at += piece)
        if (pwrite(fd, bytes + at, size - at < piece ? size - at : piece, (off_t)at) < 0)
            _exit(1);
    close(fd);
    free(bytes);
    free(data);
}

/* A file that becomes shorter after it was opened: its tensors are there, and no signal. */
Test(runtime_safetensors, outlives_its_file) {
    enum { MANY = 100000 };
    rnnc_error error;
    rnnc_safetensors *file;
    static float got[MANY];
    write_constant(MANY, 3, 1 << 20);
    OK(rnnc_safetensors_open(path, &file, &error));
    cr_assert_eq(truncate(path, 100), 0);
    OK(rnnc_safetensors_read_f32(file, names[0], got, MANY, &error));
    for (size_t i = 0; i < MANY; i++)
        cr_assert_eq(got[i], 3);
    rnnc_safetensors_close(file);
    cr_assert_eq(rnnc_safetensors_open(path, &file, &error), RNNC_ERR_FORMAT);
}

/* Somebody writes all the time: whole weights of one time, or an error. */
Test(runtime_safetensors, never_torn, .timeout = 120) {
    enum { MANY = 200000 };
    static float got[MANY];
    write_constant(MANY, 0, 4096);
    const pid_t writer = fork();
    if (writer == 0)
        for (int k = 1;; k++) {
            write_constant(MANY, (float)k, 4096);
            if (k % 3 == 0)
                nanosleep(&(struct timespec){.tv_nsec = 30000000},
                          NULL); /* now and then there is something to read */
        }
    int read = 0;
    for (int i = 0; i < 100; i++) {
        rnnc_error error;
        rnnc_safetensors *file;
        const rnnc_status status = rnnc_safetensors_open(path, &file, &error);
        if (status != RNNC_OK) {
            cr_expect_eq(status, RNNC_ERR_FILE, "%s", error.message);
            cr_expect(strstr(error.message, "while it was read"), "%s", error.message);
            continue;
        }
        OK(rnnc_safetensors_read_f32(file, names[0], got, MANY, &error));
        rnnc_safetensors_close(file);
        read++;
        for (size_t k = 1; k < MANY; k++)
            cr_assert_eq(got[k], got[0], "value %zu of %d: %g, not %g", k, i, (double)got[k],
                         (double)got[0]);
    }
    kill(writer, SIGKILL);
    waitpid(writer, NULL, 0);
    cr_expect(read > 0, "no file was read");
}
