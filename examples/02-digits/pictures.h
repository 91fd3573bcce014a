/* pictures.h: images as text. */
#ifndef PICTURES_H
#define PICTURES_H

enum { ABREAST = 4 }; /* pictures that fit beside each other in 72 columns */

/* Prints `count` (up to ABREAST) images side by side, each (8, 8) with values from 0 (white) to 1
 * (black), and a caption of up to 15 letters below each. */
void print_pictures(const float *const images[], char captions[][16], int count);

#endif
