/* precise.h: to be included first by what computes. Sums in the order of the file, every operation
 * rounded once, and NaN and infinities as IEEE 754 has them, whatever the command line asks for
 * (-ffast-math, -Ofast, -ffp-contract=fast). The same as in generated code. */
#ifndef RNNC_PRECISE_H
#define RNNC_PRECISE_H

#if defined(__clang__)
#if defined(__i386__) || defined(__x86_64__)
#pragma float_control(precise, on)
#elif defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#error "clang cannot switch -ffast-math off for this processor: add -fno-fast-math"
#endif
#pragma clang fp reassociate(off) contract(off)
#elif defined(__GNUC__)
#pragma GCC optimize("no-fast-math", "no-unsafe-math-optimizations", "no-associative-math")
#pragma GCC optimize("no-reciprocal-math", "no-finite-math-only", "signed-zeros")
#pragma GCC optimize("trapping-math", "fp-contract=off")
#elif defined(_MSC_VER)
#pragma float_control(precise, on)
#pragma fp_contract(off)
#elif defined(__FAST_MATH__)
#error "compile this file without -ffast-math"
#else
#pragma STDC FP_CONTRACT OFF
#endif

#endif
