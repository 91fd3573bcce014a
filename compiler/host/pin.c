#define _GNU_SOURCE
#include "pin.h"

#ifdef __linux__
#include <sched.h>
#include <stdio.h>

/* The lowest number among the CPUs of the same core; the CPU's own if the system does not tell. */
static size_t core_of(size_t cpu) {
    char path[96];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%zu/topology/thread_siblings_list",
             cpu);
    FILE *const file = fopen(path, "r");
    size_t first;
    const int known = file && fscanf(file, "%zu", &first) == 1 && first < CPU_SETSIZE;
    if (file)
        fclose(file);
    return known ? first : cpu;
}

size_t pin_cores(int *cpus, size_t most) {
    cpu_set_t allowed, taken;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return 0;
    CPU_ZERO(&taken);
    size_t count = 0;
    for (size_t cpu = CPU_SETSIZE; cpu-- > 0;) {
        if (!CPU_ISSET(cpu, &allowed))
            continue;
        const size_t core = core_of(cpu);
        if (CPU_ISSET(core, &taken))
            continue;
        CPU_SET(core, &taken);
        if (count < most)
            cpus[count] = (int)cpu;
        count++;
    }
    return count;
}

int pin_thread(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    return sched_setaffinity(0, sizeof set, &set);
}
#else
size_t pin_cores(int *cpus, size_t most) {
    (void)cpus;
    (void)most;
    return 0;
}

int pin_thread(int cpu) {
    (void)cpu;
    return -1;
}
#endif
