/* weights.h: what a list of weights tells of the layers that they belong to, for messages about
 * files that do not hold them. */
#ifndef RNNC_WEIGHTS_H
#define RNNC_WEIGHTS_H

#include "safetensors.h"

/* The weights of a layer: those whose names begin alike. */
typedef struct weight_group {
    const char *start; /* what stands before weight_ih_l0, or before weight; not terminated */
    size_t length;
    int is_recurrent, bias, bidirectional;
    size_t num_layers;
    size_t rows; /* G*H */
    size_t H, S; /* units; values of the state */
} weight_group;

typedef struct weight_groups {
    size_t count, name_count;
    weight_group *group;
    const char **name; /* sorted */
} weight_groups;

/* Finds the layers of a list, which has to stay in place. 0 if memory is out. */
RNNC_HIDDEN int weight_groups_open(weight_groups *groups, size_t count, const rnnc_weight *weight);
RNNC_HIDDEN void weight_groups_close(weight_groups *groups);

/* Is there a weight of that name in the list? */
RNNC_HIDDEN int weight_groups_needs(const weight_groups *groups, const char *name);

/* Adds what a tensor that is there with another shape would be right for, or nothing. */
RNNC_HIDDEN void weight_groups_hint(const weight_groups *groups, const rnnc_weight *weight,
                                    const rnnc_tensor *tensor, rnnc_text *text);

/* 1 if a tensor that is not in the list belongs to one of its layers, which therefore is another
 * than the file's; `hint` is then ": " and the field that would use it. */
RNNC_HIDDEN int weight_groups_unused(const weight_groups *groups, const char *name,
                                     const rnnc_tensor *tensor, char *hint, size_t hint_size);

#endif
