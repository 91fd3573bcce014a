/* Arguments of generated training code that are wrong: what the calls say, and that nothing is
 * written then. The network is nets.lua's `net`: lengths, an LSTM, any seq_len and batch; `words`
 * reads tokens. */
#include "net_train.h"
#include "words_train.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { T = 4, B = 3, I = 2, H = 5 };

static int failed, tried;

#define EXPECT(call, wanted)                                                                       \
    do {                                                                                           \
        const rnnc_status got = (call);                                                            \
        tried++;                                                                                   \
        if (got != (wanted)) {                                                                     \
            printf("line %d: %d, not %d\n", __LINE__, (int)got, (int)(wanted));                    \
            failed++;                                                                              \
        }                                                                                          \
    } while (0)

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        tried++;                                                                                   \
        if (!(condition)) {                                                                        \
            printf("line %d: not " #condition "\n", __LINE__);                                     \
            failed++;                                                                              \
        }                                                                                          \
    } while (0)

static float parameters[NET_PARAMETERS], gradient[NET_PARAMETERS], x[T * B * I], y[T * B * H];
static float dy[T * B * H], dx[T * B * I], words_parameters[WORDS_PARAMETERS];

static int all_are(const float *values, size_t count, float wanted) {
    for (size_t i = 0; i < count; i++)
        if (values[i] != wanted)
            return 0;
    return 1;
}

static void test_sizes(void) {
    CHECK(net_tape_size(T, B) > 0 && net_train_workspace_size(T, B) > 0);
    CHECK(net_tape_size(0, B) == 0 && net_tape_size(T, 0) == 0);
    CHECK(net_train_workspace_size(0, B) == 0 && net_train_workspace_size(T, 0) == 0);
    CHECK(net_tape_size(SIZE_MAX, 1) == 0 && net_tape_size(1, SIZE_MAX) == 0);
    CHECK(net_tape_size(SIZE_MAX / 2, 2) == 0 &&
          net_tape_size((size_t)1 << 31, (size_t)1 << 31) == 0);
    /* Of a network for 4 steps of 3 sequences. */
    CHECK(words_tape_size(T, B) > 0 && words_tape_size(T + 1, B) == 0 &&
          words_tape_size(T, B - 1) == 0);
}

static void test_tensors(void) {
    size_t next = 0;
    for (size_t i = 0; i < NET_TENSORS; i++) {
        const net_tensor *const t = &net_tensors[i];
        CHECK(t->offset == next && (t->rank == 1 || t->rank == 2) &&
              (t->rank == 2 || t->shape[1] == 1));
        next += t->shape[0] * t->shape[1];
    }
    CHECK(next == NET_PARAMETERS);
    CHECK(strcmp(net_tensors[0].name, "rec.weight_ih_l0") == 0 &&
          net_tensors[0].shape[0] == 4 * H && net_tensors[0].shape[1] == I);
}

