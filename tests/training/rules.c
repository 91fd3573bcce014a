/* Losses, optimisers and first values of generated training code, against the formulas of PyTorch's
 * documentation in double precision, written here a second time. The network is `words` of
 * calls.lua. */
#include "words_train.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = WORDS_PARAMETERS, STEPS = 50, COUNT = 7, CLASSES = 5 };

static int failed, tried;

/* |got - wanted| within tolerance of the larger of 1 and |wanted|; NaN is near nothing. */
static void near(double got, double wanted, double tolerance, const char *what, int at) {
    tried++;
    if (!(fabs(got - wanted) <= tolerance * fmax(1, fabs(wanted)))) {
        printf("%s, %d: %.9g, not %.9g\n", what, at, got, wanted);
        failed++;
    }
}

static void holds(int condition, const char *what) {
    tried++;
    if (!condition) {
        printf("not so: %s\n", what);
        failed++;
    }
}

static double draw(void) {
    static uint64_t state = 1234567;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(state >> 11) * 0x1p-52 - 1;
}

/* ---- losses: values by their definition, gradients by differences ---- */

enum { MSE, L1, HUBER, BCE, ESR, LOSSES };
static const char *const loss_names[] = {"mse", "l1", "huber", "bce_with_logits", "esr"};

static rnnc_status loss_of(int kind, const float *y, const float *t, double *loss, float *dy) {
    switch (kind) {
    case MSE:
        return words_loss_mse(COUNT, y, t, loss, dy);
    case L1:
        return words_loss_l1(COUNT, y, t, loss, dy);
    case HUBER:
        return words_loss_huber(COUNT, y, t, 0.7, loss, dy);
    case BCE:
        return words_loss_bce_with_logits(COUNT, y, t, loss, dy);
    default:
        return words_loss_esr(COUNT, y, t, 1e-3, loss, dy);
    }
}

static double right_loss(int kind, const double *y, const double *t) {
    double sum = 0, energy = 0;
    for (int i = 0; i < COUNT; i++) {
        const double d = y[i] - t[i], s = 1 / (1 + exp(-y[i]));
        energy += t[i] * t[i] + 1e-3;
        if (kind == MSE || kind == ESR)
            sum += pow(d, 2);
        else if (kind == L1)
            sum += fabs(d);
        else if (kind == HUBER)
            sum += fabs(d) < 0.7 ? d * d / 2 : 0.7 * (fabs(d) - 0.35);
        else
            sum -= t[i] * log(s) + (1 - t[i]) * log(1 - s);
    }
    return kind == ESR ? sum / energy : sum / COUNT;
}

static void test_losses(void) {
    float y[COUNT], t[COUNT], dy[COUNT];
    double y64[COUNT], t64[COUNT], loss, again;
    for (int kind = 0; kind < LOSSES; kind++) {
        for (int i = 0; i < COUNT; i++) {
            y[i] = (float)(3 * draw());
            t[i] = (float)(kind == BCE ? fabs(draw()) : 2 * draw());
            y64[i] = (double)y[i];
            t64[i] = (double)t[i];
        }
        holds(loss_of(kind, y, t, &loss, dy) == RNNC_OK, loss_names[kind]);
        near(loss, right_loss(kind, y64, t64), 1e-9, loss_names[kind], -1);
        holds(loss_of(kind, y, t, &again, NULL) == RNNC_OK &&
                  memcmp(&again, &loss, sizeof loss) == 0,
              "no gradient");
        for (int i = 0; i < COUNT; i++) {
            const double h = 1e-6, old = y64[i];
            y64[i] = old + h;
            const double up = right_loss(kind, y64, t64);
            y64[i] = old - h;
            near((double)dy[i], (up - right_loss(kind, y64, t64)) / (2 * h), 1e-6, loss_names[kind],
                 i);
            y64[i] = old;
        }
        holds(loss_of(kind, NULL, t, &loss, dy) == RNNC_ERR_ARGUMENT, "no y");
        holds(loss_of(kind, y, NULL, &loss, dy) == RNNC_ERR_ARGUMENT, "no target");
        holds(loss_of(kind, y, t, NULL, dy) == RNNC_ERR_ARGUMENT, "no loss");
    }
    holds(words_loss_mse(0, y, t, &loss, dy) == RNNC_ERR_ARGUMENT, "no values");
    holds(words_loss_huber(COUNT, y, t, 0, &loss, dy) == RNNC_ERR_ARGUMENT, "delta 0");
    /* Far out: no infinity, and NaN stays. */
    y[0] = 1000;
    t[0] = 0;
    holds(words_loss_bce_with_logits(1, y, t, &loss, dy) == RNNC_OK && loss == 1000 && dy[0] == 1,
          "a far logit");
    y[0] = -1000;
    holds(words_loss_bce_with_logits(1, y, t, &loss, dy) == RNNC_OK && loss == 0 && dy[0] == 0,
          "a far logit below 0");
    y[0] = NAN;
    for (int kind = 0; kind < LOSSES; kind++)
        holds(loss_of(kind, y, t, &loss, dy) == RNNC_OK && isnan(loss) && isnan(dy[0]),
              "NaN stays");
}

