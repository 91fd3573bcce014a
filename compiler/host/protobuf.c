#include "protobuf.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* protobuf-c calls itself for messages in messages and believes that there is memory for all that
 * they ask for, so a file is walked through first. */
enum { DEPTH_MAX = 32, MESSAGES_MAX = 100000, FIELDS_MAX = 400000, FREE_MEMORY = 16 << 20 };

typedef struct scan {
    const unsigned char *data;
    size_t messages, fields;
    const char *message;
    size_t at; /* where */
} scan;

static int bad(scan *s, size_t at, const char *message) {
    s->message = message;
    s->at = at;
    return 0;
}

/* The number at *at, which moves behind it (protobuf.dev/programming-guides/encoding: seven bits a
 * byte, the lowest first). */
static int varint(scan *s, size_t *at, size_t end, uint64_t *value) {
    const size_t begin = *at;
    *value = 0;
    for (unsigned shift = 0; shift < 70 && *at < end; shift += 7) {
        const unsigned char byte = s->data[(*at)++];
        if (shift < 64)
            *value |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80))
            return 1;
    }
    return bad(s, begin, "a number that does not end");
}

/* The fields from `at` to `end` are those of a message of that type. */
static int walk(scan *s, const ProtobufCMessageDescriptor *type, size_t at, size_t end, int depth) {
    uint64_t seen = 0;
    if (depth == DEPTH_MAX)
        return bad(s, at, "messages nested deeper than 32");
    if (++s->messages > MESSAGES_MAX)
        return bad(s, at, "more than 100000 messages");
    while (at < end) {
        const size_t begin = at;
        uint64_t tag, size = 0;
        if (++s->fields > FIELDS_MAX)
            return bad(s, begin, "more than 400000 fields");
        if (!varint(s, &at, end, &tag))
            return 0;
        if (tag >> 3 == 0 || tag >> 3 > 0x1FFFFFFF)
            return bad(s, begin, "a field of no number");
        const ProtobufCFieldDescriptor *const field =
            protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3));
        switch (tag & 7) {
        case 0:
            if (!varint(s, &at, end, &size))
                return 0;
            size = 0;
            break;
        case 1:
            size = 8;
            break;
        case 2:
            if (!varint(s, &at, end, &size))
                return 0;
            break;
        case 5:
            size = 4;
            break;
        default:
            return bad(s, begin, "a field of no type that protobuf has");
        }
        if (size > end - at)
            return bad(s, begin, "a field longer than what it is in");
        if (field && field->type == PROTOBUF_C_TYPE_MESSAGE) {
            const uint64_t bit = (uint64_t)1 << ((size_t)(field - type->fields) % 64);
            if ((tag & 7) != 2)
                return bad(s, begin, "a number instead of a message");
            /* They would be merged, which takes the square of their count. */
            if (field->label != PROTOBUF_C_LABEL_REPEATED && (seen & bit))
                return bad(s, begin, "a message that is given twice");
            seen |= bit;
            if (!walk(s, field->descriptor, at, at + (size_t)size, depth + 1))
                return 0;
        }
        at += (size_t)size;
    }
    return 1;
}

/* Before each block stands its size. */
typedef union block {
    size_t size;
    max_align_t aligned;
} block;

static void *take(void *data, size_t size) {
    protobuf_memory *const memory = data;
    if (size > memory->budget - memory->used)
        return NULL;
    block *const made = malloc(sizeof *made + size);
    if (!made)
        return NULL;
    made->size = size;
    memory->used += size;
    return made + 1;
}

static void give_back(void *data, void *pointer) {
    protobuf_memory *const memory = data;
    if (!pointer)
        return;
    block *const made = (block *)pointer - 1;
    memory->used -= made->size;
    free(made);
}

ProtobufCMessage *protobuf_unpack(const ProtobufCMessageDescriptor *type, const void *data,
                                  size_t size, protobuf_memory *memory,
                                  char message[PROTOBUF_MESSAGE]) {
    scan s = {.data = data};
    *memory =
        (protobuf_memory){.allocator = {take, give_back, memory}, .budget = 2 * size + FREE_MEMORY};
    if (!walk(&s, type, 0, size, 0)) {
        snprintf(message, PROTOBUF_MESSAGE, "at byte %zu, %s", s.at, s.message);
        return NULL;
    }
    ProtobufCMessage *const made = protobuf_c_message_unpack(type, &memory->allocator, size, data);
    if (!made)
        snprintf(message, PROTOBUF_MESSAGE, "it breaks the rules of %s, or takes too much memory",
                 type->name);
    return made;
}
