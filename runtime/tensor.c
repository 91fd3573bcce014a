/* tensor.c: views of memory with checked bounds. */
#include "internal.h"

#include <string.h>

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {[RNNC_F32] = {"F32", 4},
              [RNNC_F64] = {"F64", 8},
              [RNNC_F16] = {"F16", 2},
              [RNNC_BF16] = {"BF16", 2},
              [RNNC_OPAQUE] = {"opaque", 0}};

static size_t dtype_index(rnnc_dtype dtype) {
    return (size_t)dtype < RNNC_OPAQUE ? (size_t)dtype : RNNC_OPAQUE;
}

size_t rnnc_dtype_size(rnnc_dtype dtype) { return dtypes[dtype_index(dtype)].size; }
const char *rnnc_dtype_name(rnnc_dtype dtype) { return dtypes[dtype_index(dtype)].name; }

static rnnc_status count_of(int rank, const size_t *shape, size_t *count) {
    size_t product = 1;
    int empty = 0, fits = 1;
    for (int i = 0; i < rank; i++) {
        empty |= shape[i] == 0;
        fits = fits && rnnc_mul(product, shape[i], &product);
    }
    if (!empty && !fits)
        return RNNC_ERR_OVERFLOW;
    *count = empty ? 0 : product;
    return RNNC_OK;
}

rnnc_status rnnc_tensor_count(const rnnc_tensor *tensor, size_t *count) {
    if (!tensor || !count || tensor->rank < 0 || tensor->rank > RNNC_MAX_RANK)
        return RNNC_ERR_ARGUMENT;
    return count_of(tensor->rank, tensor->shape, count);
}

rnnc_status rnnc_tensor_make(rnnc_tensor *out, rnnc_dtype dtype, int rank, const size_t *shape,
                             void *data, size_t data_size) {
    ptrdiff_t stride[RNNC_MAX_RANK];
    size_t step = 1;
    if (rank < 0 || rank > RNNC_MAX_RANK || (rank > 0 && !shape))
        return RNNC_ERR_ARGUMENT;
    const rnnc_status status = count_of(rank, shape, &step);
    if (status != RNNC_OK)
        return status;
    const int empty = step == 0;
    step = 1;
    for (int i = rank - 1; i >= 0; i--) {
        if (step > PTRDIFF_MAX)
            return RNNC_ERR_OVERFLOW;
        stride[i] = (ptrdiff_t)step;
        if (!empty)
            step *= shape[i];
    }
    return rnnc_tensor_make_strided(out, dtype, rank, shape, stride, 0, data, data_size);
}

rnnc_status rnnc_tensor_make_strided(rnnc_tensor *out, rnnc_dtype dtype, int rank,
                                     const size_t *shape, const ptrdiff_t *stride, size_t offset,
                                     void *data, size_t data_size) {
    const size_t size = rnnc_dtype_size(dtype);
    if (!out || !data || size == 0 || rank < 0 || rank > RNNC_MAX_RANK ||
        (rank > 0 && (!shape || !stride)))
        return RNNC_ERR_ARGUMENT;
    size_t count, bytes;
    if (count_of(rank, shape, &count) != RNNC_OK || !rnnc_mul(count, size, &bytes))
        return RNNC_ERR_OVERFLOW;
    /* The elements reach from offset - below to offset + above. */
    size_t below = 0, above = 0;
    for (int i = 0; i < rank && count > 0; i++) {
        const size_t distance = stride[i] < 0 ? 0 - (size_t)stride[i] : (size_t)stride[i];
        size_t *const end = stride[i] < 0 ? &below : &above;
        size_t reach;
        if (!rnnc_mul(shape[i] - 1, distance, &reach) || !rnnc_add(*end, reach, end))
            return RNNC_ERR_SHAPE;
    }
    const size_t room = data_size / size;
    if (offset > room || below > offset)
        return RNNC_ERR_SHAPE;
    if (count > 0 && (offset >= room || above >= room - offset))
        return RNNC_ERR_SHAPE;
    rnnc_tensor tensor = {.dtype = dtype, .rank = rank, .data = (char *)data + offset * size};
    for (int i = 0; i < rank; i++) {
        tensor.shape[i] = shape[i];
        tensor.stride[i] = stride[i];
    }
    *out = tensor;
    return RNNC_OK;
}