static double right_cross_entropy(const double *logits, const int32_t *labels,
                                  const double *weights) {
    double sum = 0, total = 0;
    for (int i = 0; i < COUNT; i++) {
        if (labels[i] == -100)
            continue;
        double all = 0;
        for (int k = 0; k < CLASSES; k++)
            all += exp(logits[i * CLASSES + k]);
        const double w = weights ? weights[labels[i]] : 1;
        sum -= w * log(exp(logits[i * CLASSES + labels[i]]) / all);
        total += w;
    }
    return sum / total;
}

static void test_cross_entropy(void) {
    float logits[COUNT * CLASSES], slopes[COUNT * CLASSES], weights[CLASSES];
    double logits64[COUNT * CLASSES], weights64[CLASSES], loss;
    int32_t labels[COUNT];
    for (int i = 0; i < COUNT; i++)
        labels[i] = i == 2 || i == 5 ? -100 : (i * 3) % CLASSES;
    for (int k = 0; k < CLASSES; k++)
        weights64[k] = (double)(weights[k] = 0.25f * (float)(k + 1));
    for (int i = 0; i < COUNT * CLASSES; i++)
        logits64[i] = (double)(logits[i] = (float)(4 * draw()));
    for (int weighted = 0; weighted < 2; weighted++) {
        const float *const w = weighted ? weights : NULL;
        const double *const w64 = weighted ? weights64 : NULL;
        holds(words_loss_cross_entropy(COUNT, CLASSES, logits, labels, w, -100, &loss, slopes) ==
                  RNNC_OK,
              "it runs");
        near(loss, right_cross_entropy(logits64, labels, w64), 1e-9, "cross_entropy", weighted);
        for (int i = 0; i < COUNT * CLASSES; i++) {
            const double h = 1e-6, old = logits64[i];
            logits64[i] = old + h;
            const double up = right_cross_entropy(logits64, labels, w64);
            logits64[i] = old - h;
            near((double)slopes[i], (up - right_cross_entropy(logits64, labels, w64)) / (2 * h),
                 1e-6, "gradient of cross_entropy", i);
            logits64[i] = old;
        }
    }
    slopes[0] = 5;
    for (int bad = 0; bad < 2; bad++) {
        labels[6] = bad ? CLASSES : -1;
        holds(words_loss_cross_entropy(COUNT, CLASSES, logits, labels, NULL, -100, &loss, slopes) ==
                      RNNC_ERR_ARGUMENT &&
                  slopes[0] == 5,
              "a label outside its range");
    }
    for (int i = 0; i < COUNT; i++)
        labels[i] = 9;
    holds(words_loss_cross_entropy(COUNT, CLASSES, logits, labels, NULL, 9, &loss, slopes) ==
                  RNNC_OK &&
              isnan(loss) && slopes[0] == 0,
          "all are ignored");
    labels[0] = 1;
    logits[0] = 2000;
    holds(words_loss_cross_entropy(1, CLASSES, logits, labels, NULL, 9, &loss, slopes) == RNNC_OK &&
              loss > 1900 && loss < 2100,
          "a far logit");
}

