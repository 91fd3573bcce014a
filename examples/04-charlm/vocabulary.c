#include "vocabulary.h"

#include <string.h>

/* In the order of the tokens; train.py has the same. There is no X in the text. */
static const char vocabulary[] = "\n !'(),-.:;?ABCDEFGHIJKLMNOPQRSTUVWYZabcdefghijklmnopqrstuvwxyz";

int32_t token_of(char byte) {
    const char *place = memchr(vocabulary, byte, sizeof vocabulary - 1);
    return place ? (int32_t)(place - vocabulary) : SPACE;
}

char character_of(int32_t token) { return vocabulary[token]; }
