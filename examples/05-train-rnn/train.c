/* The training loop of the PyTorch tutorials, in C: first values, batches, a loss, gradients, an
 * optimiser, progress, evaluation, a checkpoint. The argument is the file to write the trained
 * weights to. */
#define _POSIX_C_SOURCE 200809L
#include "task.h"
#include "train_rnn_train.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { EPOCHS = 3, STEPS = 30, TESTS = 4, N = TRAIN_RNN_PARAMETERS };

static float parameters[N], gradient[N], first[N],
    second[N]; /* of the optimiser: both begin as 0 */
static float x[T][B][I], target[T][B], y[T][B], dy[T][B];
static void *tape, *workspace;

static void check(rnnc_status status) {
    if (status != RNNC_OK) {
        fprintf(stderr, "train: %s\n", rnnc_status_message(status));
        exit(1);
    }
}

/* One step on a batch; returns its loss. */
static double train_step(uint64_t number) {
    double loss;
    task_batch(number, x, target);
    check(
        train_rnn_train_forward(parameters, T, &x[0][0][0], NULL, &y[0][0], NULL, tape, workspace));
    check(train_rnn_loss_mse(T * B, &y[0][0], &target[0][0], &loss, &dy[0][0]));
    check(train_rnn_gradients(parameters, T, &x[0][0][0], &dy[0][0], NULL, gradient, NULL, NULL,
                              tape, workspace));
    train_rnn_clip_norm(gradient, 1.0);
    check(train_rnn_update_adam(parameters, gradient, first, second, number, 3e-3, 0.9, 0.999, 1e-8,
                                0));
    return loss;
}

/* The loss on batches that it has not seen; no gradient. */
static double evaluate(void) {
    double sum = 0;
    for (uint64_t i = 0; i < TESTS; i++) {
        double loss;
        task_batch(HELD_OUT + i, x, target);
        check(train_rnn_train_forward(parameters, T, &x[0][0][0], NULL, &y[0][0], NULL, tape,
                                      workspace));
        check(train_rnn_loss_mse(T * B, &y[0][0], &target[0][0], &loss, NULL));
        sum += loss;
    }
    return sum / TESTS;
}

/* The parameters under their names in PyTorch's state_dict. */
static void save(const char *path) {
    const char *names[TRAIN_RNN_TENSORS];
    rnnc_tensor tensors[TRAIN_RNN_TENSORS];
    rnnc_error error;
    for (size_t i = 0; i < TRAIN_RNN_TENSORS; i++) {
        const train_rnn_tensor *const t = &train_rnn_tensors[i];
        names[i] = t->name;
        check(rnnc_tensor_make(&tensors[i], RNNC_F32, (int)t->rank, t->shape,
                               parameters + t->offset, t->shape[0] * t->shape[1] * sizeof(float)));
    }
    if (rnnc_safetensors_write(path, TRAIN_RNN_TENSORS, names, tensors, 0, NULL, NULL, &error) !=
        RNNC_OK) {
        fprintf(stderr, "train: %s\n", error.message);
        exit(1);
    }
}

int main(int argc, char **argv) {
    tape = malloc(train_rnn_tape_size(T, B));
    workspace = malloc(train_rnn_train_workspace_size(T, B));
    if (argc != 2 || !tape || !workspace)
        return 2;
    train_rnn_init(parameters, 1);
    const double before = evaluate();
    printf("# before: loss on held-out batches %.4f\n", before);
    double after = before;
    for (int epoch = 1; epoch <= EPOCHS; epoch++) {
        double sum = 0;
        for (int step = 1; step <= STEPS; step++) {
            sum += train_step((uint64_t)((epoch - 1) * STEPS + step));
            if (isatty(STDOUT_FILENO)) {
                printf("\repoch %d of %d, step %2d of %d, loss %.4f", epoch, EPOCHS, step, STEPS,
                       sum / step);
                fflush(stdout);
            }
        }
        after = evaluate();
        if (isatty(STDOUT_FILENO))
            printf("\r\033[K");
        printf("epoch %d of %d\n# loss %.4f, on held-out batches %.4f\n", epoch, EPOCHS,
               sum / STEPS, after);
    }
    save(argv[1]);
    printf("a tenth of the loss before: %s\n", after < 0.1 * before ? "yes" : "NO");
    free(workspace);
    free(tape);
    return after < 0.1 * before ? 0 : 1;
}
