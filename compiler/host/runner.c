#define _XOPEN_SOURCE 700
#include "runner.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int fail(char message[RUNNER_LINE], const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(message, RUNNER_LINE, format, args);
    va_end(args);
    return -1;
}

static void become(char **argv, int socket) {
    dup2(socket, STDIN_FILENO);
    dup2(socket, STDOUT_FILENO);
    close(socket);
    execvp(argv[0], argv);
    _exit(127);
}

int runner_start(runner *d, char **argv, runner_child child, void *context,
                 char message[RUNNER_LINE]) {
    int ends[2];
    *d = (runner){0};
    /* A socket and not two pipes: writing to a child that is gone must not raise SIGPIPE. */
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        return fail(message, "no socket can be made: %s", strerror(errno));
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        setpgid(0, 0);
        if (argv)
            become(argv, ends[1]);
        signal(SIGSEGV, SIG_DFL);
        signal(SIGBUS, SIG_DFL);
        signal(SIGFPE, SIG_DFL);
        signal(SIGILL, SIG_DFL);
        child(context, ends[1]);
        _exit(0);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return fail(message, "no process can be made: %s", strerror(errno));
    }
    d->pid = pid;
    d->socket = ends[0];
    return 0;
}

/* Ends the child, if it still runs, and returns its status. */
static int reap(runner *d, int still_runs) {
    int status = 0;
    if (still_runs)
        kill(-d->pid, SIGKILL);
    close(d->socket);
    while (waitpid(d->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    *d = (runner){0};
    return status;
}

/* Moves a line out of the buffer, if there is one. */
static int take_line(runner *d, char reply[RUNNER_LINE]) {
    char *const end = memchr(d->buffer, '\n', d->filled);
    if (!end)
        return 0;
    const size_t length = (size_t)(end - d->buffer);
    memcpy(reply, d->buffer, length);
    reply[length] = '\0';
    d->filled -= length + 1;
    memmove(d->buffer, end + 1, d->filled);
    return 1;
}

/* 1 for a line, 0 when the child has ended or babbles, -1 when it is late. */
static int listen_to(runner *d, double deadline, char reply[RUNNER_LINE]) {
    while (!take_line(d, reply)) {
        const double left = deadline - now();
        struct pollfd wait = {.fd = d->socket, .events = POLLIN};
        const int ready = left > 0 ? poll(&wait, 1, (int)(left * 1000) + 1) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return -1;
        const ssize_t got = read(d->socket, d->buffer + d->filled, RUNNER_LINE - d->filled);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return 0;
        d->filled += (size_t)got;
    }
    return 1;
}

int runner_ask(runner *d, const char *line, double seconds, char reply[RUNNER_LINE],
               char message[RUNNER_LINE]) {
    if (d->pid == 0)
        return fail(message, "it has ended before");
    if (line) {
        char text[RUNNER_LINE];
        const int length = snprintf(text, sizeof text, "%s\n", line);
        if (length < 0 || length >= RUNNER_LINE)
            return fail(message, "the line is too long");
        /* A failure shows when the answer is missing. */
        (void)!send(d->socket, text, (size_t)length, MSG_NOSIGNAL);
    }
    const int heard = listen_to(d, now() + seconds, reply);
    if (heard == 1)
        return 0;
    const int status = reap(d, heard < 0 || d->filled == RUNNER_LINE);
    if (heard < 0)
        return fail(message, "it is still running after %g seconds", seconds);
    if (WIFSIGNALED(status))
        return fail(message, "it crashes: %s", strsignal(WTERMSIG(status)));
    if (WEXITSTATUS(status) == 127)
        return fail(message, "it cannot be run");
    return fail(message, "it ends with exit code %d", WEXITSTATUS(status));
}

void runner_end(runner *d) {
    if (d->pid != 0)
        reap(d, 1);
    *d = (runner){0};
}
