/* driver.h: NAME_forward, NAME_forward_lengths, NAME_step and NAME_process by the prototypes of
 * NAME.h.
 *
 * A C file beside the network, compiled with it, calls them with what a test hands over; so that
 * arguments in a wrong order, or a missing declaration, are the C compiler's business. */
#ifndef TEST_DRIVER_H
#define TEST_DRIVER_H

#include "generate.h"

/* What decides on the parameters of a network's functions. */
typedef struct driver_shape {
    const char *name;
    const char *states; /* "hc", "h", or "": what is carried from step to step */
    bool built_in, fixed_seq_len, fixed_batch, tokens, lengths;
    bool step; /* there are NAME_step and NAME_process */
} driver_shape;

/* Writes dir/NAME_driver.c for a network that is generated there. */
bool driver_write(const spec *s, const char *dir, rnnc_error *err);
bool driver_write_shape(const driver_shape *s, const char *dir, rnnc_error *err);

/* The functions of a driver; NULL what the network has not. */
typedef struct driver {
    rnnc_status (*forward)(const rnnc_call *call);
    rnnc_status (*forward_lengths)(const rnnc_call *call);
    size_t (*state_size)(void); /* bytes of a NAME_state, which lies in memory of malloc */
    void (*state_init)(void *state);
    void (*state_reset)(void *state);
    /* weights are ignored where they are built in; x are floats, or tokens */
    rnnc_status (*step)(const float *weights, void *state, const void *x, float *y);
    rnnc_status (*process)(const float *weights, void *state, size_t steps, const void *x,
                           float *y);
    const float *(*state_h)(const void *state);
    const float *(*state_c)(const void *state); /* lstm only */
} driver;

/* Finds them in the library that has the network and its driver. */
driver driver_open(void *library, const char *name);

#endif
