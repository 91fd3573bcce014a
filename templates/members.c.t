@ -- How a team runs the network on one target: who takes part, and what each member calls.
@ -- v: the variant; arguments: those of its run function, of a call `w`; words: does it take the team?
@ local d = v.division
@ local sliced, parted = d.slices_from > 0, d.kind == "directions" or d.kind == "chunks" or d.kind == "panels"
@ assert(sliced or parted)

/* The members of a team (NULL: none) that a call is divided among; one if the others would not gain
 * enough. */
static size_t @{v.members}(const rnnc_team *team, size_t seq_len, size_t batch)
{
    const size_t members = !team ? 1 : team->count < @{d.members} ? team->count : @{d.members};
@ if d.slices_from > 1 then
    if (batch >= @{d.slices_from}) return seq_len < @{d.least_slices} ? 1 : members;
@ else
    (void)batch;
@ end
@ if d.slices_from == 1 then
    return seq_len < @{d.least_slices} ? 1 : members;
@ elseif not parted then
    return 1;
@ else
    /* Those that share sequences wait for each other on the way, @{d.most_latency} ns for a word at the most. */
    if (members == 1 || !team->post || !team->wait) return 1;
    if (seq_len < @{d.least_steps} || team->latency > @{d.most_latency}) return 1;
    return @{d.kind == "directions" and "2" or "members"};
@ end
}

static void @{v.member}(void *argument, size_t index)
{
    const work *const w = (const work *)argument;
    if (index < w->members) @{v.run}(@{arguments}@{words and ", w->team" or ""}, index, w->members);
}