/* ---- optimisers: 50 steps down a bowl ---- */

typedef struct rule {
    const char *name;
    double lr, momentum, decay;
    int nesterov;
} rule;

static const rule rules[] = {
    {"sgd", 0.1, 0, 0, 0},       {"sgd", 0.1, 0, 0.05, 0},   {"sgd", 0.05, 0.9, 0.01, 0},
    {"sgd", 0.05, 0.9, 0.01, 1}, {"adam", 0.01, 0, 0, 0},    {"adam", 0.02, 0, 0.1, 0},
    {"adamw", 0.02, 0, 0.1, 0},  {"rmsprop", 0.01, 0, 0, 0}, {"rmsprop", 0.01, 0.8, 0.05, 0},
};

static void test_rule(const rule *r) {
    static float p[N], g[N], a[N], b[N];
    static double q[N], c[N], d[N], scale[N], centre[N];
    for (int i = 0; i < N; i++) {
        q[i] = (double)(p[i] = (float)draw());
        a[i] = b[i] = 0;
        c[i] = d[i] = 0;
        scale[i] = exp(2 * draw());
        centre[i] = draw();
    }
    for (int step = 1; step <= STEPS; step++) {
        rnnc_status status = RNNC_OK;
        for (int i = 0; i < N; i++)
            g[i] = (float)(scale[i] * ((double)p[i] - centre[i]));
        if (strcmp(r->name, "sgd") == 0)
            status = words_update_sgd(p, g, r->momentum != 0 ? a : NULL, r->lr, r->momentum,
                                      r->nesterov, r->decay);
        else if (strcmp(r->name, "adam") == 0)
            status =
                words_update_adam(p, g, a, b, (uint64_t)step, r->lr, 0.9, 0.99, 1e-8, r->decay);
        else if (strcmp(r->name, "adamw") == 0)
            status =
                words_update_adamw(p, g, a, b, (uint64_t)step, r->lr, 0.9, 0.99, 1e-8, r->decay);
        else
            status = words_update_rmsprop(p, g, a, b, r->lr, 0.95, 1e-8, r->momentum, r->decay);
        holds(status == RNNC_OK, r->name);
        for (int i = 0; i < N; i++) {
            double slope = scale[i] * (q[i] - centre[i]);
            if (strcmp(r->name, "adamw") == 0)
                q[i] = q[i] - r->lr * r->decay * q[i];
            else
                slope = slope + r->decay * q[i];
            if (strcmp(r->name, "sgd") == 0) {
                c[i] = step == 1 ? slope : r->momentum * c[i] + slope;
                q[i] = q[i] - r->lr * (r->nesterov        ? slope + r->momentum * c[i]
                                       : r->momentum != 0 ? c[i]
                                                          : slope);
            } else if (strcmp(r->name, "rmsprop") == 0) {
                c[i] = 0.95 * c[i] + 0.05 * slope * slope;
                d[i] = r->momentum * d[i] + slope / (sqrt(c[i]) + 1e-8);
                q[i] = q[i] - r->lr * d[i];
            } else {
                c[i] = 0.9 * c[i] + 0.1 * slope;
                d[i] = 0.99 * d[i] + 0.01 * slope * slope;
                const double first = c[i] / (1 - pow(0.9, step)),
                             second = d[i] / (1 - pow(0.99, step));
                q[i] = q[i] - r->lr * first / (sqrt(second) + 1e-8);
            }
        }
        if (step == 1 || step == 2 || step == STEPS)
            for (int i = 0; i < N; i++)
                near((double)p[i], q[i], 2e-5, r->name, step);
    }
}

static void test_optimisers(void) {
    static float p[N], g[N], a[N];
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        test_rule(&rules[i]);
    holds(words_update_sgd(p, g, NULL, 1, 0.9, 0, 0) == RNNC_ERR_ARGUMENT,
          "momentum needs a velocity");
    holds(words_update_adam(p, g, a, a, 0, 1, 0.9, 0.99, 1e-8, 0) == RNNC_ERR_ARGUMENT,
          "steps begin at 1");
    holds(words_update_adam(p, g, NULL, a, 1, 1, 0.9, 0.99, 1e-8, 0) == RNNC_ERR_ARGUMENT,
          "no first moment");
    holds(words_update_rmsprop(p, g, NULL, a, 1, 0.9, 1e-8, 0, 0) == RNNC_ERR_ARGUMENT,
          "no second moment");
}

