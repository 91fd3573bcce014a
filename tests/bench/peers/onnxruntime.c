/* The driver for ONNX Runtime's CPU provider, through its C API. The library is the file that
 * RNNC_ONNXRUNTIME names, or the system's. OrtApi is a table of functions whose order never changes
 * (onnxruntime_c_api.h: new ones are added at its end), so that no header is needed. A variant is a
 * way to call: Run, or RunWithBinding. README describes the lines. */
#include "onnx.h"

#include <dlfcn.h>

enum { API_VERSION = 14 };

/* Places in OrtApi. */
enum {
    GET_ERROR_MESSAGE = 2,
    CREATE_ENV = 3,
    CREATE_SESSION_FROM_ARRAY = 8,
    RUN = 9,
    CREATE_SESSION_OPTIONS = 10,
    SET_OPTIMIZATION_LEVEL = 23,
    SET_INTRA_OP_THREADS = 24,
    SET_INTER_OP_THREADS = 25,
    CREATE_TENSOR_WITH_DATA = 49,
    CREATE_CPU_MEMORY_INFO = 69,
    RUN_WITH_BINDING = 133,
    CREATE_IO_BINDING = 134,
    BIND_INPUT = 136,
    BIND_OUTPUT = 137
};

enum { OPTIMIZE_ALL = 99, LOG_ERRORS = 3, ARENA_DEVICE = 0, DEFAULT_MEMORY = 0 };

typedef void *status; /* NULL: well */

typedef struct api_base {
    const void *const *(*get_api)(uint32_t version);
    const char *(*version)(void);
} api_base;

static const api_base *base;
static const void *const *api;

static struct {
    void *session, *binding, *memory, *x;
    int variant, count; /* of outputs: hn of each layer, then y */
    void *outputs[CHAINS_MAX + 1];
    const char *names[CHAINS_MAX + 1];
    float *y, *hn;
} s;

/* The function at that place, with those arguments. */
#define API(place, ...) ((status(*)(__VA_ARGS__))api[place])

static void must(status failed) {
    if (!failed)
        return;
    fprintf(stderr, "%s\n", ((const char *(*)(status))api[GET_ERROR_MESSAGE])(failed));
    exit(1);
}

static const char *driver_name(const char **why) {
    static char name[64];
    const char *const given = getenv("RNNC_ONNXRUNTIME");
    void *library = dlopen(given ? given : "libonnxruntime.so.1", RTLD_NOW);
    if (!library && !given)
        library = dlopen("libonnxruntime.so", RTLD_NOW);
    const api_base *(*get)(void) = NULL;
    if (library)
        *(void **)&get = dlsym(library, "OrtGetApiBase");
    base = get ? get() : NULL;
    api = base ? base->get_api(API_VERSION) : NULL;
    *why = given ? "RNNC_ONNXRUNTIME names no ONNX Runtime"
                 : "libonnxruntime.so is not installed (RNNC_ONNXRUNTIME may name it)";
    if (!api)
        return NULL;
    int major = 0, minor = 0;
    sscanf(base->version(), "%d.%d", &major, &minor);
    snprintf(name, sizeof name, "ONNX Runtime %d.%d", major, minor);
    return name;
}

static const char *driver_variant(int v) {
    return v == 0 ? "Run" : v == 1 ? "RunWithBinding" : NULL;
}

static void *tensor(float *data, int rank, const int64_t *dims) {
    void *value = NULL;
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    must(
        API(CREATE_TENSOR_WITH_DATA, void *, void *, size_t, const int64_t *, size_t, int,
            void **)(s.memory, data, count * sizeof *data, dims, (size_t)rank, ONNX_FLOAT, &value));
    return value;
}

static void make_session(const problem *p) {
    void *environment = NULL, *options = NULL;
    const message model = onnx_model(p);
    must(API(CREATE_ENV, int, const char *, void **)(LOG_ERRORS, "rnnc", &environment));
    must(API(CREATE_SESSION_OPTIONS, void **)(&options));
    must(API(SET_INTRA_OP_THREADS, void *, int)(options, 1));
    must(API(SET_INTER_OP_THREADS, void *, int)(options, 1));
    must(API(SET_OPTIMIZATION_LEVEL, void *, int)(options, OPTIMIZE_ALL));
    must(API(CREATE_SESSION_FROM_ARRAY, void *, const void *, size_t, const void *,
             void **)(environment, model.data, model.size, options, &s.session));
    must(API(CREATE_CPU_MEMORY_INFO, int, int, void **)(ARENA_DEVICE, DEFAULT_MEMORY, &s.memory));
}

static const char *driver_open(problem *p, int v) {
    static char names[CHAINS_MAX][16];
    const int own = p->D == 1 || p->B == 1;
    const int64_t x[] = {p->T, p->B, p->I}, hn[] = {p->D, p->B, p->H};
    const int64_t y[] = {p->T, own ? p->D : p->B, own ? p->B : p->D, p->H};
    make_session(p);
    s.variant = v;
    s.count = p->L + 1;
    s.y = p->y;
    s.hn = p->hn;
    s.x = tensor(p->x, 3, x);
    for (int layer = 0; layer < p->L; layer++) {
        snprintf(names[layer], sizeof names[layer], "hn%d", layer);
        s.names[layer] = names[layer];
        s.outputs[layer] = tensor(p->hn + (size_t)layer * p->D * p->B * p->H, 3, hn);
    }
    s.names[p->L] = "y";
    s.outputs[p->L] = tensor(p->y, 4, y);
    must(API(CREATE_IO_BINDING, void *, void **)(s.session, &s.binding));
    must(API(BIND_INPUT, void *, const char *, const void *)(s.binding, "x", s.x));
    for (int i = 0; i < s.count; i++)
        must(API(BIND_OUTPUT, void *, const char *, const void *)(s.binding, s.names[i],
                                                                  s.outputs[i]));
    return NULL;
}

static void driver_forward(void) {
    const char *const inputs[] = {"x"};
    const void *const values[] = {s.x};
    if (s.variant == 1)
        must(API(RUN_WITH_BINDING, void *, const void *, const void *)(s.session, NULL, s.binding));
    else
        must(API(RUN, void *, const void *, const char *const *, const void *const *, size_t,
                 const char *const *, size_t,
                 void **)(s.session, NULL, inputs, values, 1, s.names, (size_t)s.count, s.outputs));
}

static float *driver_y(void) { return s.y; }
static float *driver_hn(void) { return s.hn; }
