/* What a file is that was given where another kind was expected: a row per kind. */
#include "rnnc.h"

#include <string.h>

#define FROM_PYTORCH                                                                               \
    "load it in Python and write its state_dict: "                                                 \
    "safetensors.torch.save_file(model.state_dict(), \"model.safetensors\")"
#define FROM_KERAS                                                                                 \
    "rnnc import makes a spec and weights of it: kernels are transposed, gates put into "          \
    "PyTorch's "                                                                                   \
    "order"
#define FROM_NUMPY "load it in Python and write safetensors.numpy.save_file(dict(arrays), ...)"
#define ANOTHER_MEMBER "unpack it and give the .safetensors file in it"

/* Where a file has the bytes `magic`; of two that fit, the first counts. `member`: what the name of
 * a zip's first member has in it, or NULL. */
static const struct {
    size_t at, length;
    const char *magic, *member, *means;
} kinds[] = {
    {0, 4, "PK\3\4", ".pkl",
     "a checkpoint of torch.save (a zip with a pickle); rnnc import makes a spec and weights of "
     "it, or " FROM_PYTORCH},
    {0, 4, "PK\3\4", ".npy", "an .npz archive of NumPy; " FROM_NUMPY},
    {0, 4, "PK\3\4", "metadata.json", "a .keras archive; " FROM_KERAS},
    {0, 4, "PK\3\4", "config.json", "a .keras archive; " FROM_KERAS},
    {0, 4, "PK\3\4", NULL,
     "a zip archive; " ANOTHER_MEMBER ", or, if torch.save wrote it, " FROM_PYTORCH},
    {0, 2, "\x80\2", NULL, "a pickle, as older torch.save wrote; " FROM_PYTORCH},
    {0, 2, "\x80\3", NULL, "a pickle; " FROM_PYTORCH},
    {0, 2, "\x80\4", NULL, "a pickle; " FROM_PYTORCH},
    {0, 2, "\x80\5", NULL, "a pickle; " FROM_PYTORCH},
    {0, 8, "\x89HDF\r\n\x1a\n", NULL, "an HDF5 file, as Keras writes (.h5); " FROM_KERAS},
    {0, 6, "\x93NUMPY", NULL, "an array of NumPy (.npy); " FROM_NUMPY},
    {0, 4, "GGUF", NULL,
     "a GGUF file; its tensors are another network's, or quantised: give the .safetensors file "
     "that "
     "it was made from"},
    {0, 16, "rnnoise-nu model", NULL,
     "a model of RNNoise: layers that read several others, which rnnc has not; its GRUs by "
     "themselves "
     "have reset_after = false, integers of 1/256 and gates z r h, which PyTorch has as r z n"},
    {4, 4, "TFL3", NULL, "a TensorFlow Lite model; give the weights that it was made from"},
    {0, 2, "\x1f\x8b", NULL, "a gzip archive; " ANOTHER_MEMBER},
    {0, 6,
     "\xfd"
     "7zXZ\0",
     NULL, "an xz archive; " ANOTHER_MEMBER},
    {0, 4, "\x28\xb5\x2f\xfd", NULL, "a zstd archive; " ANOTHER_MEMBER},
    {0, 3, "BZh", NULL, "a bzip2 archive; " ANOTHER_MEMBER},
    {257, 5, "ustar", NULL, "a tar archive; " ANOTHER_MEMBER},
    {0, 4,
     "\x7f"
     "ELF",
     NULL, "an executable or object file"},
    {0, 23, "version https://git-lfs", NULL,
     "a pointer of Git LFS instead of the file; fetch the file itself: git lfs pull"},
    {0, 14, "/annex/objects", NULL,
     "a pointer of git-annex instead of the file; fetch the file itself: git annex get"},
};

/* The bytes of a text from its first that is no space or byte order mark. */
static size_t text_begin(const unsigned char *data, size_t size) {
    size_t at = size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    while (at < size && strchr(" \t\r\n", data[at]) && data[at])
        at++;
    return at;
}

