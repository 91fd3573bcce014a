/* precompiled.h: the C compiler's header of intrinsics, precompiled. Reading it takes three
 * quarters of the time that a small network's C takes, and a run of the suite compiles thousands.
 */
#ifndef TEST_PRECOMPILED_H
#define TEST_PRECOMPILED_H

/* By the runner, before its tests start: makes the folder for them, which goes when it ends. */
void precompiled_begin(void);

/* The words for a compiler `cc` with `flags` and `sanitize`, words separated by spaces, that make
 * it start with the header: "-include PATH", made by the first test that asks; "" where there is
 * none. What is compiled so must itself include what it needs, which the tests of warnings see. The
 * caller frees it. */
char *precompiled_words(const char *cc, const char *flags, const char *sanitize);

#endif
