/* weights.c: does a file hold a network's weights, and if not, what would repair it? */
#include "weights.h"

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

static void check_one(report *r, const weight_groups *groups, const char *prefix,
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
        weight_groups_hint(groups, weight, tensor, text);
    }
    if (tensor->dtype == RNNC_OPAQUE)
        rnnc_text_add(begin_item(r, UNREADABLE, prefix, weight->name), " is %s", entry->dtype);
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

/* Weights that are needed and not right, into the report. */
static void check_needed(report *r, const weight_groups *groups, size_t count,
                         const rnnc_weight *weight, const char *prefix,
                         const rnnc_safetensors *file) {
    const rnnc_weight *absent = NULL;
    for (size_t i = 0; i < count && !rnnc_text_full(&r->text[MISSING]); i++) {
        const rnnc_entry *const entry = rnnc_safetensors_lookup(file, prefix, weight[i].name);
        if (!entry && !absent)
            absent = &weight[i];
        check_one(r, groups, prefix, &weight[i], entry);
    }
    if (absent)
        add_prefix_hint(&r->text[MISSING], file, prefix, absent->name);
}

/* Tensors of the file that are not needed: faults, or the names of `others`. */
static void check_unneeded(report *r, const weight_groups *groups, const char *prefix,
                           const rnnc_safetensors *file, rnnc_text *others) {
    const rnnc_entry *entry;
    for (size_t i = 0; (entry = rnnc_safetensors_get(file, i)) != NULL; i++) {
        if (!starts_with(entry->name, prefix))
            continue;
        const char *const name = entry->name + strlen(prefix);
        if (weight_groups_needs(groups, name))
            continue;
        char hint[64];
        if (weight_groups_unused(groups, name, &entry->tensor, hint, sizeof hint))
            rnnc_text_add(begin_item(r, UNUSED, prefix, name), "%s", hint);
        else
            rnnc_text_add(others, "%s%s%s", others->length ? ", " : "", rnnc_show(prefix).text,
                          rnnc_show(name).text);
    }
}

rnnc_status rnnc_weights_check(size_t count, const rnnc_weight *weight, const char *prefix,
                               const rnnc_safetensors *file, rnnc_error *unused,
                               rnnc_error *error) {
    if (!file || !weight || count == 0)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT, "the file is NULL, or no weights are asked for");
    weight_groups groups;
    report *const r = malloc(sizeof *r);
    if (!r || !weight_groups_open(&groups, count, weight)) {
        free(r);
        return rnnc_fail(error, RNNC_ERR_MEMORY, "%s: out of memory", rnnc_safetensors_name(file));
    }
    for (int kind = 0; kind < KINDS; kind++)
        r->text[kind] = rnnc_text_in(r->line[kind], sizeof r->line[kind]);
    rnnc_error dropped;
    rnnc_error *const others_in = unused ? unused : &dropped;
    others_in->status = RNNC_OK;
    rnnc_text others = rnnc_text_in(others_in->message, sizeof others_in->message);
    const char *const start = prefix ? prefix : "";
    check_needed(r, &groups, count, weight, start, file);
    check_unneeded(r, &groups, start, file, &others);
    weight_groups_close(&groups);

    rnnc_status status = RNNC_OK;
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

static size_t values_of(const rnnc_weight *weight) {
    return weight->rows * (weight->cols ? weight->cols : 1);
}

rnnc_status rnnc_weights_load(size_t count, const rnnc_weight *weight, const char *prefix,
                              const rnnc_safetensors *file, const float ***tensors,
                              rnnc_error *error) {
    if (!tensors)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT, "tensors is NULL");
    *tensors = NULL;
    rnnc_status status = rnnc_weights_check(count, weight, prefix, file, NULL, error);
    if (status != RNNC_OK)
        return status;
    /* The pointers, then the values. A name may stand in the list twice, so the sum is checked. */
    size_t floats = 0, bytes = 0, all = 0;
    for (size_t i = 0; i < count; i++)
        if (!rnnc_add(floats, values_of(&weight[i]), &floats))
            floats = SIZE_MAX;
    const float **const loaded =
        rnnc_mul(floats, sizeof(float), &bytes) && rnnc_add(bytes, count * sizeof *loaded, &all)
            ? malloc(all)
            : NULL;
    if (!loaded)
        return rnnc_fail(error, RNNC_ERR_MEMORY, "%s: out of memory for %zu weights",
                         rnnc_safetensors_name(file), floats);
    float *values = (float *)(void *)(loaded + count);
    for (size_t i = 0; i < count && status == RNNC_OK; i++) {
        const rnnc_entry *const entry =
            rnnc_safetensors_lookup(file, prefix ? prefix : "", weight[i].name);
        status = rnnc_safetensors_read_f32(file, entry->name, values, values_of(&weight[i]), error);
        loaded[i] = values;
        values += values_of(&weight[i]);
    }
    if (status == RNNC_OK)
        *tensors = loaded;
    else
        free(loaded);
    return status;
}

void rnnc_weights_free(const float **tensors) { free(tensors); }
