/* host.problem, host.candidate, host.start, host.cores, host.pin */
#define _XOPEN_SOURCE 700
#include "candidate.h"
#include "conditioning.h"
#include "difference.h"
#include "host.h"
#include "network.h"
#include "pin.h"
#include "rng.h"
#include "runner.h"

#include <errno.h>
#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBLEM_TYPE "rnnc.problem"
#define RUNNER_TYPE "rnnc.runner"

static int push_failure(lua_State *L, const char *message) {
    luaL_pushfail(L);
    lua_pushstring(L, message);
    return 2;
}

/* ---- problems ---- */

static problem *check_problem(lua_State *L) { return luaL_checkudata(L, 1, PROBLEM_TYPE); }

static int free_problem(lua_State *L) {
    problem *const p = check_problem(L);
    free(p->x);
    free(p->tokens);
    free(p->y);
    free(p->hn);
    free(p->cn);
    for (int k = 0; k < CONDITIONING_OUTPUTS; k++)
        free(p->spread[k]);
    p->x = NULL;
    p->tokens = NULL;
    p->y = p->hn = p->cn = NULL;
    return 0;
}

/* Sizes are within the limits of the spec language, so that no product overflows. */
static void set_counts(problem *p, const rnnc_network_sizes *sizes) {
    p->x_count = p->seq_len * p->batch * sizes->input;
    p->y_count = (sizes->last_step ? 1 : p->seq_len) * p->batch * sizes->output;
    p->h_count = p->batch * sizes->h;
    p->c_count = p->batch * sizes->c;
}

/* problem:write(path), of a network of one recurrent layer: weights in PyTorch's order, biases
 * being zeros if there are none, then x, as floats.  [problem, path -> true | fail, message] */
static int write_problem(lua_State *L) {
    const problem *const p = check_problem(L);
    FILE *const file = fopen(luaL_checkstring(L, 2), "wb");
    if (!file)
        return push_failure(L, strerror(errno));
    const rnnc_config *const c = &p->network->layer[0].recurrent;
    const size_t none = 2 * rnnc_config_gates(c) * c->hidden_size;
    int failed = 0;
    for (size_t i = 0; i < rnnc_config_weight_count(c); i++) {
        rnnc_weight weight;
        rnnc_config_weight(c, i, &weight);
        const size_t count = weight.rows * (weight.cols ? weight.cols : 1);
        failed |= fwrite(p->tensors[i], sizeof(float), count, file) != count;
        for (size_t k = 0; !c->bias && i % 2 == 1 && k < none; k++)
            failed |= fwrite(&(float){0}, sizeof(float), 1, file) != 1;
    }
    failed |= fwrite(p->x, sizeof(float), p->x_count, file) != p->x_count;
    failed |= fclose(file) != 0;
    if (failed)
        return push_failure(L, "a temporary file cannot be written");
    lua_pushboolean(L, 1);
    return 1;
}

/* Finds p->spread, once. The weights are the problem's first user value. */
static void find_spread(lua_State *L, problem *p) {
    const size_t counts[] = {p->y_count, p->h_count, p->c_count};
    double *const right[] = {p->y, p->h_count ? p->hn : NULL, p->c_count ? p->cn : NULL};
    const rnnc_call call = {
        .seq_len = p->seq_len, .batch = p->batch, .x = p->x, .tokens = p->tokens};
    rnnc_network_sizes sizes;
    if (p->spread[0])
        return;
    rnnc_status status = rnnc_network_measure(p->network, &sizes, NULL);
    for (int k = 0; k < CONDITIONING_OUTPUTS; k++) {
        p->spread[k] = malloc((counts[k] + 1) * sizeof *p->spread[k]);
        if (!p->spread[k])
            status = RNNC_ERR_MEMORY;
    }
    lua_getiuservalue(L, 1, 1);
    if (status == RNNC_OK)
        status = conditioning_of(p->network, network_check_weights(L, -1), &call, counts, right,
                                 p->spread);
    lua_pop(L, 1);
    if (status != RNNC_OK)
        luaL_error(L, "%s", rnnc_status_message(status));
    conditioning_onwards(p->spread[0], p->y_count / (p->batch * sizes.output), p->batch,
                         sizes.output, p->network->batch_first);
}

/* The largest error of k of y, hn and cn over what it may be. */
static double excess_of(lua_State *L, problem *p, int k, size_t count, const float *got,
                        const double *wanted, double least, double spreads) {
    rnnc_network_sizes sizes;
    find_spread(L, p);
    if (rnnc_network_measure(p->network, &sizes, NULL) != RNNC_OK)
        return INFINITY;
    return conditioning_excess(count, k == 0 ? sizes.output : count, got, wanted, p->spread[k],
                               least, spreads);
}

