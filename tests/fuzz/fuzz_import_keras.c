/* Networks of Keras, as an archive or as one HDF5 file. The bytes choose layers, their fields and
 * the shapes of their weights, then change some letters of the config. What is in the HDF5 file
 * comes from here, not from libhdf5, which is slow and another's: fuzz_hdf5.c is for it. */
#define _POSIX_C_SOURCE 200809L
#include "archive.h"
#include "import.h"

#include <string.h>

enum { LAYERS = 7 };

/* What the bytes have not chosen yet; 0 at the end. */
typedef struct choice {
    const uint8_t *at, *end;
} choice;

static unsigned take(choice *c) { return c->at < c->end ? *c->at++ : 0; }

static const char *pick(choice *c, const char *const *list, size_t count) {
    return list[take(c) % count];
}

#define PICK(c, list) pick(c, list, sizeof(list) / sizeof *(list))

/* Classes with the name of their group in an archive and, of cells, how many gates they have. */
static const struct {
    const char *name, *group;
    unsigned gates;
} classes[] = {
    {"LSTM", "lstm", 4},
    {"GRU", "gru", 3},
    {"SimpleRNN", "simple_rnn", 1},
    {"Dense", "dense", 0},
    {"CuDNNLSTM", "cu_dnnlstm", 4},
    {"CuDNNGRU", "cu_dnngru", 3},
    {"Bidirectional", "bidirectional", 4},
    {"TimeDistributed", "time_distributed", 0},
    {"Embedding", "embedding", 0},
    {"PReLU", "p_re_lu", 0},
    {"BatchNormalization", "batch_normalization", 0},
    {"Normalization", "normalization", 0},
    {"Rescaling", "rescaling", 0},
    {"Activation", "activation", 0},
    {"LeakyReLU", "leaky_re_lu", 0},
    {"ReLU", "re_lu", 0},
    {"Dropout", "dropout", 0},
    {"Flatten", "flatten", 0},
    {"Masking", "masking", 0},
    {"InputLayer", "input_layer", 0},
    {"Lambda", "lambda", 0},
};

static const char *const functions[] = {"tanh", "linear", "sigmoid", "hard_sigmoid", "relu",
                                        "elu",  "gelu",   "softmax", "leaky_relu",   "what"};
static const char *const flags[] = {"true", "false", "null", "1"};
static const char *const numbers[] = {"1", "0", "-1", "2", "0.5", "1e30", "[1]", "\"a\"", "null"};
static const char *const merges[] = {"concat", "sum", "mul", "ave", "other"};
static const char *const roles[] = {
    "kernel",      "recurrent_kernel", "bias", "embeddings", "alpha", "gamma", "beta",
    "moving_mean", "moving_variance",  "mean"};

/* A record of host.hdf5, see put_record there; texts have their length in front. */
static void put_text(FILE *out, const void *text, uint64_t size) {
    fwrite(&size, sizeof size, 1, out);
    fwrite(text, 1, size, out);
}

static void put_tensor(FILE *out, const char *path, unsigned rank, const uint64_t *shape) {
    static const float values[256] = {0.5F, -0.25F, 1, 2};
    uint64_t count = 1, ranks = rank;
    for (unsigned i = 0; i < rank; i++)
        count *= shape[i];
    if (count > 256)
        return;
    fputc('T', out);
    put_text(out, path, strlen(path));
    fwrite(&ranks, sizeof ranks, 1, out);
    fwrite(shape, sizeof *shape, rank, out);
    put_text(out, values, count * sizeof *values);
}

/* The weights of a layer, mostly of the shapes that it has to have. */
static void put_weights(FILE *out, choice *c, const char *group, size_t class, uint64_t width,
                        uint64_t units, int archive) {
    const uint64_t gates = classes[class].gates ? classes[class].gates : 1;
    const unsigned which = take(c), odd = take(c);
    for (unsigned i = 0; i < 10; i++) {
        char path[160];
        if (!(which >> i % 8 & 1))
            continue;
        uint64_t shape[] = {i == 1 ? units : width, gates * units};
        if (i > 3)
            shape[0] = width;
        if (odd % 16 == i)
            shape[odd / 16 % 2] += odd / 64;
        const unsigned rank = i < 2 || i == 3 ? 2 : 1;
        if (i == 2)
            shape[0] = odd & 128 ? 2 * gates * units : gates * units;
        if (archive)
            snprintf(path, sizeof path, "layers/%s%s/vars/%u", group, gates > 1 ? "/cell" : "",
                     i < 4 ? i % 3 : i - 4);
        else
            snprintf(path, sizeof path, "model_weights/%s/%s/%s%s:0", group, group,
                     odd % 3   ? ""
                     : odd & 1 ? "forward_"
                               : "backward_",
                     roles[i]);
        put_tensor(out, path, rank, shape);
    }
}

