/* trap.c [allocate|system]: runs generated networks where an allocation or a system call is the
 * end.
 *
 * malloc and its kin are defined here, so that whoever calls them, the C library included, comes
 * here; while the trap is set they say so and end the process. seccomp's strict mode makes the
 * kernel kill whoever asks it for more than read, write and exit: no lock that waits, no file, no
 * clock, no memory. What is in force before NAME_step and NAME_forward stays so to the end. The
 * arguments allocate, or call the system, on purpose: a trap has to catch that. */
#define _GNU_SOURCE
#include "trap.h"

#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef __SSE__
#include <xmmintrin.h>
#endif

enum { STEPS = 150, BATCH = 35, MEMORY = 64 << 20, FAILED = 3 };

static int armed;

static void say(const char *text) {
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        __builtin_trap();
}

static void fail(const char *what, const char *name) {
    say(what);
    say(name);
    say("\n");
    syscall(SYS_exit, FAILED);
}

/* All the memory there is: before the trap is set, the C library may have some of it. */
static _Alignas(64) unsigned char memory[MEMORY];
static size_t used;

static void *take(size_t alignment, size_t size) {
    if (armed)
        fail("memory was asked for", "");
    alignment = alignment < 64 ? 64 : alignment;
    used = (used + alignment - 1) / alignment * alignment;
    if (size > MEMORY - used)
        fail("trap.c has too little memory", "");
    used += size;
    return memory + used - size;
}

void *malloc(size_t size) { return take(64, size); }

void *calloc(size_t count, size_t size) { return take(64, count * size); } /* fresh: zero */

void *aligned_alloc(size_t alignment, size_t size) { return take(alignment, size); }

void *realloc(void *old, size_t size) {
    void *const to = take(64, size);
    if (old)
        memmove(to, old, size); /* perhaps more than there was, but within `memory` */
    return to;
}

int posix_memalign(void **to, size_t alignment, size_t size) {
    *to = take(alignment, size);
    return 0;
}

void free(void *old) {
    if (armed && old)
        fail("memory was released", "");
}

static float *floats(size_t n) {
    static uint32_t state = 1;
    float *const values = take(64, n * sizeof *values);
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = (float)(state >> 8) * (1.0f / 8388608.0f) - 1.0f;
    }
    return values;
}

/* The bits of the control register that are the caller's: rounding, flushing, masks. */
static unsigned controls(void) {
#ifdef __SSE__
    return _mm_getcsr() & ~0x3fu; /* the low six are sticky flags, which arithmetic sets */
#else
    return 0;
#endif
}

/* The memory of one network, taken before the trap is set. */
typedef struct run {
    rnnc_call call;
    size_t lengths[BATCH];
    void *state;
} run;

/* Room for the states of all layers, h's and c's alike. */
static size_t states_of(const rnnc_network *network) {
    size_t floats = 0;
    for (size_t i = 0; i < network->layer_count; i++) {
        const rnnc_config *const c = &network->layer[i].recurrent;
        if (network->layer[i].kind == RNNC_RECURRENT)
            floats += c->num_layers * (c->bidirectional ? 2 : 1) * c->hidden_size;
    }
    return floats;
}

static int32_t *tokens(size_t n, size_t vocabulary) {
    int32_t *const values = take(64, n * sizeof *values);
    for (size_t i = 0; i < n; i++)
        values[i] = (int32_t)(i * 7 % vocabulary);
    return values;
}

static void prepare(const trapped *n, run *r) {
    const rnnc_model *const m = n->model;
    const rnnc_layer *const first = &m->network.layer[0];
    const size_t T = m->seq_len ? m->seq_len : STEPS, B = m->batch ? m->batch : BATCH;
    const size_t states = states_of(&m->network) * B;
    const int reads_tokens = first->kind == RNNC_EMBEDDING;
    for (size_t b = 0; b < B; b++)
        r->lengths[b] = 1 + b * 7 % T;
    r->state = n->step ? take(64, n->state_size()) : NULL;
    r->call = (rnnc_call){.weights = m->built_in ? NULL : floats(m->packed_count),
                          .seq_len = T,
                          .batch = B,
                          .lengths = r->lengths,
                          .tokens = reads_tokens ? tokens(T * B, first->inputs) : NULL,
                          .x = reads_tokens ? NULL : floats(T * B * m->input),
                          .h0 = floats(states),
                          .c0 = floats(states),
                          .y = floats(T * B * m->output),
                          .hn = floats(states),
                          .cn = floats(states),
                          .workspace = take(64, m->workspace_size(T, B))};
}

static void go(const trapped *n, const run *r) {
    const unsigned before = controls();
    const rnnc_call *const c = &r->call;
    rnnc_status status = n->forward(c);
    if (status == RNNC_OK && n->forward_lengths)
        status = n->forward_lengths(c);
    if (n->step) {
        n->state_init(r->state);
        for (int i = 0; i < 3 && status == RNNC_OK; i++)
            status =
                n->step(c->weights, r->state, c->tokens ? (const void *)c->tokens : c->x, c->y);
        n->state_reset(r->state);
    }
    if (status != RNNC_OK)
        fail("an error from ", n->model->name);
    if (controls() != before)
        fail("the modes of floating point are changed by ", n->model->name);
}

int main(int argc, char **argv) {
    run *const runs = calloc(network_count, sizeof *runs);
    for (size_t i = 0; i < network_count; i++)
        prepare(&networks[i], &runs[i]);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0)
        fail("no seccomp here", "");
    armed = 1;
    if (argc > 1 && strcmp(argv[1], "allocate") == 0)
        free(aligned_alloc(64, 64));
    if (argc > 1 && strcmp(argv[1], "system") == 0)
        syscall(SYS_getpid);
    for (size_t i = 0; i < network_count; i++)
        go(&networks[i], &runs[i]);
#ifdef __SSE__
    /* A caller that flushes subnormal numbers to zero goes on doing so. */
    _mm_setcsr(_mm_getcsr() | 0x8040u);
    for (size_t i = 0; i < network_count; i++)
        go(&networks[i], &runs[i]);
#endif
    /* The C library's own way out is by another system call. */
    return (int)syscall(SYS_exit, 0);
}
