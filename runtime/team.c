/* Teams of POSIX threads: rnnc_team_create, rnnc_team_destroy.
 *
 * A task of a network lasts microseconds, so whoever waits looks at a counter in a cache line of
 * its own for a while, and sleeps or yields only then: a fork and join costs two latencies of a
 * cache line (about 0.3 us between two cores of a server of 2023), waking a sleeper tens of them.
 */
#define _GNU_SOURCE /* sched_getcpu and what belongs to it */
#include "internal.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if defined(__SSE__)
#include <xmmintrin.h>
#else
#include <fenv.h>
#endif

/* LINE: two cache lines, which x86 fetches in pairs. SPINS: looks before giving way; a pause takes
 * 10 to 140 cycles, so these are 5 to 50 us. */
enum { LINE = 128, SPINS = 1000 };

struct threads;

typedef struct member {
    _Alignas(LINE) atomic_size_t posted; /* posts in the round that runs */
    atomic_size_t done;                  /* the last round that it has finished */
    struct threads *team;
    size_t index;
    pthread_t thread;
} member;

/* Rounding and denormals of the calling thread, so that all members compute the same. */
#if defined(__SSE__)
typedef unsigned arithmetic;
static arithmetic arithmetic_get(void) { return _mm_getcsr(); }
static void arithmetic_set(const arithmetic *mode) { _mm_setcsr(*mode); }
#else
typedef fenv_t arithmetic;
static arithmetic arithmetic_get(void) {
    fenv_t mode;
    fegetenv(&mode);
    return mode;
}
static void arithmetic_set(const arithmetic *mode) { fesetenv(mode); }
#endif

typedef struct threads {
    rnnc_team team; /* first: a pointer to it is one to this */
    pthread_mutex_t mutex;
    pthread_cond_t begun;
    _Alignas(LINE) atomic_size_t round; /* runs begun */
    atomic_size_t parked;               /* members that sleep */
    /* Of the round that runs; written before `round`. */
    void (*task)(void *argument, size_t index);
    void *argument;
    arithmetic mode;
    int stop;
    struct threads *next, **link; /* in the list of all teams: the next, and what points to this */
    member members[];
} threads;

static void pause_briefly(void) {
#if defined(__SSE__)
    _mm_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Returns when `counter`, of which another thread makes more, is at least `count`. */
static void wait_for(const atomic_size_t *counter, size_t count) {
    for (int i = 0; atomic_load_explicit(counter, memory_order_acquire) < count; i++) {
        if (i < SPINS)
            pause_briefly();
        else
            sched_yield();
    }
}

/* Returns the number of the round that comes after round `seen`. */
static size_t next_round(threads *t, size_t seen) {
    size_t round;
    for (int i = 0; i < SPINS; i++) {
        round = atomic_load_explicit(&t->round, memory_order_acquire);
        if (round != seen)
            return round;
        pause_briefly();
    }
    pthread_mutex_lock(&t->mutex);
    /* Either `begin` sees that this one sleeps, or this one sees the round that it begins. */
    atomic_fetch_add(&t->parked, 1);
    while ((round = atomic_load(&t->round)) == seen)
        pthread_cond_wait(&t->begun, &t->mutex);
    atomic_fetch_sub(&t->parked, 1);
    pthread_mutex_unlock(&t->mutex);
    return round;
}

static void *work(void *a_member) {
    member *const self = a_member;
    threads *const t = self->team;
    for (size_t round = next_round(t, 0);; round = next_round(t, round)) {
        if (t->stop)
            return NULL;
        arithmetic_set(&t->mode);
        t->task(t->argument, self->index);
        atomic_store_explicit(&self->done, round, memory_order_release);
    }
}

static size_t begin(threads *t) {
    const size_t round = atomic_load_explicit(&t->round, memory_order_relaxed) + 1;
    atomic_store(&t->round, round);
    if (atomic_load(&t->parked) > 0) {
        pthread_mutex_lock(&t->mutex);
        pthread_cond_broadcast(&t->begun);
        pthread_mutex_unlock(&t->mutex);
    }
    return round;
}

static void team_run(void *context, void (*task)(void *argument, size_t index), void *argument) {
    threads *const t = context;
    for (size_t i = 0; i < t->team.count; i++)
        atomic_store_explicit(&t->members[i].posted, 0, memory_order_relaxed);
    t->task = task;
    t->argument = argument;
    t->mode = arithmetic_get();
    const size_t round = begin(t);
    task(argument, 0);
    for (size_t i = 1; i < t->team.count; i++)
        wait_for(&t->members[i].done, round);
}

static void team_post(void *context, size_t index) {
    atomic_size_t *const posted = &((threads *)context)->members[index].posted;
    const size_t count = atomic_load_explicit(posted, memory_order_relaxed);
    atomic_store_explicit(posted, count + 1, memory_order_release);
}

static void team_wait(void *context, size_t index, size_t count) {
    wait_for(&((threads *)context)->members[index].posted, count);
}

/* Nanoseconds that no two cores need to hand a word over: threads that do share one. */
enum { SHARED = 5000 };

/* Moves a member to a CPU of its own, as far as there are some, and lets the system have its way
 * from there. Without being told, Linux 6 left both threads of a team on one of two CPUs for a
 * tenth of a second and more. */
static void move_off(void *callers_cpu, size_t index) {
#ifdef __linux__
    const int here = *(const int *)callers_cpu;
    cpu_set_t allowed, own;
    if (index == 0 || sched_getaffinity(0, sizeof allowed, &allowed) != 0 || here < 0)
        return;
    CPU_CLR((size_t)here, &allowed);
    const size_t others = (size_t)CPU_COUNT(&allowed);
    if (others == 0)
        return;
    size_t cpu = 0;
    for (size_t left = (index - 1) % others; !CPU_ISSET(cpu, &allowed) || left-- > 0;)
        cpu++;
    CPU_ZERO(&own);
    CPU_SET(cpu, &own);
    CPU_SET((size_t)here, &allowed);
    if (sched_setaffinity(0, sizeof own, &own) == 0)
        sched_setaffinity(0, sizeof allowed, &allowed);
#else
    (void)callers_cpu;
    (void)index;
#endif
}

static void spread(rnnc_team *team) {
#ifdef __linux__
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0 &&
        (size_t)CPU_COUNT(&allowed) < team->count) {
        team->latency = RNNC_LATENCY_FAR;
        return;
    }
    int here = sched_getcpu();
#else
    int here = -1;
#endif
    rnnc_team_measure(team);
    if (team->latency < SHARED || team->latency == RNNC_LATENCY_FAR)
        return;
    team->run(team->context, move_off, &here);
    rnnc_team_measure(team);
}

