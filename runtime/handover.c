/* rnnc_team_measure: how long a word takes from one member of a team to another. */
#include "internal.h"

#include <time.h>

/* Words there and back in a round, and rounds, of which the shortest counts: longer ones were
 * interrupted. */
enum { WORDS = 8, ROUNDS = 12 };

typedef struct exchange {
    const rnnc_team *team;
    size_t other; /* the member that answers member 0 */
    double least; /* nanoseconds of a round */
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
        for (size_t count = 1; count <= ROUNDS * WORDS; count++) {
            team->wait(team->context, 0, count);
            team->post(team->context, index);
        }
    } else if (index == 0) {
        size_t count = 0;
        for (int round = 0; round < ROUNDS; round++) {
            const double begin = nanoseconds();
            for (int i = 0; i < WORDS; i++) {
                team->post(team->context, 0);
                team->wait(team->context, e->other, ++count);
            }
            const double time = nanoseconds() - begin;
            if (round == 0 || time < e->least)
                e->least = time;
        }
    }
}

void rnnc_team_measure(rnnc_team *team) {
    double longest = 0;
    for (size_t other = 1; team->post && team->wait && other < team->count; other++) {
        exchange e = {.team = team, .other = other};
        team->run(team->context, exchange_words, &e);
        if (e.least > longest)
            longest = e.least;
    }
    team->handover = (size_t)(longest / (2 * WORDS) + 0.5);
}
