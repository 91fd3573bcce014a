/* Any bytes as a file of torch.save. Of odd inputs the bytes choose pieces of a pickle and of code,
 * which go into a sound archive, so that much of what comes out is read to its end. */
#define _POSIX_C_SOURCE 200809L
#include "import.h"

#include <string.h>

typedef struct piece {
    const char *text;
    size_t size;
} piece;

#define PIECE(text)                                                                                \
    { text, sizeof(text) - 1 }
#define STORAGE(type)                                                                              \
    "(X\7\0\0\0storagectorch\n" type "Storage\nX\1\0\0\0"                                          \
    "0X\3\0\0\0cpuK\x10tQ"
#define TENSOR(shape, strides)                                                                     \
    "ctorch._utils\n_rebuild_tensor_v2\n(" STORAGE("Float") "K\0" shape strides "\x89"             \
                                                            "ccollections\nOrderedDict\n)RtR"

static const piece pieces[] = {
    PIECE("\x80\2"),
    PIECE("}"),
    PIECE("("),
    PIECE("]"),
    PIECE(")"),
    PIECE("t"),
    PIECE("\x85"),
    PIECE("\x86"),
    PIECE("u"),
    PIECE("s"),
    PIECE("e"),
    PIECE("a"),
    PIECE("R"),
    PIECE("b"),
    PIECE("Q"),
    PIECE("N"),
    PIECE("q\1"),
    PIECE("h\1"),
    PIECE("\x94"),
    PIECE("K\4"),
    PIECE("K\0"),
    PIECE("J\xff\xff\xff\xff"),
    PIECE("\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f"),
    PIECE("G\x3f\xe0\0\0\0\0\0\0"),
    PIECE("\x88"),
    PIECE("X\x0c\0\0\0weight_ih_l0"),
    PIECE("X\x0c\0\0\0weight_hh_l0"),
    PIECE("X\x0e\0\0\0weight_ih_l0_g"),
    PIECE("X\x0e\0\0\0weight_ih_l0_v"),
    PIECE("X\x0a\0\0\0bias_ih_l0"),
    PIECE("X\6\0\0\0weight"),
    PIECE("X\4\0\0\0bias"),
    PIECE("X\3\0\0\0rnn"),
    PIECE("X\1\0\0\0"
          "0"),
    PIECE("X\1\0\0\0"
          "1"),
    PIECE("X\5\0\0\0scale"),
    PIECE("X\5\0\0\0model"),
    PIECE(STORAGE("Float")),
    PIECE(STORAGE("QInt8")),
    PIECE(STORAGE("Half")),
    PIECE("ctorch._utils\n_rebuild_tensor_v2\n"),
    PIECE("ctorch._utils\n_rebuild_qtensor\n"),
    PIECE("ctorch\nper_tensor_affine\n"),
    PIECE("ctorch\nper_channel_affine\n"),
    PIECE("ccollections\nOrderedDict\n)R"),
    PIECE(TENSOR("K\4K\1\x86", "K\1K\1\x86")),
    PIECE(TENSOR("K\2K\2\x86", "K\1K\2\x86")),
    PIECE(TENSOR("K\1K\1\x86", "K\1K\1\x86")),
    PIECE(TENSOR("K\4\x85", "K\1\x85")),
    PIECE("c__torch__\nNet\n)\x81}("),
    PIECE("c__torch__.torch.nn.modules.container\nSequential\n)\x81}("),
    PIECE("c__torch__.torch.nn.modules.linear\nLinear\n)\x81}("),
    PIECE("c__torch__.torch.nn.modules.rnn\nRNN\n)\x81}("),
    PIECE("c__torch__.torch.nn.modules.activation\nTanh\n)\x81}("),
    PIECE("ub"),
    PIECE("."),
    PIECE("ub."),
};

static const char code[] =
    "class Net(Module):\n  def forward(self: __torch__.Net,\n    x: Tensor) -> Tensor:\n"
    "    _0 = self.scale\n    x0 = torch.mul(x, self.scale)\n    y = torch.relu(x0)\n"
    "    return torch.mul(_0, y)\n";

/* The polynomial of zip's CRC-32, bit by bit (APPNOTE 4.4.7). */
static uint32_t checksum(const void *bytes, size_t size) {
    const uint8_t *const data = bytes;
    uint32_t crc = ~(uint32_t)0;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320U : 0);
    }
    return ~crc;
}

static void put(FILE *out, uint32_t value, int bytes) {
    for (int i = 0; i < bytes; i++)
        fputc((int)(value >> 8 * i & 255), out);
}

/* A stored member, and its entry of the directory. */
static void add(FILE *out, FILE *directory, const char *name, const void *bytes, size_t size) {
    const uint32_t at = (uint32_t)ftell(out), crc = checksum(bytes, size), n = (uint32_t)size;
    put(out, 0x04034b50, 4);
    put(directory, 0x02014b50, 4);
    put(directory, 20, 2);
    FILE *const both[] = {out, directory};
    for (int i = 0; i < 2; i++) {
        put(both[i], 20, 4);
        put(both[i], 0, 4);
        put(both[i], 33, 2);
        put(both[i], crc, 4);
        put(both[i], n, 4);
        put(both[i], n, 4);
        put(both[i], (uint32_t)strlen(name), 4);
    }
    for (int i = 0; i < 5; i++)
        put(directory, 0, 2);
    put(directory, at, 4);
    fputs(name, out);
    fputs(name, directory);
    fwrite(bytes, 1, size, out);
}

/* An archive with the pickle, a storage of 16 floats, and code; allocated. */
static char *archive(const char *pickle, size_t size, size_t *length) {
    static const float values[16] = {0.5F, -0.25F, 1, 2, -3, 0.125F, 4, -5, 6, 7, 8, 9, 1, 2, 3, 4};
    char *text = NULL, *entries = NULL;
    size_t entries_size;
    FILE *const out = open_memstream(&text, length);
    FILE *const directory = open_memstream(&entries, &entries_size);
    if (!out || !directory)
        abort();
    add(out, directory, "n/data.pkl", pickle, size);
    add(out, directory, "n/data/0", values, sizeof values);
    add(out, directory, "n/code/__torch__.py", code, sizeof code - 1);
    const uint32_t at = (uint32_t)ftell(out);
    fclose(directory);
    fwrite(entries, 1, entries_size, out);
    put(out, 0x06054b50, 4);
    put(out, 0, 4);
    put(out, 3, 2);
    put(out, 3, 2);
    put(out, (uint32_t)entries_size, 4);
    put(out, at, 4);
    put(out, 0, 2);
    fclose(out);
    free(entries);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0 || data[0] % 4 == 0) {
        fuzz_file("fuzz.pt", data, size);
        return 0;
    }
    char *pickle = NULL;
    size_t length;
    FILE *const out = open_memstream(&pickle, &length);
    if (!out)
        abort();
    for (size_t i = 1; i < size; i++) {
        if (data[0] % 4 == 1) {
            fputc(data[i], out);
        } else {
            const piece *const p = &pieces[data[i] % (sizeof pieces / sizeof *pieces)];
            fwrite(p->text, 1, p->size, out);
        }
    }
    fclose(out);
    size_t archive_size;
    char *const bytes = archive(pickle, length, &archive_size);
    fuzz_file("fuzz.pt", bytes, archive_size);
    free(bytes);
    free(pickle);
    return 0;
}
