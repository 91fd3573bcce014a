@ -- The states of a block's chains of one stage: from h0 and c0 into the workspace, or from there to hn and cn.
@ -- v: the variant; stage; layer_of: its row among the layers of the plan; arriving: which way; head: of the loop
@ -- over chains; floats(n, more): C text of so many floats of the workspace; all, sequence: C text of the sequences of
@ -- the block and of the place of one; first: where the weights have the states of calls without any, or false
@ local units = v.kernel == "units"
        for (@{head}) {
@ for i, name in ipairs(stage.states) do
@ local part = stage.state_parts[i]
@ local before = layer_of.before[name] > 0 and format("batch * %d + ", layer_of.before[name]) or ""
            @{arriving and "" or "const "}float *const @{name} = states + @{floats(stage.state_offset, part.offset)} + chain * @{floats(stage.state_count)};
@ local own = first and format("weights + %d + chain * %d", first[name] + layer_of.before[name], part.width)
@ if units and arriving then
@ if part.padded > part.width then
            /* Lanes without a unit take part in the arithmetic of their vector. */
@ end
            for (ptrdiff_t b = 0; b < @{all}; ++b) {
@ if part.padded > part.width then
                memset(@{name} + b * @{part.stride} + @{part.width}, 0, @{part.padded - part.width} * sizeof(float));
@ end
                if (@{name}0)
                    memcpy(@{name} + b * @{part.stride}, @{name}0 + @{before}(chain * batch + (size_t)@{sequence}) * @{part.width}, @{part.width} * sizeof(float));
                else
@ if first then
                    memcpy(@{name} + b * @{part.stride}, @{own}, @{part.width} * sizeof(float));
@ else
                    memset(@{name} + b * @{part.stride}, 0, @{part.width} * sizeof(float));
@ end
            }
@ elseif units then
            for (ptrdiff_t b = 0; @{name}n && b < @{all}; ++b)
                memcpy(@{name}n + @{before}(chain * batch + (size_t)@{sequence}) * @{part.width}, @{name} + b * @{part.stride}, @{part.width} * sizeof(float));
@ elseif arriving then
@ -- Units that fill the last group are 0.
            @{part.padded == part.width and format("if (!%s0 || rows < %d) ", name, v.block) or ""}memset(@{name}, 0, @{part.padded * v.block} * sizeof(float));
            if (@{name}0)
                transpose@{v.suffix}(@{name}0 + @{before}(chain * batch + first) * @{part.width}, @{part.width}, @{name}, @{v.block}, rows, @{part.width});
@ if first then
@ local beside = v.beside
@ local place = beside > 1 and format("i / %d * %d + i %% %d + b * %d", beside, beside * v.block, beside, beside) or format("i * %d + b", v.block)
            for (ptrdiff_t i = 0; !@{name}0 && i < @{part.width}; ++i)
                for (ptrdiff_t b = 0; b < rows; ++b) @{name}[@{place}] = (@{own})[i];
@ end
@ else
            if (@{name}n)
                transpose@{v.beside > 1 and "_back" or ""}@{v.suffix}(@{name}, @{v.block}, @{name}n + @{before}(chain * batch + first) * @{part.width}, @{part.width}, @{part.width}, rows);
@ end
@ end
        }
