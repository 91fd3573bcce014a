@ -- Where the parts of the workspace begin.
@ -- v: the variant; apart: have parts of a team chunks of their own? long: are buffers between stages as long as the
@ -- sequence? growing, span, floats: see run.c
@ local space = v.workspace
@ if space.states > 0 then
    float *const states = workspace;
@ end
@ if space.gates + space.input + space.top + v.schedule.between > 0 then
    float *space = workspace + @{floats(space.fixed)}@{apart and format(" + part * %s * %d", span, space.per_chunk_step) or ""};
@ end
@ if space.last > 0 then
    float *const ends = workspace + @{floats(space.states)};
@ end
@ for _, part in ipairs { { "gates", space.gates }, { "input", space.input } } do
@ if part[2] > 0 then
    float *const @{part[1]} = space;
    space += @{span} * @{part[2]};
@ end
@ end
@ if space.top > 0 then
    float *const top = space;
@ end
@ if v.schedule.between > 0 then
@ if long and apart then
    space = workspace + @{floats(space.fixed)} + parts * @{span} * @{space.per_chunk_step};
@ elseif space.top > 0 then
    space += @{span} * @{space.top};
@ end
    float *const between[] = { space@{v.schedule.between > 1 and format(", space + %s * %d", long and (growing and "seq_len * held" or "seq_len") or span, space.between) or ""} };
@ end
