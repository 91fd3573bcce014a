#include "problem.h"
#include "oracle.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *allocate(size_t count, size_t size) {
    void *p = calloc(count ? count : 1, size);
    if (!p)
        abort();
    return p;
}

static size_t directions(const rnnc_config *config) { return config->bidirectional ? 2 : 1; }

size_t problem_x_count(const problem *p) { return p->seq_len * p->batch * p->config.input_size; }

size_t problem_y_count(const problem *p) {
    return p->seq_len * p->batch * directions(&p->config) * p->config.hidden_size;
}

size_t problem_state_count(const problem *p) {
    return p->config.num_layers * directions(&p->config) * p->batch * p->config.hidden_size;
}

size_t problem_gates(rnnc_cell cell) { return cell == RNNC_LSTM ? 4 : cell == RNNC_GRU ? 3 : 1; }

size_t problem_tensors(const rnnc_config *config) {
    const size_t norms = !config->layer_norm ? 0 : config->cell == RNNC_LSTM ? 6 : 4;
    return (config->bias ? 4u : 2u) + (config->peepholes ? 3u : 0u) + norms;
}

rnnc_weight problem_weight(const rnnc_config *config, size_t index) {
    static const char *const kind[] = {"weight_ih", "weight_hh", "bias_ih",  "bias_hh",
                                       "weight_ci", "weight_cf", "weight_co"};
    static const char *const norm[] = {"norm_weight_ih", "norm_bias_ih",  "norm_weight_hh",
                                       "norm_bias_hh",   "norm_weight_c", "norm_bias_c"};
    const size_t per_cell = problem_tensors(config);
    const size_t chain = index / per_cell, number = index % per_cell;
    const size_t which = number < 2 || config->bias ? number : number + 2;
    const size_t layer = chain / directions(config);
    const int reverse = config->bidirectional && chain % 2 == 1;
    rnnc_weight w;
    /* Cells with norms have no biases and no peepholes. */
    const bool normed = config->layer_norm && number >= 2;
    snprintf(w.name, sizeof w.name, "%s_l%zu%s", normed ? norm[number - 2] : kind[which], layer,
             reverse ? "_reverse" : "");
    const bool of_gates = normed ? number < 6 : which < 4;
    w.rows = (of_gates ? problem_gates(config->cell) : 1) * config->hidden_size;
    w.cols = which >= 2   ? 0
             : which == 1 ? config->hidden_size
             : layer == 0 ? config->input_size
                          : directions(config) * config->hidden_size;
    return w;
}

rnnc_network problem_network(const rnnc_config *config, rnnc_layer *layer) {
    *layer = (rnnc_layer){.kind = RNNC_RECURRENT, .recurrent = *config};
    return (rnnc_network){.layer_count = 1, .layer = layer, .batch_first = config->batch_first};
}

rnnc_weight *problem_weight_list(const rnnc_config *config, size_t *count) {
    *count = config->num_layers * directions(config) * (config->bias ? 4 : 2);
    rnnc_weight *const list = allocate(*count, sizeof *list);
    for (size_t i = 0; i < *count; i++)
        list[i] = problem_weight(config, i);
    return list;
}

static size_t weight_floats(const rnnc_weight *w) { return w->rows * (w->cols ? w->cols : 1); }

/* Allocates everything but the weights, for the sizes in p. */
static void allocate_sequence(problem *p, bool with_h0) {
    const bool lstm = p->config.cell == RNNC_LSTM;
    const size_t states = problem_state_count(p);
    p->x = allocate(problem_x_count(p), sizeof(float));
    p->h0 = with_h0 ? allocate(states, sizeof(float)) : NULL;
    p->c0 = with_h0 && lstm ? allocate(states, sizeof(float)) : NULL;
    p->y = allocate(problem_y_count(p), sizeof(double));
    p->hn = allocate(states, sizeof(double));
    p->cn = lstm ? allocate(states, sizeof(double)) : NULL;
}

