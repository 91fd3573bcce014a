/* blob.c: packed weights as a file that can be mapped and used in place. */
#include "internal.h"

#include <string.h>

static const char magic[8] = {'R', 'N', 'N', 'C', 'B', 'L', 'O', 'B'};

void rnnc_blob_header(uint64_t fingerprint, uint64_t packed_count,
                      unsigned char header[RNNC_BLOB_HEADER_SIZE]) {
    const uint32_t abi = RNNC_ABI;
    memset(header, 0, RNNC_BLOB_HEADER_SIZE);
    memcpy(header, magic, sizeof magic);
    memcpy(header + 8, &abi, sizeof abi);
    memcpy(header + 16, &fingerprint, sizeof fingerprint);
    memcpy(header + 24, &packed_count, sizeof packed_count);
}

rnnc_status rnnc_model_blob(const rnnc_model *model, const void *blob, size_t blob_size,
                            const float **packed, rnnc_error *error) {
    if (!model || !blob || !packed)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT, "model, blob or packed is NULL");
    const rnnc_status status = rnnc_model_check_abi(model, error);
    if (status != RNNC_OK)
        return status;
    if ((uintptr_t)blob % sizeof(float) != 0)
        return rnnc_fail(error, RNNC_ERR_ARGUMENT,
                         "blob is not aligned to 4 bytes: map or allocate it on its own");
    unsigned char expected[RNNC_BLOB_HEADER_SIZE];
    rnnc_blob_header(model->fingerprint, model->packed_count, expected);
    const unsigned char *const header = blob;
    if (blob_size < sizeof expected || memcmp(header, magic, sizeof magic) != 0)
        return rnnc_fail(error, RNNC_ERR_FORMAT,
                         "not a blob of weights: it has to begin with RNNCBLOB and a header of %d "
                         "bytes; give the file that --weights-as=blob wrote",
                         RNNC_BLOB_HEADER_SIZE);
    if (memcmp(header + 8, expected + 8, 4) != 0)
        return rnnc_fail(error, RNNC_ERR_ABI,
                         "the blob and the library are not of the same version: "
                         "generate blob and code again");
    if (memcmp(header, expected, sizeof expected) != 0)
        return rnnc_fail(error, RNNC_ERR_FORMAT,
                         "the blob belongs to another model or target than %s (%s): generate it "
                         "in the same run as the code",
                         model->name, model->target);
    size_t bytes;
    if (!rnnc_mul(model->packed_count, sizeof(float), &bytes) ||
        blob_size - sizeof expected != bytes)
        return rnnc_fail(error, RNNC_ERR_FORMAT,
                         "the blob has %zu bytes of weights where %zu floats are needed: it was "
                         "truncated or added to",
                         blob_size - sizeof expected, model->packed_count);
    *packed = (const float *)(const void *)(header + sizeof expected);
    return RNNC_OK;
}
