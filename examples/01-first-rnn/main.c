/* The network of the PyTorch tutorial, as generated C:
 *
 *     rnn = nn.RNN(20, 50, 2);  y, hn = rnn(x, h0)
 *
 * x, h0 and the y and hn that PyTorch computed from them come from first_rnn.safetensors (or the
 * file named as argument); the weights are built into first_rnn_weights.c. Exits with 1 if a value
 * is further than 1e-6 from PyTorch's. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "first_rnn.h"

enum {
    I = FIRST_RNN_INPUT_SIZE,
    H = FIRST_RNN_HIDDEN_SIZE,
    L = FIRST_RNN_NUM_LAYERS,
    B = FIRST_RNN_BATCH
};

static const double tolerance = 1e-6;

static void fail(const char *why) {
    fprintf(stderr, "first_rnn: %s\n", why);
    exit(1);
}

static void *allocate(size_t count, size_t size) {
    void *memory = calloc(count, size);
    if (memory == NULL)
        fail("out of memory");
    return memory;
}

/* The `count` values of a tensor, to be freed by the caller. */
static float *read_tensor(const rnnc_safetensors *file, const char *name, size_t count) {
    rnnc_error error;
    float *values = allocate(count, sizeof *values);
    if (rnnc_safetensors_read_f32(file, name, values, count, &error) != RNNC_OK)
        fail(error.message);
    return values;
}

/* The largest |a - b|; NaN if there is a NaN on either side. */
static double max_abs_error(const float *a, const float *b, size_t count) {
    double worst = 0.0;
    for (size_t i = 0; i < count; i++) {
        double difference = fabs((double)a[i] - (double)b[i]);
        if (isnan(difference))
            return difference;
        worst = fmax(worst, difference);
    }
    return worst;
}

/* The first values of a row, ours above PyTorch's. */
static void print_row(const char *name, const float *ours, const float *pytorch) {
    printf("\n%-10s  rnnc   ", name);
    for (int i = 0; i < 6; i++)
        printf(" %8.4f", (double)ours[i]);
    printf(" ...\n%-10s  PyTorch", "");
    for (int i = 0; i < 6; i++)
        printf(" %8.4f", (double)pytorch[i]);
    printf(" ...\n");
}

int main(int argc, char **argv) {
    const char *path = argc > 1 ? argv[1] : "first_rnn.safetensors";
    rnnc_safetensors *file;
    rnnc_tensor shape_of_x;
    rnnc_error error;
    if (rnnc_safetensors_open(path, &file, &error) != RNNC_OK)
        fail(error.message);
    if (rnnc_safetensors_find(file, "x", &shape_of_x) != RNNC_OK || shape_of_x.rank != 3)
        fail("the file has no tensor x of shape (steps, batch, input)");

    size_t T = shape_of_x.shape[0]; /* any number of steps: the spec says seq_len = "any" */
    float *x = read_tensor(file, "x", T * B * I);
    float *h0 = read_tensor(file, "h0", (size_t)L * B * H);
    float *pytorch_y = read_tensor(file, "y", T * B * H);
    float *pytorch_hn = read_tensor(file, "hn", (size_t)L * B * H);
    float *y = allocate(T * B * H, sizeof *y);
    float *hn = allocate((size_t)L * B * H, sizeof *hn);
    void *workspace = allocate(first_rnn_workspace_size(T, B), 1);

    rnnc_status status = first_rnn_forward(T, x, h0, y, hn, workspace);
    if (status != RNNC_OK)
        fail(rnnc_status_message(status));

    printf("x  (%zu, %d, %d)\n", T, B, I);
    printf("h0 (%d, %d, %d)\n", L, B, H);
    printf("y  (%zu, %d, %d)\n", T, B, H);
    printf("hn (%d, %d, %d)\n", L, B, H);

    print_row("y[0][0]", y, pytorch_y);
    print_row("y[T-1][0]", y + (T - 1) * B * H, pytorch_y + (T - 1) * B * H);
    print_row("hn[0][0]", hn, pytorch_hn);

    double y_error = max_abs_error(y, pytorch_y, T * B * H);
    double hn_error = max_abs_error(hn, pytorch_hn, (size_t)L * B * H);
    int close = y_error <= tolerance && hn_error <= tolerance;
    printf("\nmax abs error < 1e-6: %s\n", close ? "yes" : "NO");
    printf("# max abs error against PyTorch: y %.2g, hn %.2g\n", y_error, hn_error);

    free(workspace);
    free(hn);
    free(y);
    free(pytorch_hn);
    free(pytorch_y);
    free(h0);
    free(x);
    rnnc_safetensors_close(file);
    return close ? 0 : 1;
}
