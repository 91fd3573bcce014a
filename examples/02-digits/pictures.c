#include "pictures.h"

#include <stdio.h>
#include <string.h>

enum { WIDTH = 18 }; /* columns of a picture: two for each pixel, and two between pictures */

static void print_trimmed(const char *line) {
    size_t length = strlen(line);
    while (length > 0 && line[length - 1] == ' ')
        length--;
    printf("%.*s\n", (int)length, line);
}

void print_pictures(const float *const images[], char captions[][16], int count) {
    static const char *const shades[] = {"  ", "░░", "▒▒", "▓▓", "██"}; /* 3 bytes a letter */
    for (int row = 0; row < 8; row++) {
        char line[ABREAST * 3 * WIDTH + 1] = "", *end = line;
        for (int i = 0; i < count; i++) {
            end += sprintf(end, "  ");
            for (int column = 0; column < 8; column++)
                end += sprintf(end, "%s", shades[(int)(images[i][8 * row + column] * 4 + 0.5F)]);
        }
        print_trimmed(line);
    }
    char line[ABREAST * WIDTH + 1] = "";
    for (int i = 0; i < count; i++)
        sprintf(line + (size_t)WIDTH * (size_t)i, "  %-16s", captions[i]);
    print_trimmed(line);
}
