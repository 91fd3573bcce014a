/* What rnnc_safetensors_open and rnnc say of files of another kind. */
#define _XOPEN_SOURCE 700
#include "rnnc.h"
#include "support/cli.h"
#include "support/generate.h"
#include "support/guard.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 600 };

/* `length` bytes at `at`, of a file of `size` bytes that are zero otherwise; what it is, and the
 * remedy. */
static const struct {
    size_t size, at, length;
    const char *bytes, *is, *remedy;
} files[] = {
    {400, 0, 2, "\x80\2", "a pickle", "save_file(model.state_dict()"},
    {400, 0, 2, "\x80\4", "a pickle", "save_file(model.state_dict()"},
    {400, 0, 42, "PK\3\4\0\0\10\10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\14\0\0\0zip/data.pkl",
     "torch.save", "rnnc import makes a spec and weights of it, or load it in Python"},
    {400, 0, 35, "PK\3\4\24\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\5\0\0\0a.npy", ".npz archive",
     "safetensors.numpy.save_file"},
    {400, 0, 43, "PK\3\4\24\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\15\0\0\0metadata.json",
     ".keras archive", "transposed"},
    {400, 0, 35, "PK\3\4\24\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\5\0\0\0a.txt",
     "a zip archive", "unpack"},
    {20, 0, 4, "PK\3\4", "a zip archive", "unpack"},
    /* A name of 65535 bytes, of which the file has four. */
    {34, 0, 34, "PK\3\4\24\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\377\377\0\0a.np",
     "a zip archive", "unpack"},
    {400, 0, 8, "\x89HDF\r\n\x1a\n", "HDF5", "transposed"},
    {400, 0, 6, "\x93NUMPY", "array of NumPy", "safetensors.numpy.save_file"},
    {400, 0, 4, "GGUF", "GGUF", "give the .safetensors file"},
    {400, 0, 17,
     "\x08\x07\x12\x07pytorch\x1a\x05"
     "1.13",
     "an ONNX model", "rnnc import"},
    {400, 4, 4, "TFL3", "TensorFlow Lite", "give the weights"},
    {400, 0, 29, "rnnoise-nu model file version", "RNNoise", "reset_after = false"},
    {400, 0, 16, "\x0a\x31\x0a\x08wav_data\x12\x0bPl", "graph of TensorFlow", "rnnc import"},
    /* A name that ends behind the file. */
    {9, 0, 9, "\x0a\x31\x0a\x08wav_d", "", ""},
    {60, 0, 39, "{\"e\": {\"filename\": \"e\", \"shape\": [1]}}", "ml5", "rnnc import"},
    {400, 0, 3, "\x1f\x8b\x08", "a gzip archive", "unpack"},
    {SIZE, 257, 5, "ustar", "a tar archive", "unpack"},
    {23, 0, 23, "version https://git-lfs", "Git LFS", "git lfs pull"},
    {21, 0, 21, "/annex/objects/MD5E-1", "git-annex", "git annex get"},
    {26, 0, 26, "\n <!DOCTYPE HTML><p>404</p>", "a web page", "download"},
    {19, 0, 19, "<?xml version='1'/>", "an XML file", "download"},
    {13, 0, 13, " { \"a\" : [1]}", "JSON", "rnnc import"},
    {13, 0, 13, "[0.125, 2, 3]", "JSON", "PyTorch's names"},
    {26, 0, 26, "{\"weight_map\": {\"a\": \"b\"}}", "the index of a model", "that has the tensors"},
    {24, 0, 24, "-- amp\n\treturn rnn { } \xc3\xa4", "no safetensors file but a text",
     "if it is a spec of rnnc, give it to the command itself"},
};

/* In memory and, by another way, in a file. */
static void expect_kind(const char *path, const unsigned char *bytes, size_t i) {
    for (int in_file = 0; in_file < 2; in_file++) {
        rnnc_safetensors *file = NULL;
        rnnc_error error = {.message = ""};
        cr_expect_eq(in_file ? rnnc_safetensors_open(path, &file, &error)
                             : rnnc_safetensors_open_memory(bytes, files[i].size, &file, &error),
                     RNNC_ERR_FORMAT);
        cr_expect(strstr(error.message, files[i].is) && strstr(error.message, files[i].remedy),
                  "%s: %s", files[i].is, error.message);
    }
}

Test(runtime_file_kind, each_is_told_with_its_remedy) {
    char dir[PATH_SIZE], path[PATH_SIZE];
    workdir_make(dir);
    path_join(path, dir, "file");
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        /* Exactly as large as the file: what reads beyond it is a crash. */
        guard memory = guard_make(files[i].size, 0);
        unsigned char *const bytes = memory.data;
        memset(bytes, 0, files[i].size);
        memcpy(bytes + files[i].at, files[i].bytes, files[i].length);
        cr_assert(file_write(path, (const char *)bytes, files[i].size));
        expect_kind(path, bytes, i);
        guard_free(&memory);
    }
    workdir_remove(dir);
}

/* Lengths of headers that are the first bytes of another kind: a pickle, gzip. */
Test(runtime_file_kind, a_safetensors_file_is_one_whatever_its_length) {
    static const size_t lengths[] = {0x0280, 0x0480, 0x088b1f};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        unsigned char *const bytes = malloc(8 + lengths[i]);
        cr_assert_not_null(bytes);
        memset(bytes, ' ', 8 + lengths[i]);
        for (size_t k = 0; k < 8; k++)
            bytes[k] = (unsigned char)(lengths[i] >> 8 * k);
        bytes[8] = '{';
        bytes[9] = '}';
        rnnc_safetensors *file = NULL;
        rnnc_error error = {.message = ""};
        cr_expect_eq(rnnc_safetensors_open_memory(bytes, 8 + lengths[i], &file, &error), RNNC_OK,
                     "%s", error.message);
        rnnc_safetensors_close(file);
        free(bytes);
    }
}

Test(runtime_file_kind, a_file_that_is_no_spec) {
    char dir[PATH_SIZE], path[PATH_SIZE];
    workdir_make(dir);
    path_join(path, dir, "page.lua");
    cr_assert(file_write(path, "<html></html>", 13));
    expect(dir, 1, "",
           "page.lua: error: a spec is a few lines of Lua, and this looks like a web page, perhaps "
           "that "
           "of a login or an error\n",
           "check", "page.lua", NULL, NULL);
    /* Larger than a spec may be. */
    char *const large = calloc(1, 100000);
    cr_assert_not_null(large);
    memcpy(large, "\x93NUMPY", 6);
    cr_assert(file_write(path, large, 100000));
    free(large);
    expect(dir, 1, "",
           "page.lua: error: a spec is a few lines of Lua, and this looks like an array of NumPy "
           "(.npy)\n",
           "check", "page.lua", NULL, NULL);
    workdir_remove(dir);
}
