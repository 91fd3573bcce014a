-- targets: the machines that code is generated for, a row each.
--
-- lanes        floats in a vector of the kernels
-- registers    vector registers; a register tile with its operands has to fit in
-- most_sums    sums in a register tile; more are slow to compile, or gain nothing
-- fma_latency, fma_per_cycle, loads_per_cycle
--              of a recent core of that kind (Intel's and AMD's optimisation manuals, uops.info);
--              the cost model of the kernels counts with them
-- divide_cycles  reciprocal throughput of one vector division
-- l1, l2       bytes of cache that the cost model supposes
-- prefetch_distance
--              bytes by which weights that do not fit in L2 are fetched before their use, so that memory's 100 ns
--              are over when they are needed; 0: there is no such instruction
-- needs        names that `host.cpu()` reports as true on a machine that can run the code
-- arch         the one of `targets.architectures` on which alone its code compiles; nil: it compiles everywhere
-- isa          the compiler's names of the instruction sets, for __attribute__((target(...))), of which a running CPU
--              is asked whether it has them; "": all of that architecture have them
-- vector       the C type of a vector, which is also the prefix of its operations
-- prelude      the template that defines them
-- ordered      does it have a way to keep loads in order?
-- fast         the target's way to tanh with activation = "fast": its `template`, the vector operations
--              that this `needs`, and the largest errors over all floats, which are what
--              tests/exhaustive counts, rounded up
local targets = {}

-- The architectures of targets that do not compile everywhere: their name for people, what the preprocessor knows them
-- and a compiler with vector extensions by, the macro that says so in a file that holds targets of others too, and the
-- header of their intrinsics.
targets.architectures = {
    x86 = { name = "x86-64", condition = "defined(__x86_64__) && defined(__GNUC__)", macro = "VECTORS_X86",
            header = "immintrin.h" },
    aarch64 = { name = "AArch64", condition = "defined(__aarch64__) && defined(__GNUC__) && !defined(__AARCH64EB__)",
                macro = "VECTORS_NEON", header = "arm_neon.h" },
}

local rational = { template = "fast_rational.c", needs = { "mul", "at_least", "at_most", "div" },
                   tanh = "1.3e-6", relative = "5.1e-6", sigmoid = "6.7e-7" }
local lookup = { template = "fast_lookup.c", needs = { "mul" },
                 tanh = "1e-6", relative = "5.1e-6", sigmoid = "5e-7" }

-- From the least to the most demanding; "native" is the last one that the machine can run.
targets.order = { "scalar", "portable", "neon", "avx2", "avx512" }

-- What code is for unless a spec says otherwise: runs on every machine, and well on those that most have.
targets.everywhere = { "portable", "avx2", "avx512" }

-- Of a Cortex-M4: most sums of a tile are one for each of four rows, and with one operand of each they leave registers.
targets.scalar = {
    doc = "any C99 compiler, one float at a time, least code: for processors without vectors",
    lanes = 1, registers = 16, most_sums = 4, fma_latency = 3, fma_per_cycle = 1, loads_per_cycle = 1,
    divide_cycles = 14, l1 = 32768, l2 = 262144, prefetch_distance = 0,
    needs = {}, isa = "", vector = "f32", prelude = "vector_scalar.c", ordered = false, fast = rational,
}

targets.portable = {
    doc = "any C11 compiler; four floats at a time, as vectors where the machine has them",
    lanes = 4, registers = 16, most_sums = 8, fma_latency = 8, fma_per_cycle = 1, loads_per_cycle = 2,
    divide_cycles = 5, l1 = 32768, l2 = 262144, prefetch_distance = 0,
    needs = {}, isa = "", vector = "f32x4", prelude = "vector_portable.c", ordered = false, fast = rational,
}

-- Of a Neoverse N1 or Cortex-A76 (Arm's software optimisation guides). No operand comes from memory: a sum less than
-- registers would allow.
targets.neon = {
    doc = "AArch64 (64-bit ARM), whose CPUs all have NEON: phones, Raspberry Pi 3 and later, Apple's",
    lanes = 4, registers = 32, most_sums = 24, fma_latency = 4, fma_per_cycle = 2, loads_per_cycle = 2,
    divide_cycles = 7, l1 = 65536, l2 = 524288, prefetch_distance = 0,
    needs = { "neon" }, arch = "aarch64", isa = "", vector = "f32q", prelude = "vector_neon.c", ordered = false,
    fast = rational,
}

targets.avx2 = {
    doc = "x86-64 with AVX2 and FMA (Intel since 2013, AMD since 2015)",
    lanes = 8, registers = 16, most_sums = 15, fma_latency = 4, fma_per_cycle = 2, loads_per_cycle = 2,
    divide_cycles = 5, l1 = 32768, l2 = 524288, prefetch_distance = 3072,
    needs = { "avx2", "fma" }, arch = "x86", isa = "avx2,fma", vector = "f32x8", prelude = "vector_x86.c",
    intrinsic = "_mm256", ordered = true, fast = rational,
}

targets.avx512 = {
    doc = "x86-64 with AVX-512 F, DQ, BW and VL (Intel servers since 2017, AMD since 2022)",
    lanes = 16, registers = 32, most_sums = 28, fma_latency = 4, fma_per_cycle = 2, loads_per_cycle = 2,
    divide_cycles = 10, l1 = 49152, l2 = 1048576, prefetch_distance = 3072,
    needs = { "avx512" }, arch = "x86", isa = "avx512f,avx512dq,avx512bw,avx512vl,fma",
    vector = "f32x16", prelude = "vector_x86.c", ordered = true, intrinsic = "_mm512", fast = lookup,
}

return targets
