/* Dense layers so wide that they cut the chunks of a network short, on more steps than one chunk,
 * against the oracle and, bit for bit, in pieces, steps, alone and by a team whose members share
 * the weights of recurrent and dense layers. Narrow ones are among the random models. */
#include "support/driver.h"
#include "support/model_stream.h"
#include "support/team.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const targets[] = {"scalar", "portable", "avx2", "avx512"};

enum { TARGETS = sizeof targets / sizeof *targets };

static rnnc_layer cell(rnnc_cell kind, size_t inputs, size_t units) {
    return (rnnc_layer){.recurrent = {kind, inputs, units, 1, 1, 0, 0, 0}};
}

static rnnc_layer head(size_t inputs, size_t outputs, rnnc_activation activation) {
    return (rnnc_layer){.kind = RNNC_DENSE,
                        .inputs = inputs,
                        .outputs = outputs,
                        .activation = activation,
                        .bias = 1};
}

/* One network: fixed for `batch` sequences, or for any and with lengths. */
static void check_wide(const char *target, size_t batch, bool any, bool batch_first) {
    const rnnc_layer layers[] = {head(3, 6, RNNC_TANH), cell(RNNC_RNN_TANH, 6, 7),
                                 head(7, 1501, RNNC_LOG_SOFTMAX)};
    const driver_shape shape = {
        .name = "net", .states = "h", .fixed_batch = !any, .lengths = any, .step = !any};
    char fields[160], number[16];
    rnnc_error err = {RNNC_OK, ""};
    rng r = {.state = batch + 5};
    model m = model_make(layers, 3, batch_first, 0, 141, batch, true, &r);
    snprintf(number, sizeof number, "%zu", batch);
    /* Without it a call of one sequence may have a kernel of its own. */
    const bool deterministic = batch_first;
    snprintf(fields, sizeof fields,
             "name = \"net\", batch = %s, target = \"%s\", lengths = %s, deterministic = %s,",
             any ? "\"any\"" : number, target, any ? "true" : "false",
             deterministic ? "true" : "false");
    void *const library = model_library(&m, fields, &shape);
    const rnnc_model *const net = library_model(library, "net", &err);
    cr_assert(net, "%s", err.message);
    const driver d = driver_open(library, "net");
    float *const packed = model_pack(net, &m);
    static const size_t others[] = {1, 5, 33};
    for (size_t i = 0; i < (any ? sizeof others / sizeof *others : 1); i++) {
        if (any)
            model_resize(&m, i == 2 ? 9 : 141, others[i], true, &r);
        model_solve(&m);
        bool ok = model_run_all_ways(net, packed, &m, 4e-6, &err) &&
                  model_check_stream(net, packed, &d, true, &m, &r, &err) &&
                  (!any || !deterministic || model_check_alone(net, net, packed, packed, &m, &err));
        if (ok && any) {
            model_set_lengths(&m, &r);
            model_solve(&m);
            ok = model_run_all_ways(net, packed, &m, 4e-6, &err);
        }
        cr_expect(ok, "%s batch %zu: %s", fields, m.batch, err.message);
    }
    free(packed);
    close_library(library);
    model_free(&m);
}

Test(generated_heads, wide, .timeout = 600) {
    for (size_t i = 0; i < TARGETS; i++)
        if (target_runs(targets[i])) {
            check_wide(targets[i], 1, false, i % 2);
            check_wide(targets[i], strcmp(targets[i], "avx2") == 0 ? 8 : 16, false, i % 2);
        }
}

Test(generated_heads, any_batch, .timeout = 600) {
    for (size_t i = 0; i < TARGETS; i++)
        if (target_runs(targets[i]))
            check_wide(targets[i], 1, true, i % 2 == 0);
}

/* Members that meet after every step have panels of the dense layer too. */
Test(generated_heads, team, .timeout = 600) {
    enum { T = 11, B = 3, THREADS = 3, OUTPUTS = 130 };
    const rnnc_layer layers[] = {cell(RNNC_GRU, 20, 256), head(256, 40, RNNC_RELU),
                                 head(40, OUTPUTS, RNNC_SOFTMAX)};
    const driver_shape shape = {.name = "net", .states = "h", .fixed_batch = true, .step = true};
    char fields[96];
    static float alone[T * B * OUTPUTS], together[T * B * OUTPUTS];
    rnnc_error err = {RNNC_OK, ""};
    rng r = {.state = 3};
    model m = model_make(layers, 3, false, 0, T, B, true, &r);
    snprintf(fields, sizeof fields, "name = \"net\", batch = %d, threads = %d, target = \"%s\",", B,
             THREADS, target_runs("avx512") ? "avx512" : "portable");
    void *const library = model_library(&m, fields, &shape);
    const rnnc_model *const net = library_model(library, "net", &err);
    cr_assert(net, "%s", err.message);
    float *const packed = model_pack(net, &m);
    const size_t size = net->workspace_size(T, B);
    void *const workspace = malloc(size);
    cr_assert(packed && workspace);
    rnnc_call call = {.weights = packed,
                      .seq_len = T,
                      .batch = B,
                      .x = m.x,
                      .h0 = m.h0,
                      .y = alone,
                      .workspace = workspace};
    cr_assert_eq(rnnc_model_forward(net, &call, &err), RNNC_OK, "%s", err.message);
    own_team own;
    own_team_make(&own, THREADS, false);
    call.team = &own.team;
    call.y = together;
    /* what a member leaves out is not to be there from the call before */
    memset(workspace, 0xff, size);
    memset(together, 0xff, sizeof together);
    cr_assert_eq(rnnc_model_forward(net, &call, &err), RNNC_OK, "%s", err.message);
    cr_expect(own.posts >= (size_t)T * THREADS || !target_runs("avx512"), "they do not meet");
    cr_assert(memcmp(alone, together, sizeof alone) == 0);
    own_team_free(&own);
    free(workspace);
    free(packed);
    close_library(library);
    model_free(&m);
}
