/* model_load.c: packed weights of a generated network from a safetensors file. Apart from model.c,
 * so that programs without such files do not link the reader. */
#include "internal.h"

static rnnc_status load(const rnnc_model *model, rnnc_safetensors *file, const char *prefix,
                        float *packed, rnnc_error *error) {
    const float **tensors;
    rnnc_status status =
        rnnc_weights_load(model->weight_count, model->weight, prefix, file, &tensors, error);
    if (status == RNNC_OK) {
        status = rnnc_model_pack(model, tensors, packed);
        if (status != RNNC_OK)
            rnnc_explain(error, status, "%s: %s: %s", rnnc_safetensors_name(file), model->name,
                         rnnc_status_message(status));
        rnnc_weights_free(tensors);
    }
    rnnc_safetensors_close(file);
    return status;
}

rnnc_status rnnc_model_load(const rnnc_model *model, const char *path, const char *prefix,
                            float *packed, rnnc_error *error) {
    if (!model || !packed)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT, "model or packed is NULL");
    rnnc_status status = rnnc_model_check_abi(model, error);
    if (status != RNNC_OK)
        return status;
    rnnc_safetensors *file;
    status = rnnc_safetensors_open(path, &file, error);
    return status == RNNC_OK ? load(model, file, prefix, packed, error) : status;
}

rnnc_status rnnc_model_load_memory(const rnnc_model *model, const void *data, size_t size,
                                   const char *prefix, float *packed, rnnc_error *error) {
    if (!model || !packed)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT, "model or packed is NULL");
    rnnc_status status = rnnc_model_check_abi(model, error);
    if (status != RNNC_OK)
        return status;
    rnnc_safetensors *file;
    status = rnnc_safetensors_open_memory(data, size, &file, error);
    return status == RNNC_OK ? load(model, file, prefix, packed, error) : status;
}