/* problem:error(path, tolerance, spreads) -> the largest absolute error of the outputs in a file:
 * y, hn and, if they are there, cn, divided by the largest output where that is more than 1; and
 * whether it is at most `tolerance`, or `spreads` times what rounding alone does to the output.
 * Infinite for NaN, and if the file is too short.  [problem, path, tolerance, spreads -> error,
 * passes] */
static int problem_error(lua_State *L) {
    problem *const p = luaL_checkudata(L, 1, PROBLEM_TYPE);
    const double tolerance = luaL_checknumber(L, 3), spreads = luaL_checknumber(L, 4);
    FILE *const file = fopen(luaL_checkstring(L, 2), "rb");
    const size_t counts[] = {p->y_count, p->h_count, p->c_count};
    const double *const wanted[] = {p->y, p->hn, p->cn};
    double error = file ? 0 : INFINITY;
    int passes = file != NULL;
    for (int k = 0; file && k < 3 && counts[k]; k++) {
        float *const got = malloc(counts[k] * sizeof *got);
        const size_t count = got ? fread(got, sizeof *got, counts[k], file) : 0;
        const difference d =
            count == counts[k] ? difference_of(count, got, wanted[k]) : (difference){0};
        const double least = tolerance * fmax(1, d.largest);
        if (count == counts[k]) {
            error = fmax(error, d.absolute / fmax(1, d.largest));
            passes = passes && (d.absolute <= least ||
                                excess_of(L, p, k, count, got, wanted[k], least, spreads) <= 1);
        } else if (count > 0 || k == 0) {
            error = INFINITY;
            passes = 0;
        }
        free(got);
    }
    if (file)
        fclose(file);
    lua_pushnumber(L, error);
    lua_pushboolean(L, passes);
    return 2;
}

static const luaL_Reg problem_methods[] = {
    {"write", write_problem}, {"error", problem_error}, {NULL, NULL}};

/* Random x or tokens. -1 if memory is out. */
static int fill_inputs(problem *p, size_t vocabulary, uint64_t state) {
    if (vocabulary)
        p->tokens = malloc((p->x_count + 1) * sizeof *p->tokens);
    else
        p->x = malloc((p->x_count + 1) * sizeof *p->x);
    for (size_t i = 0; p->x && i < p->x_count; i++)
        p->x[i] = (float)rng_uniform(&state);
    for (size_t i = 0; p->tokens && i < p->x_count; i++)
        p->tokens[i] = (int32_t)rng_below(&state, vocabulary);
    return p->x || p->tokens ? 0 : -1;
}

/* host.problem(network (see network_read), weights, seq_len, batch, seed) -> the network with those
 * weights, random inputs, no initial state, and the outputs in double precision.
 * [network, weights, seq_len, batch, seed -> problem | fail, message] */
int host_problem(lua_State *L) {
    const network_weights *const weights = network_check_weights(L, 2);
    const uint64_t seed = (uint64_t)luaL_checkinteger(L, 5);
    rnnc_network_sizes sizes;
    lua_settop(L, 5);
    const rnnc_network *const network = network_read(L, 1, &sizes);
    problem *const p = lua_newuserdatauv(L, sizeof *p, 2);
    *p = (problem){.network = network,
                   .tensors = weights->tensors,
                   .seq_len = (size_t)luaL_checkinteger(L, 3),
                   .batch = (size_t)luaL_checkinteger(L, 4)};
    if (luaL_newmetatable(L, PROBLEM_TYPE)) {
        lua_pushcfunction(L, free_problem);
        lua_setfield(L, -2, "__gc");
        luaL_newlib(L, problem_methods);
        lua_setfield(L, -2, "__index");
    }
    lua_setmetatable(L, -2);
    /* Tensors and network stay as long as the problem. */
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, -2, 1);
    lua_pushvalue(L, 6);
    lua_setiuservalue(L, -2, 2);
    if (weights->count != sizes.weight_count)
        return luaL_error(L, "the network has other weights");
    set_counts(p, &sizes);
    p->y = malloc((p->y_count + 1) * sizeof *p->y);
    p->hn = malloc((p->h_count + 1) * sizeof *p->hn);
    p->cn = p->c_count ? malloc(p->c_count * sizeof *p->cn) : NULL;
    if (fill_inputs(p, sizes.vocabulary, seed) != 0 || !p->y || !p->hn || (p->c_count && !p->cn))
        return push_failure(L, "not enough memory for this many steps and sequences");
    const rnnc_call call = {
        .seq_len = p->seq_len, .batch = p->batch, .x = p->x, .tokens = p->tokens};
    const rnnc_status status =
        rnnc_reference_forward(network, p->tensors, &call, p->y, p->hn, p->cn);
    if (status != RNNC_OK)
        return push_failure(L, rnnc_status_message(status));
    return 1;
}

