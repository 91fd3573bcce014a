-- merges: what may become of both halves of what a bidirectional layer gives, besides lying side by side, a row each.
--
-- name      in a spec, as Keras' merge_mode has it
-- kind      of the layer in rnnc.h, in small letters
-- constant  in rnnc.h
-- text      for people
-- formula   (forward, reverse) -> the expression of the value, of those of both directions
local merges = {
    { name = "sum", kind = "merge_sum", constant = "RNNC_MERGE_SUM", text = "sum of both directions",
      formula = function(a, b) return { "add", a, b } end },
    { name = "mul", kind = "merge_mul", constant = "RNNC_MERGE_MUL", text = "product of both directions",
      formula = function(a, b) return { "mul", a, b } end },
    { name = "ave", kind = "merge_ave", constant = "RNNC_MERGE_AVE", text = "mean of both directions",
      formula = function(a, b) return { "mul", 0.5, { "add", a, b } } end },
}

-- merges.of(name) -> its row. Errors: no such merge.
function merges.of(name)
    for _, row in ipairs(merges) do
        if row.name == name then return row end
    end
    error("no merge " .. tostring(name), 0)
end

-- merges.names() -> those of a spec, "concat" first, which has no row.
function merges.names()
    local list = { "concat" }
    for i, row in ipairs(merges) do list[i + 1] = row.name end
    return list
end

return merges
