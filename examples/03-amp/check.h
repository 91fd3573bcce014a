/* check.h: end the program with a message when something has failed. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>

#include "rnnc.h"

/* `what` names the place, `why` says what is wrong there. */
static inline _Noreturn void fail(const char *what, const char *why) {
    fprintf(stderr, "amp: %s: %s\n", what, why);
    exit(1);
}

/* For calls that say in words what is wrong: the error that was given to the call. */
static inline void check(rnnc_status status, const rnnc_error *error) {
    if (status != RNNC_OK) {
        fprintf(stderr, "amp: %s\n", error->message);
        exit(1);
    }
}

/* For calls of which the status is all there is; `what` names the call. */
static inline void check_status(rnnc_status status, const char *what) {
    if (status != RNNC_OK)
        fail(what, rnnc_status_message(status));
}

/* Memory for `count` values of `size` bytes, all zero, to be freed by the caller. */
static inline void *allocate(size_t count, size_t size) {
    void *memory = calloc(count > 0 ? count : 1, size);
    if (memory == NULL)
        fail("a buffer for the sound", "out of memory");
    return memory;
}

#endif
