/* Batches that several programs share: whole blocks, what is left of them, one sequence. An unknown
 * batch in calls of all of these, and known ones that blocks do not fill; the answers are those of
 * the double oracle. Which programs there are is checked, so that a new cost model does not leave
 * them untested. */
#include "support/driver.h"
#include "support/model_run.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 5, LONG = 70 };

/* A recurrent layer in both directions, for stages that follow each other, and a head; or one whose
 * calls go chunk by chunk. */
static const rnnc_layer both[] = {
    {.recurrent = {RNNC_LSTM, 20, 50, 1, 1, 0, 1, 0}},
    {.kind = RNNC_DENSE, .inputs = 100, .outputs = 7, .activation = RNNC_TANH, .bias = 1}};
static const rnnc_layer forwards[] = {{.recurrent = {RNNC_GRU, 5, 18, 2, 1, 0, 0, 0}}};

/* Layers so narrow that reading the weights of other programs costs no block anything. */
static const rnnc_layer narrow[] = {
    {.recurrent = {RNNC_RNN_RELU, 3, 5, 1, 1, 0, 0, 0}},
    {.recurrent = {RNNC_LSTM, 5, 7, 1, 0, 0, 0, 0}},
    {.recurrent = {RNNC_GRU, 7, 4, 1, 1, 0, 0, 0}},
    {.kind = RNNC_DENSE, .inputs = 4, .outputs = 8, .activation = RNNC_TANH},
    {.kind = RNNC_DENSE, .inputs = 8, .outputs = 3, .activation = RNNC_SIGMOID, .bias = 1}};

/* A layer so wide that a block's chunks are a few steps. */
static const rnnc_layer wide[] = {{.recurrent = {RNNC_LSTM, 9, 130, 1, 1, 0, 0, 0}}};

static const char *vectors(void) { return target_runs("avx512") ? "avx512" : "avx2"; }

static bool file_has(const char *dir, const char *name, const char *words) {
    char path[PATH_SIZE], file[64];
    snprintf(file, sizeof file, "%s.c", name);
    path_join(path, dir, file);
    size_t size = 0;
    char *const text = file_read(path, &size);
    const bool found = text && strstr(text, words);
    free(text);
    return found;
}

/* One network for a target, for `fixed` sequences or, if that is 0, any number, in calls of `steps`
 * steps of each of `batches`. wanted: the ends of the names of programs that it has to have, or
 * other words of its text. */
static void check(const char *target, const rnnc_layer *layers, size_t count, bool batch_first,
                  size_t fixed, size_t steps, const size_t *batches, size_t batch_count,
                  const char *const *wanted) {
    char dir[PATH_SIZE], fields[160], number[24] = "\"any\"";
    rnnc_error err = {RNNC_OK, ""};
    rng r = {.state = 5 + fixed};
    if (!target_runs(target))
        return;
    if (fixed > 0)
        snprintf(number, sizeof number, "%zu", fixed);
    snprintf(fields, sizeof fields,
             "name = \"net\", seq_len = \"any\", batch = %s, target = \"%s\",", number, target);
    workdir_make(dir);
    void *library = NULL;
    const rnnc_model *net = NULL;
    for (size_t i = 0; i < batch_count; i++) {
        model m = model_make(layers, count, batch_first, 0, steps, batches[i], true, &r);
        model_solve(&m);
        if (!net) {
            char *const text = model_text(&m, fields);
            cr_assert(generate_text("net", text, "none", dir, &err), "%s: %s", text, err.message);
            free(text);
            for (size_t k = 0; wanted[k]; k++)
                cr_expect(file_has(dir, "net", wanted[k]), "batch %s has no %s", number, wanted[k]);
            library = build_library(NULL, "-O1", dir, NULL, &err);
            cr_assert(library, "%s", err.message);
            net = library_model(library, "net", &err);
            cr_assert(net, "%s", err.message);
        }
        float *const packed = model_pack(net, &m);
        cr_expect(model_run_all_ways(net, packed, &m, 4e-6, &err), "batch %s, a call of %zu: %s",
                  number, batches[i], err.message);
        free(packed);
        model_free(&m);
    }
    workdir_remove(dir);
    close_library(library);
}

Test(generated_batches, unknown, .timeout = 300) {
    static const size_t batches[] = {1, 2, 3, 9, 15, 16, 17, 19, 31, 32, 33, 64, 65, 70};
    static const char *const wanted[] = {"_blocks(", "_one(", NULL};
    const size_t count = sizeof batches / sizeof *batches;
    check(vectors(), both, 2, true, 0, STEPS, batches, count, wanted);
    check(vectors(), forwards, 1, false, 0, STEPS, batches, count, wanted);
    static const size_t few[] = {1, 6, 7, 18, 33};
    check("portable", narrow, 5, false, 0, STEPS, few, sizeof few / sizeof *few, wanted);
}

Test(generated_batches, known, .timeout = 300) {
    static const char *const wanted[] = {"_rest(", NULL};
    check(vectors(), both, 2, true, 33, STEPS, &(size_t){33}, 1, wanted);
    check(vectors(), forwards, 1, false, 100, STEPS, &(size_t){100}, 1, wanted);
}

/* Of few sequences chunks have more steps than of a block. */
Test(generated_batches, chunks, .timeout = 300) {
    static const char *const wanted[] = {" / held > ", NULL};
    static const size_t batches[] = {1, 2, 3, 33};
    check(vectors(), wide, 1, false, 0, LONG, batches, sizeof batches / sizeof *batches, wanted);
    check("portable", wide, 1, true, 0, LONG, batches, sizeof batches / sizeof *batches, wanted);
}

/* The program for one sequence reads the panels of the others as they are, not in parts. */
Test(generated_batches, whole_panels, .timeout = 60) {
    char dir[PATH_SIZE];
    rnnc_error err;
    workdir_make(dir);
    cr_assert(generate_text("net",
                            "return rnn { name = \"net\", cell = \"gru\", input_size = 64, "
                            "hidden_size = 100, batch = \"any\", target = \"avx512\" }",
                            "none", dir, &err),
              "%s", err.message);
    cr_expect(file_has(dir, "net", "step_100_avx512_2_1x2("));
    workdir_remove(dir);
}
