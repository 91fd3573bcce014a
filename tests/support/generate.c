#define _XOPEN_SOURCE 700
#include "generate.h"
#include "activation.h"
#include "precompiled.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZE_FLAGS "-fsanitize=address,undefined -fno-sanitize-recover=undefined"
#elif __has_feature(thread_sanitizer)
#define SANITIZE_FLAGS "-fsanitize=thread"
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZE_FLAGS "-fsanitize=address,undefined -fno-sanitize-recover=undefined"
#elif defined(__SANITIZE_THREAD__)
#define SANITIZE_FLAGS "-fsanitize=thread"
#endif
#ifndef SANITIZE_FLAGS
#define SANITIZE_FLAGS ""
#endif

#ifdef __clang__
#define OWN_CC "clang"
#else
#define OWN_CC "gcc"
#endif

enum { COMMAND_WORDS = 512, CC_SECONDS = 300, RNNC_SECONDS = 60 };

static void fail(rnnc_error *err, const char *format, ...) {
    va_list args;
    va_start(args, format);
    err->status = RNNC_ERR_ARGUMENT;
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
}

bool sanitized(void) { return SANITIZE_FLAGS[0] != '\0'; }

const char *default_cc(void) {
    const char *const cc = getenv("RNNC_TEST_CC");
    return sanitized() ? OWN_CC : cc && *cc ? cc : "cc";
}

bool target_runs(const char *target) {
    if (strcmp(target, "scalar") == 0 || strcmp(target, "portable") == 0)
        return true;
#if defined(__x86_64__) || defined(__i386__)
    __builtin_cpu_init();
    if (strcmp(target, "avx2") == 0)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (strcmp(target, "avx512") == 0)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
#elif defined(__aarch64__)
    if (strcmp(target, "neon") == 0)
        return true;
#endif
    return false;
}

/* ---- specs ---- */

/* "any", or the number. */
static const char *size_text(size_t n, char text[32]) {
    snprintf(text, 32, n ? "%zu" : "\"any\"", n);
    return text;
}

/* Appends `{ "a", "b" }` for "a,b", or `"a"` for one name. */
static void put_targets(FILE *out, const char *target) {
    if (!strchr(target, ',')) {
        fprintf(out, "\"%s\"", target);
        return;
    }
    fputs("{ \"", out);
    for (const char *p = target; *p; p++)
        *p == ',' ? fputs("\", \"", out) : fputc(*p, out);
    fputs("\" }", out);
}

static char *spec_print(const spec *s, const char *separator) {
    static const char *const cells[] = {"rnn", "rnn", "lstm", "gru"};
    char *text = NULL, batch[32], seq_len[32];
    size_t size = 0;
    FILE *const out = open_memstream(&text, &size);
    if (!out)
        abort();
    const rnnc_config *const c = &s->config;
    fprintf(out, "return rnn {%sname = \"%s\",%scell = \"%s\",%s", separator, s->name, separator,
            cells[c->cell], separator);
    fprintf(out, "input_size = %zu, hidden_size = %zu, num_layers = %zu,%s", c->input_size,
            c->hidden_size, c->num_layers, separator);
    fprintf(out, "bias = %s, batch_first = %s, bidirectional = %s, dropout = %g",
            c->bias ? "true" : "false", c->batch_first ? "true" : "false",
            c->bidirectional ? "true" : "false", s->dropout);
    activation_put_functions(out, c);
    fprintf(out, ",%s", separator);
    if (s->weights)
        fprintf(out, "weights = \"%s\",%s", s->weights, separator);
    if (s->prefix)
        fprintf(out, "prefix = \"%s\",%s", s->prefix, separator);
    fprintf(out, "batch = %s, seq_len = %s,%starget = ", size_text(s->batch, batch),
            size_text(s->seq_len, seq_len), separator);
    put_targets(out, s->target);
    if (s->lengths)
        fprintf(out, ",%slengths = true", separator);
    if (s->threads)
        fprintf(out, ",%sthreads = %zu", separator, s->threads);
    if (s->deterministic)
        fprintf(out, ",%sdeterministic = true", separator);
    if (s->fast)
        fprintf(out, ",%sactivation = \"fast\"", separator);
    fprintf(out, ",%s}", separator[0] == '\n' ? "\n" : " ");
    fclose(out);
    return text;
}

