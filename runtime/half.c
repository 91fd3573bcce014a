/* half.c: IEEE binary16 (1 sign, 5 exponent, 10 mantissa bits) and bfloat16 (1, 8, 7) to and from
 * wider formats. */
#include "internal.h"

#include <string.h>

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

float rnnc_bf16_to_f32(uint16_t bits) { return float_of((uint32_t)bits << 16); }

float rnnc_f16_to_f32(uint16_t bits) {
    const uint32_t sign = (uint32_t)(bits & 0x8000u) << 16;
    const uint32_t exponent = (bits >> 10) & 31u, mantissa = bits & 0x3ffu;
    if (exponent == 31)
        return float_of(sign | 0x7f800000u | mantissa << 13);
    if (exponent == 0) /* zero or subnormal: a multiple of 2^-24, exact in float */
        return sign ? -(float)mantissa * 0x1p-24f : (float)mantissa * 0x1p-24f;
    return float_of(sign | (exponent + 112u) << 23 | mantissa << 13);
}

/* The bits of a double as a format of 16 bits with so many of mantissa. Straight from double,
 * because going through float would round twice. */
static uint16_t narrow(double value, int mantissa_bits) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    const int exponent_bits = 15 - mantissa_bits, bias = (1 << (exponent_bits - 1)) - 1;
    const uint32_t sign = (uint32_t)(bits >> 63) << 15;
    const uint32_t infinity = ((1u << exponent_bits) - 1u) << mantissa_bits;
    const uint64_t fraction = bits & 0xfffffffffffffu;
    const int exponent = (int)(bits >> 52 & 0x7ff) - 1023;
    if (exponent == 1024) {
        const uint32_t quiet = 1u << (mantissa_bits - 1);
        const uint32_t payload = (uint32_t)(fraction >> (52 - mantissa_bits));
        return (uint16_t)(sign | infinity | (fraction ? quiet | payload : 0));
    }
    if (exponent > bias)
        return (uint16_t)(sign | infinity);
    /* Shift out the bits that the format lacks; a subnormal lacks one more for each step below
     * the smallest normal exponent, and has no implicit bit. A carry out of the mantissa raises
     * the exponent, which is right even from subnormal to normal and to infinity. */
    const int below = exponent < 1 - bias ? 1 - bias - exponent : 0;
    const int shift = 52 - mantissa_bits + below;
    if (shift > 53) /* less than half the smallest subnormal; doubles' own subnormals as well */
        return (uint16_t)sign;
    const uint64_t significand = fraction | (uint64_t)1 << 52;
    uint64_t result = significand >> shift;
    const uint64_t rest = significand & (((uint64_t)1 << shift) - 1),
                   half = (uint64_t)1 << (shift - 1);
    if (rest > half || (rest == half && (result & 1)))
        result++;
    if (!below)
        result += (uint64_t)(exponent + bias - 1) << mantissa_bits;
    return (uint16_t)(sign | (uint32_t)result);
}

uint16_t rnnc_f64_to_f16(double value) { return narrow(value, 10); }
uint16_t rnnc_f64_to_bf16(double value) { return narrow(value, 7); }
