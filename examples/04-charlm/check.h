/* check.h: ends the program with a message when a call has failed, and says how close the generated
 * network is to PyTorch. */
#ifndef CHECK_H
#define CHECK_H

#include <stddef.h>

#include "rnnc.h"

/* Prints "charlm: what: why" on stderr and exits with 1 unless status is RNNC_OK. */
void check_status(rnnc_status status, const char *what);

/* calloc that ends the program when there is no memory. */
void *allocate(size_t count, size_t size);

/* Reads held_out.txt with the network, compares with test.safetensors, prints a table. 1 if all
 * values are within the tolerance, else 0. Exits with 1 if a file is not there or damaged. */
int check_against_pytorch(void);

#endif