int rnnc_tensor_is_contiguous(const rnnc_tensor *tensor) {
    size_t step = 1, count;
    if (rnnc_tensor_count(tensor, &count) != RNNC_OK)
        return 0;
    for (int i = tensor->rank - 1; i >= 0 && count > 0; i--) {
        if (tensor->shape[i] != 1 && tensor->stride[i] != (ptrdiff_t)step)
            return 0;
        step *= tensor->shape[i];
    }
    return 1;
}

static int has_axis(const rnnc_tensor *tensor, int axis) {
    return tensor && axis >= 0 && axis < tensor->rank && tensor->rank <= RNNC_MAX_RANK;
}

static void *at(const rnnc_tensor *tensor, ptrdiff_t offset) {
    return (char *)tensor->data + offset * (ptrdiff_t)rnnc_dtype_size(tensor->dtype);
}

rnnc_status rnnc_tensor_slice(const rnnc_tensor *tensor, int axis, size_t begin, size_t end,
                              rnnc_tensor *out) {
    if (!out || !has_axis(tensor, axis) || begin > end || end > tensor->shape[axis])
        return RNNC_ERR_ARGUMENT;
    rnnc_tensor view = *tensor;
    view.shape[axis] = end - begin;
    if (begin < end) /* an empty slice at the far end must not point beyond the memory */
        view.data = at(tensor, (ptrdiff_t)begin * tensor->stride[axis]);
    *out = view;
    return RNNC_OK;
}

rnnc_status rnnc_tensor_select(const rnnc_tensor *tensor, int axis, size_t index,
                               rnnc_tensor *out) {
    if (!out || !has_axis(tensor, axis) || index >= tensor->shape[axis])
        return RNNC_ERR_ARGUMENT;
    rnnc_tensor view = *tensor;
    size_t count;
    if (rnnc_tensor_count(tensor, &count) == RNNC_OK && count > 0)
        view.data = at(tensor, (ptrdiff_t)index * tensor->stride[axis]);
    view.rank--;
    for (int i = axis; i < view.rank; i++) {
        view.shape[i] = tensor->shape[i + 1];
        view.stride[i] = tensor->stride[i + 1];
    }
    *out = view;
    return RNNC_OK;
}

rnnc_status rnnc_tensor_transpose(const rnnc_tensor *tensor, int axis_a, int axis_b,
                                  rnnc_tensor *out) {
    if (!out || !has_axis(tensor, axis_a) || !has_axis(tensor, axis_b))
        return RNNC_ERR_ARGUMENT;
    rnnc_tensor view = *tensor;
    view.shape[axis_a] = tensor->shape[axis_b];
    view.stride[axis_a] = tensor->stride[axis_b];
    view.shape[axis_b] = tensor->shape[axis_a];
    view.stride[axis_b] = tensor->stride[axis_a];
    *out = view;
    return RNNC_OK;
}

/* Elements are copied byte for byte to and from locals, because data need not be aligned. */
static double load(rnnc_dtype dtype, const void *from) {
    double f64;
    float f32;
    uint16_t half;
    switch (dtype) {
    case RNNC_F64:
        return memcpy(&f64, from, sizeof f64), f64;
    case RNNC_F32:
        return memcpy(&f32, from, sizeof f32), (double)f32;
    case RNNC_F16:
        return memcpy(&half, from, sizeof half), (double)rnnc_f16_to_f32(half);
    case RNNC_BF16:
        return memcpy(&half, from, sizeof half), (double)rnnc_bf16_to_f32(half);
    default:
        return 0;
    }
}

