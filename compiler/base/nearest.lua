-- nearest: which of the names that exist did somebody mean?

-- Edit distance of Damerau in its restricted form ("optimal string alignment"): insertions,
-- deletions, substitutions and swaps of neighbours cost 1 each. Names are short, so rows of the
-- whole table are kept.
local function distance(a, b)
    local row = {}
    for i = 0, #a do
        row[i] = { [0] = i }
        for j = 1, #b do
            if i == 0 then
                row[0][j] = j
            else
                local same = a:byte(i) == b:byte(j)
                local best = math.min(row[i - 1][j] + 1, row[i][j - 1] + 1,
                    row[i - 1][j - 1] + (same and 0 or 1))
                if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
                    best = math.min(best, row[i - 2][j - 2] + 1)
                end
                row[i][j] = best
            end
        end
    end
    return row[#a][#b]
end

-- What differs only in case or separators ("AVX-512", "inputSize") counts as equal.
local function plain(name) return (name:lower():gsub("[^%w]", "")) end

-- Longer names are no slip of anybody's hand.
local LENGTH_MAX <const> = 128

-- nearest(name, names) -> the one of `names` that is likely meant, or nil. At most a third of the
-- letters may be wrong; ties go to the first.
return function(name, names)
    local given, best, best_distance = plain(name:sub(1, 64)), nil, nil
    for _, candidate in ipairs(names) do
        local other = #candidate <= LENGTH_MAX and plain(candidate)
        local allowed = other and math.max(#given, #other) / 3
        -- The distance is at least what one is longer than the other.
        local d = other and math.abs(#given - #other) <= allowed and distance(given, other)
        if d and d <= allowed and (not best or d < best_distance) then
            best, best_distance = candidate, d
        end
    end
    return best
end
