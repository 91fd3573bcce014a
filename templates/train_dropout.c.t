@ -- train_dropout.c: the masks of a call. drops: are there any?
@ if drops then
/* What the values that mask `number` is for, (steps, batch, units), are multiplied by: 0 for those that are dropped,
 * `scale`, 1 / (1 - p), for the others, 1 without dropout. A value is dropped if its 32 random bits are below `below`,
 * p times 2^32. The bits depend on seed, step, mask, time step, sequence and unit alone, whatever the sizes of
 * the call. */
static void draw_mask(const @{name}_dropout *dropout, uint32_t number, uint64_t below, float scale, size_t units,
    size_t steps, size_t batch, float *mask)
{
    for (size_t t = 0; t < steps; ++t)
        for (size_t b = 0; b < batch; ++b)
            for (size_t j = 0; j < units; j += 4) {
                uint32_t bits[4] = { number << 16 | (uint32_t)(j / 4), (uint32_t)t, (uint32_t)b, 0 };
                if (dropout) {
                    bits[3] = (uint32_t)dropout->step;
                    philox(bits, dropout->seed);
                }
                for (size_t k = 0; k < 4 && j + k < units; ++k)
                    *mask++ = !dropout ? 1.0f : bits[k] < below ? 0.0f : scale;
            }
}

@ end
