-- build: what is generated, compiled with the system's C compiler.
local fail = require "base.fail"
local generate = require "emit.generate"
local host = require "host"
local overwrite = require "emit.overwrite"

local build = {}

local SECONDS <const> = 300

-- Of the code that is measured and verified.
build.FLAGS = "-std=c11 -O2 -fPIC -shared"

-- The words of a command: at spaces, but not at those within quotes or behind a backslash.
local function split(text, command)
    local words, word, quote, i = {}, nil, nil, 1
    while i <= #text do
        local c = text:sub(i, i)
        if c == "\\" and quote ~= "'" and i < #text then
            i = i + 1
            word = (word or "") .. text:sub(i, i)
        elseif c == quote then
            quote = nil
        elseif not quote and (c == "'" or c == '"') then
            quote, word = c, word or ""
        elseif not quote and c:find("%s") then
            words[#words + 1], word = word, nil
        else
            word = (word or "") .. c
        end
        i = i + 1
    end
    if quote then fail.at(command, "a quote is left open in the name of the C compiler: " .. text) end
    words[#words + 1] = word
    return words
end

-- build.compiler(option, command) -> the words of --cc, $CC or cc. The path of a file is one word as it
-- stands; otherwise spaces divide, unless they are quoted.
function build.compiler(option, command)
    local text = option or host.getenv("CC") or "cc"
    if text:find("/", 1, true) and host.exists(text) then return { text } end
    local words = split(text, command)
    if #words == 0 or words[1] == "" then fail.at(command, "--cc needs the name of a C compiler") end
    return words
end

-- build.call(compiler, flags, files) -> true, or nil, what is wrong, and what the compiler said. Flags that
-- stand beside the compiler's name come last and win.
function build.call(compiler, flags, files)
    local words = { compiler[1] }
    for word in flags:gmatch("%S+") do words[#words + 1] = word end
    table.move(compiler, 2, #compiler, #words + 1, words)
    table.move(files, 1, #files, #words + 1, words)
    local code, output = host.run(words, SECONDS)
    if code == 0 then return true end
    output = output:gsub("\n$", "")
    if code == 127 then return nil, compiler[1] .. " " .. output .. "; name another with --cc" end
    return nil, compiler[1] .. (code and " fails:" or " takes longer than " .. SECONDS .. " seconds:"), output
end

-- build.network(spec, options, directory, command) -> the path of a shared library with NAME_model, made in
-- `directory`, and what pipeline.run returned; what is wrong is the user's mistake.
function build.network(spec, options, directory, command)
    local files, _, result = generate(spec, options)
    local words = {}
    for _, file in ipairs(files) do
        if file.name:find("%.c$") then words[#words + 1] = directory .. "/" .. file.name end
    end
    files[#files + 1] = { name = "rnnc.h", text = host.resource("runtime/rnnc.h") }
    local made_files = table.move(files, 1, #files, 2, { { name = spec.name .. ".so", beside = spec.name .. ".c" } })
    overwrite.check(directory, made_files, command, "keep the files in another directory")
    local written, message = host.write(directory, files)
    if not written then fail.with { command .. ": error: " .. message } end
    local library = directory .. "/" .. spec.name .. ".so"
    for _, word in ipairs { "-I" .. directory, "-o", library, "-lm" } do words[#words + 1] = word end
    local made, reason, output =
        build.call(build.compiler(options.cc, command), build.FLAGS, words)
    if not made then fail.with { command .. ": error: " .. reason, output } end
    -- What is loaded by a name without '/' is looked for elsewhere.
    return library:find("/", 1, true) and library or "./" .. library, result
end

return build
