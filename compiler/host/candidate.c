#define _XOPEN_SOURCE 700
#include "candidate.h"
#include "network.h"
#include "pin.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* All of this runs in a child that ends with its socket: what it allocates goes with it. */

typedef struct network {
    const rnnc_model *model; /* NULL: generic */
    const rnnc_network *network;
    const rnnc_blas *blas;
    rnnc_call call;
} network;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* At least one byte, on a cache line; NULL if there is none. */
static void *allocate(size_t size) {
    void *memory = NULL;
    return posix_memalign(&memory, 64, size + 64) == 0 ? memory : NULL;
}

static float *zeros(size_t count) {
    float *const values = allocate(count * sizeof *values);
    if (values)
        memset(values, 0, count * sizeof *values);
    return values;
}

/* Those that return a text return what is wrong, or NULL. */

static const char *load_model(const candidate *c, network *n) {
    const problem *const p = c->problem;
    void *const library = dlopen(c->library, RTLD_LAZY | RTLD_LOCAL);
    const rnnc_model *const model = library ? dlsym(library, c->symbol) : NULL;
    if (!model)
        return dlerror();
    if (model->abi != RNNC_ABI || (!c->altered && !network_same(&model->network, p->network)))
        return "the compiled network has other sizes than the spec";
    float *packed = NULL;
    if (!model->built_in) {
        packed = allocate(model->packed_count * sizeof *packed);
        if (!packed || rnnc_model_pack(model, p->tensors, packed) != RNNC_OK)
            return "the weights cannot be packed";
    }
    n->model = model;
    n->call.weights = packed;
    const size_t size = model->workspace_size(p->seq_len, p->batch);
    n->call.workspace = size ? allocate(size) : NULL;
    return NULL;
}

static const char *prepare_generic(const candidate *c, network *n) {
    const problem *const p = c->problem;
    static rnnc_error error;
    n->blas = strcmp(c->blas, "openblas") == 0 ? rnnc_blas_openblas(&error) : rnnc_blas_builtin();
    if (!n->blas)
        return error.message;
    float *const prepared = allocate(rnnc_generic_prepared_count(p->network) * sizeof *prepared);
    if (!prepared || rnnc_generic_prepare(p->network, p->tensors, prepared) != RNNC_OK)
        return "the weights cannot be prepared";
    n->call.weights = prepared;
    n->call.workspace = allocate(rnnc_generic_workspace_size(p->network, p->seq_len, p->batch));
    return NULL;
}

typedef struct pinning {
    const int *cpus;
    atomic_int failed;
} pinning;

static void pin_member(void *a_pinning, size_t index) {
    pinning *const p = a_pinning;
    if (pin_thread(p->cpus[index]) != 0)
        atomic_store(&p->failed, 1);
}

/* A team on CPUs of its own: members that share one would wait for each other a time slice long. */
static const char *gather_team(const candidate *c, network *n) {
    static rnnc_error error;
    rnnc_team *team;
    if (n->model->threads != c->threads)
        return "the compiled network is for another number of threads";
    if (rnnc_team_create(c->threads, &team, &error) != RNNC_OK)
        return error.message;
    pinning p = {.cpus = c->cpus};
    team->run(team->context, pin_member, &p);
    rnnc_team_measure(team);
    n->call.team = team;
    return atomic_load(&p.failed) ? "a thread cannot be kept on a CPU of its own" : NULL;
}

static const char *prepare(const candidate *c, network *n) {
    const problem *const p = c->problem;
    *n = (network){.network = p->network};
    const char *wrong = c->library ? load_model(c, n) : prepare_generic(c, n);
    if (!wrong && c->threads > 1)
        wrong = gather_team(c, n);
    if (wrong)
        return wrong;
    n->call.seq_len = p->seq_len;
    n->call.batch = p->batch;
    n->call.x = p->x;
    n->call.tokens = p->tokens;
    /* A state of zeros, not NULL: who knows that it is zero may leave the first product out, which
     * a step of a stream cannot. */
    n->call.h0 = zeros(p->h_count);
    n->call.c0 = p->c_count ? zeros(p->c_count) : NULL;
    n->call.y = allocate(p->y_count * sizeof(float));
    n->call.hn = allocate(p->h_count * sizeof(float));
    n->call.cn = p->c_count ? allocate(p->c_count * sizeof(float)) : NULL;
    if (!n->call.workspace || !n->call.y || !n->call.hn || (p->c_count && !n->call.cn) ||
        !n->call.h0 || (p->c_count && !n->call.c0))
        return "not enough memory";
    return NULL;
}