/* A layer's config; `nested`: within a wrapper. */
static void put_config(FILE *out, choice *c, size_t class, const char *name, uint64_t units,
                       int first, int nested) {
    fprintf(out, "{\"class_name\":\"%s\",\"config\":{\"name\":\"%s\"", classes[class].name, name);
    if (first)
        fprintf(out, ",\"batch_input_shape\":[null,%s,%s]", take(c) & 1 ? "null" : "3",
                take(c) & 7 ? "2" : "null");
    fprintf(out, ",\"units\":%u,\"activation\":\"%s\"", (unsigned)units, PICK(c, functions));
    static const char *const more[] = {
        "return_sequences", "use_bias",   "reset_after", "go_backwards",
        "stateful",         "mask_zero",  "scale",       "center",
        "invert",           "time_major", "return_state"};
    static const char *const others[] = {"alpha",     "axis",      "offset",
                                         "scale",     "input_dim", "output_dim",
                                         "max_value", "threshold", "dtype"};
    for (unsigned n = take(c) % 5; n > 0; n--)
        fprintf(out, ",\"%s\":%s", PICK(c, more), PICK(c, flags));
    for (unsigned n = take(c) % 4; n > 0; n--)
        fprintf(out, ",\"%s\":%s", PICK(c, others), PICK(c, numbers));
    if (take(c) & 1)
        fprintf(out, ",\"recurrent_activation\":\"%s\"", PICK(c, functions));
    if (take(c) & 1)
        fprintf(out, ",\"merge_mode\":\"%s\"", PICK(c, merges));
    if (!nested && (class == 6 || class == 7)) {
        fputs(",\"layer\":", out);
        put_config(out, c, class == 7 ? 3 : take(c) % 3, name, units, 0, 1);
    }
    fputs(nested ? "}}" : "}", out);
}

/* Replaces host.hdf5.  [bytes -> records] */
static const char *records;
static size_t records_size;

static int stand_in(lua_State *L) {
    lua_pushlstring(L, records, records_size);
    return 1;
}

/* [name, bytes -> ] */
static int import_by_stand_in(lua_State *L) {
    lua_getglobal(L, "require");
    lua_pushstring(L, "host");
    lua_call(L, 1, 1);
    lua_pushcfunction(L, stand_in);
    lua_setfield(L, -2, "hdf5");
    lua_settop(L, 2);
    return fuzz_import(L);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char signature[] = "\x89HDF\r\n\x1a\n";
    choice all = {data, data + size}, *const c = &all;
    const unsigned form = take(c);
    const int archive = form & 1, functional = form & 2;
    char *config = NULL, *weights = NULL;
    size_t config_size;
    FILE *out = open_memstream(&config, &config_size),
         *of = open_memstream(&weights, &records_size);
    if (!out || !of)
        abort();
    fprintf(out, "{\"class_name\":\"%s\",\"config\":{\"name\":\"n\",\"layers\":[",
            functional ? "Functional" : "Sequential");
    uint64_t width = 2;
    size_t count = 0, seen[sizeof classes / sizeof *classes] = {0};
    for (; count < LAYERS && c->at + 3 < c->end; count++) {
        const size_t class = take(c) % (sizeof classes / sizeof *classes);
        const uint64_t units = take(c) % 4 + 1;
        char name[8], group[64];
        snprintf(name, sizeof name, "l%zu", count);
        if (seen[class]++ > 0)
            snprintf(group, sizeof group, "%s_%zu", classes[class].group, seen[class] - 1);
        else
            snprintf(group, sizeof group, "%s", classes[class].group);
        fputs(count > 0 ? "," : "", out);
        put_config(out, c, class, name, units, count == 0, 0);
        if (functional && count > 0)
            fprintf(out, ",\"inbound_nodes\":[[[\"l%zu\",0,%u,{}]]]",
                    take(c) % 4 ? count - 1 : take(c) % LAYERS, take(c) % 16 == 0);
        fputs("}", out);
        put_weights(of, c, archive ? group : name, class, width, units, archive);
        if (classes[class].gates || class == 3 || class == 7)
            width = class == 6 ? 2 * units : units;
    }
    fputs("]", out);
    if (functional)
        fprintf(out, ",\"input_layers\":[[\"l0\",0,0]],\"output_layers\":[[\"l%zu\",0,0]%s]",
                count > 0 ? count - 1 : 0, form & 4 ? ",[\"l1\",0,0]" : "");
    fputs("}}", out);
    fclose(out);
    while (form & 8 && c->at + 2 < c->end && config_size > 0) {
        const size_t place = (take(c) | (size_t)take(c) << 8) % config_size;
        config[place] = (char)take(c);
    }
    if (!archive) {
        fputc('A', of);
        put_text(of, "", 0);
        put_text(of, "model_config", 12);
        put_text(of, config, config_size);
    }
    fputc('Z', of);
    put_text(of, "", 0);
    fclose(of);
    records = weights;
    if (archive) {
        static const char about[] = "{\"keras_version\":\"3.1.0\"}";
        const archive_member members[] = {
            {"config.json", config, config_size},
            {"model.weights.h5", signature, sizeof signature - 1},
            {"metadata.json", about, sizeof about - 1},
        };
        size_t length;
        char *const bytes = archive_of(members, form & 16 ? 3 : 2, &length);
        fuzz_call(import_by_stand_in, "fuzz.keras", bytes, length);
        free(bytes);
    } else {
        fuzz_call(import_by_stand_in, "fuzz.h5", signature, sizeof signature - 1);
    }
    free(config);
    free(weights);
    return 0;
}
