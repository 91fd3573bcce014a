/* model.c: the door to generated networks for programs that drive any of them. */
#include "internal.h"

rnnc_status rnnc_model_check_abi(const rnnc_model *model, rnnc_error *error) {
    if (model->abi == RNNC_ABI)
        return RNNC_OK;
    return rnnc_fail(error, RNNC_ERR_ABI,
                     "the model was generated for version %u of the interface, the library has "
                     "%u: generate it again",
                     (unsigned)model->abi, (unsigned)RNNC_ABI);
}

rnnc_status rnnc_model_pack(const rnnc_model *model, const float *const *tensors, float *packed) {
    if (!model || !tensors || !packed)
        return RNNC_ERR_ARGUMENT;
    rnnc_status status = rnnc_model_check_abi(model, NULL);
    if (status == RNNC_OK)
        status = rnnc_pack_check(model->pack_count, model->pack, model->packed_count,
                                 model->weight_count, model->weight, NULL);
    if (status == RNNC_OK)
        status = rnnc_pack(model->pack_count, model->pack, model->packed_count, tensors, packed);
    return status;
}

static int has_sizes(const rnnc_model *model, size_t seq_len, size_t batch) {
    return (model->seq_len == 0 || model->seq_len == seq_len) &&
           (model->batch == 0 || model->batch == batch);
}

size_t rnnc_model_workspace_size(const rnnc_model *model, size_t seq_len, size_t batch) {
    if (!model || model->abi != RNNC_ABI || !has_sizes(model, seq_len, batch))
        return 0;
    return model->workspace_size(seq_len, batch);
}

rnnc_status rnnc_model_forward(const rnnc_model *model, const rnnc_call *call, rnnc_error *error) {
    if (!model || !call)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT, "model or call is NULL");
    rnnc_status status = rnnc_model_check_abi(model, error);
    if (status != RNNC_OK)
        return status;
    if (!has_sizes(model, call->seq_len, call->batch))
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "%s was called with seq_len %zu and batch %zu; it was generated for "
                         "seq_len %zu and batch %zu, where 0 stands for any",
                         model->name, call->seq_len, call->batch, model->seq_len, model->batch);
    const int reads_tokens = model->network.layer[0].kind == RNNC_EMBEDDING;
    if (call->lengths && !model->lengths)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "%s was called with lengths; generate it with lengths = true",
                         model->name);
    const int some = call->seq_len > 0 && call->batch > 0; /* else x and y may be NULL */
    const char *const null =
        some && reads_tokens && !call->tokens                                       ? "tokens"
        : some && !reads_tokens && !call->x                                         ? "x"
        : some && !call->y                                                          ? "y"
        : !call->weights && !model->built_in                                        ? "weights"
        : !call->workspace && model->workspace_size(call->seq_len, call->batch) > 0 ? "workspace"
                                                                                    : NULL;
    if (null)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT, "%s was called with %s NULL", model->name, null);
    status = model->forward(call);
    if (status != RNNC_OK)
        rnnc_explain(error, status, "%s (%s): %s", model->name, model->target,
                     rnnc_status_message(status));
    return status;
}