char *spec_text(const spec *s) { return spec_print(s, "\n  "); }

char *spec_line(const spec *s) { return spec_print(s, " "); }

/* ---- running rnnc and the C compiler ---- */

const char *rnnc_path(void) {
    static char path[4096];
    const char *const name = getenv("RNNC");
    const char *const given = name && *name ? name : "build/rnnc";
    return realpath(given, path) ? path : given;
}

/* Whether TEXT is notes of the compiler only ("NAME.lua:1: note: ..."), or nothing. */
static bool notes_only(const char *text) {
    while (*text) {
        const size_t line = strcspn(text, "\n");
        const char *const note = strstr(text, ": note: ");
        if (!note || note > text + line)
            return false;
        text += line + (text[line] == '\n');
    }
    return true;
}

bool generate_text(const char *name, const char *text, const char *weights_as, const char *dir,
                   rnnc_error *err) {
    char source[PATH_SIZE], as[64], file[64];
    snprintf(file, sizeof file, "%s.lua", name);
    snprintf(as, sizeof as, "--weights-as=%s", weights_as ? weights_as : "");
    path_join(source, dir, file);
    if (!file_write(source, text, strlen(text))) {
        fail(err, "cannot write %s", source);
        return false;
    }
    const char *const argv[] = {rnnc_path(), "compile", file, "-o", ".", weights_as ? as : NULL,
                                NULL};
    outcome o = process_run(argv, dir, NULL, RNNC_SECONDS);
    const bool ok = o.code == 0 && notes_only(o.err);
    if (!ok)
        fail(err, "rnnc compile: exit code %d\n%s", o.code, o.err);
    outcome_free(&o);
    return ok;
}

bool generate(const spec *s, const char *dir, rnnc_error *err) {
    char *const text = spec_text(s);
    const bool ok = generate_text(s->name, text, s->weights_as, dir, err);
    free(text);
    return ok;
}

/* Splits text at spaces into argv, from *n on. */
static void add_words(const char *argv[COMMAND_WORDS], size_t *n, char *text) {
    char *rest = NULL;
    for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        if (*n + 8 >= COMMAND_WORDS)
            abort();
        argv[(*n)++] = word;
    }
}

bool compile_c(const char *cc, const char *flags, const char *dir, const char *sources,
               const char *output, rnnc_error *err) {
    char runtime[4096], include[4200], sanitize[] = SANITIZE_FLAGS;
    if (!realpath("runtime", runtime)) {
        fail(err, "no runtime/ here: run the tests from the top of the tree");
        return false;
    }
    snprintf(include, sizeof include, "-I%s", runtime);
    char *const flag_words = strdup(flags), *const source_words = strdup(sources);
    char compiler[64];
    if (!flag_words || !source_words)
        abort();
    const char *argv[COMMAND_WORDS];
    const size_t length = strlen(output);
    const bool object = length > 2 && strcmp(output + length - 2, ".o") == 0;
    size_t n = 0;
    snprintf(compiler, sizeof compiler, "%s", cc ? cc : default_cc());
    add_words(argv, &n, compiler);
    add_words(argv, &n, flag_words);
    add_words(argv, &n, sanitize);
    argv[n++] = include;
    add_words(argv, &n, source_words);
    argv[n++] = "-o";
    argv[n++] = output;
    argv[n++] = object ? "-c" : "-lm";
    argv[n] = NULL;
    outcome o = process_run(argv, dir, NULL, CC_SECONDS);
    const bool ok = o.code == 0 && o.err[0] == '\0';
    if (!ok)
        fail(err, "%s %s %s: exit code %d\n%s", cc ? cc : default_cc(), flags, sources, o.code,
             o.err);
    outcome_free(&o);
    free(flag_words);
    free(source_words);
    return ok;
}

