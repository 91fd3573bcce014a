/* kernels_avx512.c: the inner loops with 16 floats in a vector and 32 registers. */
#include "kernels.h"

#ifdef RNNC_X86_KERNELS

#include <immintrin.h>

#define KERNELS rnnc_kernels_avx512
#define TARGET __attribute__((target("avx512f,avx512dq")))
#define INLINE static inline __attribute__((always_inline)) TARGET

#define VL ((size_t)16)
#define TILE_ROWS 12
#define WIDE_COLUMNS 8
#define TILE_HEIGHTS(rows) rows(12) rows(8) rows(4) rows(2) rows(1)
typedef __m512 vf;

INLINE vf set1(float x) { return _mm512_set1_ps(x); }
INLINE vf load(const float *p) { return _mm512_loadu_ps(p); }
INLINE void store(float *p, vf v) { _mm512_storeu_ps(p, v); }
INLINE vf muladd(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
INLINE float sum(vf v) { return _mm512_reduce_add_ps(v); }

/* The first n <= VL floats; the others are 0. */
INLINE vf load_some(const float *p, size_t n) {
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1u), p);
}
INLINE void store_some(float *p, vf v, size_t n) {
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1u), v);
}

INLINE vf vabs(vf v) { return _mm512_abs_ps(v); }
INLINE vf with_sign(vf v, vf sign) {
    return _mm512_or_ps(v, _mm512_and_ps(sign, _mm512_set1_ps(-0.0f)));
}
INLINE vf at_most(vf v, vf limit) { return _mm512_min_ps(limit, v); }  /* NaN stays */
INLINE vf at_least(vf v, vf limit) { return _mm512_max_ps(limit, v); } /* NaN stays */
INLINE vf if_negative(vf v, vf yes, vf no) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_LT_OQ), no, yes);
}
INLINE vf nearest(vf v) {
    return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/* v * 2^n for whole n, rounded once. */
INLINE vf scale(vf v, vf n) { return _mm512_scalef_ps(v, n); }
/* 2^n for whole n from -126 to 127; anything for NaN. */
INLINE vf power2(vf n) {
    return _mm512_castsi512_ps(
        _mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23));
}

#include "kernels_body.h"

#endif
