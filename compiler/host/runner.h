/* runner.h: a child process that is asked line by line, and waits in between. */
#ifndef RNNC_RUNNER_H
#define RNNC_RUNNER_H

#include <sys/types.h>

enum { RUNNER_LINE = 1024 }; /* bytes of a line or message, its terminator included */

typedef struct runner {
    pid_t pid; /* 0: none */
    int socket;
    size_t filled;
    char buffer[RUNNER_LINE]; /* what was heard beyond the last line */
} runner;

/* What a child does that is a function of this program: it answers on the socket until that ends.
 */
typedef void (*runner_child)(void *context, int socket);

/* Starts argv (found in PATH) with the socket as its stdin and stdout, or, if argv is NULL, a copy
 * of this process that runs child(context). 0, or -1 with a message. */
int runner_start(runner *d, char **argv, runner_child child, void *context,
                 char message[RUNNER_LINE]);

/* Sends `line` (NULL: nothing) and reads the next line, without its '\n', within `seconds`. 0, or
 * -1 with what happened: the child crashed, ended, or was late, and then it is ended. */
int runner_ask(runner *d, const char *line, double seconds, char reply[RUNNER_LINE],
               char message[RUNNER_LINE]);

/* Ends the child and forgets it; also one that was not started but is all zeros. */
void runner_end(runner *d);

#endif
