-- pointers: every function of rnnc.h that returns a status, read from there, is called with each of its pointers NULL
-- in turn, and calls with each of theirs: RNNC_ERR_ARGUMENT, unless rnnc.h says that NULL is fine.
local support = require "tests.compiler.support"

local rnnc, build = os.getenv "RNNC" or "build/rnnc", os.getenv "BUILD" or "build"
local directory = os.tmpname()
os.remove(directory)
assert(os.execute("mkdir " .. directory))

-- What is given for a parameter of that name, or for one function "FUNCTION.NAME".
local values <const> = {
    network = "&network", sizes = "&sizes", error = "&error", team = "&team", out = "&view", shape = "shape",
    stride = "stride", data = "memory", tensor = "&tensor", value = "&number", to = "&other", from = "&tensor",
    path = "path", file = "file", names = "names", keys = "names", values = "names", config = "&config",
    weight = "weights", prefix = '""', unused = "&unused", tensors = "list", pack = "model.pack", packed = "packed",
    model = "&model", blob = "blob", name = "names[0]", table = "&backend", prepared = "packed", blas = "&backend",
    call = "&call", y = "doubles", hn = "doubles + 32", cn = "doubles + 64",
    count = "1", dtype = "RNNC_F32", rank = "2", data_size = "sizeof memory", offset = "0", axis = "0", axis_a = "0",
    axis_b = "1", begin = "0", ["end"] = "1", size = "sizeof memory", meta_count = "1", index = "0",
    pack_count = "model.pack_count", packed_count = "model.packed_count", weight_count = "4",
    blob_size = "RNNC_BLOB_HEADER_SIZE + 4 * model.packed_count", seq_len = "2", batch = "1",
    ["rnnc_tensor_count.count"] = "&size", ["rnnc_tensor_get.index"] = "index", ["rnnc_tensor_set.index"] = "index",
    ["rnnc_tensor_set.value"] = "1", ["rnnc_safetensors_open.file"] = "&opened",
    ["rnnc_safetensors_open_memory.file"] = "&opened", ["rnnc_safetensors_open_memory.data"] = "bytes",
    ["rnnc_safetensors_open_memory.size"] = "bytes_count", ["rnnc_safetensors_find.tensor"] = "&view",
    ["rnnc_safetensors_read_f32.to"] = "packed", ["rnnc_safetensors_read_f32.count"] = "6",
    ["rnnc_safetensors_write.path"] = "written", ["rnnc_safetensors_write.tensors"] = "&tensor",
    ["rnnc_weights_check.count"] = "4", ["rnnc_weights_load.count"] = "4", ["rnnc_weights_load.tensors"] = "&loaded",
    ["rnnc_config_weight.weight"] = "weights", ["rnnc_model_blob.packed"] = "&found",
    ["rnnc_model_load_memory.data"] = "bytes", ["rnnc_model_load_memory.size"] = "bytes_count",
    ["rnnc_blas_select.name"] = '"builtin"',
}

-- What rnnc.h lets be NULL; a model's file of its own weights may come without a prefix.
local optional <const> = {}
for name in ([[error prefix unused hn cn rnnc_network_measure.sizes rnnc_generic_forward.blas rnnc_blas_select.name]])
    :gmatch("%S+") do
    optional[name] = true
end

-- Fields of what is handed on, with the calls that look at them.
local fields <const> = {
    { "call", { "x", "y", "workspace", "weights" }, { "rnnc_model_forward(&model, &call, &error)",
                                                      "rnnc_generic_forward(&network, NULL, &call)" } },
    { "call", { "x" }, { "rnnc_reference_forward(&network, list, &call, doubles, doubles + 32, NULL)" } },
    { "backend", { "name", "sgemm", "sgemv" }, { "rnnc_blas_register(&backend)" } },
    { "network", { "layer" }, { "rnnc_network_measure(&network, &sizes, &error)" } },
}

local header <close> = assert(io.open("runtime/rnnc.h", "rb"))
local text = header:read("a"):gsub("/%*.-%*/", "")
local lines, count = {}, 0

