#include "conditioning.h"
#include "difference.h"
#include "rng.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

enum { MOVED_RUNS = 6 };

/* A copy of all weights, each its neighbour above or below. They lie behind each other, as in
 * network_weights. */
typedef struct moved {
    const float **tensors;
    float *values;
} moved;

static size_t count_of(const network_weights *weights) {
    size_t count = 0;
    for (size_t i = 0; i < weights->count; i++)
        count += weights->list[i].rows * (weights->list[i].cols ? weights->list[i].cols : 1);
    return count;
}

static void move_weights(moved *m, const network_weights *weights, size_t count, uint64_t *state) {
    for (size_t i = 0; i < count; i++)
        m->values[i] =
            nextafterf(weights->values[i], rng_uniform(state) < 0 ? -HUGE_VALF : HUGE_VALF);
    for (size_t i = 0; i < weights->count; i++)
        m->tensors[i] = m->values + (weights->tensors[i] - weights->values);
}

/* Raises spread to `share` of the distance from right. What is no number tells nothing. */
static void widen(size_t n, const double *right, const double *other, double share,
                  double *spread) {
    for (size_t i = 0; i < n; i++) {
        const double distance = share * fabs(other[i] - right[i]);
        if (distance > spread[i] && distance <= DBL_MAX)
            spread[i] = distance;
    }
}

/* Memory of a conditioning_of. */
typedef struct scratch {
    moved weights;
    double *other[CONDITIONING_OUTPUTS];
} scratch;

static void close_scratch(scratch *s) {
    free((void *)s->weights.tensors);
    free(s->weights.values);
    for (int k = 0; k < CONDITIONING_OUTPUTS; k++)
        free(s->other[k]);
}

static int open_scratch(scratch *s, const network_weights *weights, size_t values,
                        const size_t count[CONDITIONING_OUTPUTS],
                        double *const right[CONDITIONING_OUTPUTS]) {
    int fine = 1;
    s->weights.tensors = malloc((weights->count + 1) * sizeof *s->weights.tensors);
    s->weights.values = malloc((values + 1) * sizeof *s->weights.values);
    for (int k = 0; k < CONDITIONING_OUTPUTS; k++)
        if (right[k]) {
            s->other[k] = malloc((count[k] + 1) * sizeof *s->other[k]);
            fine = fine && s->other[k];
        }
    return fine && s->weights.tensors && s->weights.values;
}

rnnc_status conditioning_of(const rnnc_network *network, const network_weights *weights,
                            const rnnc_call *call, const size_t count[CONDITIONING_OUTPUTS],
                            double *const right[CONDITIONING_OUTPUTS],
                            double *const spread[CONDITIONING_OUTPUTS]) {
    const size_t values = count_of(weights);
    scratch s = {0};
    rnnc_status status =
        open_scratch(&s, weights, values, count, right) ? RNNC_OK : RNNC_ERR_MEMORY;
    for (int k = 0; k < CONDITIONING_OUTPUTS; k++)
        for (size_t i = 0; right[k] && i < count[k]; i++)
            spread[k][i] = 0;
    uint64_t state = 1;
    for (int run = 0; status == RNNC_OK && run <= MOVED_RUNS; run++) {
        const int rounded = run == MOVED_RUNS;
        if (!rounded)
            move_weights(&s.weights, weights, values, &state);
        status = rounded ? rnnc_reference_rounded(network, weights->tensors, call, s.other[0],
                                                  s.other[1], s.other[2])
                         : rnnc_reference_forward(network, s.weights.tensors, call, s.other[0],
                                                  s.other[1], s.other[2]);
        /* A neighbour is a whole unit in the last place away: half of what that does. */
        for (int k = 0; status == RNNC_OK && k < CONDITIONING_OUTPUTS; k++)
            if (right[k])
                widen(count[k], right[k], s.other[k], rounded ? 1 : 0.5, spread[k]);
    }
    close_scratch(&s);
    return status;
}

void conditioning_onwards(double *spread, size_t steps, size_t batch, size_t row, int batch_first) {
    for (size_t b = 0; b < batch; b++) {
        double largest = 0;
        for (size_t step = 0; step < steps; step++) {
            double *const values =
                spread + (batch_first ? b * steps + step : step * batch + b) * row;
            for (size_t i = 0; i < row; i++)
                largest = fmax(largest, values[i]);
            for (size_t i = 0; i < row; i++)
                values[i] = largest;
        }
    }
}

double conditioning_excess(size_t n, size_t row, const float *got, const double *reference,
                           const double *spread, double least, double factor) {
    double excess = 0;
    for (size_t first = 0; first < n; first += row) {
        const size_t end = first + row < n ? first + row : n;
        double allowed = least;
        for (size_t i = first; spread && i < end; i++)
            allowed = fmax(allowed, factor * spread[i]);
        for (size_t i = first; i < end; i++)
            excess = fmax(excess, difference_error(got[i], reference[i]) / allowed);
    }
    return excess;
}
