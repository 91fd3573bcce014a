@ -- A function of each value, where no product is before it.
@ -- fn: its name; vec, lanes, attribute: the target's; update(names): C of the new value

/* to[i] = the function of from[i], of `count` floats, a multiple of @{lanes}. */
@{attribute} void @{fn}(const float *from, float *RESTRICT to, ptrdiff_t count)
{
    for (ptrdiff_t i = 0; i < count; i += @{lanes}) {
@ local function load_from() return vec .. "_load(from + i)" end
@ for _, line in ipairs(update { suffix = "0", sum = load_from, store = function() return "to + i" end }) do
        @{line}
@ end
    }
}
