-- programs: training programs that misbehave, a row each; and a run in pieces whose states are of two widths.
local support = require "tests.compiler.support"

local place = support.place()
local directory, write, run = place.directory, place.write, place.run

-- What a program does when it is asked, and what is said.
local programs <const> = {
    { "exit 3", "rnnc train: error: the training program: it ends with exit code 3" },
    { "kill -9 $$", "rnnc train: error: the training program: it crashes: Killed" },
    -- More than a line, and then nothing.
    { "i=0; while [ $i -lt 40 ]; do printf 0123456789012345678901234567890123456789; i=$((i + 1)); done; "
        .. "exec sleep 300", "rnnc train: error: the training program: it crashes: Killed" },
    { "echo memory; exec sleep 300", "rnnc train: error: there is not enough memory for batches of these sizes" },
    { "echo bad data y 7; exec sleep 300",
      "rnnc train: error: d.st: y of sequence 7: a value that it cannot have; see `rnnc help training`" },
}

support.case("training programs that misbehave", function()
    write("net.lua", 'return rnn { input_size = 1, hidden_size = 1, training = training { loss = "mse", '
        .. 'data = "d.st" } }')
    write("d.st", string.pack("<s8", '{"x":{"dtype":"F32","shape":[1,2,1],"data_offsets":[0,8]},'
        .. '"y":{"dtype":"F32","shape":[1,2,1],"data_offsets":[8,16]}}') .. ("\0"):rep(16))
    -- A compiler that puts the program where the network's is to be.
    write("cc", '#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\ncp program "$2" && chmod 700 "$2"\n')
    assert(os.execute("chmod 700 " .. directory .. "/cc"))
    for _, row in ipairs(programs) do
        write("program", "#!/bin/sh\nread line\n" .. row[1] .. "\n")
        local output, code = run "train net.lua --cc=./cc --target=portable -o best.st"
        assert(code == 1 and output:find(row[2], 1, true), row[2] .. "\n" .. code .. ": " .. output)
    end
end)

support.case("pieces of a run carry states of two widths", function()
    write("net.lua", 'return rnn { cell = "lstm", input_size = 7, hidden_size = 6, proj_size = 2, num_layers = 2, '
        .. 'batch = 2, seq_len = 2, target = "portable" }')
    local output, code = run "verify net.lua"
    -- All values of x in turns: four sequences by two calls.
    assert(code == 0 and output:find("\n       2      4  no    each 1 ", 1, true), output)
end)

os.execute("rm -r " .. directory)
support.finish()
