/* compare.c: one network of two trees.
 *
 *     compare bits BASE.so NEW.so SEED        equal, "differs MOST", or "skipped" on this CPU
 *     compare time BASE.so NEW.so SECONDS     the least microseconds of a call of each, in turns
 *     compare spend FILE COMMAND...           adds a line to FILE: seconds of processor time of it
 */
#define _XOPEN_SOURCE 700
#include "compare.h"
#include "../bench/network.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BASE, NEW, BOTH };

/* A network, and whether its results are to be had on this CPU. */
typedef struct network {
    compare_measure *measure;
    compare_weight *weight;
    compare_open *open;
    compare_run *run;
    compare_close *close;
} network;

/* dlsym gives an object pointer, of which POSIX promises that it has a function's bytes. */
static void find(const char *library, const char *symbol, void *function, size_t size) {
    void *const found = symbol_of(library, symbol);
    memcpy(function, &found, size);
}

#define FIND(member) find(library, "net_" #member, &n.member, sizeof n.member)

static network load(const char *library) {
    network n;
    FIND(measure);
    FIND(weight);
    FIND(open);
    FIND(run);
    FIND(close);
    return n;
}

static size_t below(size_t n) { return (size_t)(random() % (long)n); }

static void *room_for(size_t count, size_t size) {
    void *const room = calloc(count ? count : 1, size);
    if (!room)
        fail("out of memory");
    return room;
}

/* Inputs for a call of that size, and outputs of NaN. */
static request request_of(const facts *f, const float *const *tensors, size_t T, size_t B) {
    request v = {.seq_len = T, .batch = B, .tensors = tensors};
    if (f->vocabulary) {
        int32_t *const tokens = room_for(T * B, sizeof *tokens);
        for (size_t i = 0; i < T * B; i++)
            tokens[i] = (int32_t)below(f->vocabulary);
        v.tokens = tokens;
    } else {
        v.x = random_floats(T * B * f->input, 1);
    }
    v.h0 = random_floats(f->h * B, 1);
    v.c0 = f->c ? random_floats(f->c * B, 1) : NULL;
    return v;
}

/* What request_of made. */
static void free_inputs(const request *v) {
    free((void *)(uintptr_t)v->tokens);
    free((void *)(uintptr_t)v->x);
    free((void *)(uintptr_t)v->h0);
    free((void *)(uintptr_t)v->c0);
}

/* What run_into made. */
static void free_outputs(const request *v) {
    free(v->y);
    free(v->hn);
    free(v->cn);
}

static size_t y_count(const facts *f, const request *v) {
    return (f->last_step ? 1 : v->seq_len) * v->batch * f->output;
}

/* Runs one network into buffers of its own. */
static int run_into(const network *n, const facts *f, request *v) {
    const size_t counts[] = {y_count(f, v), f->h * v->batch, f->c * v->batch};
    float **const to[] = {&v->y, &v->hn, &v->cn};
    for (int i = 0; i < (f->c ? 3 : 2); i++) {
        *to[i] = room_for(counts[i], sizeof(float));
        memset(*to[i], 0xFF, counts[i] * sizeof(float));
    }
    void *const opened = n->open(v);
    if (!opened)
        fail("out of memory, or no threads");
    const int status = n->run(opened);
    n->close(opened);
    return status;
}

/* The largest difference of two buffers; infinity where one has NaN and the other not. */
static double difference(const float *a, const float *b, size_t count) {
    double most = 0;
    for (size_t i = 0; i < count; i++) {
        const double difference = fabs((double)a[i] - (double)b[i]);
        if (memcmp(&a[i], &b[i], sizeof *a) == 0 || (isnan(a[i]) && isnan(b[i])))
            continue;
        most = difference <= HUGE_VAL ? fmax(most, fmax(difference, 5e-324)) : HUGE_VAL;
    }
    return most;
}

static const float *const *tensors_of(const network *n, const facts *f) {
    const float **const tensors = room_for(f->weights, sizeof *tensors);
    for (size_t i = 0; i < f->weights; i++) {
        size_t rows, cols;
        n->weight(i, &rows, &cols);
        tensors[i] = random_floats(rows * (cols ? cols : 1), cols ? 1 / sqrtf((float)cols) : 0.3f);
    }
    return tensors;
}

static void free_tensors(const facts *f, const float *const *tensors) {
    for (size_t i = 0; i < f->weights; i++)
        free((void *)(uintptr_t)tensors[i]);
    free((void *)(uintptr_t)tensors);
}

/* How far the two are apart on one request; -1: not to be had on this CPU. */
static double run_difference(const network both[BOTH], const facts *f, const request *v) {
    request of[BOTH] = {*v, *v};
    int status[BOTH];
    for (int i = 0; i < BOTH; i++)
        status[i] = run_into(&both[i], f, &of[i]);
    double most = HUGE_VAL;
    if (status[BASE] == status[NEW] && status[NEW] == RNNC_ERR_TARGET)
        most = -1;
    else if (status[BASE] == status[NEW] && status[NEW] != RNNC_OK)
        fail("a call fails");
    else if (status[BASE] == status[NEW])
        most = fmax(difference(of[BASE].y, of[NEW].y, y_count(f, v)),
                    fmax(difference(of[BASE].hn, of[NEW].hn, f->h * v->batch),
                         difference(of[BASE].cn, of[NEW].cn, f->c * v->batch)));
    for (int i = 0; i < BOTH; i++)
        free_outputs(&of[i]);
    return most;
}

