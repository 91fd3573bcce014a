/* internal.h: what the files of the library share and nobody else sees. */
#ifndef RNNC_INTERNAL_H
#define RNNC_INTERNAL_H

#include "precise.h"
#include "rnnc.h"

/* Safetensors files and blobs are little-endian and are used in place. */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#error "librnnc needs a little-endian machine"
#endif

#if defined(__GNUC__)
#define RNNC_PRINTF(text, first) __attribute__((format(printf, text, first)))
#define RNNC_HIDDEN __attribute__((visibility("hidden")))
#else
#define RNNC_PRINTF(text, first)
#define RNNC_HIDDEN
#endif

/* Fills in *error (may be NULL). */
RNNC_HIDDEN RNNC_PRINTF(3, 4) void rnnc_explain(rnnc_error *error, rnnc_status status,
                                                const char *format, ...);

/* RNNC_OK, or RNNC_ERR_ABI: to be asked before anything but `abi` is read from a model. */
RNNC_HIDDEN rnnc_status rnnc_model_check_abi(const rnnc_model *model, rnnc_error *error);

/* Explains and is the status: a macro, so that analysers see that it is never RNNC_OK. */
#define rnnc_fail(error, status, ...) (rnnc_explain(error, status, __VA_ARGS__), (status))

/* Text that grows at its end in a fixed buffer and ends in "..." when it does not fit. */
typedef struct rnnc_text {
    char *data;
    size_t size, length; /* length < size */
} rnnc_text;
RNNC_HIDDEN rnnc_text rnnc_text_in(char *data, size_t size);
RNNC_HIDDEN RNNC_PRINTF(2, 3) void rnnc_text_add(rnnc_text *text, const char *format, ...);
static inline int rnnc_text_full(const rnnc_text *text) { return text->length + 1 == text->size; }

/* A name from a file for a message: control characters become '?', a long one ends in "...". */
typedef struct rnnc_shown {
    char text[100];
} rnnc_shown;
RNNC_HIDDEN rnnc_shown rnnc_show(const char *name);

/* *result = a * b, or 0 and an unchanged *result if that does not fit. */
static inline int rnnc_mul(size_t a, size_t b, size_t *result) {
    if (b != 0 && a > SIZE_MAX / b)
        return 0;
    *result = a * b;
    return 1;
}

static inline int rnnc_add(size_t a, size_t b, size_t *result) {
    if (a > SIZE_MAX - b)
        return 0;
    *result = a + b;
    return 1;
}

#endif