static void free_sequence(problem *p) {
    free(p->x);
    free(p->h0);
    free(p->c0);
    free(p->lengths);
    free(p->y);
    free(p->hn);
    free(p->cn);
}

static void fill_sequence(problem *p, rng *r) {
    rng_fill(r, p->x, problem_x_count(p), 1.0f);
    if (p->h0)
        rng_fill(r, p->h0, problem_state_count(p), 1.0f);
    if (p->c0)
        rng_fill(r, p->c0, problem_state_count(p), 1.0f);
}

/* Everything allocated, nothing filled in. */
static problem problem_allocate(const rnnc_config *config, size_t seq_len, size_t batch,
                                bool with_h0) {
    problem p = {.config = *config, .seq_len = seq_len, .batch = batch};
    p.weight_count = config->num_layers * directions(config) * (config->bias ? 4 : 2);
    p.weight = allocate(p.weight_count, sizeof *p.weight);
    for (size_t i = 0; i < p.weight_count; i++) {
        const rnnc_weight w = problem_weight(config, i);
        p.weight[i] = allocate(weight_floats(&w), sizeof(float));
    }
    allocate_sequence(&p, with_h0);
    return p;
}

problem problem_make(const rnnc_config *config, size_t seq_len, size_t batch, bool with_h0,
                     rng *r) {
    problem p = problem_allocate(config, seq_len, batch, with_h0);
    const float scale = (float)(1.0 / sqrt((double)config->hidden_size));
    for (size_t i = 0; i < p.weight_count; i++) {
        const rnnc_weight w = problem_weight(config, i);
        rng_fill(r, p.weight[i], weight_floats(&w), scale);
    }
    fill_sequence(&p, r);
    return p;
}

void problem_resize(problem *p, size_t seq_len, size_t batch, bool with_h0, rng *r) {
    free_sequence(p);
    p->seq_len = seq_len;
    p->batch = batch;
    p->lengths = NULL;
    allocate_sequence(p, with_h0);
    fill_sequence(p, r);
}

size_t problem_at(const problem *p, size_t t, size_t b, size_t width) {
    return (p->config.batch_first ? b * p->seq_len + t : t * p->batch + b) * width;
}

void problem_set_lengths(problem *p, rng *r) {
    const size_t inputs = p->config.input_size;
    p->lengths = allocate(p->batch, sizeof *p->lengths);
    for (size_t b = 0; b < p->batch; b++)
        p->lengths[b] = 1 + rng_below(r, p->seq_len);
    if (p->batch > 1) {
        const size_t longest = rng_below(r, p->batch);
        p->lengths[longest] = p->seq_len;
        p->lengths[(longest + 1 + rng_below(r, p->batch - 1)) % p->batch] = 1;
    }
    for (size_t b = 0; b < p->batch; b++)
        for (size_t t = p->lengths[b]; t < p->seq_len; t++)
            for (size_t i = 0; i < inputs; i++)
                p->x[problem_at(p, t, b, inputs) + i] = NAN;
}

problem problem_one(const problem *p, size_t b) {
    const size_t inputs = p->config.input_size, hidden = p->config.hidden_size;
    problem one = {.config = p->config,
                   .seq_len = p->lengths ? p->lengths[b] : p->seq_len,
                   .batch = 1,
                   .weight_count = p->weight_count,
                   .weight = p->weight};
    allocate_sequence(&one, p->h0 != NULL);
    for (size_t t = 0; t < one.seq_len; t++)
        memcpy(one.x + t * inputs, p->x + problem_at(p, t, b, inputs), inputs * sizeof(float));
    for (size_t chain = 0; chain < p->config.num_layers * directions(&p->config); chain++) {
        const size_t from = (chain * p->batch + b) * hidden;
        if (p->h0)
            memcpy(one.h0 + chain * hidden, p->h0 + from, hidden * sizeof(float));
        if (p->c0)
            memcpy(one.c0 + chain * hidden, p->c0 + from, hidden * sizeof(float));
    }
    return one;
}

