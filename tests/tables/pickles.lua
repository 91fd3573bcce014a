-- pickles: what import says of archives of PyTorch whose pickle does what no torch.save writes: an opcode or two a row.
local support = require "tests.compiler.support"
local zip = require "tests.support.zip"

local place = support.place()
local write, run = place.write, place.run

-- The pickle, what is said of its byte "@".
local rows <const> = {
    { "K\1K\2\x93", "(opcode 0x93): names a global by what is no text" },
    { "K\1)\x81", "(opcode 0x81): makes an object of no class" },
    { "ctorch._utils\n_rebuild_parameter\nK\1\x81", "(opcode 0x81): makes an object of no class" },
    { "ctorch._utils\n_rebuild_parameter\n)R", "(opcode R): calls with no argument what needs one" },
    { "ctorch._tensor\n_rebuild_from_type_v2\nK\1\x85R", "(opcode R): makes a tensor by what is no function" },
    { "ctorch._tensor\n_rebuild_from_type_v2\nh\0", "(opcode h): asks for what was not remembered" },
    { "ccollections\nOrderedDict\n]K\1a\x85R", "(opcode R): makes a dict of what are no pairs" },
    { "ccollections\nOrderedDict\n])a\x85R", "(opcode R): makes a dict of what are no pairs" },
    { "ctorch._utils\n_rebuild_tensor_v2\nK\1\x85R",
      "(opcode R): makes a tensor of other things than a storage, an offset, sizes and strides" },
    { "K\1\x85R", "(opcode R): takes more from the stack than there is" },
    { "K\1)R", "(opcode R): calls what is no global" },
    { "}K\1s", "(opcode s): changes what is no dict" },
    { "K\1K\2K\3s", "(opcode s): changes what is no dict" },
    { "h\0", "(opcode h): asks for what was not remembered" },
}

support.case("opcodes", function()
    for _, row in ipairs(rows) do
        write("a.pt", zip { { "a/data.pkl", "\x80\2" .. row[1] .. "." }, { "a/version", "3\n" } })
        local output, code = run "import a.pt -o out"
        local said = output:match "^a%.pt: error: data%.pkl, byte %d+ ([^\n]*)\n$"
        assert(code == 1 and said and said:sub(1, #row[2]) == row[2], row[2] .. "\n" .. output)
    end
end)

os.execute("rm -r " .. place.directory)
support.finish()
