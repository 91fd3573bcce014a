@ -- Which share of a call is a member's: a slice of the batch, and a part of the work on it.
@ -- v: the variant; p: the plan; sliced, parted, by_chunk, meets: how the call is divided, and do members meet?
@ local space = v.workspace
@ if sliced and parted then
    /* Members share the work of one slice of the batch, or each has a slice. */
    const size_t slices = batch < @{v.division.slices_from} ? 1 : members, parts = batch < @{v.division.slices_from} ? members : 1;
    const size_t slice = slices > 1 ? member : 0, part = parts > 1 ? member : 0;
@ elseif sliced then
    const size_t slices = members, slice = member;
@ elseif parted then
    const size_t parts = members, part = member;
@ end
@ if by_chunk then
    const size_t chunk = parts > 1 ? @{math.min(v.division.chunk, v.chunk)} : @{v.chunk};
@ elseif meets then
    size_t met = 0;
@ end
@ if sliced then
@ local grain = p.batch == "any" and 1 or v.block
@ if p.batch == "any" then
    /* Each slice begins in a cache line of its own. */
    workspace += slice * ((held * (@{space.fixed} + room * @{space.per_chunk_step}@{space.per_step > 0 and format(" + seq_len * %d", space.per_step) or ""}) + 15) / 16 * 16);
@ else
    workspace += slice * (@{space.fixed} + room * @{space.per_chunk_step}@{space.per_step > 0 and format(" + seq_len * %d", space.per_step) or ""});
@ end
    const size_t grains = @{grain > 1 and format("(batch + %d) / %d", grain - 1, grain) or "batch"}, more = grains % slices;
    const size_t begin = (grains / slices * slice + (slice < more ? slice : more))@{grain > 1 and format(" * %d", grain) or ""};
    const size_t share = (grains / slices + (slice < more ? 1 : 0))@{grain > 1 and format(" * %d", grain) or ""};
    const size_t end = begin < batch && share < batch - begin ? begin + share : batch;
@ end
