/* cleanup.h: what a signal that ends rnnc must not leave behind. */
#ifndef RNNC_CLEANUP_H
#define RNNC_CLEANUP_H

#include <sys/types.h>

/* From now on SIGINT, SIGTERM and SIGHUP remove this directory with all that is in it, and then end
 * rnnc as they always do; NULL: nothing is to be removed any more. A signal that is ignored stays
 * so. One directory at a time, of at most 4095 bytes. */
void cleanup_directory(const char *path);

/* A child that such a signal has to end first, with its process group if it leads one; 0: none. One
 * at a time. */
void cleanup_child(pid_t pid);

/* Has SIGINT or SIGTERM come since this was first called? From that call on the first of them is
 * noted here and ends nothing, and one that comes a second later or more ends rnnc. */
int cleanup_asked(void);

#endif
