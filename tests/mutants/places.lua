-- places.lua: prints the rows of mutants.lua whose text is not once in its file; exit status 1 if there are any.
package.path = "tests/mutants/?.lua;" .. package.path
local mutants = require "mutants"

local wrong = 0
for _, row in ipairs(mutants.list) do
    local file = io.open(row.file, "rb")
    local text = file and file:read("a") or ""
    if file then file:close() end
    local first, last = text:find(row.find, 1, true)
    if not first or text:find(row.find, last + 1, true) then
        wrong = wrong + 1
        print(string.format("%s: %s: the text is %s in it", row.file, row.what, first and "more than once" or "not"))
    end
end
os.exit(wrong == 0)
