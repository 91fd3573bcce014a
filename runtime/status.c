/* status.c: status codes in words, and the texts of errors. */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const messages[] = {
    [RNNC_OK] = "no error",
    [RNNC_ERR_ARGUMENT] = "an argument is null or outside its range, or x and y overlap",
    [RNNC_ERR_SHAPE] = "a tensor does not have the shape that is needed",
    [RNNC_ERR_DTYPE] = "a tensor's element type cannot be used here",
    [RNNC_ERR_OVERFLOW] = "a size is too large for this machine",
    [RNNC_ERR_MEMORY] = "out of memory",
    [RNNC_ERR_FILE] = "a file could not be opened, read or written",
    [RNNC_ERR_FORMAT] = "a file does not have the format that it should have",
    [RNNC_ERR_MISSING] = "a tensor or a library is not there",
    [RNNC_ERR_TARGET] = "the code was generated for a CPU with instructions that this one lacks",
    [RNNC_ERR_ABI] = "generated code and runtime are of different versions: generate it again",
};

const char *rnnc_status_message(rnnc_status status) {
    const size_t i = (size_t)status;
    return i < sizeof messages / sizeof messages[0] ? messages[i] : "unknown status";
}

rnnc_text rnnc_text_in(char *data, size_t size) {
    data[0] = '\0';
    return (rnnc_text){data, size, 0};
}

static void add(rnnc_text *text, const char *format, va_list arguments) {
    const size_t room = text->size - text->length;
    if (room <= 1)
        return;
    const int n = vsnprintf(text->data + text->length, room, format, arguments);
    if (n >= 0 && (size_t)n < room) {
        text->length += (size_t)n;
        return;
    }
    text->length = text->size - 1;
    memcpy(text->data + text->size - 4, "...", 4);
}

void rnnc_text_add(rnnc_text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    add(text, format, arguments);
    va_end(arguments);
}

void rnnc_explain(rnnc_error *error, rnnc_status status, const char *format, ...) {
    if (!error)
        return;
    error->status = status;
    rnnc_text text = rnnc_text_in(error->message, sizeof error->message);
    va_list arguments;
    va_start(arguments, format);
    add(&text, format, arguments);
    va_end(arguments);
}

rnnc_shown rnnc_show(const char *name) {
    rnnc_shown shown;
    rnnc_text text = rnnc_text_in(shown.text, sizeof shown.text);
    rnnc_text_add(&text, "%s", name);
    for (char *p = shown.text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    return shown;
}
