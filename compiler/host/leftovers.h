/* leftovers.h: names of files on their way into place, and what a killed rnnc left of them. */
#ifndef RNNC_LEFTOVERS_H
#define RNNC_LEFTOVERS_H

/* A name on the way of NAME is ".NAME" LEFTOVER_MARK and six characters, or those and "~". */
#define LEFTOVER_MARK ".rnnc-"

/* Says that this process writes files into `directory` until close() of what is returned: -1 if the
 * file system cannot say so. Where nobody else does, what is on the way of the `count` names is of
 * a process that was killed, and is removed. */
int leftovers_begin(const char *directory, unsigned long count, const char *const names[]);

#endif