static rnnc_status forward(const network *n) {
    return n->model ? rnnc_model_forward(n->model, &n->call, NULL)
                    : rnnc_generic_forward(n->network, n->blas, &n->call);
}

/* One call on outputs filled with NaN. */
static const char *fill(const problem *p, const network *n) {
    memset(n->call.y, 0xff, p->y_count * sizeof(float));
    memset(n->call.hn, 0xff, p->h_count * sizeof(float));
    if (p->c_count)
        memset(n->call.cn, 0xff, p->c_count * sizeof(float));
    const rnnc_status status = forward(n);
    return status == RNNC_OK ? NULL : rnnc_status_message(status);
}

/* Runs the call without the team, and compares what that gives with what stands in the outputs. */
static const char *compare_with_one_thread(const problem *p, const network *with_team) {
    network alone = *with_team;
    const rnnc_call *const c = &with_team->call;
    alone.call.team = NULL;
    alone.call.y = allocate(p->y_count * sizeof(float));
    alone.call.hn = allocate(p->h_count * sizeof(float));
    alone.call.cn = allocate(p->c_count * sizeof(float));
    if (!alone.call.y || !alone.call.hn || !alone.call.cn)
        return "not enough memory";
    const char *const wrong = fill(p, &alone);
    if (wrong)
        return wrong;
    const int same = memcmp(alone.call.y, c->y, p->y_count * sizeof(float)) == 0 &&
                     memcmp(alone.call.hn, c->hn, p->h_count * sizeof(float)) == 0 &&
                     (!p->c_count || memcmp(alone.call.cn, c->cn, p->c_count * sizeof(float)) == 0);
    free(alone.call.y);
    free(alone.call.hn);
    free(alone.call.cn);
    return same ? NULL : "its threads give other bits than one thread";
}

static const char *run_once(const candidate *c, const network *n, const char *path) {
    const problem *const p = c->problem;
    const char *wrong = fill(p, n);
    if (!wrong && n->call.team)
        wrong = compare_with_one_thread(p, n);
    if (wrong)
        return wrong;
    FILE *const file = fopen(path, "wb");
    if (!file)
        return strerror(errno);
    size_t written = fwrite(n->call.y, sizeof(float), p->y_count, file);
    written += fwrite(n->call.hn, sizeof(float), p->h_count, file);
    if (p->c_count)
        written += fwrite(n->call.cn, sizeof(float), p->c_count, file);
    if (fclose(file) != 0 || written != p->y_count + p->h_count + p->c_count)
        return "its outputs cannot be written";
    return NULL;
}

static void nothing(void *argument, size_t index) {
    (void)argument;
    (void)index;
}

static double time_calls(const network *n, long calls) {
    /* Members sleep while others are measured; calls in a row, which count, find them awake. */
    if (n->call.team)
        n->call.team->run(n->call.team->context, nothing, NULL);
    const double begin = now();
    for (long i = 0; i < calls; i++)
        forward(n);
    return now() - begin;
}

static void say(int socket, const char *word, const char *why) {
    dprintf(socket, "%s%s%.900s\n", word, why ? " " : "", why ? why : "");
}

void candidate_serve(void *a_candidate, int socket) {
    const candidate *const c = a_candidate;
    FILE *const in = fdopen(socket, "r");
    network n;
    char line[1024];
    const char *wrong = prepare(c, &n);
    say(socket, wrong ? "absent" : "hello", wrong);
    while (in && !wrong && fgets(line, sizeof line, in)) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "run ", 4) == 0) {
            wrong = run_once(c, &n, line + 4);
            say(socket, wrong ? "wrong" : "done", wrong);
        } else if (strcmp(line, "latency") == 0) {
            dprintf(socket, "%zu\n", n.call.team ? n.call.team->latency : 0);
        } else if (strncmp(line, "time ", 5) == 0) {
            dprintf(socket, "%.9g\n", time_calls(&n, strtol(line + 5, NULL, 10)));
        }
    }
}
