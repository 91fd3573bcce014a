@ -- The sequences of a block in the order of their lengths, for networks with `lengths`.
@ -- block: sequences in a block
/* The block's sequences, longest first: those that still run at a step are the first rows. */
ptrdiff_t order[@{block}];
size_t length[@{block}], longest = 0;
for (ptrdiff_t i = 0; i < all; ++i) {
    const ptrdiff_t b = (ptrdiff_t)first + i;
    const size_t n = lengths[b];
    ptrdiff_t j = i;
    for (; j > 0 && length[j - 1] < n; --j) {
        length[j] = length[j - 1];
        order[j] = order[j - 1];
    }
    length[j] = n;
    order[j] = b;
    longest = n > longest ? n : longest;
}
