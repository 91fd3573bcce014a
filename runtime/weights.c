/* weights.c: does a file hold a network's weights, and if not, what would repair it? */
#include "safetensors.h"

#include <stdlib.h>
#include <string.h>

/* The kinds of faults; a line of the message each. */
enum { MISSING, MISSHAPEN, UNREADABLE, UNUSED, KINDS };

static const struct {
    const char *heading;
    rnnc_status status;
} kinds[KINDS] = {
    [MISSING] = {"missing", RNNC_ERR_MISSING},
    [MISSHAPEN] = {"wrong shape", RNNC_ERR_SHAPE},
    [UNREADABLE] = {"wrong dtype (F32, F64, F16 or BF16 is needed)", RNNC_ERR_DTYPE},
    [UNUSED] = {"no use in this network", RNNC_ERR_SHAPE},
};

typedef struct report {
    char line[KINDS][sizeof((rnnc_error *)0)->message];
    rnnc_text text[KINDS];
} report;

static rnnc_text *begin_item(report *r, int kind, const char *prefix, const char *name) {
    rnnc_text *const text = &r->text[kind];
    const char *const separator = kind == MISSING ? ", " : "; "; /* shapes have commas */
    rnnc_text_add(text, "%s%s%s", text->length ? separator : "", rnnc_show(prefix).text,
                  rnnc_show(name).text);
    return text;
}

static void add_shape(rnnc_text *text, int rank, const size_t *shape) {
    rnnc_text_add(text, "(");
    for (int i = 0; i < rank; i++)
        rnnc_text_add(text, "%s%zu", i ? ", " : "", shape[i]);
    rnnc_text_add(text, ")");
}

static int starts_with(const char *text, const char *start) {
    return strncmp(text, start, strlen(start)) == 0;
}

/* What the shape that is there would be right for, or nothing. */
static void add_shape_hint(rnnc_text *text, const rnnc_config *config, const rnnc_weight *weight,
                           const rnnc_tensor *tensor) {
    static const struct {
        const char *name;
        size_t gates;
    } cells[] = {{"rnn", 1}, {"gru", 3}, {"lstm", 4}};
    const size_t gates = rnnc_config_gates(config), H = config->hidden_size;
    const size_t *const shape = tensor->shape;
    const int matrix = tensor->rank == 2 && weight->cols > 0;
    if (matrix && shape[0] == weight->cols && shape[1] == weight->rows) {
        rnnc_text_add(text, ": looks transposed");
        return;
    }
    if (tensor->rank != (weight->cols ? 2 : 1))
        return;
    for (size_t i = 0; i < 3; i++)
        if (cells[i].gates != gates && shape[0] == cells[i].gates * H &&
            (!matrix || shape[1] == weight->cols)) {
            rnnc_text_add(text, ": looks like cell = \"%s\"", cells[i].name);
            return;
        }
    if (!matrix)
        return;
    if (starts_with(weight->name, "weight_hh") && shape[1] > 0 && shape[0] == gates * shape[1])
        rnnc_text_add(text, ": looks like hidden_size = %zu", shape[1]);
    else if (starts_with(weight->name, "weight_ih_l0") && shape[0] == weight->rows)
        rnnc_text_add(text, ": looks like input_size = %zu", shape[1]);
    else if (starts_with(weight->name, "weight_ih") && shape[0] == weight->rows &&
             shape[1] == (config->bidirectional ? H : 2 * H))
        rnnc_text_add(text, ": looks like bidirectional = %s",
                      config->bidirectional ? "false" : "true");
}

