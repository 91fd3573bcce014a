/* driver.h: NAME_forward, NAME_forward_lengths and NAME_step by the prototypes of NAME.h.
 *
 * A C file beside the network, compiled with it, calls them with what a test hands over; so that
 * arguments in a wrong order, or a missing declaration, are the C compiler's business. */
#ifndef TEST_DRIVER_H
#define TEST_DRIVER_H

#include "generate.h"

/* Writes dir/NAME_driver.c for a spec whose network is generated there. */
bool driver_write(const spec *s, const char *dir, rnnc_error *err);

/* The functions of a driver; NULL what the network has not. */
typedef struct driver {
    rnnc_status (*forward)(const rnnc_call *call);
    rnnc_status (*forward_lengths)(const rnnc_call *call);
    size_t (*state_size)(void); /* bytes of a NAME_state, which lies in memory of malloc */
    void (*state_init)(void *state);
    void (*state_reset)(void *state);
    /* weights are ignored where they are built in */
    rnnc_status (*step)(const float *weights, void *state, const float *x, float *y);
    const float *(*state_h)(const void *state);
    const float *(*state_c)(const void *state); /* lstm only */
} driver;

/* Finds them in the library that has the network and its driver. */
driver driver_open(void *library, const char *name);

#endif
