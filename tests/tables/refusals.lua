-- refusals: every text with which a reader of import refuses a file stands in a test, too: the beginning of the longest
-- piece of it between what is put in. What is in none is listed here, and the list may only become shorter.
local support = require "tests.compiler.support"

-- In no test yet.
local ALLOWED <const> = {
    "has no values",
    "there are two arrays where one",
    ") is expected, shared_axes = [",
    "; write it with astype(\\",
    "makes it more than 256 MB",
    "has no inputs",
    "reads numbers of the file; it ",
    "its outputs are none of a netw",
    "makes a tensor that is quantis",
    "ends a loop of cells that do n",
    "ends a loop of more than 64 ce",
    ": has quantisation of type",
    ": rnnc has no dense { activati",
    "is nn.PReLU's, and the layer b",
    "its modules are nested deeper ",
}

local function read(path)
    local file <close> = assert(io.open(path, "rb"))
    return file:read "a"
end

local function files(pattern)
    local list, pipe = {}, io.popen("ls " .. pattern)
    for path in pipe:lines() do list[#list + 1] = path end
    pipe:close()
    assert(#list > 0, pattern)
    return list
end

-- Texts that go on in the next line are one.
local function joined(text) return (text:gsub('"%s*\n%s*%.?%.?%s*"', "")) end

-- What the tests say, without this file.
local said = {}
for _, path in ipairs(files "tests/*.c tests/tables/*.lua tests/import/*.py") do
    if not path:find "refusals" then said[#said + 1] = joined(read(path)):gsub('\\"', '"') end
end
said = table.concat(said, "\n")

-- Of a piece, what a test has to have at least.
local LENGTH <const> = 30

-- The longest piece of a text without what is put in and without marks.
local function piece_of(text)
    local longest = ""
    for piece in (text:gsub("%%[-+ #0-9.]*%a", "\0"):gsub('\\.', "\0") .. "\0"):gmatch "([^\0]*)\0" do
        piece = piece:match "^%s*(.-)%s*$"
        if #piece > #longest then longest = piece end
    end
    return longest
end

-- Texts behind the names of what refuses.
local refuses <const> = { "check", "bad", "fail%.at", "error", "wrong", "expect_shape", "fail" }

local found, missing, there = 0, {}, {}
for _, path in ipairs(files "compiler/import/*.lua compiler/import/onnx/*.lua") do
    local source = joined((read(path):gsub("%-%-[^\n]*", "")))
    for _, name in ipairs(refuses) do
        for text in source:gmatch("[%.: ]" .. name .. '%s*%(?[^"\n]*"([^"\n]*)"') do
            local piece = piece_of(text):sub(1, LENGTH)
            -- Not names, and not what stands between two texts.
            if #piece >= 10 and piece:find " " and not piece:find "^%.%." then
                found, there[piece] = found + 1, true
                if not said:find(piece, 1, true) then missing[piece] = path end
            end
        end
    end
end

support.case("texts are found", function() assert(found > 200, found .. " texts") end)

support.case("each is in a test", function()
    local allowed, wrong = {}, {}
    for _, piece in ipairs(ALLOWED) do allowed[piece] = true end
    for piece, path in pairs(missing) do
        if not allowed[piece] then wrong[#wrong + 1] = path .. ": in no test: " .. piece end
    end
    for _, piece in ipairs(ALLOWED) do
        if not there[piece] then wrong[#wrong + 1] = "in no reader any more: " .. piece end
    end
    table.sort(wrong)
    assert(#wrong == 0, table.concat(wrong, "\n"))
end)

support.finish()
