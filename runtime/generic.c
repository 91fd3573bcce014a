/* generic.c: any network at run time, in float on BLAS: layer by layer over all steps. */
#include "generic.h"

#include <string.h>

/* The workspace, in floats from its start. */
typedef struct areas {
    size_t gates, hidden, state, first, fresh; /* see generic_run; the largest of all layers */
    size_t flow[2];                            /* what flows from layer to layer, in turn */
    size_t copy;                               /* of x, see copies_x */
    size_t total;
} areas;

/* The largest of what layers need. */
typedef struct needs {
    size_t gates, hidden, units, width;
    size_t producers; /* layers, each of a stack counted by itself */
} needs;

static void at_least(size_t *most, size_t value) { *most = value > *most ? value : *most; }

/* The network is valid. */
static needs needs_of(const rnnc_network *network) {
    needs n = {.gates = 0};
    for (size_t i = 0; i < network->layer_count; i++) {
        const rnnc_layer *const layer = &network->layer[i];
        at_least(&n.width, rnnc_layer_outputs(layer));
        n.producers += layer->kind == RNNC_RECURRENT ? layer->recurrent.num_layers : 1;
        if (layer->kind != RNNC_RECURRENT)
            continue;
        const rnnc_cell_row *const cell = rnnc_cell_find(layer->recurrent.cell);
        const size_t sums = cell->gates * layer->recurrent.hidden_size;
        at_least(&n.gates, sums);
        at_least(&n.hidden, cell->separate || layer->recurrent.layer_norm ? sums : 0);
        at_least(&n.units, layer->recurrent.hidden_size);
    }
    return n;
}

static int take(size_t *end, size_t a, size_t b, size_t *begin) {
    size_t size;
    *begin = *end;
    return rnnc_mul(a, b, &size) && rnnc_add(*end, size, end);
}

/* Is x copied where y takes its place? Of one layer in both directions one would read what the
 * other has written. */
static int copies_x(const rnnc_network *network, const rnnc_network_sizes *sizes) {
    const rnnc_config *const first = &network->layer[0].recurrent;
    return network->layer_count == 1 && first->num_layers == 1 && first->bidirectional &&
           sizes->input == sizes->output;
}

static int divide_workspace(const rnnc_network *network, const rnnc_network_sizes *sizes, size_t T,
                            size_t B, areas *w) {
    const needs n = needs_of(network);
    /* The last layer writes to y itself, unless x is still to be added. */
    const size_t between = n.producers - (network->residual ? 0 : 1);
    size_t rows, end = 0;
    return rnnc_mul(T, B, &rows) && take(&end, rows, n.gates, &w->gates) &&
           take(&end, between > 0 ? rows : 0, n.width, &w->flow[0]) &&
           take(&end, between > 1 ? rows : 0, n.width, &w->flow[1]) &&
           take(&end, copies_x(network, sizes) ? rows : 0, sizes->input, &w->copy) &&
           take(&end, B, n.hidden, &w->hidden) && take(&end, B, n.units, &w->state) &&
           take(&end, B, n.units, &w->first) && take(&end, B, n.units, &w->fresh) &&
           take(&end, 1, 0, &w->total) && end <= (SIZE_MAX - sizeof(float)) / sizeof(float);
}

size_t rnnc_generic_workspace_size(const rnnc_network *network, size_t seq_len, size_t batch) {
    areas w;
    rnnc_network_sizes sizes;
    if (rnnc_network_measure(network, &sizes, NULL) != RNNC_OK ||
        rnnc_generic_prepared_count(network) == 0 ||
        !divide_workspace(network, &sizes, seq_len, batch, &w))
        return 0;
    return w.total * sizeof(float) + sizeof(float); /* any alignment: room to round up */
}

/* A call as a group of sequences sees it. */
typedef struct group {
    const rnnc_network *network;
    const rnnc_call *call;
    const rnnc_network_sizes *sizes;
    size_t first; /* the sequence with which it begins */
    generic_run run;
    float *flow[2];
    const float *in;       /* what the next layer reads, */
    size_t ld_in;          /* and the floats from row to row of it */
    generic_flow y;        /* the group's first row */
    size_t h, c, producer; /* floats of states and layers that are done */
} group;

/* Where the next layer puts its values, of which there are `width`. */
static generic_flow next_flow(group *g, size_t width, size_t producers) {
    const size_t number = g->producer++;
    return number + 1 == producers && !g->network->residual
               ? g->y
               : (generic_flow){g->flow[number & 1], width};
}

