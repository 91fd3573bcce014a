@ -- Arithmetic as it is written, whatever the flags of the compiler: the first lines of a generated file.
@ -- only: the row of the architecture that the file is for, with gcc or clang, or nil
/* Sums in the order of this file, every operation rounded once, and NaN and infinities as IEEE 754 has them, whatever
 * the command line asks for (-ffast-math, -Ofast, -ffp-contract=fast): adding and taking off 1.5 * 2^23 rounds, and
 * whole calls, pieces and steps have the same bits. */
#if defined(__clang__)
@ if only and only.name == "x86-64" then
#pragma float_control(precise, on)
@ else
#if defined(__i386__) || defined(__x86_64__)
#pragma float_control(precise, on)
#elif defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#error "clang cannot switch -ffast-math off in a file for this processor: add -fno-fast-math for this file"
#endif
@ end
#pragma clang fp reassociate(off) contract(off)
#elif defined(__GNUC__)
#pragma GCC optimize("no-fast-math", "no-unsafe-math-optimizations", "no-associative-math", "no-reciprocal-math")
#pragma GCC optimize("no-finite-math-only", "signed-zeros", "trapping-math", "fp-contract=off")
@ if not only then
#elif defined(_MSC_VER)
#pragma float_control(precise, on)
#pragma fp_contract(off)
#elif defined(__FAST_MATH__)
#error "compile this file without -ffast-math"
#else
#pragma STDC FP_CONTRACT OFF
@ end
#endif
