/* Tensors: bounds, views, element access, conversion; statuses and their sentences. */
#include "rnnc.h"

#include <criterion/criterion.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#define OK(call) cr_assert_eq((call), RNNC_OK, "%s", #call)
#define IS(call, status) cr_assert_eq((call), (status), "%s", #call)

Test(runtime_tensor, make_checks_bounds) {
    float data[24] = {0};
    rnnc_tensor t;
    const size_t shape[] = {2, 3, 4}, zero[] = {3, 0, SIZE_MAX}, huge[] = {SIZE_MAX, 2};
    const size_t big[] = {SIZE_MAX / 4 + 1};
    OK(rnnc_tensor_make(&t, RNNC_F32, 3, shape, data, sizeof data));
    cr_assert(t.stride[0] == 12 && t.stride[1] == 4 && t.stride[2] == 1);
    cr_assert(rnnc_tensor_is_contiguous(&t));
    IS(rnnc_tensor_make(&t, RNNC_F32, 3, shape, data, sizeof data - 1), RNNC_ERR_SHAPE);
    IS(rnnc_tensor_make(&t, RNNC_F64, 3, shape, data, sizeof data), RNNC_ERR_SHAPE);
    OK(rnnc_tensor_make(&t, RNNC_F16, 3, shape, data, sizeof data / 2));
    OK(rnnc_tensor_make(&t, RNNC_F32, 3, zero, data, 0));
    OK(rnnc_tensor_make(&t, RNNC_F32, 0, NULL, data, 4));
    IS(rnnc_tensor_make(&t, RNNC_F32, 0, NULL, data, 3), RNNC_ERR_SHAPE);
    IS(rnnc_tensor_make(&t, RNNC_F32, 2, huge, data, sizeof data), RNNC_ERR_OVERFLOW);
    IS(rnnc_tensor_make(&t, RNNC_F32, 1, big, data, sizeof data), RNNC_ERR_OVERFLOW);
    IS(rnnc_tensor_make(&t, RNNC_F32, 9, shape, data, sizeof data), RNNC_ERR_ARGUMENT);
    IS(rnnc_tensor_make(&t, RNNC_F32, -1, shape, data, sizeof data), RNNC_ERR_ARGUMENT);
    IS(rnnc_tensor_make(&t, RNNC_F32, 3, NULL, data, sizeof data), RNNC_ERR_ARGUMENT);
    IS(rnnc_tensor_make(&t, RNNC_F32, 3, shape, NULL, sizeof data), RNNC_ERR_ARGUMENT);
    IS(rnnc_tensor_make(&t, RNNC_OPAQUE, 3, shape, data, sizeof data), RNNC_ERR_ARGUMENT);
    IS(rnnc_tensor_make(&t, (rnnc_dtype)77, 3, shape, data, sizeof data), RNNC_ERR_ARGUMENT);
}

Test(runtime_tensor, strides_stay_inside) {
    float data[10] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    rnnc_tensor t;
    const size_t shape[] = {2, 3};
    double v;
    OK(rnnc_tensor_make_strided(&t, RNNC_F32, 2, shape, (ptrdiff_t[]){5, 2}, 0, data, sizeof data));
    OK(rnnc_tensor_get(&t, (size_t[]){1, 2}, &v));
    cr_assert_eq(v, 9);
    IS(rnnc_tensor_make_strided(&t, RNNC_F32, 2, shape, (ptrdiff_t[]){5, 2}, 1, data, sizeof data),
       RNNC_ERR_SHAPE);
    OK(rnnc_tensor_make_strided(&t, RNNC_F32, 2, shape, (ptrdiff_t[]){5, -2}, 4, data,
                                sizeof data));
    OK(rnnc_tensor_get(&t, (size_t[]){1, 2}, &v));
    cr_assert_eq(v, 5);
    IS(rnnc_tensor_make_strided(&t, RNNC_F32, 2, shape, (ptrdiff_t[]){5, -2}, 3, data, sizeof data),
       RNNC_ERR_SHAPE);
    IS(rnnc_tensor_make_strided(&t, RNNC_F32, 2, shape, (ptrdiff_t[]){PTRDIFF_MAX, PTRDIFF_MAX}, 0,
                                data, sizeof data),
       RNNC_ERR_SHAPE);
    IS(rnnc_tensor_make_strided(&t, RNNC_F32, 2, shape, (ptrdiff_t[]){PTRDIFF_MIN, 1}, 9, data,
                                sizeof data),
       RNNC_ERR_SHAPE);
    IS(rnnc_tensor_make_strided(&t, RNNC_F32, 2, shape, (ptrdiff_t[]){0, 0}, 10, data, sizeof data),
       RNNC_ERR_SHAPE);
    OK(rnnc_tensor_make_strided(&t, RNNC_F32, 2, shape, (ptrdiff_t[]){0, 0}, 9, data, sizeof data));
    cr_assert(!rnnc_tensor_is_contiguous(&t));
    IS(rnnc_tensor_make_strided(&t, RNNC_F32, 1, (size_t[]){0}, (ptrdiff_t[]){1}, SIZE_MAX, data,
                                sizeof data),
       RNNC_ERR_SHAPE);
}

