/* The tensors of a safetensors file as a network: what is made of names and shapes. The bytes
 * choose both, so that much of what comes out is one; fuzz_safetensors.c is for the format. */
#define _POSIX_C_SOURCE 200809L
#include "import.h"

#include <string.h>

static const char *const prefixes[] = {"",        "rnn.",     "net.0.", "net.1.",
                                       "net.2.",  "module.",  "a.b.",   "_orig_mod.",
                                       "net.10.", "decoder.", "lin."};

static const char *const names[] = {
    "weight_ih_l0",
    "weight_hh_l0",
    "bias_ih_l0",
    "bias_hh_l0",
    "weight_ih_l0_reverse",
    "weight_hh_l0_reverse",
    "weight_ih_l1",
    "weight_hh_l1",
    "weight_hr_l0",
    "weight",
    "bias",
    "weight_ih",
    "weight_hh",
    "bias_ih",
    "weight_g",
    "weight_v",
    "weight_ih_l0_g",
    "weight_ih_l0_v",
    "weight_orig",
    "weight_mask",
    "parametrizations.weight.original0",
    "parametrizations.weight.original1",
    "kernel",
    "input_input_weights",
    "layer0_weights",
    "layer0_recur_weights",
    "h0",
    "conv.weight",
};

static const char *const types[] = {"F32", "F32", "F32", "F16", "BF16", "F64", "I64"};
static const size_t bytes_of[] = {4, 4, 4, 2, 2, 8, 8};

enum { MOST = 1 << 13 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const size_t sizes[] = {1, 2, 3, 4, 6, 8, 9, 12, 16, 0, 5, 24};
    static unsigned char file[8 + 2 * MOST];
    char *const header = (char *)file + 8;
    size_t length = 1, at = 0;
    header[0] = '{';
    for (const uint8_t *b = data; b + 4 < data + size && length < MOST - 300; b += 5) {
        const unsigned type = b[2] % (sizeof types / sizeof *types), rank = b[2] / 32 % 4;
        const size_t shape[] = {sizes[b[3] % 12], sizes[b[4] % 12], b[4] / 32 % 4 ? 1 : 2};
        size_t count = bytes_of[type];
        length += (size_t)snprintf(
            header + length, MOST - length, "%s\"%s%s\":{\"dtype\":\"%s\",\"shape\":[",
            length > 1 ? "," : "", prefixes[b[0] % (sizeof prefixes / sizeof *prefixes)],
            names[b[1] % (sizeof names / sizeof *names)], types[type]);
        for (unsigned i = 0; i < rank; i++) {
            count *= shape[i];
            length +=
                (size_t)snprintf(header + length, MOST - length, "%s%zu", i ? "," : "", shape[i]);
        }
        if (at + count > MOST)
            count = 0;
        length += (size_t)snprintf(header + length, MOST - length, "],\"data_offsets\":[%zu,%zu]}",
                                   at, at + count);
        at += count;
    }
    header[length++] = '}';
    while (length % 8 != 0)
        header[length++] = ' ';
    for (size_t i = 0; i < 8; i++)
        file[i] = (unsigned char)(length >> 8 * i);
    for (size_t i = 0; i < at; i++)
        header[length + i] = (char)(i % 4 == 3 ? 0x3e : (int)(i * 37));
    fuzz_file("fuzz.safetensors", file, 8 + length + at);
    return 0;
}
