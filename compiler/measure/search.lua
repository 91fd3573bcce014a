-- search: looks for a choice of kernel and tiles that measures faster than the cost model's. Every kernel that
-- applies is tried with the model's tiles; from the best one on, tiles change one number at a time for as long as
-- that helps. A candidate races against the best so far and is dropped as soon as it is clearly behind.
local timing = require "measure.timing"

local search = {}

-- A candidate wins if its median and its minimum are lower by this.
local GAIN <const> = 0.01

-- Rounds after which a candidate that is slower by so much is dropped, and the most that a race has.
local EARLY_ROUNDS <const>, BEHIND <const>, LATE_ROUNDS <const> = 5, 1.05, 400

-- Changes of a tile that are tried from where it is.
local moves <const> = {
    { "rows", function(n) return n + 1 end }, { "rows", function(n) return n - 1 end },
    { "rows", function(n) return n * 2 end }, { "vectors", function(n) return n + 1 end },
    { "vectors", function(n) return n - 1 end }, { "split", function(n) return n * 2 end },
    { "split", function(n) return n // 2 end },
}

local function median(times)
    local sorted = table.move(times, 1, #times, 1, {})
    table.sort(sorted)
    return sorted[(#sorted + 1) // 2], sorted[1]
end

-- search.beats(new, old, seconds, progress) -> does the candidate `new` run faster than `old`, and how many times?
-- Both stay open. progress(part) hears how far the race is, from 0 to 1.
function search.beats(new, old, seconds, progress)
    local a, b, spent = {}, {}, 0
    while #a < LATE_ROUNDS and (#a < EARLY_ROUNDS or spent < seconds) do
        -- In turns, and neither always first.
        local first, second = #a % 2 == 0 and new or old, #a % 2 == 0 and old or new
        local x, x_all = timing.sample(first)
        local y, y_all = timing.sample(second)
        if not x or not y then return false end
        a[#a + 1], b[#b + 1] = first == new and x or y, first == new and y or x
        spent = spent + x_all + y_all
        progress(math.min(1, spent / seconds))
        if #a == EARLY_ROUNDS then
            local new_median, new_least = median(a)
            local old_median, old_least = median(b)
            if new_least > BEHIND * old_least and new_median > BEHIND * old_median then return false end
        end
    end
    local new_median, new_least = median(a)
    local old_median, old_least = median(b)
    return new_median < old_median * (1 - GAIN) and new_least < old_least * (1 - GAIN), old_median / new_median
end

local function changed(choice, layer, field, value)
    local out = { file = choice.file, kernel = choice.kernel, tiles = {} }
    for i, tile in pairs(choice.tiles) do
        out.tiles[i] = { rows = tile.rows, vectors = tile.vectors, split = tile.split }
    end
    out.tiles[layer][field] = value
    return out
end

local function key_of(choice, layers)
    local parts = { choice.kernel }
    for i = 1, layers do
        local tile = choice.tiles[i]
        parts[#parts + 1] = tile and string.format("%dx%dx%d", tile.rows, tile.vectors, tile.split) or "-"
    end
    return table.concat(parts, " ")
end

-- search.run(kernels, layers, try, best) -> the best candidate: { choice, timed }. kernels: choices with the
-- model's tiles, those of the best one first; try(choice) -> a candidate, or nil if it cannot be; best: the
-- candidate of kernels[1]. race(new, old) -> is it faster?
function search.run(kernels, layers, try, best, race)
    local seen = { [key_of(best.choice, layers)] = true }
    local function consider(choice)
        local key = key_of(choice, layers)
        if seen[key] then return false end
        seen[key] = true
        local candidate = try(choice, key)
        if not candidate then return false end
        if race(candidate, best) then
            best.timed.runner:close()
            best = candidate
            return true
        end
        if candidate.timed.runner then candidate.timed.runner:close() end
        return false
    end
    for i = 2, #kernels do consider(kernels[i]) end
    local better
    repeat
        better = false
        for layer = 1, layers do
            for _, move in ipairs(moves) do
                local tile = best.choice.tiles[layer]
                local value = tile and move[2](tile[move[1]])
                while value and value >= 1 and consider(changed(best.choice, layer, move[1], value)) do
                    better, value = true, move[2](value)
                end
            end
        end
    until not better
    return best
end

return search