/* The strides of axes of one entry and of tensors without values do not matter, those of all others
 * do, whichever axis it is. */
Test(runtime_tensor, contiguous) {
    static const struct {
        size_t shape[3];
        ptrdiff_t stride[3];
        int contiguous;
    } rows[] = {
        {{2, 3, 4}, {12, 4, 1}, 1}, {{1, 3, 4}, {99, 4, 1}, 1}, {{2, 1, 4}, {4, -7, 1}, 1},
        {{2, 3, 1}, {3, 1, 0}, 1},  {{1, 1, 1}, {7, 8, 9}, 1},  {{2, 0, 4}, {9, 9, 9}, 1},
        {{2, 3, 4}, {13, 4, 1}, 0}, {{2, 3, 4}, {12, 5, 1}, 0}, {{2, 3, 4}, {12, 4, 2}, 0},
        {{2, 3, 4}, {1, 2, 6}, 0},  {{2, 1, 4}, {5, 4, 1}, 0},  {{1, 3, 4}, {12, -4, 1}, 0},
        {{2, 3, 1}, {3, 2, 1}, 0},  {{2, 3, 4}, {0, 4, 1}, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        float data = 0;
        rnnc_tensor t = {.dtype = RNNC_F32, .rank = 3, .data = &data};
        for (int k = 0; k < 3; k++) {
            t.shape[k] = rows[i].shape[k];
            t.stride[k] = rows[i].stride[k];
        }
        cr_expect_eq(!!rnnc_tensor_is_contiguous(&t), rows[i].contiguous, "row %zu", i);
    }
}

Test(runtime_tensor, views) {
    float data[24];
    for (int i = 0; i < 24; i++)
        data[i] = (float)i;
    rnnc_tensor t, u;
    double v;
    OK(rnnc_tensor_make(&t, RNNC_F32, 3, (size_t[]){2, 3, 4}, data, sizeof data));
    OK(rnnc_tensor_slice(&t, 2, 1, 3, &u));
    cr_assert(u.rank == 3 && u.shape[2] == 2 && !rnnc_tensor_is_contiguous(&u));
    OK(rnnc_tensor_get(&u, (size_t[]){1, 2, 1}, &v));
    cr_assert_eq(v, 12 + 8 + 2);
    OK(rnnc_tensor_select(&u, 1, 2, &u));
    cr_assert(u.rank == 2 && u.shape[0] == 2 && u.shape[1] == 2);
    OK(rnnc_tensor_get(&u, (size_t[]){1, 0}, &v));
    cr_assert_eq(v, 12 + 8 + 1);
    OK(rnnc_tensor_transpose(&t, 0, 2, &u));
    cr_assert(u.shape[0] == 4 && u.shape[1] == 3 && u.shape[2] == 2);
    OK(rnnc_tensor_get(&u, (size_t[]){3, 1, 1}, &v));
    cr_assert_eq(v, 12 + 4 + 3);
    OK(rnnc_tensor_slice(&t, 0, 2, 2, &u));
    cr_assert_eq(u.shape[0], 0);
    cr_assert_eq(u.data, (void *)data, "an empty slice points into the memory");
    IS(rnnc_tensor_get(&u, (size_t[]){0, 0, 0}, &v), RNNC_ERR_ARGUMENT);
    OK(rnnc_tensor_select(&u, 1, 2, &u));
    cr_assert(u.rank == 2 && u.data == (void *)data, "nor does one that is selected of it");
    IS(rnnc_tensor_slice(&t, 0, 1, 3, &u), RNNC_ERR_ARGUMENT);
    IS(rnnc_tensor_slice(&t, 0, 2, 1, &u), RNNC_ERR_ARGUMENT);
    IS(rnnc_tensor_slice(&t, 3, 0, 1, &u), RNNC_ERR_ARGUMENT);
    IS(rnnc_tensor_slice(&t, -1, 0, 1, &u), RNNC_ERR_ARGUMENT);
    IS(rnnc_tensor_select(&t, 1, 3, &u), RNNC_ERR_ARGUMENT);
    IS(rnnc_tensor_transpose(&t, 0, 3, &u), RNNC_ERR_ARGUMENT);
    IS(rnnc_tensor_get(&t, (size_t[]){0, 3, 0}, &v), RNNC_ERR_ARGUMENT);
    IS(rnnc_tensor_get(&t, NULL, &v), RNNC_ERR_ARGUMENT);
}

/* From every dtype to every dtype, out of a transposed view into an odd address between guards. */
Test(runtime_tensor, copy_converts) {
    static const rnnc_dtype dtypes[] = {RNNC_F32, RNNC_F64, RNNC_F16, RNNC_BF16};
    for (int from = 0; from < 4; from++)
        for (int to = 0; to < 4; to++) {
            unsigned char in[1 + 6 * 8], out[1 + 6 * 8 + 16];
            memset(out, 0xA5, sizeof out);
            rnnc_tensor a, b;
            const size_t size = rnnc_dtype_size(dtypes[to]);
            OK(rnnc_tensor_make(&a, dtypes[from], 2, (size_t[]){2, 3}, in + 1, sizeof in - 1));
            OK(rnnc_tensor_make(&b, dtypes[to], 2, (size_t[]){3, 2}, out + 1, 6 * size));
            for (size_t i = 0; i < 6; i++)
                OK(rnnc_tensor_set(&a, (size_t[]){i / 3, i % 3}, (double)i - 2.5));
            OK(rnnc_tensor_transpose(&a, 0, 1, &a));
            OK(rnnc_tensor_copy(&b, &a));
            for (size_t i = 0; i < 6; i++) {
                double v = NAN;
                OK(rnnc_tensor_get(&b, (size_t[]){i % 3, i / 3}, &v));
                cr_assert(v == (double)i - 2.5, "%d to %d, %zu: %g", from, to, i, v);
            }
            cr_assert_eq(out[0], 0xA5);
            for (size_t i = 1 + 6 * size; i < sizeof out; i++)
                cr_assert_eq(out[i], 0xA5, "%d to %d wrote byte %zu", from, to, i);
        }
}

Test(runtime_tensor, copy_refuses) {
    float a[6] = {0}, b[6] = {0};
    rnnc_tensor x, y;
    OK(rnnc_tensor_make(&x, RNNC_F32, 2, (size_t[]){2, 3}, a, sizeof a));
    OK(rnnc_tensor_make(&y, RNNC_F32, 2, (size_t[]){3, 2}, b, sizeof b));
    IS(rnnc_tensor_copy(&y, &x), RNNC_ERR_SHAPE);
    OK(rnnc_tensor_make(&y, RNNC_F32, 1, (size_t[]){6}, b, sizeof b));
    IS(rnnc_tensor_copy(&y, &x), RNNC_ERR_SHAPE);
    x.dtype = RNNC_OPAQUE;
    IS(rnnc_tensor_copy(&x, &x), RNNC_ERR_DTYPE);
    OK(rnnc_tensor_make(&x, RNNC_F32, 0, NULL, a, 4));
    OK(rnnc_tensor_make(&y, RNNC_F64, 0, NULL, b, 8));
    OK(rnnc_tensor_set(&x, NULL, 1.5));
    OK(rnnc_tensor_copy(&y, &x));
    double v;
    OK(rnnc_tensor_get(&y, NULL, &v));
    cr_assert_eq(v, 1.5);
}

Test(runtime_tensor, every_status_has_a_sentence) {
    for (int i = RNNC_OK; i <= RNNC_ERR_ABI; i++) {
        const char *const text = rnnc_status_message((rnnc_status)i);
        cr_assert(text && strlen(text) > 5 && text[strlen(text) - 1] != '.');
        cr_assert(strcmp(text, rnnc_status_message((rnnc_status)(RNNC_ERR_ABI + 1))) != 0);
    }
}
