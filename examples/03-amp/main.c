/* Plays a sound through a network that has learnt a distortion circuit, as generated C, piece by
 * piece as it would come from a sound card. Without --input it plucks a riff first. Run it in this
 * folder; --help lists the options.
 *
 * Exits with 1 if the network's output is further than the tolerance from PyTorch's or from that of
 * single samples, or this program's circuit from the one of train.py. */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <string.h>

#include "amp.h"
#include "check.h"
#include "circuit.h"
#include "pluck.h"
#include "stream.h"
#include "wav.h"

enum {
    RATE = RIFF_RATE, /* the network has learnt 48 kHz and no other rate */
    REFERENCE = RATE, /* samples in reference.safetensors */
    LONGEST_BLOCK = 1 << 20
};

static const double tolerance = 1e-5;
static const double good_ratio = 0.01; /* of error to signal: a hundredth of the power */

typedef struct options {
    const char *input, *riff, *output; /* input: NULL for the riff */
    size_t block;
} options;

static const char usage[] =
    "usage: amp [-i FILE] [-r FILE] [-o FILE] [-b N]\n"
    "  -i, --input=FILE   a mono WAV file at 48 kHz; without it a riff is plucked\n"
    "  -r, --riff=FILE    where the riff is written (riff.wav)\n"
    "  -o, --output=FILE  where the distorted sound is written (amp.wav)\n"
    "  -b, --block=N      samples in a call of amp_forward (64)\n"
    "  -h, --help         this text\n";

static size_t parse_block(const char *text) {
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < 1 || value > LONGEST_BLOCK)
        fail("--block", "expected a number of samples from 1 to 1048576");
    return (size_t)value;
}

static options parse(int argc, char **argv) {
    static const struct option names[] = {
        {"input", required_argument, NULL, 'i'},  {"riff", required_argument, NULL, 'r'},
        {"output", required_argument, NULL, 'o'}, {"block", required_argument, NULL, 'b'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    options o = {NULL, "riff.wav", "amp.wav", 64};
    for (int c; (c = getopt_long(argc, argv, "i:r:o:b:h", names, NULL)) != -1;) {
        switch (c) {
        case 'i':
            o.input = optarg;
            break;
        case 'r':
            o.riff = optarg;
            break;
        case 'o':
            o.output = optarg;
            break;
        case 'b':
            o.block = parse_block(optarg);
            break;
        case 'h':
            fputs(usage, stdout);
            exit(0);
        default:
            fputs(usage, stderr);
            exit(1);
        }
    }
    if (optind < argc)
        fail(argv[optind], "an argument without an option; to play a file: --input=FILE");
    return o;
}

/* The largest |a - b|; infinite if there is a NaN on either side. */
static double max_abs_error(const float *a, const float *b, size_t count) {
    double worst = 0.0;
    for (size_t i = 0; i < count; i++) {
        double error = fabs((double)a[i] - (double)b[i]);
        worst = fmax(worst, isnan(error) ? INFINITY : error);
    }
    return worst;
}

/* sum (y - target)^2 / sum target^2; infinite if there is a NaN, or no signal but an error. */
static double error_to_signal(const float *y, const float *target, size_t count) {
    double error = 0.0, signal = 0.0;
    for (size_t i = 0; i < count; i++) {
        double difference = (double)y[i] - (double)target[i];
        error += difference * difference;
        signal += (double)target[i] * (double)target[i];
    }
    double ratio = error > 0.0 ? error / signal : 0.0;
    return isnan(error) || isnan(ratio) ? INFINITY : ratio;
}

static double peak(const float *samples, size_t count) {
    double highest = 0.0;
    for (size_t i = 0; i < count; i++)
        highest = fmax(highest, fabs((double)samples[i]));
    return highest;
}

static double rms(const float *samples, size_t count) {
    double power = 0.0;
    for (size_t i = 0; i < count; i++)
        power += (double)samples[i] * (double)samples[i];
    return sqrt(power / (double)count);
}

static void print_level(const char *what, const float *samples, size_t count) {
    printf("  %-10s%8.2f%8.2f\n", what, peak(samples, count), rms(samples, count));
}

static int print_verdict(const char *what, int right) {
    printf("%-50s%s\n", what, right ? "yes" : "NO");
    return right;
}

/* The second of sound that train.py recorded: our network against PyTorch's, our circuit against
 * the one that it was trained with. Returns 1 if both are within the tolerance. */
static int compare_reference(size_t block) {
    static float input[REFERENCE], pytorch[REFERENCE], recorded[REFERENCE], y[REFERENCE];
    static const struct {
        const char *name;
        float *to;
    } tensors[] = {{"input", input}, {"pytorch", pytorch}, {"circuit", recorded}};
    rnnc_safetensors *file;
    rnnc_error error;
    check(rnnc_safetensors_open("reference.safetensors", &file, &error), &error);
    for (int i = 0; i < 3; i++)
        check(rnnc_safetensors_read_f32(file, tensors[i].name, tensors[i].to, REFERENCE, &error),
              &error);
    rnnc_safetensors_close(file);

    stream_blocks(block, REFERENCE, input, y);
    double network_error = max_abs_error(y, pytorch, REFERENCE);
    circuit_run(&(circuit){0}, REFERENCE, input, y);
    double circuit_error = max_abs_error(y, recorded, REFERENCE);
    int right = print_verdict("network within 1e-5 of PyTorch's", network_error <= tolerance);
    right &= print_verdict("circuit within 1e-5 of train.py's", circuit_error <= tolerance);
    printf("# largest distances: network %.2g, circuit %.2g\n", network_error, circuit_error);
    return right;
}

static float *input_of(const options *o, size_t *count) {
    if (o->input != NULL)
        return wav_read(o->input, RATE, count);
    float *riff = allocate(RIFF_SAMPLES, sizeof *riff);
    pluck_riff(riff);
    wav_write(o->riff, RATE, riff, RIFF_SAMPLES);
    free(riff);
    return wav_read(o->riff, RATE, count);
}

int main(int argc, char **argv) {
    options o = parse(argc, argv);
    size_t count;
    float *x = input_of(&o, &count);
    float *y = allocate(count, sizeof *y), *by_steps = allocate(count, sizeof *by_steps);
    float *target = allocate(count, sizeof *target);

    stream_blocks(o.block, count, x, y);
    stream_steps(count, x, by_steps);
    circuit_run(&(circuit){0}, count, x, target);
    wav_write(o.output, RATE, y, count);

    printf("%.1f seconds of %s through LSTM(%d, %d) -> Linear(%d, 1), the input added:\n\n",
           (double)count / RATE, o.input != NULL ? o.input : "a plucked riff", AMP_INPUT_SIZE,
           AMP_H_SIZE, AMP_H_SIZE);
    printf("  %-10s%8s%8s\n", "", "peak", "rms");
    print_level("input", x, count);
    print_level("circuit", target, count);
    print_level("network", y, count);
    printf("\n");

    double ratio = error_to_signal(y, target, count);
    int right = compare_reference(o.block);
    right &= print_verdict("blocks and single samples: the same bits",
                           memcmp(y, by_steps, count * sizeof *y) == 0);
    print_verdict("error-to-signal ratio to the circuit below 1 %", ratio < good_ratio);
    printf("# error-to-signal ratio: %.3f %%\n", 100.0 * ratio);
    stream_time(o.block, count, x, RATE);

    free(target);
    free(by_steps);
    free(y);
    free(x);
    return right ? 0 : 1;
}
