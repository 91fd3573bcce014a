-- origin: what figures came from: this rnnc, the processor, the C compiler and what was asked for.
local build = require "measure.build"
local host = require "host"

local SECONDS <const>, MOST_BYTES <const> = 10, 4 << 20

-- What Linux calls the processor; "unknown" elsewhere.
local function processor()
    local text = host.read("/proc/cpuinfo", MOST_BYTES) or ""
    return text:match("model name%s*:%s*([^\n]+)") or text:match("Hardware%s*:%s*([^\n]+)") or "unknown"
end

-- What the C compiler calls itself.
local function compiler_name(words)
    local asked = table.move(words, 1, #words, 1, {})
    asked[#asked + 1] = "--version"
    local code, output = host.run(asked, SECONDS)
    return code == 0 and output:match("[^\n]+") or "unknown"
end

local function quoted(word) return word:find("%s") and '"' .. word .. '"' or word end

-- The command as it was given, options in the order of their names.
local function words_of(command, arguments, options)
    local words, names = { command }, {}
    for name in pairs(options) do names[#names + 1] = name end
    table.sort(names)
    for _, name in ipairs(names) do
        local value = options[name]
        words[#words + 1] = "--" .. name .. (value == true and "" or "=" .. quoted(tostring(value)))
    end
    for _, argument in ipairs(arguments) do words[#words + 1] = quoted(argument) end
    return table.concat(words, " ")
end

-- origin(command, arguments, options) -> { rnnc (its version), cpu, compiler (its name), cc (its command and flags),
-- command }, all of them texts.
return function(command, arguments, options)
    local words = build.compiler(options.cc, command)
    local compiler = compiler_name(words)
    table.insert(words, 2, build.FLAGS)
    return {
        rnnc = host.resource("runtime/rnnc.h"):match('RNNC_VERSION "([^"]+)"'), cpu = processor(),
        compiler = compiler, cc = table.concat(words, " "), command = words_of(command, arguments, options),
    }
end