/* All teams, for the child of a fork: it has none of their threads. */
static pthread_mutex_t teams_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t teams_once = PTHREAD_ONCE_INIT;
static threads *teams;

static void before_fork(void) { pthread_mutex_lock(&teams_mutex); }

static void after_fork(void) { pthread_mutex_unlock(&teams_mutex); }

/* A mutex or condition that a lost thread held or slept on cannot be used or destroyed any more;
 * they begin anew. A team of one waits for nobody. */
static void after_fork_in_child(void) {
    for (threads *t = teams; t; t = t->next) {
        t->team.count = 1;
        t->team.latency = 0;
        atomic_store(&t->parked, 0);
        pthread_mutex_init(&t->mutex, NULL);
        pthread_cond_init(&t->begun, NULL);
    }
    pthread_mutex_unlock(&teams_mutex);
}

static void watch_forks(void) { pthread_atfork(before_fork, after_fork, after_fork_in_child); }

static void enlist(threads *t) {
    pthread_once(&teams_once, watch_forks);
    pthread_mutex_lock(&teams_mutex);
    t->next = teams;
    t->link = &teams;
    if (teams)
        teams->link = &t->next;
    teams = t;
    pthread_mutex_unlock(&teams_mutex);
}

static void strike_off(threads *t) {
    pthread_mutex_lock(&teams_mutex);
    *t->link = t->next;
    if (t->next)
        t->next->link = t->link;
    pthread_mutex_unlock(&teams_mutex);
}

/* Ends the members 1 .. started - 1 and releases everything. */
static void dissolve(threads *t, size_t started) {
    t->stop = 1;
    begin(t);
    for (size_t i = 1; i < started; i++)
        pthread_join(t->members[i].thread, NULL);
    pthread_cond_destroy(&t->begun);
    pthread_mutex_destroy(&t->mutex);
    free(t);
}

/* Starts member `index`, which no signal of the program shall interrupt. */
static int start(threads *t, size_t index) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failure = pthread_create(&t->members[index].thread, NULL, work, &t->members[index]);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure;
}

rnnc_status rnnc_team_create(size_t count, rnnc_team **team, rnnc_error *error) {
    if (!team)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT, "team is NULL");
    *team = NULL;
    if (count == 0 || count > RNNC_TEAM_MAX)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT, "a team of %zu; it needs 1 to %d members", count,
                         RNNC_TEAM_MAX);
    const size_t size = sizeof(threads) + count * sizeof(member);
    threads *const t = aligned_alloc(LINE, (size + LINE - 1) / LINE * LINE);
    if (!t)
        return rnnc_fail(error, RNNC_ERR_MEMORY, "no memory for a team of %zu", count);
    memset(t, 0, size);
    t->team = (rnnc_team){count, t, team_run, team_post, team_wait, 0};
    pthread_mutex_init(&t->mutex, NULL);
    pthread_cond_init(&t->begun, NULL);
    for (size_t i = 0; i < count; i++) {
        t->members[i].team = t;
        t->members[i].index = i;
    }
    for (size_t i = 1; i < count; i++) {
        const int failure = start(t, i);
        if (failure != 0) {
            dissolve(t, i);
            return rnnc_fail(error, RNNC_ERR_MEMORY, "thread %zu of a team of %zu: %s", i, count,
                             strerror(failure));
        }
    }
    enlist(t);
    spread(&t->team);
    *team = &t->team;
    return RNNC_OK;
}

void rnnc_team_destroy(rnnc_team *team) {
    if (!team)
        return;
    strike_off(team->context);
    dissolve(team->context, team->count);
}
