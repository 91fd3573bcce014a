-- runtime_faults: calls of librnnc when the system fails it, one call after the other: tests/fault/runtime.c.
local support = require "tests.compiler.support"

local place = support.place()
local root, build = os.getenv "PWD", os.getenv "BUILD" or "build"
if build:sub(1, 1) ~= "/" then build = root .. "/" .. build end

support.case("a status, a message, and nothing left", function()
    local pipe = io.popen(string.format("cd %s && mkdir files && %s -std=gnu11 -O0 -I%s/runtime -o calls "
        .. "%s/tests/fault/runtime.c %s/librnnc.a $(pkg-config --libs jansson 2>/dev/null || echo -ljansson) -lm -ldl "
        .. "-lpthread 2>&1 && ./calls files; echo $?", place.directory, os.getenv "CC" or "cc", root, root, build))
    local output = pipe:read "a"
    pipe:close()
    assert(output:find "\n0\n$" and not output:find "hands out", output)
    for name, least in pairs { write = 20, open = 20, open_memory = 20, weights_load = 2, team_create = 3 } do
        assert(tonumber(output:match("\n?" .. name .. ": (%d+) calls\n")) >= least, output)
    end
end)

os.execute("rm -r " .. place.directory)
support.finish()
