/* What generated networks answer to calls that cannot be right, and that they write nothing then.
 */
#include "support/check.h"
#include "support/direct.h"
#include "support/network.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const rnnc_config config = {RNNC_RNN_TANH, 3, 10, 2, 1, 0, 1, 0};

enum { SEQ_LEN = 4, BATCH = 3 };

/* A network and good buffers for it, which each test spoils in one place. */
typedef struct bench_top {
    problem p;
    network n;
    guard y, hn, workspace;
    rnnc_call call;
} bench_top;

static bench_top set_up_with(bool fixed, const char *weights_as, bool lengths) {
    bench_top b;
    rng r = {.state = 3};
    rnnc_error err;
    b.p = problem_make(&config, SEQ_LEN, BATCH, true, &r);
    spec s = spec_for(&b.p, "errors", "portable", fixed, fixed, weights_as);
    s.lengths = lengths;
    cr_assert(network_open(&b.n, &s, &b.p, NULL, "-O1", &err), "%s", err.message);
    const size_t size = b.n.model->workspace_size(SEQ_LEN, BATCH);
    cr_assert_neq(size, 0);
    b.y = guard_floats(NULL, problem_y_count(&b.p));
    b.hn = guard_floats(NULL, problem_state_count(&b.p));
    b.workspace = guard_make(size, 0);
    b.call = (rnnc_call){.weights = b.n.packed,
                         .seq_len = SEQ_LEN,
                         .batch = BATCH,
                         .x = b.p.x,
                         .h0 = b.p.h0,
                         .y = b.y.data,
                         .hn = b.hn.data,
                         .workspace = b.workspace.data};
    return b;
}

static bench_top set_up(bool fixed, const char *weights_as) {
    return set_up_with(fixed, weights_as, false);
}

static void tear_down(bench_top *b) {
    guard_free(&b->y);
    guard_free(&b->hn);
    guard_free(&b->workspace);
    network_close(&b->n);
    problem_free(&b->p);
}

static bool untouched(const guard *f) {
    const unsigned char *const bytes = f->data;
    for (size_t i = 0; i < f->size; i++)
        if (bytes[i] != 0xFF)
            return false;
    return guard_intact(f);
}

/* Through the descriptor and, if that is asked for, through NAME_forward. */
static void expect_refused(const bench_top *b, const rnnc_call *call, rnnc_status want, bool direct,
                           const char *what) {
    const rnnc_status status = b->n.model->forward(call);
    cr_expect_eq(status, want, "%s: status %d, not %d", what, (int)status, (int)want);
    if (direct) {
        const rnnc_status again = call_directly(b->n.library, b->n.model, call);
        cr_expect_eq(again, want, "%s, directly: status %d, not %d", what, (int)again, (int)want);
    }
    cr_expect(untouched(&b->y) && untouched(&b->hn) && untouched(&b->workspace),
              "%s: something was written", what);
}

static void null_pointers(bool fixed, const char *weights_as) {
    bench_top b = set_up(fixed, weights_as);
    rnnc_call call = b.call;
    call.x = NULL;
    expect_refused(&b, &call, RNNC_ERR_ARGUMENT, true, "x NULL");
    call = b.call;
    call.y = NULL;
    expect_refused(&b, &call, RNNC_ERR_ARGUMENT, true, "y NULL");
    call = b.call;
    call.workspace = NULL;
    expect_refused(&b, &call, RNNC_ERR_ARGUMENT, true, "workspace NULL");
    if (!b.n.model->built_in) {
        call = b.call;
        call.weights = NULL;
        expect_refused(&b, &call, RNNC_ERR_ARGUMENT, true, "weights NULL");
    }
    cr_expect_eq(b.n.model->forward(&b.call), RNNC_OK);
    tear_down(&b);
}

Test(generated_errors, null_pointers_any_sizes, .timeout = 60) { null_pointers(false, "none"); }

Test(generated_errors, null_pointers_fixed_sizes, .timeout = 60) { null_pointers(true, "c"); }

/* Through the descriptor a caller can ask a network for sizes that it was not generated for. */
Test(generated_errors, other_sizes_than_generated_for, .timeout = 60) {
    bench_top b = set_up(true, "c");
    rnnc_call call = b.call;
    call.seq_len = SEQ_LEN + 1;
    expect_refused(&b, &call, RNNC_ERR_ARGUMENT, false, "another seq_len");
    call = b.call;
    call.batch = BATCH - 1;
    expect_refused(&b, &call, RNNC_ERR_ARGUMENT, false, "another batch");
    tear_down(&b);
}

Test(generated_errors, sizes_that_overflow, .timeout = 60) {
    static const size_t sizes[][2] = {
        {SIZE_MAX, SIZE_MAX},
        {SIZE_MAX / 2, 3},
        {3, SIZE_MAX / 2},
        {SIZE_MAX, 1},
        {1, SIZE_MAX},
        {SIZE_MAX / 16, 1},
        {(size_t)1 << 32, (size_t)1 << 32},
        {1, SIZE_MAX / 16},
        /* y has room, with 20 floats in a step; what lies between the layers has not. */
        {PTRDIFF_MAX / (20 * sizeof(float)), 1},
    };
    bench_top b = set_up(false, "none");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        rnnc_call call = b.call;
        char what[96];
        call.seq_len = sizes[i][0];
        call.batch = sizes[i][1];
        snprintf(what, sizeof what, "seq_len %zu, batch %zu", call.seq_len, call.batch);
        const size_t size = b.n.model->workspace_size(call.seq_len, call.batch);
        cr_expect_eq(size, 0, "%s: workspace_size is %zu", what, size);
        if (size == 0) /* otherwise forward would believe in these buffers */
            expect_refused(&b, &call, RNNC_ERR_OVERFLOW, true, what);
    }
    tear_down(&b);
}

/* NAME_workspace_size is the descriptor's function. */
Test(generated_errors, workspace_size_by_name, .timeout = 60) {
    bench_top b = set_up(false, "none");
    void *const symbol = library_symbol(b.n.library, "errors", "_workspace_size");
    cr_assert(symbol != NULL);
    size_t (*by_name)(size_t, size_t);
    memcpy(&by_name, &symbol, sizeof by_name);
    for (size_t seq_len = 1; seq_len < 200; seq_len += 33)
        for (size_t batch = 1; batch < 40; batch += 7)
            cr_expect_eq(by_name(seq_len, batch), b.n.model->workspace_size(seq_len, batch));
    tear_down(&b);
}

Test(generated_errors, lengths_out_of_range, .timeout = 60) {
    bench_top b = set_up_with(false, "none", true);
    const size_t bad[][BATCH] = {
        {SEQ_LEN, SEQ_LEN + 1, 0}, {1, SEQ_LEN, SEQ_LEN + 1}, {SIZE_MAX, 1, 1}};
    rnnc_call call = b.call;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        call.lengths = bad[i];
        expect_refused(&b, &call, RNNC_ERR_ARGUMENT, false, "a length out of range");
    }
    const size_t good[BATCH] = {SEQ_LEN, 1, 2};
    call.lengths = good;
    cr_expect_eq(b.n.model->forward(&call), RNNC_OK);
    tear_down(&b);
}