/* Every way of calling: plain, with lengths, by a team, by a team with lengths. */
static double call_difference(const network both[BOTH], const facts *f, const float *const *tensors,
                              size_t T, size_t B) {
    double most = 0;
    size_t *const lengths = room_for(B, sizeof *lengths);
    for (size_t b = 0; b < B; b++)
        lengths[b] = 1 + below(T);
    const request plain = request_of(f, tensors, T, B);
    for (int way = 0; way < 4 && most >= 0; way++) {
        request v = plain;
        if ((way & 1 && !f->lengths) || (way & 2 && f->threads < 2))
            continue;
        v.lengths = way & 1 ? lengths : NULL;
        v.team = way & 2;
        const double difference = run_difference(both, f, &v);
        most = difference < 0 ? difference : fmax(most, difference);
    }
    free_inputs(&plain);
    free(lengths);
    return most;
}

/* Are they the same network? */
static facts measure_both(const network both[BOTH]) {
    facts f[BOTH];
    memset(f, 0, sizeof f);
    for (int i = 0; i < BOTH; i++)
        if (both[i].measure(&f[i]) != RNNC_OK)
            fail("a network cannot be measured");
    if (memcmp(&f[BASE], &f[NEW], sizeof *f) != 0)
        fail("the networks have different sizes");
    return f[NEW];
}

static int bits(const network both[BOTH], unsigned seed) {
    srandom(seed);
    const facts f = measure_both(both);
    const float *const *const tensors = tensors_of(&both[NEW], &f);
    double most = 0;
    for (int call = 0; call < (f.seq_len && f.batch ? 1 : 3) && most >= 0; call++) {
        const size_t T = f.seq_len ? f.seq_len : 1 + below(call == 1 ? 150 : 30);
        const size_t B = f.batch ? f.batch : 1 + below(call == 2 ? 40 : 5);
        const double difference = call_difference(both, &f, tensors, T, B);
        most = difference < 0 ? difference : fmax(most, difference);
    }
    free_tensors(&f, tensors);
    if (most > 0)
        printf("differs %.1e\n", most);
    else
        puts(most < 0 ? "skipped" : "equal");
    return 0;
}

/* Calls in short rounds, in turns. Where the two seem to be apart, the clock or a neighbour may be
 * to blame: four times as long, then. */
static int times(const network both[BOTH], double seconds) {
    const facts f = measure_both(both);
    const float *const *const tensors = tensors_of(&both[NEW], &f);
    request v = request_of(&f, tensors, f.seq_len ? f.seq_len : 100, f.batch ? f.batch : 1);
    v.y = aligned_floats(y_count(&f, &v));
    v.hn = aligned_floats(f.h * v.batch);
    v.cn = f.c ? aligned_floats(f.c * v.batch) : NULL;
    void *opened[BOTH];
    double least[BOTH] = {HUGE_VAL, HUGE_VAL}, spent = 0, most = seconds;
    size_t calls = 1;
    for (int i = 0; i < BOTH; i++)
        if (!(opened[i] = both[i].open(&v)))
            fail("out of memory");
    for (int i = 0; spent < most; i = !i) {
        const double begin = now();
        for (size_t k = 0; k < calls; k++)
            if (both[i].run(opened[i]) != RNNC_OK)
                fail("a call fails");
        const double took = now() - begin;
        spent += took;
        if (took < 20e-6) /* the clock's own time should not show */
            calls *= 2;
        else
            least[i] = fmin(least[i], took / (double)calls);
        if (spent >= seconds && !(fabs(least[BASE] / least[NEW] - 1) < 0.02))
            most = 4 * seconds;
    }
    printf("%.4f %.4f\n", 1e6 * least[BASE], 1e6 * least[NEW]);
    return 0;
}

static int spend(const char *file, char **command) {
    const pid_t child = fork();
    if (child == 0) {
        execvp(command[0], command);
        _exit(127);
    }
    int status;
    struct rusage used;
    if (child < 0 || waitpid(child, &status, 0) < 0 || getrusage(RUSAGE_CHILDREN, &used) != 0)
        fail("a command cannot be run");
    FILE *const out = fopen(file, "a");
    if (!out)
        fail("a file cannot be written");
    fprintf(out, "%.3f\n",
            (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                1e-6 * (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec));
    fclose(out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv) {
    if (argc > 3 && strcmp(argv[1], "spend") == 0)
        return spend(argv[2], argv + 3);
    if (argc != 5)
        fail("usage: compare bits|time BASE.so NEW.so SEED|SECONDS");
    const network both[BOTH] = {load(argv[2]), load(argv[3])};
    return strcmp(argv[1], "bits") == 0 ? bits(both, (unsigned)strtoul(argv[4], NULL, 10))
                                        : times(both, strtod(argv[4], NULL));
}
