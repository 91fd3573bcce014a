-- readers: the formats of files that networks are downloaded in, a row each, in the order in which they are asked.
--
-- format    what it is called in the report
-- can_read  (file) -> is it of this format? By its content; quick for files that are not.
-- read      (file) -> the record of the network, or a user's mistake that names the place in the file
--
-- file: { path, bytes } and what readers keep there, such as the JSON in it.
--
-- The record that a reader gives:
--   layers   { form = "rnn" | "dense" | "embedding", fields (as in spec/fields.lua) }, first to last
--   fields   of the model beside its layers
--   tensors  { name, shape, data }: PyTorch's names, gates and layout; see tensors.lua
--   became   { what the file has, what it is now }, for the report
--   unused   what the file has beside the network, and why it is not used; a text each
--   doubts   what the file does not tell although the result depends on it
--   open     what is for the program to choose
local readers = {
    require "import.rtneural",
    require "import.nam",
    require "import.deeplearn",
    require "import.state_dict_json",
    require "import.safetensors",
    require "import.keras",
    require "import.pytorch",
    require "import.onnx",
    require "import.tensorflow",
}

-- readers.of(file) -> the reader of a file, or nil.
function readers.of(file)
    for _, reader in ipairs(readers) do
        if reader.can_read(file) then return reader end
    end
    return nil
end

return readers
