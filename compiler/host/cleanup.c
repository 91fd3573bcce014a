#define _XOPEN_SOURCE 700
#include "cleanup.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char directory[4096];
static volatile sig_atomic_t watching, child, owner, asked;

/* A compiler removes its own temporary files if it is asked to end, and gets a second for it. */
static void end_child(pid_t pid) {
    kill(-pid, SIGTERM);
    kill(pid, SIGTERM);
    for (int i = 0; i < 100; i++) {
        if (waitpid(pid, NULL, WNOHANG) != 0)
            return;
        poll(NULL, 0, 10);
    }
    kill(-pid, SIGKILL);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* What is called here may be called in a handler, which is why a program removes the directory. */
static void clean(int number) {
    const int error = errno;
    /* A child that was forked and has not replaced itself has the handler too. */
    if (watching && owner == (sig_atomic_t)getpid()) {
        if (child > 0)
            end_child((pid_t)child);
        const pid_t remover = fork();
        if (remover == 0) {
            execl("/bin/rm", "rm", "-rf", "--", directory, (char *)NULL);
            _exit(127);
        }
        while (remover > 0 && waitpid(remover, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    errno = error;
    signal(number, SIG_DFL);
    raise(number); /* arrives when the handler returns */
}

static void install(void) {
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = clean}, before;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        sigaddset(&action.sa_mask, signals[i]);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
            sigaction(signals[i], &action, NULL);
}

void cleanup_directory(const char *path) {
    watching = 0;
    if (!path || strlen(path) >= sizeof directory)
        return;
    strcpy(directory, path);
    owner = (sig_atomic_t)getpid();
    watching = 1;
    install();
}

void cleanup_child(pid_t pid) { child = (sig_atomic_t)pid; }

static struct timespec wished;

/* The first time it is a wish, then an order; what comes within a second is the same wish: some
 * programs send a signal to a process and to its group. */
static void wish(int number) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (asked && now.tv_sec - wished.tv_sec >= 1 + (now.tv_nsec < wished.tv_nsec))
        clean(number);
    if (!asked)
        wished = now;
    asked = 1;
}

int cleanup_asked(void) {
    static int listens;
    struct sigaction action = {.sa_handler = wish};
    sigemptyset(&action.sa_mask);
    if (!listens) {
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
    }
    listens = 1;
    return asked;
}
