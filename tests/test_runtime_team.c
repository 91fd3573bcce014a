/* rnnc_team_create: threads that run a task together and speak with each other. */
#define _GNU_SOURCE /* sched_setaffinity */
#include "../runtime/rnnc.h"
#include "support/team.h"

#include <criterion/criterion.h>
#include <fenv.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 5, RUNS = 300, STEPS = 200 };

typedef struct seen {
    const rnnc_team *team;
    size_t calls[MOST];
    pthread_t thread[MOST];
    float third[MOST];   /* 1/3, which depends on the rounding */
    size_t values[MOST]; /* written by one member, read by the next */
    size_t wrong;
} seen;

static rnnc_team *make(size_t count) {
    rnnc_team *team;
    rnnc_error err;
    cr_assert_eq(rnnc_team_create(count, &team, &err), RNNC_OK, "%s", err.message);
    cr_assert_eq(team->count, count);
    return team;
}

static void note(void *argument, size_t index) {
    seen *const s = argument;
    s->calls[index]++;
    s->thread[index] = pthread_self();
    volatile float one = 1.0f, three = 3.0f;
    s->third[index] = one / three;
}

static void sleep_ms(long ms) {
    const struct timespec t = {.tv_nsec = ms * 1000000};
    nanosleep(&t, NULL);
}

/* Every member is called once a run, on a thread of its own, whether it was spinning or asleep. */
Test(runtime_team, calls_every_member, .timeout = 60) {
    for (size_t count = 1; count <= MOST; count++) {
        rnnc_team *const team = make(count);
        seen s = {.team = team};
        for (size_t i = 0; i < RUNS; i++) {
            if (i % 100 == 99)
                sleep_ms(5);
            team->run(team->context, note, &s);
            for (size_t m = 0; m < count; m++)
                cr_assert_eq(s.calls[m], i + 1, "member %zu of %zu in run %zu", m, count, i);
        }
        cr_expect(pthread_equal(s.thread[0], pthread_self()));
        for (size_t a = 0; a < count; a++)
            for (size_t b = 0; b < a; b++)
                cr_expect(!pthread_equal(s.thread[a], s.thread[b]));
        rnnc_team_destroy(team);
    }
}

/* Each member waits for the one before, and sees what it wrote; counts begin anew in every run. */
static void relay(void *argument, size_t index) {
    seen *const s = argument;
    const size_t count = s->team->count, before = (index + count - 1) % count;
    for (size_t i = 0; i < STEPS; i++) {
        if (index > 0 || i > 0) {
            s->team->wait(s->team->context, before, index > 0 ? i + 1 : i);
            const size_t want = index > 0 ? i * MOST + index - 1 : (i - 1) * MOST + count - 1;
            if (s->values[before] != want)
                s->wrong++;
        }
        s->values[index] = i * MOST + index;
        s->team->post(s->team->context, index);
    }
}

Test(runtime_team, words_arrive_in_order, .timeout = 120) {
    for (size_t count = 2; count <= MOST; count++) {
        rnnc_team *const team = make(count);
        seen s = {.team = team};
        for (int i = 0; i < 3; i++)
            team->run(team->context, relay, &s);
        cr_expect_eq(s.wrong, 0, "%zu of a team of %zu", s.wrong, count);
        rnnc_team_destroy(team);
    }
}

Test(runtime_team, members_round_as_the_caller, .timeout = 60) {
    rnnc_team *const team = make(3);
    static const int modes[] = {FE_UPWARD, FE_DOWNWARD};
    float own[2];
    for (size_t i = 0; i < 2; i++) {
        seen s = {.team = team};
        fesetround(modes[i]);
        team->run(team->context, note, &s);
        fesetround(FE_TONEAREST);
        own[i] = s.third[0];
        for (size_t m = 1; m < 3; m++)
            cr_expect_eq(s.third[m], own[i], "member %zu rounds another way", m);
    }
    cr_expect_gt(own[0], own[1]);
    rnnc_team_destroy(team);
}

/* The latency is that of the slowest member, at least some nanoseconds; unknown where there are no
 * words. */
