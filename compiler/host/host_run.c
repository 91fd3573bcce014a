/* host.run, host.interrupted */
#define _XOPEN_SOURCE 700
#include "cleanup.h"
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* In the child: the program with everything it says going to `out`. */
static void start(char **argv, int out) {
    setpgid(0, 0);
    const int nothing = open("/dev/null", O_RDONLY);
    if (nothing >= 0)
        dup2(nothing, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    execvp(argv[0], argv);
    static const char words[] = "cannot be run: ";
    const char *const reason = strerror(errno);
    _exit(write(STDERR_FILENO, words, sizeof words - 1) < 0 ||
                  write(STDERR_FILENO, reason, strlen(reason)) < 0
              ? 126
              : 127);
}

/* Adds what the program says to the buffer until it ends (1), or the time is over (0). */
static int gather(int from, double deadline, luaL_Buffer *buffer) {
    for (;;) {
        const double left = deadline - now();
        struct pollfd wait = {.fd = from, .events = POLLIN};
        const int ready = left > 0 ? poll(&wait, 1, (int)(left * 1000) + 1) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return 0;
        char *const room = luaL_prepbuffsize(buffer, 4096);
        const ssize_t got = read(from, room, 4096);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return 1;
        luaL_addsize(buffer, (size_t)got);
    }
}

/* host.run(words, seconds) -> the exit code of the program words[1] with the arguments that follow
 * (128 + number if a signal ended it), and what it wrote to stdout and stderr. It is found in PATH;
 * there is no shell. nil if it took longer and was ended.
 * [words, seconds -> code | fail, output] */
int host_run(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    const double deadline = now() + luaL_checknumber(L, 2);
    const lua_Unsigned count = lua_rawlen(L, 1);
    luaL_argcheck(L, count > 0, 1, "no program is named");
    luaL_checkstack(L, (int)count + 8, NULL);
    char **const argv = lua_newuserdatauv(L, (count + 1) * sizeof *argv, 0);
    for (lua_Unsigned i = 0; i < count; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i + 1);
        argv[i] = (char *)luaL_checkstring(L, -1);
    }
    argv[count] = NULL;
    int ends[2];
    if (pipe(ends) != 0)
        return host_unable(L, "no pipe can be made: %s", strerror(errno));
    const pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        start(argv, ends[1]);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return host_unable(L, "no process can be made: %s", strerror(errno));
    }
    setpgid(pid, pid); /* here too, because either may come first */
    cleanup_child(pid);
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    const int ended = gather(ends[0], deadline, &buffer);
    close(ends[0]);
    if (!ended)
        kill(-pid, SIGKILL);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    cleanup_child(0);
    luaL_pushresult(&buffer);
    if (ended)
        lua_pushinteger(L, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    else
        luaL_pushfail(L);
    lua_insert(L, -2);
    return 2;
}

/* host.interrupted() -> has the user asked to end? See cleanup_asked.  [ -> boolean] */
int host_interrupted(lua_State *L) {
    lua_pushboolean(L, cleanup_asked());
    return 1;
}