local function add(kind, what, call)
    count = count + 1
    lines[#lines + 1] = string.format("    %s(%q, %s);", kind, what, call)
end

for fn, parameters in text:gmatch("\nrnnc_status ([%w_]+)(%b());") do
    local list = {}
    for one in parameters:sub(2, -2):gmatch("[^,]+") do
        list[#list + 1] = { name = one:match("([%w_]+)$"), pointer = one:find("*", 1, true) ~= nil }
    end
    local function call(null)
        local words = {}
        for i, p in ipairs(list) do
            words[i] = p == null and "NULL" or values[fn .. "." .. p.name] or values[p.name]
                or error("no value for " .. fn .. "." .. p.name)
        end
        return fn .. "(" .. table.concat(words, ", ") .. ")"
    end
    add("FINE", fn .. " as it should be", call())
    for _, p in ipairs(list) do
        local fine = optional[p.name] or optional[fn .. "." .. p.name]
        if p.pointer then add(fine and "FINE" or "REFUSED", fn .. " with " .. p.name .. " NULL", call(p)) end
    end
end
for _, row in ipairs(fields) do
    for _, field in ipairs(row[2]) do
        for _, call in ipairs(row[3]) do
            lines[#lines + 1] = string.format("    set_up();\n    %s.%s = NULL;", row[1], field)
            add("REFUSED", call .. " with " .. field .. " NULL", call)
        end
    end
end
-- What a model was not generated for is said, and not left out.
lines[#lines + 1] = "    set_up();\n    call.lengths = &length;"
add("REFUSED", "lengths for a model without", "rnnc_model_forward(&model, &call, &error)")

local function write(name, body)
    local file <close> = assert(io.open(directory .. "/" .. name, "wb"))
    file:write(body)
end

support.case("each pointer of the runtime's functions", function()
    write("tiny.lua", 'return rnn { input_size = 2, hidden_size = 3, target = "portable", '
        .. 'weights = "tiny.safetensors" }')
    assert(os.execute(string.format("%s init --weights-only=%s/tiny.lua > /dev/null && %s compile --weights-as=none "
        .. "%s/tiny.lua -o %s > /dev/null", rnnc, directory, rnnc, directory, directory)))
    write("pointers.c", [[
#include "tiny.h"
#include <stdio.h>
#include <string.h>
static rnnc_model model;
static rnnc_config config;
static rnnc_layer layer;
static rnnc_network network;
static rnnc_network_sizes sizes;
static rnnc_error error, unused;
static rnnc_team *team;
static rnnc_tensor tensor, other, view;
static rnnc_safetensors *file, *opened;
static rnnc_weight weights[4];
static rnnc_blas backend;
static rnnc_call call;
static float memory[16], packed[4096], values[64], out[16];
static unsigned char bytes[4096], blob[RNNC_BLOB_HEADER_SIZE + sizeof packed];
static size_t bytes_count, size, shape[2] = { 2, 3 }, index[2], length = 1;
static ptrdiff_t stride[2] = { 3, 1 };
static double number, doubles[96], space[512];
static const char *const names[] = { "weight_ih_l0" };
static const float *list[4] = { values, values, values, values }, *found, **loaded;
static int failed;
static void set_up(void)
{
    model = tiny_model;
    config = (rnnc_config){ .cell = RNNC_RNN_TANH, .input_size = 2, .hidden_size = 3, .num_layers = 1, .bias = 1 };
    layer = (rnnc_layer){ .kind = RNNC_RECURRENT, .recurrent = config };
    network = (rnnc_network){ .layer_count = 1, .layer = &layer };
    backend = *rnnc_blas_builtin();
    memcpy(weights, model.weight, sizeof weights);
    rnnc_tensor_make(&tensor, RNNC_F32, 2, shape, memory, sizeof memory);
    rnnc_tensor_make(&other, RNNC_F32, 2, shape, values, sizeof values);
    call = (rnnc_call){ .weights = packed, .seq_len = 2, .batch = 1, .x = memory, .y = out, .workspace = space };
}
static void expect(const char *what, rnnc_status got, rnnc_status wanted)
{
    if (got == wanted) return;
    printf("%s: %d, not %d\n", what, (int)got, (int)wanted);
    failed = 1;
}
#define CALL(what, call, wanted) set_up(), puts(what), fflush(stdout), expect(what, call, wanted)
#define FINE(what, call) CALL(what, call, RNNC_OK)
#define REFUSED(what, call) puts(what), fflush(stdout), expect(what, call, RNNC_ERR_ARGUMENT)
int main(int count, char **words)
{
    const char *const path = words[1], *const written = words[2];
    FILE *const stream = fopen(path, "rb");
    if (count != 3 || !stream) return 2;
    bytes_count = fread(bytes, 1, sizeof bytes, stream);
    fclose(stream);
    set_up();
    rnnc_blob_header(model.fingerprint, model.packed_count, blob);
    if (model.packed_count * sizeof(float) > sizeof packed || model.workspace_size(2, 1) > sizeof space
        || rnnc_generic_workspace_size(&network, 2, 1) > sizeof space || rnnc_safetensors_open(path, &file, NULL))
        return 3;
]] .. table.concat(lines, "\n") .. "\n    return failed;\n}\n")
    local pipe = io.popen(string.format("cd %s && %s -std=c11 -O0 -w -I%s -I%s -o pointers pointers.c tiny.c "
        .. "%s/librnnc.a $(pkg-config --libs jansson 2>/dev/null || echo -ljansson) -lm -ldl -lpthread 2>&1 && "
        .. "./pointers tiny.safetensors written; echo $?", directory, os.getenv "CC" or "cc",
        os.getenv "PWD" .. "/runtime", directory, build:sub(1, 1) == "/" and build or os.getenv "PWD" .. "/" .. build))
    local output = pipe:read("a")
    pipe:close()
    -- The last line but the status names the call that crashed, if one did.
    local wrong = {}
    for one in output:gmatch("[^\n]+: %-?%d+, not %d+\n") do wrong[#wrong + 1] = one end
    assert(output:find("\n0\n$"), table.concat(wrong) .. output:sub(-300))
    assert(count > 100, count)
end)

os.execute("rm -r " .. directory)
support.finish()
