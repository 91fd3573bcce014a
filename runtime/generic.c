/* generic.c: any network at run time, in float on BLAS. The inputs of all steps of a layer go
 * through one product; each step is one product with the state and one pass over the gates, which
 * writes the new state straight into the output, where the next step reads it. */
#include "kernels.h"

#include <string.h>

/* A layer and direction ("chain") as prepared: W_ih^T (K, N), W_hh^T (H, N), bias (N), and for a
 * gru b_hh of its gate n (H), which is multiplied by r and cannot be added to b_ih. */
typedef struct chain {
    size_t K, H, N; /* input width, units, G*H */
    const float *w_ih, *w_hh, *bias, *bias_n;
} chain;

static size_t directions_of(const rnnc_config *config) { return config->bidirectional ? 2 : 1; }

static size_t width_of(const rnnc_config *config, size_t layer) {
    return layer == 0 ? config->input_size : directions_of(config) * config->hidden_size;
}

/* The floats of a chain and where its parts lie from `prepared` on. Config is valid. */
static size_t lay_out(const rnnc_config *config, size_t layer, const float *prepared, chain *c) {
    const size_t H = config->hidden_size, N = rnnc_config_gates(config) * H;
    const size_t K = width_of(config, layer);
    const size_t extra = config->cell == RNNC_GRU ? H : 0;
    if (c)
        *c = (chain){K,
                     H,
                     N,
                     prepared,
                     prepared + K * N,
                     prepared + (K + H) * N,
                     prepared + (K + H + 1) * N};
    return (K + H + 1) * N + extra;
}

size_t rnnc_generic_prepared_count(const rnnc_config *config) {
    if (rnnc_config_check(config, NULL) != RNNC_OK)
        return 0;
    /* Without bias there is more than in the weights that were checked: check again. */
    rnnc_config with_bias = *config;
    with_bias.bias = 1;
    if (rnnc_config_check(&with_bias, NULL) != RNNC_OK)
        return 0;
    const size_t D = directions_of(config);
    return D * (lay_out(config, 0, NULL, NULL) +
                (config->num_layers - 1) * lay_out(config, 1, NULL, NULL));
}

/* to (cols, rows) = from (rows, cols) transposed, in squares that stay in the cache. */
static void transpose(size_t rows, size_t cols, const float *from, float *to) {
    enum { SQUARE = 16 };
    for (size_t r0 = 0; r0 < rows; r0 += SQUARE)
        for (size_t c0 = 0; c0 < cols; c0 += SQUARE)
            for (size_t r = r0; r < rows && r < r0 + SQUARE; r++)
                for (size_t c = c0; c < cols && c < c0 + SQUARE; c++)
                    to[c * rows + r] = from[r * cols + c];
}

rnnc_status rnnc_generic_prepare(const rnnc_config *config, const float *const *tensors,
                                 float *prepared) {
    const rnnc_status status = rnnc_config_check(config, NULL);
    if (status != RNNC_OK)
        return status;
    if (rnnc_generic_prepared_count(config) == 0)
        return RNNC_ERR_OVERFLOW;
    if (!tensors || !prepared)
        return RNNC_ERR_ARGUMENT;
    const size_t chains = config->num_layers * directions_of(config);
    const size_t H = config->hidden_size, N = rnnc_config_gates(config) * H;
    for (size_t q = 0; q < chains; q++) {
        const size_t layer = q / directions_of(config), K = width_of(config, layer);
        const float *const *const mine = tensors + q * (config->bias ? 4 : 2);
        float *const bias = prepared + (K + H) * N, *const bias_n = bias + N;
        transpose(N, K, mine[0], prepared);
        transpose(N, H, mine[1], prepared + K * N);
        const size_t added = config->cell == RNNC_GRU ? 2 * H : N;
        for (size_t j = 0; j < N; j++)
            bias[j] = config->bias ? mine[2][j] + (j < added ? mine[3][j] : 0) : 0;
        for (size_t j = added; j < N; j++)
            bias_n[j - added] = config->bias ? mine[3][j] : 0;
        prepared += lay_out(config, layer, NULL, NULL);
    }
    return RNNC_OK;
}

/* The workspace, in floats from its start. */
typedef struct areas {
    size_t gates;  /* (T*B, N): W_ih x of a chain */
    size_t flow;   /* 2 x (T*B, D*H): outputs of the layers below the last, if there are any */
    size_t hidden; /* gru: (B, 3*H) */
    size_t state;  /* (B, H): c of an lstm, zeros for the first state of a gru */
    size_t total;
} areas;

static int take(size_t *end, size_t a, size_t b, size_t *begin) {
    size_t size;
    *begin = *end;
    return rnnc_mul(a, b, &size) && rnnc_add(*end, size, end);
}

static int divide_workspace(const rnnc_config *config, size_t T, size_t B, areas *w) {
    const size_t H = config->hidden_size, G = rnnc_config_gates(config);
    const size_t D = directions_of(config);
    const size_t between = config->num_layers == 1 ? 0 : config->num_layers == 2 ? 1 : 2;
    size_t rows, end = 0;
    return rnnc_mul(T, B, &rows) && take(&end, rows, G * H, &w->gates) &&
           take(&end, rows, between * D * H, &w->flow) &&
           take(&end, config->cell == RNNC_GRU ? B : 0, 3 * H, &w->hidden) &&
           take(&end, config->cell >= RNNC_LSTM ? B : 0, H, &w->state) &&
           take(&end, 1, 0, &w->total) && end <= (SIZE_MAX - sizeof(float)) / sizeof(float);
}

