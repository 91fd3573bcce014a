/* check.h: end the program with a message when a call of rnnc has failed. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>

#include "rnnc.h"

/* For calls that say in words what is wrong: the error that was given to the call. */
static inline void check(rnnc_status status, const rnnc_error *error) {
    if (status != RNNC_OK) {
        fprintf(stderr, "digits: %s\n", error->message);
        exit(1);
    }
}

/* For calls of which the status is all there is; `what` names the call or its object. */
static inline void check_status(rnnc_status status, const char *what) {
    if (status != RNNC_OK) {
        fprintf(stderr, "digits: %s: %s\n", what, rnnc_status_message(status));
        exit(1);
    }
}

#endif
