/* bench.h: how long a digit takes, by generated code and by code that is not specialised. */
#ifndef BENCH_H
#define BENCH_H

/* Prints a table of times. `path` names the safetensors file of the network's weights, `images` are
 * at least 32 digits, (32, 8, 8). Takes about three seconds. */
void bench(const char *path, const float *images);

#endif
