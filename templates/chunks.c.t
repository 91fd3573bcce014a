@ -- The next chunk of a block whose sequences have different lengths.
@ -- fn: its name; chunk: most steps, or false: the caller says
@ local most = chunk and tostring(chunk) or "most"
/* Steps that the same rows take together: from `t` on, for the first `rows` of the `all` sequences, whose
 * lengths fall. `done` steps of the longest have been taken, from its end if backward. */
static size_t @{fn}(const size_t *length, ptrdiff_t all, size_t done, int backward, @{chunk and "" or "size_t most, "}
    size_t *t, ptrdiff_t *rows)
{
    ptrdiff_t n = all;
    if (backward) {
        const size_t end = length[0] - done;
        while (length[n - 1] < end) --n;
        size_t begin = end > @{most} ? end - @{most} : 0;
        if (n < all && begin < length[n]) begin = length[n];
        *t = begin;
        *rows = n;
        return end - begin;
    }
    while (length[n - 1] <= done) --n;
    *t = done;
    *rows = n;
    return length[n - 1] - done < @{most} ? length[n - 1] - done : @{most};
}
