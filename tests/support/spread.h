/* spread.h: a dozen specs that between them use every way in which code is generated. */
#ifndef TEST_SPREAD_H
#define TEST_SPREAD_H

#include "generate.h"

/* Each has a name of its own, a target list and a way to hold weights; `weights` is NULL. */
extern const spec spread[];
extern const size_t spread_count;

/* Generates one of them into dir, with random weights if it is to have any built in. `rnnc_dir` is
 * the directory in which rnnc runs (NULL: dir), `env` is added to its environment (or NULL). */
bool spread_generate(const spec *s, const char *dir, const char *rnnc_dir, const char *const env[],
                     rnnc_error *err);

#endif
