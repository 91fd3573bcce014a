/* message.h: text that may come from anybody's file, on its way to a terminal. */
#ifndef RNNC_MESSAGE_H
#define RNNC_MESSAGE_H

#include <stddef.h>
#include <stdio.h>

enum { MESSAGE_LINE = 4000 }; /* bytes of a line of a message */

/* Writes `size` bytes of text as UTF-8 without control characters, so that no file can steer a
 * terminal: whatever else is in there appears as \xNN, byte by byte. Line feeds and tabs stay. Of a
 * line with more than `most` bytes the rest is left out and said to be. */
void message_put(FILE *stream, const char *text, size_t size, size_t most);

#endif
