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
@ put(refusal)
@ include("precise.c", { only = found.architectures.only or false })
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
@ put(includes)

#ifdef __cplusplus
#define RESTRICT
#else
#define RESTRICT restrict
#endif
@ put(weights_declaration)
@ if found.teams then
@ include("team.c", { parameters = run_parameters, barriers = found.barriers, where = found.where_barriers or false })
@ end
@ for _, target in ipairs(found.list) do

/* ---- @{target.name} @{rep("-", 100 - 11 - #target.name)} */
@ put(target.text)
@ end

/* ---- the network @{rep("-", 82)} */
@ put(entries)
@ put(model)
@ if p.form.inline then

#ifdef __clang__
#if defined(__i386__) || defined(__x86_64__)
#pragma float_control(pop)
#endif
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif
@ end
