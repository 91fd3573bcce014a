/* fuzz_safetensors.c: any bytes as a safetensors file: refused with a message, or every tensor of
 * it can be read, found and checked. The bytes lie in an allocation of their exact size. */
#include "rnnc.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition) {
    if (!condition)
        abort();
}

static void touch(const rnnc_safetensors *file, const rnnc_entry *entry) {
    rnnc_tensor found;
    size_t count;
    require(rnnc_safetensors_find(file, entry->name, &found) == RNNC_OK);
    require(found.data == entry->tensor.data);
    require(rnnc_tensor_count(&entry->tensor, &count) == RNNC_OK);
    volatile unsigned char sum = 0;
    for (size_t i = 0; i < entry->size; i++)
        sum = (unsigned char)(sum + ((const unsigned char *)entry->tensor.data)[i]);
    if (entry->tensor.dtype == RNNC_OPAQUE)
        return;
    float *const values = malloc((count + 1) * sizeof *values);
    require(values != NULL);
    require(rnnc_safetensors_read_f32(file, entry->name, values, count, NULL) == RNNC_OK);
    free(values);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rnnc_safetensors *file = NULL;
    rnnc_error error = {.message = ""}, unused;
    unsigned char *const bytes = malloc(size ? size : 1);
    require(bytes != NULL);
    if (size)
        memcpy(bytes, data, size);
    const rnnc_status status = rnnc_safetensors_open_memory(bytes, size, &file, &error);
    if (status != RNNC_OK) {
        require(file == NULL && error.status == status && error.message[0] != '\0');
    } else {
        const rnnc_entry *entry;
        for (size_t i = 0; (entry = rnnc_safetensors_get(file, i)) != NULL; i++)
            touch(file, entry);
        rnnc_safetensors_metadata(file, "key");
        const rnnc_config config = {RNNC_LSTM, 1, 2, 2, 1, 0, 1, 1};
        rnnc_weight list[21] = {{"head.weight", 2, 1}};
        size_t count = 1;
        while (rnnc_config_weight(&config, count - 1, &list[count]) == RNNC_OK)
            count++;
        const float **tensors;
        rnnc_weights_check(count, list, "", file, &unused, &error);
        if (rnnc_weights_load(count, list, "", file, &tensors, &error) == RNNC_OK)
            rnnc_weights_free(tensors);
    }
    rnnc_safetensors_close(file);
    free(bytes);
    return 0;
}
