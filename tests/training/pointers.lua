-- pointers: every function of the headers of some networks, read from these, is called with each of its pointers NULL
-- in turn. What the header says may be NULL is fine; the rest is RNNC_ERR_ARGUMENT, and no byte of any buffer changes.
local support = require "tests.compiler.support"

local rnnc = os.getenv "RNNC" or "build/rnnc"
local directory = os.tmpname()
os.remove(directory)
assert(os.execute("mkdir " .. directory))

local nets <const> = {
    { "net", 'return rnn { name = "net", cell = "lstm", input_size = 2, hidden_size = 5, target = "portable", '
        .. 'batch = "any", train = true }' },
    { "words", 'return model { name = "words", seq_len = 4, batch = 3, train = true, layers = { embedding { '
        .. 'num_embeddings = 6, dim = 3, prefix = "e." }, rnn { cell = "gru", hidden_size = 4 }, dense { units = 6, '
        .. 'prefix = "d." } }, target = "portable" }' },
    { "many", 'return rnn { name = "many", input_size = 2, hidden_size = 5, lengths = true, threads = 2, seq_len = 4, '
        .. 'batch = 3, streaming = true, train = true, target = "portable" }' },
}

-- What may be NULL, by what the name of the function has in it.
local may_be_null <const> = {
    { "_train_forward$", "lengths h0 c0 y hn cn" }, { "_gradients$", "lengths dy dhn dcn dparameters dx dh0 dc0" },
    { "_forward", "team lengths h0 c0 hn cn" }, { "_loss_cross_entropy$", "class_weights dlogits" },
    { "_loss_", "dy" }, { "_update_", "" }, { "_step$", "" }, { "_process$", "" }, { "_state_", "state" },
}

local values <const> = { seq_len = "4", batch = "3", count = "4", classes = "5", momentum = "0.9", lr = "0.01",
                         nesterov = "1", step = "1", steps = "1", ignore_index = "-100" }

local BYTES <const> = 1 << 16

-- The parameters of a prototype: { type, name, pointer }.
local function parameters_of(text)
    local list = {}
    for one in text:gmatch("[^,]+") do
        local type, name = one:match("^%s*(.-)([%a_][%w_]*)$")
        list[#list + 1] = { type = type, name = name, pointer = type:find("*", 1, true) ~= nil }
    end
    return list
end

local function optional(fn, name)
    for _, row in ipairs(may_be_null) do
        if fn:find(row[1]) then return (" " .. row[2] .. " "):find(" " .. name .. " ", 1, true) ~= nil end
    end
    error("no row of may_be_null is of " .. fn)
end

local buffers, setup, calls = {}, {}, {}

-- The number of the buffer of a parameter, one for each name of a network.
local function buffer_of(net, p)
    local key = net .. " " .. p.name
    if not buffers[key] then
        buffers[#buffers + 1], buffers[key] = key, #buffers
        local fill = p.type:find "size_t" and "for (size_t i = 0; i < 8; ++i) ((size_t *)room[%d])[i] = 1;"
            or not p.type:find "const" and "memset(room[%d], 0x3c, ROOM);" or ""
        setup[#setup + 1] = fill:find "%%d" and fill:format(buffers[key]) or nil
    end
    return buffers[key]
end

local function call_of(net, fn, list, null)
    local words = {}
    for i, p in ipairs(list) do
        words[i] = p == null and "NULL" or p.pointer and (p.name == "team" and "NULL"
            or string.format("(%s)room[%d]", p.type, buffer_of(net, p))) or values[p.name] or "0.5"
    end
    return fn .. "(" .. table.concat(words, ", ") .. ")"
end

local count = 0
local includes, sources = {}, {}
for _, net in ipairs(nets) do
    local name, text = net[1], net[2]
    do
        local file <close> = assert(io.open(string.format("%s/%s.lua", directory, name), "wb"))
        file:write(text)
    end
    assert(os.execute(string.format("%s compile %s/%s.lua -o %s > /dev/null", rnnc, directory, name, directory)))
    for _, ending in ipairs { "", "_train" } do
        includes[#includes + 1] = string.format('#include "%s%s.h"', name, ending)
        sources[#sources + 1] = string.format("%s/%s%s.c", directory, name, ending)
        local file <close> = assert(io.open(string.format("%s/%s%s.h", directory, name, ending), "rb"))
        for kind, fn, text_of in file:read("a"):gmatch("\n([%l_]+) ([%w_]+)(%b());") do
            local list = parameters_of(text_of:sub(2, -2))
            for _, null in ipairs(kind == "rnnc_status" and { {}, table.unpack(list) } or {}) do
                if null.pointer or not null.name then
                    local fine = not null.name or optional(fn, null.name)
                    calls[#calls + 1] = string.format('    %s("%s with %s NULL", %s);', fine and "FINE" or "REFUSED",
                        fn, null.name or "nothing", call_of(name, fn, list, null))
                    count = count + 1
                end
            end
            for _, p in ipairs(fn:find "_state_" and list or {}) do
                assert(optional(fn, p.name))
                calls[#calls + 1] = "    " .. call_of(name, fn, list, p) .. ";"
            end
        end
    end
end

support.case("each pointer of each function", function()
    local out <close> = assert(io.open(directory .. "/pointers.c", "wb"))
    out:write(table.concat(includes, "\n"), string.format([[

#include <stdio.h>
#include <string.h>
enum { ROOM = %d, ROOMS = %d };
static union { double aligned; unsigned char bytes[ROOM]; } store[ROOMS], kept[ROOMS];
static void *room[ROOMS];
static int failed;
static void expect(const char *what, rnnc_status got, rnnc_status wanted)
{
    if (got == wanted) return;
    printf("%%s: %%d, not %%d\n", what, (int)got, (int)wanted);
    failed = 1;
}
#define FINE(what, call) puts(what), fflush(stdout), expect(what, call, RNNC_OK)
#define REFUSED(what, call)                                                         \
    do {                                                                            \
        puts(what);                                                                 \
        fflush(stdout);                                                             \
        memcpy(kept, store, sizeof store);                                          \
        expect(what, call, RNNC_ERR_ARGUMENT);                                      \
        if (memcmp(kept, store, sizeof store) != 0) printf("%%s writes\n", what), failed = 1; \
    } while (0)
int main(void)
{
    for (int i = 0; i < ROOMS; ++i) room[i] = &store[i];
    if (net_workspace_size(4, 3) > ROOM || net_tape_size(4, 3) > ROOM || sizeof(many_state) > ROOM) return 2;
    ]], BYTES, #buffers), table.concat(setup, "\n    "), "\n", table.concat(calls, "\n"), "\n    return failed;\n}\n")
    out:close()
    local pipe = io.popen(string.format("%s -std=c11 -O0 -w -I%s -Iruntime -o %s/pointers %s/pointers.c %s -lm 2>&1 && "
        .. "%s/pointers; echo $?", os.getenv "CC" or "cc", directory, directory, directory, table.concat(sources, " "),
        directory))
    local output = pipe:read("a")
    pipe:close()
    -- The last line but the status names the call that crashed, if one did.
    assert(output:find("\n0\n$"), output:sub(-600))
    assert(count > 200, count)
end)

os.execute("rm -r " .. directory)
support.finish()
