@ -- What copies and clears memory: of a C library, or of a program that has none.
@ if freestanding then
/* Compilers call these two by themselves, so every program has them. */
#ifdef __cplusplus
extern "C" {
#endif
void *memcpy(void *to, const void *from, size_t count);
void *memset(void *to, int value, size_t count);
#ifdef __cplusplus
}
#endif
@ else
#include <string.h>
@ end
