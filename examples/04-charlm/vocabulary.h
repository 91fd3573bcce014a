/* vocabulary.h: the characters that the model knows, a token for each. */
#ifndef VOCABULARY_H
#define VOCABULARY_H

#include <stdint.h>

enum { NEWLINE = 0, SPACE = 1 }; /* tokens; a newline ends a verse */

/* 0 .. 62. Bytes that the model does not know, digits and all that is not ASCII among them, are
 * read as a space. */
int32_t token_of(char byte);

/* The other way round; token is 0 .. 62. */
char character_of(int32_t token);

#endif