/* ---- runners ---- */

static runner *check_runner(lua_State *L) { return luaL_checkudata(L, 1, RUNNER_TYPE); }

/* runner:ask(line | nil, seconds) -> the answer, a line.
 * [runner, line | nil, seconds -> answer | fail, message] */
static int ask(lua_State *L) {
    char reply[RUNNER_LINE], message[RUNNER_LINE];
    if (runner_ask(check_runner(L), luaL_optstring(L, 2, NULL), luaL_checknumber(L, 3), reply,
                   message) != 0)
        return push_failure(L, message);
    lua_pushstring(L, reply);
    return 1;
}

static int end_runner(lua_State *L) {
    runner_end(check_runner(L));
    return 0;
}

static const luaL_Reg runner_methods[] = {{"ask", ask}, {"close", end_runner}, {NULL, NULL}};

static runner *new_runner(lua_State *L) {
    runner *const d = lua_newuserdatauv(L, sizeof *d, 0);
    *d = (runner){0};
    if (luaL_newmetatable(L, RUNNER_TYPE)) {
        lua_pushcfunction(L, end_runner);
        lua_setfield(L, -2, "__gc");
        lua_pushcfunction(L, end_runner);
        lua_setfield(L, -2, "__close");
        luaL_newlib(L, runner_methods);
        lua_setfield(L, -2, "__index");
    }
    lua_setmetatable(L, -2);
    return d;
}

/* Reads the field `cpus`, a list of CPUs for a team, if it is there. */
static size_t read_cpus(lua_State *L, int table, int cpus[RNNC_TEAM_MAX]) {
    if (lua_getfield(L, table, "cpus") == LUA_TNIL)
        return lua_pop(L, 1), 1;
    const lua_Unsigned count = lua_rawlen(L, -1);
    luaL_argcheck(L, count >= 1 && count <= RNNC_TEAM_MAX, table, "a team of 1 to 64");
    for (lua_Unsigned i = 0; i < count; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        cpus[i] = (int)luaL_checkinteger(L, -1);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return (size_t)count;
}

/* host.candidate(problem, {library=, symbol=, altered=, cpus=} or {blas=}) -> a runner with a
 * process that runs the generated or the generic network on it, with several `cpus` a team of
 * threads with one each; candidate.h has the lines. [problem, what -> runner | fail, message] */
int host_candidate(lua_State *L) {
    candidate c = {.problem = check_problem(L)};
    int cpus[RNNC_TEAM_MAX];
    lua_settop(L, 2);
    lua_getfield(L, 2, "library");
    lua_getfield(L, 2, "symbol");
    lua_getfield(L, 2, "blas");
    c.altered = network_flag_field(L, 2, "altered");
    c.threads = read_cpus(L, 2, cpus);
    c.cpus = cpus;
    c.library = luaL_optstring(L, 3, NULL);
    c.symbol = luaL_optstring(L, 4, NULL);
    c.blas = luaL_optstring(L, 5, "builtin");
    char message[RUNNER_LINE];
    runner *const d = new_runner(L);
    if (runner_start(d, NULL, candidate_serve, &c, message) != 0)
        return push_failure(L, message);
    return 1;
}

/* host.start(words) -> a runner with the program words[1], which is found in PATH.
 * [words -> runner | fail, message] */
int host_start(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    const lua_Unsigned count = lua_rawlen(L, 1);
    luaL_checkstack(L, (int)count + 8, NULL);
    char **const argv = lua_newuserdatauv(L, (count + 1) * sizeof *argv, 0);
    for (lua_Unsigned i = 0; i < count; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i + 1);
        argv[i] = (char *)luaL_checkstring(L, -1);
    }
    argv[count] = NULL;
    char message[RUNNER_LINE];
    runner *const d = new_runner(L);
    if (runner_start(d, argv, NULL, NULL, message) != 0)
        return push_failure(L, message);
    return 1;
}

/* host.cores() -> CPUs that this process may use, one of each core; the first is the one on which
 * host.pin keeps it. Empty where the system has no such call.  [ -> cpus] */
int host_cores(lua_State *L) {
    int cpus[RNNC_TEAM_MAX];
    const size_t all = pin_cores(cpus, RNNC_TEAM_MAX);
    const size_t count = all < RNNC_TEAM_MAX ? all : RNNC_TEAM_MAX;
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_pushinteger(L, cpus[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* host.pin() -> the CPU on which this process and its children run from now on, the last of those
 * that they may use; nil where the system has no such call.  [ -> cpu | nil] */
int host_pin(lua_State *L) {
    int cpu;
    luaL_pushfail(L);
    if (pin_cores(&cpu, 1) > 0 && pin_thread(cpu) == 0)
        lua_pushinteger(L, cpu);
    return 1;
}
