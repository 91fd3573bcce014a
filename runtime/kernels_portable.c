/* kernels_portable.c: the inner loops with 4 floats in a vector, in the vector extension of gcc and
 * clang: SSE2, NEON, or plain instructions, as the CPU has it. */
#include "kernels.h"

#include <string.h>

#define KERNELS rnnc_kernels_portable
#define TARGET
#define INLINE static inline __attribute__((always_inline))

#define VL ((size_t)4)
#define TILE_ROWS 4
#define WIDE_COLUMNS 4
#define TILE_HEIGHTS(rows) rows(4) rows(2) rows(1)
typedef float vf __attribute__((vector_size(16)));
typedef int32_t vi __attribute__((vector_size(16)));
typedef uint32_t vu __attribute__((vector_size(16)));

INLINE vf set1(float x) { return (vf){x, x, x, x}; }
INLINE vf load(const float *p) {
    vf v;
    memcpy(&v, p, sizeof v);
    return v;
}
INLINE void store(float *p, vf v) { memcpy(p, &v, sizeof v); }
INLINE vf muladd(vf a, vf b, vf c) { return a * b + c; }
INLINE float sum(vf v) { return (v[0] + v[2]) + (v[1] + v[3]); }

/* The first n <= VL floats; the others are 0. */
INLINE vf load_some(const float *p, size_t n) {
    return (vf){n > 0 ? p[0] : 0, n > 1 ? p[1] : 0, n > 2 ? p[2] : 0, n > 3 ? p[3] : 0};
}
INLINE void store_some(float *p, vf v, size_t n) {
    for (size_t i = 0; i < n; i++)
        p[i] = v[i];
}

INLINE vf select(vi mask, vf yes, vf no) { return (vf)((mask & (vi)yes) | (~mask & (vi)no)); }
INLINE vf vabs(vf v) { return (vf)((vi)v & ~(vi)set1(-0.0f)); }
INLINE vf with_sign(vf v, vf sign) { return (vf)((vi)v | ((vi)sign & (vi)set1(-0.0f))); }
INLINE vf at_most(vf v, vf limit) { return select(v > limit, limit, v); }  /* NaN stays */
INLINE vf at_least(vf v, vf limit) { return select(v < limit, limit, v); } /* NaN stays */
INLINE vf if_negative(vf v, vf yes, vf no) { return select(v < set1(0), yes, no); }
/* Adding 1.5 * 2^23 leaves no room for a fraction; for |v| < 2^22. */
INLINE vf nearest(vf v) { return (v + set1(0x1.8p23f)) - set1(0x1.8p23f); }
/* 2^n for whole n from -126 to 127; anything for NaN. The same addition leaves n in the low bits.
 */
INLINE vf power2(vf n) { return (vf)(((vu)(n + set1(0x1.8p23f)) + 127u) << 23); }
/* v * 2^n for whole n from -252 to 254. */
INLINE vf scale(vf v, vf n) {
    const vf half = nearest(n * set1(0.5f));
    return v * power2(half) * power2(n - half);
}

#include "kernels_body.h"
