-- kernels: the candidates for running a network, each with the same few fields:
--   name, doc
--   applies(net, target) -> true, or false and why not
--   plan(net, target) -> { kernel = name, cycles, block, ... }, its best tiles and what they cost
-- net: { I, H, L, D, G, steps, batch, kinds = { "first"[, "upper"] }, columns = { kind -> inputs } };
-- layer 0 is of the kind `first`, those above are of the kind `upper`
return { require "kernels.units", require "kernels.batch" }
