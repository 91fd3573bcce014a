-- weight_map: the names of a file as the field `map` of a spec renames them.
local fail = require "base.fail"

-- Lua's patterns try everything again for each character that a quantifier may take more or less, so
-- that a match can take (length of the name) ^ (number of quantifiers) steps, each through a set as long as
-- the longest. This many, of all pairs together, are a second or so; a file is not to keep us longer.
local STEPS_MAX <const> = 300000000

-- Bytes of all names after a replacement.
local BYTES_MAX <const> = 100000000

-- Where a set that begins at i goes on behind its end: ] is not the end where it comes first, nor behind %.
local function behind_set(pattern, i)
    i = i + (pattern:sub(i + 1, i + 1) == "^" and 2 or 1)
    repeat
        i = i + (pattern:sub(i, i) == "%" and 2 or 1)
    until i > #pattern or pattern:sub(i, i) == "]"
    return i + 1
end

-- How many loops over a name are inside each other when it is matched: a quantifier is one, so is %b
-- or a back reference, and so is the search for a place to begin. Then the length of the longest set, and
-- whether the pattern is anchored.
local function loops_of(pattern)
    local anchored, longest = pattern:sub(1, 1) == "^", 1
    local count, i = anchored and 0 or 1, anchored and 2 or 1
    while i <= #pattern do
        local c = pattern:sub(i, i)
        if c == "%" then
            if pattern:find("^[b%d]", i + 1) then count = count + 1 end
            i = i + 2
        elseif c == "[" then
            local behind = behind_set(pattern, i)
            longest, i = math.max(longest, behind - i), behind
        else
            if c:find("[*+?-]") then count = count + 1 end
            i = i + 1
        end
    end
    return count, longest, anchored
end

local function show(pair) return string.format("map: { %q, %q }", pair[1], pair[2]) end

-- Why a pair would take too long for names of that length, or nil; and the steps that it may take, behind
-- `before` of other pairs.
local function excess(pair, longest, count, before)
    local loops, set, anchored = loops_of(pair[1])
    local steps = before + longest ^ loops * set * count
    if steps > STEPS_MAX then
        return string.format("matching %d names of up to %d characters could take for ever: use fewer of * + - ?"
            .. "%s", count, longest, anchored and "" or ", or begin the pattern with ^")
    end
    local _, references = pair[2]:gsub("%%", "")
    local each = #pair[2] + references * longest
    if each * (anchored and 1 or longest + 1) * count > BYTES_MAX then
        return "the names would become too long: shorten the replacement"
    end
    return nil, steps
end

-- weight_map.apply(map, names, place) -> a list of what `names` become, by each pair of `map` in turn.
-- `place` is for errors: a pair that is no pattern or takes too long, and two names that become one.
local function apply(map, names, place)
    local renamed, steps = table.move(names, 1, #names, 1, {}), 0
    for _, pair in ipairs(map or {}) do
        local longest = 1
        for _, name in ipairs(renamed) do longest = math.max(longest, #name) end
        local message
        message, steps = excess(pair, longest, #renamed, steps)
        if message then fail.at(place, show(pair) .. ": " .. message) end
        for i, name in ipairs(renamed) do
            local fine, result = pcall(string.gsub, name, pair[1], pair[2])
            if not fine then fail.at(place, show(pair) .. ": " .. result) end
            renamed[i] = result
        end
    end
    local from, lines = {}, {}
    for i, name in ipairs(renamed) do
        if from[name] then
            lines[#lines + 1] = fail.line(place, nil, "error", string.format(
                "map makes one name, %q, of %q and %q", name, from[name], names[i]))
        end
        from[name] = names[i]
    end
    if #lines > 0 then fail.with(lines) end
    return renamed
end

return { apply = apply }