Test(runtime_team, latency_is_measured, .timeout = 60) {
    for (size_t count = 1; count <= 3; count++) {
        rnnc_team *const team = make(count);
        for (int again = 0; again < 2; again++) {
            cr_expect(count == 1 ? team->latency == 0
                                 : team->latency > 0 && team->latency <= RNNC_LATENCY_FAR,
                      "%zu ns in a team of %zu", team->latency, count);
            team->latency = (size_t)-1;
            rnnc_team_measure(team);
        }
        seen s = {.team = team};
        team->run(team->context, note, &s);
        cr_expect_eq(s.calls[count - 1], 1);
        rnnc_team_destroy(team);
    }
    own_team own;
    own_team_make(&own, 2, true);
    own.team.latency = 1;
    rnnc_team_measure(&own.team);
    cr_expect_eq(own.team.latency, 0);
    cr_expect_eq(own.runs, 0);
    own_team_free(&own);
    own_team_make(&own, 4, false);
    rnnc_team_measure(&own.team);
    cr_expect_gt(own.team.latency, 0);
    /* On a machine with no time for it, members that were not asked are far. */
    cr_expect(own.runs == 3 || own.team.latency == RNNC_LATENCY_FAR, "%zu runs", own.runs);
    own_team_free(&own);
}

/* What the child of a fork finds: 0, or which of its looks failed. */
static int in_child(rnnc_team *team) {
    seen s = {.team = team};
    if (team->count != 1)
        return 1;
    team->run(team->context, note, &s);
    if (s.calls[0] != 1 || s.calls[1] != 0)
        return 2;
    rnnc_team_measure(team);
    if (team->latency != 0)
        return 3;
    rnnc_team_destroy(team);
    if (rnnc_team_create(3, &team, NULL) != RNNC_OK)
        return 4;
    seen again = {.team = team};
    team->run(team->context, note, &again);
    rnnc_team_destroy(team);
    return again.calls[2] == 1 ? 0 : 5;
}

/* The child computes alone, and can end the team and make another, whether members slept or spun;
 * the parent's team goes on. */
Test(runtime_team, a_fork_leaves_a_team_of_one, .timeout = 60) {
    for (int asleep = 0; asleep < 2; asleep++) {
        rnnc_team *const ended = make(16), *const team = make(3), *const last = make(2);
        mallopt(M_PERTURB, 0xa5); /* what is freed is overwritten, so that nobody can go on there */
        rnnc_team_destroy(ended);
        seen s = {.team = team};
        team->run(team->context, note, &s);
        if (asleep)
            sleep_ms(50);
        const pid_t pid = fork();
        if (pid == 0) {
            alarm(60);
            const int wrong = in_child(team);
            rnnc_team_destroy(last);
            _exit(wrong);
        }
        int status;
        cr_assert_eq(waitpid(pid, &status, 0), pid);
        cr_expect_eq(status, 0, "asleep %d: status %#x", asleep, (unsigned)status);
        team->run(team->context, note, &s);
        cr_expect_eq(s.calls[2], 2);
        rnnc_team_destroy(team);
        rnnc_team_destroy(last);
    }
}

static void do_nothing(void *argument, size_t index) {
    (void)argument;
    (void)index;
}

/* Teams end in any order, and what is left of the list of all is whole: a fork goes through it. */
Test(runtime_team, teams_end_in_any_order, .timeout = 60) {
    enum { TEAMS = 4 };
    static const size_t orders[][TEAMS] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 3, 0, 1}, {1, 2, 0, 3}};
    mallopt(M_PERTURB, 0xa5); /* what is freed is overwritten */
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        rnnc_team *teams[TEAMS];
        for (size_t k = 0; k < TEAMS; k++)
            teams[k] = make(2);
        for (size_t k = 0; k < TEAMS; k++) {
            rnnc_team_destroy(teams[orders[i][k]]);
            const pid_t pid = fork();
            if (pid == 0) {
                alarm(60);
                for (size_t left = k + 1; left < TEAMS; left++) {
                    rnnc_team *const team = teams[orders[i][left]];
                    if (team->count != 1)
                        _exit(1);
                    team->run(team->context, do_nothing, NULL);
                }
                _exit(0);
            }
            int status;
            cr_assert_eq(waitpid(pid, &status, 0), pid);
            cr_expect_eq(status, 0, "order %zu, end %zu: status %#x", i, k, (unsigned)status);
        }
    }
}