static const float *at(const float *states, size_t offset) {
    return states ? states + offset : NULL;
}

static float *into(float *states, size_t offset) { return states ? states + offset : NULL; }

/* Returns what follows the layer's prepared weights. */
static const float *run_recurrent(group *g, const rnnc_config *config, const float *prepared,
                                  size_t producers) {
    const size_t directions = config->bidirectional ? 2 : 1;
    const rnnc_call *const call = g->call;
    for (size_t layer = 0; layer < config->num_layers; layer++) {
        const size_t S = rnnc_config_state(config);
        const generic_flow out = next_flow(g, directions * S, producers);
        for (size_t d = 0; d < directions; d++) {
            generic_chain c;
            prepared += generic_lay_out(config, layer, prepared, &c);
            const size_t h = g->h + g->first * c.S, cell = g->c + g->first * c.H;
            const generic_flow half = {out.data + d * S, out.ld};
            generic_run_chain(&g->run, &c, d == 1 || config->reverse, g->in, g->ld_in, half,
                              at(call->h0, h), at(call->c0, cell), into(call->hn, h),
                              into(call->cn, cell));
            g->h += call->batch * c.S;
            g->c += c.cell->states > 1 ? call->batch * c.H : 0;
        }
        g->in = out.data;
        g->ld_in = out.ld;
    }
    return prepared;
}

static void embed(const group *g, const rnnc_layer *layer, const float *table, generic_flow out) {
    const generic_run *const r = &g->run;
    const size_t T = g->call->seq_len, B = g->call->batch, width = layer->outputs;
    for (size_t t = 0; t < r->T; t++)
        for (size_t b = 0; b < r->B; b++) {
            const size_t all = g->first + b;
            const int32_t token =
                g->call->tokens[g->network->batch_first ? all * T + t : t * B + all];
            memcpy(out.data + (t * r->row_t + b * r->row_b) * out.ld, table + (size_t)token * width,
                   width * sizeof *table);
        }
}

/* y = what the last layer gave + x, the group's rows: of x the first values of each row, as many
 * as `residual` says. x may be y. */
static void add_input(const group *g, const float *x, size_t ld_x) {
    const size_t added = g->network->residual;
    for (size_t i = 0; i < g->run.T * g->run.B; i++)
        for (size_t k = 0; k < g->sizes->output; k++)
            g->y.data[i * g->y.ld + k] =
                g->in[i * g->ld_in + k] + (k < added ? x[i * ld_x + k] : 0);
}

/* Into the last step's rows what the reverse direction gave for the first one: then they are the
 * last states of all directions. The layer is recurrent, and what it put out is read once more
 * only. */
static void gather_states(const group *g, const rnnc_layer *layer) {
    const size_t S = rnnc_layer_reverse(layer), ld = g->ld_in;
    float *const rows = g->flow[(g->producer - 1) & 1] + (rnnc_layer_outputs(layer) - S);
    for (size_t b = 0; S > 0 && g->run.T > 1 && b < g->run.B; b++)
        memcpy(rows + ((g->run.T - 1) * g->run.row_t + b * g->run.row_b) * ld,
               rows + b * g->run.row_b * ld, S * sizeof *rows);
}

/* Runs the group's sequences, whose rows of x begin at `x`, ld_x floats apart. */
static void run_group(group *g, const float *x, size_t ld_x) {
    const rnnc_network *const network = g->network;
    const size_t producers = needs_of(network).producers;
    g->in = x;
    g->ld_in = ld_x;
    const float *prepared = g->call->weights;
    size_t rows = g->run.T * g->run.B;
    for (size_t i = 0; i < network->layer_count; i++) {
        const rnnc_layer *const layer = &network->layer[i];
        if (layer->kind == RNNC_RECURRENT) {
            prepared = run_recurrent(g, &layer->recurrent, prepared, producers);
            continue;
        }
        if (layer->kind != RNNC_EMBEDDING && layer->last_state)
            gather_states(g, layer - 1);
        const generic_flow out = next_flow(g, layer->outputs, producers);
        if (layer->kind == RNNC_EMBEDDING) {
            embed(g, layer, prepared, out);
        } else if (layer->kind == RNNC_ACTIVATION) {
            generic_run_activation(&g->run, layer, prepared, rows, g->in, g->ld_in, out);
        } else {
            const int ends = rnnc_layer_once(layer) && g->run.T > 0 && rows != g->run.B;
            const size_t skipped = ends && rnnc_layer_steps(layer) == 1 ? g->run.T - 1 : 0;
            const float *const in = g->in + skipped * g->run.row_t * g->ld_in;
            const size_t ld_in = ends ? g->run.row_b * g->ld_in : g->ld_in;
            rows = ends ? g->run.B : rows;
            if (rnnc_layer_merges(layer))
                generic_run_merge(layer, rows, in, ld_in, out);
            else
                generic_run_dense(&g->run, layer, prepared, rows, in, ld_in,
                                  g->run.row_t * g->ld_in, out);
        }
        prepared += generic_table_count(layer);
        g->in = out.data;
        g->ld_in = out.ld;
    }
    if (network->residual)
        add_input(g, x, ld_x);
    if (g->sizes->last_step && g->run.T == 0)
        memset(g->y.data, 0, g->run.B * g->y.ld * sizeof *g->y.data);
}

