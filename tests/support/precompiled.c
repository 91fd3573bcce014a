/* precompiled.c: see precompiled.h. */
#include "precompiled.h"
#include "process.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The folder, in the environment of the runner and so of its tests. */
static const char variable[] = "RNNC_TEST_PRECOMPILED";

enum { HEADER_SECONDS = 60 };

void precompiled_begin(void) {
    char dir[PATH_SIZE];
    if (getenv(variable))
        return;
    workdir_make(dir);
    setenv(variable, dir, 1);
}

/* Compiles folder/own/header.h, whose folder is this process's own. */
static bool compile_header(const char *words, const char *own) {
    static const char text[] = "#if defined(__x86_64__) || defined(__i386__)\n"
                               "#include <immintrin.h>\n"
                               "#endif\n";
    char path[PATH_SIZE], script[3 * PATH_SIZE];
    path_join(path, own, "header.h");
    if (!file_write(path, text, strlen(text)))
        return false;
    snprintf(script, sizeof script, "%s -x c-header header.h -o header.h.gch", words);
    const char *const argv[] = {"sh", "-c", script, NULL};
    outcome o = process_run(argv, own, NULL, HEADER_SECONDS);
    const bool ok = o.code == 0 && o.err[0] == '\0';
    outcome_free(&o);
    return ok;
}

char *precompiled_words(const char *cc, const char *flags, const char *sanitize) {
    const char *const folder = getenv(variable);
    char words[PATH_SIZE], name[PATH_SIZE], final[PATH_SIZE], own[PATH_SIZE], header[PATH_SIZE];
    char *const none = strdup("");
    /* `make coverage` has a file of counts for each unit. */
    if (!folder || strchr(folder, ' ') || counts_are_taken() ||
        snprintf(words, sizeof words, "%s %s %s", cc, flags, sanitize) >= (int)sizeof words / 2)
        return none;
    for (size_t i = 0; i <= strlen(words); i++)
        name[i] = (char)(words[i] && !isalnum((unsigned char)words[i]) ? '_' : words[i]);
    path_join(final, folder, name);
    path_join(header, final, "header.h");
    if (access(header, R_OK) != 0) {
        /* Two tests may make it at once: the first one's stays. */
        path_join(own, folder, "XXXXXX");
        if (!mkdtemp(own) || !compile_header(words, own) || rename(own, final) != 0)
            workdir_remove(own);
        if (access(header, R_OK) != 0)
            return none;
    }
    free(none);
    char *const text = malloc(sizeof "-include " + strlen(header));
    if (!text)
        abort();
    sprintf(text, "-include %s", header);
    return text;
}
