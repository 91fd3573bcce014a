#include "made_up_cell.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double sigmoid(double v) { return 1 / (1 + exp(-v)); }

/* W v + b of one row of the weights. */
static double part(const float *w, const float *b, size_t row, const double *v, size_t n) {
    double sum = b ? (double)b[row] : 0;
    for (size_t k = 0; k < n; k++)
        sum += (double)w[row * n + k] * v[k];
    return sum;
}

size_t made_up_tensors(const made_up_sizes *s) {
    return 2u + 2u * (s->bias != 0) + 3u * (s->peep != 0);
}

static void next_peeping(const made_up_example *e, const float *const *w, const double *x, size_t I,
                         double *h, double *c) {
    const size_t H = e->s.H;
    const float *const *const unit = w + (e->s.bias ? 4 : 2);
    double fresh[64];
    for (size_t j = 0; j < H; j++) {
        double sum[4];
        for (size_t g = 0; g < 4; g++)
            sum[g] = part(w[0], e->s.bias ? w[2] : NULL, g * H + j, x, I) +
                     part(w[1], e->s.bias ? w[3] : NULL, g * H + j, h, H);
        const double i = sigmoid(sum[0] + (double)unit[0][j] * c[j]);
        const double f = sigmoid(sum[1] + (double)unit[1][j] * c[j]);
        const double o = sigmoid(sum[3] + (double)unit[2][j] * c[j]);
        c[j] = f * c[j] + i * tanh(sum[2]);
        fresh[j] = o * tanh(c[j]);
    }
    memcpy(h, fresh, H * sizeof *h);
}

static void next_state(const made_up_example *e, const float *const *w, const double *x, size_t I,
                       double *h) {
    const size_t H = e->s.H;
    double fresh[64];
    for (size_t j = 0; j < H; j++) {
        const float *const b_ih = e->s.bias ? w[2] : NULL, *const b_hh = e->s.bias ? w[3] : NULL;
        const double f = sigmoid(part(w[0], b_ih, j, x, I) + part(w[1], b_hh, j, h, H));
        const double n = tanh(part(w[0], b_ih, H + j, x, I) + f * part(w[1], b_hh, H + j, h, H));
        fresh[j] = (1 - f) * h[j] + f * n;
    }
    memcpy(h, fresh, H * sizeof *h);
}

static void solve(made_up_example *e) {
    const made_up_sizes *const s = &e->s;
    for (size_t b = 0; b < s->B; b++) {
        size_t width = s->I;
        double *in = malloc(s->T * width * sizeof *in), h[64], c[64];
        for (size_t t = 0; t < s->T; t++)
            for (size_t i = 0; i < width; i++)
                in[t * width + i] =
                    (double)e->x[(s->batch_first ? b * s->T + t : t * s->B + b) * width + i];
        for (size_t layer = 0; layer < s->L; layer++, width = s->D * s->H) {
            double *const out = malloc(s->T * s->D * s->H * sizeof *out);
            for (size_t d = 0; d < s->D; d++) {
                const size_t chain = layer * s->D + d, row = (chain * s->B + b) * s->H;
                for (size_t j = 0; j < s->H; j++) {
                    h[j] = (double)e->h0[row + j];
                    c[j] = s->peep ? (double)e->c0[row + j] : 0;
                }
                for (size_t n = 0; n < s->T; n++) {
                    const size_t t = d ? s->T - 1 - n : n;
                    const float *const *const w =
                        (const float *const *)e->weight + chain * made_up_tensors(s);
                    if (s->peep)
                        next_peeping(e, w, in + t * width, width, h, c);
                    else
                        next_state(e, w, in + t * width, width, h);
                    memcpy(out + (t * s->D + d) * s->H, h, s->H * sizeof *h);
                }
                memcpy(e->hn + row, h, s->H * sizeof *h);
                if (s->peep)
                    memcpy(e->cn + row, c, s->H * sizeof *c);
            }
            free(in);
            in = out;
        }
        for (size_t t = 0; t < s->T; t++)
            memcpy(e->y + (s->batch_first ? b * s->T + t : t * s->B + b) * width, in + t * width,
                   width * sizeof *in);
        free(in);
    }
}

static float *random_floats(rng *r, size_t count, float scale) {
    float *const values = malloc(count * sizeof *values);
    cr_assert(values != NULL);
    rng_fill(r, values, count, scale);
    return values;
}

made_up_example made_up_make(const made_up_sizes *s, rng *r) {
    made_up_example e = {.s = *s};
    for (size_t chain = 0; chain < s->L * s->D; chain++) {
        const size_t width = chain < s->D ? s->I : s->D * s->H, rows = (s->peep ? 4 : 2) * s->H;
        e.weight[e.weight_count++] = random_floats(r, rows * width, 0.4f);
        e.weight[e.weight_count++] = random_floats(r, rows * s->H, 0.4f);
        for (int k = 0; k < 2 * s->bias; k++)
            e.weight[e.weight_count++] = random_floats(r, rows, 0.4f);
        for (int k = 0; k < 3 * s->peep; k++)
            e.weight[e.weight_count++] = random_floats(r, s->H, 1);
    }
    e.state_count = s->L * s->D * s->B * s->H;
    e.x = random_floats(r, s->T * s->B * s->I, 1);
    e.h0 = random_floats(r, e.state_count, 1);
    e.c0 = s->peep ? random_floats(r, e.state_count, 2) : NULL;
    e.y = malloc(s->T * s->B * s->D * s->H * sizeof *e.y);
    e.hn = malloc(e.state_count * sizeof *e.hn);
    e.cn = malloc(e.state_count * sizeof *e.cn);
    cr_assert(e.y && e.hn && e.cn);
    solve(&e);
    return e;
}

void made_up_free(made_up_example *e) {
    for (size_t i = 0; i < e->weight_count; i++)
        free(e->weight[i]);
    free(e->x);
    free(e->h0);
    free(e->c0);
    free(e->y);
    free(e->hn);
    free(e->cn);
}
