-- weight_map: the names of a file as the field `map` of a spec renames them.
local fail = require "fail"

-- Lua's patterns try everything again for each character that a quantifier may take more or less, so
-- that a match can take (length of the name) ^ (number of quantifiers) steps. This many are a second
-- or so; a file is not to keep us longer.
local STEPS_MAX <const> = 1000000000

-- Bytes of all names after a replacement.
local BYTES_MAX <const> = 100000000

-- How many loops over a name are inside each other when it is matched: a quantifier is one, so is %b
-- or a back reference, and so is the search for a place to begin.
local function loops_of(pattern)
    local anchored = pattern:sub(1, 1) == "^"
    local count, i = anchored and 0 or 1, anchored and 2 or 1
    while i <= #pattern do
        local c = pattern:sub(i, i)
        if c == "%" then
            if pattern:find("^[b%d]", i + 1) then count = count + 1 end
            i = i + 2
        elseif c == "[" then
            -- A set ends at the first ] that is not its first character.
            local stop = pattern:find("]", pattern:sub(i + 1, i + 1) == "^" and i + 3 or i + 2, true)
            i = (stop or #pattern) + 1
        else
            if c:find("[*+?-]") then count = count + 1 end
            i = i + 1
        end
    end
    return count, anchored
end

local function show(pair) return string.format("map: { %q, %q }", pair[1], pair[2]) end

-- Why a pair would take too long for names of that length, or nil.
local function excess(pair, longest, count)
    local loops, anchored = loops_of(pair[1])
    if longest ^ loops * count > STEPS_MAX then
        return string.format("matching %d names of up to %d characters could take for ever: use fewer of * + - ?"
            .. "%s", count, longest, anchored and "" or ", or begin the pattern with ^")
    end
    local _, references = pair[2]:gsub("%%", "")
    local each = #pair[2] + references * longest
    if each * (anchored and 1 or longest + 1) * count > BYTES_MAX then
        return "the names would become too long: shorten the replacement"
    end
end

-- weight_map.apply(map, names, place) -> a list of what `names` become, by each pair of `map` in turn.
-- `place` is for errors: a pair that is no pattern or takes too long, and two names that become one.
local function apply(map, names, place)
    local renamed = table.move(names, 1, #names, 1, {})
    for _, pair in ipairs(map or {}) do
        local longest = 1
        for _, name in ipairs(renamed) do longest = math.max(longest, #name) end
        local problem = excess(pair, longest, #renamed)
        if problem then fail.at(place, show(pair) .. ": " .. problem) end
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