static void look_at_signals(void *argument, size_t index) {
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    ((int *)argument)[index] = sigismember(&blocked, SIGUSR1) + sigismember(&blocked, SIGALRM) +
                               sigismember(&blocked, SIGINT);
}

/* Signals of the program go to its own threads. */
Test(runtime_team, signals_are_the_callers, .timeout = 60) {
    rnnc_team *const team = make(3);
    int blocked[3];
    team->run(team->context, look_at_signals, blocked);
    cr_expect_eq(blocked[0], 0, "the caller's own are as before");
    cr_expect_eq(blocked[1], 3);
    cr_expect_eq(blocked[2], 3);
    rnnc_team_destroy(team);
}

/* On one CPU with others at work there, where a word takes until it is their turn. How soon
 * measuring gives up is counted in words, see below: a clock would tell of the machine. */
Test(runtime_team, one_busy_cpu, .timeout = 120) {
    enum { BUSY = 3, MEMBERS = 8 };
    cpu_set_t allowed, one;
    cr_assert_eq(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    size_t cpu = 0;
    while (!CPU_ISSET(cpu, &allowed))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    cr_assert_eq(sched_setaffinity(0, sizeof one, &one), 0);
    pid_t busy[BUSY];
    for (int i = 0; i < BUSY; i++) {
        busy[i] = fork();
        if (busy[i] == 0) {
            alarm(60);
            for (volatile int forever = 1; forever;)
                continue;
        }
    }
    rnnc_team *const team = make(MEMBERS);
    const size_t latency = team->latency;
    rnnc_team_measure(team);
    rnnc_team_destroy(team);
    for (int i = 0; i < BUSY; i++) {
        kill(busy[i], SIGKILL);
        waitpid(busy[i], NULL, 0);
    }
    cr_expect_eq(latency, RNNC_LATENCY_FAR);
}

static atomic_int words;

/* Words that take 5 ms: no round of them is done in time. */
static void wait_slowly(void *context, size_t index, size_t count) {
    rnnc_team *const real = context;
    atomic_fetch_add(&words, 1);
    sleep_ms(5);
    real->wait(real->context, index, count);
}

static void post_through(void *context, size_t index) {
    rnnc_team *const real = context;
    real->post(real->context, index);
}

static void run_through(void *context, void (*task)(void *argument, size_t index), void *argument) {
    rnnc_team *const real = context;
    real->run(real->context, task, argument);
}

Test(runtime_team, slow_words_are_far, .timeout = 60) {
    rnnc_team *const real = make(8);
    rnnc_team slow = {8, real, run_through, post_through, wait_slowly, 0};
    rnnc_team_measure(&slow);
    cr_expect_eq(slow.latency, RNNC_LATENCY_FAR, "%zu ns", slow.latency);
    /* Patience is for some words there and back with the first of the others. */
    cr_expect_leq(atomic_load(&words), 14);
    rnnc_team_destroy(real);
}

Test(runtime_team, wrong_counts) {
    static const size_t counts[] = {0, RNNC_TEAM_MAX + 1, (size_t)-1};
    for (size_t i = 0; i < 3; i++) {
        rnnc_team *team = (rnnc_team *)&counts;
        rnnc_error err;
        cr_expect_eq(rnnc_team_create(counts[i], &team, &err), RNNC_ERR_ARGUMENT);
        cr_expect_null(team);
        char want[64];
        snprintf(want, sizeof want, "a team of %zu; it needs 1 to 64 members", counts[i]);
        cr_expect_str_eq(err.message, want);
    }
    cr_expect_eq(rnnc_team_create(2, NULL, NULL), RNNC_ERR_ARGUMENT);
    rnnc_team_destroy(NULL);
}