static void test_clipping(void) {
    static float g[N], kept[N];
    double sum = 0;
    for (int i = 0; i < N; i++) {
        g[i] = kept[i] = (float)(3 * draw());
        sum += (double)g[i] * (double)g[i];
    }
    near(words_clip_norm(g, 2 * sqrt(sum)), sqrt(sum), 1e-12, "the norm", 0);
    holds(memcmp(g, kept, sizeof g) == 0, "a small gradient stays");
    near(words_clip_norm(g, 0.5), sqrt(sum), 1e-12, "the norm", 1);
    for (int i = 0; i < N; i++)
        near((double)g[i], (double)kept[i] * 0.5 / (sqrt(sum) + 1e-6), 1e-7, "a clipped gradient",
             i);
    /* Of a norm that is no more than PyTorch's 1e-6 beside it. */
    memset(g, 0, sizeof g);
    g[1] = 3e-6f;
    near(words_clip_norm(g, 1e-6), (double)3e-6f, 1e-12, "a small norm", 0);
    near((double)g[1] * 1e6, (double)3e-6f / ((double)3e-6f + 1e-6), 1e-6, "a small gradient", 1);
    memcpy(g, kept, sizeof g);
    g[3] = NAN;
    words_clip_value(g, 1.25);
    for (int i = 0; i < N; i++)
        holds(i == 3 ? isnan(g[i]) : g[i] == fmaxf(-1.25f, fminf(1.25f, kept[i])),
              "a clipped value");
}

/* ---- first values ---- */

static void test_init(void) {
    static float p[N], again[N], other[N];
    words_init(p, 42);
    words_init(again, 42);
    words_init(other, 43);
    holds(memcmp(p, again, sizeof p) == 0, "the same seed");
    /* The first tensor is the embedding's table, of the normal distribution; the others are
     * uniform. */
    int equal = 0, beyond = 0;
    for (int i = 0; i < N; i++)
        equal += p[i] == other[i];
    holds(equal < 3, "another seed");
    for (size_t t = 0; t < WORDS_TENSORS; t++) {
        const words_tensor *const tensor = &words_tensors[t];
        const size_t count = tensor->shape[0] * tensor->shape[1];
        double most = 0, sum = 0, squares = 0;
        for (size_t i = 0; i < count; i++) {
            const double value = (double)p[tensor->offset + i];
            most = fmax(most, fabs(value));
            sum += value;
            squares += value * value;
        }
        if (t == 0) {
            beyond = most > 1.5;
            near(squares / (double)count, 1, 0.8, "the variance of a table", 0);
        } else {
            /* 4 units, and 4 inputs of the dense layer: 1 / sqrt(4). */
            holds(most <= 0.5, "within the bound");
            if (count > 40) {
                holds(most > 0.45, "up to the bound");
                near(squares / (double)count, 0.25 / 3, 0.03, "the variance", (int)t);
                near(sum / (double)count, 0, 0.13, "the mean", (int)t);
            }
        }
    }
    holds(beyond, "a table has values beyond 1.5");
    /* The published answer for a counter and a key of 0 begins with 6627e8d5: value 0, were the
     * tensor uniform. */
    static float zero[N];
    words_init(zero, 0);
    const double first = (0x6627e8d5 + 0.5) / 4294967296.0,
                 second = (0xe169c58d + 0.5) / 4294967296.0;
    near((double)zero[0], sqrt(-2 * log(first)) * cos(2 * acos(-1) * second), 1e-6, "Philox4x32-10",
         0);
}

int main(void) {
    test_losses();
    test_cross_entropy();
    test_optimisers();
    test_clipping();
    test_init();
    printf("%d cases, %d failed\n", tried, failed);
    return failed != 0;
}
