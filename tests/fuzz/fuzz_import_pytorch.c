/* Any bytes as a file of torch.save. Of odd inputs the bytes choose pieces of a pickle and of code,
 * which go into a sound archive, so that much of what comes out is read to its end. */
#define _POSIX_C_SOURCE 200809L
#include "archive.h"
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

/* An archive with the pickle, a storage of 16 floats, and code; allocated. */
static char *archive(const char *pickle, size_t size, size_t *length) {
    static const float values[16] = {0.5F, -0.25F, 1, 2, -3, 0.125F, 4, -5, 6, 7, 8, 9, 1, 2, 3, 4};
    const archive_member members[] = {
        {"n/data.pkl", pickle, size},
        {"n/data/0", values, sizeof values},
        {"n/code/__torch__.py", code, sizeof code - 1},
    };
    return archive_of(members, sizeof members / sizeof *members, length);
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
