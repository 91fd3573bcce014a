-- places.lua: prints the rows of mutants.lua whose text is not once in its file, or that name tests which are not
-- there; exit status 1 if there are any.
package.path = "tests/mutants/?.lua;" .. package.path
local mutants = require "mutants"

local wrong = 0

local function complain(row, ...)
    wrong = wrong + 1
    print(string.format("%s: %s: ", row.file, row.what) .. string.format(...))
end

-- The tests of the suite, each "suite/name".
local tests = {}
local pipe <close> = assert(io.popen("cat tests/test_*.c"))
for arguments in pipe:read("a"):gmatch("Test(%b())") do
    -- Test(suite, name ...), ParameterizedTest(type *name, suite, name ...)
    local suite, name = arguments:match("^%(%s*([%w_]+),%s*([%w_]+)")
    if not suite then suite, name = arguments:match("^%([^,]*%*[^,]*,%s*([%w_]+),%s*([%w_]+)") end
    if suite then tests[#tests + 1] = suite .. "/" .. name end
end
assert(#tests > 0, "no tests are found")

local function is_there(glob)
    local pattern = "^" .. glob:gsub("%*", ".*") .. "$"
    for _, test in ipairs(tests) do
        if test:find(pattern) then return true end
    end
    return false
end

for _, row in ipairs(mutants.list) do
    local file = io.open(row.file, "rb")
    local text = file and file:read("a") or ""
    if file then file:close() end
    local first, last = text:find(row.find, 1, true)
    if not first or text:find(row.find, last + 1, true) then
        complain(row, "the text is %s in it", first and "more than once" or "not")
    end
    for _, glob in ipairs(row.tests or mutants.usual) do
        if not is_there(glob) then complain(row, "no test is called %s", glob) end
    end
end
os.exit(wrong == 0)
