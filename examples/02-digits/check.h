/* check.h: end the program with a message when a call of rnnc has failed. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>

#include "rnnc.h"

/* `detail` may be NULL: the status then speaks for itself. */
static inline void check(rnnc_status status, const char *what, const rnnc_error *detail) {
    if (status == RNNC_OK)
        return;
    fprintf(stderr, "digits: %s: %s\n", what,
            detail ? detail->message : rnnc_status_message(status));
    exit(1);
}

#endif
