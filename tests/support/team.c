#define _POSIX_C_SOURCE 200809L
#include "team.h"
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct task_call {
    void (*task)(void *argument, size_t index);
    void *argument;
    size_t index;
} task_call;

/* The member of its team that a thread is. */
static _Thread_local size_t self;

static void *call_task(void *a_call) {
    const task_call *const call = a_call;
    self = call->index;
    call->task(call->argument, call->index);
    return NULL;
}

static void run_in_turn(void *context, void (*task)(void *argument, size_t index), void *argument) {
    own_team *const own = context;
    own->runs++;
    for (size_t i = own->team.count; i-- > 0;)
        task(argument, i);
}

static void run_threads(void *context, void (*task)(void *argument, size_t index), void *argument) {
    own_team *const own = context;
    pthread_t threads[RNNC_TEAM_MAX];
    task_call calls[RNNC_TEAM_MAX];
    own->runs++;
    memset(own->posted, 0, sizeof own->posted);
    for (size_t i = 0; i < own->team.count; i++) {
        calls[i] = (task_call){task, argument, i};
        if (i > 0 && pthread_create(&threads[i], NULL, call_task, &calls[i]) != 0)
            abort();
    }
    self = 0;
    task(argument, 0);
    for (size_t i = 1; i < own->team.count; i++)
        pthread_join(threads[i], NULL);
}

/* Long enough for the others to come to the next word, whatever they miss. */
static void nap(const own_team *own) {
    static const struct timespec time = {0, 100000};
    if (own->late == self + 1)
        nanosleep(&time, NULL);
}

static void post(void *context, size_t index) {
    own_team *const own = context;
    nap(own);
    pthread_mutex_lock(&own->mutex);
    own->posts++;
    own->posted[index]++;
    pthread_cond_broadcast(&own->changed);
    pthread_mutex_unlock(&own->mutex);
}

static void wait_for(void *context, size_t index, size_t count) {
    own_team *const own = context;
    pthread_mutex_lock(&own->mutex);
    while (own->posted[index] < count)
        pthread_cond_wait(&own->changed, &own->mutex);
    pthread_mutex_unlock(&own->mutex);
    nap(own);
}

void own_team_make(own_team *own, size_t count, bool alone) {
    memset(own, 0, sizeof *own);
    own->team = (rnnc_team){
        count, own, alone ? run_in_turn : run_threads, alone ? NULL : post, alone ? NULL : wait_for,
        0};
    pthread_mutex_init(&own->mutex, NULL);
    pthread_cond_init(&own->changed, NULL);
}

void own_team_free(own_team *own) {
    pthread_cond_destroy(&own->changed);
    pthread_mutex_destroy(&own->mutex);
}

static bool check_team(const rnnc_model *model, const float *packed, const problem *p,
                       const rnnc_team *team, double tolerance, const float *alone,
                       rnnc_error *err) {
    const size_t count = problem_y_count(p) + (p->cn ? 2 : 1) * problem_state_count(p);
    float *const now = malloc(count * sizeof *now);
    if (!now)
        abort();
    const variation v = {.team = team};
    rnnc_error why;
    bool ok = check_network(model, packed, p, &v, tolerance, now, &why);
    if (ok && memcmp(alone, now, count * sizeof *now) != 0) {
        snprintf(why.message, sizeof why.message, "not the bits of one thread");
        ok = false;
    }
    if (!ok)
        snprintf(err->message, sizeof err->message, "a team of %zu: %.1800s", team->count,
                 why.message);
    free(now);
    return ok;
}

bool check_teams(const rnnc_model *model, const float *packed, const problem *p, double tolerance,
                 const float *alone, rnnc_error *err) {
    static const size_t counts[] = {1, 2, 3, 7};
    bool ok = true;
    for (size_t i = 0; ok && i < 2 * sizeof counts / sizeof *counts; i++) {
        own_team own;
        own_team_make(&own, counts[i / 2], i % 2);
        ok = check_team(model, packed, p, &own.team, tolerance, alone, err);
        own_team_free(&own);
    }
    rnnc_team *team = NULL;
    ok = ok && rnnc_team_create(model->threads, &team, err) == RNNC_OK &&
         check_team(model, packed, p, team, tolerance, alone, err) &&
         check_team(model, packed, p, team, tolerance, alone, err);
    rnnc_team_destroy(team);
    return ok;
}
