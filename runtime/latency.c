/* rnnc_team_measure: how long a word takes from one member of a team to another. */
#include "internal.h"

#include <time.h>

/* Words there and back in a round, and rounds, of which the shortest counts: longer ones were
 * interrupted. */
enum { WORDS = 8, ROUNDS = 12 };

/* Nanoseconds for all members: some hundred times what 63 of them need. Members that share a busy
 * CPU take milliseconds for a word, and one that is not done in time is far. */
#define PATIENCE 20e6

typedef struct exchange {
    const rnnc_team *team;
    size_t other; /* the member that answers member 0 */
    double deadline;
    double least; /* nanoseconds of a round; RNNC_LATENCY_FAR * 2 * WORDS: none was in time */
    int over;     /* written by member 0 before it posts */
} exchange;

static double nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1e9 * (double)now.tv_sec + (double)now.tv_nsec;
}

static void exchange_words(void *an_exchange, size_t index) {
    exchange *const e = an_exchange;
    const rnnc_team *const team = e->team;
    if (index == e->other) {
        for (size_t count = 1;; count++) {
            team->wait(team->context, 0, count);
            if (e->over)
                return;
            team->post(team->context, index);
        }
    } else if (index == 0) {
        size_t count = 0;
        double begin = nanoseconds(), now = begin;
        while (count < ROUNDS * WORDS && now < e->deadline) {
            team->post(team->context, 0);
            team->wait(team->context, e->other, ++count);
            now = nanoseconds();
            if (count % WORDS != 0)
                continue;
            if (now - begin < e->least)
                e->least = now - begin;
            begin = now;
        }
        e->over = 1;
        team->post(team->context, 0);
    }
}

void rnnc_team_measure(rnnc_team *team) {
    double longest = 0;
    const double deadline = nanoseconds() + PATIENCE, far = 2.0 * WORDS * RNNC_LATENCY_FAR;
    for (size_t other = 1; team->post && team->wait && other < team->count; other++) {
        exchange e = {.team = team, .other = other, .deadline = deadline, .least = far};
        if (nanoseconds() < deadline)
            team->run(team->context, exchange_words, &e);
        if (e.least > longest)
            longest = e.least;
    }
    team->latency = (size_t)(longest / (2 * WORDS) + 0.5);
}
