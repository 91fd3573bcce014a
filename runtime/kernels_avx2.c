/* kernels_avx2.c: the inner loops with 8 floats in a vector and 16 registers. */
#include "kernels.h"

#ifdef RNNC_X86_KERNELS

#include <immintrin.h>

#define KERNELS rnnc_kernels_avx2
#define TARGET __attribute__((target("avx2,fma")))
#define INLINE static inline __attribute__((always_inline)) TARGET

#define VL ((size_t)8)
#define TILE_ROWS 6
#define WIDE_COLUMNS 4
#define TILE_HEIGHTS(rows) rows(6) rows(4) rows(2) rows(1)
typedef __m256 vf;

INLINE vf set1(float x) { return _mm256_set1_ps(x); }
INLINE vf load(const float *p) { return _mm256_loadu_ps(p); }
INLINE void store(float *p, vf v) { _mm256_storeu_ps(p, v); }
INLINE vf muladd(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
INLINE float sum(vf v) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

INLINE __m256i mask(size_t n) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), lane);
}
/* The first n <= VL floats; the others are 0. */
INLINE vf load_some(const float *p, size_t n) { return _mm256_maskload_ps(p, mask(n)); }
INLINE void store_some(float *p, vf v, size_t n) { _mm256_maskstore_ps(p, mask(n), v); }

INLINE vf vabs(vf v) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v); }
INLINE vf with_sign(vf v, vf sign) {
    return _mm256_or_ps(v, _mm256_and_ps(sign, _mm256_set1_ps(-0.0f)));
}
INLINE vf at_most(vf v, vf limit) { return _mm256_min_ps(limit, v); }  /* NaN stays */
INLINE vf at_least(vf v, vf limit) { return _mm256_max_ps(limit, v); } /* NaN stays */
INLINE vf if_negative(vf v, vf yes, vf no) {
    return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(v, _mm256_setzero_ps(), _CMP_LT_OQ));
}
INLINE vf nearest(vf v) {
    return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/* 2^n for whole n from -126 to 127; anything for NaN. */
INLINE vf power2(vf n) {
    return _mm256_castsi256_ps(
        _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
}
/* v * 2^n for whole n from -252 to 254. */
INLINE vf scale(vf v, vf n) {
    const vf half = nearest(n * set1(0.5f));
    return v * power2(half) * power2(n - half);
}

#include "kernels_body.h"

#endif
