@ -- What a trainer reads to learn from, see trainer.c.t.
@ -- once: is there one y a sequence?; x_name: x or tokens; wrong_x, wrong_y: can a value x or y not be?
static int read_floats(FILE *file, float *to, size_t count)
{
    return fread(to, sizeof(float), count, file) == count;
}

/* Is that a whole number from least to most? */
static int is_whole(float value, double least, double most)
{
    return value >= least && value <= most && value == floorf(value);
}

/* The first value that cannot be: of x, y or the lengths, and the sequence; 0: there is one. */
static int check_part(const part *p, const char *which)
{
    for (size_t n = 0; n < p->count; ++n) {
        const size_t length = p->lengths ? (size_t)p->lengths[n] : p->steps;
        if (p->lengths && !is_whole(p->lengths[n], 1, (double)p->steps)) {
            printf("bad %s lengths %zu\n", which, n);
            return 0;
        }
        for (size_t i = 0; i < length * INPUT; ++i) {
            const float x = p->x[n * p->steps * INPUT + i];
            if (@{wrong_x}) {
                printf("bad %s @{x_name} %zu\n", which, n);
                return 0;
            }
        }
        const size_t rows = @{once and "1" or "length"}, all = @{once and "1" or "p->steps"};
        for (size_t i = 0; i < rows * TARGET; ++i) {
            const float y = p->y[n * all * TARGET + i];
            if (@{wrong_y}) {
                printf("bad %s y %zu\n", which, n);
                return 0;
            }
        }
    }
    return 1;
}

/* Reads x, y and, if there are, lengths, one after the other, from a file. */
static void read_part(const char *line)
{
    size_t which, count, steps;
    int has_lengths, at = 0;
    if (sscanf(line, "data %zu %zu %zu %d %n", &which, &count, &steps, &has_lengths, &at) != 4) return;
    part *const p = &parts[which];
    const size_t targets = count * @{once and "1" or "steps"} * TARGET;
    p->count = count;
    p->steps = steps;
    p->x = (float *)get(count * steps * INPUT, sizeof(float));
    p->y = (float *)get(targets, sizeof(float));
    p->lengths = has_lengths ? (float *)get(count, sizeof(float)) : NULL;
    p->order = (size_t *)get(count, sizeof(size_t));
    for (size_t i = 0; i < count; ++i) p->order[i] = i;
    FILE *const file = fopen(line + at, "rb");
    const int fine = file && read_floats(file, p->x, count * steps * INPUT) && read_floats(file, p->y, targets)
        && (!has_lengths || read_floats(file, p->lengths, count));
    if (file) fclose(file);
    static const char *const names[] = { "data", "validation", "test" };
    if (!fine)
        printf("fails\n");
    else if (check_part(p, names[which]))
        printf("ok\n");
}
