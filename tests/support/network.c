#include "network.h"
#include "check.h"

#include <stdlib.h>
#include <string.h>

bool network_open(network *n, const spec *s, const problem *p, const char *cc, const char *flags,
                  rnnc_error *err) {
    char dir[PATH_SIZE], weights[PATH_SIZE];
    spec with_weights = *s;
    const bool built_in = s->weights_as && strcmp(s->weights_as, "c") == 0;
    with_weights.weights = built_in ? "w.safetensors" : NULL;
    *n = (network){0};
    workdir_make(dir);
    path_join(weights, dir, "w.safetensors");
    bool ok = !built_in || problem_write_weights(p, weights, s->prefix, err);
    ok = ok && generate(&with_weights, dir, err);
    if (ok)
        n->library = build_library(cc, flags, dir, NULL, err);
    workdir_remove(dir);
    ok = n->library && (n->model = library_model(n->library, s->name, err)) != NULL;
    if (ok)
        n->packed = pack_weights(n->model, p);
    else
        network_close(n);
    return ok;
}

void network_close(network *n) {
    free(n->packed);
    close_library(n->library);
    *n = (network){0};
}

spec spec_for(const problem *p, const char *name, const char *target, bool fixed_seq_len,
              bool fixed_batch, const char *weights_as) {
    return (spec){.name = name,
                  .config = p->config,
                  .seq_len = fixed_seq_len ? p->seq_len : 0,
                  .batch = fixed_batch ? p->batch : 0,
                  .target = target,
                  .weights_as = weights_as};
}
