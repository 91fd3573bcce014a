/* network.c: what compare.h asks for, of the network in net.h. */
#include "compare.h"
#include "net.h"

#if RNNC_ABI < 10
#define latency handover /* what it was called in older trees */
#endif

#include <stdlib.h>

compare_measure net_measure;
compare_weight net_weight;
compare_open net_open;
compare_run net_run;
compare_close net_close;

typedef struct opened {
    rnnc_call call;
    float *packed;
    void *workspace;
    rnnc_team *team;
} opened;

int net_measure(facts *f) {
    rnnc_network_sizes s;
    const rnnc_status status = rnnc_network_measure(&net_model.network, &s, NULL);
    if (status == RNNC_OK)
        *f = (facts){.input = s.input,
                     .output = s.output,
                     .h = s.h,
                     .c = s.c,
                     .vocabulary = s.vocabulary,
                     .weights = net_model.weight_count,
                     .seq_len = net_model.seq_len,
                     .batch = net_model.batch,
                     .threads = net_model.threads,
                     .last_step = s.last_step,
                     .lengths = net_model.lengths};
    return (int)status;
}

void net_weight(size_t index, size_t *rows, size_t *cols) {
    *rows = net_model.weight[index].rows;
    *cols = net_model.weight[index].cols;
}

void net_close(void *what) {
    opened *const o = what;
    if (o->team)
        rnnc_team_destroy(o->team);
    free(o->packed);
    free(o->workspace);
    free(o);
}

void *net_open(const request *v) {
    opened *const o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    const size_t room = (net_model.packed_count * sizeof(float) + 127) / 64 * 64;
    o->packed = aligned_alloc(64, room);
    o->workspace = malloc(net_model.workspace_size(v->seq_len, v->batch));
    if (!o->packed || !o->workspace ||
        rnnc_model_pack(&net_model, v->tensors, o->packed) != RNNC_OK ||
        (v->team && rnnc_team_create(net_model.threads, &o->team, NULL) != RNNC_OK)) {
        net_close(o);
        return NULL;
    }
    if (o->team)
        o->team->latency = 0; /* divided, however far the cores are */
    o->call = (rnnc_call){.weights = o->packed,
                          .seq_len = v->seq_len,
                          .batch = v->batch,
                          .tokens = v->tokens,
                          .lengths = v->lengths,
                          .x = v->x,
                          .h0 = v->h0,
                          .c0 = v->c0,
                          .y = v->y,
                          .hn = v->hn,
                          .cn = v->cn,
                          .workspace = o->workspace,
                          .team = o->team};
    return o;
}

int net_run(void *what) {
    opened *const o = what;
    return (int)net_model.forward(&o->call);
}
