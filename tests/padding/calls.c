/* Calls of a generated network, net_model, whose weights are built in, that show reads of what
 * nobody wrote. Compiled with clang's MemorySanitizer, the workspace is as malloc gives it: what
 * is read there before it was written ends the program. Compiled without, it is full of values
 * with which arithmetic raises an exception, and a call must raise none. */
#include <fenv.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net.h"

#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#include <sanitizer/msan_interface.h>
#define INITIALISED(data, size) __msan_check_mem_is_initialized(data, size)
#endif
#endif
#ifndef INITIALISED
#define INITIALISED(data, size) ((void)(data), (void)(size))
/* A signalling NaN, 2.7e38, infinity. */
static const uint32_t patterns[] = {0x7fa00000, 0x7f4c0000, 0x7f800000};
#define PATTERNS 3
#else
static const uint32_t patterns[] = {0};
#define PATTERNS 1
#endif

enum { RAISED = FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW, MOST_MEMBERS = 8 };

/* ---- a team whose members do wait for each other ---- */

typedef struct threads {
    size_t count, posted[MOST_MEMBERS];
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    void (*task)(void *argument, size_t index);
    void *argument;
    int raised;
} threads;

typedef struct member {
    threads *team;
    size_t index;
} member;

static void *run_member(void *context) {
    const member *const m = context;
    feclearexcept(FE_ALL_EXCEPT);
    m->team->task(m->team->argument, m->index);
    pthread_mutex_lock(&m->team->mutex);
    m->team->raised |= fetestexcept(RAISED);
    pthread_mutex_unlock(&m->team->mutex);
    return NULL;
}

static void run_all(void *context, void (*task)(void *argument, size_t index), void *argument) {
    threads *const team = context;
    pthread_t thread[MOST_MEMBERS];
    member members[MOST_MEMBERS];
    team->task = task;
    team->argument = argument;
    memset(team->posted, 0, sizeof team->posted);
    for (size_t i = 0; i < team->count; i++) {
        members[i] = (member){team, i};
        if (pthread_create(&thread[i], NULL, run_member, &members[i]) != 0)
            abort();
    }
    for (size_t i = 0; i < team->count; i++)
        pthread_join(thread[i], NULL);
}

static void post(void *context, size_t index) {
    threads *const team = context;
    pthread_mutex_lock(&team->mutex);
    team->posted[index]++;
    pthread_cond_broadcast(&team->changed);
    pthread_mutex_unlock(&team->mutex);
}

static void wait_for(void *context, size_t index, size_t count) {
    threads *const team = context;
    pthread_mutex_lock(&team->mutex);
    while (team->posted[index] < count)
        pthread_cond_wait(&team->changed, &team->mutex);
    pthread_mutex_unlock(&team->mutex);
}

/* ---- a call ---- */

static uint64_t state = 1;

/* 0 .. below - 1 */
static size_t drawn(size_t below) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(state >> 33) % below;
}

static void *room(size_t size) {
    void *const data = malloc(size ? size : 1);
    if (!data)
        abort();
    return data;
}

/* Within 3 of 0, one in eight within 30. */
static float *values(size_t count) {
    float *const list = room(count * sizeof *list);
    for (size_t i = 0; i < count; i++)
        list[i] = ((float)drawn(6001) - 3000.0f) / (drawn(8) ? 1000.0f : 100.0f);
    return list;
}

/* Floats of h and of c of one sequence. */
static size_t state_size(const rnnc_model *net, int of_c) {
    size_t sum = 0;
    for (size_t i = 0; i < net->network.layer_count; i++) {
        const rnnc_layer *const layer = &net->network.layer[i];
        const rnnc_config *const c = &layer->recurrent;
        if (layer->kind == RNNC_RECURRENT && (!of_c || c->cell == RNNC_LSTM))
            sum += c->num_layers * (c->bidirectional ? 2 : 1) *
                   (!of_c && c->proj_size ? c->proj_size : c->hidden_size);
    }
    return sum;
}

