/* f16 and bf16 conversions, over all 65536 bit patterns and the ties between each two of them. */
#include "rnnc.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* The value of a pattern by the definition of such formats: sign, exponent, mantissa. */
static double value_of(unsigned bits, int mantissa_bits) {
    const int exponent_bits = 15 - mantissa_bits, bias = (1 << (exponent_bits - 1)) - 1;
    const int exponent = (int)(bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
    const double mantissa = (double)(bits & ((1u << mantissa_bits) - 1));
    double value;
    if (exponent == (1 << exponent_bits) - 1)
        value = mantissa > 0 ? NAN : INFINITY;
    else if (exponent == 0)
        value = ldexp(mantissa, 1 - bias - mantissa_bits);
    else
        value = ldexp(mantissa + ldexp(1, mantissa_bits), exponent - bias - mantissa_bits);
    return bits & 0x8000u ? -value : value;
}

static void check_format(int mantissa_bits, float (*widen)(uint16_t), uint16_t (*narrow)(double)) {
    const unsigned infinity = ((1u << (15 - mantissa_bits)) - 1) << mantissa_bits;
    const unsigned quiet = 1u << (mantissa_bits - 1);
    for (unsigned bits = 0; bits < 0x10000; bits++) {
        const double want = value_of(bits, mantissa_bits);
        const float got = widen((uint16_t)bits);
        if (isnan(want)) {
            cr_assert(isnan(got), "0x%04x", bits);
            cr_assert_eq(narrow((double)got), bits | quiet, "0x%04x", bits);
            continue;
        }
        cr_assert(!((double)got != want) && !signbit(got) == !signbit(want), "0x%04x", bits);
        cr_assert_eq(narrow((double)got), bits, "0x%04x", bits);
        if ((bits & 0x7fff) >= infinity)
            continue;
        /* Between this pattern and the next one away from zero: up to the midpoint, and beyond.
         * The step beyond the largest finite value is as long as the last one. */
        const double below = (bits & 0x7fff) > 0 ? value_of(bits - 1, mantissa_bits) : 0;
        const double next =
            (bits & 0x7fff) + 1 == infinity ? 2 * want - below : value_of(bits + 1, mantissa_bits);
        const double middle = (want + next) / 2; /* exact in double */
        const unsigned even = bits & 1 ? bits + 1 : bits;
        cr_assert_eq(narrow(middle), even, "tie above 0x%04x", bits);
        cr_assert_eq(narrow(nextafter(middle, want)), bits, "below the tie above 0x%04x", bits);
        cr_assert_eq(narrow(nextafter(middle, next)), bits + 1, "above 0x%04x", bits);
    }
    cr_assert_eq(narrow(1e300), infinity);
    cr_assert_eq(narrow(-1e300), infinity | 0x8000u);
    /* A NaN whose payload has only bits that the format lacks is no infinity. */
    for (uint64_t sign = 0; sign < 2; sign++) {
        const uint64_t least = sign << 63 | 0x7ff0000000000001u;
        double nan;
        memcpy(&nan, &least, sizeof nan);
        cr_assert_eq(narrow(nan), sign << 15 | infinity | quiet);
    }
    cr_assert_eq(narrow(5e-324), 0);
    cr_assert_eq(narrow(-5e-324), 0x8000u);
}

Test(runtime_half, f16) { check_format(10, rnnc_f16_to_f32, rnnc_f64_to_f16); }
Test(runtime_half, bf16) { check_format(7, rnnc_bf16_to_f32, rnnc_f64_to_bf16); }
