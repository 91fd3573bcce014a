@ -- Which panels of a layer's products are a member's, where members have panels.
@ -- l: the layer
@ local share = l.share
@ local function range(name, panels, first, last, all)
@ local function at(text) return panels.each > 1 and format("%s * %d", text, panels.each) or text end
@ local to = at(last)
@ -- The last grain may have fewer panels.
@ if all * panels.each > panels.panels then to = format("%s < %d ? %s : %d", to, panels.panels, to, panels.panels) end
    const ptrdiff_t @{name}_begin = @{at(first)}, @{name}_end = @{to};
@ end
@ local function bound(count, following) return format("(ptrdiff_t)(%d * %s / parts)", count, following and "(part + 1)" or "part") end
    /* This part's panels: those of its own units. */
    const ptrdiff_t first = @{bound(share.grains)}, last = @{bound(share.grains, true)};
@ range("step", share.step, "first", "last", share.grains)
@ if l.hoisted then
@ range("input", share.input, "first", "last", share.grains)
@ end
@ if l.projection then
@ local count = share.projection.panels
@ range("projection", share.projection, bound(count), bound(count, true), count)
@ end
