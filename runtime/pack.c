/* pack.c: weights into the order in which generated kernels read them; see rnnc_pack_step. */
#include "internal.h"

#include <string.h>

/* Panels of a step, and in *end the float behind its last one. 0 panels: it does not fit. */
static size_t panels_of(const rnnc_pack_step *step, size_t packed_count, size_t *end) {
    if (step->units == 0 || step->cols == 0 || step->gates == 0 || step->width == 0 ||
        step->stride < step->width)
        return 0;
    const size_t panels = (step->units - 1) / step->width + 1;
    size_t size;
    if (!rnnc_mul(panels, step->cols, &size) || !rnnc_mul(size, step->gates, &size) ||
        !rnnc_mul(size, step->stride, &size) || !rnnc_add(size, step->dst, end) ||
        *end > packed_count)
        return 0;
    return panels;
}

static size_t repeats(const rnnc_pack_step *step) { return step->repeat ? step->repeat : 1; }

/* The nth of the steps that a step stands for; 0 if its numbers do not fit in theirs. */
static int nth_step(const rnnc_pack_step *step, size_t n, rnnc_pack_step *out) {
    size_t tensors, floats, tensor, plus = 0;
    *out = *step;
    if (!rnnc_mul(n, step->tensor_step, &tensors) || !rnnc_mul(n, step->dst_step, &floats) ||
        !rnnc_add(step->tensor, tensors, &tensor) || tensor >= RNNC_NONE ||
        !rnnc_add(step->dst, floats, &out->dst))
        return 0;
    if (step->plus != RNNC_NONE && (!rnnc_add(step->plus, tensors, &plus) || plus >= RNNC_NONE))
        return 0;
    out->tensor = (uint32_t)tensor;
    out->plus = step->plus == RNNC_NONE ? RNNC_NONE : (uint32_t)plus;
    return 1;
}

static int reads_within(const rnnc_pack_step *step, uint32_t tensor, size_t weight_count,
                        const rnnc_weight *weight) {
    size_t gates, rows, values;
    if (tensor >= weight_count)
        return 0;
    const size_t cols = weight[tensor].cols ? weight[tensor].cols : 1;
    if (step->cols == 1 && step->first_gate == 0 && step->gates == 1 &&
        rnnc_mul(weight[tensor].rows, cols, &values) && step->units == values)
        return 1;
    return rnnc_add(step->first_gate, step->gates, &gates) && rnnc_mul(gates, step->units, &rows) &&
           rows <= weight[tensor].rows && step->cols == cols;
}

/* Checks one of the steps that step `i` stands for. */
static rnnc_status check_step(const rnnc_pack_step *step, size_t i, size_t packed_count,
                              size_t weight_count, const rnnc_weight *weight, rnnc_error *error) {
    size_t end;
    if (!panels_of(step, packed_count, &end))
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "pack step %zu does not fit in %zu packed floats", i, packed_count);
    if (!reads_within(step, step->tensor, weight_count, weight) ||
        (step->plus != RNNC_NONE && !reads_within(step, step->plus, weight_count, weight)))
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "pack step %zu reads beyond the weights that it names", i);
    return RNNC_OK;
}

rnnc_status rnnc_pack_check(size_t pack_count, const rnnc_pack_step *pack, size_t packed_count,
                            size_t weight_count, const rnnc_weight *weight, rnnc_error *error) {
    if ((pack_count && !pack) || (weight_count && !weight))
        return rnnc_fail(error, RNNC_ERR_ARGUMENT, "pack steps or weights are NULL");
    for (size_t i = 0; i < pack_count; i++)
        for (size_t n = 0; n < repeats(&pack[i]); n++) {
            rnnc_pack_step step;
            if (!nth_step(&pack[i], n, &step))
                return rnnc_fail(error, RNNC_ERR_ARGUMENT, "pack step %zu repeats too often", i);
            const rnnc_status status =
                check_step(&step, i, packed_count, weight_count, weight, error);
            if (status != RNNC_OK)
                return status;
        }
    return RNNC_OK;
}

static void pack_step(const rnnc_pack_step *step, size_t panels, const float *from,
                      const float *plus, float *to) {
    for (size_t p = 0; p < panels; p++) {
        const size_t first = p * step->width;
        const size_t left = step->units - first;
        const size_t width = left < step->width ? left : step->width;
        for (size_t k = 0; k < step->cols; k++)
            for (size_t g = 0; g < step->gates; g++, to += step->stride) {
                const size_t row = (step->first_gate + g) * step->units + first;
                for (size_t j = 0; j < width; j++) {
                    const size_t source = (row + j) * step->cols + k;
                    to[j] = plus ? from[source] + plus[source] : from[source];
                }
                for (size_t j = width; j < step->stride; j++)
                    to[j] = 0;
            }
    }
}

rnnc_status rnnc_pack(size_t pack_count, const rnnc_pack_step *pack, size_t packed_count,
                      const float *const *tensors, float *packed) {
    if ((pack_count && (!pack || !tensors)) || (packed_count && !packed))
        return RNNC_ERR_ARGUMENT;
    for (size_t i = 0; i < pack_count; i++)
        for (size_t n = 0; n < repeats(&pack[i]); n++) {
            rnnc_pack_step step;
            size_t end;
            if (!nth_step(&pack[i], n, &step) || !panels_of(&step, packed_count, &end) ||
                !tensors[step.tensor] || (step.plus != RNNC_NONE && !tensors[step.plus]))
                return RNNC_ERR_ARGUMENT;
        }
    if (packed_count)
        memset(packed, 0, packed_count * sizeof(float)); /* the gaps between steps */
    for (size_t i = 0; i < pack_count; i++)
        for (size_t n = 0; n < repeats(&pack[i]); n++) {
            rnnc_pack_step step;
            size_t end;
            nth_step(&pack[i], n, &step);
            pack_step(&step, panels_of(&step, packed_count, &end), tensors[step.tensor],
                      step.plus == RNNC_NONE ? NULL : tensors[step.plus], packed + step.dst);
        }
    return RNNC_OK;
}
