/* precompiled.c: see precompiled.h. */
#include "precompiled.h"
#include "process.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* Puts a file with `text` at `path`, of which clang's precompiled form knows place and time: once.
 */
static bool write_once(const char *path, const char *own, const char *text) {
    if (access(path, R_OK) == 0)
        return true;
    const bool there =
        file_write(own, text, strlen(text)) && (link(own, path) == 0 || errno == EEXIST);
    unlink(own);
    return there;
}

/* Compiles folder/header.h. Two tests may do it at once: each has its own name for what it makes.
 */
static bool compile_header(const char *words, const char *folder) {
    static const char text[] = "#if defined(__x86_64__) || defined(__i386__)\n"
                               "#include <immintrin.h>\n"
                               "#endif\n";
    char header[PATH_SIZE], done[PATH_SIZE], own[PATH_SIZE], name[32], script[3 * PATH_SIZE];
    path_join(header, folder, "header.h");
    path_join(done, folder, "header.h.gch");
    snprintf(name, sizeof name, "%ld", (long)getpid());
    path_join(own, folder, name);
    if ((mkdir(folder, 0700) != 0 && errno != EEXIST) || !write_once(header, own, text))
        return false;
    snprintf(script, sizeof script, "%s -x c-header %s -o %s", words, header, own);
    const char *const argv[] = {"sh", "-c", script, NULL};
    outcome o = process_run(argv, NULL, NULL, HEADER_SECONDS);
    const bool ok = o.code == 0 && o.err[0] == '\0' && rename(own, done) == 0;
    outcome_free(&o);
    return ok;
}

char *precompiled_words(const char *cc, const char *flags, const char *sanitize) {
    const char *const folder = getenv(variable);
    char words[PATH_SIZE], name[PATH_SIZE], final[PATH_SIZE], header[PATH_SIZE], done[PATH_SIZE];
    char *const none = strdup("");
    /* `make coverage` has a file of counts for each unit. */
    if (!folder || strchr(folder, ' ') || counts_are_taken() ||
        snprintf(words, sizeof words, "%s %s %s", cc, flags, sanitize) >= (int)sizeof words / 2)
        return none;
    for (size_t i = 0; i <= strlen(words); i++)
        name[i] = (char)(words[i] && !isalnum((unsigned char)words[i]) ? '_' : words[i]);
    path_join(final, folder, name);
    path_join(header, final, "header.h");
    path_join(done, final, "header.h.gch");
    if (access(done, R_OK) != 0 && !compile_header(words, final))
        return none;
    free(none);
    char *const text = malloc(sizeof "-include " + strlen(header));
    if (!text)
        abort();
    sprintf(text, "-include %s", header);
    return text;
}
