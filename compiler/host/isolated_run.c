#define _XOPEN_SOURCE 700
#include "isolated_run.h"
#include "cleanup.h"
#include "network.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int fail(char message[ISOLATED_MESSAGE], const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(message, ISOLATED_MESSAGE, format, args);
    va_end(args);
    return -1;
}

rnnc_call isolated_call(const isolated_run *t) {
    return (rnnc_call){.seq_len = t->seq_len,
                       .batch = t->batch,
                       .tokens = (const int32_t *)(const void *)t->tokens.data,
                       .lengths = (const size_t *)(const void *)t->lengths.data,
                       .x = (const float *)(const void *)t->x.data,
                       .h0 = (const float *)(const void *)t->h0.data,
                       .c0 = (const float *)(const void *)t->c0.data,
                       .y = (float *)(void *)t->y.data,
                       .hn = (float *)(void *)t->hn.data,
                       .cn = (float *)(void *)t->cn.data};
}

/* The rest runs in the child, which never returns: what it allocates goes with it. */

static const rnnc_model *load_model(const isolated_run *t, char *message) {
    /* Lazily: NAME_pack calls the runtime, which is not there; the model's own steps are used. */
    void *const library = dlopen(t->library, RTLD_LAZY | RTLD_LOCAL);
    const rnnc_model *const model = library ? dlsym(library, t->symbol) : NULL;
    if (!model)
        fail(message, "the compiled network cannot be loaded: %s", dlerror());
    else if (model->abi != RNNC_ABI || !network_same(&model->network, t->network))
        fail(message, "the compiled network has other sizes than the spec");
    else
        return model;
    return NULL;
}

/* The call again with a team: the same bits, in outputs that are filled anew. */
static int run_with_team(isolated_run *t, const rnnc_model *model, rnnc_call *call, char *message) {
    enum { OUTPUTS = 3 };
    const guard *const outputs[OUTPUTS] = {&t->y, &t->hn, &t->cn};
    rnnc_team *team;
    rnnc_error error;
    if (rnnc_team_create(model->threads, &team, &error) != RNNC_OK)
        return fail(message, "%s", error.message);
    call->team = team;
    size_t all = 0;
    for (int i = 0; i < OUTPUTS; i++)
        all += outputs[i]->data ? outputs[i]->size : 0;
    unsigned char *const alone = malloc(all + 1);
    if (!alone)
        return fail(message, "not enough memory for a second call");
    unsigned char *at = alone;
    for (int i = 0; i < OUTPUTS; i++) {
        if (!outputs[i]->data)
            continue;
        memcpy(at, outputs[i]->data, outputs[i]->size);
        memset(outputs[i]->data, 0xff, outputs[i]->size);
        at += outputs[i]->size;
    }
    int result = 0;
    if (rnnc_model_forward(model, call, &error) != RNNC_OK)
        result = fail(message, "forward with %zu threads fails: %s", team->count, error.message);
    at = alone;
    for (int i = 0; i < OUTPUTS && result == 0; i++) {
        if (!outputs[i]->data)
            continue;
        if (memcmp(at, outputs[i]->data, outputs[i]->size) != 0)
            result = fail(message, "forward with %zu threads gives other bits than with one",
                          team->count);
        at += outputs[i]->size;
    }
    free(alone);
    return result;
}

int isolated_check_outputs(const isolated_run *t, char message[ISOLATED_MESSAGE]) {
    if (!guard_intact(&t->y) || (t->hn.data && !guard_intact(&t->hn)))
        return fail(message, "forward writes in front of y or hn");
    if (t->cn.data && !guard_intact(&t->cn))
        return fail(message, "forward writes in front of cn");
    return 0;
}

int isolated_call_once(isolated_run *t, const rnnc_model *model, const float *packed,
                       char message[ISOLATED_MESSAGE]) {
    guard workspace;
    const size_t size = model->workspace_size(t->seq_len, t->batch);
    if (size == 0 || guard_open(&workspace, size) != 0)
        return fail(message, "a workspace of %zu bytes cannot be had", size);
    /* Nothing may depend on what the workspace held before: all ones are NaNs. */
    memset(workspace.data, 0xff, size);
    guard *const inputs[] = {&t->x, &t->tokens, &t->lengths, &t->h0, &t->c0};
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++)
        if (inputs[i]->data)
            guard_protect(inputs[i]);
    rnnc_call call = isolated_call(t);
    call.weights = packed;
    call.workspace = workspace.data;
    rnnc_error error;
    if (rnnc_model_forward(model, &call, &error) != RNNC_OK)
        return fail(message, "forward fails: %s", error.message);
    if (model->threads > 1 && run_with_team(t, model, &call, message) != 0)
        return -1;
    if (!guard_intact(&workspace))
        return fail(message, "forward writes in front of the workspace");
    guard_close(&workspace);
    return 0;
}

static int run_model(isolated_run *t, char *message) {
    const rnnc_model *const model = load_model(t, message);
    if (!model)
        return -1;
    float *packed = NULL;
    if (!model->built_in) {
        packed = malloc((model->packed_count + 1) * sizeof *packed);
        if (!packed || rnnc_model_pack(model, t->tensors, packed) != RNNC_OK)
            return fail(message, "the weights cannot be packed");
    }
    const int at_once = t->call_len == t->seq_len && t->call_batch == t->batch;
    return at_once ? isolated_call_once(t, model, packed, message)
                   : isolated_call_pieces(t, model, packed, message);
}

static void child(isolated_run *t, int done) {
    char message[ISOLATED_MESSAGE] = "";
    /* Whoever handles these here, a sanitizer for one, would make an exit code of a crash. */
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
    signal(SIGFPE, SIG_DFL);
    signal(SIGILL, SIG_DFL);
    run_model(t, message);
    const size_t length = strlen(message) + 1;
    _exit(write(done, message, length) == (ssize_t)length ? 0 : 1);
}

/* Reads the child's last words. 1 if there are some, 0 if it ended without, -1 if it is late. */
static int listen_to(int done, int seconds, char message[ISOLATED_MESSAGE]) {
    struct pollfd wait = {.fd = done, .events = POLLIN};
    int ready;
    do
        ready = poll(&wait, 1, seconds < INT_MAX / 1000 ? seconds * 1000 : -1);
    while (ready < 0 && errno == EINTR);
    if (ready <= 0)
        return -1;
    const ssize_t got = read(done, message, ISOLATED_MESSAGE);
    if (got <= 0 || message[got - 1] != '\0')
        return 0;
    return 1;
}

int run_isolated(isolated_run *t, char message[ISOLATED_MESSAGE]) {
    int ends[2];
    if (pipe(ends) != 0)
        return fail(message, "no pipe can be made: %s", strerror(errno));
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        close(ends[0]);
        child(t, ends[1]);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return fail(message, "no process can be made: %s", strerror(errno));
    }
    setpgid(pid, pid); /* here too, because either may come first */
    cleanup_child(pid);
    const int heard = listen_to(ends[0], t->seconds, message);
    close(ends[0]);
    if (heard < 0)
        kill(-pid, SIGKILL); /* its group: whatever it has started, too */
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    cleanup_child(0);
    if (heard < 0)
        return fail(message, "forward is still running after %d seconds", t->seconds);
    if (WIFSIGNALED(status))
        return fail(message, "forward crashes: %s%s", strsignal(WTERMSIG(status)),
                    WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS
                        ? " (beyond a buffer, or an input written to)"
                        : "");
    if (heard == 0)
        return fail(message, "forward ends the process with exit code %d", WEXITSTATUS(status));
    if (message[0])
        return -1;
    return isolated_check_outputs(t, message);
}