void problem_free_one(problem *one) {
    free_sequence(one);
    *one = (problem){0};
}

static void solve_one(problem *p, size_t b) {
    problem one = problem_one(p, b);
    const size_t hidden = p->config.hidden_size, width = directions(&p->config) * hidden;
    problem_solve(&one);
    for (size_t t = 0; t < p->seq_len; t++) {
        double *const y = p->y + problem_at(p, t, b, width);
        for (size_t i = 0; i < width; i++)
            y[i] = t < one.seq_len ? one.y[t * width + i] : 0.0;
    }
    for (size_t chain = 0; chain < p->config.num_layers * directions(&p->config); chain++) {
        const size_t to = (chain * p->batch + b) * hidden;
        memcpy(p->hn + to, one.hn + chain * hidden, hidden * sizeof(double));
        if (p->cn)
            memcpy(p->cn + to, one.cn + chain * hidden, hidden * sizeof(double));
    }
    problem_free_one(&one);
}

void problem_solve(problem *p) {
    for (size_t b = 0; p->lengths && b < p->batch; b++)
        solve_one(p, b);
    if (p->lengths)
        return;
    oracle_forward(&p->config, (const float *const *)p->weight, p->seq_len, p->batch, p->x, p->h0,
                   p->c0, p->y, p->hn, p->cn);
}

/* A size of the case's metadata; 0 when it is missing, which no case has. */
static size_t metadata_size(const rnnc_safetensors *file, const char *key) {
    const char *const text = rnnc_safetensors_metadata(file, key);
    return text ? (size_t)strtoul(text, NULL, 10) : 0;
}

static bool read_config(const rnnc_safetensors *file, rnnc_config *config) {
    static const char *const cells[] = {"rnn_tanh", "rnn_relu", "lstm", "gru"};
    const char *const cell = rnnc_safetensors_metadata(file, "cell");
    int index = -1;
    for (int i = 0; cell && i < 4; i++)
        if (strcmp(cell, cells[i]) == 0)
            index = i;
    *config = (rnnc_config){.cell = (rnnc_cell)index,
                            .input_size = metadata_size(file, "I"),
                            .hidden_size = metadata_size(file, "H"),
                            .num_layers = metadata_size(file, "L"),
                            .bias = metadata_size(file, "bias") == 1,
                            .batch_first = metadata_size(file, "batch_first") == 1,
                            .bidirectional = metadata_size(file, "D") == 2};
    return index >= 0 && config->input_size && config->hidden_size && config->num_layers;
}

/* Reads n floats into doubles, exactly. */
static bool read_doubles(const rnnc_safetensors *file, const char *name, double *to, size_t n,
                         rnnc_error *err) {
    float *const floats = allocate(n, sizeof *floats);
    const bool ok = rnnc_safetensors_read_f32(file, name, floats, n, err) == RNNC_OK;
    for (size_t i = 0; ok && i < n; i++)
        to[i] = (double)floats[i];
    free(floats);
    return ok;
}

/* Swaps the two outer axes of (outer, inner, width) values of `size` bytes, in place. */
static void swap_axes(void *data, size_t outer, size_t inner, size_t width, size_t size) {
    const size_t run = width * size;
    unsigned char *const from = data, *const copy = allocate(outer * inner, run);
    for (size_t i = 0; i < outer; i++)
        for (size_t j = 0; j < inner; j++)
            memcpy(copy + (j * outer + i) * run, from + (i * inner + j) * run, run);
    memcpy(data, copy, outer * inner * run);
    free(copy);
}

static void flip_batch_first(problem *p) {
    const size_t outer = p->config.batch_first ? p->batch : p->seq_len;
    const size_t inner = p->config.batch_first ? p->seq_len : p->batch;
    swap_axes(p->x, outer, inner, p->config.input_size, sizeof(float));
    swap_axes(p->y, outer, inner, directions(&p->config) * p->config.hidden_size, sizeof(double));
    p->config.batch_first = !p->config.batch_first;
}

