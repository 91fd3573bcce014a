@ -- NAME.c: the network.
@ -- p: the plan; head: the opening comment; found: see targets.lua; run_parameters: of a target's run; entries: C text
@ if p.form.inline then
/* ---- the implementation ----------------------------------------------------------------------- */

#ifdef __clang__
#if defined(__i386__) || defined(__x86_64__)
#pragma float_control(push)
#endif
#elif defined(__GNUC__)
#pragma GCC push_options
#endif
@ else
@{head}
@ end
#ifdef RNNC_NETWORK_IN_THIS_UNIT
#error "two generated networks in one translation unit: compile each .c file by itself, out of unity builds"
#endif
#define RNNC_NETWORK_IN_THIS_UNIT
@ if found.only_x86 then
#if !defined(__x86_64__) || !defined(__GNUC__)
#error "@{p.name}.c is for x86-64 and gcc or clang: generate it with target = \"portable\""
#endif
@ end
@ include("precise.c", { only_x86 = found.only_x86 })
@ if not p.form.inline then
#include "@{p.name}.h"
#ifndef @{p.upper}_HEADER_@{header_hash}
#error "@{p.name}.h and @{p.name}.c are not of one run of rnnc: compile the network again"
#endif
@ end

@ if found.libm then
#include <math.h>
@ end
#include <stdint.h>
@ include("memory.c", { freestanding = p.form.freestanding or false })
@ if found.guarded then

#if defined(__x86_64__) && defined(__GNUC__)
#define VECTORS_X86
#define VECTORS_SSE2
#include <immintrin.h>
#elif defined(__SSE2__)
#define VECTORS_SSE2
#include <emmintrin.h>
#endif
@ elseif found.only_x86 then
#include <immintrin.h>
@ elseif not p.form.freestanding then

#ifdef __SSE2__
#define VECTORS_SSE2
#include <emmintrin.h>
#endif
@ end

#ifdef __cplusplus
#define RESTRICT
#else
#define RESTRICT restrict
#endif
@ put(weights_declaration)
@ if found.teams then
@ include("team.c", { parameters = run_parameters, barriers = found.barriers, only_x86 = found.barriers_x86 })
@ end
@ for _, target in ipairs(found.list) do
@ local v = target.v

/* ---- @{v.target} @{rep("-", 100 - 11 - #v.target)} */
@ if target.only_x86 then
#ifdef VECTORS_X86
@ end

@ include(v.prelude, v)

@ include("functions.c", { v = v })
@ put(target.programs)
@ if target.only_x86 then
#endif
@ end
@ end

/* ---- the network @{rep("-", 82)} */
@ put(entries)
@ if not p.form.alone then
@ include("model.c", {
@     p = p, fixed = fixed, call_arguments = call_arguments, long_call_arguments = long_call_arguments,
@     rows = model_rows, target_names = concat(target_names, ", "), weights_expression = weights_expression,
@ })
@ end
@ if p.form.inline then

#ifdef __clang__
#if defined(__i386__) || defined(__x86_64__)
#pragma float_control(pop)
#endif
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif
@ end
