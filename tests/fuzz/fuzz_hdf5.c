/* Any bytes as an HDF5 file, which a process of its own reads for each: slow, so what is made of it
 * is left to fuzz_import_keras.c. Of odd inputs every three bytes change one of a sound file, so
 * that much of what comes out is read to its end. */
#define _POSIX_C_SOURCE 200809L
#include "import.h"

#include <string.h>

enum { MOST = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char sound[MOST], bytes[MOST];
    static size_t length;
    if (length == 0) {
        FILE *const file = fopen("tests/import/keras/bidirectional.h5", "rb");
        if (!file)
            abort();
        length = fread(sound, 1, sizeof sound, file);
        fclose(file);
    }
    if (size == 0 || data[0] % 2 == 0) {
        fuzz_file("fuzz.h5", data, size);
        return 0;
    }
    memcpy(bytes, sound, length);
    for (size_t i = 1; i + 2 < size; i += 3)
        bytes[(data[i] | (size_t)data[i + 1] << 8) % length] = (char)data[i + 2];
    fuzz_file("fuzz.h5", bytes, length);
    return 0;
}
