/* Any text as a network in JSON. Of odd inputs the bytes choose pieces, so that much of what comes
 * out is JSON. */
#define _POSIX_C_SOURCE 200809L
#include "import.h"

#include <string.h>

static const char *const pieces[] = {
    "{\"in_shape\":[null,1],\"layers\":[",
    "{\"type\":\"lstm\",\"weights\":",
    "{\"type\":\"gru\",\"weights\":",
    "{\"type\":\"dense\",\"weights\":",
    "{\"type\":\"activation\"",
    ",\"activation\":\"tanh\"}",
    ",\"activation\":",
    "[[[1,2,3,4]],[[1,2,3,4]],[1,2,3,4]]",
    "[[[1,2,3]],[[1,2,3]],[[1,2,3],[4,5,6]]]",
    "[[[1]],[1]]",
    "{\"state_dict\":{",
    "\"model_data\":{",
    "\"skip\":1",
    "\"rec.weight_ih_l0\":[[1],[2],[3],[4]]",
    "\"rec.weight_hh_l0\":[[1],[2],[3],[4]]",
    "\"rec.bias_ih_l0\":[1,2,3,4]",
    "\"rec.bias_hh_l0\":[1,2,3,4]",
    "\"lin.weight\":[[1]]",
    "\"lin.bias\":[1]",
    "{\"architecture\":\"LSTM\",\"config\":{\"input_size\":1,\"hidden_size\":1,\"num_layers\":1}",
    ",\"weights\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]",
    ",\"sample_rate\":48000",
    "{",
    "}",
    "[",
    "]",
    ",",
    "1e38",
    "-0.5",
    "\"embedding\":{\"filename\":\"fuzz.json\",\"shape\":[",
    "\"cell_0/basic_lstm_cell/kernel\":{\"filename\":\"fuzz.json\",\"shape\":[",
    "\"input_input_weights\":[1,2]",
    "\"input_bias\":[1]",
    "\"layer0_bias\":[1,2,3]",
    "\"layer0_weights\":[1,2,3]",
    "\"layer0_recur_weights\":[1,2,3]",
    "null",
    "true",
    "\"x\":",
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0 || data[0] % 2 == 0) {
        fuzz_file("fuzz.json", data, size);
        return 0;
    }
    char *text = NULL;
    size_t length;
    FILE *const out = open_memstream(&text, &length);
    if (!out)
        abort();
    for (size_t i = 1; i < size; i++)
        fputs(pieces[data[i] % (sizeof pieces / sizeof *pieces)], out);
    fclose(out);
    fuzz_file("fuzz.json", text, length);
    free(text);
    return 0;
}
