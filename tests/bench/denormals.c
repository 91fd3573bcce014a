/* denormals.c NAME: what a step costs when states are too small to be normal numbers
 * (below 1.2e-38), which processors handle in microcode. One network, one sequence, no input.
 * Candidates:
 *
 *   sound      states of usual size
 *   silence    after SILENCE steps of zeros, with biases of 0: what the states have decayed to
 *   biased     the same with biases as training leaves them, up to 0.01
 *   held       states of 1e-40 that stay so
 *   flushed    the same where the caller has set the processor to flush such numbers to zero */
#define _POSIX_C_SOURCE 200809L
#include "turns.h"

#include <string.h>
#ifdef __SSE__
#include <xmmintrin.h>
#endif

extern const rnnc_model net_model;

enum { STEPS = 100, SILENCE = 3000 };

static unsigned modes;

/* FTZ and DAZ, as audio hosts set them. */
static void flush(void) {
#ifdef __SSE__
    modes = _mm_getcsr();
    _mm_setcsr(modes | 0x8040u);
#endif
}

static void restore(void) {
#ifdef __SSE__
    _mm_setcsr(modes);
#endif
}

/* Weights under which a state neither grows nor dies soon: small recurrent ones, and a gate that
 * keeps 0.9 or all of it; an rnn keeps that by its own unit's weight. */
static float *weights(float keep, float biases) {
    const rnnc_model *const m = &net_model;
    const rnnc_config *const c = &m->network.layer[0].recurrent;
    const size_t H = c->hidden_size;
    const float gate = keep < 1 ? logf(keep / (1 - keep)) : 30.0f;
    float **const tensors = malloc(m->weight_count * sizeof *tensors);
    float *const packed = malloc(m->packed_count * sizeof *packed);
    if (!tensors || !packed)
        fail("out of memory");
    for (size_t i = 0; i < m->weight_count; i++) {
        const rnnc_weight *const w = &m->weight[i];
        const int bias = w->cols == 0, recurrent = strstr(w->name, "_hh") != NULL;
        tensors[i] =
            random_floats(w->rows * (bias ? 1 : w->cols), bias ? biases : 0.05f / sqrtf((float)H));
        for (size_t j = 0; j < H; j++) {
            if (bias && !recurrent && c->cell == RNNC_LSTM)
                tensors[i][H + j] = gate; /* f */
            if (bias && !recurrent && c->cell == RNNC_GRU)
                tensors[i][H + j] = gate; /* z */
            if (!bias && recurrent && c->cell != RNNC_LSTM && c->cell != RNNC_GRU)
                tensors[i][j * H + j] = keep;
        }
    }
    if (rnnc_model_pack(m, (const float *const *)tensors, packed) != RNNC_OK)
        fail("the weights cannot be packed");
    return packed;
}

static rnnc_call call_from(const float *packed, float size, size_t steps) {
    const rnnc_config *const c = &net_model.network.layer[0].recurrent;
    const size_t H = c->hidden_size;
    const int lstm = c->cell == RNNC_LSTM;
    float *const state = random_floats(H, size);
    for (size_t i = 0; i < H; i++)
        state[i] = fabsf(state[i]); /* relu would make 0 of half of it */
    return (rnnc_call){.weights = packed,
                       .seq_len = steps,
                       .batch = 1,
                       .x = random_floats(steps * c->input_size, 0),
                       .h0 = state,
                       .c0 = lstm ? state : NULL,
                       .y = random_floats(steps * H, 0),
                       .hn = random_floats(H, 0),
                       .cn = lstm ? random_floats(H, 0) : NULL,
                       .workspace = malloc(net_model.workspace_size(steps, 1))};
}

/* The call that goes on after a long silence, and the largest state that is left of it. */
static rnnc_call after_silence(const float *packed, float *left) {
    const rnnc_call silence = call_from(packed, 1.0f, SILENCE);
    rnnc_call next = call_from(packed, 0.0f, STEPS);
    if (net_model.forward(&silence) != RNNC_OK)
        fail("a call fails");
    *left = 0;
    for (size_t i = 0; i < net_model.network.layer[0].recurrent.hidden_size; i++) {
        *left = fmaxf(*left, fabsf(silence.hn[i]));
        *left = silence.cn ? fmaxf(*left, fabsf(silence.cn[i])) : *left;
    }
    next.h0 = silence.hn;
    next.c0 = silence.cn;
    return next;
}

enum { SOUND, SILENT, BIASED, HELD, FLUSHED, CANDIDATES };

int main(int argc, char **argv) {
    if (argc != 2)
        fail("usage: denormals NAME");
    static candidate all[CANDIDATES];
    float left, left_biased;
    const float *const holds = weights(1.0f, 0.0f);
    all[SOUND].call = call_from(holds, 1.0f, STEPS);
    all[SILENT].call = after_silence(weights(0.9f, 0.0f), &left);
    all[BIASED].call = after_silence(weights(0.9f, 0.01f), &left_biased);
    all[HELD].call = call_from(holds, 1e-40f, STEPS);
    all[FLUSHED].call = all[HELD].call;
    all[FLUSHED].before = flush;
    all[FLUSHED].after = restore;
    for (size_t i = 0; i < CANDIDATES; i++)
        all[i].model = &net_model;
    take_turns(all, CANDIDATES);
    printf("%-24s %8.1f %8.2f %8.1e %8.2f %8.1e %8.2f %8.2f\n", argv[1],
           1e9 * all[SOUND].least / STEPS, all[SILENT].least / all[SOUND].least, (double)left,
           all[BIASED].least / all[SOUND].least, (double)left_biased,
           all[HELD].least / all[SOUND].least, all[FLUSHED].least / all[SOUND].least);
    return 0;
}