static void store(rnnc_dtype dtype, void *to, double value) {
    const float f32 = (float)value;
    uint16_t half;
    switch (dtype) {
    case RNNC_F64:
        memcpy(to, &value, sizeof value);
        break;
    case RNNC_F32:
        memcpy(to, &f32, sizeof f32);
        break;
    case RNNC_F16:
        half = rnnc_f64_to_f16(value), memcpy(to, &half, sizeof half);
        break;
    case RNNC_BF16:
        half = rnnc_f64_to_bf16(value), memcpy(to, &half, sizeof half);
        break;
    default:
        break;
    }
}

static rnnc_status locate(const rnnc_tensor *tensor, const size_t *index, void **place) {
    ptrdiff_t offset = 0;
    if (!tensor || tensor->rank < 0 || tensor->rank > RNNC_MAX_RANK || (tensor->rank && !index))
        return RNNC_ERR_ARGUMENT;
    if (rnnc_dtype_size(tensor->dtype) == 0)
        return RNNC_ERR_DTYPE;
    for (int i = 0; i < tensor->rank; i++) {
        if (index[i] >= tensor->shape[i])
            return RNNC_ERR_ARGUMENT;
        offset += (ptrdiff_t)index[i] * tensor->stride[i];
    }
    *place = at(tensor, offset);
    return RNNC_OK;
}

rnnc_status rnnc_tensor_get(const rnnc_tensor *tensor, const size_t *index, double *value) {
    void *place;
    if (!value)
        return RNNC_ERR_ARGUMENT;
    const rnnc_status status = locate(tensor, index, &place);
    if (status == RNNC_OK)
        *value = load(tensor->dtype, place);
    return status;
}

rnnc_status rnnc_tensor_set(const rnnc_tensor *tensor, const size_t *index, double value) {
    void *place;
    const rnnc_status status = locate(tensor, index, &place);
    if (status == RNNC_OK)
        store(tensor->dtype, place, value);
    return status;
}

rnnc_status rnnc_tensor_copy(const rnnc_tensor *to, const rnnc_tensor *from) {
    size_t count, index[RNNC_MAX_RANK] = {0};
    if (!to || !from)
        return RNNC_ERR_ARGUMENT;
    const rnnc_status status = rnnc_tensor_count(from, &count);
    if (status != RNNC_OK)
        return status;
    if (to->rank != from->rank ||
        memcmp(to->shape, from->shape, sizeof(size_t) * (size_t)to->rank) != 0)
        return RNNC_ERR_SHAPE;
    const size_t size = rnnc_dtype_size(from->dtype);
    if (size == 0 || rnnc_dtype_size(to->dtype) == 0)
        return RNNC_ERR_DTYPE;
    if (count == 0)
        return RNNC_OK;
    const int same = to->dtype == from->dtype;
    if (same && rnnc_tensor_is_contiguous(to) && rnnc_tensor_is_contiguous(from)) {
        memcpy(to->data, from->data, count * size);
        return RNNC_OK;
    }
    /* Rows of the last axis in the inner loop; the other indices count up like an odometer. */
    const int last = to->rank - 1;
    const size_t row = to->rank ? to->shape[last] : 1;
    for (size_t done = 0; done < count; done += row) {
        ptrdiff_t in = 0, out = 0;
        for (int i = 0; i < last; i++) {
            in += (ptrdiff_t)index[i] * from->stride[i];
            out += (ptrdiff_t)index[i] * to->stride[i];
        }
        for (size_t j = 0; j < row; j++) {
            const ptrdiff_t step = (ptrdiff_t)j;
            void *const target = at(to, out + (to->rank ? step * to->stride[last] : 0));
            const void *const source = at(from, in + (to->rank ? step * from->stride[last] : 0));
            if (same)
                memcpy(target, source, size);
            else
                store(to->dtype, target, load(from->dtype, source));
        }
        for (int i = last - 1; i >= 0 && ++index[i] == to->shape[i]; i--)
            index[i] = 0;
    }
    return RNNC_OK;
}
