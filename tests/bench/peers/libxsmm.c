/* The driver for libxsmm (1.17): what a careful programmer writes on its small dense products,
 * which are compiled at run time for the exact sizes. A layer's products with the input are done
 * for a chunk of steps that stays in the second cache, then each step is one product with the state
 * and loops over the units that the compiler vectorises (libmvec's expf and tanhf). libxsmm is
 * column-major, so that its m goes along the gates. Variants: the weights whole or in panels, the
 * units of a gate as they are or filled up to whole vectors. README describes the lines. */
#include <libxsmm.h>
#include <math.h>

#include "driver.h"

/* CHUNK_BYTES: gate values of a chunk. FILL: floats of the widest vector. */
enum { CHUNK_BYTES = 1 << 17, FILL = 16 };

static const struct {
    const char *name;
    int panel; /* gate values side by side in the packed weights; 0: all */
    int fill;  /* units of a gate are a multiple of this */
} variants[] = {{"whole", 0, 1},
                {"panels of 64", 64, 1},
                {"panels of 32", 32, 1},
                {"whole, filled", 0, FILL},
                {"panels of 64, filled", 64, FILL},
                {"panels of 32, filled", 32, FILL}};

/* c (n, N) = or += b (n, k) * weights (k, N), panel by panel. */
typedef struct product {
    int k, panel, N;
    libxsmm_smmfunction full, rest; /* of whole panels, and of the last one if it is narrower */
} product;

typedef struct chain {
    float *w_ih, *w_hh; /* packed in panels of (k, panel) */
    float *bias;        /* (N): both biases, of gru's n that of the input alone */
    float *bias_n;      /* (units): bias_hh of gru's n */
    product input, last, state;
} chain;

static const problem *p;
static chain chains[CHAINS_MAX];
static int units, N, chunk; /* units of a gate with filling; G * units; steps of a chunk */
static float *gates;        /* (chunk, B, N): products with the input */
static float *sums;         /* (B, N): products with the state, for gru, which keeps them apart */
static float *h, *c;        /* (B, units) */
static float *between[2];   /* (T, B, D*H): outputs of layers below the last */

/* ---- products ---- */

static int prepare(product *q, int n, int k, int panel, int ldb, float beta) {
    const float alpha = 1;
    const int flags = LIBXSMM_GEMM_FLAG_NONE, prefetch = LIBXSMM_PREFETCH_NONE, rest = N % panel;
    *q = (product){.k = k, .panel = panel, .N = N};
    if (N >= panel)
        q->full =
            libxsmm_smmdispatch(panel, n, k, &panel, &ldb, &N, &alpha, &beta, &flags, &prefetch);
    if (rest)
        q->rest =
            libxsmm_smmdispatch(rest, n, k, &rest, &ldb, &N, &alpha, &beta, &flags, &prefetch);
    return (N < panel || q->full) && (!rest || q->rest);
}

static void multiply(const product *q, const float *w, const float *b, float *out) {
    int at = 0;
    for (; at + q->panel <= q->N; at += q->panel)
        q->full(w + (size_t)at * q->k, b, out + at);
    if (at < q->N)
        q->rest(w + (size_t)at * q->k, b, out + at);
}

/* PyTorch's (G*H, k) in panels; units that were filled in have zeros. */
static float *pack(const float *w, int k, int panel) {
    float *const packed = driver_floats((size_t)N * k);
    for (int at = 0; at < N; at += panel) {
        const int width = N - at < panel ? N - at : panel;
        for (int i = 0; i < k; i++)
            for (int j = 0; j < width; j++) {
                const int gate = (at + j) / units, unit = (at + j) % units;
                packed[(size_t)at * k + (size_t)i * width + j] =
                    unit < p->H ? w[((size_t)gate * p->H + unit) * k + i] : 0;
            }
    }
    return packed;
}

/* ---- the elementwise part of a step, of one sequence ---- */

/* Functions of their own: gcc vectorises loops only over parameters that are restrict. */
#define ROW static __attribute__((noinline)) void

static inline float sigmoid(float v) { return 1 / (1 + expf(-v)); }

ROW row_tanh(int n, const float *restrict a, const float *restrict bias, float *restrict out) {
    for (int j = 0; j < n; j++)
        out[j] = tanhf(a[j] + bias[j]);
}

ROW row_relu(int n, const float *restrict a, const float *restrict bias, float *restrict out) {
    for (int j = 0; j < n; j++)
        out[j] = fmaxf(a[j] + bias[j], 0);
}

ROW row_lstm(int n, const float *restrict a, const float *restrict bias, float *restrict cell,
             float *restrict out) {
    for (int j = 0; j < n; j++) {
        const float i = sigmoid(a[j] + bias[j]), f = sigmoid(a[n + j] + bias[n + j]);
        const float g = tanhf(a[2 * n + j] + bias[2 * n + j]);
        const float o = sigmoid(a[3 * n + j] + bias[3 * n + j]);
        cell[j] = f * cell[j] + i * g;
        out[j] = o * tanhf(cell[j]);
    }
}

ROW row_gru(int n, const float *restrict a, const float *restrict s, const float *restrict bias,
            const float *restrict bias_n, float *restrict out) {
    for (int j = 0; j < n; j++) {
        const float r = sigmoid(a[j] + s[j] + bias[j]);
        const float z = sigmoid(a[n + j] + s[n + j] + bias[n + j]);
        const float v = tanhf(a[2 * n + j] + bias[2 * n + j] + r * (s[2 * n + j] + bias_n[j]));
        out[j] = v + z * (out[j] - v);
    }
}

