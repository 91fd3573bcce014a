/* trap.h: the networks that trap.c runs; tests/test_realtime.c writes the table. */
#ifndef TEST_TRAP_H
#define TEST_TRAP_H

#include "rnnc.h"

/* A network by the functions of its driver (tests/support/driver.h); NULL what it has not. */
typedef struct trapped {
    const rnnc_model *model;
    rnnc_status (*forward)(const rnnc_call *call);
    rnnc_status (*forward_lengths)(const rnnc_call *call);
    size_t (*state_size)(void);
    void (*state_init)(void *state);
    void (*state_reset)(void *state);
    rnnc_status (*step)(const float *weights, void *state, const void *x, float *y);
} trapped;

extern const trapped networks[];
extern const size_t network_count;

#endif
