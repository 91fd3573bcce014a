/* criterion.h: as much of Criterion as tests/test_threads.c uses, in one process. `make sanitize`
 * takes it under ThreadSanitizer, which has the part of the address space in which Criterion must
 * place its arena. Tests run before main, in the order of the file, and the first failure ends it.
 */
#ifndef TSAN_CRITERION_H
#define TSAN_CRITERION_H
#pragma GCC system_header /* macros with and without messages are beyond -Wpedantic */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int criterion_passed;

static inline void criterion_check(int condition, const char *file, int line, const char *text) {
    if (condition)
        return;
    printf("%s:%d: failed: %s\n", file, line, text);
    exit(1);
}

/* Options after the name, such as .timeout, are left to the caller of the program. */
#define Test(suite, name, ...)                                                                     \
    static void suite##_##name(void);                                                              \
    __attribute__((constructor)) static void run_##suite##_##name(void) {                          \
        suite##_##name();                                                                          \
        criterion_passed++;                                                                        \
        printf("pass: %s::%s\n", #suite, #name);                                                   \
    }                                                                                              \
    static void suite##_##name(void)

#define CRITERION_FIRST(first, ...) (first)
#define cr_assert(...)                                                                             \
    criterion_check(CRITERION_FIRST(__VA_ARGS__, 0), __FILE__, __LINE__, #__VA_ARGS__)
#define cr_assert_eq(got, ...) cr_assert((got) == CRITERION_FIRST(__VA_ARGS__, 0))
#define cr_expect cr_assert
#define cr_expect_eq cr_assert_eq
#define cr_expect_str_eq(got, ...) cr_assert(!strcmp(got, CRITERION_FIRST(__VA_ARGS__, "")))

/* What several objects include is there once. */
__attribute__((weak)) int main(void) { return criterion_passed == 0; }

#endif