static void update(const chain *q, int b, const float *step) {
    const float *const a = step + (size_t)b * N;
    float *const out = h + (size_t)b * units;
    if (p->cell == RNN_TANH)
        row_tanh(units, a, q->bias, out);
    else if (p->cell == RNN_RELU)
        row_relu(units, a, q->bias, out);
    else if (p->cell == LSTM)
        row_lstm(units, a, q->bias, c + (size_t)b * units, out);
    else
        row_gru(units, a, sums + (size_t)b * N, q->bias, q->bias_n, out);
}

/* ---- the network ---- */

static void run_chain(int index, const float *in, float *out) {
    const chain *const q = &chains[index];
    const int d = index % p->D, B = p->B, row = p->D * p->H;
    memset(h, 0, (size_t)B * units * sizeof *h);
    memset(c, 0, (size_t)B * units * sizeof *c);
    for (int done = 0, steps; done < p->T; done += steps) {
        steps = p->T - done < chunk ? p->T - done : chunk;
        const int first = d ? p->T - done - steps : done;
        const product *const input = steps == chunk ? &q->input : &q->last;
        multiply(input, q->w_ih, in + (size_t)first * B * p->inputs[index], gates);
        for (int i = 0; i < steps; i++) {
            const int s = d ? steps - 1 - i : i;
            float *const step = gates + (size_t)s * B * N;
            multiply(&q->state, q->w_hh, h, p->cell == GRU ? sums : step);
            for (int b = 0; b < B; b++) {
                update(q, b, step);
                memcpy(out + ((size_t)(first + s) * B + b) * row + (size_t)d * p->H,
                       h + (size_t)b * units, p->H * sizeof *h);
            }
        }
    }
    for (int b = 0; b < B; b++)
        memcpy(p->hn + ((size_t)index * B + b) * p->H, h + (size_t)b * units, p->H * sizeof *h);
}

static void add_biases(chain *q, int index) {
    q->bias = driver_floats(N);
    q->bias_n = driver_floats(units);
    memset(q->bias, 0, N * sizeof(float));
    memset(q->bias_n, 0, units * sizeof(float));
    for (int g = 0; g < p->G; g++)
        for (int j = 0; j < p->H; j++) {
            const float state = p->bias_hh[index][g * p->H + j];
            const int separate = p->cell == GRU && g == 2;
            q->bias[g * units + j] = p->bias_ih[index][g * p->H + j] + (separate ? 0 : state);
            if (separate)
                q->bias_n[j] = state;
        }
}

static const char *driver_name(const char **why) {
    static char name[64];
    libxsmm_init();
    if (!libxsmm_get_target_arch() || libxsmm_get_target_archid() < LIBXSMM_X86_AVX) {
        *why = "libxsmm compiles nothing for this CPU";
        return NULL;
    }
    snprintf(name, sizeof name, "libxsmm %d.%d", LIBXSMM_VERSION_MAJOR, LIBXSMM_VERSION_MINOR);
    return name;
}

static const char *driver_variant(int v) {
    return v < (int)(sizeof variants / sizeof *variants) ? variants[v].name : NULL;
}

static const char *driver_open(problem *the_problem, int v) {
    p = the_problem;
    const int fill = variants[v].fill;
    units = (p->H + fill - 1) / fill * fill;
    N = p->G * units;
    if (fill > 1 && units == p->H)
        return "there is nothing to fill";
    if (variants[v].panel >= N)
        return "there is one panel";
    const int panel = variants[v].panel ? variants[v].panel : N;
    chunk = CHUNK_BYTES / ((int)sizeof(float) * p->B * N);
    chunk = chunk < 1 ? 1 : chunk > p->T ? p->T : chunk;
    const int last = p->T % chunk ? p->T % chunk : chunk;
    for (int i = 0; i < p->L * p->D; i++) {
        chain *const q = &chains[i];
        const int k = p->inputs[i];
        if (!prepare(&q->input, chunk * p->B, k, panel, k, 0) ||
            !prepare(&q->last, last * p->B, k, panel, k, 0) ||
            !prepare(&q->state, p->B, p->H, panel, units, p->cell == GRU ? 0 : 1))
            return "libxsmm compiles no product of these sizes";
        q->w_ih = pack(p->weight_ih[i], k, panel);
        q->w_hh = pack(p->weight_hh[i], p->H, panel);
        add_biases(q, i);
    }
    gates = driver_floats((size_t)chunk * p->B * N);
    sums = driver_floats((size_t)p->B * N);
    h = driver_floats((size_t)p->B * units);
    c = driver_floats((size_t)p->B * units);
    between[0] = driver_floats(y_count(p));
    between[1] = driver_floats(y_count(p));
    return NULL;
}

static void driver_forward(void) {
    const float *in = p->x;
    for (int l = 0; l < p->L; l++) {
        float *const out = l == p->L - 1 ? p->y : between[l % 2];
        for (int d = 0; d < p->D; d++)
            run_chain(l * p->D + d, in, out);
        in = out;
    }
}

static float *driver_y(void) { return p->y; }
static float *driver_hn(void) { return p->hn; }
