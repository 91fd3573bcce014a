/* rnnc_team_create: threads that run a task together and speak with each other. */
#include "../runtime/rnnc.h"
#include "support/team.h"

#include <criterion/criterion.h>
#include <fenv.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

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

/* The handover is that of the slowest member, at least some nanoseconds; unknown where there are no
 * words. */
Test(runtime_team, handover_is_measured, .timeout = 60) {
    for (size_t count = 1; count <= 3; count++) {
        rnnc_team *const team = make(count);
        for (int again = 0; again < 2; again++) {
            cr_expect(count == 1 ? team->handover == 0
                                 : team->handover > 0 && team->handover < 100000000,
                      "%zu ns in a team of %zu", team->handover, count);
            team->handover = (size_t)-1;
            rnnc_team_measure(team);
        }
        seen s = {.team = team};
        team->run(team->context, note, &s);
        cr_expect_eq(s.calls[count - 1], 1);
        rnnc_team_destroy(team);
    }
    own_team own;
    own_team_make(&own, 2, true);
    own.team.handover = 1;
    rnnc_team_measure(&own.team);
    cr_expect_eq(own.team.handover, 0);
    cr_expect_eq(own.runs, 0);
    own_team_free(&own);
    own_team_make(&own, 4, false);
    rnnc_team_measure(&own.team);
    cr_expect_gt(own.team.handover, 0);
    cr_expect_eq(own.runs, 3);
    own_team_free(&own);
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
