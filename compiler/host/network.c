#include "network.h"

static int same_number(float a, float b) { return !(a < b || a > b); }

static int same_function(rnnc_function a, rnnc_function b) {
    return a.activation == b.activation && same_number(a.alpha, b.alpha) &&
           same_number(a.beta, b.beta);
}

static int same_config(const rnnc_config *a, const rnnc_config *b) {
    return a->cell == b->cell && a->input_size == b->input_size &&
           a->hidden_size == b->hidden_size && a->num_layers == b->num_layers &&
           a->bias == b->bias && a->bidirectional == b->bidirectional &&
           a->proj_size == b->proj_size && a->reverse == b->reverse &&
           a->reset_before == b->reset_before && a->peepholes == b->peepholes &&
           a->initial_state == b->initial_state && a->layer_norm == b->layer_norm &&
           a->norm_state == b->norm_state && same_number(a->norm_eps, b->norm_eps) &&
           same_number(a->clip, b->clip) && a->own_functions == b->own_functions &&
           (!a->own_functions ||
            (same_function(a->gate, b->gate) && same_function(a->candidate, b->candidate) &&
             same_function(a->output, b->output)));
}

static int same_layer(const rnnc_layer *a, const rnnc_layer *b) {
    if (a->kind != b->kind)
        return 0;
    if (a->kind == RNNC_RECURRENT)
        return same_config(&a->recurrent, &b->recurrent);
    return a->inputs == b->inputs && a->outputs == b->outputs &&
           (a->kind == RNNC_EMBEDDING ||
            (a->activation == b->activation && a->bias == b->bias && a->tied == b->tied &&
             a->steps == b->steps && a->last_step == b->last_step &&
             a->last_state == b->last_state && same_number(a->alpha, b->alpha) &&
             same_number(a->beta, b->beta) && a->first == b->first && a->count == b->count));
}

int network_same(const rnnc_network *a, const rnnc_network *b) {
    int same = a->layer_count == b->layer_count && a->batch_first == b->batch_first &&
               a->residual == b->residual;
    for (size_t i = 0; same && i < a->layer_count; i++)
        same = same_layer(&a->layer[i], &b->layer[i]);
    return same;
}