size_t rnnc_generic_workspace_size(const rnnc_config *config, size_t seq_len, size_t batch) {
    areas w;
    if (rnnc_generic_prepared_count(config) == 0 || seq_len == 0 || batch == 0 ||
        !divide_workspace(config, seq_len, batch, &w))
        return 0;
    return w.total * sizeof(float) + sizeof(float); /* any alignment: room to round up */
}

/* What all chains of a call share. A row is one sequence at one time: row t*ld_t + b*ld_b. */
typedef struct run {
    const rnnc_config *config;
    const rnnc_blas *blas;
    const rnnc_kernels *kernels;
    size_t T, B, D, ld_t, ld_b;
    float *gates, *hidden, *state;
} run;

/* out (B, N) = h (B, H) W_hh^T + beta * out; ld in floats. */
static void recur(const run *r, const chain *c, const float *h, size_t ld_h, float beta, float *out,
                  size_t ld_out) {
    if (r->B == 1)
        r->blas->sgemv(1, c->H, c->N, 1, c->w_hh, c->N, h, beta, out);
    else
        r->blas->sgemm(0, 0, r->B, c->N, c->H, 1, h, ld_h, c->w_hh, c->N, beta, out, ld_out);
}

/* One chain over all steps: in (T*B rows, K) to its half of out (T*B rows, D*H). State pointers
 * are to this chain's (B, H), or NULL. */
static void run_chain(const run *r, const chain *c, int reverse, const float *in, float *out,
                      const float *h0, const float *c0, float *hn, float *cn) {
    const rnnc_cell cell = r->config->cell;
    const size_t H = c->H, N = c->N, B = r->B, T = r->T, ld_out = r->D * H;
    float *const y = out + (reverse ? H : 0);
    r->blas->sgemm(0, 0, T * B, N, c->K, 1, in, c->K, c->w_ih, N, 0, r->gates, N);
    if (cell >= RNNC_LSTM) {
        if (cell == RNNC_LSTM && c0)
            memcpy(r->state, c0, B * H * sizeof *c0);
        else
            memset(r->state, 0, B * H * sizeof *r->state);
    }
    const float *h = h0;
    size_t ld_h = H;
    if (!h0 && cell == RNNC_GRU)
        h = r->state;
    for (size_t n = 0; n < T; n++) {
        const size_t t = reverse ? T - 1 - n : n;
        float *const gates = r->gates + t * r->ld_t * N;
        const int is_zero = n == 0 && !h0;
        if (cell != RNNC_GRU && !is_zero)
            recur(r, c, h, ld_h, 1, gates, r->ld_b * N);
        else if (cell == RNNC_GRU && !is_zero)
            recur(r, c, h, ld_h, 0, r->hidden, N);
        else if (cell == RNNC_GRU)
            memset(r->hidden, 0, B * N * sizeof *r->hidden);
        const rnnc_step step = {
            .rows = B,
            .H = H,
            .gates = gates,
            .ld_gates = r->ld_b * N,
            .bias = c->bias,
            .hidden = r->hidden,
            .bias_n = c->bias_n,
            .h_prev = h,
            .ld_h_prev = ld_h,
            .c = r->state,
            .h = y + t * r->ld_t * ld_out,
            .ld_h = r->ld_b * ld_out,
        };
        r->kernels->step[cell](&step);
        h = step.h;
        ld_h = step.ld_h;
    }
    if (hn)
        for (size_t b = 0; b < B; b++)
            memcpy(hn + b * H, h + b * ld_h, H * sizeof *h);
    if (cn && cell == RNNC_LSTM)
        memcpy(cn, r->state, B * H * sizeof *cn);
}

rnnc_status rnnc_generic_forward(const rnnc_config *config, const rnnc_blas *blas,
                                 const rnnc_call *call) {
    const rnnc_status status = rnnc_config_check(config, NULL);
    if (status != RNNC_OK)
        return status;
    if (!call || call->seq_len == 0 || call->batch == 0 || !call->weights || !call->x || !call->y ||
        !call->workspace)
        return RNNC_ERR_ARGUMENT;
    areas w;
    if (!divide_workspace(config, call->seq_len, call->batch, &w))
        return RNNC_ERR_OVERFLOW;
    const uintptr_t past = (uintptr_t)call->workspace % sizeof(float);
    float *const space =
        (float *)(void *)((char *)call->workspace + (past ? sizeof(float) - past : 0));
    const size_t T = call->seq_len, B = call->batch, D = directions_of(config);
    const size_t H = config->hidden_size, first = config->batch_first ? 1 : 0;
    const run r = {
        .config = config,
        .blas = blas ? blas : rnnc_blas_current(),
        .kernels = rnnc_kernels_best(),
        .T = T,
        .B = B,
        .D = D,
        .ld_t = first ? 1 : B,
        .ld_b = first ? T : 1,
        .gates = space + w.gates,
        .hidden = space + w.hidden,
        .state = space + w.state,
    };
    const float *in = call->x, *prepared = call->weights;
    for (size_t layer = 0; layer < config->num_layers; layer++) {
        const int is_last = layer + 1 == config->num_layers;
        float *const out = is_last ? call->y : space + w.flow + (layer & 1) * T * B * D * H;
        for (size_t d = 0; d < D; d++) {
            const size_t state = (layer * D + d) * B * H;
            chain c;
            const size_t size = lay_out(config, layer, prepared, &c);
            run_chain(&r, &c, d == 1, in, out, call->h0 ? call->h0 + state : NULL,
                      call->c0 ? call->c0 + state : NULL, call->hn ? call->hn + state : NULL,
                      call->cn ? call->cn + state : NULL);
            prepared += size;
        }
        in = out;
    }
    return RNNC_OK;
}