static int is_c_file(const struct dirent *entry) {
    const size_t n = strlen(entry->d_name);
    return n > 2 && strcmp(entry->d_name + n - 2, ".c") == 0;
}

/* The C files of dir in sorted order, with spaces between; the caller frees it. */
static char *c_files(const char *dir) {
    struct dirent **entries = NULL;
    const int count = scandir(dir, &entries, is_c_file, alphasort);
    char *text = NULL;
    size_t size = 0;
    FILE *const out = open_memstream(&text, &size);
    if (!out)
        abort();
    for (int i = 0; i < count; i++) {
        fprintf(out, "%s ", entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    fclose(out);
    return text;
}

/* librnnc.a as an absolute path: NAME_pack calls the runtime. */
static bool runtime_archive(char path[4096], rnnc_error *err) {
    const char *const build = getenv("BUILD");
    char name[PATH_SIZE];
    path_join(name, build && *build ? build : "build", "librnnc.a");
    if (!realpath(name, path)) {
        fail(err, "no %s here: run the tests from the top of the tree", name);
        return false;
    }
    return true;
}

void *build_library(const char *cc, const char *flags, const char *dir, const char *sources,
                    rnnc_error *err) {
    char shared_flags[256 + PATH_SIZE], path[PATH_SIZE], archive[4096];
    if (!runtime_archive(archive, err))
        return NULL;
    snprintf(shared_flags, sizeof shared_flags, "%s -shared -fPIC", flags);
    /* Longer flags are used by one test each, for which no header is made. */
    if (!sources && strlen(flags) == strlen("-O1")) {
        char header_flags[16];
        snprintf(header_flags, sizeof header_flags, "%s -fPIC", flags);
        char *const header =
            precompiled_words(cc ? cc : default_cc(), header_flags, SANITIZE_FLAGS);
        snprintf(shared_flags, sizeof shared_flags, "%s -shared -fPIC %s", flags, header);
        free(header);
    }
    char *const found = sources ? NULL : c_files(dir);
    const char *const from = found ? found : sources;
    char *const inputs = malloc(strlen(from) + strlen(archive) + 2);
    if (!inputs)
        abort();
    sprintf(inputs, "%s %s", from, archive);
    path_join(path, dir, "network.so");
    void *library = NULL;
    if (compile_c(cc, shared_flags, dir, inputs, "network.so", err)) {
        library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (!library)
            fail(err, "dlopen: %s", dlerror());
    }
    free(inputs);
    free(found);
    return library;
}

void close_library(void *library) {
    if (library)
        dlclose(library);
}

void *library_symbol(void *library, const char *name, const char *suffix) {
    char symbol[256];
    snprintf(symbol, sizeof symbol, "%s%s", name, suffix);
    return dlsym(library, symbol);
}

const rnnc_model *library_model(void *library, const char *name, rnnc_error *err) {
    const rnnc_model *const model = library_symbol(library, name, "_model");
    if (!model)
        fail(err, "no symbol %s_model", name);
    return model;
}

/* functions.of(NAME).FIELD, 0 where it is not there. */
static double promised(const char *function, const char *field) {
    char script[256];
    const char *const lua = getenv("LUA");
    snprintf(script, sizeof script,
             "package.path = 'compiler/?.lua' print(require 'tables.functions'.of '%s'.%s or 0)",
             function, field);
    const char *const argv[] = {lua ? lua : "lua5.4", "-e", script, NULL};
    outcome o = process_run(argv, NULL, NULL, 60);
    if (o.code != 0) {
        fprintf(stderr, "no %s of %s: %s%s\n", field, function, o.out, o.err);
        abort();
    }
    const double value = atof(o.out);
    outcome_free(&o);
    return value;
}

double promised_ulps(const char *function) { return promised(function, "ulps"); }

double promised_absolute(const char *function) { return promised(function, "absolute"); }
