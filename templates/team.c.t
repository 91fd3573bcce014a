@ -- What all targets need to share a call among the members of a team.
@ -- parameters: those of a target's run function; barriers: do members meet on the way, and
@ -- where: the line of the preprocessor before that, or nil

/* A call, as every member of a team sees it. */
typedef struct work {
    @{(parameters:gsub(", ", ";\n    "))};
    const rnnc_team *team;
    size_t members; /* that take part */
} work;
@ if barriers then

@ if where then
@{where}
@ end
/* Returns when all members have come here. passed: the barriers so far in this run. */
static void barrier(const rnnc_team *team, size_t member, size_t members, size_t *passed)
{
    if (members == 1) return;
    team->post(team->context, member);
    ++*passed;
    for (size_t i = 0; i < members; ++i)
        if (i != member) team->wait(team->context, i, *passed);
}
@ if where then
#endif
@ end
@ end
