#include "message.h"

/* The bytes of the character of UTF-8 at the beginning of `size` bytes, and its number; 0 if there
 * is none: a byte that begins nothing, too few of them, a longer form than needed, a surrogate. */
static size_t decode(const unsigned char *at, size_t size, unsigned long *number) {
    static const unsigned long least[] = {0, 0, 0x80, 0x800, 0x10000};
    const size_t length = at[0] < 0x80             ? 1
                          : (at[0] & 0xe0) == 0xc0 ? 2
                          : (at[0] & 0xf0) == 0xe0 ? 3
                          : (at[0] & 0xf8) == 0xf0 ? 4
                                                   : 0;
    if (length == 0 || length > size)
        return 0;
    *number = length == 1 ? at[0] : at[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        *number = *number << 6 | (at[i] & 0x3f);
    }
    const int surrogate = *number >= 0xd800 && *number <= 0xdfff;
    return *number < least[length] || *number > 0x10ffff || surrogate ? 0 : length;
}

/* Controls, and the characters that turn the direction of what is read. */
static int steers(unsigned long number) {
    return (number < 0x20 && number != '\n' && number != '\t') ||
           (number >= 0x7f && number <= 0x9f) || number == 0x200e || number == 0x200f ||
           (number >= 0x2028 && number <= 0x202e) || (number >= 0x2066 && number <= 0x2069);
}

void message_put(FILE *stream, const char *text, size_t size, size_t most) {
    size_t in_line = 0;
    for (size_t i = 0; i < size;) {
        const unsigned char *const at = (const unsigned char *)text + i;
        unsigned long number;
        const size_t length = decode(at, size - i, &number);
        const size_t taken = length ? length : 1;
        if (*at == '\n') {
            if (in_line > most)
                fprintf(stream, "... (%zu bytes more)", in_line - most);
            in_line = 0;
        }
        if (in_line + taken <= most) {
            if (length && !steers(number))
                fwrite(at, 1, length, stream);
            else
                for (size_t k = 0; k < taken; k++)
                    fprintf(stream, "\\x%02x", at[k]);
        } else if (in_line <= most) {
            /* What is left out begins with this character, whole. */
            in_line = most;
        }
        in_line += *at == '\n' ? 0 : taken;
        i += taken;
    }
    if (in_line > most)
        fprintf(stream, "... (%zu bytes more)", in_line - most);
}
