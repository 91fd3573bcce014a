/* pin.h: keeping threads on CPUs, so that what is timed neither moves nor shares a core. */
#ifndef RNNC_PIN_H
#define RNNC_PIN_H

#include <stddef.h>

/* The CPUs that this process may use, one of each core (two threads of one core share its units and
 * caches), the highest number first: the first `most` of them into cpus. Returns how many there
 * are in all; 0 where the system has no such call. */
size_t pin_cores(int *cpus, size_t most);

/* Keeps the calling thread, and what it starts from now on, on that CPU. 0, or -1. */
int pin_thread(int cpu);

#endif
