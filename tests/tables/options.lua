-- options: every option that the help of a command lists, with values that it cannot have: an error that names it, and
-- nothing is written.
local support = require "tests.compiler.support"

local rnnc = os.getenv "RNNC" or "build/rnnc"
if rnnc:sub(1, 1) ~= "/" then rnnc = os.getenv "PWD" .. "/" .. rnnc end
local directory = os.tmpname()
os.remove(directory)
assert(os.execute("mkdir " .. directory))

local function run(command)
    local pipe = io.popen(command .. " 2>&1; echo $?")
    local output, code = pipe:read("a"):match("^(.-)(%d+)\n$")
    pipe:close()
    return output, tonumber(code)
end

do
    local file <close> = assert(io.open(directory .. "/net.lua", "wb"))
    file:write('return rnn { input_size = 2, hidden_size = 3, training = training { loss = "mse", data = "d.npz" } }\n')
end

-- What is given in place of a number, and of a name.
local bad <const> = { N = { "x", "-1", "nan", "" }, FILE = { "" }, DIR = { "" }, CC = { "" },
                      NAME = { "" }, TARGET = { "", "no", "avx2,no", "avx2," }, STAGE = { "no", "" },
                      FORM = { "no", "" }, PART = { "no", "" }, ["NAME=VALUE..."] = { "", "=3", "3=3" },
                      TEXT = { "", "clock_ghz=x" }, ["MODEL.lua"] = { "" } }

-- Of these the empty text is one that it can have: as if it were not there.
local may_be_empty <const> = { cc = true, ["depfile-target"] = true, machine = true }

support.case("values that options cannot have", function()
    local list, tried, wrong = run(rnnc .. " help"), 0, {}
    for command in list:gmatch("\n  (%l+) ") do
        for option, kind in run(rnnc .. " help " .. command):gmatch("%-%-([%l-]+)=([%u][%w.=]*)") do
            local values = bad[kind] or error("no values for " .. command .. " --" .. option .. "=" .. kind)
            for _, value in ipairs(may_be_empty[option] and {} or values) do
                local model = command == "init" and "" or command == "import" and "x.onnx" or "net.lua"
                local output, code = run(string.format("cd %s && timeout 60 %s %s %s '--%s=%s'", directory, rnnc,
                    command, model, option, value))
                tried = tried + 1
                local says = output:find(option, 1, true) or output:find(kind:lower(), 1, true)
                if code ~= 1 or not says or output:find("internal error", 1, true) then
                    wrong[#wrong + 1] = string.format("%s --%s=%s: %s: %s", command, option, value, code,
                        output:sub(1, 200))
                end
            end
        end
    end
    local output, code = run(string.format("cd %s && %s compile net.lua --depfile=sub/", directory, rnnc))
    assert(code == 1 and output:find("--depfile=sub/: a directory; a file is expected", 1, true), output)
    assert(#wrong == 0, table.concat(wrong, "\n"))
    assert(tried > 50, tried)
    local left = run("ls -A " .. directory)
    assert(left == "net.lua\n", left)
end)

os.execute("rm -r " .. directory)
support.finish()