/* Each sequence alone, at its own length, and zeros behind it in y. */
static void run_lengths(const group *all) {
    const rnnc_call *const call = all->call;
    const size_t T = call->seq_len, B = call->batch, I = all->sizes->input, O = all->sizes->output;
    const int batch_first = all->network->batch_first;
    for (size_t b = 0; b < B; b++) {
        group one = *all;
        const size_t row = batch_first ? b * T : b, next = batch_first ? 1 : B;
        one.first = b;
        one.run.T = call->lengths[b];
        one.run.B = one.run.row_t = one.run.row_b = 1;
        one.y = all->sizes->last_step ? (generic_flow){call->y + b * O, O}
                                      : (generic_flow){call->y + row * O, next * O};
        run_group(&one, call->x ? call->x + row * I : NULL, next * I);
        for (size_t t = call->lengths[b]; t < T && !all->sizes->last_step; t++)
            memset(call->y + (row + t * next) * O, 0, O * sizeof *call->y);
    }
}

/* Do x and y overlap where they may not? See rnnc_call. */
static int overlaps(const rnnc_network_sizes *sizes, const rnnc_call *call) {
    const size_t rows = call->seq_len * call->batch;
    const size_t x_size = rows * sizes->input * sizeof(float);
    const size_t y_size = (sizes->last_step ? call->batch : rows) * sizes->output * sizeof(float);
    const uintptr_t x = sizes->vocabulary ? (uintptr_t)call->tokens : (uintptr_t)call->x;
    const uintptr_t y = (uintptr_t)call->y;
    if (x == y && !sizes->vocabulary && !sizes->last_step && sizes->input == sizes->output)
        return 0;
    return x < y + y_size && y < x + x_size;
}

rnnc_status rnnc_generic_forward(const rnnc_network *network, const rnnc_blas *blas,
                                 const rnnc_call *call) {
    rnnc_network_sizes sizes;
    rnnc_status status = rnnc_network_measure(network, &sizes, NULL);
    if (status == RNNC_OK)
        status = rnnc_call_check(network, &sizes, call);
    if (status != RNNC_OK)
        return status;
    const int has_y = call->batch > 0 && (call->seq_len > 0 || sizes.last_step);
    if (!call->weights || (has_y && !call->y) || !call->workspace || overlaps(&sizes, call))
        return RNNC_ERR_ARGUMENT;
    areas w;
    if (!divide_workspace(network, &sizes, call->seq_len, call->batch, &w))
        return RNNC_ERR_OVERFLOW;
    const uintptr_t past = (uintptr_t)call->workspace % sizeof(float);
    float *const space =
        (float *)(void *)((char *)call->workspace + (past ? sizeof(float) - past : 0));
    const size_t T = call->seq_len, B = call->batch;
    rnnc_call copied = *call;
    if (call->x && call->x == call->y && copies_x(network, &sizes)) {
        memcpy(space + w.copy, call->x, T * B * sizes.input * sizeof *call->x);
        copied.x = space + w.copy;
    }
    group all = {
        .network = network,
        .call = &copied,
        .sizes = &sizes,
        .run = {.blas = blas ? blas : rnnc_blas_current(),
                .kernels = rnnc_kernels_best(),
                .T = T,
                .B = B,
                .row_t = network->batch_first ? 1 : B,
                .row_b = network->batch_first ? T : 1,
                .gates = space + w.gates,
                .hidden = space + w.hidden,
                .state = space + w.state,
                .first = space + w.first,
                .fresh = space + w.fresh},
        .flow = {space + w.flow[0], space + w.flow[1]},
        .y = {call->y, sizes.output},
    };
    if (call->lengths)
        run_lengths(&all);
    else
        run_group(&all, copied.x, sizes.input);
    return RNNC_OK;
}
