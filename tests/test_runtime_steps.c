/* The elementwise step of each cell, in each set of kernels that this CPU can run, against the
 * formulas of torch.nn in double; rows of every width around that of a vector. */
#include "../runtime/kernels.h"
#include "guard.h"
#include "rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double sigmoid(double v) { return 1 / (1 + exp(-v)); }

/* rows x cols random values, ld apart, in a guard. */
static guard block(rng *r, size_t rows, size_t cols, size_t ld) {
    guard f = guard_floats(NULL, (rows - 1) * ld + cols);
    for (size_t i = 0; i < rows; i++)
        rng_fill(r, (float *)f.data + i * ld, cols, 3);
    return f;
}

static void check_step(const rnnc_kernels *kernels, rnnc_cell cell, size_t rows, size_t H, rng *r) {
    const size_t G = cell == RNNC_LSTM ? 4 : cell == RNNC_GRU ? 3 : 1, N = G * H;
    const size_t ld_gates = N + 2, ld_h = H + 3, ld_prev = H + 1;
    guard gates = block(r, rows, N, ld_gates), bias = block(r, 1, N, N);
    guard hidden = block(r, rows, 3 * H, 3 * H), bias_n = block(r, 1, H, H);
    guard prev = block(r, rows, H, ld_prev), c = block(r, rows, H, H);
    guard h = guard_floats(NULL, (rows - 1) * ld_h + H);
    double *const want = malloc(2 * rows * H * sizeof *want), *const want_c = want + rows * H;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < H; j++) {
            double v[4] = {0}, u[4] = {0};
            for (size_t g = 0; g < G; g++) {
                v[g] = (double)((float *)gates.data)[i * ld_gates + g * H + j] +
                       (double)((float *)bias.data)[g * H + j];
                u[g] = cell == RNNC_GRU ? (double)((float *)hidden.data)[i * 3 * H + g * H + j] : 0;
            }
            double *const out = &want[i * H + j], *const c_out = &want_c[i * H + j];
            if (cell == RNNC_RNN_TANH) {
                *out = tanh(v[0]);
            } else if (cell == RNNC_RNN_RELU) {
                *out = v[0] > 0 ? v[0] : 0;
            } else if (cell == RNNC_LSTM) {
                *c_out = sigmoid(v[1]) * (double)((float *)c.data)[i * H + j] +
                         sigmoid(v[0]) * tanh(v[2]);
                *out = sigmoid(v[3]) * tanh(*c_out);
            } else {
                const double z = sigmoid(v[1] + u[1]);
                const double b_n = (double)((float *)bias_n.data)[j];
                const double n = tanh(v[2] + sigmoid(v[0] + u[0]) * (u[2] + b_n));
                *out = (1 - z) * n + z * (double)((float *)prev.data)[i * ld_prev + j];
            }
        }
    guard *const inputs[] = {&gates, &bias, &hidden, &bias_n, &prev};
    for (size_t i = 0; i < 5; i++)
        guard_protect(inputs[i]);
    const rnnc_step step = {.rows = rows,
                            .H = H,
                            .gates = gates.data,
                            .ld_gates = ld_gates,
                            .bias = bias.data,
                            .hidden = hidden.data,
                            .bias_n = bias_n.data,
                            .h_prev = prev.data,
                            .ld_h_prev = ld_prev,
                            .c = c.data,
                            .h = h.data,
                            .ld_h = ld_h};
    kernels->step[cell](&step);
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < H; j++) {
            const double error = fabs((double)step.h[i * ld_h + j] - want[i * H + j]);
            cr_assert(error <= 2e-6, "cell %d, H %zu: h(%zu, %zu) is off by %g", (int)cell, H, i, j,
                      error);
            if (cell == RNNC_LSTM)
                cr_assert(fabs((double)step.c[i * H + j] - want_c[i * H + j]) <= 2e-6);
        }
        for (size_t j = H; j < ld_h && i + 1 < rows; j++)
            cr_assert(isnan(step.h[i * ld_h + j]), "wrote between rows");
    }
    cr_assert(guard_intact(&h) && guard_intact(&c));
    for (size_t i = 0; i < 5; i++)
        guard_free(inputs[i]);
    guard_free(&c);
    guard_free(&h);
    free(want);
}

static void check_kernels(const rnnc_kernels *kernels) {
    rng r = {.state = 4};
    for (int cell = RNNC_RNN_TANH; cell <= RNNC_GRU; cell++)
        for (size_t H = 1; H < 50; H++)
            check_step(kernels, (rnnc_cell)cell, 1 + H % 3, H, &r);
}

Test(runtime_steps, portable) { check_kernels(&rnnc_kernels_portable); }

Test(runtime_steps, avx2) {
#ifdef RNNC_X86_KERNELS
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        check_kernels(&rnnc_kernels_avx2);
        return;
    }
#endif
    cr_skip_test("no AVX2 here");
}

Test(runtime_steps, avx512) {
#ifdef RNNC_X86_KERNELS
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) {
        check_kernels(&rnnc_kernels_avx512);
        return;
    }
#endif
    cr_skip_test("no AVX-512 here");
}
