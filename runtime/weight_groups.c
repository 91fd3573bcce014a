/* weight_groups.c: the layers behind a list of weights, by PyTorch's names. */
#include "weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A weight's name taken apart: what stands before it, and then either
 * (weight|bias)_(ih|hh|hr)_l<layer>[_reverse] or weight or bias. */
enum { WEIGHT_IH, WEIGHT_HH, WEIGHT_HR, BIAS_IH, BIAS_HH, WEIGHT, BIAS, NAMES };

static const char *const names[NAMES] = {"weight_ih_l", "weight_hh_l", "weight_hr_l", "bias_ih_l",
                                         "bias_hh_l",   "weight",      "bias"};

typedef struct parts {
    size_t length; /* of what stands before */
    int kind, reverse;
    size_t layer;
} parts;

/* Is `text` a name from its beginning to its end? */
static int parse_at(const char *text, parts *p) {
    for (int kind = 0; kind < NAMES; kind++) {
        const size_t start = strlen(names[kind]);
        if (strncmp(text, names[kind], start) != 0)
            continue;
        const char *const digits = text + start;
        const size_t count = strspn(digits, "0123456789");
        const char *const rest = digits + count;
        p->kind = kind;
        p->reverse = *rest != '\0';
        p->layer = 0;
        if (kind >= WEIGHT) {
            if (*digits == '\0')
                return 1;
            continue;
        }
        if (count == 0 || count > 9 || (count > 1 && *digits == '0'))
            return 0;
        p->layer = (size_t)strtoull(digits, NULL, 10);
        return *rest == '\0' || strcmp(rest, "_reverse") == 0;
    }
    return 0;
}

/* What the name ends in; no name of a weight contains another one's beginning. */
static int parse(const char *name, parts *p) {
    for (p->length = strlen(name); p->length-- > 0;)
        if ((name[p->length] == 'w' || name[p->length] == 'b') && parse_at(name + p->length, p))
            return 1;
    return 0;
}

static weight_group *find(const weight_groups *groups, const char *name, const parts *p) {
    for (size_t i = 0; i < groups->count; i++) {
        weight_group *const g = &groups->group[i];
        if (g->is_recurrent == (p->kind < WEIGHT) && g->length == p->length &&
            memcmp(g->start, name, p->length) == 0)
            return g;
    }
    return NULL;
}