/* y holds a row for each sequence, not for each step. */
static int once(const rnnc_model *net) {
    int found = 0;
    for (size_t i = 0; i < net->network.layer_count; i++)
        found |= net->network.layer[i].last_step || net->network.layer[i].last_state;
    return found;
}

static int call(const rnnc_model *net, size_t seq_len, size_t batch, int with_states, int in_team,
                uint32_t pattern) {
    const size_t h = state_size(net, 0) * batch, c = state_size(net, 1) * batch;
    const size_t y = (once(net) ? 1 : seq_len) * batch * net->output;
    const size_t size = net->workspace_size(seq_len, batch), steps = seq_len * batch;
    const int embeds = net->network.layer[0].kind == RNNC_EMBEDDING;
    size_t *const lengths = net->lengths ? room(batch * sizeof *lengths) : NULL;
    for (size_t b = 0; lengths && b < batch; b++)
        lengths[b] = drawn(seq_len + 1);
    int32_t *const tokens = room(steps * sizeof *tokens);
    for (size_t i = 0; i < steps; i++)
        tokens[i] = (int32_t)drawn(net->network.layer[0].inputs ? net->network.layer[0].inputs : 1);
    float *const x = values(steps * net->input), *const h0 = values(h), *const c0 = values(c);
    float *const out = room((y + h + c) * sizeof *out);
    uint32_t *const workspace = room(size);
    for (size_t i = 0; PATTERNS > 1 && i < size / sizeof pattern; i++)
        workspace[i] = pattern;
    threads team = {.count = net->threads < MOST_MEMBERS ? net->threads : MOST_MEMBERS,
                    .mutex = PTHREAD_MUTEX_INITIALIZER,
                    .changed = PTHREAD_COND_INITIALIZER};
    const rnnc_team handle = {team.count, &team, run_all, post, wait_for, 0};
    const rnnc_call what = {.seq_len = seq_len,
                            .batch = batch,
                            .tokens = embeds ? tokens : NULL,
                            .lengths = lengths,
                            .x = embeds ? NULL : x,
                            .h0 = with_states ? h0 : NULL,
                            .c0 = with_states && c ? c0 : NULL,
                            .y = out,
                            .hn = h ? out + y : NULL,
                            .cn = c ? out + y + h : NULL,
                            .workspace = workspace,
                            .team = in_team ? &handle : NULL};
    feclearexcept(FE_ALL_EXCEPT);
    const rnnc_status status = net->forward(&what);
    const int raised = fetestexcept(RAISED) | team.raised;
    INITIALISED(out, (y + h + c) * sizeof *out);
    if (status != RNNC_OK || raised)
        printf("T = %zu, B = %zu%s%s, %08x: status %d,%s%s%s raised\n", seq_len, batch,
               with_states ? ", h0" : "", in_team ? ", a team" : "", (unsigned)pattern, (int)status,
               raised & FE_INVALID ? " invalid" : "", raised & FE_DIVBYZERO ? " divbyzero" : "",
               raised & FE_OVERFLOW ? " overflow" : "");
    free(workspace);
    free(out);
    free(h0);
    free(c0);
    free(x);
    free(tokens);
    free(lengths);
    return status != RNNC_OK || raised;
}

int main(void) {
    static const size_t some_steps[] = {1, 7, 130}, some_batches[] = {1, 3, 33};
    const rnnc_model *const net = &net_model;
    int failed = 0;
    for (size_t t = 0; t < (net->seq_len ? 1 : 3); t++)
        for (size_t b = 0; b < (net->batch ? 1 : 3); b++)
            for (size_t way = 0; way < (net->threads > 1 ? 4 : 2); way++)
                for (size_t p = 0; p < PATTERNS; p++)
                    failed |= call(net, net->seq_len ? net->seq_len : some_steps[t],
                                   net->batch ? net->batch : some_batches[b], way % 2 == 1, way > 1,
                                   patterns[p]);
    return failed;
}
