-- kernels: the candidates for running a network, each with the same few fields:
--   name (of its C: emit/products/NAME.lua), label, doc
--   in_lanes  what the lanes of a vector are: "units" of one sequence, a row each, or "sequences" of a block, in which
--     a unit is a row. Other rooms ask for this and never for a name.
--   chunk     steps of a chunk, or nil: as many as fit in a cache
--   shares    may members of a team have panels of its products?
--   applies(ir, target) -> true, or false and why not
--   plan(net, target, deterministic) -> { cycles of a time step, serial, block, ... }: the best tiles of a
--     stack; serial: cycles of a step of one chain that wait for the step before; hoisted: by kind, is the product
--     with the inputs one of its own, of a chunk's steps?
--   dense(net, target, deterministic) -> the tiles of a dense layer { inputs, units }, cycles, block as of plan
--   tile(plan) -> the register tile of the step in a plan of a stack: { rows, vectors, split }
--   retile(net, target, plan, tile, deterministic) -> true with that tile in the plan, or false if it cannot be
-- A kernel may have one of another kind for single products, as units has dot for those with the inputs.
-- net: { I, H, L, D, G, separate (gates with two sums), update, steps, batch, members (that share the panels of a
-- step), kinds = { "first"[, "upper"] }, columns = { kind -> inputs } }; layer 0 is of the kind `first`, those above
-- are of the kind `upper`.
local batch = require "kernels.batch"

return { require "kernels.units", batch(1), batch(2), batch(1, 2), batch(2, 2) }