static void note(weight_group *g, const parts *p, const rnnc_weight *weight) {
    if (p->layer >= g->num_layers)
        g->num_layers = p->layer + 1;
    g->bidirectional |= p->reverse;
    g->bias |= p->kind == BIAS || p->kind == BIAS_IH;
    if (p->kind == WEIGHT_HH && g->H == 0) {
        g->rows = weight->rows;
        g->H = g->S = weight->cols;
    } else if (p->kind == WEIGHT_HR) {
        g->H = weight->cols;
        g->S = weight->rows;
    }
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int weight_groups_open(weight_groups *groups, size_t count, const rnnc_weight *weight) {
    *groups = (weight_groups){.name_count = count};
    groups->name = calloc(count, sizeof *groups->name);
    groups->group = calloc(count, sizeof *groups->group); /* at most one for each weight */
    if (!groups->name || !groups->group) {
        weight_groups_close(groups);
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        groups->name[i] = weight[i].name;
        parts p;
        if (!parse(weight[i].name, &p))
            continue;
        weight_group *g = find(groups, weight[i].name, &p);
        if (!g) {
            g = &groups->group[groups->count++];
            *g = (weight_group){
                .start = weight[i].name, .length = p.length, .is_recurrent = p.kind < WEIGHT};
        }
        note(g, &p, &weight[i]);
    }
    qsort(groups->name, count, sizeof *groups->name, by_name);
    return 1;
}

void weight_groups_close(weight_groups *groups) {
    free(groups->name);
    free(groups->group);
    *groups = (weight_groups){.count = 0};
}

int weight_groups_needs(const weight_groups *groups, const char *name) {
    return bsearch(&name, groups->name, groups->name_count, sizeof name, by_name) != NULL;
}

/* The cell that has so many gates more or less, or NULL. */
static const char *other_cell(const weight_group *g, const size_t *shape) {
    static const struct {
        const char *name;
        size_t gates;
    } cells[] = {{"rnn", 1}, {"gru", 3}, {"lstm", 4}};
    for (size_t i = 0; g->H > 0 && i < 3; i++)
        if (cells[i].gates * g->H != g->rows && shape[0] == cells[i].gates * g->H)
            return cells[i].name;
    return NULL;
}

/* A recurrent matrix of another shape: the sizes with which it would be right. */
static void hint_at_sizes(const weight_group *g, const parts *p, const size_t *shape,
                          rnnc_text *text) {
    const size_t gates = g->H ? g->rows / g->H : 1, S = g->S;
    const int same_rows = shape[0] == g->rows;
    if (p->kind == WEIGHT_HH && gates == 4 && same_rows && shape[1] < g->H)
        rnnc_text_add(text, ": looks like proj_size = %zu", shape[1]);
    else if (p->kind == WEIGHT_HH && shape[1] > 0 && shape[0] == gates * shape[1])
        rnnc_text_add(text, ": looks like hidden_size = %zu", shape[1]);
    else if (p->kind == WEIGHT_HR && shape[1] == g->H)
        rnnc_text_add(text, ": looks like proj_size = %zu", shape[0]);
    else if (p->kind == WEIGHT_IH && p->layer == 0 && same_rows)
        rnnc_text_add(text, ": looks like input_size = %zu", shape[1]);
    else if (p->kind == WEIGHT_IH && same_rows && shape[1] == (g->bidirectional ? S : 2 * S))
        rnnc_text_add(text, ": looks like bidirectional = %s", g->bidirectional ? "false" : "true");
}

void weight_groups_hint(const weight_groups *groups, const rnnc_weight *weight,
                        const rnnc_tensor *tensor, rnnc_text *text) {
    const size_t *const shape = tensor->shape;
    const int is_matrix = weight->cols > 0;
    if (tensor->rank != (is_matrix ? 2 : 1))
        return;
    if (is_matrix && shape[0] == weight->cols && shape[1] == weight->rows) {
        rnnc_text_add(text, ": looks transposed");
        return;
    }
    parts p;
    const weight_group *const g = parse(weight->name, &p) ? find(groups, weight->name, &p) : NULL;
    if (!g || !g->is_recurrent)
        return;
    const char *const cell = p.kind != WEIGHT_HR && (!is_matrix || shape[1] == weight->cols)
                                 ? other_cell(g, shape)
                                 : NULL;
    if (cell)
        rnnc_text_add(text, ": looks like cell = \"%s\"", cell);
    else if (is_matrix)
        hint_at_sizes(g, &p, shape, text);
}

int weight_groups_unused(const weight_groups *groups, const char *name, const rnnc_tensor *tensor,
                         char *hint, size_t hint_size) {
    parts p;
    const weight_group *const g = parse(name, &p) ? find(groups, name, &p) : NULL;
    if (!g)
        return 0;
    if (p.layer >= g->num_layers)
        snprintf(hint, hint_size, ": looks like num_layers = %zu", p.layer + 1);
    else if (p.kind == WEIGHT_HR)
        snprintf(hint, hint_size, ": looks like proj_size = %zu",
                 tensor->rank == 2 ? tensor->shape[0] : 0);
    else if (p.reverse && !g->bidirectional)
        snprintf(hint, hint_size, ": looks like bidirectional = true");
    else if (p.kind >= BIAS_IH && p.kind != WEIGHT && !g->bias)
        snprintf(hint, hint_size, ": looks like bias = true");
    else
        return 0;
    return 1;
}
