/* compare.h: a generated network as two trees can offer it alike, whatever rnnc.h of each looks
 * like. network.c is compiled with each tree's own; compare.c knows only this. */
#ifndef COMPARE_H
#define COMPARE_H

#include <stddef.h>
#include <stdint.h>

/* Sizes as in rnnc.h; vocabulary 0: the network reads x, not tokens; seq_len and batch 0: any. */
typedef struct facts {
    size_t input, output, h, c, vocabulary, weights, seq_len, batch, threads;
    int last_step, lengths;
} facts;

/* A call. lengths NULL: none; the network is not run by a team unless `team`. */
typedef struct request {
    size_t seq_len, batch;
    const float *const *tensors;
    const float *x, *h0, *c0;
    const int32_t *tokens;
    const size_t *lengths;
    float *y, *hn, *cn;
    int team;
} request;

/* What network.c gives, by name. */
typedef int compare_measure(facts *f);
typedef void compare_weight(size_t index, size_t *rows, size_t *cols);
typedef void *compare_open(const request *v); /* NULL: no memory, or no team */
typedef int compare_run(void *opened);        /* an rnnc_status */
typedef void compare_close(void *opened);

#endif
