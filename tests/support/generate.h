/* generate.h: from a spec to a network that can be called: rnnc, a C compiler, dlopen.
 *
 * Settings from the environment: RNNC, the compiler under test (build/rnnc); RNNC_TEST_CC, the C
 * compiler where a test does not name one. When the tests themselves run under a sanitizer, the
 * networks are compiled with the same one. */
#ifndef TEST_GENERATE_H
#define TEST_GENERATE_H

#include "../../runtime/rnnc.h"
#include "process.h"

typedef struct spec {
    const char *name;
    rnnc_config config;
    size_t seq_len, batch;  /* 0: "any" */
    const char *target;     /* one name, or several with commas between */
    const char *weights;    /* a safetensors file, or NULL */
    const char *prefix;     /* or NULL */
    const char *weights_as; /* "c", "blob", "none", or NULL: the default */
    double dropout;
    bool lengths, deterministic;
    bool fast;      /* activation = "fast" */
    size_t threads; /* 0: not said */
} spec;

/* The spec in Lua, and in one line for messages; the caller frees it. */
char *spec_text(const spec *s);
char *spec_line(const spec *s);

/* The executable under test, as an absolute path. */
const char *rnnc_path(void);

/* Writes dir/NAME.lua and runs `rnnc compile` on it with output in dir. */
bool generate(const spec *s, const char *dir, rnnc_error *err);

/* The same for a spec in Lua; weights_as as in `spec`. */
bool generate_text(const char *name, const char *text, const char *weights_as, const char *dir,
                   rnnc_error *err);

/* Runs `cc flags... -I(runtime) sources... -o output -lm` in `dir`, words separated by spaces; only
 * compiles, with -c, if the output is called *.o. cc NULL: the default. False, with the compiler's
 * words, if it fails or prints anything. */
bool compile_c(const char *cc, const char *flags, const char *dir, const char *sources,
               const char *output, rnnc_error *err);

/* Compiles `sources` in dir (NULL: all its C files, in one shared library), and opens the result.
 * NULL if that fails. close_library also accepts NULL. */
void *build_library(const char *cc, const char *flags, const char *dir, const char *sources,
                    rnnc_error *err);
void close_library(void *library);

/* The compiler that the tests use for generated code unless a test names another, and whether a
 * sanitizer is on, so that only it will do. */
const char *default_cc(void);
bool sanitized(void);

/* Symbol SUFFIX of network NAME (SUFFIX "_model", ...), or NULL. */
void *library_symbol(void *library, const char *name, const char *suffix);

/* NAME_model, or NULL with a message. */
const rnnc_model *library_model(void *library, const char *name, rnnc_error *err);

/* Whether this CPU runs code for a target ("scalar", "portable", "avx2", "avx512"). */
bool target_runs(const char *target);

/* What compiler/tables/functions.lua promises of a function: its largest error in units of the last
 * place, and besides, times |x| between 1 and 8. 0 where it says nothing; aborts if there is no
 * such function. */
double promised_ulps(const char *function);
double promised_absolute(const char *function);

#endif