static void check_one(report *r, const rnnc_config *config, const char *prefix,
                      const rnnc_weight *weight, const rnnc_entry *entry) {
    if (!entry) {
        begin_item(r, MISSING, prefix, weight->name);
        return;
    }
    const rnnc_tensor *const tensor = &entry->tensor;
    const size_t shape[2] = {weight->rows, weight->cols};
    const int rank = weight->cols ? 2 : 1;
    if (tensor->rank != rank || memcmp(tensor->shape, shape, sizeof *shape * (size_t)rank) != 0) {
        rnnc_text *const text = begin_item(r, MISSHAPEN, prefix, weight->name);
        rnnc_text_add(text, " is ");
        add_shape(text, tensor->rank, tensor->shape);
        rnnc_text_add(text, ", has to be ");
        add_shape(text, rank, shape);
        add_shape_hint(text, config, weight, tensor);
    }
    if (tensor->dtype == RNNC_OPAQUE)
        rnnc_text_add(begin_item(r, UNREADABLE, prefix, weight->name), " is %s", entry->dtype);
}

/* A recurrent weight's name taken apart: (weight|bias)_(ih|hh|hr)_l<layer>[_reverse]. */
typedef struct recurrent {
    int projection, bias, reverse;
    unsigned long long layer;
} recurrent;

static int parse_name(const char *name, recurrent *parts) {
    static const struct {
        const char *start;
        int projection, bias;
    } starts[] = {{"weight_ih_l", 0, 0},
                  {"weight_hh_l", 0, 0},
                  {"weight_hr_l", 1, 0},
                  {"bias_ih_l", 0, 1},
                  {"bias_hh_l", 0, 1}};
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        if (!starts_with(name, starts[i].start))
            continue;
        const char *const digits = name + strlen(starts[i].start);
        const size_t length = strspn(digits, "0123456789");
        const char *const rest = digits + length;
        if (length == 0 || length > 9 || (length > 1 && *digits == '0'))
            return 0;
        *parts = (recurrent){starts[i].projection, starts[i].bias, *rest != '\0',
                             strtoull(digits, NULL, 10)};
        return *rest == '\0' || strcmp(rest, "_reverse") == 0;
    }
    return 0;
}

/* Sorts a tensor of the file that may have no use into faults (recurrent weights, with the field
 * of the spec that would use them) and others. */
static void check_use(report *r, const rnnc_config *config, const char *prefix, const char *name,
                      rnnc_text *others) {
    recurrent parts;
    const char *hint = NULL;
    if (!parse_name(name, &parts)) {
        rnnc_text_add(others, "%s%s%s", others->length ? ", " : "", rnnc_show(prefix).text,
                      rnnc_show(name).text);
        return;
    }
    if (parts.projection)
        hint = "proj_size is not supported";
    else if (parts.reverse && !config->bidirectional)
        hint = "looks like bidirectional = true";
    else if (parts.bias && !config->bias)
        hint = "looks like bias = true";
    if (parts.layer >= config->num_layers)
        rnnc_text_add(begin_item(r, UNUSED, prefix, name), ": looks like num_layers = %llu",
                      parts.layer + 1);
    else if (hint)
        rnnc_text_add(begin_item(r, UNUSED, prefix, name), ": %s", hint);
}

/* The prefix under which the file has name, if that is not the one that was given. */
static void add_prefix_hint(rnnc_text *text, const rnnc_safetensors *file, const char *prefix,
                            const char *name) {
    const size_t length = strlen(name);
    const rnnc_entry *entry;
    for (size_t i = 0; (entry = rnnc_safetensors_get(file, i)) != NULL; i++) {
        const size_t all = strlen(entry->name);
        if (all < length || strcmp(entry->name + all - length, name) != 0)
            continue;
        char start[64];
        if (all - length >= sizeof start)
            continue;
        memcpy(start, entry->name, all - length);
        start[all - length] = '\0';
        if (strcmp(start, prefix) == 0)
            continue;
        rnnc_text_add(text, "; the file has %s: set prefix = \"%s\"", rnnc_show(entry->name).text,
                      rnnc_show(start).text);
        return;
    }
}

