#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "charlm.h"
#include "vocabulary.h"

enum {
    RECORDED = 200,           /* steps of which PyTorch's values are all in test.safetensors */
    V = CHARLM_OUTPUT_SIZE,   /* 63 */
    STATE = CHARLM_H_SIZE,    /* 192 */
    MAX_CHARACTERS = 1 << 20, /* of held_out.txt; far more than there are */
};

/* Of a value, when it is multiplied by the largest value, or 1 if that is smaller. */
static const double tolerance = 1e-5;

void check_status(rnnc_status status, const char *what) {
    if (status != RNNC_OK) {
        fprintf(stderr, "charlm: %s: %s\n", what, rnnc_status_message(status));
        exit(1);
    }
}

void *allocate(size_t count, size_t size) {
    void *memory = calloc(count, size);
    if (memory == NULL)
        check_status(RNNC_ERR_MEMORY, "charlm");
    return memory;
}

/* The tokens of a file, to be freed by the caller; *count is set. */
static int32_t *read_tokens(const char *path, size_t *count) {
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        check_status(RNNC_ERR_FILE, path);
    char *text = allocate(MAX_CHARACTERS, 1);
    *count = fread(text, 1, MAX_CHARACTERS, file);
    check_status(ferror(file) ? RNNC_ERR_FILE : RNNC_OK, path);
    check_status(*count < RECORDED ? RNNC_ERR_FORMAT : RNNC_OK, path);
    fclose(file);
    int32_t *tokens = allocate(*count, sizeof *tokens);
    for (size_t i = 0; i < *count; i++)
        tokens[i] = token_of(text[i]);
    free(text);
    return tokens;
}

static void read_tensor(const rnnc_safetensors *file, const char *name, float *to, size_t count) {
    rnnc_error error;
    if (rnnc_safetensors_read_f32(file, name, to, count, &error) != RNNC_OK) {
        fprintf(stderr, "charlm: %s\n", error.message);
        exit(1);
    }
}

/* The largest |ours - theirs|, and the largest |theirs|; infinite if there is a NaN. */
typedef struct distance {
    double error, largest;
} distance;

static distance compare(const float *ours, const float *theirs, size_t count) {
    distance d = {0.0, 0.0};
    for (size_t i = 0; i < count; i++) {
        double error = fabs((double)ours[i] - (double)theirs[i]);
        d.error = fmax(d.error, isnan(error) ? INFINITY : error);
        d.largest = fmax(d.largest, fabs((double)theirs[i]));
    }
    return d;
}

static int is_close(distance d) { return d.error <= tolerance * fmax(1.0, d.largest); }

/* The network reads a newline and then the text, and is asked for each character of it before it
 * reads it. Bits per character; the first RECORDED outputs and the state after them by the way. */
static double read_by_steps(const int32_t *text, size_t count, float *log_probs, float *hn) {
    static charlm_state state;
    float y[V];
    double bits = 0.0;
    charlm_state_init(&state);
    for (size_t i = 0; i < count; i++) {
        int32_t token = i == 0 ? NEWLINE : text[i - 1];
        check_status(charlm_step(&state, &token, y), "charlm_step");
        bits -= (double)y[text[i]] / log(2.0);
        if (i < RECORDED)
            memcpy(log_probs + i * V, y, sizeof y);
        if (i == RECORDED - 1)
            memcpy(hn, state.h, sizeof state.h);
    }
    return bits / (double)count;
}

/* The same for the first RECORDED steps in one call. */
static void read_at_once(const int32_t *text, float *log_probs, float *hn) {
    int32_t tokens[RECORDED] = {NEWLINE};
    memcpy(tokens + 1, text, sizeof tokens - sizeof *tokens);
    void *workspace = allocate(charlm_workspace_size(RECORDED, 1), 1);
    check_status(charlm_forward(RECORDED, tokens, NULL, log_probs, hn, workspace),
                 "charlm_forward");
    free(workspace);
}

int check_against_pytorch(void) {
    static struct { float log_probs[RECORDED * V], hn[STATE], bits; } pytorch, steps, once;
    rnnc_safetensors *file;
    rnnc_error error;
    if (rnnc_safetensors_open("test.safetensors", &file, &error) != RNNC_OK) {
        fprintf(stderr, "charlm: %s\n", error.message);
        exit(1);
    }
    read_tensor(file, "log_probs", pytorch.log_probs, (size_t)RECORDED * V);
    read_tensor(file, "hn", pytorch.hn, STATE);
    read_tensor(file, "bits_per_character", &pytorch.bits, 1);
    rnnc_safetensors_close(file);

    size_t count;
    int32_t *text = read_tokens("held_out.txt", &count);
    steps.bits = (float)read_by_steps(text, count, steps.log_probs, steps.hn);
    read_at_once(text, once.log_probs, once.hn);
    free(text);

    int same = memcmp(steps.log_probs, once.log_probs, sizeof once.log_probs) == 0 &&
               memcmp(steps.hn, once.hn, sizeof once.hn) == 0;
    distance y = compare(steps.log_probs, pytorch.log_probs, (size_t)RECORDED * V);
    distance hn = compare(steps.hn, pytorch.hn, STATE);
    distance bits = compare(&steps.bits, &pytorch.bits, 1);
    printf("The book of Ruth, which was not in the training: %zu characters\n"
           "  bits per character                  %.3f\n"
           "  as PyTorch, within 1e-5             %s\n"
           "  logarithms of %d steps, the same   %s\n"
           "  state after them, the same          %s\n"
           "  steps and one call, bit for bit     %s\n",
           count, (double)steps.bits, is_close(bits) ? "yes" : "NO", RECORDED,
           is_close(y) ? "yes" : "NO", is_close(hn) ? "yes" : "NO", same ? "yes" : "NO");
    printf("# largest distance from PyTorch's: logarithms %.2g of %.3g, state %.2g, bits %.2g\n",
           y.error, y.largest, hn.error, bits.error);
    return same && is_close(y) && is_close(hn) && is_close(bits);
}