/* Does the text `word`, in small letters, stand at data[at], in any case of letters? */
static int stands_at(const unsigned char *data, size_t size, size_t at, const char *word) {
    for (; *word; word++, at++)
        if (at >= size || (data[at] | (data[at] >= 'A' && data[at] <= 'Z' ? 0x20 : 0)) != *word)
            return 0;
    return 1;
}

static int holds(const unsigned char *data, size_t size, const char *word) {
    for (size_t at = 0; at < size; at++)
        if (stands_at(data, size, at, word))
            return 1;
    return 0;
}

/* Texts, which may begin with spaces. */
static const char *text_kind(const unsigned char *data, size_t size) {
    const size_t at = text_begin(data, size);
    if (stands_at(data, size, at, "<!doctype html") || stands_at(data, size, at, "<html"))
        return "a web page, perhaps that of a login or an error; download the file itself";
    if (stands_at(data, size, at, "<?xml"))
        return "an XML file, perhaps a server's error; download the file itself";
    if (at < size && data[at] == '{' && holds(data, size, "\"weight_map\""))
        return "the index of a model in several files; give the file that has the tensors";
    if (at < size && data[at] == '{' && holds(data, size, "\"filename\"") &&
        holds(data, size, "\"shape\""))
        return "the index of a model whose arrays are files of raw floats (deeplearn.js, ml5); "
               "rnnc import makes a spec and weights of it";
    const size_t next = at < size ? at + 1 + text_begin(data + at + 1, size - at - 1) : size;
    /* A text that begins with { and a name without quotes may be Lua. */
    if (next < size && ((data[at] == '{' && data[next] == '"') || data[at] == '['))
        return "JSON; rnnc import makes a spec and weights of what RTNeural and Neural Amp Modeler "
               "read and of a state_dict; "
               "otherwise write its numbers in Python as a .safetensors file with PyTorch's names";
    return NULL;
}

/* ONNX is a protobuf of ModelProto: field 1, the version of the format, then another one, as a rule
 * the producer's name (onnx.proto). */
static int is_onnx(const unsigned char *data, size_t size) {
    /* The next field's number and type: a text, a graph, a set of operators, or a version. */
    return size > 4 && data[0] == 0x08 && data[1] >= 1 && data[1] < 32 && data[2] &&
           strchr("\x12\x1a\x22\x28\x32\x3a\x42\x72", data[2]);
}

/* A GraphDef of TensorFlow 1: field 1, a node, whose field 1 is its name and field 2 its operation
 * (graph.proto, node_def.proto). */
static int is_graph(const unsigned char *data, size_t size) {
    return size > 8 && data[0] == 0x0a && data[1] < 128 && data[2] == 0x0a && data[3] < 128 &&
           4U + data[3] < size && data[4] >= ' ' && data[4U + data[3]] == 0x12;
}

const char *rnnc_file_kind(const void *bytes, size_t size) {
    /* What tells a kind is in the beginning. */
    const size_t most = size < 1024 ? size : 1024;
    const unsigned char *const data = bytes;
    /* A safetensors file: the length of its header, then the header, which begins with {. First,
     * for a length may have the bytes of another kind. */
    if (most > 8 && data[8] == '{' && !data[5] && !data[6] && !data[7])
        return "a safetensors file";
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (most < kinds[i].at + kinds[i].length ||
            memcmp(data + kinds[i].at, kinds[i].magic, kinds[i].length) != 0)
            continue;
        /* A zip's first member: the length of its name at 26, the name at 30 (APPNOTE 4.3.7). */
        const size_t length = most > 30 ? data[26] | (size_t)data[27] << 8 : 0;
        if (kinds[i].member && !(length <= most - 30 && holds(data + 30, length, kinds[i].member)))
            continue;
        return kinds[i].means;
    }
    if (is_onnx(data, most))
        return "an ONNX model; `rnnc import` makes a spec and weights of it";
    if (is_graph(data, most))
        return "a frozen graph of TensorFlow 1; rnnc import makes a spec and weights of it";
    return text_kind(data, most);
}
