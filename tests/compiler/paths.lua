-- paths: a directory and a name, joined and split.
local support = require "tests.compiler.support"

local paths = require "base.paths"

for _, case in ipairs {
    { "a", "b", "a/b" }, { ".", "b", "b" }, { "/", "b", "/b" }, { "/a/c", "b.h", "/a/c/b.h" }, { "..", "b", "../b" },
    { "a", "", "a/" }, { ".", ".", "." }, { ".", "..", ".." }, { "a b", "-", "a b/-" }, { "a//", "b", "a///b", "a//b" },
} do
    local directory, name, path, joined = table.unpack(case)
    support.case("joined to " .. path, function() assert(paths.join(directory, name) == (joined or path)) end)
    support.case(path .. " split", function()
        local d, n = paths.split(path)
        assert(d == directory and n == name, d .. " and " .. n)
    end)
end

support.finish()
