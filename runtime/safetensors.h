/* safetensors.h: a safetensors file between the one who opens it and the one who reads its header.
 * The format: u64 length of the header, the header (a JSON object), then the tensors' bytes. */
#ifndef RNNC_SAFETENSORS_H
#define RNNC_SAFETENSORS_H

#include "internal.h"

/* Some 20,000 tensors. The format's own limit is 50 times as much; a file made for it takes 40 s
 * and 5 GB to read. At 2 MB the worst takes 0.3 s and 80 MB. */
#define RNNC_HEADER_LIMIT 2000000u

typedef struct rnnc_pair {
    const char *key, *value;
} rnnc_pair;

struct rnnc_safetensors {
    const char *name; /* for messages */
    const unsigned char *data;
    size_t size;
    size_t count, meta_count;
    rnnc_entry *entry;          /* by place in the file */
    const rnnc_entry **by_name; /* sorted by name */
    rnnc_pair *meta;
    unsigned char *owned; /* the bytes, to be freed; or NULL */
};

/* Fills in count, entry, by_name and meta from the header at file->data. What it allocated belongs
 * to the file, after a failure too. */
RNNC_HIDDEN rnnc_status rnnc_safetensors_parse(rnnc_safetensors *file, rnnc_error *error);
/* The tensor whose name is prefix and then name; NULL if there is none. */
RNNC_HIDDEN const rnnc_entry *rnnc_safetensors_lookup(const rnnc_safetensors *file,
                                                      const char *prefix, const char *name);

#endif
