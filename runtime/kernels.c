/* kernels.c: chooses the inner loops for the CPU that runs them. */
#include "kernels.h"

const rnnc_kernels *rnnc_kernels_best(void) {
#ifdef RNNC_X86_KERNELS
    /* Reads what the C library's start-up code found; asking costs a few instructions. */
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
        return &rnnc_kernels_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &rnnc_kernels_avx2;
#endif
    return &rnnc_kernels_portable;
}

const rnnc_blas *rnnc_blas_builtin(void) { return &rnnc_kernels_best()->blas; }

void rnnc_tanh(size_t n, const float *x, float *y) { rnnc_kernels_best()->tanh(n, x, y); }
void rnnc_sigmoid(size_t n, const float *x, float *y) { rnnc_kernels_best()->sigmoid(n, x, y); }
