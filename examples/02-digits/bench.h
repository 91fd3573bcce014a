/* bench.h: how long a digit takes, by generated code and by code that is not specialised. */
#ifndef BENCH_H
#define BENCH_H

#include "rnnc.h"

/* Prints a table of times. `weights` holds the network as rnn.weight_ih_l0 ..., `images` are at
 * least 32 digits, (32, 8, 8). Takes about three seconds. */
void bench(const rnnc_safetensors *weights, const float *images);

#endif
