/* Reads handwritten digits with generated C. An image of 8x8 pixels is a sequence of 8 rows; from
 * the last one's hidden state the network makes a logit for each of 0..9.
 *
 * Usage, in this folder: digits [--no-timing]
 *
 * Exits with 1 if a prediction is not the one that PyTorch makes, or a logit is further than the
 * tolerance from PyTorch's. */
#include <math.h>
#include <string.h>

#include "bench.h"
#include "check.h"
#include "digits.h"
#include "digits32.h"
#include "pictures.h"

enum {
    IMAGES = 352,                /* never seen in training; 11 batches of 32 */
    BATCH = DIGITS32_BATCH,      /* 32 */
    ROWS = DIGITS_SEQ_LEN,       /* 8, a time step each */
    PIXELS = DIGITS_INPUT_SIZE,  /* 8 in a row, 0 (white) .. 1 (black) */
    CLASSES = DIGITS_OUTPUT_SIZE /* 10 */
};

static const double tolerance = 1e-4; /* of logits, which lie in -18 .. 18 */

/* What test.safetensors holds, and what PyTorch makes of it. */
static struct {
    float images[IMAGES][ROWS][PIXELS];
    float labels[IMAGES];
    float logits[IMAGES][CLASSES];
    float predictions[IMAGES];
} test;

static void read_tensor(const rnnc_safetensors *file, const char *name, float *to, size_t count) {
    rnnc_error error;
    check(rnnc_safetensors_read_f32(file, name, to, count, &error), &error);
}

/* One call for each image. The state begins at zero, h0 is NULL, and nobody wants the last one. */
static void read_one_by_one(float logits[IMAGES][CLASSES]) {
    static unsigned char workspace[DIGITS_WORKSPACE_SIZE];
    for (int n = 0; n < IMAGES; n++) {
        const float *x = &test.images[n][0][0];
        check_status(digits_forward(x, NULL, logits[n], NULL, workspace), "digits_forward");
    }
}

/* One call for 32 images, by code that was generated for 32. */
static void read_in_batches(float logits[IMAGES][CLASSES]) {
    static unsigned char workspace[DIGITS32_WORKSPACE_SIZE];
    for (int n = 0; n < IMAGES; n += BATCH) {
        const float *x = &test.images[n][0][0];
        check_status(digits32_forward(x, NULL, logits[n], NULL, workspace), "digits32_forward");
    }
}

static int largest(const float *logits) {
    int best = 0;
    for (int c = 1; c < CLASSES; c++)
        if (logits[c] > logits[best])
            best = c;
    return best;
}

/* The first images of different digits that are read right (or that are not), and how. */
static void print_some(int right, float logits[IMAGES][CLASSES]) {
    const float *images[ABREAST];
    char captions[ABREAST][16];
    int count = 0, shown[CLASSES] = {0};
    for (int n = 0; n < IMAGES && count < ABREAST; n++) {
        int label = (int)test.labels[n], read = largest(logits[n]);
        if (right != (read == label) || shown[label])
            continue;
        shown[label] = 1;
        images[count] = &test.images[n][0][0];
        snprintf(captions[count++], 16, right ? "read as %d" : "read as %d, is %d", read, label);
    }
    print_pictures(images, captions, count);
}

/* How many predictions are the digit that it is, how many are PyTorch's prediction, and the largest
 * distance of a logit from PyTorch's (infinite if there is a NaN). */
typedef struct score {
    int right, as_pytorch;
    double error;
} score;

static score compare(float logits[IMAGES][CLASSES]) {
    score s = {0, 0, 0.0};
    for (int n = 0; n < IMAGES; n++) {
        int read = largest(logits[n]);
        s.right += read == (int)test.labels[n];
        s.as_pytorch += read == (int)test.predictions[n];
        for (int c = 0; c < CLASSES; c++) {
            double error = fabs((double)logits[n][c] - (double)test.logits[n][c]);
            s.error = fmax(s.error, isnan(error) ? INFINITY : error);
        }
    }
    return s;
}

static void print_score(const char *how, score s) {
    printf("  %-20s%d of %d, %.1f %%    %d of %d     %s\n", how, s.right, IMAGES,
           100.0 * s.right / IMAGES, s.as_pytorch, IMAGES, s.error <= tolerance ? "yes" : "NO");
}

/* Fills in `test`; labels and pixels are in their ranges after it. */
static void read_test(const char *path) {
    rnnc_safetensors *file;
    rnnc_error error;
    check(rnnc_safetensors_open(path, &file, &error), &error);
    read_tensor(file, "images", &test.images[0][0][0], sizeof test.images / sizeof(float));
    read_tensor(file, "labels", test.labels, IMAGES);
    read_tensor(file, "logits", &test.logits[0][0], sizeof test.logits / sizeof(float));
    read_tensor(file, "predictions", test.predictions, IMAGES);
    rnnc_safetensors_close(file);

    const float *pixel = &test.images[0][0][0];
    int valid = 1;
    for (int i = 0; i < IMAGES * ROWS * PIXELS; i++)
        valid &= pixel[i] >= 0.0F && pixel[i] <= 1.0F;
    for (int n = 0; n < IMAGES; n++)
        valid &= test.labels[n] >= 0.0F && test.labels[n] < CLASSES;
    check_status(valid ? RNNC_OK : RNNC_ERR_FORMAT, path);
}

int main(int argc, char **argv) {
    int timing = argc < 2;
    if (argc > 2 || (argc == 2 && strcmp(argv[1], "--no-timing") != 0)) {
        fprintf(stderr, "usage: digits [--no-timing]\n");
        return 1;
    }
    read_test("test.safetensors");

    static float one_by_one[IMAGES][CLASSES], in_batches[IMAGES][CLASSES];
    read_one_by_one(one_by_one);
    read_in_batches(in_batches);

    printf("Handwritten digits, 8x8 pixels, a row for each time step:\n"
           "RNN(%d, 64, 2 layers, tanh) -> Linear(64, %d)\n\n",
           PIXELS, CLASSES);
    print_some(1, one_by_one);
    printf("\nSome that it gets wrong:\n\n");
    print_some(0, one_by_one);
    score single = compare(one_by_one), batched = compare(in_batches);
    printf("\n  held-out images     read right            as PyTorch     logits within 1e-4\n");
    print_score("one by one", single);
    print_score("32 at a time", batched);
    printf("# largest distance of a logit from PyTorch's: %.2g, %.2g\n", single.error,
           batched.error);
    if (timing)
        bench("digits.safetensors", &test.images[0][0][0]);
    int same = single.as_pytorch == IMAGES && batched.as_pytorch == IMAGES;
    return same && fmax(single.error, batched.error) <= tolerance ? 0 : 1;
}
