#define _XOPEN_SOURCE 700
#include "driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_forward(FILE *out, const driver_shape *s, bool lengths) {
    const char *const suffix = lengths ? "_lengths" : "";
    fprintf(out, "rnnc_status %s_driver_forward%s(const rnnc_call *c) {\n", s->name, suffix);
    fprintf(out, "    return %s_forward%s(%s%s%s%s%s", s->name, suffix,
            s->built_in ? "" : "c->weights, ", s->fixed_seq_len ? "" : "c->seq_len, ",
            s->fixed_batch ? "" : "c->batch, ", s->tokens ? "c->tokens, " : "c->x, ",
            lengths ? "c->lengths, " : "");
    for (const char *state = s->states; *state; state++)
        fprintf(out, "c->%c0, ", *state);
    fputs("c->y, ", out);
    for (const char *state = s->states; *state; state++)
        fprintf(out, "c->%cn, ", *state);
    fputs("c->workspace);\n}\n", out);
}

static void put_step(FILE *out, const driver_shape *s) {
    const char *const name = s->name;
    fprintf(out, "size_t %s_driver_state_size(void) { return sizeof(%s_state); }\n", name, name);
    fprintf(out, "void %s_driver_state_init(void *state) { %s_state_init(state); }\n", name, name);
    fprintf(out, "void %s_driver_state_reset(void *state) { %s_state_reset(state); }\n", name,
            name);
    fprintf(out,
            "rnnc_status %s_driver_step(const float *weights, void *state, const void *x,\n"
            "                           float *y) {\n"
            "    (void)weights;\n    return %s_step(%sstate, x, y);\n}\n",
            name, name, s->built_in ? "" : "weights, ");
    fprintf(out,
            "rnnc_status %s_driver_process(const float *weights, void *state, size_t steps,\n"
            "                              const void *x, float *y) {\n"
            "    (void)weights;\n    return %s_process(%sstate, steps, x, y);\n}\n",
            name, name, s->built_in ? "" : "weights, ");
    for (const char *state = s->states; *state; state++)
        fprintf(out,
                "const float *%s_driver_state_%c(const void *state) {\n"
                "    return ((const %s_state *)state)->%c;\n}\n",
                name, *state, name, *state);
}

bool driver_write_shape(const driver_shape *s, const char *dir, rnnc_error *err) {
    char file[96], path[PATH_SIZE], *text = NULL;
    size_t size = 0;
    FILE *const out = open_memstream(&text, &size);
    if (!out)
        abort();
    fprintf(out, "#include \"%s.h\"\n", s->name);
    put_forward(out, s, false);
    if (s->lengths)
        put_forward(out, s, true);
    if (s->step)
        put_step(out, s);
    fclose(out);
    snprintf(file, sizeof file, "%s_driver.c", s->name);
    path_join(path, dir, file);
    const bool ok = file_write(path, text, size);
    free(text);
    if (!ok)
        snprintf(err->message, sizeof err->message, "cannot write %s", path);
    return ok;
}

bool driver_write(const spec *s, const char *dir, rnnc_error *err) {
    const driver_shape shape = {.name = s->name,
                                .states = s->config.cell == RNNC_LSTM ? "hc" : "h",
                                .built_in = strcmp(s->weights_as, "c") == 0,
                                .fixed_seq_len = s->seq_len != 0,
                                .fixed_batch = s->batch != 0,
                                .lengths = s->lengths,
                                .step = s->batch && !s->config.bidirectional};
    return driver_write_shape(&shape, dir, err);
}

/* dlsym gives an object pointer, which ISO C does not convert to a function's; POSIX promises that
 * the bytes are the same. */
#define FIND(member)                                                                               \
    do {                                                                                           \
        void *const symbol = library_symbol(library, name, "_driver_" #member);                    \
        memcpy(&d.member, &symbol, sizeof d.member);                                               \
    } while (0)

driver driver_open(void *library, const char *name) {
    driver d;
    FIND(forward);
    FIND(forward_lengths);
    FIND(state_size);
    FIND(state_init);
    FIND(state_reset);
    FIND(step);
    FIND(process);
    FIND(state_h);
    FIND(state_c);
    return d;
}
