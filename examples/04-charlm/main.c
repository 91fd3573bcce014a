/* Writes text a character at a time with generated C: the network says how probable each character
 * is as the next one, one of them is drawn, and the network reads it.
 *
 * Usage, in this folder: charlm [--seed N] [--length N] [--temperature X] [--prompt TEXT]
 *
 * Exits with 1 if the network does not compute what PyTorch computes from the same weights. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "charlm.h"
#include "check.h"
#include "vocabulary.h"

enum { V = CHARLM_VOCABULARY, COLUMNS = 76, MAX_LENGTH = 10000000 };

typedef struct options {
    uint64_t seed;
    size_t length;
    double temperature;
    const char *prompt;
} options;

static const char usage[] =
    "usage: charlm [OPTION...], in the folder of the example\n"
    "  --seed N           another text for each number (1)\n"
    "  --length N         characters to write, 1 to 10000000 (600)\n"
    "  --temperature X    above 0; 1 draws as probable as the network says, less is more careful,\n"
    "                     more is wilder (0.6)\n"
    "  --prompt TEXT      how the text begins; characters that the network does not know, digits\n"
    "                     among them, become spaces (nothing: a new verse)\n";

static void refuse(const char *option, const char *value, const char *expected) {
    fprintf(stderr, "charlm: --%s %s: expected %s\n", option, value, expected);
    exit(1);
}

/* A whole number; strtoull alone would take -1 and spaces. */
static uint64_t parse_number(const char *option, const char *text, uint64_t least, uint64_t most) {
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value < least ||
        value > most) {
        char expected[80];
        snprintf(expected, sizeof expected, "a whole number, %llu to %llu",
                 (unsigned long long)least, (unsigned long long)most);
        refuse(option, text, expected);
    }
    return value;
}

static double parse_temperature(const char *text) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value > 0.0) || isinf(value))
        refuse("temperature", text, "a number above 0");
    return value;
}

static options parse_options(int argc, char **argv) {
    static const struct option known[] = {
        {"seed", required_argument, NULL, 's'},
        {"length", required_argument, NULL, 'l'},
        {"temperature", required_argument, NULL, 't'},
        {"prompt", required_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    options o = {.seed = 1, .length = 600, .temperature = 0.6, .prompt = ""};
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;)
        switch (c) {
        case 's':
            o.seed = parse_number("seed", optarg, 0, UINT64_MAX);
            break;
        case 'l':
            o.length = (size_t)parse_number("length", optarg, 1, MAX_LENGTH);
            break;
        case 't':
            o.temperature = parse_temperature(optarg);
            break;
        case 'p':
            o.prompt = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(0);
        default:
            fputs(usage, stderr);
            exit(1);
        }
    if (optind < argc) {
        fprintf(stderr, "charlm: %s: all options begin with --\n%s", argv[optind], usage);
        exit(1);
    }
    return o;
}

/* A number 0 <= u < 1 from the generator SplitMix64: Steele, Lea, Flood, "Fast splittable
 * pseudorandom number generators", OOPSLA 2014, section 5, with the finalizer of their figure 14.
 * Any seed is a good one. */
static double uniform(uint64_t *random) {
    uint64_t z = *random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

/* Draws a token with a probability proportional to exp(log_probs[token] / temperature): the tokens
 * share 0 .. 1 accordingly, u says where. *margin becomes the distance from u to the nearest
 * border between two tokens, if that is less: a network whose probabilities are closer than that
 * draws the same. */
static int32_t draw(const float *log_probs, double temperature, double u, double *margin) {
    double share[V], total = 0.0, largest = -INFINITY;
    for (int i = 0; i < V; i++)
        largest = fmax(largest, (double)log_probs[i]);
    for (int i = 0; i < V; i++) {
        share[i] = exp(((double)log_probs[i] - largest) / temperature);
        total += share[i];
    }
    int32_t drawn = 0;
    double border = 0.0;
    for (int i = 0; i < V - 1; i++) {
        border += share[i] / total;
        drawn += u >= border;
        *margin = fmin(*margin, fabs(u - border));
    }
    return drawn;
}

/* Fills text with the prompt and `length` characters more; text has room for a '\0' behind them.
 * Returns the seconds that these took, and in *margin the closest of all draws. */
static double write_text(const options *o, char *text, double *margin) {
    static charlm_state state;
    float log_probs[V];
    uint64_t random = o->seed;
    int32_t token = NEWLINE;
    charlm_state_init(&state);
    for (const char *byte = o->prompt; *byte != '\0'; byte++) {
        check_status(charlm_step(&state, &token, log_probs), "charlm_step");
        token = token_of(*byte);
        *text++ = character_of(token);
    }
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (size_t i = 0; i < o->length; i++) {
        check_status(charlm_step(&state, &token, log_probs), "charlm_step");
        token = draw(log_probs, o->temperature, uniform(&random), margin);
        *text++ = character_of(token);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    *text = '\0';
    return (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
}

static void print_line(const char *line, int width) {
    while (width > 0 && line[width - 1] == ' ')
        width--;
    printf("  %.*s\n", width, line);
}

/* Breaks lines at the last space before COLUMNS, where there is one; text is changed. */
static void print_wrapped(char *text) {
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        while (strnlen(line, COLUMNS + 1) > COLUMNS) {
            int width = COLUMNS;
            while (width > 0 && line[width] != ' ')
                width--;
            width = width > 0 ? width : COLUMNS;
            print_line(line, width);
            line += width + (line[width] == ' ');
        }
        print_line(line, (int)strlen(line));
    }
}

int main(int argc, char **argv) {
    options o = parse_options(argc, argv);
    char *text = allocate(strlen(o.prompt) + o.length + 1, 1);
    double margin = 1.0;
    double seconds = write_text(&o, text, &margin);

    printf("A character model, Embedding(%d, 32) -> GRU(32, %d) -> Linear(%d, %d) -> log_softmax,\n"
           "writes %zu characters (seed %llu, temperature %g):\n\n",
           V, CHARLM_H_SIZE, CHARLM_H_SIZE, V, o.length, (unsigned long long)o.seed, o.temperature);
    print_wrapped(text);
    free(text);
    printf("\n# %.0f characters per second, %.3g us each, one thread, specialised for %s\n",
           (double)o.length / seconds, 1e6 * seconds / (double)o.length, charlm_model.target);
    printf("# closest draw: %.1e from the border to another character\n\n", margin);
    return check_against_pytorch() ? 0 : 1;
}
