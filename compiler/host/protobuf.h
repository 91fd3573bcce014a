/* protobuf.h: messages of foreign files, through protobuf-c, within bounds. */
#ifndef RNNC_PROTOBUF_H
#define RNNC_PROTOBUF_H

#include <protobuf-c/protobuf-c.h>

enum { PROTOBUF_MESSAGE = 128 }; /* bytes of a message, its terminator included */

/* Memory for one unpacked message: `used` of `budget` bytes. */
typedef struct protobuf_memory {
    ProtobufCAllocator allocator;
    size_t used, budget;
} protobuf_memory;

/* Unpacks a message of that type. NULL, with what is wrong and at which byte, if it is none:
 * lengths that lie, messages nested deeper than 32 or more than 100,000 of them, 400,000 fields,
 * a single field given twice, or more memory than twice the file and 16 MB. `memory` has to live as
 * long as the message. */
ProtobufCMessage *protobuf_unpack(const ProtobufCMessageDescriptor *type, const void *data,
                                  size_t size, protobuf_memory *memory,
                                  char message[PROTOBUF_MESSAGE]);

#endif
