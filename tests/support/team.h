/* team.h: teams of the tests' own, beside the runtime's, as a program may bring them. */
#ifndef TEST_TEAM_H
#define TEST_TEAM_H

#include "problem.h"
#include <pthread.h>

/* A team that counts what is asked of it. With `alone`, its members run one after the other in the
 * calling thread and have no post and wait; otherwise each run starts a thread for every member but
 * the first, and a mutex and a condition carry their words. */
typedef struct own_team {
    rnnc_team team;
    size_t runs, posts;
    size_t late; /* the member that naps before each post and after each wait, plus 1; 0: none */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    size_t posted[RNNC_TEAM_MAX];
} own_team;

/* In place, because the team points to itself. */
void own_team_make(own_team *own, size_t count, bool alone);
void own_team_free(own_team *own);

/* Runs the model with teams of several kinds and sizes, as check_network does; all must give the
 * bits of `alone`, which is what check_network left there without one. */
bool check_teams(const rnnc_model *model, const float *packed, const problem *p, double tolerance,
                 const float *alone, rnnc_error *err);

#endif