rnnc_status rnnc_weights_check(const rnnc_config *config, const char *prefix,
                               const rnnc_safetensors *file, rnnc_error *unused,
                               rnnc_error *error) {
    rnnc_status status = rnnc_config_check(config, error);
    if (status != RNNC_OK)
        return status;
    if (!file)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT, "file is NULL");
    report *const r = malloc(sizeof *r);
    if (!r)
        return rnnc_fail(error, RNNC_ERR_MEMORY, "%s: out of memory", rnnc_safetensors_name(file));
    for (int kind = 0; kind < KINDS; kind++)
        r->text[kind] = rnnc_text_in(r->line[kind], sizeof r->line[kind]);
    rnnc_error dropped;
    rnnc_error *const others_in = unused ? unused : &dropped;
    others_in->status = RNNC_OK;
    rnnc_text others = rnnc_text_in(others_in->message, sizeof others_in->message);

    /* A spec with absurdly many layers must not keep us here once the message is full. */
    const size_t count = rnnc_config_weight_count(config);
    const char *const start = prefix ? prefix : "";
    rnnc_weight weight = {.rows = 0}, absent = {.rows = 0};
    for (size_t i = 0; i < count && !rnnc_text_full(&r->text[MISSING]); i++) {
        rnnc_config_weight(config, i, &weight);
        const rnnc_entry *const entry = rnnc_safetensors_lookup(file, start, weight.name);
        if (!entry && absent.rows == 0)
            absent = weight;
        check_one(r, config, start, &weight, entry);
    }
    if (absent.rows != 0)
        add_prefix_hint(&r->text[MISSING], file, start, absent.name);
    const rnnc_entry *entry;
    for (size_t i = 0; (entry = rnnc_safetensors_get(file, i)) != NULL; i++)
        if (starts_with(entry->name, start))
            check_use(r, config, start, entry->name + strlen(start), &others);

    char message[sizeof((rnnc_error *)0)->message];
    rnnc_text all = rnnc_text_in(message, sizeof message);
    for (int kind = 0; kind < KINDS; kind++) {
        if (r->text[kind].length == 0)
            continue;
        if (status == RNNC_OK)
            status = kinds[kind].status;
        rnnc_text_add(&all, "%s%s: %s: %s", all.length ? "\n" : "", rnnc_safetensors_name(file),
                      kinds[kind].heading, r->line[kind]);
    }
    free(r);
    return status == RNNC_OK ? RNNC_OK : rnnc_fail(error, status, "%s", message);
}

rnnc_status rnnc_weights_load(const rnnc_config *config, const char *prefix,
                              const rnnc_safetensors *file, const float ***tensors,
                              rnnc_error *error) {
    if (!tensors)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT, "tensors is NULL");
    *tensors = NULL;
    rnnc_status status = rnnc_weights_check(config, prefix, file, NULL, error);
    if (status != RNNC_OK)
        return status;
    /* The pointers, then the values. All fits: the file, which has them, does. */
    const size_t count = rnnc_config_weight_count(config);
    const size_t floats = rnnc_config_weight_floats(config);
    const float **const loaded = malloc(count * sizeof *loaded + floats * sizeof(float));
    if (!loaded)
        return rnnc_fail(error, RNNC_ERR_MEMORY, "%s: out of memory for %zu weights",
                         rnnc_safetensors_name(file), floats);
    float *values = (float *)(void *)(loaded + count);
    for (size_t i = 0; i < count && status == RNNC_OK; i++) {
        rnnc_weight weight;
        rnnc_config_weight(config, i, &weight);
        const size_t each = weight.rows * (weight.cols ? weight.cols : 1);
        const rnnc_entry *const entry =
            rnnc_safetensors_lookup(file, prefix ? prefix : "", weight.name);
        status = rnnc_safetensors_read_f32(file, entry->name, values, each, error);
        loaded[i] = values;
        values += each;
    }
    if (status == RNNC_OK)
        *tensors = loaded;
    else
        free(loaded);
    return status;
}

void rnnc_weights_free(const float **tensors) { free(tensors); }
