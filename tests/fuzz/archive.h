/* archive.h: a zip archive of stored members, sound but for what its members hold. */
#ifndef FUZZ_ARCHIVE_H
#define FUZZ_ARCHIVE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct archive_member {
    const char *name;
    const void *bytes;
    size_t size;
} archive_member;

/* The polynomial of zip's CRC-32, bit by bit (APPNOTE 4.4.7). */
static uint32_t archive_checksum(const void *bytes, size_t size) {
    const uint8_t *const data = bytes;
    uint32_t crc = ~(uint32_t)0;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320U : 0);
    }
    return ~crc;
}

static void archive_put(FILE *out, uint32_t value, int bytes) {
    for (int i = 0; i < bytes; i++)
        fputc((int)(value >> 8 * i & 255), out);
}

/* A stored member, and its entry of the directory. */
static void archive_add(FILE *out, FILE *directory, const archive_member *member) {
    const uint32_t at = (uint32_t)ftell(out), size = (uint32_t)member->size;
    const uint32_t crc = archive_checksum(member->bytes, member->size);
    archive_put(out, 0x04034b50, 4);
    archive_put(directory, 0x02014b50, 4);
    archive_put(directory, 20, 2);
    FILE *const both[] = {out, directory};
    for (int i = 0; i < 2; i++) {
        archive_put(both[i], 20, 4);
        archive_put(both[i], 0, 4);
        archive_put(both[i], 33, 2);
        archive_put(both[i], crc, 4);
        archive_put(both[i], size, 4);
        archive_put(both[i], size, 4);
        archive_put(both[i], (uint32_t)strlen(member->name), 4);
    }
    for (int i = 0; i < 5; i++)
        archive_put(directory, 0, 2);
    archive_put(directory, at, 4);
    fputs(member->name, out);
    fputs(member->name, directory);
    fwrite(member->bytes, 1, member->size, out);
}

/* The archive, allocated; *length is its size. */
static char *archive_of(const archive_member *members, uint32_t count, size_t *length) {
    char *text = NULL, *entries = NULL;
    size_t entries_size;
    FILE *const out = open_memstream(&text, length);
    FILE *const directory = open_memstream(&entries, &entries_size);
    if (!out || !directory)
        abort();
    for (uint32_t i = 0; i < count; i++)
        archive_add(out, directory, &members[i]);
    const uint32_t at = (uint32_t)ftell(out);
    fclose(directory);
    fwrite(entries, 1, entries_size, out);
    archive_put(out, 0x06054b50, 4);
    archive_put(out, 0, 4);
    archive_put(out, count, 2);
    archive_put(out, count, 2);
    archive_put(out, (uint32_t)entries_size, 4);
    archive_put(out, at, 4);
    archive_put(out, 0, 2);
    fclose(out);
    free(entries);
    return text;
}

#endif
