/* The inputs of an isolated run: random ones of several kinds, or recorded ones. */
#include "isolated_inputs.h"
#include "network.h"
#include "rng.h"

#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of random inputs: within [-1, 1); from so small to so large that functions saturate; one of the
 * values of each step 1 and the others 0, the next one in the next step. Tokens are of all kinds by
 * chance, and with EACH one after the other. */
typedef enum kind { NEAR, FAR, EACH } kind;
static const char *const kinds[] = {"near", "far", "each", NULL};

/* Powers of two by which far inputs, and cell states, exceed 1 at the most. */
enum { FAR_X = 10, FAR_C = 6 };

/* Opens a buffer of floats, the tensor `name` of the recorded case or uniform in [-1, 1); with
 * powers > 0 of any size up to 2^powers. */
static rnnc_status fill(guard *buffer, size_t count, int powers, uint64_t *state,
                        const rnnc_safetensors *file, const char *name, rnnc_error *error) {
    if (guard_open(buffer, count * sizeof(float)) != 0)
        return RNNC_ERR_MEMORY;
    float *const values = (float *)(void *)buffer->data;
    if (file)
        return rnnc_safetensors_read_f32(file, name, values, count, error);
    for (size_t i = 0; i < count; i++) {
        values[i] = (float)rng_uniform(state);
        if (powers > 0) /* the first one in any case */
            values[i] =
                ldexpf(values[i], i == 0 ? powers : (int)rng_below(state, (uint64_t)powers + 1));
    }
    return RNNC_OK;
}

/* Opens x with one 1 in each row, of all columns in turns. */
static rnnc_status fill_one_hot(guard *buffer, size_t rows, size_t width, uint64_t *state) {
    if (guard_open(buffer, rows * width * sizeof(float)) != 0)
        return RNNC_ERR_MEMORY;
    float *const values = (float *)(void *)buffer->data;
    const size_t first = rng_below(state, width);
    for (size_t row = 0; row < rows; row++)
        for (size_t i = 0; i < width; i++)
            values[row * width + i] = i == (first + row) % width;
    return RNNC_OK;
}

/* Element i of a tensor of integers, I32 or I64; one that does not fit becomes -1, which is no
 * token. */
static int32_t integer_at(const rnnc_entry *entry, size_t i, size_t size) {
    const unsigned char *const from = entry->tensor.data;
    int32_t narrow;
    int64_t wide;
    if (size == 4) {
        memcpy(&narrow, from + 4 * i, 4);
        return narrow;
    }
    memcpy(&wide, from + 8 * i, 8);
    return wide >= 0 && wide <= INT32_MAX ? (int32_t)wide : -1;
}

/* The tensor `tokens` of a recorded case. Which tokens there may be is for forward to find out. */
static rnnc_status read_tokens(const rnnc_safetensors *file, int32_t *to, size_t count,
                               rnnc_error *error) {
    const rnnc_entry *entry;
    size_t at = 0;
    while ((entry = rnnc_safetensors_get(file, at)) != NULL && strcmp(entry->name, "tokens") != 0)
        at++;
    const size_t size = entry && strcmp(entry->dtype, "I32") == 0   ? 4
                        : entry && strcmp(entry->dtype, "I64") == 0 ? 8
                                                                    : 0;
    if (entry && size && entry->size == count * size) {
        for (size_t i = 0; i < count; i++)
            to[i] = integer_at(entry, i, size);
        return RNNC_OK;
    }
    float *const values = malloc((count + 1) * sizeof *values);
    rnnc_status status = values ? RNNC_OK : RNNC_ERR_MEMORY;
    if (status == RNNC_OK)
        status = rnnc_safetensors_read_f32(file, "tokens", values, count, error);
    for (size_t i = 0; status == RNNC_OK && i < count; i++)
        to[i] = values[i] >= 0 && values[i] < 0x1p31f ? (int32_t)values[i] : -1;
    free(values);
    return status;
}

static rnnc_status fill_tokens(isolated_run *t, size_t vocabulary, kind k, uint64_t *state,
                               const rnnc_safetensors *file, rnnc_error *error) {
    const size_t count = t->seq_len * t->batch;
    if (guard_open(&t->tokens, count * sizeof(int32_t)) != 0)
        return RNNC_ERR_MEMORY;
    int32_t *const tokens = (int32_t *)(void *)t->tokens.data;
    if (file)
        return read_tokens(file, tokens, count, error);
    const size_t first = rng_below(state, vocabulary);
    for (size_t i = 0; i < count; i++)
        tokens[i] = (int32_t)(k == EACH ? (first + i) % vocabulary : rng_below(state, vocabulary));
    return RNNC_OK;
}

/* The option `lengths`: a list, or true for a random number of steps for each sequence; of several,
 * the longest and the shortest are there. Nothing if it is false. */
static rnnc_status fill_lengths(lua_State *L, isolated_run *t, uint64_t *state) {
    const int type = lua_getfield(L, 1, "lengths");
    const int wanted = lua_toboolean(L, -1);
    if (wanted && guard_open(&t->lengths, t->batch * sizeof(size_t)) != 0)
        return RNNC_ERR_MEMORY;
    size_t *const lengths = (size_t *)(void *)t->lengths.data;
    for (size_t b = 0; wanted && b < t->batch; b++) {
        lengths[b] = 1 + rng_below(state, t->seq_len);
        if (type == LUA_TTABLE) {
            lua_rawgeti(L, -1, (lua_Integer)b + 1);
            lengths[b] = (size_t)luaL_checkinteger(L, -1);
            lua_pop(L, 1);
        }
    }
    if (wanted && type != LUA_TTABLE && t->batch > 1) {
        lengths[t->batch / 2] = t->seq_len;
        lengths[t->batch / 2 - 1] = 1;
    }
    lua_pop(L, 1);
    return RNNC_OK;
}

static rnnc_status fill_x(isolated_run *t, const rnnc_network_sizes *sizes, kind k, uint64_t *state,
                          const rnnc_safetensors *recorded, rnnc_error *error) {
    const size_t rows = t->seq_len * t->batch;
    if (sizes->vocabulary)
        return fill_tokens(t, sizes->vocabulary, k, state, recorded, error);
    if (k == EACH && !recorded)
        return fill_one_hot(&t->x, rows, sizes->input, state);
    return fill(&t->x, rows * sizes->input, k == FAR ? FAR_X : 0, state, recorded, "x", error);
}

rnnc_status isolated_open_inputs(lua_State *L, isolated_run *t, const rnnc_network_sizes *sizes,
                                 const rnnc_safetensors *recorded, rnnc_error *error) {
    uint64_t state = network_size_field(L, 1, "seed");
    const int initial = network_flag_field(L, 1, "initial");
    lua_getfield(L, 1, "inputs");
    const kind k = (kind)luaL_checkoption(L, -1, "near", kinds);
    lua_pop(L, 1);
    rnnc_status status = fill_x(t, sizes, k, &state, recorded, error);
    if (status == RNNC_OK && initial && sizes->h)
        status = fill(&t->h0, t->batch * sizes->h, 0, &state, recorded, "h0", error);
    if (status == RNNC_OK && initial && sizes->c)
        status =
            fill(&t->c0, t->batch * sizes->c, k == FAR ? FAR_C : 0, &state, recorded, "c0", error);
    if (status == RNNC_OK)
        status = fill_lengths(L, t, &state);
    return status;
}
