-- reasons: why a kernel, or a way to share a call among threads, is not possible: a network for each reason that the
-- compiler has, whose choice says it.
local support = require "tests.compiler.support"

local rnnc = os.getenv "RNNC" or "build/rnnc"
local path = os.tmpname()

local LSTM <const> = 'return rnn { cell = "lstm", input_size = 5, hidden_size = 24, %s }'
local HEAD <const> = 'return model { %s, layers = { rnn { cell = "lstm", input_size = 5, hidden_size = 24 }, '
    .. 'dense { units = 3, %s } } }'

local DENSE <const> = 'return model { threads = 2, layers = { dense { input_size = 9, units = 40, prefix = "a." }, '
    .. 'dense { units = 7 } } }'

-- What is planned, on which target, and why not: of a way to share a call, or of a kernel.
local rows <const> = {
    { LSTM:format "threads = 2, batch = 4", "portable", "there is one direction", "directions" },
    { LSTM:format "threads = 2, batch = 1", "portable", "there is one sequence", "slices" },
    { LSTM:format "threads = 2, bidirectional = true", "portable",
      "one direction begins where another one ends", "chunks" },
    { LSTM:format "threads = 2, batch = 64", "portable", "the batch has several blocks", "chunks" },
    { LSTM:format "threads = 2, layer_norm = true", "portable", "a norm needs all units", "panels" },
    { LSTM:format "batch = 8, layer_norm = true", "avx2", "norms are of one sequence's units, side by side" },
    { DENSE, "portable", "there is no recurrent layer", "chunks" },
    { DENSE, "portable", "there is no recurrent layer", "panels" },
    { HEAD:format("threads = 2, lengths = true", "last_step = true"), "portable",
      "sequences end in different chunks", "chunks" },
    { HEAD:format("threads = 2, seq_len = 4", ""):gsub(", dense", ", flatten { }, dense"), "portable",
      "a layer reads all steps side by side", "chunks" },
    { LSTM:format 'batch = "any"', "avx2", "the batch is not known" },
    { LSTM:format "batch = 8, lengths = true", "avx2",
      "sequences of different lengths end at different steps" },
    { LSTM:format "batch = 8", "scalar", "a vector has 1 lane(s)" },
    { LSTM:format "batch = 1", "avx2", "the batch fills less than half a vector" },
    { 'return rnn { input_size = 5, hidden_size = 21, batch = 8 }', "avx2",
      "an odd size makes its text long" },
}

-- Those of a list of targets that share their weights.
local unsaid <const> = { ["its panels are as high as its tiles"] = true, ["no kernel for it has panels"] = true,
                         ["the panels that it is to read are no whole vectors"] = true }

local function plan_of(text, target)
    local file <close> = assert(io.open(path, "wb"))
    file:write(text)
    file:close()
    local pipe = io.popen(string.format("%s plan %s --target=%s --dump=choose 2>&1", rnnc, path, target))
    local output = pipe:read("a")
    pipe:close()
    return output
end

for i, row in ipairs(rows) do
    support.case(row[3], function()
        local plan = plan_of(row[1], row[2])
        local wanted = (row[4] and 'kind = "' .. row[4] .. '", ' or "") .. 'why_not = "' .. row[3] .. '"'
        assert(plan:find(wanted, 1, true), string.format("row %d: no %s in\n%s", i, wanted, plan))
    end)
end

support.case("there is a row for each reason", function()
    local pipe = io.popen "cat compiler/passes/divide.lua compiler/kernels/*.lua"
    local count = 0
    for reason in pipe:read("a"):gmatch('return %l+, "([^"]+)"') do
        local found = unsaid[reason]
        for _, row in ipairs(rows) do found = found or row[3]:find(reason, 1, true) end
        assert(found, reason)
        count = count + 1
    end
    pipe:close()
    assert(count >= 14, count)
end)

os.remove(path)
support.finish()