int main(void) {
    void *const tape = malloc(net_tape_size(T, B)), *const other = malloc(net_tape_size(T, B));
    void *const workspace = malloc(net_train_workspace_size(T, B));
    if (!tape || !other || !workspace)
        return 2;
    memset(other, 0x5a, net_tape_size(T, B));
    test_sizes();
    test_tensors();
    const size_t lengths[B] = {T, 1, 2}, empty[B] = {T, 0, 2}, longer[B] = {T, T + 1, 2};

    for (int i = 0; i < T * B * H; i++)
        y[i] = 77;
    EXPECT(net_train_forward(NULL, T, B, x, NULL, NULL, NULL, y, NULL, NULL, tape, workspace),
           RNNC_ERR_ARGUMENT);
    EXPECT(
        net_train_forward(parameters, T, B, NULL, NULL, NULL, NULL, y, NULL, NULL, tape, workspace),
        RNNC_ERR_ARGUMENT);
    EXPECT(net_train_forward(parameters, T, B, x, NULL, NULL, NULL, y, NULL, NULL, NULL, workspace),
           RNNC_ERR_ARGUMENT);
    EXPECT(net_train_forward(parameters, T, B, x, NULL, NULL, NULL, y, NULL, NULL, tape, NULL),
           RNNC_ERR_ARGUMENT);
    EXPECT(net_train_forward(parameters, 0, B, x, NULL, NULL, NULL, y, NULL, NULL, tape, workspace),
           RNNC_ERR_ARGUMENT);
    EXPECT(net_train_forward(parameters, T, 0, x, NULL, NULL, NULL, y, NULL, NULL, tape, workspace),
           RNNC_ERR_ARGUMENT);
    EXPECT(net_train_forward(parameters, SIZE_MAX / 4, B, x, NULL, NULL, NULL, y, NULL, NULL, tape,
                             workspace),
           RNNC_ERR_OVERFLOW);
    EXPECT(
        net_train_forward(parameters, T, B, x, empty, NULL, NULL, y, NULL, NULL, tape, workspace),
        RNNC_ERR_ARGUMENT);
    EXPECT(
        net_train_forward(parameters, T, B, x, longer, NULL, NULL, y, NULL, NULL, tape, workspace),
        RNNC_ERR_ARGUMENT);
    CHECK(all_are(y, T * B * H, 77));

    for (int i = 0; i < NET_PARAMETERS; i++)
        gradient[i] = 78;
    /* A tape that nobody wrote, and one of other sizes. */
    EXPECT(net_gradients(parameters, T, B, x, lengths, dy, NULL, NULL, gradient, dx, NULL, NULL,
                         other, workspace),
           RNNC_ERR_ARGUMENT);
    EXPECT(
        net_train_forward(parameters, T, B, x, lengths, NULL, NULL, y, NULL, NULL, tape, workspace),
        RNNC_OK);
    CHECK(all_are(y, T * B * H, 0)); /* all weights are 0 */
    EXPECT(net_gradients(parameters, T - 1, B, x, NULL, dy, NULL, NULL, gradient, dx, NULL, NULL,
                         tape, workspace),
           RNNC_ERR_ARGUMENT);
    EXPECT(net_gradients(parameters, T, B - 1, x, lengths, dy, NULL, NULL, gradient, dx, NULL, NULL,
                         tape, workspace),
           RNNC_ERR_ARGUMENT);
    EXPECT(net_gradients(parameters, T, B, x, empty, dy, NULL, NULL, gradient, dx, NULL, NULL, tape,
                         workspace),
           RNNC_ERR_ARGUMENT);
    EXPECT(net_gradients(NULL, T, B, x, lengths, dy, NULL, NULL, gradient, dx, NULL, NULL, tape,
                         workspace),
           RNNC_ERR_ARGUMENT);
    EXPECT(net_gradients(parameters, T, B, x, lengths, dy, NULL, NULL, gradient, dx, NULL, NULL,
                         NULL, workspace),
           RNNC_ERR_ARGUMENT);
    EXPECT(net_gradients(parameters, T, B, x, lengths, dy, NULL, NULL, gradient, dx, NULL, NULL,
                         tape, NULL),
           RNNC_ERR_ARGUMENT);
    CHECK(all_are(gradient, NET_PARAMETERS, 78));
    EXPECT(net_gradients(parameters, T, B, x, lengths, NULL, NULL, NULL, gradient, dx, NULL, NULL,
                         tape, workspace),
           RNNC_OK);
    CHECK(all_are(gradient, NET_PARAMETERS, 0) && all_are(dx, T * B * I, 0));

    int32_t tokens[T * B] = {0};
    float probabilities[T * B * 6];
    void *const words_tape = malloc(words_tape_size(T, B)), *const room = malloc(
                                                                words_train_workspace_size(T, B));
    if (!words_tape || !room)
        return 2;
    EXPECT(
        words_train_forward(words_parameters, tokens, NULL, probabilities, NULL, words_tape, room),
        RNNC_OK);
    for (int i = 0; i < 2; i++) {
        tokens[T * B - 1] = i ? 6 : -1;
        EXPECT(words_train_forward(words_parameters, tokens, NULL, probabilities, NULL, words_tape,
                                   room),
               RNNC_ERR_ARGUMENT);
        EXPECT(words_gradients(words_parameters, tokens, probabilities, NULL, gradient, NULL,
                               words_tape, room),
               RNNC_ERR_ARGUMENT);
    }
    free(room);
    free(words_tape);
    free(workspace);
    free(other);
    free(tape);
    printf("%d cases, %d failed\n", tried, failed);
    return failed != 0;
}