/* "4 9 1" to lengths, one for each sequence; false if there are too few or too many. */
static bool read_lengths(const char *text, problem *p) {
    p->lengths = allocate(p->batch, sizeof *p->lengths);
    for (size_t b = 0; b < p->batch; b++) {
        char *end;
        p->lengths[b] = (size_t)strtoul(text, &end, 10);
        if (end == text || p->lengths[b] == 0 || p->lengths[b] > p->seq_len)
            return false;
        text = end;
    }
    return *text == '\0';
}

static bool read_tensors(const rnnc_safetensors *file, problem *p, rnnc_error *err) {
    const size_t states = problem_state_count(p);
    const char *const lengths = rnnc_safetensors_metadata(file, "lengths");
    if (lengths && !read_lengths(lengths, p)) {
        snprintf(err->message, sizeof err->message, "%s: lengths \"%s\"",
                 rnnc_safetensors_name(file), lengths);
        return false;
    }
    for (size_t i = 0; i < p->weight_count; i++) {
        const rnnc_weight w = problem_weight(&p->config, i);
        if (rnnc_safetensors_read_f32(file, w.name, p->weight[i], weight_floats(&w), err))
            return false;
    }
    if (rnnc_safetensors_read_f32(file, "x", p->x, problem_x_count(p), err) ||
        (p->h0 && rnnc_safetensors_read_f32(file, "h0", p->h0, states, err)) ||
        !read_doubles(file, "y", p->y, problem_y_count(p), err) ||
        !read_doubles(file, "hn", p->hn, states, err))
        return false;
    return p->config.cell != RNNC_LSTM ||
           ((!p->c0 || rnnc_safetensors_read_f32(file, "c0", p->c0, states, err) == RNNC_OK) &&
            read_doubles(file, "cn", p->cn, states, err));
}

bool problem_read(const char *path, bool flip, problem *p, rnnc_error *err) {
    rnnc_safetensors *file;
    if (rnnc_safetensors_open(path, &file, err))
        return false;
    rnnc_config config;
    const size_t seq_len = metadata_size(file, "T"), batch = metadata_size(file, "B");
    bool ok = read_config(file, &config) && seq_len && batch;
    if (!ok) {
        snprintf(err->message, sizeof err->message, "%s: no sizes in the metadata", path);
    } else {
        const char *const states = rnnc_safetensors_metadata(file, "states");
        *p = problem_allocate(&config, seq_len, batch, !states || strcmp(states, "0") != 0);
        ok = read_tensors(file, p, err);
        if (!ok)
            problem_free(p);
        else if (flip)
            flip_batch_first(p);
    }
    rnnc_safetensors_close(file);
    return ok;
}

bool problem_write_weights(const problem *p, const char *path, const char *prefix,
                           rnnc_error *err) {
    char(*names)[128] = allocate(p->weight_count, sizeof *names);
    const char **name = allocate(p->weight_count, sizeof *name);
    rnnc_tensor *tensors = allocate(p->weight_count, sizeof *tensors);
    rnnc_status status = RNNC_OK;
    for (size_t i = 0; i < p->weight_count && !status; i++) {
        const rnnc_weight w = problem_weight(&p->config, i);
        const size_t shape[2] = {w.rows, w.cols};
        snprintf(names[i], sizeof names[i], "%s%s", prefix ? prefix : "", w.name);
        name[i] = names[i];
        status = rnnc_tensor_make(&tensors[i], RNNC_F32, w.cols ? 2 : 1, shape, p->weight[i],
                                  weight_floats(&w) * sizeof(float));
    }
    if (!status)
        status = rnnc_safetensors_write(path, p->weight_count, name, tensors, 0, NULL, NULL, err);
    free(tensors);
    free(name);
    free(names);
    return status == RNNC_OK;
}

void problem_free(problem *p) {
    for (size_t i = 0; i < p->weight_count; i++)
        free(p->weight[i]);
    free(p->weight);
    free_sequence(p);
    *p = (problem){0};
}
